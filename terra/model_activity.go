package terra

// Activity is one workout. Its key is Metadata.SummaryID, which is unique per user.
type Activity struct {
	ActiveDurationsData ActiveDurationsData `json:"active_durations_data,omitzero"`
	CaloriesData        CaloriesData        `json:"calories_data,omitzero"`
	CheatDetection      Number              `json:"cheat_detection,omitzero"` // flag number
	DataEnrichment      DataEnrichment      `json:"data_enrichment,omitzero"`
	DeviceData          DeviceData          `json:"device_data,omitzero"`
	DistanceData        DistanceData        `json:"distance_data,omitzero"`
	EnergyData          EnergyData          `json:"energy_data,omitzero"`
	HeartRateData       HeartRateData       `json:"heart_rate_data,omitzero"`
	LapData             LapData             `json:"lap_data,omitzero"`
	METData             METData             `json:"MET_data,omitzero"`
	Metadata            ActivityMetadata    `json:"metadata,omitzero"`
	MovementData        MovementData        `json:"movement_data,omitzero"`
	OxygenData          OxygenData          `json:"oxygen_data,omitzero"`
	PolylineMapData     PolylineMapData     `json:"polyline_map_data,omitzero"`
	PositionData        PositionData        `json:"position_data,omitzero"`
	PowerData           PowerData           `json:"power_data,omitzero"`
	StrainData          StrainData          `json:"strain_data,omitzero"`
	TSSData             TSSData             `json:"TSS_data,omitzero"`
	WorkData            WorkData            `json:"work_data,omitzero"`
}

// ActivityMetadata says what an activity is and when it was.
type ActivityMetadata struct {
	City                  string                 `json:"city,omitzero"`
	Country               string                 `json:"country,omitzero"`
	EndTime               Timestamp              `json:"end_time"`
	Name                  string                 `json:"name,omitzero"`
	StartTime             Timestamp              `json:"start_time"`
	State                 string                 `json:"state,omitzero"`
	SummaryID             string                 `json:"summary_id"` // unique per user only
	TimestampLocalization *TimestampLocalization `json:"timestamp_localization,omitzero"`
	Type                  *ActivityType          `json:"type,omitzero"`
	UploadType            *UploadType            `json:"upload_type,omitzero"`
}

// DataEnrichment holds the scores that Terra computes for an activity. A later
// delivery may lack them: null does not mean that a score was taken back.
type DataEnrichment struct {
	EfficiencyScore        Number       `json:"efficiency_score,omitzero"`
	EfficiencyContributors Contributors `json:"efficiency_contributors,omitzero"`
	StrainScore            Number       `json:"strain_score,omitzero"`
	StrainContributors     Contributors `json:"strain_contributors,omitzero"`
	RCRSScore              Number       `json:"rcrs_score,omitzero"`
	RCRSContributors       Contributors `json:"rcrs_contributors,omitzero"`
	TRIMPScore             Number       `json:"trimp_score,omitzero"`
	TRIMPContributors      Contributors `json:"trimp_contributors,omitzero"`
	StressScore            Number       `json:"stress_score,omitzero"`        // older models only
	StressContributors     Contributors `json:"stress_contributors,omitzero"` // older models only
}

// LapData holds the laps of an activity.
type LapData struct {
	Laps []LapSample `json:"laps,omitzero"`
}

// LapSample is one lap.
type LapSample struct {
	Calories                Number     `json:"calories,omitzero"` // kcal
	AvgHRBPM                Number     `json:"avg_hr_bpm,omitzero"`
	StartTime               Timestamp  `json:"start_time,omitzero"`
	AvgSpeedMetersPerSecond Number     `json:"avg_speed_meters_per_second,omitzero"`
	DistanceMeters          Number     `json:"distance_meters,omitzero"`
	TotalStrokes            Number     `json:"total_strokes,omitzero"`
	EndTime                 Timestamp  `json:"end_time,omitzero"`
	StrokeType              string     `json:"stroke_type,omitzero"` // free text now; see enum list
	AvgWatts                Number     `json:"avg_watts,omitzero"`
	ActiveDurationSeconds   Number     `json:"active_duration_seconds,omitzero"`
	TriggerMethod           LapTrigger `json:"trigger_method,omitzero"` // see enum list
}

// MovementData holds speed, pace, cadence and torque of an activity.
type MovementData struct {
	AdjustedMaxSpeedMetersPerSecond Number                 `json:"adjusted_max_speed_meters_per_second,omitzero"`
	AvgCadenceRPM                   Number                 `json:"avg_cadence_rpm,omitzero"`
	AvgPaceMinutesPerKilometer      Number                 `json:"avg_pace_minutes_per_kilometer,omitzero"`
	AvgSpeedMetersPerSecond         Number                 `json:"avg_speed_meters_per_second,omitzero"`
	AvgTorqueNewtonMeters           Number                 `json:"avg_torque_newton_meters,omitzero"`
	AvgVelocityMetersPerSecond      Number                 `json:"avg_velocity_meters_per_second,omitzero"`
	CadenceSamples                  Samples[CadenceSample] `json:"cadence_samples,omitzero"`
	MaxCadenceRPM                   Number                 `json:"max_cadence_rpm,omitzero"`
	MaxPaceMinutesPerKilometer      Number                 `json:"max_pace_minutes_per_kilometer,omitzero"`
	MaxSpeedMetersPerSecond         Number                 `json:"max_speed_meters_per_second,omitzero"`
	MaxTorqueNewtonMeters           Number                 `json:"max_torque_newton_meters,omitzero"`
	MaxVelocityMetersPerSecond      Number                 `json:"max_velocity_meters_per_second,omitzero"`
	NormalizedSpeedMetersPerSecond  Number                 `json:"normalized_speed_meters_per_second,omitzero"`
	SpeedSamples                    Samples[SpeedSample]   `json:"speed_samples,omitzero"`
	TorqueSamples                   Samples[TorqueSample]  `json:"torque_samples,omitzero"`
}

