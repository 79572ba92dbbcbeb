package terra

import (
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// plannedWorkout maps a planned workout of the surface of 2026 or of the older
// one, which have no member in common.
func (d *draft) plannedWorkout(v *PlannedWorkout) string {
	details, id := &v.Details, v.PlannedWorkoutID
	if d.failed("planned_workout_id") {
		return reasonNoID
	}
	if id == "" {
		var old LegacyPlannedWorkout
		s := jsonscan.New(d.raw)
		in := decoder{s: &s}
		if in.into(&old); in.twice {
			return reasonTwice
		}
		if in.lists > maxLists {
			return reasonFlooded
		}
		if old.Metadata.ID == "" {
			return reasonNoID
		}
		d.faults = append(d.faults, in.faults...)
		details, id = &PlannedWorkoutDetails{Metadata: old.Metadata, Steps: old.Steps}, old.Metadata.ID
	}
	d.begin(health.KindPlannedWorkout, keyPart(id))
	meta := &details.Metadata
	when := v.PlannedDate
	if when == "" {
		when = meta.PlannedDate
	}
	if when != "" {
		day, err := when.Day()
		if err != nil {
			return reasonDay
		}
		d.Span.Day = day
		if at, flags, ok := d.moment(when); ok {
			d.Span.Start, d.Span.Flags, d.Span.Zone = at, flags, zoneOf(at)
		} else {
			d.Span.Zone = health.ZoneFloating
		}
	}
	if when != meta.PlannedDate {
		d.text("plan_date", string(meta.PlannedDate))
	}
	d.text(health.TextWorkoutID, v.WorkoutID)
	d.text("provider_workout_id", v.ProviderWorkoutID)
	d.text("coercion_warnings", v.CoercionWarnings)
	d.truth("is_external", v.IsExternal)
	d.text("created_at", string(v.CreatedAt))
	d.text("last_updated_at", string(v.LastUpdatedAt))
	a := &v.AthleteMetrics
	d.value(a.ThresholdHeartRate, health.MetricHeartRateThreshold, health.StatValue, "")
	d.value(a.MaxHeartRate, health.MetricHeartRateMaximum, health.StatValue, "")
	d.value(a.ThresholdSpeed, health.MetricSpeedThreshold, health.StatValue, "")
	d.value(a.FTP, health.MetricFunctionalThresholdPower, health.StatValue, "")
	d.value(a.PoolLengthMeters, health.MetricPoolLength, health.StatValue, "")
	d.plan(meta, id)
	var gear, exercises, categories []string
	d.steps(details.Steps, func(v *PlannedWorkoutDetailsStep) {
		for i := range v.EquipmentType {
			gear = appendNew(gear, word(plannedEquipmentTypeNames[:], &v.EquipmentType[i]))
		}
		exercises = appendNew(exercises, v.ExerciseName)
		categories = appendNew(categories, word(exerciseCategoryNames[:], v.ExerciseCategory))
	})
	d.text(health.TextEquipment, strings.Join(gear, ","))
	d.text(health.TextExercise, strings.Join(exercises, ","))
	d.text(health.TextExerciseCategory, strings.Join(categories, ","))
	return ""
}

func appendNew(list []string, text string) []string {
	if text == "" {
		return list
	}
	for _, known := range list {
		if known == text {
			return list
		}
	}
	return append(list, text)
}

// plan adds what is planned as a whole.
func (d *draft) plan(v *PlannedWorkoutDetailsMetadata, id string) {
	d.text(health.TextTitle, v.Name)
	d.text(health.TextDescription, v.Description)
	d.text(health.TextPlanSource, v.Provider)
	d.text("plan_created_date", string(v.CreatedDate))
	if v.ID != id {
		d.text("plan_id", v.ID)
	}
	if n, ok := v.Type.Number.Int(); ok {
		d.text(health.TextSport, string(sportOf(ActivityType(n))))
	} else if v.Type.Text != "" {
		d.text(health.TextSport, string(sportCalled(v.Type.Text)))
	}
	if v.Type.Text != "" || v.Type.Number.IsSet() {
		d.text(health.TextSportCode, v.Type.String())
	}
	d.value(v.EstimatedTSS, health.MetricTrainingStressScore, health.StatGoal, "")
	d.value(v.EstimatedIF, health.MetricIntensityFactor, health.StatGoal, "")
	d.value(v.EstimatedDurationSeconds, health.MetricExerciseDuration, health.StatGoal, "")
	d.value(v.EstimatedDistanceMeters, health.MetricDistance, health.StatGoal, "")
	d.value(v.EstimatedCalories, health.MetricEnergyTotal, health.StatGoal, "")
	d.value(v.EstimatedElevationGainMeters, health.MetricElevationGain, health.StatGoal, "")
	d.value(v.EstimatedEnergyKJ, health.MetricExerciseEnergy, health.StatGoal, "")
	d.value(v.EstimatedSpeedMetersPerSecond, health.MetricSpeed, health.StatGoal, "")
	d.times(v.EstimatedPaceMinutesPerKilometer, sixty, health.MetricPace, health.StatGoal, "")
	d.value(v.PoolLengthMeters, health.MetricPoolLength, health.StatValue, "")
}

// stepLabels are the labels of [PlannedStepIntensity].
var stepLabels = labels{
	PlannedIntensityRest: health.StepRest, PlannedIntensityWarmup: health.StepWarmup, PlannedIntensityCooldown: health.StepCooldown,
	PlannedIntensityRecovery: health.StepRecovery, PlannedIntensityInterval: health.StepInterval, PlannedIntensityActive: health.StepActive,
}

// steps adds the steps in their order, those of a repetition behind it.
func (d *draft) steps(list []PlannedWorkoutDetailsStep, each func(*PlannedWorkoutDetailsStep)) {
	for i := range list {
		v := &list[i]
		s := health.Segment{Track: health.TrackStep}
		if v.Intensity != nil {
			s.Label = stepLabels.label(int64(*v.Intensity))
		}
		if v.Type != nil && *v.Type == PlannedStepRepeat {
			s.Label = health.StepRepeat
		}
		s.Code = stepCode(v, s.Label)
		var vs values
		d.put(&vs, v.WeightKg, health.MetricExerciseLoad, health.StatGoal, "")
		for j := range v.Durations {
			d.duration(&vs, &v.Durations[j])
		}
		for j := range v.Targets {
			d.target(&vs, &v.Targets[j])
		}
		s.Values = vs
		d.segment(s)
		each(v)
		d.steps(v.Steps, each)
	}
}

// stepCode puts what the provider says of a step in words into one text. Numbers
// of enums are in it where the label does not tell them.
func stepCode(v *PlannedWorkoutDetailsStep, label string) string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, strings.TrimSpace(name+" "+value))
		}
	}
	add("", v.Name)
	add("", v.Description)
	add("order", v.Order.String())
	if label == "" || v.Intensity != nil && label != stepLabels.label(int64(*v.Intensity)) {
		add("intensity", number(v.Intensity))
	}
	if v.Type != nil && *v.Type != PlannedStepSingle && *v.Type != PlannedStepRepeat {
		add("type", number(v.Type))
	}
	add("stroke", word(plannedStrokeTypeNames[:], v.StrokeType))
	add("exercise", v.ExerciseName)
	for i := range v.EquipmentType {
		add("equipment", word(plannedEquipmentTypeNames[:], &v.EquipmentType[i]))
	}
	add("category", word(exerciseCategoryNames[:], v.ExerciseCategory))
	for i := range v.Durations {
		add("until", unknownWord(plannedDurationTypeNames[:], v.Durations[i].DurationType))
	}
	for i := range v.Targets {
		add("target", unknownWord(plannedTargetTypeNames[:], v.Targets[i].TargetType))
	}
	return strings.Join(parts, "; ")
}

