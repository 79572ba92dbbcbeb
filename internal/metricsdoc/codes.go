package main

import "github.com/vitalmux/vitalmux/health"

// emptyCode explains why a metric for which codes are in circulation has none
// here.
type emptyCode struct {
	metric health.Metric
	codes  string // the codes seen elsewhere
	reason string
}

var emptyCodes = []emptyCode{
	{health.MetricAHI, "69990-0", "seen in one mapping only and not confirmed"},
	{health.MetricBasalMetabolicRate, "50042-1", "seen in one mapping only and not confirmed"},
	{health.MetricBodyWaterMass, "", "no code for a mass of body water has been verified"},
	{health.MetricBoneMass, "101685-6", "seen in one mapping only and not confirmed"},
	{health.MetricEnergyActive, "41981-2, 55424-6", "the first is the total with the basal rate, the second is bound to a pedometer"},
	{health.MetricEnergyBasal, "", "no code for the basal share of energy has been verified"},
	{health.MetricFatFreeMass, "91557-9, 88334-8", "measured and calculated mass have different codes, and providers do not tell which it is"},
	{health.MetricHRVRMSSD, "80404-7", "that is the standard deviation of intervals, hrv_sdnn"},
	{health.MetricMuscleMass, "73964-9", "seen in one mapping only and not confirmed"},
	{health.MetricSkinTemperatureDeviation, "39106-0", "that is the absolute temperature"},
	{health.MetricVisceralFatIndex, "73707-2", "that is an area, not an index"},
	{health.MetricVO2Max, "60842-2, 94122-9", "the first is the momentary oxygen uptake and not its maximum; mappings disagree on the second"},
	{health.MetricWaterIntake, "9108-2, 8999-8", "fixed to 24 hours or to another route; mappings disagree"},
}

// narrowCode is a code that fits some values of a metric better than the
// metric's own code does.
type narrowCode struct {
	metric health.Metric
	code   string
	when   string
}

var narrowCodes = []narrowCode{
	{health.MetricBloodGlucose, "41653-7", "capillary blood, by glucose meter"},
	{health.MetricBloodPressureSystolic, "85354-9", "the panel of systolic and diastolic pressure"},
	{health.MetricDistance, "41953-1", "total of 24 hours"},
	{health.MetricHeartRate, "55425-3", "mean of a workout"},
	{health.MetricHeartRate, "55426-1", "maximum of a workout"},
	{health.MetricSpO2, "2708-6", "method not told"},
	{health.MetricSteps, "41950-7", "total of 24 hours"},
}
