package terra

// Body holds the measurements of one civil day: the first ten characters of
// Metadata.StartTime, which are its key.
type Body struct {
	BloodPressureData BloodPressureData `json:"blood_pressure_data,omitzero"`
	DeviceData        DeviceData        `json:"device_data,omitzero"`
	HeartData         HeartData         `json:"heart_data,omitzero"`
	HydrationData     HydrationData     `json:"hydration_data,omitzero"`
	KetoneData        KetoneData        `json:"ketone_data,omitzero"`
	MeasurementsData  MeasurementsData  `json:"measurements_data,omitzero"`
	Metadata          BodyMetadata      `json:"metadata,omitzero"`
	OxygenData        OxygenData        `json:"oxygen_data,omitzero"`
	TemperatureData   TemperatureData   `json:"temperature_data,omitzero"`
	GlucoseData       GlucoseData       `json:"glucose_data,omitzero"`
}

// BodyMetadata says which day a Body is about.
type BodyMetadata struct {
	EndTime               Timestamp              `json:"end_time"`
	StartTime             Timestamp              `json:"start_time"`
	TimestampLocalization *TimestampLocalization `json:"timestamp_localization,omitzero"`
}

// BloodPressureData holds blood pressure.
type BloodPressureData struct {
	BloodPressureSamples Samples[BloodPressureSample] `json:"blood_pressure_samples,omitzero"`
	DayAvgSystolicBP     Number                       `json:"day_avg_systolic_bp,omitzero"`  // mmHg
	DayAvgDiastolicBP    Number                       `json:"day_avg_diastolic_bp,omitzero"` // mmHg
}

// BloodPressureSample is a blood pressure.
type BloodPressureSample struct {
	Timestamp   Timestamp `json:"timestamp,omitzero"`
	DiastolicBP Number    `json:"diastolic_bp,omitzero"` // mmHg
	SystolicBP  Number    `json:"systolic_bp,omitzero"`  // mmHg
}

// HeartData holds electrocardiograms, rhythm and pulse wave.
type HeartData struct {
	AfibClassificationSamples Samples[AFibClassificationSample] `json:"afib_classification_samples,omitzero"`
	ECGSignal                 []ECGReading                      `json:"ecg_signal,omitzero" also:"ecgsignal"`
	HeartRateData             HeartRateData                     `json:"heart_rate_data,omitzero"`
	PulseWaveVelocitySamples  Samples[PulseVelocitySample]      `json:"pulse_wave_velocity_samples,omitzero"`
	RRIntervalSamples         Samples[RRIntervalSample]         `json:"rr_interval_samples,omitzero"`
}

// AFibClassificationSample is a rhythm classification.
type AFibClassificationSample struct {
	Timestamp          Timestamp `json:"timestamp,omitzero"`
	AfibClassification *AFibFlag `json:"afib_classification,omitzero"`
}

// ECGReading is one electrocardiogram.
type ECGReading struct {
	StartTimestamp     Timestamp             `json:"start_timestamp,omitzero"`
	AvgHRBPM           Number                `json:"avg_hr_bpm,omitzero"`
	AfibClassification *AFibFlag             `json:"afib_classification,omitzero"`
	RawSignal          Samples[RawECGSample] `json:"raw_signal,omitzero"`
}

// RawECGSample is a voltage.
type RawECGSample struct {
	PotentialUV Number    `json:"potential_uV,omitzero"` // µV
	Timestamp   Timestamp `json:"timestamp,omitzero"`
}

// PulseVelocitySample is a pulse wave velocity.
type PulseVelocitySample struct {
	Timestamp                        Timestamp `json:"timestamp,omitzero"`
	PulseWaveVelocityMetersPerSecond Number    `json:"pulse_wave_velocity_meters_per_second,omitzero"`
}

