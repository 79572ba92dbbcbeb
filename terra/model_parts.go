package terra

// The objects that several kinds share.

// ActiveDurationsData splits time by the intensity of activity.
type ActiveDurationsData struct {
	ActivityLevelsSamples        Samples[ActivityLevelSample] `json:"activity_levels_samples,omitzero"`
	ActivitySeconds              Number                       `json:"activity_seconds,omitzero"`
	InactivitySeconds            Number                       `json:"inactivity_seconds,omitzero"`
	LowIntensitySeconds          Number                       `json:"low_intensity_seconds,omitzero"`
	ModerateIntensitySeconds     Number                       `json:"moderate_intensity_seconds,omitzero"`
	NumContinuousInactivePeriods Number                       `json:"num_continuous_inactive_periods,omitzero"`
	RestSeconds                  Number                       `json:"rest_seconds,omitzero"`
	VigorousIntensitySeconds     Number                       `json:"vigorous_intensity_seconds,omitzero"`
	StandingHoursCount           Number                       `json:"standing_hours_count,omitzero"`
	StandingSeconds              Number                       `json:"standing_seconds,omitzero"`
}

// ActivityLevelSample is the intensity from its time on.
type ActivityLevelSample struct {
	Timestamp            Timestamp      `json:"timestamp,omitzero"`
	ActivityLevel        *ActivityLevel `json:"activity_level,omitzero" also:"level"`
	TimerDurationSeconds Number         `json:"timer_duration_seconds,omitzero"`
}

// CaloriesData holds energy burned and taken in, in kcal by convention.
type CaloriesData struct {
	BMRCalories         Number                 `json:"BMR_calories,omitzero"` // kcal
	CalorieSamples      Samples[CalorieSample] `json:"calorie_samples,omitzero"`
	NetActivityCalories Number                 `json:"net_activity_calories,omitzero"` // kcal, without BMR
	NetIntakeCalories   Number                 `json:"net_intake_calories,omitzero"`   // kcal
	TotalBurnedCalories Number                 `json:"total_burned_calories,omitzero"` // kcal, BMR + activity
}

// CalorieSample is an energy in kcal.
type CalorieSample struct {
	Timestamp            Timestamp `json:"timestamp,omitzero"`
	Calories             Number    `json:"calories,omitzero"` // kcal
	TimerDurationSeconds Number    `json:"timer_duration_seconds,omitzero"`
}

// DeviceData describes the device that measured.
type DeviceData struct {
	ActivationTimestamp Timestamp         `json:"activation_timestamp,omitzero"`
	DataProvided        []DeviceDataType  `json:"data_provided,omitzero"`
	HardwareVersion     string            `json:"hardware_version,omitzero"`
	LastUploadDate      Timestamp         `json:"last_upload_date,omitzero"`
	Manufacturer        string            `json:"manufacturer,omitzero"`
	Name                string            `json:"name,omitzero"`
	OtherDevices        []OtherDeviceData `json:"other_devices,omitzero"`
	SerialNumber        string            `json:"serial_number,omitzero"`
	SoftwareVersion     string            `json:"software_version,omitzero"`
	SensorState         string            `json:"sensor_state,omitzero"` // older models only
}

// OtherDeviceData describes another device that took part.
type OtherDeviceData struct {
	Manufacturer        string           `json:"manufacturer,omitzero"`
	HardwareVersion     string           `json:"hardware_version,omitzero"`
	SerialNumber        string           `json:"serial_number,omitzero"`
	Name                string           `json:"name,omitzero"`
	SoftwareVersion     string           `json:"software_version,omitzero"`
	DataProvided        []DeviceDataType `json:"data_provided,omitzero"`
	LastUploadDate      Timestamp        `json:"last_upload_date,omitzero"`
	ActivationTimestamp Timestamp        `json:"activation_timestamp,omitzero"` // older models only
}

