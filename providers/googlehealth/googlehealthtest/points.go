package googlehealthtest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// record is the sort of a data type, which decides how it is filtered.
type record uint8

const (
	interval record = iota
	sample
	daily
	session
	asleep
	ecg
	none
)

// kind is one data type.
type kind struct {
	path, key, scope string
	record           record
	list, reconcile  bool
	roll, dailyRoll  bool
	short            bool // rollups take 14 days
	// zeros: a value of zero is left out.
	zeros bool
	// sum is the member of a rollup, of is the member of a point that it adds up.
	of, sum string
}

func (k *kind) filterName() string { return snake(k.path) }

func snake(path string) string {
	b := []byte(path)
	for i := range b {
		if b[i] == '-' {
			b[i] = '_'
		}
	}
	return string(b)
}

// kinds are all data types, as the documentation has them; where measurements disagree, as measured.
var kinds = [...]kind{
	{path: "active-energy-burned", key: "activeEnergyBurned", scope: "activity_and_fitness", list: true, reconcile: true, roll: true, dailyRoll: true, of: "kcal", sum: "kcalSum"},
	{path: "active-minutes", key: "activeMinutes", scope: "activity_and_fitness", list: true, reconcile: true, roll: true, dailyRoll: true, short: true},
	{path: "active-zone-minutes", key: "activeZoneMinutes", scope: "activity_and_fitness", list: true, reconcile: true, roll: true, dailyRoll: true},
	{path: "activity-level", key: "activityLevel", scope: "activity_and_fitness", list: true, reconcile: true},
	{path: "altitude", key: "altitude", scope: "activity_and_fitness", list: true, reconcile: true, roll: true, dailyRoll: true, zeros: true, of: "gainMillimeters", sum: "gainMillimetersSum"},
	{path: "basal-energy-burned", key: "basalEnergyBurned", scope: "activity_and_fitness", list: true, reconcile: true},
	{path: "blood-glucose", key: "bloodGlucose", record: sample, scope: "health_metrics_and_measurements", list: true, reconcile: true, roll: true, dailyRoll: true},
	{path: "body-fat", key: "bodyFat", record: sample, scope: "health_metrics_and_measurements", list: true, reconcile: true, roll: true, dailyRoll: true},
	{path: "calories-in-heart-rate-zone", key: "caloriesInHeartRateZone", record: none, scope: "activity_and_fitness", roll: true, dailyRoll: true, short: true},
	{path: "core-body-temperature", key: "coreBodyTemperature", record: sample, scope: "health_metrics_and_measurements", list: true, reconcile: true, roll: true, dailyRoll: true},
	{path: "daily-heart-rate-variability", key: "dailyHeartRateVariability", record: daily, scope: "health_metrics_and_measurements", list: true, reconcile: true, dailyRoll: true},
	{path: "daily-heart-rate-zones", key: "dailyHeartRateZones", record: daily, scope: "health_metrics_and_measurements", list: true, reconcile: true},
	{path: "daily-oxygen-saturation", key: "dailyOxygenSaturation", record: daily, scope: "health_metrics_and_measurements", list: true, reconcile: true},
	{path: "daily-respiratory-rate", key: "dailyRespiratoryRate", record: daily, scope: "health_metrics_and_measurements", list: true, reconcile: true},
	{path: "daily-resting-heart-rate", key: "dailyRestingHeartRate", record: daily, scope: "health_metrics_and_measurements", list: true, reconcile: true, dailyRoll: true},
	{path: "daily-sleep-temperature-derivations", key: "dailySleepTemperatureDerivations", record: daily, scope: "health_metrics_and_measurements", list: true, reconcile: true},
	{path: "daily-vo2-max", key: "dailyVo2Max", record: daily, scope: "activity_and_fitness", list: true, reconcile: true},
	{path: "distance", key: "distance", scope: "activity_and_fitness", list: true, reconcile: true, roll: true, dailyRoll: true, zeros: true, of: "millimeters", sum: "millimetersSum"},
	{path: "electrocardiogram", key: "electrocardiogram", record: ecg, scope: "ecg", list: true},
	{path: "exercise", key: "exercise", record: session, scope: "activity_and_fitness", list: true, reconcile: true},
	{path: "floors", key: "floors", scope: "activity_and_fitness", reconcile: true, roll: true, dailyRoll: true, zeros: true, of: "count", sum: "countSum"},
	{path: "food", key: "food", record: none, scope: "nutrition", list: true},
	{path: "food-measurement-unit", key: "foodMeasurementUnit", record: none, scope: "nutrition", list: true},
	{path: "heart-rate", key: "heartRate", record: sample, scope: "health_metrics_and_measurements", list: true, reconcile: true, roll: true, dailyRoll: true, short: true},
	{path: "heart-rate-variability", key: "heartRateVariability", record: sample, scope: "health_metrics_and_measurements", list: true, reconcile: true},
	{path: "height", key: "height", record: sample, scope: "health_metrics_and_measurements", list: true, reconcile: true},
	{path: "hydration-log", key: "hydrationLog", record: session, scope: "nutrition", list: true, reconcile: true, roll: true, dailyRoll: true},
	{path: "irregular-rhythm-notification", key: "irregularRhythmNotification", record: session, scope: "irn", list: true},
	{path: "menstrual-period", key: "menstrualPeriod", scope: "reproductive_health", list: true},
	{path: "moods", key: "moods", record: sample, scope: "mindfulness", list: true},
	{path: "nutrition-log", key: "nutritionLog", record: session, scope: "nutrition", list: true, reconcile: true, roll: true, dailyRoll: true},
	{path: "ovulation-test", key: "ovulationTest", record: sample, scope: "reproductive_health", list: true},
	{path: "oxygen-saturation", key: "oxygenSaturation", record: sample, scope: "health_metrics_and_measurements", list: true, reconcile: true},
	{path: "respiratory-rate-sleep-summary", key: "respiratoryRateSleepSummary", record: sample, scope: "health_metrics_and_measurements", list: true, reconcile: true},
	{path: "run-vo2-max", key: "runVo2Max", record: sample, scope: "activity_and_fitness", list: true, reconcile: true, roll: true, dailyRoll: true},
	{path: "sedentary-period", key: "sedentaryPeriod", scope: "activity_and_fitness", list: true, reconcile: true, roll: true, dailyRoll: true},
	{path: "sleep", key: "sleep", record: asleep, scope: "sleep", list: true, reconcile: true},
	{path: "steps", key: "steps", scope: "activity_and_fitness", list: true, reconcile: true, roll: true, dailyRoll: true, zeros: true, of: "count", sum: "countSum"},
	{path: "swim-lengths-data", key: "swimLengthsData", scope: "activity_and_fitness", list: true, reconcile: true, roll: true, dailyRoll: true},
	{path: "symptoms", key: "symptoms", record: sample, scope: "logged_symptoms", list: true},
	{path: "time-in-heart-rate-zone", key: "timeInHeartRateZone", scope: "activity_and_fitness", list: true, reconcile: true, roll: true, dailyRoll: true},
	{path: "total-calories", key: "totalCalories", record: none, scope: "activity_and_fitness", roll: true, dailyRoll: true, short: true},
	{path: "vo2-max", key: "vo2Max", record: sample, scope: "activity_and_fitness", list: true, reconcile: true},
	{path: "weight", key: "weight", record: sample, scope: "health_metrics_and_measurements", list: true, reconcile: true, roll: true, dailyRoll: true},
}

