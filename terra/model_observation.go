package terra

// HealthObservation is one observation: a symptom, a medication, a laboratory value.
// Its key is Metadata.SummaryID.
type HealthObservation struct {
	Metadata        HealthObservationMetadata `json:"metadata,omitzero"`
	ObservationData HealthObservationData     `json:"observation_data,omitzero"`
}

// HealthObservationMetadata says which observation it is and when it was.
type HealthObservationMetadata struct {
	StartTime             Timestamp              `json:"start_time"`
	EndTime               Timestamp              `json:"end_time,omitzero"`
	SummaryID             string                 `json:"summary_id"`
	TimestampLocalization *TimestampLocalization `json:"timestamp_localization,omitzero"`
}

// HealthObservationData is what was observed.
type HealthObservationData struct {
	Category        *HealthObservationCategory `json:"category,omitzero"`
	ObservationType string                     `json:"observation_type"`
	Codes           []ObservationCode          `json:"codes,omitzero"`
	Value           ObservationValue           `json:"value,omitzero"`
	Severity        *ObservationSeverity       `json:"severity,omitzero"`
	Components      []ObservationComponent     `json:"components,omitzero"`
	Status          *ObservationStatus         `json:"status,omitzero"`
	Notes           string                     `json:"notes,omitzero"`
}

// ObservationCode names an observation in a coding system.
type ObservationCode struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitzero"`
}

// ObservationValue is a value of an observation.
type ObservationValue struct {
	ValueType *ObservationValueType `json:"value_type,omitzero"`
	Quantity  Number                `json:"quantity,omitzero"`
	Unit      string                `json:"unit,omitzero"`
	Boolean   *bool                 `json:"boolean,omitzero"`
	Text      string                `json:"text,omitzero"`
	Code      string                `json:"code,omitzero"`
}

// ObservationComponent is one of several values of an observation.
type ObservationComponent struct {
	Code  string           `json:"code"`
	Value ObservationValue `json:"value,omitzero"`
}
