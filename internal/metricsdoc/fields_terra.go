package main

import "github.com/vitalmux/vitalmux/health"

// terraActivityFields are the fields of Terra's Activity model and of the objects it shares with other models.
var terraActivityFields = []object{
	{"Activity", []field{
		value("cheat_detection", health.MetricCheatFlag, health.StatValue, "", ""),
		text("metadata.type", health.TextSport, "code kept as sport_code"),
		text("polyline_map_data.summary_polyline", health.TextPolyline, ""),
	}},
	{"ActiveDurationsData", []field{
		value("activity_seconds", health.MetricActiveDuration, health.StatValue, "", ""),
		value("low_intensity_seconds", health.MetricActiveDuration, health.StatValue, health.PartLight, ""),
		value("moderate_intensity_seconds", health.MetricActiveDuration, health.StatValue, health.PartModerate, ""),
		value("vigorous_intensity_seconds", health.MetricActiveDuration, health.StatValue, health.PartVigorous, ""),
		value("inactivity_seconds", health.MetricSedentaryDuration, health.StatValue, "", ""),
		value("num_continuous_inactive_periods", health.MetricSedentaryPeriods, health.StatValue, "", ""),
		value("rest_seconds", health.MetricRestDuration, health.StatValue, "", ""),
		value("standing_hours_count", health.MetricStandingHours, health.StatValue, "", ""),
		value("standing_seconds", health.MetricStandingDuration, health.StatValue, "", ""),
	}},
	{"ActivityLevelSample", []field{
		label("activity_level", health.TrackLevel, "1 rest, 2 sedentary, 3 light, 4 moderate, 5 vigorous; older name level"),
		key("timer_duration_seconds", "time of the sample without pauses; the timestamp is what counts, here and in the other samples"),
	}},
	{"CaloriesData", []field{
		value("BMR_calories", health.MetricEnergyBasal, health.StatValue, "", ""),
		value("net_activity_calories", health.MetricEnergyActive, health.StatValue, "", ""),
		value("net_intake_calories", health.MetricEnergyIntake, health.StatValue, "", ""),
		value("total_burned_calories", health.MetricEnergyTotal, health.StatValue, "", ""),
	}},
	{"CalorieSample", []field{
		series("calories", health.MetricEnergyTotal, health.StatValue, "", ""),
		key("timer_duration_seconds", ""),
	}},
	{"DataEnrichment", []field{
		value("efficiency_score", health.MetricTerraEfficiencyScore, health.StatValue, "", "sticky, as all of DataEnrichment"),
		value("efficiency_contributors", health.MetricTerraEfficiencyScore, health.StatValue, "<contributor>", ""),
		value("strain_score", health.MetricTerraStrainScore, health.StatValue, "", ""),
		value("strain_contributors", health.MetricTerraStrainScore, health.StatValue, "<contributor>", ""),
		value("rcrs_score", health.MetricTerraRCRSScore, health.StatValue, "", ""),
		value("rcrs_contributors", health.MetricTerraRCRSScore, health.StatValue, "<contributor>", ""),
		value("trimp_score", health.MetricTerraTRIMPScore, health.StatValue, "", ""),
		value("trimp_contributors", health.MetricTerraTRIMPScore, health.StatValue, "<contributor>", ""),
		value("stress_score", health.MetricTerraStressScore, health.StatValue, "", "older model"),
	}},
	{"DistanceSample", []field{
		series("distance_meters", health.MetricDistance, health.StatValue, "", "running total: differences"),
		key("timer_duration_seconds", ""),
	}},
	{"ElevationSample", []field{
		series("elev_meters", health.MetricAltitude, health.StatValue, "", ""),
		key("timer_duration_seconds", ""),
	}},
	{"FloorsClimbedSample", []field{
		series("floors_climbed", health.MetricFloorsClimbed, health.StatValue, "", "running total: differences"),
		key("timer_duration_seconds", ""),
	}},
	{"StepSample", []field{
		series("steps", health.MetricSteps, health.StatValue, "", "running total: differences"),
		key("timer_duration_seconds", ""),
	}},
	{"DistanceDataSummary", []field{
		value("distance_meters", health.MetricDistance, health.StatValue, "", ""),
		value("floors_climbed", health.MetricFloorsClimbed, health.StatValue, "", ""),
		value("steps", health.MetricSteps, health.StatValue, "", ""),
	}},
	{"ElevationData", []field{
		value("avg_meters", health.MetricAltitude, health.StatMean, "", ""),
		value("min_meters", health.MetricAltitude, health.StatMin, "", ""),
		value("max_meters", health.MetricAltitude, health.StatMax, "", ""),
		value("gain_actual_meters", health.MetricElevationGain, health.StatValue, "", ""),
		value("gain_planned_meters", health.MetricElevationGain, health.StatGoal, "", ""),
		value("loss_actual_meters", health.MetricElevationLoss, health.StatValue, "", ""),
	}},
	{"SwimmingData", []field{
		value("num_laps", health.MetricSwimLaps, health.StatValue, "", ""),
		value("num_strokes", health.MetricSwimStrokes, health.StatValue, "", ""),
		value("pool_length_meters", health.MetricPoolLength, health.StatValue, "", ""),
	}},
	{"EnergyData", []field{
		value("energy_kilojoules", health.MetricExerciseEnergy, health.StatValue, "", "stays in kJ"),
		value("energy_planned_kilojoules", health.MetricExerciseEnergy, health.StatGoal, "", "stays in kJ"),
	}},
	{"HeartRateDataSample", []field{
		series("bpm", health.MetricHeartRate, health.StatValue, "", ""),
		label("context", health.TrackContext, "1 active, 2 rest"),
		key("timer_duration_seconds", ""),
	}},
	{"HeartRateVariabilityDataSampleRMSSD", []field{
		series("hrv_rmssd", health.MetricHRVRMSSD, health.StatValue, "", ""),
	}},
	{"HeartRateVariabilityDataSampleSDNN", []field{
		series("hrv_sdnn", health.MetricHRVSDNN, health.StatValue, "", ""),
	}},
	{"HeartRateDataSummary", []field{
		value("avg_hr_bpm", health.MetricHeartRate, health.StatMean, "", ""),
		value("min_hr_bpm", health.MetricHeartRate, health.StatMin, "", ""),
		value("max_hr_bpm", health.MetricHeartRate, health.StatMax, "", ""),
		value("avg_hrv_rmssd", health.MetricHRVRMSSD, health.StatMean, "", ""),
		value("avg_hrv_sdnn", health.MetricHRVSDNN, health.StatMean, "", ""),
		value("resting_hr_bpm", health.MetricHeartRateResting, health.StatValue, "", ""),
		value("user_max_hr_bpm", health.MetricHeartRateMaximum, health.StatValue, "", ""),
	}},
	{"HeartRateZoneData", []field{
		key("zone", "the part: zone_0 to zone_5, else zone_other"),
		text("name", "", "kept as the code of a zone segment"),
		value("start_percentage", health.MetricHeartRatePercentOfMaximum, health.StatMin, "<zone>", ""),
		value("end_percentage", health.MetricHeartRatePercentOfMaximum, health.StatMax, "<zone>", ""),
		value("duration_seconds", health.MetricHeartRateZoneDuration, health.StatValue, "<zone>", ""),
	}},
	{"LapSample", []field{
		segment("calories", health.MetricEnergyTotal, health.StatValue, "", ""),
		segment("avg_hr_bpm", health.MetricHeartRate, health.StatMean, "", ""),
		segment("avg_speed_meters_per_second", health.MetricSpeed, health.StatMean, "", ""),
		segment("distance_meters", health.MetricDistance, health.StatValue, "", ""),
		segment("total_strokes", health.MetricSwimStrokes, health.StatValue, "", ""),
		segment("avg_watts", health.MetricPower, health.StatMean, "", ""),
		segment("active_duration_seconds", health.MetricExerciseDuration, health.StatValue, "", ""),
		label("stroke_type", health.TrackSwimLength, "label of a parallel segment"),
		label("trigger_method", health.TrackLap, ""),
	}},
	{"METData", []field{
		value("avg_level", health.MetricMET, health.StatMean, "", ""),
		value("num_high_intensity_minutes", health.MetricMETDuration, health.StatValue, health.PartVigorous, "x 60"),
		value("num_moderate_intensity_minutes", health.MetricMETDuration, health.StatValue, health.PartModerate, "x 60"),
		value("num_low_intensity_minutes", health.MetricMETDuration, health.StatValue, health.PartLight, "x 60"),
		value("num_inactive_minutes", health.MetricMETDuration, health.StatValue, health.PartSedentary, "x 60"),
	}},
	{"METSample", []field{
		series("level", health.MetricMET, health.StatValue, "", ""),
	}},
	{"MovementData", []field{
		value("avg_speed_meters_per_second", health.MetricSpeed, health.StatMean, "", ""),
		value("max_speed_meters_per_second", health.MetricSpeed, health.StatMax, "", ""),
		value("adjusted_max_speed_meters_per_second", health.MetricSpeedAdjusted, health.StatMax, "", ""),
		value("normalized_speed_meters_per_second", health.MetricSpeedNormalized, health.StatValue, "", ""),
		value("avg_velocity_meters_per_second", health.MetricVelocity, health.StatMean, "", ""),
		value("max_velocity_meters_per_second", health.MetricVelocity, health.StatMax, "", ""),
		value("avg_pace_minutes_per_kilometer", health.MetricPace, health.StatMean, "", "x 60"),
		value("max_pace_minutes_per_kilometer", health.MetricPace, health.StatMin, "", "x 60; the fastest pace is the smallest number"),
		value("avg_cadence_rpm", health.MetricCadence, health.StatMean, "", ""),
		value("max_cadence_rpm", health.MetricCadence, health.StatMax, "", ""),
		value("avg_torque_newton_meters", health.MetricTorque, health.StatMean, "", ""),
		value("max_torque_newton_meters", health.MetricTorque, health.StatMax, "", ""),
	}},
	{"CadenceSample", []field{
		series("cadence_rpm", health.MetricCadence, health.StatValue, "", ""),
		key("timer_duration_seconds", ""),
	}},
	{"SpeedSample", []field{
		series("speed_meters_per_second", health.MetricSpeed, health.StatValue, "", ""),
		key("timer_duration_seconds", ""),
	}},
	{"TorqueSample", []field{
		series("torque_newton_meters", health.MetricTorque, health.StatValue, "", ""),
		key("timer_duration_seconds", ""),
	}},
	{"OxygenData", []field{
		value("avg_saturation_percentage", health.MetricSpO2, health.StatMean, "", ""),
		value("vo2max_ml_per_min_per_kg", health.MetricVO2Max, health.StatValue, "", ""),
		value("day_avg_vo2max_ml_per_min_per_kg", health.MetricVO2Max, health.StatMean, "", ""),
	}},
	{"OxygenSaturationSample", []field{
		series("percentage", health.MetricSpO2, health.StatValue, "", "type 0; type 1 is muscle_oxygen_saturation"),
		series("percentage, type 1", health.MetricMuscleOxygenSaturation, health.StatValue, "", ""),
		key("type", "chooses the metric"),
	}},
	{"Vo2MaxSample", []field{
		series("vo2max_ml_per_min_per_kg", health.MetricVO2Max, health.StatValue, "", ""),
	}},
	{"PositionData", []field{
		value("start_pos_lat_lng_deg", health.MetricLatitude, health.StatStart, "", "first element"),
		value("start_pos_lat_lng_deg", health.MetricLongitude, health.StatStart, "", "second element"),
		value("end_pos_lat_lng_deg", health.MetricLatitude, health.StatEnd, "", "first element"),
		value("end_pos_lat_lng_deg", health.MetricLongitude, health.StatEnd, "", "second element"),
		value("center_pos_lat_lng_deg", health.MetricLatitude, health.StatValue, health.PartCenter, "first element"),
		value("center_pos_lat_lng_deg", health.MetricLongitude, health.StatValue, health.PartCenter, "second element"),
	}},
	{"PositionSample", []field{
		series("coords_lat_lng_deg", health.MetricLatitude, health.StatValue, "", "first element"),
		series("coords_lat_lng_deg", health.MetricLongitude, health.StatValue, "", "second element"),
		key("timer_duration_seconds", ""),
	}},
	{"PowerData", []field{
		value("avg_watts", health.MetricPower, health.StatMean, "", ""),
		value("max_watts", health.MetricPower, health.StatMax, "", ""),
	}},
	{"PowerSample", []field{
		series("watts", health.MetricPower, health.StatValue, "", ""),
		key("timer_duration_seconds", ""),
	}},
	{"StrainData", []field{
		value("strain_level", health.MetricStrain, health.StatValue, "", ""),
	}},
	{"TSSSample", []field{
		series("actual", health.MetricTrainingStressScore, health.StatValue, "", "a single sample may be a value; as the rows below"),
		series("planned", health.MetricTrainingStressScore, health.StatGoal, "", ""),
		series("intensity_factor_actual", health.MetricIntensityFactor, health.StatValue, "", ""),
		series("intensity_factor_planned", health.MetricIntensityFactor, health.StatGoal, "", ""),
		series("normalized_power_watts", health.MetricPowerNormalized, health.StatValue, "", ""),
		text("method", health.TextIntensityMethod, ""),
	}},
	{"WorkData", []field{
		value("work_kilojoules", health.MetricWork, health.StatValue, "", "stays in kJ"),
	}},
}

