package health

// This file holds the words that records of all providers share: what the
// tracks of segments, their labels, the parts of metrics and the names of
// texts are called. They are recommendations with one meaning each, not a
// closed set: a store or a reader must accept any other word, and an adapter
// keeps the provider's own code beside the label.

// The tracks of segments: what a [Segment] labels.
const (
	TrackStage         = "stage"          // sleep stages; labels are the Stage constants
	TrackShortAwake    = "short_awake"    // short awakenings that overlap the stages
	TrackLap           = "lap"            // laps and splits of a workout; labels are what triggered them
	TrackStep          = "step"           // steps of a planned workout; labels are the Step constants
	TrackZone          = "zone"           // heart rate zones; labels are the zone parts, such as "zone_2"
	TrackLevel         = "level"          // activity levels; labels are the Level constants
	TrackContext       = "context"        // what the body did while a reading was taken; labels are the Level constants
	TrackEvent         = "event"          // start, stop, pause and other moments of a session; labels are the Event constants
	TrackMeal          = "meal"           // meals; labels are the Meal constants
	TrackDrink         = "drink"          // drinks
	TrackPhase         = "phase"          // phases of the menstrual cycle; labels are the Phase constants
	TrackFlow          = "flow"           // amount of bleeding; labels are the Flow constants
	TrackFertileWindow = "fertile_window" // the days on which conception is likely
	TrackRhythm        = "rhythm"         // heart rhythm classes; labels are the Rhythm constants
	TrackTag           = "tag"            // what the person tagged
	TrackMood          = "mood"           // moods
	TrackSymptom       = "symptom"        // symptoms
	TrackSwimLength    = "swim_length"    // single lengths of a pool; labels are the Stroke constants
)

// Tracks returns the tracks in the order of their constants.
func Tracks() []string {
	return []string{
		TrackStage, TrackShortAwake, TrackLap, TrackStep, TrackZone, TrackLevel, TrackContext, TrackEvent, TrackMeal,
		TrackDrink, TrackPhase, TrackFlow, TrackFertileWindow, TrackRhythm, TrackTag, TrackMood, TrackSymptom,
		TrackSwimLength,
	}
}

// The sleep stages, labels of [TrackStage].
const (
	StageAwake    = "awake"
	StageLight    = "light"
	StageDeep     = "deep"
	StageREM      = "rem"
	StageAsleep   = "asleep"     // asleep, the stage is not told
	StageRestless = "restless"   // restless sleep of trackers without stages
	StageInBed    = "in_bed"     // in bed, asleep or not is not told
	StageOutOfBed = "out_of_bed" // left the bed within the session
	StageManual   = "manual"     // a period of sleep typed in by the person
	StageUnknown  = "unknown"    // the provider says that it does not know
)

// Stages returns the sleep stages in the order of their constants.
func Stages() []string {
	return []string{
		StageAwake, StageLight, StageDeep, StageREM, StageAsleep, StageRestless, StageInBed, StageOutOfBed, StageManual,
		StageUnknown,
	}
}

// The activity levels, labels of [TrackLevel] and [TrackContext].
const (
	LevelRest      = "rest"
	LevelSedentary = "sedentary" // awake without notable movement; some providers say inactive
	LevelLight     = "light"
	LevelModerate  = "moderate"
	LevelVigorous  = "vigorous"
	LevelActive    = "active" // moving, how much is not told
	LevelUnknown   = "unknown"
)

// Levels returns the activity levels in the order of their constants.
func Levels() []string {
	return []string{LevelRest, LevelSedentary, LevelLight, LevelModerate, LevelVigorous, LevelActive, LevelUnknown}
}

// The kinds of steps of a planned workout, labels of [TrackStep].
const (
	StepWarmup   = "warmup"
	StepActive   = "active"
	StepInterval = "interval"
	StepRecovery = "recovery"
	StepRest     = "rest"
	StepCooldown = "cooldown"
	StepRepeat   = "repeat" // a block whose steps are repeated
)

// Steps returns the kinds of steps in the order of their constants.
func Steps() []string {
	return []string{StepWarmup, StepActive, StepInterval, StepRecovery, StepRest, StepCooldown, StepRepeat}
}

// The moments of a session, labels of [TrackEvent].
const (
	EventStart      = "start"
	EventStop       = "stop"
	EventPause      = "pause"
	EventResume     = "resume"
	EventAutoPause  = "auto_pause"
	EventAutoResume = "auto_resume"
	EventInBed      = "in_bed"
	EventAsleep     = "asleep"
	EventAwake      = "awake"
	EventOutOfBed   = "out_of_bed"
)

// Events returns the moments of a session in the order of their constants.
func Events() []string {
	return []string{
		EventStart, EventStop, EventPause, EventResume, EventAutoPause, EventAutoResume, EventInBed, EventAsleep,
		EventAwake, EventOutOfBed,
	}
}