func kindOf(path string) *kind {
	i := slices.IndexFunc(kinds[:], func(k kind) bool { return k.path == path })
	if i < 0 {
		return nil
	}
	return &kinds[i]
}

// object is an object of JSON.
type object = map[string]any

// point is one data point. A day has no times.
type point struct {
	id         string
	source     int // 0 the tracker, 1 the phone, 2 typed in
	start, end time.Time
	day        int // civil day of the start; of daily points the day
	amount     int64
	value      object
}

// sources are what points come from.
var sources = [...]object{
	{
		"recordingMethod": "PASSIVELY_MEASURED", "platform": "FITBIT",
		"device": object{"displayName": "Charge 6", "formFactor": "FITNESS_BAND", "manufacturer": "Fitbit"},
	},
	{
		"recordingMethod": "PASSIVELY_MEASURED", "platform": "HEALTH_CONNECT",
		"application": object{"packageName": "com.google.android.apps.fitness"}, "device": object{"formFactor": "PHONE"},
	},
	{"recordingMethod": "MANUAL", "platform": "FITBIT"},
}

// points returns what there is of a type in the civil days from first to last, newest first.
func (s *Server) points(u *user, k *kind, first, last int) []point {
	var all []point
	switch k.path {
	case "food", "food-measurement-unit":
		return catalogue(k)
	case "sleep":
		for _, sl := range u.sleeps {
			all = append(all, u.sleepPoint(sl))
		}
	case "exercise":
		for _, w := range u.workouts {
			all = append(all, u.workoutPoint(w))
		}
	default:
		for n := max(first, u.first); n <= min(last, u.dayOf(u.horizon)); n++ {
			// A scale needs no tracker.
			if d := u.days[n]; d != nil && (d.Worn || k.path == "weight") {
				all = append(all, s.dayPoints(u, k, n, d)...)
			}
		}
	}
	all = slices.DeleteFunc(all, func(p point) bool {
		return p.end.After(u.horizon) || p.start.After(u.horizon) || p.day < first || p.day > last || u.gone[p.id]
	})
	slices.SortStableFunc(all, func(a, b point) int {
		if c := b.start.Compare(a.start); c != 0 {
			return c
		}
		return b.day - a.day
	})
	return all
}