// terraDailyFields are the fields that only Terra's Daily model has.
var terraDailyFields = []object{
	{"Daily", []field{
		unmapped("(shared objects)", "ActiveDurationsData, CaloriesData, ElevationData, SwimmingData, HeartRateData, METData, OxygenData and StrainData are those of an activity"),
	}},
	{"DailyDataEnrichment", []field{
		value("total_stress_score", health.MetricTerraStressScore, health.StatValue, "", "sticky, as all of DailyDataEnrichment"),
		value("stress_contributors", health.MetricTerraStressScore, health.StatValue, "<contributor>", ""),
		value("respiratory_score", health.MetricTerraRespiratoryScore, health.StatValue, "", ""),
		value("respiratory_contributors", health.MetricTerraRespiratoryScore, health.StatValue, "<contributor>", ""),
		value("immune_index", health.MetricTerraImmuneIndex, health.StatValue, "", ""),
		value("immune_contributors", health.MetricTerraImmuneIndex, health.StatValue, "<contributor>", ""),
		value("resilience_score", health.MetricTerraResilienceScore, health.StatValue, "", ""),
		value("resilience_contributors", health.MetricTerraResilienceScore, health.StatValue, "<contributor>", ""),
		value("strain_index", health.MetricTerraStrainIndex, health.StatValue, "", ""),
		text("strain_traffic_light", health.TextStrainTrafficLight, ""),
		value("strain_contributors", health.MetricTerraStrainIndex, health.StatValue, "<contributor>", ""),
		value("total_stress_score_v2", health.MetricTerraStressScoreV2, health.StatValue, "", ""),
		value("total_stress_score_v2_contributors", health.MetricTerraStressScoreV2, health.StatValue, "<contributor>", ""),
		value("cardiovascular_score", health.MetricTerraCardiovascularScore, health.StatValue, "", "older model"),
		value("cardiovascular_contributors", health.MetricTerraCardiovascularScore, health.StatValue, "<contributor>", "older model"),
		value("readiness_score", health.MetricTerraReadinessScore, health.StatValue, "", "older model"),
		value("readiness_contributors", health.MetricTerraReadinessScore, health.StatValue, "<contributor>", "older model"),
	}},
	{"DailyDistanceData", []field{
		value("distance_meters", health.MetricDistance, health.StatValue, "", ""),
		value("floors_climbed", health.MetricFloorsClimbed, health.StatValue, "", ""),
		value("steps", health.MetricSteps, health.StatValue, "", ""),
	}},
	{"ScoresData", []field{
		value("activity", health.MetricActivityScore, health.StatValue, "", ""),
		value("recovery", health.MetricRecoveryScore, health.StatValue, "", ""),
		value("sleep", health.MetricSleepScore, health.StatValue, "", ""),
		value("biological_age", health.MetricBiologicalAge, health.StatValue, "", "older model"),
	}},
	{"StressData", []field{
		value("avg_stress_level", health.MetricStressLevel, health.StatMean, "", ""),
		value("max_stress_level", health.MetricStressLevel, health.StatMax, "", ""),
		value("stress_duration_seconds", health.MetricStressDuration, health.StatValue, "", ""),
		value("rest_stress_duration_seconds", health.MetricStressDuration, health.StatValue, health.PartRest, ""),
		value("low_stress_duration_seconds", health.MetricStressDuration, health.StatValue, health.PartLow, ""),
		value("medium_stress_duration_seconds", health.MetricStressDuration, health.StatValue, health.PartMedium, ""),
		value("high_stress_duration_seconds", health.MetricStressDuration, health.StatValue, health.PartHigh, ""),
		value("activity_stress_duration_seconds", health.MetricStressDuration, health.StatValue, health.PartActivity, ""),
		text("stress_rating", health.TextStressRating, ""),
	}},
	{"StressSample", []field{
		series("level", health.MetricStressLevel, health.StatValue, "", ""),
	}},
	{"BodyBatterySample", []field{
		series("level", health.MetricBodyBattery, health.StatValue, "", ""),
	}},
	{"TagEntry", []field{
		label("tag_name", health.TrackTag, ""),
	}},
}

