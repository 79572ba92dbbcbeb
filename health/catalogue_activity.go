package health

// Movement of a day or a workout: counts, distances, energy, durations by intensity.
const (
	MetricSteps                    Metric = "steps"
	MetricDistance                 Metric = "distance"
	MetricFloorsClimbed            Metric = "floors_climbed"
	MetricElevationGain            Metric = "elevation_gain"
	MetricElevationLoss            Metric = "elevation_loss"
	MetricAltitude                 Metric = "altitude"
	MetricLatitude                 Metric = "latitude"
	MetricLongitude                Metric = "longitude"
	MetricEnergyTotal              Metric = "energy_total"
	MetricEnergyActive             Metric = "energy_active"
	MetricEnergyBasal              Metric = "energy_basal"
	MetricEnergyMarginal           Metric = "energy_marginal"
	MetricEnergyTotalUnestimated   Metric = "energy_total_unestimated"
	MetricEnergyEstimationMean     Metric = "energy_estimation_mean"
	MetricExerciseEnergy           Metric = "exercise_energy"
	MetricWork                     Metric = "work"
	MetricMET                      Metric = "met"
	MetricMETCumulative            Metric = "met_cumulative"
	MetricMETDuration              Metric = "met_duration"
	MetricActiveDuration           Metric = "active_duration"
	MetricActiveZoneMinutes        Metric = "active_zone_minutes"
	MetricSedentaryDuration        Metric = "sedentary_duration"
	MetricSedentaryPeriods         Metric = "sedentary_periods"
	MetricRestDuration             Metric = "rest_duration"
	MetricStandingDuration         Metric = "standing_duration"
	MetricStandingHours            Metric = "standing_hours"
	MetricExerciseDuration         Metric = "exercise_duration"
	MetricPauseDuration            Metric = "pause_duration"
	MetricExerciseIntensity        Metric = "exercise_intensity"
	MetricSpeed                    Metric = "speed"
	MetricSpeedNormalized          Metric = "speed_normalized"
	MetricSpeedAdjusted            Metric = "speed_adjusted"
	MetricSpeedThreshold           Metric = "speed_threshold"
	MetricSpeedPercentOfThreshold  Metric = "speed_percent_of_threshold"
	MetricVelocity                 Metric = "velocity"
	MetricPace                     Metric = "pace"
	MetricCadence                  Metric = "cadence"
	MetricStrideLength             Metric = "stride_length"
	MetricGroundContactTime        Metric = "ground_contact_time"
	MetricVerticalOscillation      Metric = "vertical_oscillation"
	MetricVerticalRatio            Metric = "vertical_ratio"
	MetricSwimLaps                 Metric = "swim_laps"
	MetricSwimStrokes              Metric = "swim_strokes"
	MetricPoolLength               Metric = "pool_length"
	MetricTorque                   Metric = "torque"
	MetricPower                    Metric = "power"
	MetricPowerNormalized          Metric = "power_normalized"
	MetricFunctionalThresholdPower Metric = "functional_threshold_power"
	MetricPowerPercentOfThreshold  Metric = "power_percent_of_threshold"
	MetricTrainingStressScore      Metric = "training_stress_score"
	MetricIntensityFactor          Metric = "intensity_factor"
	MetricRepetitions              Metric = "repetitions"
	MetricExerciseLoad             Metric = "exercise_load"
	MetricGrade                    Metric = "grade"
	MetricResistance               Metric = "resistance"
	MetricCompletionTarget         Metric = "completion_target"
	MetricIntensityTarget          Metric = "intensity_target"
	MetricCheatFlag                Metric = "cheat_flag"
)

