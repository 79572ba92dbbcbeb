package terra

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vitalmux/vitalmux/health"
)

// The objects that several kinds share.

// Exact factors between units.
var (
	sixty   = health.Int(60)
	hundred = health.Int(100)
)

func (d *draft) activeDurations(v *ActiveDurationsData) {
	d.value(v.ActivitySeconds, health.MetricActiveDuration, health.StatValue, "")
	d.value(v.LowIntensitySeconds, health.MetricActiveDuration, health.StatValue, health.PartLight)
	d.value(v.ModerateIntensitySeconds, health.MetricActiveDuration, health.StatValue, health.PartModerate)
	d.value(v.VigorousIntensitySeconds, health.MetricActiveDuration, health.StatValue, health.PartVigorous)
	d.value(v.InactivitySeconds, health.MetricSedentaryDuration, health.StatValue, "")
	d.value(v.NumContinuousInactivePeriods, health.MetricSedentaryPeriods, health.StatValue, "")
	d.value(v.RestSeconds, health.MetricRestDuration, health.StatValue, "")
	d.value(v.StandingHoursCount, health.MetricStandingHours, health.StatValue, "")
	d.value(v.StandingSeconds, health.MetricStandingDuration, health.StatValue, "")
	d.runs("active_durations_data.activity_levels_samples", v.ActivityLevelsSamples.Raw(), []string{"activity_level", "level"}, health.TrackLevel, labels{
		ActivityLevelUnknown:         health.LevelUnknown,
		ActivityLevelRest:            health.LevelRest,
		ActivityLevelInactive:        health.LevelSedentary,
		ActivityLevelLowIntensity:    health.LevelLight,
		ActivityLevelMediumIntensity: health.LevelModerate,
		ActivityLevelHighIntensity:   health.LevelVigorous,
	})
}

func (d *draft) calories(v *CaloriesData) {
	d.value(v.BMRCalories, health.MetricEnergyBasal, health.StatValue, "")
	d.value(v.NetActivityCalories, health.MetricEnergyActive, health.StatValue, "")
	d.value(v.NetIntakeCalories, health.MetricEnergyIntake, health.StatValue, "")
	d.value(v.TotalBurnedCalories, health.MetricEnergyTotal, health.StatValue, "")
	d.series("calories_data.calorie_samples", v.CalorieSamples.Raw(), []string{"calories"}, nil, column{metric: health.MetricEnergyTotal})
}

// device adds what is told of the device; the source gets its name.
func (d *draft) device(v *DeviceData) {
	d.Source.Device = sourceName(v.Name, v.SerialNumber, v.Manufacturer)
	d.text(health.TextDeviceModel, v.Name)
	d.text(health.TextDeviceManufacturer, v.Manufacturer)
	d.text(health.TextDeviceSerial, v.SerialNumber)
	d.text(health.TextDeviceHardware, v.HardwareVersion)
	d.text(health.TextDeviceSoftware, v.SoftwareVersion)
	d.text(health.TextDeviceFeatures, joined(v.DataProvided))
	d.text(health.TextDeviceLastSync, string(v.LastUploadDate))
	d.text(health.TextDeviceFirstUse, string(v.ActivationTimestamp))
	d.text("device_sensor_state", v.SensorState)
	var others []string
	for _, o := range v.OtherDevices {
		var facts []string
		for _, fact := range []string{
			o.Manufacturer, o.Name, o.SerialNumber, o.HardwareVersion, o.SoftwareVersion, joined(o.DataProvided),
			string(o.LastUploadDate), string(o.ActivationTimestamp),
		} {
			if fact != "" {
				facts = append(facts, fact)
			}
		}
		if len(facts) > 0 {
			others = append(others, strings.Join(facts, ", "))
		}
	}
	d.text(health.TextDeviceOther, strings.Join(others, "; "))
}

// sourceName returns the first of the names that is one.
func sourceName(names ...string) string {
	for _, name := range names {
		if name = strings.TrimSpace(name); name != "" {
			return name
		}
	}
	return ""
}

func joined[T ~string](list []T) string {
	var b strings.Builder
	for i, v := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(v))
	}
	return b.String()
}