// RRIntervalSample is the time between two beats.
type RRIntervalSample struct {
	RRIntervalMs Number    `json:"rr_interval_ms,omitzero"`
	Timestamp    Timestamp `json:"timestamp,omitzero"`
	HRBPM        Number    `json:"hr_bpm,omitzero"`
}

// HydrationData holds water drunk and body water.
type HydrationData struct {
	DayTotalWaterConsumptionMl Number                              `json:"day_total_water_consumption_ml,omitzero"`
	HydrationAmountSamples     Samples[HydrationMeasurementSample] `json:"hydration_amount_samples,omitzero" also:"hydration_level_samples"`
	DayAvgHydrationKg          Number                              `json:"day_avg_hydration_kg,omitzero"`
}

// HydrationMeasurementSample is a mass of body water.
type HydrationMeasurementSample struct {
	Timestamp   Timestamp `json:"timestamp,omitzero"`
	HydrationKg Number    `json:"hydration_kg,omitzero"` // body water
}

// KetoneData holds ketones.
type KetoneData struct {
	KetoneSamples       Samples[KetoneSample] `json:"ketone_samples,omitzero"`
	DayAvgKetoneMgPerDL Number                `json:"day_avg_ketone_mg_per_dL,omitzero"`
}

// KetoneSample is a ketone concentration.
type KetoneSample struct {
	Timestamp     Timestamp         `json:"timestamp,omitzero"`
	KetoneMgPerDL Number            `json:"ketone_mg_per_dL,omitzero"`
	SampleType    *KetoneSampleType `json:"sample_type,omitzero"`
}

// MeasurementsData holds weight, height and composition.
type MeasurementsData struct {
	Measurements              []MeasurementDataSample `json:"measurements,omitzero"`
	DayAvgBMI                 Number                  `json:"day_avg_bmi,omitzero"`
	DayAvgBMR                 Number                  `json:"day_avg_bmr,omitzero"`
	DayAvgRMR                 Number                  `json:"day_avg_rmr,omitzero"`
	DayAvgEstimatedFitnessAge Number                  `json:"day_avg_estimated_fitness_age,omitzero"`
	DayAvgSkinFoldMm          Number                  `json:"day_avg_skin_fold_mm,omitzero"`
	DayAvgBodyfatPercentage   Number                  `json:"day_avg_bodyfat_percentage,omitzero"`
	DayAvgWeightKg            Number                  `json:"day_avg_weight_kg,omitzero"`
	DayAvgHeightCm            Number                  `json:"day_avg_height_cm,omitzero"`
	DayAvgBoneMassG           Number                  `json:"day_avg_bone_mass_g,omitzero"`
	DayAvgMuscleMassG         Number                  `json:"day_avg_muscle_mass_g,omitzero"`
	DayAvgLeanMassG           Number                  `json:"day_avg_lean_mass_g,omitzero"`
	DayAvgWaterPercentage     Number                  `json:"day_avg_water_percentage,omitzero"`
	DayAvgInsulinUnits        Number                  `json:"day_avg_insulin_units,omitzero"`
	DayAvgVisceralFatLevel    Number                  `json:"day_avg_visceral_fat_level,omitzero"`
}

// MeasurementDataSample is one set of measurements. Its time is MeasurementTime.
type MeasurementDataSample struct {
	MeasurementTime     Timestamp `json:"measurement_time,omitzero"`
	BMI                 Number    `json:"BMI,omitzero"`                   // kg/m²
	BMR                 Number    `json:"BMR,omitzero"`                   // kcal/day
	RMR                 Number    `json:"RMR,omitzero"`                   // kcal/day
	EstimatedFitnessAge Number    `json:"estimated_fitness_age,omitzero"` // years
	SkinFoldMm          Number    `json:"skin_fold_mm,omitzero"`
	BodyfatPercentage   Number    `json:"bodyfat_percentage,omitzero"` // 0 to 100
	WeightKg            Number    `json:"weight_kg,omitzero"`
	HeightCm            Number    `json:"height_cm,omitzero"`
	BoneMassG           Number    `json:"bone_mass_g,omitzero"`
	MuscleMassG         Number    `json:"muscle_mass_g,omitzero"`
	LeanMassG           Number    `json:"lean_mass_g,omitzero"`
	WaterPercentage     Number    `json:"water_percentage,omitzero"` // 0 to 100
	InsulinUnits        Number    `json:"insulin_units,omitzero"`    // unit not stated
	InsulinType         string    `json:"insulin_type,omitzero"`
	UrineColor          string    `json:"urine_color,omitzero"`
	UserNotes           string    `json:"user_notes,omitzero"`
	VisceralFatLevel    Number    `json:"visceral_fat_level,omitzero"`
	VisceralFatCategory string    `json:"visceral_fat_category,omitzero"`
}