// DistanceDataDetailed holds distance, steps and floors as samples, which count up from the
// start of the payload, and elevation.
type DistanceDataDetailed struct {
	DistanceSamples      Samples[DistanceSample]      `json:"distance_samples,omitzero"`
	ElevationSamples     Samples[ElevationSample]     `json:"elevation_samples,omitzero"`
	FloorsClimbedSamples Samples[FloorsClimbedSample] `json:"floors_climbed_samples,omitzero"`
	StepSamples          Samples[StepSample]          `json:"step_samples,omitzero"`
}

// DistanceSample is the distance so far.
type DistanceSample struct {
	Timestamp            Timestamp `json:"timestamp,omitzero"`
	DistanceMeters       Number    `json:"distance_meters,omitzero"` // cumulative since payload start
	TimerDurationSeconds Number    `json:"timer_duration_seconds,omitzero"`
}

// ElevationSample is an elevation.
type ElevationSample struct {
	Timestamp            Timestamp `json:"timestamp,omitzero"`
	ElevMeters           Number    `json:"elev_meters,omitzero"` // above sea level
	TimerDurationSeconds Number    `json:"timer_duration_seconds,omitzero"`
}

// FloorsClimbedSample is the number of floors so far.
type FloorsClimbedSample struct {
	Timestamp            Timestamp `json:"timestamp,omitzero"`
	FloorsClimbed        Number    `json:"floors_climbed,omitzero"` // cumulative since payload start
	TimerDurationSeconds Number    `json:"timer_duration_seconds,omitzero"`
}

// StepSample is the number of steps so far.
type StepSample struct {
	Timestamp            Timestamp `json:"timestamp,omitzero"`
	Steps                Number    `json:"steps,omitzero"` // cumulative since payload start
	TimerDurationSeconds Number    `json:"timer_duration_seconds,omitzero"`
}

// ElevationData summarises elevation.
type ElevationData struct {
	AvgMeters         Number `json:"avg_meters,omitzero"`
	GainActualMeters  Number `json:"gain_actual_meters,omitzero"`
	GainPlannedMeters Number `json:"gain_planned_meters,omitzero"`
	LossActualMeters  Number `json:"loss_actual_meters,omitzero"`
	MaxMeters         Number `json:"max_meters,omitzero"`
	MinMeters         Number `json:"min_meters,omitzero"`
}

// SwimmingData summarises swimming.
type SwimmingData struct {
	NumLaps          Number `json:"num_laps,omitzero"`
	NumStrokes       Number `json:"num_strokes,omitzero"`
	PoolLengthMeters Number `json:"pool_length_meters,omitzero"`
}

// HeartRateData holds heart rate and its variability.
type HeartRateData struct {
	Detailed HeartRateDataDetailed `json:"detailed,omitzero"`
	Summary  HeartRateDataSummary  `json:"summary,omitzero"`
}

// HeartRateDataDetailed holds heart rate and its variability as samples.
type HeartRateDataDetailed struct {
	HRSamples       Samples[HeartRateDataSample]                 `json:"hr_samples,omitzero"`
	HRVSamplesRMSSD Samples[HeartRateVariabilityDataSampleRMSSD] `json:"hrv_samples_rmssd,omitzero"`
	HRVSamplesSDNN  Samples[HeartRateVariabilityDataSampleSDNN]  `json:"hrv_samples_sdnn,omitzero"`
}

// HeartRateDataSample is a heart rate.
type HeartRateDataSample struct {
	Timestamp            Timestamp         `json:"timestamp,omitzero"`
	BPM                  Number            `json:"bpm,omitzero"`
	TimerDurationSeconds Number            `json:"timer_duration_seconds,omitzero"`
	Context              *HeartRateContext `json:"context,omitzero"`
}

// HeartRateVariabilityDataSampleRMSSD is a heart rate variability as RMSSD.
type HeartRateVariabilityDataSampleRMSSD struct {
	Timestamp Timestamp `json:"timestamp,omitzero"`
	HRVRMSSD  Number    `json:"hrv_rmssd,omitzero"` // milliseconds
}