func (d *draft) distances(v *DistanceDataDetailed) {
	const path = "distance_data.detailed."
	d.series(path+"distance_samples", v.DistanceSamples.Raw(), []string{"distance_meters"}, nil, column{metric: health.MetricDistance, total: true})
	d.series(path+"elevation_samples", v.ElevationSamples.Raw(), []string{"elev_meters"}, nil, column{metric: health.MetricAltitude})
	d.series(path+"floors_climbed_samples", v.FloorsClimbedSamples.Raw(), []string{"floors_climbed"}, nil, column{metric: health.MetricFloorsClimbed, total: true})
	d.series(path+"step_samples", v.StepSamples.Raw(), []string{"steps"}, nil, column{metric: health.MetricSteps, total: true})
}

func (d *draft) elevation(v *ElevationData) {
	d.value(v.AvgMeters, health.MetricAltitude, health.StatMean, "")
	d.value(v.MinMeters, health.MetricAltitude, health.StatMin, "")
	d.value(v.MaxMeters, health.MetricAltitude, health.StatMax, "")
	d.value(v.GainActualMeters, health.MetricElevationGain, health.StatValue, "")
	d.value(v.GainPlannedMeters, health.MetricElevationGain, health.StatGoal, "")
	d.value(v.LossActualMeters, health.MetricElevationLoss, health.StatValue, "")
}

func (d *draft) swimming(v *SwimmingData) {
	d.value(v.NumLaps, health.MetricSwimLaps, health.StatValue, "")
	d.value(v.NumStrokes, health.MetricSwimStrokes, health.StatValue, "")
	d.value(v.PoolLengthMeters, health.MetricPoolLength, health.StatValue, "")
}

// heartRate maps heart rate data that is at the given path.
func (d *draft) heartRate(path string, v *HeartRateData) {
	sum := &v.Summary
	d.value(sum.AvgHRBPM, health.MetricHeartRate, health.StatMean, "")
	d.value(sum.MinHRBPM, health.MetricHeartRate, health.StatMin, "")
	d.value(sum.MaxHRBPM, health.MetricHeartRate, health.StatMax, "")
	d.value(sum.AvgHRVRMSSD, health.MetricHRVRMSSD, health.StatMean, "")
	d.value(sum.AvgHRVSDNN, health.MetricHRVSDNN, health.StatMean, "")
	d.value(sum.RestingHRBPM, health.MetricHeartRateResting, health.StatValue, "")
	d.value(sum.UserMaxHRBPM, health.MetricHeartRateMaximum, health.StatValue, "")
	for i := range sum.HRZoneData {
		d.heartRateZone(&sum.HRZoneData[i])
	}
	d.heartRates(path+".detailed.hr_samples", v.Detailed.HRSamples.Raw())
	d.series(path+".detailed.hrv_samples_rmssd", v.Detailed.HRVSamplesRMSSD.Raw(), []string{"hrv_rmssd"}, nil, column{metric: health.MetricHRVRMSSD})
	d.series(path+".detailed.hrv_samples_sdnn", v.Detailed.HRVSamplesSDNN.Raw(), []string{"hrv_sdnn"}, nil, column{metric: health.MetricHRVSDNN})
}

func (d *draft) heartRateZone(z *HeartRateZoneData) {
	part := health.PartZoneOther
	if n, ok := z.Zone.Int(); ok && n >= 0 && n <= 5 {
		part = health.HeartRateZone(int(n))
	}
	d.value(z.StartPercentage, health.MetricHeartRatePercentOfMaximum, health.StatMin, part)
	d.value(z.EndPercentage, health.MetricHeartRatePercentOfMaximum, health.StatMax, part)
	d.value(z.DurationSeconds, health.MetricHeartRateZoneDuration, health.StatValue, part)
	switch {
	case z.Name != "":
		d.segment(health.Segment{Track: health.TrackZone, Label: string(part), Code: z.Name})
	case part == health.PartZoneOther && z.Zone.IsSet():
		d.segment(health.Segment{Track: health.TrackZone, Label: string(part), Code: z.Zone.String()})
	}
}

