package terra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// dataOf decodes the data of a file of testdata.
func dataOf[T any](t testing.TB, name string) []T {
	var w dataAnswer[T]
	faults, err := decode(read(t, name), &w)
	require.NoError(t, err)
	require.Empty(t, faults)
	if w.Athlete != nil {
		return []T{*w.Athlete}
	}
	return *w.Data
}

func modelOf[T Model](t testing.TB, name string) T {
	v, faults, err := Decode[T](read(t, name))
	require.NoError(t, err)
	require.Empty(t, faults)
	return v
}

func exactly(t testing.TB, text string) Number {
	d, err := health.ParseDecimal(text)
	require.NoError(t, err)
	return NewNumber(d)
}

func TestActivityModel(t *testing.T) {
	list := dataOf[Activity](t, "activity.json")
	require.Len(t, list, 2)
	a := list[0]
	require.Equal(t, ActivityMetadata{
		StartTime: "2026-07-01T09:00:00.000000+02:00", EndTime: "2026-07-01T10:00:00.000000+02:00", SummaryID: "a1", Name: "Morning run",
		Type: new(ActivityRunning), UploadType: new(UploadAutomatic), TimestampLocalization: new(LocalizationLocal),
	}, a.Metadata)
	require.Equal(t, Whole(0), a.CheatDetection, "zero is a value")
	require.True(t, a.CaloriesData.NetIntakeCalories.IsNull())
	require.True(t, a.CaloriesData.NetActivityCalories.IsZero(), "not sent")
	require.Equal(t, exactly(t, "812.25"), a.CaloriesData.TotalBurnedCalories)
	require.Equal(t, Whole(70), a.CaloriesData.BMRCalories)
	require.NotNil(t, a.CaloriesData.CalorieSamples.Raw(), "sent, and empty")
	require.Empty(t, a.CaloriesData.CalorieSamples.Slice())
	require.Equal(t, exactly(t, "2.0"), a.ActiveDurationsData.NumContinuousInactivePeriods)
	require.Equal(t, []ActivityLevelSample{
		{Timestamp: "2026-07-01T09:00:00.000000+02:00", ActivityLevel: new(ActivityLevelMediumIntensity)},
		{Timestamp: "2026-07-01T09:10:00.000000+02:00", ActivityLevel: new(ActivityLevelHighIntensity), TimerDurationSeconds: Whole(600)},
	}, a.ActiveDurationsData.ActivityLevelsSamples.Slice(), "the older name of the level too")
	require.Equal(t, Contributors{"pace": exactly(t, "12.5"), "heart": {state: numberNull}}, a.DataEnrichment.EfficiencyContributors)
	require.Equal(t, Contributors{"hrv": exactly(t, "3.5")}, a.DataEnrichment.StressContributors, "the older form")
	require.True(t, a.DataEnrichment.TRIMPScore.IsNull())
	require.Equal(t, "123456", a.DeviceData.SerialNumber)
	require.Equal(t, []DeviceDataType{DeviceDataSteps, "SOMETHING_NEW"}, a.DeviceData.DataProvided)
	require.Equal(t, Timestamp("2025-01-01T00:00:00Z"), a.DeviceData.OtherDevices[0].ActivationTimestamp)
	require.Equal(t, exactly(t, "-3.25"), a.DistanceData.Summary.Elevation.MinMeters)
	require.Equal(t, SwimmingData{}, a.DistanceData.Summary.Swimming)
	require.Equal(t, []HeartRateDataSample{
		{Timestamp: "2026-07-01T09:00:00.000000+02:00", BPM: Whole(120), Context: new(HeartRateContextActive)},
		{Timestamp: "2026-07-01T09:00:05.500000+02:00", BPM: exactly(t, "121.5"), TimerDurationSeconds: exactly(t, "5.5")},
	}, a.HeartRateData.Detailed.HRSamples.Slice())
	require.Equal(t, Whole(0), a.HeartRateData.Summary.HRZoneData[0].Zone)
	require.Equal(t, TriggerDistance, a.LapData.Laps[0].TriggerMethod)
	require.Equal(t, []METSample{{Timestamp: "2026-07-01T09:00:00.000000+02:00", Level: Whole(8)}}, a.METData.METSamples.Slice())
	require.Equal(t, new(OxygenBlood), a.OxygenData.SaturationSamples.Slice()[0].Type)
	require.Equal(t, []Number{exactly(t, "48.1"), exactly(t, "11.5")}, a.PositionData.StartPosLatLngDeg)
	require.True(t, a.PositionData.EndPosLatLngDeg[1].IsNull())
	require.Equal(t, exactly(t, "11.500001"), a.PositionData.PositionSamples.Slice()[0].CoordsLatLngDeg[1])
	require.Equal(t, exactly(t, "78.5"), a.TSSData.TSSSamples[0].Actual)
	require.Equal(t, "_p~iF~ps|U", a.PolylineMapData.SummaryPolyline)

	require.Equal(t, ActivityType(999), *list[1].Metadata.Type, "kept")
	require.Equal(t, UploadDelete, *list[1].Metadata.UploadType)
	m, flags, err := list[1].Metadata.StartTime.Moment()
	require.NoError(t, err)
	require.Zero(t, flags)
	require.True(t, m.IsFloating())
}

