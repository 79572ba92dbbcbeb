package terra

import (
	"github.com/vitalmux/vitalmux/health"
)

// activity maps a workout.
func (d *draft) activity(v *Activity) string {
	meta := &v.Metadata
	if reason := d.ofSession(health.KindActivity, meta.SummaryID, meta.TimestampLocalization, meta.StartTime, meta.EndTime); reason != "" {
		return reason
	}
	d.device(&v.DeviceData)
	if !d.upload(meta.UploadType) {
		d.erase()
		return ""
	}
	d.text(health.TextTitle, meta.Name)
	d.text(health.TextCity, meta.City)
	d.text(health.TextState, meta.State)
	d.text(health.TextCountry, meta.Country)
	if meta.Type != nil {
		d.text(health.TextSport, string(sportOf(*meta.Type)))
		d.text(health.TextSportCode, number(meta.Type))
	}
	d.text(health.TextPolyline, v.PolylineMapData.SummaryPolyline)
	d.value(v.CheatDetection, health.MetricCheatFlag, health.StatValue, "")

	d.activeDurations(&v.ActiveDurationsData)
	d.calories(&v.CaloriesData)
	d.enrichment(&v.DataEnrichment)
	sum := &v.DistanceData.Summary
	d.value(sum.DistanceMeters, health.MetricDistance, health.StatValue, "")
	d.value(sum.FloorsClimbed, health.MetricFloorsClimbed, health.StatValue, "")
	d.value(sum.Steps, health.MetricSteps, health.StatValue, "")
	d.elevation(&sum.Elevation)
	d.swimming(&sum.Swimming)
	d.distances(&v.DistanceData.Detailed)
	d.value(v.EnergyData.EnergyKilojoules, health.MetricExerciseEnergy, health.StatValue, "")
	d.value(v.EnergyData.EnergyPlannedKilojoules, health.MetricExerciseEnergy, health.StatGoal, "")
	d.value(v.WorkData.WorkKilojoules, health.MetricWork, health.StatValue, "")
	d.heartRate("heart_rate_data", &v.HeartRateData)
	for i := range v.LapData.Laps {
		d.lap(&v.LapData.Laps[i])
	}
	d.mets(&v.METData)
	d.movement(&v.MovementData)
	d.oxygen(&v.OxygenData)
	d.position(&v.PositionData)
	d.value(v.PowerData.AvgWatts, health.MetricPower, health.StatMean, "")
	d.value(v.PowerData.MaxWatts, health.MetricPower, health.StatMax, "")
	d.series("power_data.power_samples", v.PowerData.PowerSamples.Raw(), []string{"watts"}, nil, column{metric: health.MetricPower})
	d.strain(&v.StrainData)
	d.trainingStress(v.TSSData.TSSSamples)
	return ""
}

func (d *draft) enrichment(v *DataEnrichment) {
	d.sticky(v.EfficiencyScore, v.EfficiencyContributors, health.MetricTerraEfficiencyScore)
	d.sticky(v.StrainScore, v.StrainContributors, health.MetricTerraStrainScore)
	d.sticky(v.RCRSScore, v.RCRSContributors, health.MetricTerraRCRSScore)
	d.sticky(v.TRIMPScore, v.TRIMPContributors, health.MetricTerraTRIMPScore)
	d.sticky(v.StressScore, v.StressContributors, health.MetricTerraStressScore)
}

// lap adds a lap, and for swimming the same time with its stroke.
func (d *draft) lap(v *LapSample) {
	s := health.Segment{
		Track: health.TrackLap, Label: slug(string(v.TriggerMethod)), Code: string(v.TriggerMethod),
		Start: d.stamped("lap_data.laps.start_time", v.StartTime), End: d.stamped("lap_data.laps.end_time", v.EndTime),
	}
	var vs values
	d.put(&vs, v.Calories, health.MetricEnergyTotal, health.StatValue, "")
	d.put(&vs, v.AvgHRBPM, health.MetricHeartRate, health.StatMean, "")
	d.put(&vs, v.AvgSpeedMetersPerSecond, health.MetricSpeed, health.StatMean, "")
	d.put(&vs, v.DistanceMeters, health.MetricDistance, health.StatValue, "")
	d.put(&vs, v.TotalStrokes, health.MetricSwimStrokes, health.StatValue, "")
	d.put(&vs, v.AvgWatts, health.MetricPower, health.StatMean, "")
	d.put(&vs, v.ActiveDurationSeconds, health.MetricExerciseDuration, health.StatValue, "")
	s.Values = vs
	d.segment(s)
	if v.StrokeType != "" {
		s.Track, s.Label, s.Code, s.Values = health.TrackSwimLength, strokeOf(v.StrokeType), v.StrokeType, nil
		d.segment(s)
	}
}