// The types of meals, labels of [TrackMeal].
const (
	MealBeforeBreakfast = "before_breakfast"
	MealBreakfast       = "breakfast"
	MealMorningSnack    = "morning_snack"
	MealBeforeLunch     = "before_lunch"
	MealLunch           = "lunch"
	MealAfternoonSnack  = "afternoon_snack"
	MealBeforeDinner    = "before_dinner"
	MealDinner          = "dinner"
	MealAfterDinner     = "after_dinner" // also called evening snack
	MealSnack           = "snack"        // a snack at a time that is not told
	MealAnytime         = "anytime"
	MealUnknown         = "unknown"
)

// Meals returns the types of meals in the order of their constants.
func Meals() []string {
	return []string{
		MealBeforeBreakfast, MealBreakfast, MealMorningSnack, MealBeforeLunch, MealLunch, MealAfternoonSnack,
		MealBeforeDinner, MealDinner, MealAfterDinner, MealSnack, MealAnytime, MealUnknown,
	}
}

// The phases of the menstrual cycle and of pregnancy, labels of [TrackPhase].
const (
	PhasePeriod          = "period"
	PhaseFollicular      = "follicular"
	PhaseFertile         = "fertile"
	PhaseOvulation       = "ovulation"
	PhaseLuteal          = "luteal"
	PhasePMS             = "pms"
	PhaseFirstTrimester  = "first_trimester"
	PhaseSecondTrimester = "second_trimester"
	PhaseThirdTrimester  = "third_trimester"
	PhaseUnknown         = "unknown"
)

// Phases returns the phases in the order of their constants.
func Phases() []string {
	return []string{
		PhasePeriod, PhaseFollicular, PhaseFertile, PhaseOvulation, PhaseLuteal, PhasePMS, PhaseFirstTrimester,
		PhaseSecondTrimester, PhaseThirdTrimester, PhaseUnknown,
	}
}

// The amounts of bleeding, labels of [TrackFlow].
const (
	FlowNone    = "none"
	FlowLight   = "light"
	FlowMedium  = "medium"
	FlowHeavy   = "heavy"
	FlowSome    = "some" // bleeding of an amount that is not told
	FlowUnknown = "unknown"
)

// Flows returns the amounts of bleeding in the order of their constants.
func Flows() []string {
	return []string{FlowNone, FlowLight, FlowMedium, FlowHeavy, FlowSome, FlowUnknown}
}

// The results of rhythm analyses, values of [TextAFibResult] and labels of
// [TrackRhythm]. The provider's code tells more where it does, such as the
// reason of an inconclusive result.
const (
	RhythmNegative     = "negative" // no sign of atrial fibrillation
	RhythmPositive     = "positive" // signs of atrial fibrillation
	RhythmInconclusive = "inconclusive"
	RhythmUnreadable   = "unreadable" // noise or no signal
	RhythmNotAnalyzed  = "not_analyzed"
	RhythmOther        = "other" // another rhythm
	RhythmLowRate      = "low_heart_rate"
	RhythmHighRate     = "high_heart_rate"
)

// Rhythms returns the results of rhythm analyses in the order of their
// constants.
func Rhythms() []string {
	return []string{
		RhythmNegative, RhythmPositive, RhythmInconclusive, RhythmUnreadable, RhythmNotAnalyzed, RhythmOther,
		RhythmLowRate, RhythmHighRate,
	}
}

// The swimming strokes, labels of [TrackSwimLength] and values of
// [TextSwimStroke].
const (
	StrokeFreestyle    = "freestyle"
	StrokeBackstroke   = "backstroke"
	StrokeBreaststroke = "breaststroke"
	StrokeButterfly    = "butterfly"
	StrokeMixed        = "mixed"
	StrokeMedley       = "medley" // individual medley
	StrokeDrill        = "drill"
	StrokeOther        = "other"
)

// Strokes returns the swimming strokes in the order of their constants.
func Strokes() []string {
	return []string{
		StrokeFreestyle, StrokeBackstroke, StrokeBreaststroke, StrokeButterfly, StrokeMixed, StrokeMedley, StrokeDrill,
		StrokeOther,
	}
}