func TestDailyModel(t *testing.T) {
	d := dataOf[Daily](t, "daily.json")[0]
	dom, err := d.Metadata.StartTime.Day()
	require.NoError(t, err)
	require.Equal(t, "2026-07-01", dom.String(), "cut before any conversion")
	require.Equal(t, new(UploadUnknown), d.Metadata.UploadType)
	require.Equal(t, Whole(0), d.Scores.Sleep)
	require.True(t, d.Scores.Recovery.IsNull())
	require.Equal(t, exactly(t, "41.5"), d.Scores.BiologicalAge)
	require.Equal(t, new(StressLow), d.StressData.StressRating)
	require.Equal(t, "GREEN", d.DataEnrichment.StrainTrafficLight)
	require.True(t, d.DataEnrichment.ResilienceScore.IsNull())
	require.Equal(t, Whole(60), d.DataEnrichment.CardiovascularScore)
	require.Equal(t, Contributors{"sleep": Whole(1)}, d.DataEnrichment.ReadinessContributors)
	require.Equal(t, []TagEntry{{Timestamp: "2026-07-01T20:00:00.000000+01:00", TagName: "coffee"}}, d.TagData.Tags)
	require.Equal(t, Whole(95), d.StressData.BodyBatterySamples.Slice()[0].Level)
	require.Equal(t, exactly(t, "40.1"), d.HeartRateData.Detailed.HRVSamplesRMSSD.Slice()[0].HRVRMSSD)
	require.Equal(t, Whole(55), d.HeartRateData.Detailed.HRVSamplesSDNN.Slice()[0].HRVSDNN)
	require.Equal(t, "ok", d.DeviceData.SensorState)
}

func TestSleepModel(t *testing.T) {
	s := dataOf[Sleep](t, "sleep.json")[0]
	require.Empty(t, s.Metadata.SummaryID)
	require.Equal(t, new(false), s.Metadata.IsNap)
	require.Equal(t, new(SleepUploadAutomatic), s.Metadata.UploadType, "2 means another thing than in UploadType")
	require.True(t, s.SleepDurationsData.Asleep.DurationAsleepStateSeconds.IsNull())
	require.Equal(t, Whole(5100), s.SleepDurationsData.Asleep.DurationREMSleepStateSeconds)
	require.Equal(t, Whole(4), s.SleepDurationsData.Asleep.NumREMEvents)
	require.Equal(t, exactly(t, "1.99"), s.SleepDurationsData.SleepEfficiency)
	var levels []string
	for stage := range s.SleepDurationsData.HypnogramSamples.All() {
		levels = append(levels, stage.Level.String())
	}
	require.Equal(t, []string{"Light sleep", "Deep sleep", "terra.SleepLevel(42)"}, levels)
	require.Equal(t, exactly(t, "-0.15"), s.TemperatureData.Delta)
	require.Equal(t, new(false), s.RespirationData.BreathsData.OnDemandReading)
	require.Equal(t, Whole(30), s.RespirationData.SnoringData.Samples.Slice()[0].DurationSeconds)
	require.Equal(t, "Good", RecoveryLevel(5).String())
}

