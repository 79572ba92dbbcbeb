package terra

// PlannedWorkout is a planned workout as the surface of 2026 returns it. Its key is
// PlannedWorkoutID.
type PlannedWorkout struct {
	PlannedWorkoutID  string                `json:"planned_workout_id,omitzero"`
	WorkoutID         string                `json:"workout_id,omitzero"`
	PlannedDate       Timestamp             `json:"planned_date,omitzero"`
	ProviderWorkoutID string                `json:"provider_workout_id,omitzero"`
	CoercionWarnings  string                `json:"coercion_warnings,omitzero"`
	CreatedAt         Timestamp             `json:"created_at,omitzero"`
	LastUpdatedAt     Timestamp             `json:"last_updated_at,omitzero"`
	IsExternal        *bool                 `json:"is_external,omitzero"`
	AthleteMetrics    AthleteMetrics        `json:"athlete_metrics,omitzero"`
	Details           PlannedWorkoutDetails `json:"details,omitzero"`
}

// AthleteMetrics are the thresholds that relative targets refer to.
type AthleteMetrics struct {
	ThresholdHeartRate Number `json:"threshold_heart_rate,omitzero"`
	MaxHeartRate       Number `json:"max_heart_rate,omitzero"`
	ThresholdSpeed     Number `json:"threshold_speed,omitzero"`
	FTP                Number `json:"ftp,omitzero"`
	PoolLengthMeters   Number `json:"pool_length_meters,omitzero"`
}

// PlannedWorkoutDetails is the content of a planned workout.
type PlannedWorkoutDetails struct {
	Metadata PlannedWorkoutDetailsMetadata `json:"metadata,omitzero"`
	Steps    []PlannedWorkoutDetailsStep   `json:"steps,omitzero"`
}

// PlannedWorkoutDetailsMetadata describes a planned workout. Type is an [ActivityType], or its name
// in upper case in older models.
type PlannedWorkoutDetailsMetadata struct {
	ID                               string    `json:"id,omitzero"`
	Provider                         string    `json:"provider,omitzero"`
	Name                             string    `json:"name,omitzero"`
	Description                      string    `json:"description,omitzero"`
	Type                             Code      `json:"type,omitzero"`
	PlannedDate                      Timestamp `json:"planned_date,omitzero"`
	CreatedDate                      Timestamp `json:"created_date,omitzero"`
	EstimatedTSS                     Number    `json:"estimated_tss,omitzero" also:"estimated_tscore"`
	EstimatedIF                      Number    `json:"estimated_if,omitzero"`
	EstimatedDurationSeconds         Number    `json:"estimated_duration_seconds,omitzero"`
	EstimatedDistanceMeters          Number    `json:"estimated_distance_meters,omitzero"`
	EstimatedCalories                Number    `json:"estimated_calories,omitzero"`
	EstimatedElevationGainMeters     Number    `json:"estimated_elevation_gain_meters,omitzero"`
	EstimatedEnergyKJ                Number    `json:"estimated_energy_kj,omitzero"`
	EstimatedSpeedMetersPerSecond    Number    `json:"estimated_speed_meters_per_second,omitzero"`
	PoolLengthMeters                 Number    `json:"pool_length_meters,omitzero"`
	EstimatedPaceMinutesPerKilometer Number    `json:"estimated_pace_minutes_per_kilometer,omitzero"` // older models only
}

