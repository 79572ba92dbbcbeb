package health

// Heart, circulation and breathing.
const (
	MetricHeartRate                    Metric = "heart_rate"
	MetricHeartRateResting             Metric = "heart_rate_resting"
	MetricHeartRateRestingRange        Metric = "heart_rate_resting_range"
	MetricHeartRateMaximum             Metric = "heart_rate_maximum"
	MetricHeartRateThreshold           Metric = "heart_rate_threshold"
	MetricHeartRatePercentOfMaximum    Metric = "heart_rate_percent_of_maximum"
	MetricHeartRatePercentOfThreshold  Metric = "heart_rate_percent_of_threshold"
	MetricHeartRateZoneBound           Metric = "heart_rate_zone_bound"
	MetricHeartRateZoneDuration        Metric = "heart_rate_zone_duration"
	MetricHeartRateZoneEnergy          Metric = "heart_rate_zone_energy"
	MetricHRVRMSSD                     Metric = "hrv_rmssd"
	MetricHRVRMSSDRange                Metric = "hrv_rmssd_range"
	MetricHRVSDNN                      Metric = "hrv_sdnn"
	MetricHRVHFPower                   Metric = "hrv_hf_power"
	MetricHRVLFPower                   Metric = "hrv_lf_power"
	MetricHRVEntropy                   Metric = "hrv_entropy"
	MetricHRVCoverage                  Metric = "hrv_coverage"
	MetricHRVQuality                   Metric = "hrv_quality"
	MetricRRInterval                   Metric = "rr_interval"
	MetricBloodPressureSystolic        Metric = "blood_pressure_systolic"
	MetricBloodPressureDiastolic       Metric = "blood_pressure_diastolic"
	MetricPulseWaveVelocity            Metric = "pulse_wave_velocity"
	MetricECGVoltage                   Metric = "ecg_voltage"
	MetricECGSamplingFrequency         Metric = "ecg_sampling_frequency"
	MetricECGLead                      Metric = "ecg_lead"
	MetricECGPRInterval                Metric = "ecg_pr_interval"
	MetricECGQRSDuration               Metric = "ecg_qrs_duration"
	MetricECGQTInterval                Metric = "ecg_qt_interval"
	MetricECGQTcInterval               Metric = "ecg_qtc_interval"
	MetricSpO2                         Metric = "spo2"
	MetricSpO2LowerBound               Metric = "spo2_lower_bound"
	MetricSpO2UpperBound               Metric = "spo2_upper_bound"
	MetricMuscleOxygenSaturation       Metric = "muscle_oxygen_saturation"
	MetricRespiratoryRate              Metric = "respiratory_rate"
	MetricRespiratoryRateSignalToNoise Metric = "respiratory_rate_signal_to_noise"
	MetricChestMovementRate            Metric = "chest_movement_rate"
	MetricVO2Max                       Metric = "vo2_max"
	MetricVO2MaxCovariance             Metric = "vo2_max_covariance"
	MetricAHI                          Metric = "ahi"
	MetricBreathingDisturbances        Metric = "breathing_disturbances"
	MetricBreathingQuality             Metric = "breathing_quality"
	MetricBreathingSoundsDuration      Metric = "breathing_sounds_duration"
	MetricBreathingSoundsEpisodes      Metric = "breathing_sounds_episodes"
	MetricSnoringDuration              Metric = "snoring_duration"
	MetricSnoringEpisodes              Metric = "snoring_episodes"
)