func TestBodyModel(t *testing.T) {
	b := dataOf[Body](t, "body.json")[0]
	require.Equal(t, Timestamp("2026-07-01T00:00:00.000000+0000"), b.Metadata.StartTime, "the text as it came")
	require.Equal(t, exactly(t, "101.5"), b.GlucoseData.DayAvgBloodGlucoseMgPerDL, "by the other name, which a null does not erase")
	require.Equal(t, exactly(t, "71.250"), b.MeasurementsData.Measurements[0].WeightKg)
	require.Equal(t, "after run", b.MeasurementsData.Measurements[0].UserNotes)
	age, ok := b.MeasurementsData.Measurements[0].EstimatedFitnessAge.Int()
	require.True(t, ok)
	require.EqualValues(t, 39, age)
	require.Equal(t, Whole(-12), b.HeartData.ECGSignal[0].RawSignal.Slice()[0].PotentialUV, "by the older name")
	require.Equal(t, new(AFibNegative), b.HeartData.ECGSignal[0].AfibClassification)
	require.Equal(t, exactly(t, "41.2"), b.HydrationData.HydrationAmountSamples.Slice()[0].HydrationKg, "by the older name")
	require.Equal(t, new(KetoneBlood), b.KetoneData.KetoneSamples.Slice()[0].SampleType)
	require.Equal(t, new(TrendFlat), b.GlucoseData.BloodGlucoseSamples.Slice()[0].TrendArrow)
	require.Equal(t, Whole(7), b.GlucoseData.DailyPatterns[0].TimeFromMidnight)
	require.Equal(t, Whole(79), b.BloodPressureData.BloodPressureSamples.Slice()[0].DiastolicBP)
}

