package terra

import (
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// hormone maps one hormone test.
func (d *draft) hormone(v *HormoneSample) string {
	d.begin(health.KindObservation, clockText(v.Timestamp))
	if reason := d.period(v.Timestamp, ""); reason != "" {
		d.key = ""
		return reason
	}
	d.value(v.LHMIUPerMl, health.MetricHormoneLH, health.StatValue, "")
	d.value(v.FSHMIUPerMl, health.MetricHormoneFSH, health.StatValue, "")
	d.value(v.HCGMIUPerMl, health.MetricHormoneHCG, health.StatValue, "")
	d.value(v.E3GNgPerMl, health.MetricHormoneE3G, health.StatValue, "")
	d.value(v.PDGUgPerMl, health.MetricHormonePdG, health.StatValue, "")
	return ""
}

// observation maps one observation. One that was entered in error is removed.
func (d *draft) observation(v *HealthObservation) string {
	meta, data := &v.Metadata, &v.ObservationData
	if meta.SummaryID == "" {
		return reasonNoID
	}
	if reason := d.ofSession(health.KindObservation, meta.SummaryID, meta.TimestampLocalization, meta.StartTime, meta.EndTime); reason != "" {
		return reason
	}
	if data.Status != nil && *data.Status == ObservationStatusEnteredInError {
		d.erase()
		return ""
	}
	d.text(health.TextObservationType, data.ObservationType)
	d.text(health.TextObservationCategory, word(healthObservationCategoryNames[:], data.Category))
	d.text(health.TextSeverity, word(observationSeverityNames[:], data.Severity))
	d.text(health.TextObservationStatus, word(observationStatusNames[:], data.Status))
	d.text(health.TextNotes, data.Notes)
	var codes, displays []string
	for _, c := range data.Codes {
		codes = append(codes, c.System+"|"+c.Code)
		if c.Display != "" {
			displays = append(displays, c.Display)
		}
	}
	d.text(health.TextObservationCode, strings.Join(codes, ","))
	d.text("observation_display", strings.Join(displays, ", "))
	d.observed("", &data.Value)
	for i := range data.Components {
		c := &data.Components[i]
		part := slug(c.Code)
		if part == "" {
			d.fault("observation_data.components", reasonName, locate(d.raw, "observation_data.components"))
			continue
		}
		if len(part) > maxComponent {
			part = providers.KeyDigest(c.Code)
		}
		d.observed(part, &c.Value)
		if c.Code != part {
			d.text("observation_component_"+part, c.Code)
		}
	}
	return ""
}

// maxComponent is how long the name of a component may be beside what is put
// around it.
const maxComponent = health.MaxName - len(health.TextObservationValue+"__text")

// observed adds a value, of the whole or of a component.
func (d *draft) observed(part string, v *ObservationValue) {
	suffix := ""
	if part != "" {
		suffix = "_" + part
	}
	d.value(v.Quantity, health.MetricObservationQuantity, health.StatValue, health.Part(part))
	d.text(health.TextObservationUnit+suffix, v.Unit)
	d.truth(health.TextObservationValue+suffix, v.Boolean)
	if v.Boolean == nil {
		d.text(health.TextObservationValue+suffix, v.Text)
	} else {
		d.text(health.TextObservationValue+suffix+"_text", v.Text)
	}
	if v.Boolean == nil && v.Text == "" {
		d.text(health.TextObservationValue+suffix, v.Code)
	} else {
		d.text(health.TextObservationValue+suffix+"_code", v.Code)
	}
	if v.ValueType != nil && (*v.ValueType < 0 || int(*v.ValueType) >= len(observationValueTypeNames)) {
		d.text("terra_value_type"+suffix, number(v.ValueType))
	}
}