// TemperatureData holds temperatures.
type TemperatureData struct {
	AmbientTemperatureSamples       Samples[TemperatureSample] `json:"ambient_temperature_samples,omitzero"`
	BodyTemperatureSamples          Samples[TemperatureSample] `json:"body_temperature_samples,omitzero"`
	SkinTemperatureSamples          Samples[TemperatureSample] `json:"skin_temperature_samples,omitzero"`
	DayAvgAmbientTemperatureCelsius Number                     `json:"day_avg_ambient_temperature_celsius,omitzero"`
	DayAvgBodyTemperatureCelsius    Number                     `json:"day_avg_body_temperature_celsius,omitzero"`
	DayAvgSkinTemperatureCelsius    Number                     `json:"day_avg_skin_temperature_celsius,omitzero"`
}

// TemperatureSample is a temperature.
type TemperatureSample struct {
	Timestamp          Timestamp `json:"timestamp,omitzero"`
	TemperatureCelsius Number    `json:"temperature_celsius,omitzero"`
}

// GlucoseData holds blood glucose.
type GlucoseData struct {
	BloodGlucoseSamples               Samples[GlucoseDataSample] `json:"blood_glucose_samples,omitzero"`
	DetailedBloodGlucoseSamples       Samples[GlucoseDataSample] `json:"detailed_blood_glucose_samples,omitzero"`
	DayAvgBloodGlucoseMgPerDL         Number                     `json:"day_avg_blood_glucose_mg_per_dL,omitzero" also:"day_avg_blood_glucose_mg_per_dl"`
	DayAvgDetailedBloodGlucoseMgPerDL Number                     `json:"day_avg_detailed_blood_glucose_mg_per_dL,omitzero"`
	GMI                               Number                     `json:"gmi,omitzero"`           // index, scale not stated
	TimeInRange                       Number                     `json:"time_in_range,omitzero"` // unit unspecified
	SensorUsage                       Number                     `json:"sensor_usage,omitzero"`  // number of readings that day
	DailyPatterns                     []DailyPatternSample       `json:"daily_patterns,omitzero"`
}

// GlucoseDataSample is a blood glucose.
type GlucoseDataSample struct {
	Timestamp           Timestamp    `json:"timestamp,omitzero"`
	BloodGlucoseMgPerDL Number       `json:"blood_glucose_mg_per_dL,omitzero"`
	GlucoseLevelFlag    *GlucoseFlag `json:"glucose_level_flag,omitzero"`
	TrendArrow          *TrendArrow  `json:"trend_arrow,omitzero"`
}

// DailyPatternSample is the distribution of blood glucose in one hour of the day.
type DailyPatternSample struct {
	TimeFromMidnight Number `json:"time_from_midnight,omitzero"` // hour 0 to 23
	Percentile5      Number `json:"percentile_5,omitzero"`       // mg/dL
	Percentile25     Number `json:"percentile_25,omitzero"`
	Percentile50     Number `json:"percentile_50,omitzero"`
	Percentile75     Number `json:"percentile_75,omitzero"`
	Percentile95     Number `json:"percentile_95,omitzero"`
}
