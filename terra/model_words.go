package terra

// The enums of Terra's data model that are texts. A text that is not listed
// here is kept as it came.

// DeviceDataType is a kind of data that a device provides.
type DeviceDataType string

// The values of [DeviceDataType].
const (
	DeviceDataSteps            DeviceDataType = "STEPS"
	DeviceDataActiveMinutes    DeviceDataType = "ACTIVE_MINUTES"
	DeviceDataBMR              DeviceDataType = "BMR"
	DeviceDataCalories         DeviceDataType = "CALORIES"
	DeviceDataDistance         DeviceDataType = "DISTANCE"
	DeviceDataHeartRate        DeviceDataType = "HEART_RATE"
	DeviceDataOxygenSaturation DeviceDataType = "OXYGEN_SATURATION"
	DeviceDataSleepType        DeviceDataType = "SLEEP_TYPE"
	DeviceDataSpeed            DeviceDataType = "SPEED"
	DeviceDataCadence          DeviceDataType = "CADENCE"
)

// WorkoutSport is the sport of a [WorkoutTemplate].
type WorkoutSport string

// The values of [WorkoutSport].
const (
	SportRunning           WorkoutSport = "running"
	SportCycling           WorkoutSport = "cycling"
	SportSwimming          WorkoutSport = "swimming"
	SportStrength          WorkoutSport = "strength"
	SportRowing            WorkoutSport = "rowing"
	SportYoga              WorkoutSport = "yoga"
	SportPilates           WorkoutSport = "pilates"
	SportCardio            WorkoutSport = "cardio"
	SportTrailRunning      WorkoutSport = "trail_running"
	SportMountainBiking    WorkoutSport = "mountain_biking"
	SportBackcountrySkiing WorkoutSport = "backcountry_skiing"
	SportHiking            WorkoutSport = "hiking"
	SportWalking           WorkoutSport = "walking"
	SportElliptical        WorkoutSport = "elliptical"
	SportStairClimbing     WorkoutSport = "stair_climbing"
)

// EnvironmentType is where a workout takes place.
type EnvironmentType string

// The values of [EnvironmentType].
const (
	EnvironmentIndoor  EnvironmentType = "indoor"
	EnvironmentOutdoor EnvironmentType = "outdoor"
	EnvironmentPool    EnvironmentType = "pool"
)

// CompletionConditionType says by what a step or a block ends.
type CompletionConditionType string

// The values of [CompletionConditionType].
const (
	CompletionTime            CompletionConditionType = "time"
	CompletionDistance        CompletionConditionType = "distance"
	CompletionHR              CompletionConditionType = "hr"
	CompletionCalories        CompletionConditionType = "calories"
	CompletionOpen            CompletionConditionType = "open"
	CompletionPower           CompletionConditionType = "power"
	CompletionReps            CompletionConditionType = "reps"
	CompletionHRPercentage    CompletionConditionType = "hr_percentage"
	CompletionPowerPercentage CompletionConditionType = "power_percentage"
	CompletionHRLessThan      CompletionConditionType = "hr_less_than"
	CompletionHRGreaterThan   CompletionConditionType = "hr_greater_than"
)

// WorkoutStepIntensity is how hard a step is.
type WorkoutStepIntensity string

// The values of [WorkoutStepIntensity].
const (
	IntensityRest     WorkoutStepIntensity = "rest"
	IntensityWarmup   WorkoutStepIntensity = "warmup"
	IntensityCooldown WorkoutStepIntensity = "cooldown"
	IntensityRecovery WorkoutStepIntensity = "recovery"
	IntensityActive   WorkoutStepIntensity = "active"
)

// WorkoutStepTargetType says what a step aims at.
type WorkoutStepTargetType string

// The values of [WorkoutStepTargetType].
const (
	TargetSpeed                        WorkoutStepTargetType = "speed"
	TargetHeartRate                    WorkoutStepTargetType = "heart_rate"
	TargetOpen                         WorkoutStepTargetType = "open"
	TargetCadence                      WorkoutStepTargetType = "cadence"
	TargetPower                        WorkoutStepTargetType = "power"
	TargetSwimStroke                   WorkoutStepTargetType = "swim_stroke"
	TargetSpeedLap                     WorkoutStepTargetType = "speed_lap"
	TargetHeartRateLap                 WorkoutStepTargetType = "heart_rate_lap"
	TargetPace                         WorkoutStepTargetType = "pace"
	TargetHeartRateThresholdPercentage WorkoutStepTargetType = "heart_rate_threshold_percentage"
	TargetHeartRateMaxPercentage       WorkoutStepTargetType = "heart_rate_max_percentage"
)

// StepControlType is what a step sets on a machine.
type StepControlType string

// The values of [StepControlType].
const (
	ControlGrade      StepControlType = "grade"
	ControlResistance StepControlType = "resistance"
)

// WeightUnit is a unit of weight.
type WeightUnit string

// The values of [WeightUnit].
const (
	WeightKg  WeightUnit = "kg"
	WeightLbs WeightUnit = "lbs"
)

// SwimStrokeType is a swimming stroke.
type SwimStrokeType string

// The values of [SwimStrokeType].
const (
	StrokeBackstroke   SwimStrokeType = "backstroke"
	StrokeBreaststroke SwimStrokeType = "breaststroke"
	StrokeDrill        SwimStrokeType = "drill"
	StrokeButterfly    SwimStrokeType = "butterfly"
	StrokeFreestyle    SwimStrokeType = "freestyle"
	StrokeMixed        SwimStrokeType = "mixed"
	StrokeIM           SwimStrokeType = "im"
)

// DrillType is a swimming drill.
type DrillType string

// The values of [DrillType].
const (
	DrillKick  DrillType = "kick"
	DrillPull  DrillType = "pull"
	DrillDrill DrillType = "drill"
)

// SwimEquipmentType is swimming equipment.
type SwimEquipmentType string

// The values of [SwimEquipmentType].
const (
	EquipmentNone          SwimEquipmentType = "none"
	EquipmentSwimFins      SwimEquipmentType = "swim_fins"
	EquipmentSwimKickboard SwimEquipmentType = "swim_kickboard"
	EquipmentSwimPaddles   SwimEquipmentType = "swim_paddles"
	EquipmentSwimPullBuoy  SwimEquipmentType = "swim_pull_buoy"
	EquipmentSwimSnorkel   SwimEquipmentType = "swim_snorkel"
)

// LapTrigger says what ended a lap.
type LapTrigger string

// The values of [LapTrigger].
const (
	TriggerManual           LapTrigger = "MANUAL"
	TriggerTime             LapTrigger = "TIME"
	TriggerDistance         LapTrigger = "DISTANCE"
	TriggerPositionStart    LapTrigger = "POSITION_START"
	TriggerPositionLap      LapTrigger = "POSITION_LAP"
	TriggerPositionWaypoint LapTrigger = "POSITION_WAYPOINT"
	TriggerPositionMarked   LapTrigger = "POSITION_MARKED"
	TriggerSessionEnd       LapTrigger = "SESSION_END"
	TriggerFitnessEquipment LapTrigger = "FITNESS_EQUIPMENT"
	TriggerUnspecified      LapTrigger = "UNSPECIFIED"
)
