package googlehealth

import (
	"strings"

	"github.com/vitalmux/vitalmux/health"
)

// recordType is the sort of a data type, which decides how it is filtered
// (Google Health API, "Data types").
type recordType uint8

const (
	recordInterval recordType = iota
	recordSample
	recordDaily
	recordSession
	recordSleep // a session that is filtered by its end
	recordECG   // a session that takes a lower bound only
	recordNone  // rollups only
)

// operation is what a data type can be asked for.
type operation uint8

const (
	canList operation = 1 << iota
	canReconcile
	canRollUp
	canDailyRollUp
	// shortRange: rollups take 14 days at once, not 90.
	shortRange
	// hooked: the service notifies of it.
	hooked
	// noFamily: list takes no data source family.
	noFamily
	// zeros: a value of zero is left out of the points.
	zeros

	points   = canList | canReconcile
	rollups  = canRollUp | canDailyRollUp
	anything = points | rollups
)

// dataType is one type of data as the service names it.
type dataType struct {
	path   string // in addresses and notifications
	key    string // in JSON
	record recordType
	ops    operation
	scope  string
}

func (t *dataType) can(op operation) bool { return t.ops&op != 0 }

// filterName is the name of the type in filters.
func (t *dataType) filterName() string { return strings.ReplaceAll(t.path, "-", "_") }

// dataTypes are all data types that are read (discovery revision 20261030). The
// scopes of daily-heart-rate-zones, basal-energy-burned and
// time-in-heart-rate-zone are inferred. Two types are asked for as was measured,
// against the schema: floors are not listed, and activity levels not rolled up.
var dataTypes = [...]dataType{
	{"active-energy-burned", "activeEnergyBurned", recordInterval, anything, ScopeActivity},
	{"active-minutes", "activeMinutes", recordInterval, anything | shortRange, ScopeActivity},
	{"active-zone-minutes", "activeZoneMinutes", recordInterval, anything | hooked, ScopeActivity},
	{"activity-level", "activityLevel", recordInterval, points | hooked, ScopeActivity},
	{"altitude", "altitude", recordInterval, anything | hooked | zeros, ScopeActivity},
	{"basal-energy-burned", "basalEnergyBurned", recordInterval, points, ScopeActivity},
	{"blood-glucose", "bloodGlucose", recordSample, anything | hooked, ScopeMetrics},
	{"body-fat", "bodyFat", recordSample, anything | hooked, ScopeMetrics},
	{"calories-in-heart-rate-zone", "caloriesInHeartRateZone", recordNone, rollups | shortRange | hooked, ScopeActivity},
	{"core-body-temperature", "coreBodyTemperature", recordSample, anything, ScopeMetrics},
	{"daily-heart-rate-variability", "dailyHeartRateVariability", recordDaily, points | canDailyRollUp | hooked, ScopeMetrics},
	{"daily-heart-rate-zones", "dailyHeartRateZones", recordDaily, points | hooked, ScopeMetrics},
	{"daily-oxygen-saturation", "dailyOxygenSaturation", recordDaily, points | hooked, ScopeMetrics},
	{"daily-respiratory-rate", "dailyRespiratoryRate", recordDaily, points | hooked, ScopeMetrics},
	{"daily-resting-heart-rate", "dailyRestingHeartRate", recordDaily, points | canDailyRollUp | hooked, ScopeMetrics},
	{"daily-sleep-temperature-derivations", "dailySleepTemperatureDerivations", recordDaily, points | hooked, ScopeMetrics},
	{"daily-vo2-max", "dailyVo2Max", recordDaily, points, ScopeActivity},
	{"distance", "distance", recordInterval, anything | hooked | zeros, ScopeActivity},
	{"electrocardiogram", "electrocardiogram", recordECG, canList, ScopeECG},
	{"exercise", "exercise", recordSession, points | hooked, ScopeActivity},
	{"floors", "floors", recordInterval, canReconcile | rollups | hooked | zeros, ScopeActivity},
	{"heart-rate", "heartRate", recordSample, anything | shortRange | hooked, ScopeMetrics},
	{"heart-rate-variability", "heartRateVariability", recordSample, points | hooked, ScopeMetrics},
	{"height", "height", recordSample, points | hooked, ScopeMetrics},
	{"hydration-log", "hydrationLog", recordSession, anything | hooked, ScopeNutrition},
	{"irregular-rhythm-notification", "irregularRhythmNotification", recordSession, canList, ScopeIRN},
	{"menstrual-period", "menstrualPeriod", recordInterval, canList, ScopeReproductive},
	{"moods", "moods", recordSample, canList, ScopeMindfulness},
	{"nutrition-log", "nutritionLog", recordSession, anything | hooked, ScopeNutrition},
	{"ovulation-test", "ovulationTest", recordSample, canList, ScopeReproductive},
	{"oxygen-saturation", "oxygenSaturation", recordSample, points, ScopeMetrics},
	{"respiratory-rate-sleep-summary", "respiratoryRateSleepSummary", recordSample, points | hooked, ScopeMetrics},
	{"run-vo2-max", "runVo2Max", recordSample, anything | hooked, ScopeActivity},
	{"sedentary-period", "sedentaryPeriod", recordInterval, anything | hooked, ScopeActivity},
	{"sleep", "sleep", recordSleep, points | hooked | noFamily, ScopeSleep},
	{"steps", "steps", recordInterval, anything | hooked | zeros, ScopeActivity},
	{"swim-lengths-data", "swimLengthsData", recordInterval, anything, ScopeActivity},
	{"symptoms", "symptoms", recordSample, canList, ScopeSymptoms},
	{"time-in-heart-rate-zone", "timeInHeartRateZone", recordInterval, anything | hooked, ScopeActivity},
	{"total-calories", "totalCalories", recordNone, rollups | shortRange | hooked, ScopeActivity},
	{"vo2-max", "vo2Max", recordSample, points, ScopeActivity},
	{"weight", "weight", recordSample, anything | hooked, ScopeMetrics},
}

