package fitbitmap

import "github.com/vitalmux/vitalmux/health"

// Quantity is something that both services measure or count, in the one form
// it has in records. It names a metric and a statistic; the number is in the
// unit of the metric.
type Quantity uint8

// The quantities. Those of days are totals or means of the person's civil day,
// those of nights are filed under the day on which the main sleep ended.
const (
	Steps                Quantity = iota // of a day, a workout or an interval
	Distance                             // m
	EnergyTotal                          // kcal, basal rate included
	EnergyActive                         // kcal, of active time
	EnergyBasal                          // kcal
	Floors                               // count
	ElevationGain                        // m
	SwimStrokes                          // count
	ActiveZoneMinutes                    // weighted minutes; parts are those of [ZonePart]
	ActiveDuration                       // s; parts are those of [LevelPart]
	SedentaryDuration                    // s
	RestingHeartRate                     // 1/min, of a day
	MeanHeartRate                        // 1/min, of a workout
	ZoneDuration                         // s; parts are those of [ZonePart]
	ZoneEnergy                           // kcal; parts are those of [ZonePart]
	ZoneLow                              // 1/min, lower bound; parts are those of [ZonePart]
	ZoneHigh                             // 1/min, upper bound; parts are those of [ZonePart]
	NightRMSSD                           // ms, mean of the night; [health.PartDeep] is of deep sleep
	NightSpO2                            // %, mean of the night
	NightSpO2Low                         // %, lowest of the night
	NightSpO2High                        // %, highest of the night
	NightRespiratoryRate                 // 1/min, mean of the night; parts are those of [StagePart]
	SkinTemperature                      // K, deviation of the night from the person's baseline
	BodyTemperature                      // Cel
	OxygenUptake                         // mL/min/kg, estimated by the service; see [VO2Max]
	Weight                               // kg
	BodyFat                              // %
	BMI                                  // kg/m2
	Height                               // m
	WaterIntake                          // mL
	EnergyIntake                         // kcal
	TimeAsleep                           // s
	TimeInBed                            // s
	TimeAwake                            // s, awake in bed between falling asleep and waking up
	TimeToSleep                          // s
	TimeAfterWakeup                      // s
	quantityCount
)

var quantities = [quantityCount]struct {
	metric health.Metric
	stat   health.Stat
}{
	Steps:                {health.MetricSteps, health.StatValue},
	Distance:             {health.MetricDistance, health.StatValue},
	EnergyTotal:          {health.MetricEnergyTotal, health.StatValue},
	EnergyActive:         {health.MetricEnergyActive, health.StatValue},
	EnergyBasal:          {health.MetricEnergyBasal, health.StatValue},
	Floors:               {health.MetricFloorsClimbed, health.StatValue},
	ElevationGain:        {health.MetricElevationGain, health.StatValue},
	SwimStrokes:          {health.MetricSwimStrokes, health.StatValue},
	ActiveZoneMinutes:    {health.MetricActiveZoneMinutes, health.StatValue},
	ActiveDuration:       {health.MetricActiveDuration, health.StatValue},
	SedentaryDuration:    {health.MetricSedentaryDuration, health.StatValue},
	RestingHeartRate:     {health.MetricHeartRateResting, health.StatValue},
	MeanHeartRate:        {health.MetricHeartRate, health.StatMean},
	ZoneDuration:         {health.MetricHeartRateZoneDuration, health.StatValue},
	ZoneEnergy:           {health.MetricHeartRateZoneEnergy, health.StatValue},
	ZoneLow:              {health.MetricHeartRateZoneBound, health.StatMin},
	ZoneHigh:             {health.MetricHeartRateZoneBound, health.StatMax},
	NightRMSSD:           {health.MetricHRVRMSSD, health.StatMean},
	NightSpO2:            {health.MetricSpO2, health.StatMean},
	NightSpO2Low:         {health.MetricSpO2, health.StatMin},
	NightSpO2High:        {health.MetricSpO2, health.StatMax},
	NightRespiratoryRate: {health.MetricRespiratoryRate, health.StatMean},
	SkinTemperature:      {health.MetricSkinTemperatureDeviation, health.StatValue},
	BodyTemperature:      {health.MetricBodyTemperature, health.StatValue},
	OxygenUptake:         {health.MetricVO2Max, health.StatValue},
	Weight:               {health.MetricBodyWeight, health.StatValue},
	BodyFat:              {health.MetricBodyFatPercentage, health.StatValue},
	BMI:                  {health.MetricBMI, health.StatValue},
	Height:               {health.MetricBodyHeight, health.StatValue},
	WaterIntake:          {health.MetricWaterIntake, health.StatValue},
	EnergyIntake:         {health.MetricEnergyIntake, health.StatValue},
	TimeAsleep:           {health.MetricSleepDuration, health.StatValue},
	TimeInBed:            {health.MetricSleepInBed, health.StatValue},
	TimeAwake:            {health.MetricSleepAwakeAfterOnset, health.StatValue},
	TimeToSleep:          {health.MetricSleepLatency, health.StatValue},
	TimeAfterWakeup:      {health.MetricSleepWakeupLatency, health.StatValue},
}

// Metric returns the metric of q.
func (q Quantity) Metric() health.Metric { return quantities[q].metric }

// Value returns a value of q; the part is empty for the whole.
func (q Quantity) Value(n health.Decimal, part health.Part) health.Value {
	return health.Value{Metric: quantities[q].metric, Stat: quantities[q].stat, Part: part, Number: n}
}