// PlannedWorkoutDetailsStep is a step, or a repetition of Steps. The misspelled
// names are those of the surface that can be written.
type PlannedWorkoutDetailsStep struct {
	Order            Number                              `json:"order,omitzero"`
	Name             string                              `json:"name,omitzero"`
	Description      string                              `json:"description,omitzero"`
	Intensity        *PlannedStepIntensity               `json:"intensity,omitzero"`
	Type             *PlannedStepType                    `json:"type,omitzero"`
	Durations        []PlannedWorkoutDetailsStepDuration `json:"durations,omitzero"`
	Targets          []PlannedWorkoutDetailsStepTarget   `json:"targets,omitzero"`
	StrokeType       *PlannedStrokeType                  `json:"stroke_type,omitzero"`
	EquipmentType    []PlannedEquipmentType              `json:"equipement_type,omitzero" also:"equipment_type"`
	ExerciseName     string                              `json:"exercice_name,omitzero" also:"exercise_name"`
	ExerciseCategory *ExerciseCategory                   `json:"exercice_category,omitzero" also:"exercise_category"`
	WeightKg         Number                              `json:"weight_kg,omitzero"`
	Steps            []PlannedWorkoutDetailsStep         `json:"steps,omitzero"`
}

// PlannedWorkoutDetailsStepDuration says how long a step lasts.
type PlannedWorkoutDetailsStepDuration struct {
	DurationType    *PlannedDurationType `json:"duration_type,omitzero"`
	Seconds         Number               `json:"seconds,omitzero"`
	DistanceMeters  Number               `json:"distance_meters,omitzero"`
	HRBelowBPM      Number               `json:"hr_below_bpm,omitzero"`
	HRAboveBPM      Number               `json:"hr_above_bpm,omitzero"`
	Calories        Number               `json:"calories,omitzero"`
	PowerBelowWatts Number               `json:"power_below_watts,omitzero"`
	PowerAboveWatts Number               `json:"power_above_watts,omitzero"`
	Reps            Number               `json:"reps,omitzero"`
	RestSeconds     Number               `json:"rest_seconds,omitzero"`
	Steps           Number               `json:"steps,omitzero"`
}

// PlannedWorkoutDetailsStepTarget says how hard a step is.
type PlannedWorkoutDetailsStepTarget struct {
	TargetType               *PlannedTargetType `json:"target_type,omitzero"`
	HRBPMHigh                Number             `json:"hr_bpm_high,omitzero"`
	HRBPMLow                 Number             `json:"hr_bpm_low,omitzero"`
	Cadence                  Number             `json:"cadence,omitzero"`
	CadenceHigh              Number             `json:"cadence_high,omitzero"`
	CadenceLow               Number             `json:"cadence_low,omitzero"`
	PowerWatt                Number             `json:"power_watt,omitzero"`
	PowerWattHigh            Number             `json:"power_watt_high,omitzero"`
	PowerWattLow             Number             `json:"power_watt_low,omitzero"`
	SwimStrokes              Number             `json:"swim_strokes,omitzero"`
	HRPercentage             Number             `json:"hr_percentage,omitzero"`
	HRPercentageHigh         Number             `json:"hr_percentage_high,omitzero"`
	HRPercentageLow          Number             `json:"hr_percentage_low,omitzero"`
	SpeedPercentage          Number             `json:"speed_percentage,omitzero"`
	SpeedPercentageHigh      Number             `json:"speed_percentage_high,omitzero"`
	SpeedPercentageLow       Number             `json:"speed_percentage_low,omitzero"`
	PowerPercentage          Number             `json:"power_percentage,omitzero"`
	PowerPercentageHigh      Number             `json:"power_percentage_high,omitzero"`
	PowerPercentageLow       Number             `json:"power_percentage_low,omitzero"`
	Repetitions              Number             `json:"repetitions,omitzero"`
	SpeedMetersPerSecond     Number             `json:"speed_meters_per_second,omitzero"`
	SpeedMetersPerSecondLow  Number             `json:"speed_meters_per_second_low,omitzero"`
	SpeedMetersPerSecondHigh Number             `json:"speed_meters_per_second_high,omitzero"`
}

// LegacyPlannedWorkout is a planned workout of the older surface, GET and POST
// /plannedWorkout. Its key is Metadata.ID.
type LegacyPlannedWorkout struct {
	Metadata PlannedWorkoutDetailsMetadata `json:"metadata,omitzero"`
	Steps    []PlannedWorkoutDetailsStep   `json:"steps,omitzero"`
}
