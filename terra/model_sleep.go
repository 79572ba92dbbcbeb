package terra

// Sleep is one night or nap. Its key is Metadata.SummaryID where there is one,
// else start and end.
type Sleep struct {
	DataEnrichment     SleepDataEnrichment  `json:"data_enrichment,omitzero"`
	DeviceData         DeviceData           `json:"device_data,omitzero"`
	HeartRateData      HeartRateData        `json:"heart_rate_data,omitzero"`
	Metadata           SleepMetadata        `json:"metadata,omitzero"`
	ReadinessData      ReadinessData        `json:"readiness_data,omitzero"`
	RespirationData    RespirationData      `json:"respiration_data,omitzero"`
	Scores             SleepScores          `json:"scores,omitzero"`
	SleepDurationsData SleepDurationsData   `json:"sleep_durations_data,omitzero"`
	TemperatureData    SleepTemperatureData `json:"temperature_data,omitzero"`
}

// SleepMetadata says when a sleep was.
type SleepMetadata struct {
	EndTime               Timestamp              `json:"end_time"`
	IsNap                 *bool                  `json:"is_nap,omitzero"`
	StartTime             Timestamp              `json:"start_time"`
	SummaryID             string                 `json:"summary_id,omitzero"` // nullable here
	TimestampLocalization *TimestampLocalization `json:"timestamp_localization,omitzero"`
	UploadType            *SleepUploadType       `json:"upload_type,omitzero"`
}

// SleepDataEnrichment holds the scores that Terra computes for a sleep. A later delivery
// may lack them: null does not mean that a score was taken back.
type SleepDataEnrichment struct {
	SleepScore                     Number       `json:"sleep_score,omitzero"`
	SleepContributors              Contributors `json:"sleep_contributors,omitzero"`
	ReadinessScore                 Number       `json:"readiness_score,omitzero"`
	ReadinessContributors          Contributors `json:"readiness_contributors,omitzero"`
	SleepScoreV2                   Number       `json:"sleep_score_v2,omitzero"`
	SleepScoreV2Contributors       Contributors `json:"sleep_score_v2_contributors,omitzero"`
	RespiratoryScoreV2             Number       `json:"respiratory_score_v2,omitzero"`
	RespiratoryScoreV2Contributors Contributors `json:"respiratory_score_v2_contributors,omitzero"`
}

// SleepDurationsData splits a sleep into stages.
type SleepDurationsData struct {
	Asleep           AsleepDurations               `json:"asleep,omitzero"`
	Awake            AwakeDurations                `json:"awake,omitzero"`
	HypnogramSamples Samples[SleepHypnogramSample] `json:"hypnogram_samples,omitzero"`
	Other            OtherSleepDurations           `json:"other,omitzero"`
	SleepEfficiency  Number                        `json:"sleep_efficiency,omitzero"` // spec: 0 to 100; wire also 0 to 1
}

// AsleepDurations is the time asleep by stage. The total may be null while the stages
// are set.
type AsleepDurations struct {
	DurationAsleepStateSeconds     Number `json:"duration_asleep_state_seconds,omitzero"`
	DurationDeepSleepStateSeconds  Number `json:"duration_deep_sleep_state_seconds,omitzero"`
	DurationLightSleepStateSeconds Number `json:"duration_light_sleep_state_seconds,omitzero"`
	DurationREMSleepStateSeconds   Number `json:"duration_REM_sleep_state_seconds,omitzero"`
	NumREMEvents                   Number `json:"num_REM_events,omitzero"`
}

// AwakeDurations is the time awake.
type AwakeDurations struct {
	DurationAwakeStateSeconds        Number `json:"duration_awake_state_seconds,omitzero"`
	DurationLongInterruptionSeconds  Number `json:"duration_long_interruption_seconds,omitzero"`
	DurationShortInterruptionSeconds Number `json:"duration_short_interruption_seconds,omitzero"`
	NumOutOfBedEvents                Number `json:"num_out_of_bed_events,omitzero"`
	NumWakeupEvents                  Number `json:"num_wakeup_events,omitzero"`
	SleepLatencySeconds              Number `json:"sleep_latency_seconds,omitzero"`
	WakeUpLatencySeconds             Number `json:"wake_up_latency_seconds,omitzero"`
}

// OtherSleepDurations is the time in bed.
type OtherSleepDurations struct {
	DurationInBedSeconds             Number `json:"duration_in_bed_seconds,omitzero"`
	DurationUnmeasurableSleepSeconds Number `json:"duration_unmeasurable_sleep_seconds,omitzero"`
}

// SleepHypnogramSample is the stage from its time on.
type SleepHypnogramSample struct {
	Timestamp Timestamp   `json:"timestamp,omitzero"`
	Level     *SleepLevel `json:"level,omitzero"`
}

// ReadinessData is the readiness of the provider.
type ReadinessData struct {
	Readiness     Number `json:"readiness,omitzero"`      // score
	RecoveryLevel Number `json:"recovery_level,omitzero"` // number here; old docs: RecoveryLevel enum 0 to 6
}

// RespirationData holds breathing, saturation and snoring.
type RespirationData struct {
	BreathsData          BreathsData          `json:"breaths_data,omitzero"`
	OxygenSaturationData OxygenSaturationData `json:"oxygen_saturation_data,omitzero"`
	SnoringData          SnoringData          `json:"snoring_data,omitzero"`
}

// BreathsData holds the respiratory rate.
type BreathsData struct {
	AvgBreathsPerMin Number                `json:"avg_breaths_per_min,omitzero"`
	MaxBreathsPerMin Number                `json:"max_breaths_per_min,omitzero"`
	MinBreathsPerMin Number                `json:"min_breaths_per_min,omitzero"`
	OnDemandReading  *bool                 `json:"on_demand_reading,omitzero"`
	Samples          Samples[BreathSample] `json:"samples,omitzero"`
	StartTime        Timestamp             `json:"start_time,omitzero"`
	EndTime          Timestamp             `json:"end_time,omitzero"`
}

// BreathSample is a respiratory rate.
type BreathSample struct {
	Timestamp     Timestamp `json:"timestamp,omitzero"`
	BreathsPerMin Number    `json:"breaths_per_min,omitzero"`
}

// OxygenSaturationData holds the oxygen saturation of a sleep.
type OxygenSaturationData struct {
	AvgSaturationPercentage Number                          `json:"avg_saturation_percentage,omitzero"` // 0 to 100
	EndTime                 Timestamp                       `json:"end_time,omitzero"`
	Samples                 Samples[OxygenSaturationSample] `json:"samples,omitzero"`
	StartTime               Timestamp                       `json:"start_time,omitzero"`
}

// SnoringData holds snoring.
type SnoringData struct {
	StartTime                   Timestamp              `json:"start_time,omitzero"`
	EndTime                     Timestamp              `json:"end_time,omitzero"`
	NumSnoringEvents            Number                 `json:"num_snoring_events,omitzero"`
	Samples                     Samples[SnoringSample] `json:"samples,omitzero"`
	TotalSnoringDurationSeconds Number                 `json:"total_snoring_duration_seconds,omitzero"`
}

// SnoringSample is one snoring.
type SnoringSample struct {
	Timestamp       Timestamp `json:"timestamp,omitzero"`
	DurationSeconds Number    `json:"duration_seconds,omitzero"`
}

// SleepScores holds the scores of the provider.
type SleepScores struct {
	Sleep Number `json:"sleep,omitzero"` // 0 to 100
}

// SleepTemperatureData is the skin temperature against the baseline.
type SleepTemperatureData struct {
	Delta Number `json:"delta,omitzero"` // °C from baseline
}