// terraSleepFields are the fields of Terra's Sleep model.
var terraSleepFields = []object{
	{"SleepDataEnrichment", []field{
		value("sleep_score", health.MetricTerraSleepScore, health.StatValue, "", "sticky, as all of SleepDataEnrichment"),
		value("sleep_contributors", health.MetricTerraSleepScore, health.StatValue, "<contributor>", ""),
		value("sleep_score_v2", health.MetricTerraSleepScoreV2, health.StatValue, "", ""),
		value("sleep_score_v2_contributors", health.MetricTerraSleepScoreV2, health.StatValue, "<contributor>", ""),
		value("readiness_score", health.MetricTerraReadinessScore, health.StatValue, "", ""),
		value("readiness_contributors", health.MetricTerraReadinessScore, health.StatValue, "<contributor>", ""),
		value("respiratory_score_v2", health.MetricTerraRespiratoryScoreV2, health.StatValue, "", ""),
		value("respiratory_score_v2_contributors", health.MetricTerraRespiratoryScoreV2, health.StatValue, "<contributor>", ""),
	}},
	{"SleepMetadata", []field{
		text("is_nap", health.TextSleepType, ""),
	}},
	{"ReadinessData", []field{
		value("readiness", health.MetricReadinessScore, health.StatValue, "", ""),
		value("recovery_level", health.MetricRecoveryLevel, health.StatValue, "", ""),
	}},
	{"BreathsData", []field{
		value("avg_breaths_per_min", health.MetricRespiratoryRate, health.StatMean, "", ""),
		value("min_breaths_per_min", health.MetricRespiratoryRate, health.StatMin, "", ""),
		value("max_breaths_per_min", health.MetricRespiratoryRate, health.StatMax, "", ""),
	}},
	{"BreathSample", []field{
		series("breaths_per_min", health.MetricRespiratoryRate, health.StatValue, "", ""),
	}},
	{"OxygenSaturationData", []field{
		value("avg_saturation_percentage", health.MetricSpO2, health.StatMean, "", ""),
		series("samples.percentage", health.MetricSpO2, health.StatValue, "", ""),
	}},
	{"SnoringData", []field{
		value("num_snoring_events", health.MetricSnoringEpisodes, health.StatValue, "", ""),
		value("total_snoring_duration_seconds", health.MetricSnoringDuration, health.StatValue, "", ""),
	}},
	{"SnoringSample", []field{
		series("duration_seconds", health.MetricSnoringDuration, health.StatValue, "", ""),
	}},
	{"SleepScores", []field{
		value("sleep", health.MetricSleepScore, health.StatValue, "", ""),
	}},
	{"SleepDurationsData", []field{
		value("sleep_efficiency", health.MetricSleepEfficiency, health.StatValue, "", "a number up to 1 is a ratio: x 100"),
	}},
	{"AsleepDurations", []field{
		value("duration_asleep_state_seconds", health.MetricSleepDuration, health.StatValue, "", "where null, light + deep + REM, derived"),
		value("duration_deep_sleep_state_seconds", health.MetricSleepDeep, health.StatValue, "", ""),
		value("duration_light_sleep_state_seconds", health.MetricSleepLight, health.StatValue, "", ""),
		value("duration_REM_sleep_state_seconds", health.MetricSleepREM, health.StatValue, "", ""),
		value("num_REM_events", health.MetricSleepStageEpisodes, health.StatValue, health.PartREM, ""),
	}},
	{"AwakeDurations", []field{
		value("duration_awake_state_seconds", health.MetricSleepAwake, health.StatValue, "", ""),
		value("duration_long_interruption_seconds", health.MetricSleepInterruptionDuration, health.StatValue, health.PartLong, ""),
		value("duration_short_interruption_seconds", health.MetricSleepInterruptionDuration, health.StatValue, health.PartShort, ""),
		value("num_out_of_bed_events", health.MetricSleepOutOfBedCount, health.StatValue, "", ""),
		value("num_wakeup_events", health.MetricSleepAwakenings, health.StatValue, "", ""),
		value("sleep_latency_seconds", health.MetricSleepLatency, health.StatValue, "", ""),
		value("wake_up_latency_seconds", health.MetricSleepWakeupLatency, health.StatValue, "", ""),
	}},
	{"SleepHypnogramSample", []field{
		label("level", health.TrackStage, "1 awake, 2 asleep, 3 out_of_bed, 4 light, 5 deep, 6 rem"),
	}},
	{"OtherSleepDurations", []field{
		value("duration_in_bed_seconds", health.MetricSleepInBed, health.StatValue, "", ""),
		value("duration_unmeasurable_sleep_seconds", health.MetricSleepUnmeasurable, health.StatValue, "", ""),
	}},
	{"SleepTemperatureData", []field{
		value("delta", health.MetricSkinTemperatureDeviation, health.StatValue, "", ""),
	}},
}