// The names of texts: see [Text].
const (
	TextSport                 = "sport"       // a [Sport]
	TextSportCode             = "sport_code"  // the provider's code of the sport
	TextTitle                 = "title"       // the name of a workout, a food or a plan
	TextDescription           = "description" // a longer text about the record
	TextNotes                 = "notes"       // what the person wrote
	TextTimezone              = "timezone"    // IANA name of the person's zone
	TextSleepType             = "sleep_type"  // "nap" or "main"
	TextSleepStatus           = "sleep_status"
	TextDeviceModel           = "device_model"
	TextDeviceModelID         = "device_model_id"
	TextDeviceType            = "device_type"
	TextDeviceManufacturer    = "device_manufacturer"
	TextDeviceSerial          = "device_serial"
	TextDeviceHardware        = "device_hardware_version"
	TextDeviceSoftware        = "device_software_version"
	TextDeviceFeatures        = "device_features" // comma separated
	TextDeviceOther           = "device_other"    // further devices of the record
	TextDeviceLastSync        = "device_last_sync"
	TextDeviceFirstUse        = "device_first_use"
	TextBattery               = "battery"            // state of charge in words: "high", "medium", "low"
	TextAFibResult            = "afib_result"        // a Rhythm constant, from an electrocardiogram
	TextAFibResultPPG         = "afib_result_ppg"    // a Rhythm constant, from an optical sensor
	TextAFibCode              = "afib_result_code"   // the provider's code behind the result
	TextVHDResult             = "vhd_result"         // valvular heart disease, by stethoscope
	TextECGSignalID           = "ecg_signal_id"      // the provider's id of the signal
	TextWearPosition          = "wear_position"      // where the device was worn
	TextMeasurementSite       = "measurement_site"   // where on the body it was measured
	TextMeasurementTiming     = "measurement_timing" // relation to meals and sleep
	TextMeasurementSource     = "measurement_source" // method or instrument class
	TextSpecimen              = "specimen"           // blood, plasma, interstitial fluid, ...
	TextCoreTemperatureStatus = "core_body_temperature_status"
	TextFitnessLevel          = "fitness_level"
	TextStressRating          = "stress_rating"
	TextStrainTrafficLight    = "strain_traffic_light"
	TextInsulinType           = "insulin_type"
	TextUrineColor            = "urine_color"
	TextVisceralFatCategory   = "visceral_fat_category"
	TextMealType              = "meal_type" // a Meal constant
	TextFoodUnit              = "food_unit"
	TextFoodBrand             = "food_brand"
	TextCyclePhase            = "cycle_phase"        // a Phase constant, the current phase
	TextPeriodStart           = "period_start"       // civil day
	TextOvulationDay          = "ovulation_day"      // civil day
	TextOvulationTest         = "ovulation_test"     // result of a test
	TextCyclePredicted        = "cycle_predicted"    // "true" when the cycle is a forecast
	TextObservationType       = "observation_type"   // what was observed
	TextObservationCode       = "observation_code"   // system|code
	TextObservationUnit       = "observation_unit"   // unit of [MetricObservationQuantity]
	TextObservationValue      = "observation_value"  // a value that is not a number
	TextObservationStatus     = "observation_status" // final, amended, entered in error
	TextObservationCategory   = "observation_category"
	TextSeverity              = "severity"
	TextSwimStroke            = "swim_stroke"       // a Stroke constant
	TextPolyline              = "polyline"          // encoded path
	TextIntensityMethod       = "intensity_method"  // how a training stress score was computed
	TextWorkoutID             = "workout_id"        // the provider's id of the workout behind a plan
	TextPlanSource            = "plan_source"       // who planned
	TextEquipment             = "equipment"         // comma separated
	TextExercise              = "exercise"          // name of a strength exercise
	TextExerciseCategory      = "exercise_category" // class of a strength exercise
	TextEnvironment           = "environment"       // "indoor", "outdoor", "pool"
	TextSex                   = "sex"               // "female", "male", or the provider's word
	TextGender                = "gender"
	TextBirthDate             = "birth_date" // civil day
	TextFirstName             = "first_name"
	TextLastName              = "last_name"
	TextEmail                 = "email"
	TextCity                  = "city"
	TextState                 = "state"
	TextCountry               = "country"
	TextBio                   = "bio"
	TextMemberSince           = "member_since"
	TextUpstreamUserID        = "upstream_user_id" // the person's id at the service that measured
	TextLocale                = "locale"
)

// TextNames returns the names of texts in the order of their constants.
func TextNames() []string {
	return []string{
		TextSport, TextSportCode, TextTitle, TextDescription, TextNotes, TextTimezone, TextSleepType, TextSleepStatus,
		TextDeviceModel, TextDeviceModelID, TextDeviceType, TextDeviceManufacturer, TextDeviceSerial,
		TextDeviceHardware, TextDeviceSoftware, TextDeviceFeatures, TextDeviceOther, TextDeviceLastSync,
		TextDeviceFirstUse, TextBattery, TextAFibResult, TextAFibResultPPG, TextAFibCode, TextVHDResult,
		TextECGSignalID, TextWearPosition, TextMeasurementSite, TextMeasurementTiming, TextMeasurementSource,
		TextSpecimen, TextCoreTemperatureStatus, TextFitnessLevel, TextStressRating, TextStrainTrafficLight,
		TextInsulinType, TextUrineColor, TextVisceralFatCategory, TextMealType, TextFoodUnit, TextFoodBrand,
		TextCyclePhase, TextPeriodStart, TextOvulationDay, TextOvulationTest, TextCyclePredicted, TextObservationType,
		TextObservationCode, TextObservationUnit, TextObservationValue, TextObservationStatus, TextObservationCategory,
		TextSeverity, TextSwimStroke, TextPolyline, TextIntensityMethod, TextWorkoutID, TextPlanSource, TextEquipment,
		TextExercise, TextExerciseCategory, TextEnvironment, TextSex, TextGender, TextBirthDate, TextFirstName,
		TextLastName, TextEmail, TextCity, TextState, TextCountry, TextBio, TextMemberSince, TextUpstreamUserID,
		TextLocale,
	}
}
