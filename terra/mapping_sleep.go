package terra

import (
	"github.com/vitalmux/vitalmux/health"
)

// sleep maps a night or a nap.
func (d *draft) sleep(v *Sleep) string {
	meta := &v.Metadata
	if reason := d.ofSession(health.KindSleep, meta.SummaryID, meta.TimestampLocalization, meta.StartTime, meta.EndTime); reason != "" {
		return reason
	}
	d.device(&v.DeviceData)
	d.sleepUpload(meta.UploadType)
	if meta.IsNap != nil {
		d.text(health.TextSleepType, map[bool]string{true: "nap", false: "main"}[*meta.IsNap])
	}
	e := &v.DataEnrichment
	d.sticky(e.SleepScore, e.SleepContributors, health.MetricTerraSleepScore)
	d.sticky(e.SleepScoreV2, e.SleepScoreV2Contributors, health.MetricTerraSleepScoreV2)
	d.sticky(e.ReadinessScore, e.ReadinessContributors, health.MetricTerraReadinessScore)
	d.sticky(e.RespiratoryScoreV2, e.RespiratoryScoreV2Contributors, health.MetricTerraRespiratoryScoreV2)
	d.heartRate("heart_rate_data", &v.HeartRateData)
	d.value(v.ReadinessData.Readiness, health.MetricReadinessScore, health.StatValue, "")
	d.value(v.ReadinessData.RecoveryLevel, health.MetricRecoveryLevel, health.StatValue, "")
	d.respiration(&v.RespirationData)
	d.value(v.Scores.Sleep, health.MetricSleepScore, health.StatValue, "")
	d.stages(&v.SleepDurationsData)
	d.value(v.TemperatureData.Delta, health.MetricSkinTemperatureDeviation, health.StatValue, "")
	return ""
}

// sleepUpload says how a night came to the provider. Manual is not believed:
// nights that a device measured have come with it.
func (d *draft) sleepUpload(v *SleepUploadType) {
	if v == nil {
		return
	}
	switch *v {
	case SleepUploadAutomatic:
		d.Method = health.MethodSensed
	case SleepUploadTentative:
		d.Method = health.MethodSensed
		d.text(health.TextSleepStatus, "tentative")
	case SleepUploadIndeterminate:
		d.text(health.TextSleepStatus, "indeterminate")
	}
	d.text("terra_upload_type", number(v))
}

func (d *draft) stages(v *SleepDurationsData) {
	asleep := &v.Asleep
	total := asleep.DurationAsleepStateSeconds
	d.value(total, health.MetricSleepDuration, health.StatValue, "")
	if !total.IsSet() {
		if s, ok := sum(asleep.DurationLightSleepStateSeconds, asleep.DurationDeepSleepStateSeconds, asleep.DurationREMSleepStateSeconds); ok {
			d.Values = append(d.Values, health.Value{Metric: health.MetricSleepDuration, Number: s, Flags: health.FlagInexact})
		}
	}
	d.value(asleep.DurationDeepSleepStateSeconds, health.MetricSleepDeep, health.StatValue, "")
	d.value(asleep.DurationLightSleepStateSeconds, health.MetricSleepLight, health.StatValue, "")
	d.value(asleep.DurationREMSleepStateSeconds, health.MetricSleepREM, health.StatValue, "")
	d.value(asleep.NumREMEvents, health.MetricSleepStageEpisodes, health.StatValue, health.PartREM)

	awake := &v.Awake
	d.value(awake.DurationAwakeStateSeconds, health.MetricSleepAwake, health.StatValue, "")
	d.value(awake.DurationLongInterruptionSeconds, health.MetricSleepInterruptionDuration, health.StatValue, health.PartLong)
	d.value(awake.DurationShortInterruptionSeconds, health.MetricSleepInterruptionDuration, health.StatValue, health.PartShort)
	d.value(awake.NumOutOfBedEvents, health.MetricSleepOutOfBedCount, health.StatValue, "")
	d.value(awake.NumWakeupEvents, health.MetricSleepAwakenings, health.StatValue, "")
	d.value(awake.SleepLatencySeconds, health.MetricSleepLatency, health.StatValue, "")
	d.value(awake.WakeUpLatencySeconds, health.MetricSleepWakeupLatency, health.StatValue, "")
	d.value(v.Other.DurationInBedSeconds, health.MetricSleepInBed, health.StatValue, "")
	d.value(v.Other.DurationUnmeasurableSleepSeconds, health.MetricSleepUnmeasurable, health.StatValue, "")

	// Documented as 0 to 100; some providers send 0 to 1.
	if f, ok := v.SleepEfficiency.Float(); ok && f >= 0 && f <= 1 {
		d.times(v.SleepEfficiency, hundred, health.MetricSleepEfficiency, health.StatValue, "")
	} else {
		d.value(v.SleepEfficiency, health.MetricSleepEfficiency, health.StatValue, "")
	}
	d.runs("sleep_durations_data.hypnogram_samples", v.HypnogramSamples.Raw(), []string{"level"}, health.TrackStage, labels{
		SleepLevelUnknown:    health.StageUnknown,
		SleepLevelAwake:      health.StageAwake,
		SleepLevelSleeping:   health.StageAsleep,
		SleepLevelOutOfBed:   health.StageOutOfBed,
		SleepLevelLightSleep: health.StageLight,
		SleepLevelDeepSleep:  health.StageDeep,
		SleepLevelREMSleep:   health.StageREM,
	})
}

func (d *draft) respiration(v *RespirationData) {
	const path = "respiration_data."
	breaths := &v.BreathsData
	d.value(breaths.AvgBreathsPerMin, health.MetricRespiratoryRate, health.StatMean, "")
	d.value(breaths.MinBreathsPerMin, health.MetricRespiratoryRate, health.StatMin, "")
	d.value(breaths.MaxBreathsPerMin, health.MetricRespiratoryRate, health.StatMax, "")
	d.truth("terra_on_demand_reading", breaths.OnDemandReading)
	d.series(path+"breaths_data.samples", breaths.Samples.Raw(), []string{"breaths_per_min"}, nil, column{metric: health.MetricRespiratoryRate})
	d.value(v.OxygenSaturationData.AvgSaturationPercentage, health.MetricSpO2, health.StatMean, "")
	d.saturations(path+"oxygen_saturation_data.samples", v.OxygenSaturationData.Samples.Raw())
	snoring := &v.SnoringData
	d.value(snoring.NumSnoringEvents, health.MetricSnoringEpisodes, health.StatValue, "")
	d.value(snoring.TotalSnoringDurationSeconds, health.MetricSnoringDuration, health.StatValue, "")
	d.series(path+"snoring_data.samples", snoring.Samples.Raw(), []string{"duration_seconds"}, nil, column{metric: health.MetricSnoringDuration})
}