// count is a 64-bit integer as the service writes it.
func count[T int | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return count(int64(d/time.Second)) + "s"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func dateOf(n int) object {
	y, m, d := time.Unix(int64(n)*86400, 0).UTC().Date()
	return object{"year": y, "month": int(m), "day": d}
}

// civil is a civil time: members that are zero are left out.
func civil(t time.Time) object {
	o := object{"date": dateOf(civilDay(t))}
	clock := object{}
	for name, n := range map[string]int{"hours": t.Hour(), "minutes": t.Minute(), "seconds": t.Second(), "nanos": t.Nanosecond()} {
		if n != 0 {
			clock[name] = n
		}
	}
	if len(clock) > 0 {
		o["time"] = clock
	}
	return o
}

func (u *user) offset(t time.Time) string {
	_, east := u.local(t).Zone()
	return seconds(time.Duration(east) * time.Second)
}

// span writes an interval; civil times are there four times out of five.
func (u *user) span(start, end time.Time) object {
	o := object{
		"startTime": instant(start), "startUtcOffset": u.offset(start), "endTime": instant(end), "endUtcOffset": u.offset(end),
	}
	if start.Unix()%5 != 0 {
		o["civilStartTime"], o["civilEndTime"] = civil(u.local(start)), civil(u.local(end))
	}
	return o
}

func (u *user) moment(t time.Time) object {
	o := object{"physicalTime": instant(t), "utcOffset": u.offset(t)}
	if t.Unix()%5 != 0 {
		o["civilTime"] = civil(u.local(t))
	}
	return o
}

func (u *user) stages(list []Stage) []object {
	var out []object
	for _, st := range list {
		out = append(out, object{
			"startTime": instant(st.Start), "startUtcOffset": u.offset(st.Start), "endTime": instant(st.End),
			"endUtcOffset": u.offset(st.End), "type": st.Type,
		})
	}
	return out
}

func (u *user) sleepPoint(sl *Sleep) point {
	minutes, counts := map[string]int{}, map[string]int{}
	var order []string
	whole := 0
	for _, st := range sl.Stages {
		n := int(st.End.Sub(st.Start).Minutes())
		if counts[st.Type] == 0 {
			order = append(order, st.Type)
		}
		minutes[st.Type] += n
		counts[st.Type]++
		whole += n
	}
	var byStage []object
	for _, name := range order {
		byStage = append(byStage, object{"type": name, "minutes": count(minutes[name]), "count": count(counts[name])})
	}
	awake := minutes["AWAKE"]
	meta := object{"externalId": sl.ID}
	for name, set := range map[string]bool{"processed": sl.Processed, "nap": sl.Nap, "mainSleep": !sl.Nap} {
		if set {
			meta[name] = true
		}
	}
	if sl.Processed && !sl.Classic {
		meta["stagesStatus"] = "SUCCEEDED"
	}
	form := "STAGES"
	if sl.Classic {
		form = "CLASSIC"
	}
	value := object{
		"interval": u.span(sl.Start, sl.End), "type": form, "stages": u.stages(sl.Stages), "metadata": meta,
		"createTime": instant(sl.End.Add(5 * time.Minute)), "updateTime": instant(sl.Updated),
		"summary": object{
			"minutesInSleepPeriod": count(whole), "minutesAsleep": count(whole - awake), "minutesAwake": count(awake),
			"minutesToFallAsleep": "0", "minutesAfterWakeUp": "0", "stagesSummary": byStage,
		},
	}
	if len(sl.ShortAwake) > 0 {
		value["shortAwakenings"] = u.stages(sl.ShortAwake)
	}
	// Sleep is filed under the day on which it ends.
	return point{id: sl.ID, start: sl.Start, end: sl.End, day: u.dayOf(sl.End), value: value}
}

func (u *user) workoutPoint(w *Workout) point {
	return point{
		id: w.ID, start: w.Start, end: w.End, day: u.dayOf(w.Start), value: object{
			"interval": u.span(w.Start, w.End), "exerciseType": w.Type, "displayName": w.Name,
			"activeDuration": seconds(w.End.Sub(w.Start)), "exerciseMetadata": object{},
			"createTime": instant(w.End.Add(5 * time.Minute)), "updateTime": instant(w.Updated),
			"metricsSummary": object{
				"caloriesKcal": w.Calories, "distanceMillimeters": w.Distance, "steps": count(w.Steps),
				"averageHeartRateBeatsPerMinute": count(w.HeartRate),
				"heartRateZoneDurations":         object{"moderateTime": seconds(w.End.Sub(w.Start) / 2), "peakTime": "0.5s"},
			},
			"exerciseEvents": []object{
				{"eventTime": instant(w.Start), "eventUtcOffset": u.offset(w.Start), "exerciseEventType": "START"},
				{"eventTime": instant(w.End), "eventUtcOffset": u.offset(w.End), "exerciseEventType": "STOP"},
			},
		},
	}
}

// catalogue is what logs of food refer to. It is of no time.
func catalogue(k *kind) []point {
	unit := func(id string) string { return "users/me/dataTypes/food-measurement-unit/dataPoints/" + id }
	if k.path == "food-measurement-unit" {
		return []point{
			{id: "304", source: 2, value: object{"displayName": "serving", "pluralDisplayName": "servings"}},
			{id: "147", source: 2, value: object{"displayName": "gram", "pluralDisplayName": "grams"}},
		}
	}
	return []point{{id: "82294", source: 2, value: object{
		"displayName": "Lentil soup", "accessLevel": "FOOD_ACCESS_LEVEL_PRIVATE", "languageCode": "en", "energyAvg": object{"kcal": 320},
		"totalFat": object{"grams": 7}, "nutrients": []object{{"nutrient": "PROTEIN", "quantity": object{"grams": 15.5}}},
		"defaultServing": object{"foodMeasurementUnit": unit("304"), "foodMeasurementUnitDisplayName": "serving", "amount": 1},
	}}}
}

// dayPoints makes the points of one day.
func (s *Server) dayPoints(u *user, k *kind, n int, d *Day) []point {
	perDay := func(value object) []point { return []point{{day: n, value: value, start: u.at(n, 0), end: u.at(n, 0)}} }
	reading := func(what uint64, sec int, source int, value object) []point {
		at := u.at(n, sec)
		value["sampleTime"] = u.moment(at)
		return []point{{id: u.newID(n, 100+what), start: at, end: at, day: n, value: value, source: source}}
	}
	// A scale tells the weight and the body fat of one moment.
	weighed := func(what uint64, value object) []point {
		if d.WeightAt.IsZero() {
			return reading(what, 7*3600+1, 0, value)
		}
		value["sampleTime"] = u.moment(d.WeightAt)
		return []point{{id: u.newID(n, 100+what), start: d.WeightAt, end: d.WeightAt, day: n, value: value}}
	}
	date := dateOf(n)
	switch k.path {
	case "daily-resting-heart-rate":
		if d.RestingHeartRate == 0 {
			return nil
		}
		return perDay(object{
			"date": date, "beatsPerMinute": count(d.RestingHeartRate),
			"dailyRestingHeartRateMetadata": object{"calculationMethod": "WITH_SLEEP"},
		})
	case "daily-heart-rate-variability":
		if d.HRV == 0 {
			return nil
		}
		return perDay(object{
			"date": date, "averageHeartRateVariabilityMilliseconds": d.HRV,
			"deepSleepRootMeanSquareOfSuccessiveDifferencesMilliseconds": d.DeepHRV, "entropy": 2.5, "nonRemHeartRateBeatsPerMinute": "55",
		})
	case "daily-heart-rate-zones":
		return perDay(object{"date": date, "heartRateZones": []object{
			{"heartRateZoneType": "LIGHT", "minBeatsPerMinute": "30", "maxBeatsPerMinute": "98"},
			{"heartRateZoneType": "MODERATE", "minBeatsPerMinute": "98", "maxBeatsPerMinute": "133"},
			{"heartRateZoneType": "VIGOROUS", "minBeatsPerMinute": "133", "maxBeatsPerMinute": "165"},
			{"heartRateZoneType": "PEAK", "minBeatsPerMinute": "165", "maxBeatsPerMinute": "220"},
		}})
	case "daily-oxygen-saturation":
		if d.SpO2 == 0 {
			return nil
		}
		return perDay(object{
			"date": date, "averagePercentage": d.SpO2, "lowerBoundPercentage": d.SpO2 - 1.5, "upperBoundPercentage": d.SpO2 + 1,
			"standardDeviationPercentage": 0.8,
		})
	case "daily-respiratory-rate":
		if d.RespiratoryRate == 0 {
			return nil
		}
		return perDay(object{"date": date, "breathsPerMinute": d.RespiratoryRate})
	case "daily-sleep-temperature-derivations":
		if d.SkinTemperature == 0 {
			return nil
		}
		value := object{"date": date, "nightlyTemperatureCelsius": d.SkinTemperature, "relativeNightlyStddev30dCelsius": 0.35}
		if n-u.first >= 3 {
			value["baselineTemperatureCelsius"] = 34.1
		}
		return perDay(value)
	case "daily-vo2-max":
		if d.VO2Max == 0 {
			return nil
		}
		return perDay(object{"date": date, "vo2Max": d.VO2Max, "cardioFitnessLevel": "GOOD", "estimated": true})
	case "weight":
		if d.Weight == 0 {
			return nil
		}
		return weighed(1, object{"weightGrams": d.Weight})
	case "body-fat":
		if d.BodyFat == 0 {
			return nil
		}
		return weighed(2, object{"percentage": d.BodyFat})
	case "height":
		if n != u.first {
			return nil
		}
		return reading(3, 12*3600, 2, object{"heightMillimeters": "1782"})
	case "blood-glucose":
		if n%6 != 0 {
			return nil
		}
		return reading(4, 8*3600, 2, object{
			"bloodGlucoseMilligramsPerDeciliter": 95.5, "specimen": "CAPILLARY_BLOOD", "measurementTiming": "FASTING", "mealType": "BREAKFAST",
		})
	case "core-body-temperature":
		if n%9 != 0 {
			return nil
		}
		return reading(5, 20*3600, 2, object{"temperatureCelsius": 36.7, "measurementLocation": "MOUTH"})
	case "vo2-max", "run-vo2-max":
		if n%5 != 0 || d.VO2Max == 0 {
			return nil
		}
		value := object{"vo2Max": d.VO2Max, "measurementMethod": "FITBIT_RUN"}
		if k.path == "run-vo2-max" {
			value = object{"runVo2Max": d.VO2Max}
		}
		p := reading(6, 18*3600, 0, value)
		p[0].id = "" // there are points without an id
		return p
	case "respiratory-rate-sleep-summary":
		if d.RespiratoryRate == 0 {
			return nil
		}
		stats := func(more float64) object {
			return object{"breathsPerMinute": math.Round((d.RespiratoryRate+more)*10) / 10, "standardDeviation": 1.25, "signalToNoise": 3.5}
		}
		return reading(7, 6*3600, 0, object{
			"fullSleepStats": stats(0), "deepSleepStats": stats(-0.6), "lightSleepStats": stats(0.2), "remSleepStats": stats(1.1),
		})
	case "hydration-log", "nutrition-log":
		if d.Water == 0 {
			return nil
		}
		at := u.at(n, 12*3600+900)
		value := object{"interval": u.span(at, at.Add(time.Minute)), "amountConsumed": object{"milliliters": d.Water, "userProvidedUnit": "MILLILITER"}}
		if k.path == "nutrition-log" {
			value = object{
				"interval": u.span(at, at.Add(20*time.Minute)), "energy": object{"kcal": 640}, "foodDisplayName": "Lentil soup", "mealType": "LUNCH",
				"totalCarbohydrate": object{"grams": 62.5}, "totalFat": object{"grams": 14},
				"nutrients": []object{{"nutrient": "PROTEIN", "quantity": object{"grams": 31}}, {"nutrient": "SODIUM", "quantity": object{"grams": 1.2}}},
			}
		}
		return []point{{id: u.newID(n, 200+text(k.path)%50), start: at, end: at.Add(time.Minute), day: n, value: value, source: 2}}
	case "electrocardiogram":
		if n%10 != 0 {
			return nil
		}
		at := u.at(n, 9*3600)
		wave := make([]int, 500)
		for i := range wave {
			wave[i] = int(mix(u.seed, uint64(n), uint64(i))%4000) - 2000
		}
		return []point{{id: u.newID(n, 260), start: at, end: at.Add(2 * time.Second), day: n, value: object{
			"interval":             object{"startTime": instant(at), "endTime": instant(at.Add(2 * time.Second))}, // no offsets
			"resultClassification": "NORMAL_SINUS_RHYTHM", "beatsPerMinuteAvg": "66", "samplingFrequencyHertz": 250, "leadNumber": 1,
			"millivoltsScalingFactor": 10922, "waveformSamples": wave,
		}}}
	case "irregular-rhythm-notification":
		if n%30 != 0 {
			return nil
		}
		at := u.at(n, 3*3600)
		window := u.span(at, at.Add(5*time.Minute))
		window["positive"] = true
		window["heartBeats"] = []object{{"beatsPerMinute": 81, "physicalTime": instant(at.Add(time.Second)), "utcOffset": u.offset(at)}}
		return []point{{id: u.newID(n, 261), start: at, end: at.Add(30 * time.Minute), day: n, value: object{
			"interval": u.span(at, at.Add(30*time.Minute)), "alertWindows": []object{window},
		}}}
	case "moods", "symptoms", "ovulation-test":
		if n%12 != 0 {
			return nil
		}
		return reading(8, 21*3600, 2, map[string]object{
			"moods": {"moods": []string{"CALM"}, "valences": []string{"PLEASANT"}}, "symptoms": {"symptoms": []string{"HEADACHE"}},
			"ovulation-test": {"result": "NEGATIVE"},
		}[k.path])
	case "menstrual-period":
		if n%28 != 0 {
			return nil
		}
		start, end := u.at(n, 0), u.at(n+4, 0)
		return []point{{start: start, end: end, day: n, source: 2, value: object{"interval": u.span(start, end)}}}
	}
	return s.densePoints(u, k, n, d)
}

// densePoints makes the points that a day has many of.
func (s *Server) densePoints(u *user, k *kind, n int, d *Day) []point {
	var all []point
	switch k.path {
	case "heart-rate":
		for at := u.at(n, 0); at.Before(u.at(n+1, 0)); at = at.Add(s.cfg.HeartRateEvery) {
			bpm := max(40, d.RestingHeartRate) + int(mix(u.seed, text(at.String()))%40)
			context := "SEDENTARY"
			if h := u.local(at).Hour(); h >= 8 && h < 20 {
				context = "ACTIVE"
			}
			all = append(all, point{start: at, end: at, day: n, amount: int64(bpm), value: object{
				"sampleTime": u.moment(at), "beatsPerMinute": count(bpm), "metadata": object{"motionContext": context},
			}})
		}
		return all
	case "heart-rate-variability", "oxygen-saturation":
		for i := range 4 {
			at := u.at(n, 2*3600+i*1800)
			value := object{"sampleTime": u.moment(at), "percentage": 95 + float64(mix(u.seed, uint64(n), uint64(i))%40)/10}
			if k.path == "heart-rate-variability" {
				value = object{
					"sampleTime": u.moment(at), "rootMeanSquareOfSuccessiveDifferencesMilliseconds": d.HRV + float64(i)/8,
					"metadata": object{"highFrequencyPower": 200.25, "lowFrequencyPower": 170.5},
				}
			}
			all = append(all, point{start: at, end: at, day: n, value: value})
		}
		return all
	}
	whole := map[string]int64{
		"steps": int64(d.Steps), "floors": int64(d.Floors), "distance": d.Distance, "altitude": int64(d.Floors) * 3000,
		"active-energy-burned": int64(d.ActiveEnergy), "basal-energy-burned": 1680, "active-zone-minutes": int64(d.Steps / 400),
		"active-minutes": int64(d.Steps / 100), "activity-level": 1, "sedentary-period": 1, "time-in-heart-rate-zone": 1, "swim-lengths-data": 24,
	}
	total, ok := whole[k.path]
	if !ok || k.path == "swim-lengths-data" && n%3 != 0 {
		return nil
	}
	parts := s.cfg.IntervalsPerDay
	left := total
	for i := range parts {
		start := u.at(n, 8*3600+i*12*3600/parts)
		p := point{start: start, end: start.Add(time.Minute), day: n}
		p.amount = min(left, total/int64(parts)*int64(mix(u.seed, uint64(n), 40, uint64(i))%3))
		if i == parts-1 {
			p.amount = left
		}
		left -= p.amount
		p.value = object{"interval": u.span(p.start, p.end)}
		zone := [...]string{"FAT_BURN", "CARDIO", "PEAK"}[i%3]
		switch k.path {
		case "activity-level":
			p.value["activityLevelType"] = [...]string{"SEDENTARY", "LIGHTLY_ACTIVE", "VERY_ACTIVE"}[i%3]
		case "sedentary-period":
		case "time-in-heart-rate-zone":
			p.value["heartRateZoneType"] = [...]string{"LIGHT", "MODERATE", "VIGOROUS", "PEAK"}[i%4]
		case "active-zone-minutes":
			p.value["activeZoneMinutes"], p.value["heartRateZone"] = count(p.amount), zone
		case "active-minutes":
			p.value["activeMinutesByActivityLevel"] = []object{{"activityLevel": "LIGHT", "activeMinutes": count(p.amount)}}
		case "swim-lengths-data":
			p.value["strokeCount"], p.value["swimStrokeType"] = count(p.amount), "FREESTYLE"
		case "active-energy-burned", "basal-energy-burned":
			p.value["kcal"] = p.amount
		default:
			if p.amount != 0 || !k.zeros {
				p.value[k.of] = count(p.amount)
			}
		}
		all = append(all, p)
		if k.path == "steps" || k.path == "distance" {
			// The phone counts half of it, in an interval that overlaps.
			phone := point{start: start.Add(30 * time.Second), end: start.Add(90 * time.Second), day: n, source: 1}
			phone.value = object{"interval": u.span(phone.start, phone.end)}
			if half := p.amount / 2; half != 0 {
				phone.value[k.of] = count(half)
			}
			all = append(all, phone)
		}
	}
	return all
}

// reconciled leaves out what the service drops of overlapping sources.
func reconciled(all []point) []point {
	return slices.DeleteFunc(all, func(p point) bool { return p.source == 1 })
}

// rolled is what points of a window add up to; nil if there are none.
func (s *Server) rolled(u *user, k *kind, from, to time.Time) object {
	first, last := u.dayOf(from), u.dayOf(to.Add(-time.Nanosecond))
	within := func(path string) []point {
		other := kindOf(path)
		return slices.DeleteFunc(reconciled(s.points(u, other, first, last)), func(p point) bool {
			return p.start.Before(from) || !p.start.Before(to)
		})
	}
	sum := func(all []point) (n int64) {
		for _, p := range all {
			n += p.amount
		}
		return n
	}
	number := func(path, member string, rollup string) object {
		all := within(path)
		if len(all) == 0 {
			return nil
		}
		mean := 0.0
		for _, p := range all {
			switch v := p.value[member].(type) {
			case float64:
				mean += v / float64(len(all))
			case int:
				mean += float64(v) / float64(len(all))
			}
		}
		return object{rollup: mean}
	}
	switch k.path {
	case "steps", "floors", "distance", "altitude":
		if all := within(k.path); len(all) > 0 {
			return object{k.sum: count(sum(all))}
		}
	case "active-energy-burned":
		if all := within(k.path); len(all) > 0 {
			return object{k.sum: sum(all)}
		}
	case "total-calories":
		worn := within("heart-rate")
		if len(worn) > 0 {
			return object{"kcalSum": sum(within("active-energy-burned")) + int64(len(worn))*int64(s.cfg.HeartRateEvery/time.Minute)*70/60}
		}
	case "active-minutes":
		if all := within(k.path); len(all) > 0 {
			return object{"activeMinutesRollupByActivityLevel": []object{
				{"activityLevel": "LIGHT", "activeMinutesSum": count(sum(all))}, {"activityLevel": "MODERATE", "activeMinutesSum": "0"},
				{"activityLevel": "VIGOROUS", "activeMinutesSum": "0"},
			}}
		}
	case "active-zone-minutes":
		all := within(k.path)
		sums := map[any]int64{}
		for _, p := range all {
			sums[p.value["heartRateZone"]] += p.amount
		}
		if len(all) > 0 {
			return object{
				"sumInFatBurnHeartZone": count(sums["FAT_BURN"]), "sumInCardioHeartZone": count(sums["CARDIO"]), "sumInPeakHeartZone": count(sums["PEAK"]),
			}
		}
	case "heart-rate":
		all := within(k.path)
		if len(all) == 0 {
			return nil
		}
		low, high := all[0].amount, all[0].amount
		for _, p := range all {
			low, high = min(low, p.amount), max(high, p.amount)
		}
		return object{
			"beatsPerMinuteAvg": float64(sum(all)*10/int64(len(all))) / 10, "beatsPerMinuteMin": low, "beatsPerMinuteMax": high,
		}
	case "sedentary-period":
		if all := within(k.path); len(all) > 0 {
			return object{"durationSum": seconds(time.Duration(len(all)) * time.Minute)}
		}
	case "swim-lengths-data":
		if all := within(k.path); len(all) > 0 {
			return object{"strokeCountSum": count(sum(all))}
		}
	case "time-in-heart-rate-zone", "calories-in-heart-rate-zone":
		if all := within("time-in-heart-rate-zone"); len(all) > 0 {
			if k.path == "time-in-heart-rate-zone" {
				return object{"timeInHeartRateZones": []object{{"heartRateZone": "LIGHT", "duration": seconds(time.Duration(len(all)) * time.Minute)}}}
			}
			return object{"caloriesInHeartRateZones": []object{{"heartRateZone": "LIGHT", "kcal": 4 * len(all)}}}
		}
	case "hydration-log":
		water := 0
		for _, p := range within(k.path) {
			water += p.value["amountConsumed"].(object)["milliliters"].(int)
		}
		if water > 0 {
			return object{"amountConsumed": object{"millilitersSum": water, "userProvidedUnitLast": "MILLILITER"}}
		}
	case "nutrition-log":
		if n := len(within(k.path)); n > 0 {
			return object{
				"energy": object{"kcalSum": 640 * n}, "totalFat": object{"gramsSum": 14 * n},
				"totalCarbohydrate": object{"gramsSum": 62.5 * float64(n)},
				"nutrients": []object{
					{"nutrient": "PROTEIN", "quantity": object{"gramsSum": 31 * n}}, {"nutrient": "SODIUM", "quantity": object{"gramsSum": 1.2 * float64(n)}},
				},
			}
		}
	case "weight":
		return number(k.path, "weightGrams", "weightGramsAvg")
	case "body-fat":
		return number(k.path, "percentage", "bodyFatPercentageAvg")
	case "blood-glucose":
		return number(k.path, "bloodGlucoseMilligramsPerDeciliter", "bloodGlucoseMilligramsPerDeciliterAvg")
	case "core-body-temperature":
		return number(k.path, "temperatureCelsius", "temperatureCelsiusAvg")
	case "run-vo2-max":
		return number(k.path, "runVo2Max", "rateAvg")
	}
	return nil
}

// name is the resource name of a point, empty for one that has none.
func (p point) name(u *user, k *kind) string {
	if p.id == "" {
		return ""
	}
	return fmt.Sprintf("users/%s/dataTypes/%s/dataPoints/%s", u.id, k.path, p.id)
}

// PointInfo identifies one data point.
type PointInfo struct {
	ID         string // empty for a point without one
	Start, End time.Time
	Date       string // the civil day by which it is filed
	// Source is what list tells as dataSource: the tracker 0, the phone 1, typed in 2.
	Source int
}

// Points returns what list, or reconcile, has of a data type for a user, newest first. It panics for a type that there
// is not.
func (s *Server) Points(userID, dataType string, merged bool) []PointInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, k := s.mustUser(userID), kindOf(dataType)
	s.refresh(u)
	all := s.points(u, k, u.first-1, u.dayOf(u.horizon)+1)
	if merged {
		all = reconciled(all)
	}
	var out []PointInfo
	for _, p := range all {
		out = append(out, PointInfo{p.id, p.start, p.end, dayText(p.day), p.source})
	}
	return out
}

// RollupDays returns the civil days for which dailyRollUp has something of a data type.
func (s *Server) RollupDays(userID, dataType string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, k := s.mustUser(userID), kindOf(dataType)
	s.refresh(u)
	var days []string
	for n := u.first; n <= u.dayOf(u.horizon); n++ {
		if d := u.days[n]; d != nil && d.Worn && (k.record == daily || s.rolled(u, k, u.at(n, 0), u.at(n+1, 0)) != nil) {
			days = append(days, dayText(n))
		}
	}
	return days
}

// Devices returns the ids of the paired devices of a user.
func (s *Server) Devices(userID string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.mustUser(userID)
	var ids []string
	for i := range deviceNames {
		ids = append(ids, u.deviceID(i))
	}
	return ids
}

var deviceNames = [...]string{"Charge 6", "Pixel Watch 4", "Aria Air"}

func (u *user) deviceID(i int) string { return strconv.FormatUint(mix(u.seed, 70, uint64(i))%1e9, 10) }