func TestOtherModels(t *testing.T) {
	a := dataOf[Athlete](t, "athlete.json")[0]
	require.Equal(t, Athlete{
		FirstName: "Zoë", Age: Whole(35), Sex: "female", DateOfBirth: "1991-04-12", ProviderUserID: "g-77",
		Devices: []DeviceData{{Name: "Venu 3"}}, JoinedProvider: "2019-01-01T00:00:00Z",
	}, a)

	m := dataOf[Menstruation](t, "menstruation.json")
	require.Equal(t, Code{Number: Whole(1)}, m[0].MenstruationData.CurrentPhase)
	require.Equal(t, Code{Text: "luteal"}, m[1].MenstruationData.CurrentPhase)
	require.Equal(t, new(FlowHad), m[0].MenstruationData.MenstruationFlow[0].Flow)
	require.Equal(t, new(PhasePeriod), m[0].MenstruationData.Intervals[0].Phase)

	for i, want := range []MenstruationInterval{PhasePeriod, PhaseLuteal} {
		phase, ok := m[i].MenstruationData.Phase()
		require.True(t, ok)
		require.Equal(t, want, phase)
	}
	for text, want := range map[string]MenstruationInterval{"fertile_window": PhaseFertileWindow, "PMS": PhasePMS} {
		phase, ok := MenstruationData{CurrentPhase: Code{Text: text}}.Phase()
		require.True(t, ok)
		require.Equal(t, want, phase)
	}
	for _, odd := range []Code{{}, {Text: "moon"}, {Number: exactly(t, "1e18")}, {Number: exactly(t, "1e19")}} {
		_, ok := MenstruationData{CurrentPhase: odd}.Phase()
		require.Equal(t, odd.Number == exactly(t, "1e18"), ok, "a number is kept")
	}

	n := dataOf[Nutrition](t, "nutrition.json")[0]
	unit, ok := n.DrinkSamples[1].Unit()
	require.True(t, ok)
	require.Equal(t, NutritionUnitCup, unit)
	require.Equal(t, new(MealBreakfast), n.Meals[0].Type)
	require.Equal(t, NutritionQuantity{Unit: new(NutritionUnitGram), Amount: exactly(t, "250.5")}, n.Meals[0].Quantity)
	require.Equal(t, exactly(t, "0.0012"), n.Meals[0].Micros.VitaminB12Mg)
	require.Equal(t, Whole(0), n.Meals[0].Micros.VitaminD2Mg)
	require.Equal(t, []string{"8", "cup"}, []string{n.DrinkSamples[0].DrinkUnit.String(), n.DrinkSamples[1].DrinkUnit.String()})

	h := modelOf[HormoneSample](t, "hormone.json")
	require.Equal(t, exactly(t, "12.1"), h.LHMIUPerMl)
	require.True(t, h.E3GNgPerMl.IsNull())

	o := modelOf[HealthObservation](t, "observation.json").ObservationData
	require.Equal(t, new(ObservationStatusEnteredInError), o.Status)
	require.Equal(t, ObservationValue{ValueType: new(ObservationValueQuantity), Quantity: exactly(t, "2.5"), Unit: "h"}, o.Value)
	require.Equal(t, "left", o.Components[0].Value.Text)

	w := modelOf[PlannedWorkout](t, "planned_workout.json")
	require.Equal(t, "17", w.WorkoutID)
	step := w.Details.Steps[0]
	require.Equal(t, new(PlannedStepRepeat), step.Type)
	require.Equal(t, []PlannedEquipmentType{PlannedEquipmentFins, PlannedEquipmentSnorkel}, step.Steps[0].EquipmentType)
	require.Equal(t, "sprint", step.Steps[0].ExerciseName)
	require.Equal(t, new(ExerciseRun), step.Steps[0].ExerciseCategory)
	require.Equal(t, new(PlannedDurationReps), step.Durations[0].DurationType)

	l := modelOf[LegacyPlannedWorkout](t, "legacy_planned_workout.json")
	require.Equal(t, Code{Text: "SWIMMING_SWIMMING_POOL"}, l.Metadata.Type)
	require.Equal(t, Whole(55), l.Metadata.EstimatedTSS)
	require.Equal(t, new(PlannedStrokeFreestyle), l.Steps[0].StrokeType)

	tpl := modelOf[WorkoutTemplate](t, "workout_template.json")
	require.Equal(t, SportRunning, tpl.Sport)
	require.Equal(t, TargetHeartRate, tpl.StepBlocks[0].Steps[0].IntensityTargets[0].TargetType)

	require.Equal(t, User{
		UserID: "u2", Provider: "GARMIN", CreatedAt: "2026-07-01T09:00:00Z", LastWebhookUpdate: "2026-07-01T10:00:00.123456+00:00", Active: new(true),
	}, modelOf[User](t, "user.json"))
}