// HeartRateVariabilityDataSampleSDNN is a heart rate variability as SDNN.
type HeartRateVariabilityDataSampleSDNN struct {
	Timestamp Timestamp `json:"timestamp,omitzero"`
	HRVSDNN   Number    `json:"hrv_sdnn,omitzero"` // milliseconds
}

// HeartRateDataSummary summarises heart rate and its variability.
type HeartRateDataSummary struct {
	AvgHRBPM     Number              `json:"avg_hr_bpm,omitzero"`
	AvgHRVRMSSD  Number              `json:"avg_hrv_rmssd,omitzero"` // milliseconds
	AvgHRVSDNN   Number              `json:"avg_hrv_sdnn,omitzero"`  // milliseconds
	HRZoneData   []HeartRateZoneData `json:"hr_zone_data,omitzero"`
	MaxHRBPM     Number              `json:"max_hr_bpm,omitzero"`
	MinHRBPM     Number              `json:"min_hr_bpm,omitzero"`
	RestingHRBPM Number              `json:"resting_hr_bpm,omitzero"`
	UserMaxHRBPM Number              `json:"user_max_hr_bpm,omitzero"`
}

// HeartRateZoneData is the time spent in one heart rate zone.
type HeartRateZoneData struct {
	Zone            Number `json:"zone,omitzero"`             // 0-based
	StartPercentage Number `json:"start_percentage,omitzero"` // % of max HR
	EndPercentage   Number `json:"end_percentage,omitzero"`   // % of max HR
	Name            string `json:"name,omitzero"`
	DurationSeconds Number `json:"duration_seconds,omitzero"`
}

// METData holds metabolic equivalents.
type METData struct {
	METSamples                  Samples[METSample] `json:"MET_samples,omitzero"`
	AvgLevel                    Number             `json:"avg_level,omitzero"` // MET
	NumHighIntensityMinutes     Number             `json:"num_high_intensity_minutes,omitzero"`
	NumInactiveMinutes          Number             `json:"num_inactive_minutes,omitzero"`
	NumLowIntensityMinutes      Number             `json:"num_low_intensity_minutes,omitzero"`
	NumModerateIntensityMinutes Number             `json:"num_moderate_intensity_minutes,omitzero"`
}

// METSample is a metabolic equivalent.
type METSample struct {
	Timestamp Timestamp `json:"timestamp,omitzero"`
	Level     Number    `json:"level,omitzero"` // MET
}

// OxygenData holds oxygen saturation and uptake.
type OxygenData struct {
	AvgSaturationPercentage   Number                          `json:"avg_saturation_percentage,omitzero"` // 0 to 100
	SaturationSamples         Samples[OxygenSaturationSample] `json:"saturation_samples,omitzero"`
	VO2Samples                Samples[Vo2MaxSample]           `json:"vo2_samples,omitzero"`
	VO2MaxMlPerMinPerKg       Number                          `json:"vo2max_ml_per_min_per_kg,omitzero"`
	DayAvgVO2MaxMlPerMinPerKg Number                          `json:"day_avg_vo2max_ml_per_min_per_kg,omitzero"`
}

// OxygenSaturationSample is an oxygen saturation.
type OxygenSaturationSample struct {
	Timestamp  Timestamp             `json:"timestamp,omitzero"`
	Percentage Number                `json:"percentage,omitzero"` // 0 to 100
	Type       *OxygenSaturationType `json:"type,omitzero"`
}

// Vo2MaxSample is a maximal oxygen uptake.
type Vo2MaxSample struct {
	Timestamp           Timestamp `json:"timestamp,omitzero"`
	VO2MaxMlPerMinPerKg Number    `json:"vo2max_ml_per_min_per_kg,omitzero"`
}

// StrainData is the strain in the scale of the provider.
type StrainData struct {
	StrainLevel Number `json:"strain_level,omitzero"` // provider scale
}