// heartRates maps the heart rates, and what the body did meanwhile.
func (d *draft) heartRates(path string, raw []byte) {
	names := []string{"bpm", "context"}
	before, c := len(d.Segments), contexts{d: d}
	d.series(path, raw, names, func(w *walk) string {
		if !w.numbers[1].IsSet() && c.open.Start.IsZero() {
			c.seen(w.at)
			return ""
		}
		if w.at.IsZero() || !d.plausible(w.milli) {
			return reasonTime
		}
		c.take(w.at, w.numbers[1])
		return ""
	}, column{metric: health.MetricHeartRate})
	c.flush(c.last)
	if !c.unordered || len(d.Segments) == before {
		return
	}
	// What is not in the order of time is brought into it, all of it.
	d.Segments, c = d.Segments[:before], contexts{d: d}
	var list []Point
	for w := (walk{raw: raw, names: names, read: d.clock}); w.next(); {
		if w.bad == "" && !w.at.IsZero() && d.plausible(w.milli) {
			list = append(list, Point{At: w.at, Number: w.numbers[1]})
		}
	}
	slices.SortStableFunc(list, func(a, b Point) int { return cmp.Compare(a.At.SortMilli(), b.At.SortMilli()) })
	for _, p := range list {
		c.take(p.At, p.Number)
	}
	c.flush(c.last)
}

// contexts makes segments of what the body did at each sample.
type contexts struct {
	d         *draft
	open      health.Segment
	last      health.Moment
	unordered bool
}

func (c *contexts) take(at health.Moment, context Number) {
	known := labels{HeartRateContextActive: health.LevelActive, HeartRateContextNotActive: health.LevelRest}
	code, _ := context.Int()
	name := ""
	if code != int64(HeartRateContextNotSet) {
		name = context.String()
	}
	if name != c.open.Code {
		c.flush(at)
		if name != "" {
			c.open = health.Segment{Track: health.TrackContext, Label: known.label(code), Code: name, Start: at}
		}
	}
	c.seen(at)
}

func (c *contexts) seen(at health.Moment) {
	c.unordered = c.unordered || at.SortMilli() < c.last.SortMilli()
	c.last = at
}

func (c *contexts) flush(end health.Moment) {
	if !c.open.Start.IsZero() {
		c.open.End = end
		c.d.segment(c.open)
		c.open = health.Segment{}
	}
}

func (d *draft) mets(v *METData) {
	d.value(v.AvgLevel, health.MetricMET, health.StatMean, "")
	d.times(v.NumHighIntensityMinutes, sixty, health.MetricMETDuration, health.StatValue, health.PartVigorous)
	d.times(v.NumModerateIntensityMinutes, sixty, health.MetricMETDuration, health.StatValue, health.PartModerate)
	d.times(v.NumLowIntensityMinutes, sixty, health.MetricMETDuration, health.StatValue, health.PartLight)
	d.times(v.NumInactiveMinutes, sixty, health.MetricMETDuration, health.StatValue, health.PartSedentary)
	d.series("MET_data.MET_samples", v.METSamples.Raw(), []string{"level"}, nil, column{metric: health.MetricMET})
}

func (d *draft) oxygen(v *OxygenData) {
	d.value(v.AvgSaturationPercentage, health.MetricSpO2, health.StatMean, "")
	d.value(v.VO2MaxMlPerMinPerKg, health.MetricVO2Max, health.StatValue, "")
	d.value(v.DayAvgVO2MaxMlPerMinPerKg, health.MetricVO2Max, health.StatMean, "")
	d.saturations("oxygen_data.saturation_samples", v.SaturationSamples.Raw())
	d.series("oxygen_data.vo2_samples", v.VO2Samples.Raw(), []string{"vo2max_ml_per_min_per_kg"}, nil, column{metric: health.MetricVO2Max})
}

func (d *draft) saturations(path string, raw []byte) {
	d.series(path, raw, []string{"percentage", "type"}, func(w *walk) string {
		where, told := w.numbers[1].Int()
		w.numbers[1] = Number{}
		switch {
		case !told, where == int64(OxygenBlood):
		case where == int64(OxygenMuscle):
			w.numbers[0], w.numbers[1] = Number{}, w.numbers[0]
		case w.numbers[0].IsSet():
			return reasonCode
		}
		return ""
	}, column{metric: health.MetricSpO2}, column{metric: health.MetricMuscleOxygenSaturation})
}

func (d *draft) strain(v *StrainData) {
	d.value(v.StrainLevel, health.MetricStrain, health.StatValue, "")
}

// upload says how a workout or a day came to the provider; false if it is to be
// removed.
func (d *draft) upload(v *UploadType) bool {
	if v == nil {
		return true
	}
	switch *v {
	case UploadDelete:
		return false
	case UploadAutomatic:
		d.Method = health.MethodSensed
	case UploadManual:
		d.Method = health.MethodSelfReported
	}
	d.text("terra_upload_type", number(v))
	return true
}