// A member of another type loses itself and nothing else.
func TestFaults(t *testing.T) {
	d, faults, err := Decode[Daily]([]byte(`{"metadata":{"start_time":20260701,"end_time":["x"],"upload_type":"many"},"distance_data":"far",
		"heart_rate_data":{"summary":{"avg_hr_bpm":true,"max_hr_bpm":"151","min_hr_bpm":123456789012345678901234567890,"resting_hr_bpm":52,"hr_zone_data":[{"zone":1},null,7,{"zone":"z"}]},
		"detailed":{"hr_samples":{"bpm":1}}},"tag_data":{"tags":[{"timestamp":"\ud800"}]},"data_enrichment":{"stress_contributors":[{"contributor_score":1},5,{"contributor_name":"a","contributor_score":2}]}}`))
	require.NoError(t, err)
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.Path)
		require.Equal(t, reasonType, f.Reason)
	}
	require.Equal(t, []string{
		"metadata.end_time", "metadata.upload_type", "distance_data", "heart_rate_data.summary.avg_hr_bpm", "heart_rate_data.summary.min_hr_bpm",
		"heart_rate_data.summary.hr_zone_data[2]", "heart_rate_data.summary.hr_zone_data[3].zone", "heart_rate_data.detailed.hr_samples",
		"tag_data.tags[0].timestamp", "data_enrichment.stress_contributors",
	}, paths)
	require.Nil(t, d.Metadata.UploadType)
	require.Equal(t, Whole(151), d.HeartRateData.Summary.MaxHRBPM, "a number in quotes")
	require.Equal(t, Whole(52), d.HeartRateData.Summary.RestingHRBPM)
	require.Len(t, d.HeartRateData.Summary.HRZoneData, 3)
	require.Equal(t, Contributors{"a": Whole(2)}, d.DataEnrichment.StressContributors)

	many := `{"tag_data":{"tags":[` + strings.TrimSuffix(strings.Repeat(`1,`, 500), ",") + `]},"metadata":{"start_time":"s"}}`
	d, faults, err = Decode[Daily]([]byte(many))
	require.NoError(t, err)
	require.Len(t, faults, maxFaults)
	require.Equal(t, Timestamp("s"), d.Metadata.StartTime)
}

func TestDecodeRefuses(t *testing.T) {
	for text, code := range map[string]string{
		"": codeNotJSON, "hello": codeNotJSON, "[]": codeShape, "null": codeShape, "1": codeShape, `{"metadata":`: codeBadJSON,
		`{} {}`: codeBadJSON, `{"a":NaN}`: codeBadJSON, `{"hr":[1,2}`: codeBadJSON, `{"heart_rate_data":{"detailed":{"hr_samples":[{"bpm":01}]}}}`: codeBadJSON,
		strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 100): codeBadJSON,
	} {
		_, _, err := Decode[Daily]([]byte(text))
		require.ErrorIs(t, err, providers.ErrMalformed, text)
		require.Equal(t, code, errorOf(t, err).Code, text)
	}
}

// A short document does not take all memory.
func TestDecodeRefusesFloods(t *testing.T) {
	activities := func(n int) []byte {
		return []byte(`{"data":[` + strings.TrimSuffix(strings.Repeat("{},", n), ",") + `]}`)
	}
	many := maxLists/int(reflect.TypeFor[Activity]().Size()) + 1
	_, err := decode(activities(many), new(dataAnswer[Activity]))
	require.ErrorIs(t, err, providers.ErrMalformed)
	require.Equal(t, codeFlooded, errorOf(t, err).Code)
	var w dataAnswer[Nutrition]
	meals := maxLists/int(reflect.TypeFor[Meal]().Size())/2 + 1
	one := `{"meals":[` + strings.TrimSuffix(strings.Repeat("{},", meals), ",") + `]}`
	_, err = decode([]byte(`{"data":[`+one+`]}`), &w)
	require.NoError(t, err)
	_, err = decode([]byte(`{"data":[`+one+`,`+one+`]}`), &w)
	require.Equal(t, codeFlooded, errorOf(t, err).Code, "elements share the room")
}

// fill sets every field that v points to.
func fill(t testing.TB, v reflect.Value, depth int) {
	switch x := v.Addr().Interface().(type) {
	case *Number:
		*x = exactly(t, "12.50")
		return
	case *Code:
		*x = Code{Text: "word"}
		return
	case *Contributors:
		*x = Contributors{"a": Whole(1)}
		return
	case interface{ sample() reflect.Type }:
		one := reflect.New(x.sample())
		fill(t, one.Elem(), depth+1)
		raw, err := json.Marshal([]any{one.Interface()})
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, x))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Int:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), depth)
	case reflect.Slice:
		if depth < 12 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(t, v.Index(0), depth+4)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), depth+1)
		}
	default:
		t.Fatalf("a field of kind %s", v.Kind())
	}
}

