package terra

// WorkoutTemplate is a workout that can be planned for people: POST /workouts.
type WorkoutTemplate struct {
	Name                     string          `json:"name"`
	Description              string          `json:"description,omitzero"`
	Sport                    WorkoutSport    `json:"sport,omitzero"`
	Environment              EnvironmentType `json:"environment,omitzero"`
	PoolLengthMeters         Number          `json:"pool_length_meters,omitzero"`
	StepBlocks               []StepBlock     `json:"step_blocks,omitzero"`
	EstimatedDurationSeconds Number          `json:"estimated_duration_seconds,omitzero"`
	EstimatedDistanceMeters  Number          `json:"estimated_distance_meters,omitzero"`
	EstimatedCalories        Number          `json:"estimated_calories,omitzero"`
	WorkoutID                string          `json:"workout_id,omitzero"`
}

// StepBlock is a group of steps that is repeated until its condition is met.
type StepBlock struct {
	CompletionCondition CompletionCondition `json:"completion_condition,omitzero"`
	Steps               []WorkoutStep       `json:"steps,omitzero"`
}

// CompletionCondition says when a step or a block ends.
type CompletionCondition struct {
	Type      CompletionConditionType `json:"type,omitzero"`
	Value     Number                  `json:"value,omitzero"`
	ValueLow  Number                  `json:"value_low,omitzero"`
	ValueHigh Number                  `json:"value_high,omitzero"`
}

// WorkoutStep is one step of a block.
type WorkoutStep struct {
	CompletionCondition CompletionCondition  `json:"completion_condition,omitzero"`
	IntensityTargets    []IntensityTarget    `json:"intensity_targets,omitzero"`
	IntensityType       WorkoutStepIntensity `json:"intensity_type,omitzero"`
	Notes               string               `json:"notes,omitzero"`
	Controls            []StepControl        `json:"controls,omitzero"`
	Strength            StrengthData         `json:"strength,omitzero"`
	Swimming            SwimStepData         `json:"swimming,omitzero"`
}

// IntensityTarget says how hard a step is.
type IntensityTarget struct {
	TargetType WorkoutStepTargetType `json:"target_type,omitzero"`
	Value      Number                `json:"value,omitzero"`
	ValueLow   Number                `json:"value_low,omitzero"`
	ValueHigh  Number                `json:"value_high,omitzero"`
}

// StepControl sets the machine for a step.
type StepControl struct {
	Type  StepControlType `json:"type,omitzero"`
	Value Number          `json:"value,omitzero"`
}

// StrengthData describes an exercise with weights.
type StrengthData struct {
	ExerciseName      string     `json:"exercise_name,omitzero"`
	Weight            Number     `json:"weight,omitzero"`
	WeightDisplayUnit WeightUnit `json:"weight_display_unit,omitzero"`
	ExerciseCategory  string     `json:"exercise_category,omitzero"`
}

// SwimStepData describes swimming.
type SwimStepData struct {
	StrokeType SwimStrokeType      `json:"stroke_type,omitzero"`
	DrillType  DrillType           `json:"drill_type,omitzero"`
	Equipment  []SwimEquipmentType `json:"equipment,omitzero"`
}