// typeOf returns the data type of a path; nil if there is none.
func typeOf(path string) *dataType {
	for i := range dataTypes {
		if dataTypes[i].path == path {
			return &dataTypes[i]
		}
	}
	return nil
}

// field is a number of a point or of a rollup.
type field struct {
	path   string // members, joined by dots
	metric health.Metric
	stat   health.Stat
	part   health.Part
	// shift and times turn the service's unit into the metric's: shift is a
	// power of ten, times a factor; 0 is 1.
	shift int
	times int64
	// seconds: the value is a duration.
	seconds bool
}

// The numbers of each type, of its points and of its rollups.
var (
	weightFields  = []field{{path: "weightGrams", metric: health.MetricBodyWeight, shift: -3}}
	heightFields  = []field{{path: "heightMillimeters", metric: health.MetricBodyHeight, shift: -3}}
	bodyFatFields = []field{{path: "percentage", metric: health.MetricBodyFatPercentage}}
	glucoseFields = []field{{path: "bloodGlucoseMilligramsPerDeciliter", metric: health.MetricBloodGlucose}}
	tempFields    = []field{{path: "temperatureCelsius", metric: health.MetricBodyTemperature}}
	vo2Fields     = []field{{path: "vo2Max", metric: health.MetricVO2Max}}
	runVO2Fields  = []field{{path: "runVo2Max", metric: health.MetricVO2Max}}

	breathFields = []field{
		{path: "fullSleepStats.breathsPerMinute", metric: health.MetricRespiratoryRate, stat: health.StatMean, part: health.PartAsleep},
		{path: "fullSleepStats.standardDeviation", metric: health.MetricRespiratoryRate, stat: health.StatStdDev, part: health.PartAsleep},
		{path: "fullSleepStats.signalToNoise", metric: health.MetricRespiratoryRateSignalToNoise, part: health.PartAsleep},
		{path: "deepSleepStats.breathsPerMinute", metric: health.MetricRespiratoryRate, stat: health.StatMean, part: health.PartDeep},
		{path: "deepSleepStats.standardDeviation", metric: health.MetricRespiratoryRate, stat: health.StatStdDev, part: health.PartDeep},
		{path: "deepSleepStats.signalToNoise", metric: health.MetricRespiratoryRateSignalToNoise, part: health.PartDeep},
		{path: "lightSleepStats.breathsPerMinute", metric: health.MetricRespiratoryRate, stat: health.StatMean, part: health.PartLight},
		{path: "lightSleepStats.standardDeviation", metric: health.MetricRespiratoryRate, stat: health.StatStdDev, part: health.PartLight},
		{path: "lightSleepStats.signalToNoise", metric: health.MetricRespiratoryRateSignalToNoise, part: health.PartLight},
		{path: "remSleepStats.breathsPerMinute", metric: health.MetricRespiratoryRate, stat: health.StatMean, part: health.PartREM},
		{path: "remSleepStats.standardDeviation", metric: health.MetricRespiratoryRate, stat: health.StatStdDev, part: health.PartREM},
		{path: "remSleepStats.signalToNoise", metric: health.MetricRespiratoryRateSignalToNoise, part: health.PartREM},
	}

	dailyHRVFields = []field{
		{path: "averageHeartRateVariabilityMilliseconds", metric: health.MetricHRVRMSSD, stat: health.StatMean},
		{
			path: "deepSleepRootMeanSquareOfSuccessiveDifferencesMilliseconds", metric: health.MetricHRVRMSSD, stat: health.StatMean,
			part: health.PartDeep,
		},
		{path: "entropy", metric: health.MetricHRVEntropy},
		{path: "nonRemHeartRateBeatsPerMinute", metric: health.MetricHeartRate, stat: health.StatMean, part: health.PartNonREM},
	}
	dailySpO2Fields = []field{
		{path: "averagePercentage", metric: health.MetricSpO2, stat: health.StatMean},
		{path: "lowerBoundPercentage", metric: health.MetricSpO2LowerBound},
		{path: "upperBoundPercentage", metric: health.MetricSpO2UpperBound},
		{path: "standardDeviationPercentage", metric: health.MetricSpO2, stat: health.StatStdDev},
	}
	dailyBreathFields  = []field{{path: "breathsPerMinute", metric: health.MetricRespiratoryRate, stat: health.StatMean}}
	dailyRestingFields = []field{{path: "beatsPerMinute", metric: health.MetricHeartRateResting}}
	dailyTempFields    = []field{
		{path: "nightlyTemperatureCelsius", metric: health.MetricSkinTemperature, stat: health.StatMean},
		{path: "baselineTemperatureCelsius", metric: health.MetricSkinTemperatureBaseline},
		{path: "relativeNightlyStddev30dCelsius", metric: health.MetricSkinTemperatureDeviation, stat: health.StatStdDev},
	}
	dailyVO2Fields = []field{
		{path: "vo2Max", metric: health.MetricVO2Max},
		{path: "vo2MaxCovariance", metric: health.MetricVO2MaxCovariance},
	}

	// Of rollups.
	energySum     = []field{{path: "kcalSum", metric: health.MetricEnergyActive}}
	totalSum      = []field{{path: "kcalSum", metric: health.MetricEnergyTotal}}
	stepsSum      = []field{{path: "countSum", metric: health.MetricSteps}}
	floorsSum     = []field{{path: "countSum", metric: health.MetricFloorsClimbed}}
	strokesSum    = []field{{path: "strokeCountSum", metric: health.MetricSwimStrokes}}
	distanceSum   = []field{{path: "millimetersSum", metric: health.MetricDistance, shift: -3}}
	altitudeSum   = []field{{path: "gainMillimetersSum", metric: health.MetricElevationGain, shift: -3}}
	sedentarySum  = []field{{path: "durationSum", metric: health.MetricSedentaryDuration, seconds: true}}
	zoneMinuteSum = []field{
		{path: "sumInFatBurnHeartZone", metric: health.MetricActiveZoneMinutes, part: health.PartZone1},
		{path: "sumInCardioHeartZone", metric: health.MetricActiveZoneMinutes, part: health.PartZone2},
		{path: "sumInPeakHeartZone", metric: health.MetricActiveZoneMinutes, part: health.PartZone3},
	}
	heartRateSum = []field{
		{path: "beatsPerMinuteAvg", metric: health.MetricHeartRate, stat: health.StatMean},
		{path: "beatsPerMinuteMin", metric: health.MetricHeartRate, stat: health.StatMin},
		{path: "beatsPerMinuteMax", metric: health.MetricHeartRate, stat: health.StatMax},
	}
	restingRange = []field{
		{path: "beatsPerMinuteMin", metric: health.MetricHeartRateRestingRange, stat: health.StatMin},
		{path: "beatsPerMinuteMax", metric: health.MetricHeartRateRestingRange, stat: health.StatMax},
	}
	hrvRange = []field{
		{path: "averageHeartRateVariabilityMillisecondsMin", metric: health.MetricHRVRMSSDRange, stat: health.StatMin},
		{path: "averageHeartRateVariabilityMillisecondsMax", metric: health.MetricHRVRMSSDRange, stat: health.StatMax},
	}
	weightAvg  = []field{{path: "weightGramsAvg", metric: health.MetricBodyWeight, stat: health.StatMean, shift: -3}}
	bodyFatAvg = []field{{path: "bodyFatPercentageAvg", metric: health.MetricBodyFatPercentage, stat: health.StatMean}}
	glucoseAvg = []field{{path: "bloodGlucoseMilligramsPerDeciliterAvg", metric: health.MetricBloodGlucose, stat: health.StatMean}}
	tempAvg    = []field{
		{path: "temperatureCelsiusAvg", metric: health.MetricBodyTemperature, stat: health.StatMean},
		{path: "temperatureCelsiusMin", metric: health.MetricBodyTemperature, stat: health.StatMin},
		{path: "temperatureCelsiusMax", metric: health.MetricBodyTemperature, stat: health.StatMax},
	}
	runVO2Avg = []field{
		{path: "rateAvg", metric: health.MetricVO2Max, stat: health.StatMean},
		{path: "rateMin", metric: health.MetricVO2Max, stat: health.StatMin},
		{path: "rateMax", metric: health.MetricVO2Max, stat: health.StatMax},
	}
	hydrationSum = []field{{path: "amountConsumed.millilitersSum", metric: health.MetricWaterIntake}}

	metricsFields = []field{
		{path: "caloriesKcal", metric: health.MetricEnergyTotal},
		{path: "distanceMillimeters", metric: health.MetricDistance, shift: -3},
		{path: "steps", metric: health.MetricSteps},
		{path: "averageHeartRateBeatsPerMinute", metric: health.MetricHeartRate, stat: health.StatMean},
		{path: "averagePaceSecondsPerMeter", metric: health.MetricPace, stat: health.StatMean, shift: 3},
		{path: "averageSpeedMillimetersPerSecond", metric: health.MetricSpeed, stat: health.StatMean, shift: -3},
		{path: "activeZoneMinutes", metric: health.MetricActiveZoneMinutes},
		{path: "elevationGainMillimeters", metric: health.MetricElevationGain, shift: -3},
		{path: "heartRateZoneDurations.lightTime", metric: health.MetricHeartRateZoneDuration, part: health.PartZone0, seconds: true},
		{path: "heartRateZoneDurations.moderateTime", metric: health.MetricHeartRateZoneDuration, part: health.PartZone1, seconds: true},
		{path: "heartRateZoneDurations.vigorousTime", metric: health.MetricHeartRateZoneDuration, part: health.PartZone2, seconds: true},
		{path: "heartRateZoneDurations.peakTime", metric: health.MetricHeartRateZoneDuration, part: health.PartZone3, seconds: true},
		{path: "runVo2Max", metric: health.MetricVO2Max},
		{path: "totalSwimLengths", metric: health.MetricSwimLaps},
		{path: "mobilityMetrics.avgCadenceStepsPerMinute", metric: health.MetricCadence, stat: health.StatMean},
		{
			path: "mobilityMetrics.avgGroundContactTimeDuration", metric: health.MetricGroundContactTime, stat: health.StatMean,
			seconds: true, shift: 3,
		},
		{path: "mobilityMetrics.avgStrideLengthMillimeters", metric: health.MetricStrideLength, stat: health.StatMean, shift: -3},
		{path: "mobilityMetrics.avgVerticalOscillationMillimeters", metric: health.MetricVerticalOscillation, stat: health.StatMean},
		{path: "mobilityMetrics.avgVerticalRatio", metric: health.MetricVerticalRatio, stat: health.StatMean},
	}
	sleepFields = []field{
		{path: "minutesInSleepPeriod", metric: health.MetricSleepPeriod, times: 60},
		{path: "minutesAsleep", metric: health.MetricSleepDuration, times: 60},
		{path: "minutesAwake", metric: health.MetricSleepAwakeAfterOnset, times: 60},
		{path: "minutesToFallAsleep", metric: health.MetricSleepLatency, times: 60},
		{path: "minutesAfterWakeUp", metric: health.MetricSleepWakeupLatency, times: 60},
	}
	profileFields = []field{
		{path: "age", metric: health.MetricAge},
		{path: "userConfiguredWalkingStrideLengthMm", metric: health.MetricStrideLength, part: health.PartWalking, shift: -3},
		{path: "userConfiguredRunningStrideLengthMm", metric: health.MetricStrideLength, part: health.PartRunning, shift: -3},
		{
			path: "autoWalkingStrideLengthMm", metric: health.MetricStrideLength, stat: health.StatMean, part: health.PartWalking,
			shift: -3,
		},
		{
			path: "autoRunningStrideLengthMm", metric: health.MetricStrideLength, stat: health.StatMean, part: health.PartRunning,
			shift: -3,
		},
	}
)