// everyMember checks that each field of a model has a name on the wire, is
// written under it and read back.
func everyMember[T Model](t *testing.T) {
	var v T
	fill(t, reflect.ValueOf(&v).Elem(), 0)
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	again, faults, err := Decode[T](raw)
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Equal(t, v, again)
	var zero T
	bare, err := json.Marshal(zero)
	require.NoError(t, err)
	require.Less(t, len(bare), 120, "nothing is sent that is not set: %s", bare)
}

func TestEveryMember(t *testing.T) {
	everyMember[Activity](t)
	everyMember[Athlete](t)
	everyMember[Body](t)
	everyMember[Daily](t)
	everyMember[HealthObservation](t)
	everyMember[HormoneSample](t)
	everyMember[LegacyPlannedWorkout](t)
	everyMember[Menstruation](t)
	everyMember[Nutrition](t)
	everyMember[PlannedWorkout](t)
	everyMember[Sleep](t)
	everyMember[User](t)
	everyMember[WorkoutTemplate](t)
}

func TestNumbers(t *testing.T) {
	for _, tc := range []struct {
		text  string
		whole int64
		fits  bool
	}{
		{"12", 12, true}, {"12.0", 12, true}, {"12.5", 13, true}, {"12.49", 12, true}, {"-12.5", -13, true}, {"0.4999", 0, true},
		{"1.2e1", 12, true}, {"1e3", 1000, true}, {"1e30", 0, false}, {"0.05", 0, true}, {"0.5", 1, true}, {"9223372036854775807", 1<<63 - 1, true},
	} {
		n := exactly(t, tc.text)
		got, ok := n.Int()
		require.Equal(t, tc.fits, ok, tc.text)
		if ok {
			require.Equal(t, tc.whole, got, tc.text)
		}
		var again Number
		require.NoError(t, json.Unmarshal([]byte(n.String()), &again))
		require.Equal(t, n, again)
	}
	require.Equal(t, []string{"", "null", "0"}, []string{Number{}.String(), Number{state: numberNull}.String(), Whole(0).String()})
	_, ok := Number{}.Decimal()
	require.False(t, ok)
	_, ok = Number{state: numberNull}.Float()
	require.False(t, ok)
	f, ok := exactly(t, "0.1").Float()
	require.True(t, ok)
	require.Equal(t, 0.1, f)
	require.True(t, Whole(1).IsSet())
	require.Error(t, json.Unmarshal([]byte(`true`), new(Number)))
	require.Error(t, json.Unmarshal([]byte(`"x"`), new(Number)))
	require.Error(t, json.Unmarshal([]byte(`[]`), new(Code)))
	raw, err := json.Marshal(struct {
		A Number
		B Number `json:",omitzero"`
		C Code   `json:",omitzero"`
	}{})
	require.NoError(t, err)
	require.JSONEq(t, `{"A":null}`, string(raw))
	var c Code
	require.NoError(t, json.Unmarshal([]byte(`"7"`), &c))
	require.Equal(t, Code{Number: Whole(7)}, c)
}

func TestTimestamps(t *testing.T) {
	for text, day := range map[Timestamp]string{
		"2026-07-01T00:30:00.000000+02:00": "2026-07-01", "2026-07-01": "2026-07-01", "2026-07-01T23:59:59": "2026-07-01", "": "", "2026-7-1": "", "yesterday at six": "",
	} {
		d, err := text.Day()
		require.Equal(t, day, d.String(), text)
		require.Equal(t, day == "", err != nil, text)
	}
	_, _, err := Timestamp("").Moment()
	require.ErrorIs(t, err, health.ErrTime)
}