// terraBodyFields are the fields of Terra's Body model.
var terraBodyFields = []object{
	{"BloodPressureData", []field{
		value("day_avg_systolic_bp", health.MetricBloodPressureSystolic, health.StatMean, "", ""),
		value("day_avg_diastolic_bp", health.MetricBloodPressureDiastolic, health.StatMean, "", ""),
	}},
	{"BloodPressureSample", []field{
		series("systolic_bp", health.MetricBloodPressureSystolic, health.StatValue, "", ""),
		series("diastolic_bp", health.MetricBloodPressureDiastolic, health.StatValue, "", ""),
	}},
	{"AFibClassificationSample", []field{
		label("afib_classification", health.TrackRhythm, "0 negative, 1 positive, 2 inconclusive"),
	}},
	{"ECGReading", []field{
		value("avg_hr_bpm", health.MetricHeartRate, health.StatMean, "", "of the ecg record"),
		text("afib_classification", health.TextAFibResult, "of the ecg record"),
	}},
	{"RawECGSample", []field{
		series("potential_uV", health.MetricECGVoltage, health.StatValue, "", "of the ecg record"),
	}},
	{"PulseVelocitySample", []field{
		series("pulse_wave_velocity_meters_per_second", health.MetricPulseWaveVelocity, health.StatValue, "", ""),
	}},
	{"RRIntervalSample", []field{
		series("rr_interval_ms", health.MetricRRInterval, health.StatValue, "", ""),
		series("hr_bpm", health.MetricHeartRate, health.StatValue, health.PartBeatToBeat, ""),
	}},
	{"HydrationData", []field{
		value("day_total_water_consumption_ml", health.MetricWaterIntake, health.StatValue, "", ""),
		value("day_avg_hydration_kg", health.MetricBodyWaterMass, health.StatMean, "", ""),
	}},
	{"HydrationMeasurementSample", []field{
		series("hydration_kg", health.MetricBodyWaterMass, health.StatValue, "", ""),
	}},
	{"KetoneData", []field{
		value("day_avg_ketone_mg_per_dL", health.MetricKetones, health.StatMean, "", ""),
	}},
	{"KetoneSample", []field{
		series("ketone_mg_per_dL", health.MetricKetones, health.StatValue, "<specimen>", "sample_type 1 blood, 2 urine, 3 breath"),
		key("sample_type", "the part"),
	}},
	{"MeasurementsData", []field{
		value("day_avg_bmi", health.MetricBMI, health.StatMean, "", ""),
		value("day_avg_bmr", health.MetricBasalMetabolicRate, health.StatMean, "", ""),
		value("day_avg_rmr", health.MetricRestingMetabolicRate, health.StatMean, "", ""),
		value("day_avg_estimated_fitness_age", health.MetricFitnessAge, health.StatMean, "", ""),
		value("day_avg_skin_fold_mm", health.MetricSkinfoldThickness, health.StatMean, "", ""),
		value("day_avg_bodyfat_percentage", health.MetricBodyFatPercentage, health.StatMean, "", ""),
		value("day_avg_weight_kg", health.MetricBodyWeight, health.StatMean, "", ""),
		value("day_avg_height_cm", health.MetricBodyHeight, health.StatMean, "", "/ 100"),
		value("day_avg_bone_mass_g", health.MetricBoneMass, health.StatMean, "", "/ 1000"),
		value("day_avg_muscle_mass_g", health.MetricMuscleMass, health.StatMean, "", "/ 1000"),
		value("day_avg_lean_mass_g", health.MetricFatFreeMass, health.StatMean, "", "/ 1000"),
		value("day_avg_water_percentage", health.MetricBodyWaterPercentage, health.StatMean, "", ""),
		value("day_avg_insulin_units", health.MetricInsulinDose, health.StatMean, "", ""),
		value("day_avg_visceral_fat_level", health.MetricVisceralFatIndex, health.StatMean, "", ""),
	}},
	{"MeasurementDataSample", []field{
		value("BMI", health.MetricBMI, health.StatValue, "", "each measurement is a record of its own, at its measurement_time"),
		value("BMR", health.MetricBasalMetabolicRate, health.StatValue, "", ""),
		value("RMR", health.MetricRestingMetabolicRate, health.StatValue, "", ""),
		value("estimated_fitness_age", health.MetricFitnessAge, health.StatValue, "", ""),
		value("skin_fold_mm", health.MetricSkinfoldThickness, health.StatValue, "", ""),
		value("bodyfat_percentage", health.MetricBodyFatPercentage, health.StatValue, "", ""),
		value("weight_kg", health.MetricBodyWeight, health.StatValue, "", ""),
		value("height_cm", health.MetricBodyHeight, health.StatValue, "", "/ 100"),
		value("bone_mass_g", health.MetricBoneMass, health.StatValue, "", "/ 1000"),
		value("muscle_mass_g", health.MetricMuscleMass, health.StatValue, "", "/ 1000"),
		value("lean_mass_g", health.MetricFatFreeMass, health.StatValue, "", "/ 1000"),
		value("water_percentage", health.MetricBodyWaterPercentage, health.StatValue, "", ""),
		value("insulin_units", health.MetricInsulinDose, health.StatValue, "", ""),
		text("insulin_type", health.TextInsulinType, ""),
		text("urine_color", health.TextUrineColor, ""),
		value("visceral_fat_level", health.MetricVisceralFatIndex, health.StatValue, "", ""),
		text("visceral_fat_category", health.TextVisceralFatCategory, ""),
	}},
	{"TemperatureData", []field{
		value("day_avg_ambient_temperature_celsius", health.MetricAmbientTemperature, health.StatMean, "", ""),
		value("day_avg_body_temperature_celsius", health.MetricBodyTemperature, health.StatMean, "", ""),
		value("day_avg_skin_temperature_celsius", health.MetricSkinTemperature, health.StatMean, "", ""),
	}},
	{"TemperatureSample", []field{
		series("temperature_celsius (ambient)", health.MetricAmbientTemperature, health.StatValue, "", "the array says which"),
		series("temperature_celsius (body)", health.MetricBodyTemperature, health.StatValue, "", ""),
		series("temperature_celsius (skin)", health.MetricSkinTemperature, health.StatValue, "", ""),
	}},
	{"GlucoseData", []field{
		value("day_avg_blood_glucose_mg_per_dL", health.MetricBloodGlucose, health.StatMean, "", ""),
		alternative("day_avg_blood_glucose_mg_per_dl", health.MetricBloodGlucose, health.StatMean, "", "second spelling"),
		value("day_avg_detailed_blood_glucose_mg_per_dL", health.MetricBloodGlucose, health.StatMean, health.PartDetailed, ""),
		value("gmi", health.MetricGlucoseManagementIndicator, health.StatValue, "", ""),
		value("time_in_range", health.MetricGlucoseTimeInRange, health.StatValue, "", ""),
		value("sensor_usage", health.MetricGlucoseReadings, health.StatValue, "", ""),
	}},
	{"GlucoseDataSample", []field{
		series("blood_glucose_mg_per_dL", health.MetricBloodGlucose, health.StatValue, "", "detailed_blood_glucose_samples: part detailed"),
		series("glucose_level_flag", health.MetricBloodGlucoseLevel, health.StatValue, "", "0 normal is 0, 1 high is 1, 2 low is -1"),
		series("trend_arrow", health.MetricBloodGlucoseTrend, health.StatValue, "", "code - 3; 0 is unknown and left out"),
	}},
	{"DailyPatternSample", []field{
		key("time_from_midnight", "the time of the point: start of the day + hours"),
		series("percentile_5", health.MetricBloodGlucosePercentile, health.StatValue, health.PartP5, ""),
		series("percentile_25", health.MetricBloodGlucosePercentile, health.StatValue, health.PartP25, ""),
		series("percentile_50", health.MetricBloodGlucosePercentile, health.StatValue, health.PartP50, ""),
		series("percentile_75", health.MetricBloodGlucosePercentile, health.StatValue, health.PartP75, ""),
		series("percentile_95", health.MetricBloodGlucosePercentile, health.StatValue, health.PartP95, ""),
	}},
}
