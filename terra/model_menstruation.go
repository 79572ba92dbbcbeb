package terra

// Menstruation holds the cycle of one civil day: the first ten characters of
// Metadata.StartTime, which are its key.
type Menstruation struct {
	Metadata         MenstruationMetadata `json:"metadata,omitzero"`
	MenstruationData MenstruationData     `json:"menstruation_data,omitzero"`
}

// MenstruationMetadata says which day a Menstruation is about.
type MenstruationMetadata struct {
	EndTime               Timestamp              `json:"end_time"`
	StartTime             Timestamp              `json:"start_time"`
	TimestampLocalization *TimestampLocalization `json:"timestamp_localization,omitzero"`
}

// MenstruationData describes the cycle.
type MenstruationData struct {
	PeriodLengthDays         Number                       `json:"period_length_days,omitzero"`
	CurrentPhase             Code                         `json:"current_phase,omitzero"`
	LengthOfCurrentPhaseDays Number                       `json:"length_of_current_phase_days,omitzero"`
	DaysUntilNextPhase       Number                       `json:"days_until_next_phase,omitzero"`
	PeriodStartDate          Timestamp                    `json:"period_start_date,omitzero"` // YYYY-MM-DD
	PredictedCycleLengthDays Number                       `json:"predicted_cycle_length_days,omitzero"`
	DayInCycle               Number                       `json:"day_in_cycle,omitzero"`
	LastUpdatedTime          Timestamp                    `json:"last_updated_time,omitzero"` // ISO timestamp
	CycleLengthDays          Number                       `json:"cycle_length_days,omitzero"`
	IsPredictedCycle         *bool                        `json:"is_predicted_cycle,omitzero"`
	MenstruationFlow         []MenstruationFlowSample     `json:"menstruation_flow,omitzero"`
	Intervals                []MenstruationIntervalSample `json:"intervals,omitzero"`
	FertilityWindowStart     Timestamp                    `json:"fertility_window_start,omitzero"`
	FertilityWindowEnd       Timestamp                    `json:"fertility_window_end,omitzero"`
	OvulationDay             Timestamp                    `json:"ovulation_day,omitzero"`
}

// Phase returns the current phase, which older models name by a text; false if
// there is none or the text is not known.
func (m MenstruationData) Phase() (MenstruationInterval, bool) {
	return enumOf[MenstruationInterval](m.CurrentPhase, menstruationIntervalNames[:])
}

// MenstruationFlowSample is a flow.
type MenstruationFlowSample struct {
	Timestamp Timestamp         `json:"timestamp,omitzero"`
	Flow      *MenstruationFlow `json:"flow,omitzero"`
}

// MenstruationIntervalSample is one phase of a cycle.
type MenstruationIntervalSample struct {
	StartTimestamp Timestamp             `json:"start_timestamp,omitzero"`
	EndTimestamp   Timestamp             `json:"end_timestamp,omitzero"`
	Phase          *MenstruationInterval `json:"phase,omitzero"`
}