func TestEnumNames(t *testing.T) {
	require.Equal(t, "In Vehicle", ActivityInVehicle.String())
	require.Equal(t, "Physical Therapy", ActivityType(154).String())
	require.Equal(t, "terra.ActivityType(2)", ActivityType(2).String(), "a gap")
	require.Equal(t, "terra.ActivityType(-1)", ActivityType(-1).String())
	require.Equal(t, "terra.ActivityType(100000)", ActivityType(100000).String())
	named := 0
	for v := range 200 {
		if !strings.HasPrefix(ActivityType(v).String(), "terra.") {
			named++
		}
	}
	require.Equal(t, 146, named)
	for _, v := range []fmt.Stringer{
		UploadType(6), SleepUploadType(4), TimestampLocalization(1), ActivityLevel(5), SleepLevel(6), HeartRateContext(2), RecoveryLevel(6),
		StressLevel(4), OxygenSaturationType(1), AFibFlag(2), GlucoseFlag(2), TrendArrow(5), KetoneSampleType(3), MealType(6), NutritionUnits(12),
		MenstruationFlow(5), MenstruationInterval(9), HealthObservationCategory(8), ObservationValueType(4), ObservationSeverity(4), ObservationStatus(3),
		PlannedStepIntensity(5), PlannedStepType(1), PlannedDurationType(12), PlannedTargetType(16), PlannedStrokeType(6), PlannedEquipmentType(5),
		ExerciseCategory(34),
	} {
		require.NotContains(t, v.String(), "terra.", "the last of each is known")
	}
	require.NotEqual(t, UploadType(1).String(), SleepUploadType(1).String())
}

// Points are what All says, and times what health.ParseMoment says, for whatever
// array.
func TestPoints(t *testing.T) {
	times := rapid.SampledFrom([]string{
		`"2026-07-01T09:00:00.000000+02:00"`, `"2026-07-01T09:00:01.000000+02:00"`, `"2026-07-01T23:59:59.000000+02:00"`, `"2026-07-02T00:00:00.000000+02:00"`,
		`"2026-07-01T09:00:00.500000+02:00"`, `"2026-07-01T09:00:00"`, `"2026-07-01T09:00:07"`, `"2026-07-01T09:00:00Z"`, `"2026-07-01T08:59:00Z"`, `"2026-07-01T09:00"`,
		`"2026-07-01 09:00:00 +0200"`, `"2026-07-01T09:00:60Z"`, `"2026-07-01T25:00:00Z"`, `"2026-07-01T2:000:00Z"`, `"2026-07-01T2/:00:00Z"`, `""`, `null`, `5`, `"2026-07-01T09:00:00\u005a"`, `"2026-13-01T09:00:00Z"`,
	})
	values := rapid.SampledFrom([]string{"1", "60.50", "null", `"7"`, "true", "-3e2", `{"a":[1]}`, "123456789012345678901234567890"})
	rapid.Check(t, func(rt *rapid.T) {
		var b bytes.Buffer
		n := rapid.IntRange(0, 8).Draw(rt, "samples")
		for i := range n {
			if i > 0 {
				b.WriteString(" ,")
			}
			switch rapid.IntRange(0, 9).Draw(rt, "shape") {
			case 0:
				b.WriteString(rapid.SampledFrom([]string{"null", "7", `"x"`, "[1]", "{}"}).Draw(rt, "odd"))
			case 1:
				fmt.Fprintf(&b, `{"bpm":%s,"context":1,"timestamp":%s}`, values.Draw(rt, "value"), times.Draw(rt, "time"))
			default:
				fmt.Fprintf(&b, `{"timestamp":%s,"bpm":%s}`, times.Draw(rt, "time"), values.Draw(rt, "value"))
			}
		}
		var a Samples[HeartRateDataSample]
		require.NoError(rt, json.Unmarshal([]byte("["+b.String()+"]"), &a))
		got := slices.Collect(a.Points("bpm"))
		require.Equal(rt, pointsInFull(rt, a.Raw()), got)
		require.Len(rt, got, n)
	})
	for range (Samples[HeartRateDataSample]{}).Points("bpm") {
		t.Fatal("there are none")
	}
	require.Empty(t, Samples[HeartRateDataSample]{}.Slice())
	one, err := NewSamples([]HeartRateDataSample{{Timestamp: "t", BPM: Whole(1)}, {BPM: Whole(2)}})
	require.NoError(t, err)
	require.JSONEq(t, `[{"timestamp":"t","bpm":1},{"bpm":2}]`, string(one.Raw()))
	for range one.All() {
		break
	}
	for range one.Points("bpm") {
		break
	}
	none, err := NewSamples[HeartRateDataSample](nil)
	require.NoError(t, err)
	require.True(t, none.IsZero())
}