// CadenceSample is a cadence.
type CadenceSample struct {
	Timestamp            Timestamp `json:"timestamp,omitzero"`
	CadenceRPM           Number    `json:"cadence_rpm,omitzero"`
	TimerDurationSeconds Number    `json:"timer_duration_seconds,omitzero"`
}

// SpeedSample is a speed.
type SpeedSample struct {
	Timestamp            Timestamp `json:"timestamp,omitzero"`
	SpeedMetersPerSecond Number    `json:"speed_meters_per_second,omitzero"`
	TimerDurationSeconds Number    `json:"timer_duration_seconds,omitzero"`
}

// TorqueSample is a torque.
type TorqueSample struct {
	Timestamp            Timestamp `json:"timestamp,omitzero"`
	TimerDurationSeconds Number    `json:"timer_duration_seconds,omitzero"`
	TorqueNewtonMeters   Number    `json:"torque_newton_meters,omitzero"`
}

// EnergyData is the mechanical energy of an activity.
type EnergyData struct {
	EnergyKilojoules        Number `json:"energy_kilojoules,omitzero"`
	EnergyPlannedKilojoules Number `json:"energy_planned_kilojoules,omitzero"`
}

// PolylineMapData is the route of an activity as an encoded polyline.
type PolylineMapData struct {
	SummaryPolyline string `json:"summary_polyline,omitzero"` // encoded polyline
}

// PositionData holds where an activity took place. A position is latitude and
// longitude in degrees; each may be null.
type PositionData struct {
	CenterPosLatLngDeg []Number                `json:"center_pos_lat_lng_deg,omitzero"` // [lat,lng] degrees, each may be null
	EndPosLatLngDeg    []Number                `json:"end_pos_lat_lng_deg,omitzero"`    // same
	PositionSamples    Samples[PositionSample] `json:"position_samples,omitzero"`
	StartPosLatLngDeg  []Number                `json:"start_pos_lat_lng_deg,omitzero"` // same
}

// PositionSample is a position.
type PositionSample struct {
	Timestamp            Timestamp `json:"timestamp,omitzero"`
	CoordsLatLngDeg      []Number  `json:"coords_lat_lng_deg,omitzero"` // [lat,lng], each may be null
	TimerDurationSeconds Number    `json:"timer_duration_seconds,omitzero"`
}

// PowerData holds the power of an activity.
type PowerData struct {
	AvgWatts     Number               `json:"avg_watts,omitzero"`
	MaxWatts     Number               `json:"max_watts,omitzero"`
	PowerSamples Samples[PowerSample] `json:"power_samples,omitzero"`
}

// PowerSample is a power.
type PowerSample struct {
	Timestamp            Timestamp `json:"timestamp,omitzero"`
	Watts                Number    `json:"watts,omitzero"`
	TimerDurationSeconds Number    `json:"timer_duration_seconds,omitzero"`
}

// TSSData holds training stress scores.
type TSSData struct {
	TSSSamples []TSSSample `json:"TSS_samples,omitzero"`
}

// TSSSample is one training stress score.
type TSSSample struct {
	Planned                Number `json:"planned,omitzero"`
	Actual                 Number `json:"actual,omitzero"`
	Method                 string `json:"method,omitzero"` // free text
	IntensityFactorPlanned Number `json:"intensity_factor_planned,omitzero"`
	IntensityFactorActual  Number `json:"intensity_factor_actual,omitzero"`
	NormalizedPowerWatts   Number `json:"normalized_power_watts,omitzero"`
}

// WorkData is the work done in an activity.
type WorkData struct {
	WorkKilojoules Number `json:"work_kilojoules,omitzero"`
}

// DistanceData holds distances, floors and steps of an activity.
type DistanceData struct {
	Detailed DistanceDataDetailed `json:"detailed,omitzero"`
	Summary  DistanceDataSummary  `json:"summary,omitzero"`
}

// DistanceDataSummary holds the totals of an activity.
type DistanceDataSummary struct {
	DistanceMeters Number        `json:"distance_meters,omitzero"`
	Elevation      ElevationData `json:"elevation,omitzero"`
	FloorsClimbed  Number        `json:"floors_climbed,omitzero"`
	Steps          Number        `json:"steps,omitzero"`
	Swimming       SwimmingData  `json:"swimming,omitzero"`
}