var heartMetrics = [...]Definition{
	{MetricHeartRate, "/min", "8867-4", reading, 20, 300, "Heart beats per minute."},
	{MetricHeartRateResting, "/min", "40443-4", reading, 20, 200, "Heart rate at rest, by the method of the provider."},
	{MetricHeartRateRestingRange, "/min", "", reading, 20, 200, "The person's usual resting heart rate: its lower end as minimum, its upper end as maximum."},
	{MetricHeartRateMaximum, "/min", "", reading, 60, 300, "The highest heart rate the person can reach, a trait of the person and not the maximum of a span."},
	{MetricHeartRateThreshold, "/min", "", reading, 40, 300, "Heart rate at the lactate threshold."},
	{MetricHeartRatePercentOfMaximum, "%", "", reading, 0, 150, "Heart rate relative to the person's maximum."},
	{MetricHeartRatePercentOfThreshold, "%", "", reading, 0, 200, "Heart rate relative to the person's threshold."},
	{MetricHeartRateZoneBound, "/min", "", reading, 0, 300, "Bounds of the heart rate zone the part names: lower as minimum, upper as maximum."},
	{MetricHeartRateZoneDuration, "s", "", additive, 0, 2678400, "Time in the heart rate zone the part names."},
	{MetricHeartRateZoneEnergy, "kcal", "", additive, 0, 50000, "Energy spent in the heart rate zone the part names."},
	{MetricHRVRMSSD, "ms", "", reading, 1, 500, "Heart rate variability as root mean square of successive differences."},
	{MetricHRVRMSSDRange, "ms", "", reading, 1, 500, "The person's usual RMSSD: its lower end as minimum, its upper end as maximum."},
	{MetricHRVSDNN, "ms", "80404-7", reading, 1, 500, "Heart rate variability as standard deviation of beat to beat intervals."},
	{MetricHRVHFPower, "ms2", "", reading, 0, 1000000, "Heart rate variability in the high frequency band, 0.15 to 0.4 Hz."},
	{MetricHRVLFPower, "ms2", "", reading, 0, 1000000, "Heart rate variability in the low frequency band, 0.04 to 0.15 Hz."},
	{MetricHRVEntropy, "1", "", reading, 0, 100, "Entropy of the beat to beat intervals."},
	{MetricHRVCoverage, "%", "", reading, 0, 100, "Share of a variability interval that is covered by data; a ratio is to be multiplied by 100."},
	{MetricHRVQuality, "{score}", "", reading, 0, 0, "Provider's rating of a variability reading."},
	{MetricRRInterval, "ms", "", reading, 150, 4000, "Time between two successive heart beats."},
	{MetricBloodPressureSystolic, "mm[Hg]", "8480-6", reading, 40, 300, "Arterial pressure at the beat."},
	{MetricBloodPressureDiastolic, "mm[Hg]", "8462-4", reading, 20, 200, "Arterial pressure between beats."},
	{MetricPulseWaveVelocity, "m/s", "", reading, 1, 40, "Speed of the pulse wave along the arteries."},
	{MetricECGVoltage, "uV", "", reading, -100000, 100000, "Potential of one electrocardiogram lead."},
	{MetricECGSamplingFrequency, "Hz", "", reading, 1, 10000, "Samples per second of an electrocardiogram."},
	{MetricECGLead, "{number}", "", reading, 1, 12, "Number of the electrocardiogram lead."},
	{MetricECGPRInterval, "ms", "8625-6", reading, 20, 1000, "Start of the P wave to the start of the QRS complex."},
	{MetricECGQRSDuration, "ms", "8633-0", reading, 20, 500, "Duration of the QRS complex."},
	{MetricECGQTInterval, "ms", "8634-8", reading, 100, 1000, "Start of the QRS complex to the end of the T wave."},
	{MetricECGQTcInterval, "ms", "8636-3", reading, 100, 1000, "QT interval corrected for heart rate."},
	{MetricSpO2, "%", "59408-5", reading, 40, 100, "Oxygen saturation of arterial blood by pulse oximetry."},
	{MetricSpO2LowerBound, "%", "", reading, 0, 100, "Lower bound of the confidence interval of a mean saturation, not the lowest reading."},
	{MetricSpO2UpperBound, "%", "", reading, 0, 100, "Upper bound of the confidence interval of a mean saturation, not the highest reading."},
	{MetricMuscleOxygenSaturation, "%", "", reading, 0, 100, "Oxygen saturation of muscle tissue."},
	{MetricRespiratoryRate, "/min", "9279-1", reading, 3, 90, "Breaths per minute."},
	{MetricRespiratoryRateSignalToNoise, "1", "", reading, 0, 0, "Signal to noise ratio of a respiratory rate."},
	{MetricChestMovementRate, "/min", "", reading, 0, 200, "Movements of the chest per minute."},
	{MetricVO2Max, "mL/min/kg", "", reading, 5, 100, "Maximal oxygen uptake per body weight."},
	{MetricVO2MaxCovariance, "mL2/min2/kg2", "", reading, 0, 0, "Uncertainty of a maximal oxygen uptake as the provider states it."},
	{MetricAHI, "/h", "", reading, 0, 200, "Apnoeas and hypopnoeas per hour of sleep."},
	{MetricBreathingDisturbances, "{score}", "", reading, 0, 1000, "Intensity of breathing disturbances on the provider's scale."},
	{MetricBreathingQuality, "{score}", "", reading, 0, 0, "Provider's assessment of breathing at night."},
	{MetricBreathingSoundsDuration, "s", "", additive, 0, 172800, "Time with audible breathing."},
	{MetricBreathingSoundsEpisodes, "{count}", "", additive, 0, 10000, "Number of episodes of audible breathing."},
	{MetricSnoringDuration, "s", "", additive, 0, 172800, "Time spent snoring."},
	{MetricSnoringEpisodes, "{count}", "", additive, 0, 10000, "Number of snoring episodes."},
}