var activityMetrics = [...]Definition{
	{MetricSteps, "{steps}", "55423-8", additive, 0, 500000, "Steps taken; providers that send running totals are to be turned into differences."},
	{MetricDistance, "m", "55430-3", additive, 0, 2000000, "Distance covered; providers that send running totals are to be turned into differences."},
	{MetricFloorsClimbed, "{floors}", "100304-5", additive, 0, 10000, "Floors climbed, about three metres each."},
	{MetricElevationGain, "m", "", additive, -1000000, 1000000, "Metres climbed; a provider that nets descents may report a negative number."},
	{MetricElevationLoss, "m", "", additive, 0, 1000000, "Metres descended, as a positive number."},
	{MetricAltitude, "m", "", reading, -500, 20000, "Height above sea level."},
	{MetricLatitude, "deg", "", reading, -90, 90, "Geographic latitude in degrees north, WGS 84."},
	{MetricLongitude, "deg", "", reading, -180, 180, "Geographic longitude in degrees east, WGS 84."},
	{MetricEnergyTotal, "kcal", "41981-2", additive, 0, 50000, "Energy spent, basal rate included."},
	{MetricEnergyActive, "kcal", "", additive, 0, 50000, "Energy spent by activity, as far as the provider sets it apart from the basal rate."},
	{MetricEnergyBasal, "kcal", "", additive, 0, 10000, "Energy spent by the basal metabolism."},
	{MetricEnergyMarginal, "kcal", "", additive, 0, 50000, "Energy of recorded activities beyond what the same time at rest would have taken."},
	{MetricEnergyTotalUnestimated, "kcal", "", additive, 0, 50000, "Energy spent without the provider's estimate for time without data."},
	{MetricEnergyEstimationMean, "kcal", "", reading, 0, 50000, "Mean of the provider's model for the energy of a day."},
	{MetricExerciseEnergy, "kJ", "", additive, 0, 200000, "Energy of a workout where the provider states kilojoules and not whether they were spent or done as work; kept in kilojoules, apart from energy_total."},
	{MetricWork, "kJ", "", additive, 0, 200000, "Mechanical work done, in kilojoules."},
	{MetricMET, "[MET]", "", reading, 0, 30, "Metabolic equivalent of task: energy rate relative to rest."},
	{MetricMETCumulative, "[MET].min", "", additive, 0, 50000, "Metabolic equivalents summed over the minutes of a workout."},
	{MetricMETDuration, "s", "", additive, 0, 2678400, "Time in the intensity class the part names, as classed by metabolic equivalents."},
	{MetricActiveDuration, "s", "", additive, 0, 2678400, "Time of activity: all of it, or that of the intensity the part names (light, moderate, vigorous)."},
	{MetricActiveZoneMinutes, "min", "", additive, 0, 10000, "Minutes in elevated heart rate zones weighted by zone, a score in minutes and not a duration; the part may name the zone."},
	{MetricSedentaryDuration, "s", "", additive, 0, 2678400, "Time awake without notable movement."},
	{MetricSedentaryPeriods, "{count}", "", additive, 0, 10000, "Number of continuous periods without notable movement."},
	{MetricRestDuration, "s", "", additive, 0, 2678400, "Time at rest, or the rest between the sets of a workout."},
	{MetricStandingDuration, "s", "", additive, 0, 2678400, "Time spent standing."},
	{MetricStandingHours, "{hours}", "", additive, 0, 24, "Hours of a day in which the person stood up at least once."},
	{MetricExerciseDuration, "s", "55411-3", additive, 0, 2678400, "Time of a workout without its pauses."},
	{MetricPauseDuration, "s", "", additive, 0, 2678400, "Time of the pauses of a workout, or of those the part names."},
	{MetricExerciseIntensity, "{score}", "", reading, 0, 100, "Provider's rating of a workout's intensity, 0 to 100."},
	{MetricSpeed, "m/s", "", reading, 0, 400, "Speed along the path; kilometres per hour are to be divided by 3.6."},
	{MetricSpeedNormalized, "m/s", "", reading, 0, 400, "Speed on level ground that would have taken the same effort."},
	{MetricSpeedAdjusted, "m/s", "", reading, 0, 400, "Speed corrected by the provider for outliers or grade."},
	{MetricSpeedThreshold, "m/s", "", reading, 0, 50, "Speed at the lactate threshold."},
	{MetricSpeedPercentOfThreshold, "%", "", reading, 0, 500, "Speed relative to the person's threshold speed."},
	{MetricVelocity, "m/s", "", reading, 0, 400, "Velocity where a provider reports it apart from speed."},
	{MetricPace, "s/km", "", reading, 1, 100000, "Time per distance; minutes per kilometre are to be multiplied by 60, seconds per metre by 1000."},
	{MetricCadence, "/min", "", reading, 0, 500, "Steps, strokes or revolutions per minute, whichever the sport counts."},
	{MetricStrideLength, "m", "", reading, 0.05, 10, "Length of a stride, walking or running as the part names."},
	{MetricGroundContactTime, "ms", "", reading, 10, 2000, "Time a foot is on the ground per step."},
	{MetricVerticalOscillation, "mm", "", reading, 0, 1000, "Up and down movement of the trunk per step."},
	{MetricVerticalRatio, "%", "", reading, 0, 100, "Vertical oscillation relative to stride length."},
	{MetricSwimLaps, "{laps}", "", additive, 0, 10000, "Lengths of the pool swum, which some providers call laps."},
	{MetricSwimStrokes, "{strokes}", "", additive, 0, 200000, "Swimming strokes."},
	{MetricPoolLength, "m", "", reading, 1, 1000, "Length of the pool."},
	{MetricTorque, "N.m", "", reading, -1000, 1000, "Torque at the crank."},
	{MetricPower, "W", "", reading, 0, 5000, "Mechanical power."},
	{MetricPowerNormalized, "W", "", reading, 0, 5000, "Steady power that would have cost as much as the varying one."},
	{MetricFunctionalThresholdPower, "W", "", reading, 10, 1000, "Highest power the person can hold for about an hour."},
	{MetricPowerPercentOfThreshold, "%", "", reading, 0, 1000, "Power relative to the functional threshold power."},
	{MetricTrainingStressScore, "{score}", "", additive, 0, 2000, "Training load, where 100 is one hour at threshold."},
	{MetricIntensityFactor, "1", "", reading, 0, 5, "Normalized power relative to threshold power."},
	{MetricRepetitions, "{count}", "", additive, 0, 100000, "Repetitions of an exercise."},
	{MetricExerciseLoad, "kg", "", reading, 0, 1000, "Weight moved in an exercise; pounds are to be multiplied by 0.45359237."},
	{MetricGrade, "%", "", reading, -100, 100, "Slope as rise over run."},
	{MetricResistance, "{level}", "", reading, 0, 0, "Resistance level of a machine."},
	{MetricCompletionTarget, "{step_unit}", "", reading, 0, 0, "Threshold that ends a planned step whose kind the provider does not tell, in the provider's unit."},
	{MetricIntensityTarget, "{step_unit}", "", reading, 0, 0, "Target of a planned step whose kind the provider does not tell, in the provider's unit."},
	{MetricCheatFlag, "{flag}", "", reading, 0, 0, "Provider's mark of a workout that is not credible, 0 for none."},
}