// pointsInFull reads points by decoding each sample.
func pointsInFull(t require.TestingT, raw []byte) (points []Point) {
	s := jsonscan.New(raw)
	s.Array()
	for s.NextElement() {
		var v HeartRateDataSample
		if raw := s.Raw(); raw[0] == '{' {
			_, err := decode(raw, &v)
			require.NoError(t, err)
		}
		p := Point{Number: v.BPM}
		if m, flags, err := v.Timestamp.Moment(); err == nil {
			p.At, p.Flags = m, flags
		}
		points = append(points, p)
	}
	return points
}

// Samples that are written alike are read by what the one before looked like.
func TestPointsWrittenAlike(t *testing.T) {
	for _, array := range []string{
		`[{"timestamp":"2026-07-01T09:00:00Z","bpm":60},{"timestamp":"2026-07-01T09:00:05Z","bpm":61.25},{"timestamp":"2026-07-01T09:00:10Z","bpm":123456789012345678},{"timestamp":"2026-07-02T00:00:00Z","bpm":0}]`,
		`[ {"timestamp":"2026-07-01T09:00:00Z", "bpm":60 , "context":1 } , {"timestamp":"2026-07-01T09:00:05Z", "bpm":6 , "context":1 },{"timestamp":"2026-07-01T09:00:06Z", "bpm":7 , "context":2 } ]`,
		`[{"timestamp":"2026-07-01T09:00:00Z","bpm":1},{"timestamp":"2026-07-01T09:00:05Z","bpm":1e1},{"timestamp":"2026-07-01T09:00:05Z","bpm":-1},{"timestamp":"2026-07-01T09:00:06Z","bpm":0.50}]`,
		`[{"bpm":1,"timestamp":"2026-07-01T09:00:00Z"},{"bpm":2,"timestamp":"2026-07-01T09:00:05Z"}]`,
		`[{"timestamp":"2026-07-01T09:00:00","bpm":1},{"timestamp":"2026-07-01T09:00:05","bpm":2},{"timestamp":"2026-07-01T09:00:07+02:00","bpm":2}]`,
		`[{"timestamp":"2026-07-01T09:00:0\u0030Z","bpm":1},{"timestamp":"2026-07-01T09:00:05Z","bpm":2}]`,
		`[{"timestamp":"2026-07-01T09:00:00Z","bpm":1},{"timestamp":"2026-07-01T09:00:05Z","bpm":2,"bpm2":3},{"timestamp":"2026-07-01T09:00:06Z"},[],[[1]],{"timestamp":"2026-07-01T09:00:07Z","bpm":"8"}]`,
		`[{"timestamp":"x","bpm":1},{"timestamp":"x","bpm":2}]`, `[]`, `[ ]`, `[[]]`, `[{}]`,
	} {
		a := Samples[HeartRateDataSample]{raw: []byte(array)}
		require.Equal(t, pointsInFull(t, a.Raw()), slices.Collect(a.Points("bpm")), array)
	}
}
