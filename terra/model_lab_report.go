package terra

// LabReport is one report that was read from an uploaded file, which Terra calls
// a session, or the data of a lab_report event, which has less of it: Terra, "Lab
// Reports: API Reference" and "Webhook Payload". Its key is SessionID.
type LabReport struct {
	SessionID string `json:"session_id"`
	// UploadID is the upload that it is of; of one upload there may be several
	// reports.
	UploadID string `json:"upload_id,omitzero"`
	// ReferenceID is your own id, from the upload.
	ReferenceID string `json:"reference_id,omitzero"`
	// ReportType is "lab", or another word.
	ReportType string `json:"report_type,omitzero"`
	// CurrentStatus is a word: "processing", "processed", "standardized", "sent",
	// "partially_sent", "failed"; there may be others.
	CurrentStatus string    `json:"current_status,omitzero"`
	UploadedAt    Timestamp `json:"uploaded_at,omitzero"`
	UpdatedAt     Timestamp `json:"updated_at,omitzero"`
	// ReportDate and CollectionDate are civil days, ReportTime and
	// CollectionTime are times of day, as they are printed.
	ReportDate             string            `json:"report_date,omitzero"`
	ReportTime             string            `json:"report_time,omitzero"`
	CollectionDate         string            `json:"collection_date,omitzero"`
	CollectionTime         string            `json:"collection_time,omitzero"`
	ReportLocale           string            `json:"report_locale,omitzero"`
	LabName                string            `json:"lab_name,omitzero"`
	PatientAgeAtCollection Number            `json:"patient_age_at_collection,omitzero"` // years
	PatientSex             string            `json:"patient_sex,omitzero"`
	InputBytes             Number            `json:"input_bytes,omitzero"`
	OutputBytes            Number            `json:"output_bytes,omitzero"`
	FileCount              Number            `json:"file_count,omitzero"`
	ResultsCount           Number            `json:"results_count,omitzero"`
	StatusHistory          []LabReportStatus `json:"status_history,omitzero"`
	Results                []LabResult       `json:"results,omitzero"`
	Panels                 []LabPanel        `json:"panels,omitzero"`
	ReportNotes            string            `json:"report_notes,omitzero"`
	// Error is what went wrong, of a lab_report.failed event.
	Error LabReportError `json:"error,omitzero"`
}

// LabReportStatus is a state that a report was in.
type LabReportStatus struct {
	Status    string    `json:"status"`
	Timestamp Timestamp `json:"timestamp"`
	Note      string    `json:"note,omitzero"`
}

// LabReportError is why a report could not be read. The code is "file_unreadable",
// "extraction_failed", "standardization_failed", "internal" or another word.
type LabReportError struct {
	Code    string `json:"code,omitzero"`
	Message string `json:"message,omitzero"`
	// Retriable says that the same file may succeed when it is uploaded again.
	Retriable *bool `json:"retriable,omitzero"`
}

// LabPanel is a group of results of a report.
type LabPanel struct {
	ID   Number `json:"id"`
	Name string `json:"name,omitzero"`
	Key  string `json:"key,omitzero"`
}

// LabResult is one line of a report: as it is printed, which biomarker that is,
// and what was measured.
type LabResult struct {
	Source          LabSource           `json:"source,omitzero"`
	Biomarker       LabBiomarker        `json:"biomarker,omitzero"`
	Measurement     LabMeasurement      `json:"measurement,omitzero"`
	Interpretation  LabInterpretation   `json:"interpretation,omitzero"`
	ReferenceRanges []LabReferenceRange `json:"reference_ranges,omitzero"`
}

// LabSource is a line as it is printed.
type LabSource struct {
	Name           string `json:"name,omitzero"`
	Panel          string `json:"panel,omitzero"`
	Value          string `json:"value,omitzero"`
	Units          string `json:"units,omitzero"`
	Flag           string `json:"flag,omitzero"`
	Method         string `json:"method,omitzero"`
	Notes          string `json:"notes,omitzero"`
	ReferenceText  string `json:"reference_text,omitzero"`
	RegionName     string `json:"region_name,omitzero"`
	CollectionDate string `json:"collection_date,omitzero"`
	CollectionTime string `json:"collection_time,omitzero"`
}

// LabBiomarker is what a line is about. Key is empty if Terra did not recognise
// it.
type LabBiomarker struct {
	Key         string `json:"key,omitzero"`
	DisplayName string `json:"display_name,omitzero"`
	LOINCCode   string `json:"loinc_code,omitzero"`
	PanelID     Number `json:"panel_id,omitzero"`
	PanelKey    string `json:"panel_key,omitzero"`
	Specimen    string `json:"specimen,omitzero"`
	Region      string `json:"region,omitzero"`
}

// LabMeasurement is what was measured. Type says which of the others is set.
type LabMeasurement struct {
	Type         string         `json:"type,omitzero"`
	Numeric      Number         `json:"numeric,omitzero"`
	Bounded      LabBounded     `json:"bounded,omitzero"`
	Qualitative  LabQualitative `json:"qualitative,omitzero"`
	Text         string         `json:"text,omitzero"`
	AbsentReason string         `json:"absent_reason,omitzero"`
	// Units is as it is printed, UCUMCode the unit in the words of UCUM.
	Units    string `json:"units,omitzero"`
	UCUMCode string `json:"ucum_code,omitzero"`
}

// LabBounded is a value that is only known to be above or below another one.
type LabBounded struct {
	Operator string `json:"operator,omitzero"`
	Value    Number `json:"value,omitzero"`
}

// LabQualitative is a value in words.
type LabQualitative struct {
	Text string `json:"text,omitzero"`
	Code string `json:"code,omitzero"`
}

// LabInterpretation says where a value lies, and by which range.
type LabInterpretation struct {
	Flag         string   `json:"flag,omitzero"`
	FlagRaw      string   `json:"flag_raw,omitzero"` // as it is printed
	Source       string   `json:"source,omitzero"`
	AppliedRange LabRange `json:"applied_range,omitzero"`
}

// LabRange is a range of values.
type LabRange struct {
	Lower Number `json:"lower,omitzero"`
	Upper Number `json:"upper,omitzero"`
}

// LabReferenceRange is a range that the report gives, and for whom.
type LabReferenceRange struct {
	Lower   Number          `json:"lower,omitzero"`
	Upper   Number          `json:"upper,omitzero"`
	Type    string          `json:"type,omitzero"`
	Label   string          `json:"label,omitzero"`
	Context LabRangeContext `json:"context,omitzero"`
}

// LabRangeContext says for whom a range is. Ages are in years.
type LabRangeContext struct {
	Sex                  string   `json:"sex,omitzero"`
	AgeLower             Number   `json:"age_lower,omitzero"`
	AgeUpper             Number   `json:"age_upper,omitzero"`
	PregnancyStatus      string   `json:"pregnancy_status,omitzero"`
	GestationalWeekLower Number   `json:"gestational_week_lower,omitzero"`
	GestationalWeekUpper Number   `json:"gestational_week_upper,omitzero"`
	CyclePhase           string   `json:"cycle_phase,omitzero"`
	ReferencePopulation  string   `json:"reference_population,omitzero"`
	Modifiers            []string `json:"modifiers,omitzero"`
}