// unknownWord is the number of an enum that has no name.
func unknownWord[T ~int](names []string, v *T) string {
	if v == nil || *v >= 0 && int(*v) < len(names) && names[*v] != "" {
		return ""
	}
	return number(v)
}

func (d *draft) duration(vs *values, v *PlannedWorkoutDetailsStepDuration) {
	goal := func(n Number, m health.Metric, part health.Part) { d.put(vs, n, m, health.StatGoal, part) }
	goal(v.Seconds, health.MetricExerciseDuration, health.PartUntil)
	goal(v.DistanceMeters, health.MetricDistance, health.PartUntil)
	goal(v.HRBelowBPM, health.MetricHeartRate, health.PartUntilBelow)
	goal(v.HRAboveBPM, health.MetricHeartRate, health.PartUntilAbove)
	goal(v.Calories, health.MetricEnergyTotal, health.PartUntil)
	goal(v.PowerBelowWatts, health.MetricPower, health.PartUntilBelow)
	goal(v.PowerAboveWatts, health.MetricPower, health.PartUntilAbove)
	goal(v.Reps, health.MetricRepetitions, health.PartUntil)
	goal(v.RestSeconds, health.MetricRestDuration, health.PartUntil)
	goal(v.Steps, health.MetricSteps, health.PartUntil)
}

func (d *draft) target(vs *values, v *PlannedWorkoutDetailsStepTarget) {
	goal := func(n Number, m health.Metric, part health.Part) { d.put(vs, n, m, health.StatGoal, part) }
	heart := health.MetricHeartRatePercentOfMaximum
	if v.TargetType != nil && *v.TargetType == PlannedTargetHRThresholdPercentage {
		heart = health.MetricHeartRatePercentOfThreshold
	}
	goal(v.HRBPMLow, health.MetricHeartRate, health.PartTargetLow)
	goal(v.HRBPMHigh, health.MetricHeartRate, health.PartTargetHigh)
	goal(v.Cadence, health.MetricCadence, "")
	goal(v.CadenceLow, health.MetricCadence, health.PartTargetLow)
	goal(v.CadenceHigh, health.MetricCadence, health.PartTargetHigh)
	goal(v.PowerWatt, health.MetricPower, "")
	goal(v.PowerWattLow, health.MetricPower, health.PartTargetLow)
	goal(v.PowerWattHigh, health.MetricPower, health.PartTargetHigh)
	goal(v.SwimStrokes, health.MetricSwimStrokes, "")
	goal(v.HRPercentage, heart, "")
	goal(v.HRPercentageLow, heart, health.PartTargetLow)
	goal(v.HRPercentageHigh, heart, health.PartTargetHigh)
	goal(v.SpeedPercentage, health.MetricSpeedPercentOfThreshold, "")
	goal(v.SpeedPercentageLow, health.MetricSpeedPercentOfThreshold, health.PartTargetLow)
	goal(v.SpeedPercentageHigh, health.MetricSpeedPercentOfThreshold, health.PartTargetHigh)
	goal(v.PowerPercentage, health.MetricPowerPercentOfThreshold, "")
	goal(v.PowerPercentageLow, health.MetricPowerPercentOfThreshold, health.PartTargetLow)
	goal(v.PowerPercentageHigh, health.MetricPowerPercentOfThreshold, health.PartTargetHigh)
	goal(v.Repetitions, health.MetricRepetitions, "")
	goal(v.SpeedMetersPerSecond, health.MetricSpeed, "")
	goal(v.SpeedMetersPerSecondLow, health.MetricSpeed, health.PartTargetLow)
	goal(v.SpeedMetersPerSecondHigh, health.MetricSpeed, health.PartTargetHigh)
}