// nutrients are the metrics of the service's nutrients. Amounts come in grams;
// metrics of small amounts are in milligrams.
var nutrients = map[string]struct {
	metric health.Metric
	milli  bool
}{
	"CARBOHYDRATES":       {health.MetricNutrientCarbohydrates, false},
	"DIETARY_FIBER":       {health.MetricNutrientFiber, false},
	"MONOUNSATURATED_FAT": {health.MetricNutrientMonounsaturatedFat, false},
	"POLYUNSATURATED_FAT": {health.MetricNutrientPolyunsaturatedFat, false},
	"PROTEIN":             {health.MetricNutrientProtein, false},
	"SATURATED_FAT":       {health.MetricNutrientSaturatedFat, false},
	"SUGAR":               {health.MetricNutrientSugar, false},
	"TRANS_FAT":           {health.MetricNutrientTransFat, false},
	"UNSATURATED_FAT":     {health.MetricNutrientUnsaturatedFat, false},
	"BIOTIN":              {health.MetricNutrientBiotin, true},
	"CAFFEINE":            {health.MetricNutrientCaffeine, true},
	"CALCIUM":             {health.MetricNutrientCalcium, true},
	"CHLORIDE":            {health.MetricNutrientChloride, true},
	"CHOLESTEROL":         {health.MetricNutrientCholesterol, true},
	"CHROMIUM":            {health.MetricNutrientChromium, true},
	"COPPER":              {health.MetricNutrientCopper, true},
	"FOLATE":              {health.MetricNutrientFolate, true},
	"FOLIC_ACID":          {health.MetricNutrientFolicAcid, true},
	"IODINE":              {health.MetricNutrientIodine, true},
	"IRON":                {health.MetricNutrientIron, true},
	"MAGNESIUM":           {health.MetricNutrientMagnesium, true},
	"MANGANESE":           {health.MetricNutrientManganese, true},
	"MOLYBDENUM":          {health.MetricNutrientMolybdenum, true},
	"NIACIN":              {health.MetricNutrientNiacin, true},
	"PANTOTHENIC_ACID":    {health.MetricNutrientPantothenicAcid, true},
	"PHOSPHORUS":          {health.MetricNutrientPhosphorus, true},
	"POTASSIUM":           {health.MetricNutrientPotassium, true},
	"RIBOFLAVIN":          {health.MetricNutrientRiboflavin, true},
	"SELENIUM":            {health.MetricNutrientSelenium, true},
	"SODIUM":              {health.MetricNutrientSodium, true},
	"THIAMIN":             {health.MetricNutrientThiamin, true},
	"VITAMIN_A":           {health.MetricNutrientVitaminA, true},
	"VITAMIN_B6":          {health.MetricNutrientVitaminB6, true},
	"VITAMIN_B12":         {health.MetricNutrientVitaminB12, true},
	"VITAMIN_C":           {health.MetricNutrientVitaminC, true},
	"VITAMIN_D":           {health.MetricNutrientVitaminD, true},
	"VITAMIN_E":           {health.MetricNutrientVitaminE, true},
	"VITAMIN_K":           {health.MetricNutrientVitaminK, true},
	"ZINC":                {health.MetricNutrientZinc, true},
}