// strokeOf returns the name of a swimming stroke; empty if it is not known.
func strokeOf(text string) string {
	switch name := slug(text); name {
	case health.StrokeFreestyle, health.StrokeBackstroke, health.StrokeBreaststroke, health.StrokeButterfly,
		health.StrokeMixed, health.StrokeMedley, health.StrokeDrill, health.StrokeOther:
		return name
	case "im":
		return health.StrokeMedley
	}
	return ""
}

func (d *draft) movement(v *MovementData) {
	d.value(v.AvgSpeedMetersPerSecond, health.MetricSpeed, health.StatMean, "")
	d.value(v.MaxSpeedMetersPerSecond, health.MetricSpeed, health.StatMax, "")
	d.value(v.AdjustedMaxSpeedMetersPerSecond, health.MetricSpeedAdjusted, health.StatMax, "")
	d.value(v.NormalizedSpeedMetersPerSecond, health.MetricSpeedNormalized, health.StatValue, "")
	d.value(v.AvgVelocityMetersPerSecond, health.MetricVelocity, health.StatMean, "")
	d.value(v.MaxVelocityMetersPerSecond, health.MetricVelocity, health.StatMax, "")
	d.times(v.AvgPaceMinutesPerKilometer, sixty, health.MetricPace, health.StatMean, "")
	// The fastest pace is the smallest number.
	d.times(v.MaxPaceMinutesPerKilometer, sixty, health.MetricPace, health.StatMin, "")
	d.value(v.AvgCadenceRPM, health.MetricCadence, health.StatMean, "")
	d.value(v.MaxCadenceRPM, health.MetricCadence, health.StatMax, "")
	d.value(v.AvgTorqueNewtonMeters, health.MetricTorque, health.StatMean, "")
	d.value(v.MaxTorqueNewtonMeters, health.MetricTorque, health.StatMax, "")
	d.series("movement_data.cadence_samples", v.CadenceSamples.Raw(), []string{"cadence_rpm"}, nil, column{metric: health.MetricCadence})
	d.series("movement_data.speed_samples", v.SpeedSamples.Raw(), []string{"speed_meters_per_second"}, nil, column{metric: health.MetricSpeed})
	d.series("movement_data.torque_samples", v.TorqueSamples.Raw(), []string{"torque_newton_meters"}, nil, column{metric: health.MetricTorque})
}

func (d *draft) position(v *PositionData) {
	place := func(name string, list []Number, stat health.Stat, part health.Part) {
		switch len(list) {
		case 0:
		case 2:
			d.value(list[0], health.MetricLatitude, stat, part)
			d.value(list[1], health.MetricLongitude, stat, part)
		default:
			d.fault("position_data."+name, reasonType, locate(d.raw, "position_data."+name))
		}
	}
	place("start_pos_lat_lng_deg", v.StartPosLatLngDeg, health.StatStart, "")
	place("end_pos_lat_lng_deg", v.EndPosLatLngDeg, health.StatEnd, "")
	place("center_pos_lat_lng_deg", v.CenterPosLatLngDeg, health.StatValue, health.PartCenter)
	w := walk{raw: v.PositionSamples.Raw(), names: []string{"coords_lat_lng_deg"}, pair: true, read: d.clock}
	d.walk("position_data.position_samples", &w, nil, []column{{metric: health.MetricLatitude}, {metric: health.MetricLongitude}})
}

// trainingStress adds training stress scores, which have no time. Where there
// are several, their methods tell them apart.
func (d *draft) trainingStress(list []TSSSample) {
	for i := range list {
		v := &list[i]
		part := health.Part("")
		if len(list) > 1 {
			if part = health.Part(slug(v.Method)); part == "" {
				part = "no_method"
			}
		} else {
			d.text(health.TextIntensityMethod, v.Method)
		}
		d.value(v.Actual, health.MetricTrainingStressScore, health.StatValue, part)
		d.value(v.Planned, health.MetricTrainingStressScore, health.StatGoal, part)
		d.value(v.IntensityFactorActual, health.MetricIntensityFactor, health.StatValue, part)
		d.value(v.IntensityFactorPlanned, health.MetricIntensityFactor, health.StatGoal, part)
		d.value(v.NormalizedPowerWatts, health.MetricPowerNormalized, health.StatValue, part)
	}
}
