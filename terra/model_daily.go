package terra

// Daily summarises one civil day of a person: the first ten characters of
// Metadata.StartTime, which are its key. It is a running total that is sent
// again as the day goes on.
type Daily struct {
	ActiveDurationsData ActiveDurationsData `json:"active_durations_data,omitzero"`
	CaloriesData        CaloriesData        `json:"calories_data,omitzero"`
	DataEnrichment      DailyDataEnrichment `json:"data_enrichment,omitzero"`
	DeviceData          DeviceData          `json:"device_data,omitzero"`
	DistanceData        DailyDistanceData   `json:"distance_data,omitzero"`
	HeartRateData       HeartRateData       `json:"heart_rate_data,omitzero"`
	METData             METData             `json:"MET_data,omitzero"`
	Metadata            DailyMetadata       `json:"metadata,omitzero"`
	OxygenData          OxygenData          `json:"oxygen_data,omitzero"`
	Scores              ScoresData          `json:"scores,omitzero"`
	StrainData          StrainData          `json:"strain_data,omitzero"`
	StressData          StressData          `json:"stress_data,omitzero"`
	TagData             TagData             `json:"tag_data,omitzero"`
}

// DailyMetadata says which day a Daily is about.
type DailyMetadata struct {
	EndTime               Timestamp              `json:"end_time"`
	StartTime             Timestamp              `json:"start_time"`
	TimestampLocalization *TimestampLocalization `json:"timestamp_localization,omitzero"`
	UploadType            *UploadType            `json:"upload_type,omitzero"`
}

// DailyDataEnrichment holds the scores that Terra computes for a day. A later delivery
// may lack them: null does not mean that a score was taken back.
type DailyDataEnrichment struct {
	TotalStressScore               Number       `json:"total_stress_score,omitzero"`
	StressContributors             Contributors `json:"stress_contributors,omitzero"`
	RespiratoryScore               Number       `json:"respiratory_score,omitzero"`
	RespiratoryContributors        Contributors `json:"respiratory_contributors,omitzero"`
	ImmuneIndex                    Number       `json:"immune_index,omitzero"`
	ImmuneContributors             Contributors `json:"immune_contributors,omitzero"`
	ResilienceScore                Number       `json:"resilience_score,omitzero"`
	ResilienceContributors         Contributors `json:"resilience_contributors,omitzero"`
	StrainIndex                    Number       `json:"strain_index,omitzero"`
	StrainTrafficLight             string       `json:"strain_traffic_light,omitzero"` // e.g. GREEN, AMBER, RED
	StrainContributors             Contributors `json:"strain_contributors,omitzero"`
	TotalStressScoreV2             Number       `json:"total_stress_score_v2,omitzero"`
	TotalStressScoreV2Contributors Contributors `json:"total_stress_score_v2_contributors,omitzero"`
	CardiovascularScore            Number       `json:"cardiovascular_score,omitzero"`        // older models only
	CardiovascularContributors     Contributors `json:"cardiovascular_contributors,omitzero"` // older models only
	ReadinessScore                 Number       `json:"readiness_score,omitzero"`             // older models only
	ReadinessContributors          Contributors `json:"readiness_contributors,omitzero"`      // older models only
	StartTime                      Timestamp    `json:"start_time,omitzero"`                  // older models only
}

// DailyDistanceData holds distances, floors and steps of a day.
type DailyDistanceData struct {
	Detailed       DistanceDataDetailed `json:"detailed,omitzero"`
	DistanceMeters Number               `json:"distance_meters,omitzero"`
	Elevation      ElevationData        `json:"elevation,omitzero"`
	FloorsClimbed  Number               `json:"floors_climbed,omitzero"`
	Steps          Number               `json:"steps,omitzero"` // count
	Swimming       SwimmingData         `json:"swimming,omitzero"`
}

// ScoresData holds the scores of the provider.
type ScoresData struct {
	Activity      Number `json:"activity,omitzero"`       // 0 to 100
	Recovery      Number `json:"recovery,omitzero"`       // 0 to 100
	Sleep         Number `json:"sleep,omitzero"`          // 0 to 100, previous night
	BiologicalAge Number `json:"biological_age,omitzero"` // years, models of mid 2025 only
}

// StressData holds stress in the scale of the provider.
type StressData struct {
	AvgStressLevel                Number                     `json:"avg_stress_level,omitzero"`
	ActivityStressDurationSeconds Number                     `json:"activity_stress_duration_seconds,omitzero"`
	LowStressDurationSeconds      Number                     `json:"low_stress_duration_seconds,omitzero"`
	MaxStressLevel                Number                     `json:"max_stress_level,omitzero"`
	MediumStressDurationSeconds   Number                     `json:"medium_stress_duration_seconds,omitzero"`
	Samples                       Samples[StressSample]      `json:"samples,omitzero"`
	RestStressDurationSeconds     Number                     `json:"rest_stress_duration_seconds,omitzero"`
	HighStressDurationSeconds     Number                     `json:"high_stress_duration_seconds,omitzero"`
	StressDurationSeconds         Number                     `json:"stress_duration_seconds,omitzero"`
	StressRating                  *StressLevel               `json:"stress_rating,omitzero"`
	BodyBatterySamples            Samples[BodyBatterySample] `json:"body_battery_samples,omitzero"`
}

// StressSample is a stress level.
type StressSample struct {
	Timestamp Timestamp `json:"timestamp,omitzero"`
	Level     Number    `json:"level,omitzero"` // provider scale
}

// BodyBatterySample is an energy level.
type BodyBatterySample struct {
	Timestamp Timestamp `json:"timestamp,omitzero"`
	Level     Number    `json:"level,omitzero"` // energy level
}

// TagData holds what the person noted.
type TagData struct {
	Tags []TagEntry `json:"tags,omitzero"`
}

// TagEntry is one note of the person.
type TagEntry struct {
	Timestamp Timestamp `json:"timestamp"`
	TagName   string    `json:"tag_name"`
	Notes     string    `json:"notes"`
}
