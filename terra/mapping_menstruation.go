package terra

import (
	"github.com/vitalmux/vitalmux/health"
)

// menstruation maps the cycle of a day.
func (d *draft) menstruation(v *Menstruation) string {
	meta, data := &v.Metadata, &v.MenstruationData
	if reason := d.ofDay(health.KindMenstruation, meta.TimestampLocalization, meta.StartTime, meta.EndTime); reason != "" {
		return reason
	}
	d.value(data.PeriodLengthDays, health.MetricMenstrualPeriodLength, health.StatValue, "")
	d.value(data.LengthOfCurrentPhaseDays, health.MetricMenstrualPhaseLength, health.StatValue, "")
	d.value(data.DaysUntilNextPhase, health.MetricMenstrualPhaseRemaining, health.StatValue, "")
	d.value(data.PredictedCycleLengthDays, health.MetricMenstrualCycleLengthPredicted, health.StatValue, "")
	d.value(data.CycleLengthDays, health.MetricMenstrualCycleLength, health.StatValue, "")
	d.value(data.DayInCycle, health.MetricMenstrualCycleDay, health.StatValue, "")
	d.currentPhase(data.CurrentPhase)
	d.truth(health.TextCyclePredicted, data.IsPredictedCycle)
	d.day(health.TextOvulationDay, data.OvulationDay)
	d.day(health.TextPeriodStart, data.PeriodStartDate)
	d.text("terra_last_updated_time", string(data.LastUpdatedTime))
	for i := range data.MenstruationFlow {
		if f := &data.MenstruationFlow[i]; f.Flow != nil {
			d.segment(health.Segment{
				Track: health.TrackFlow, Label: flows.label(int64(*f.Flow)), Code: number(f.Flow),
				Start: d.stamped("menstruation_data.menstruation_flow.timestamp", f.Timestamp),
			})
		}
	}
	for i := range data.Intervals {
		if p := &data.Intervals[i]; p.Phase != nil {
			const path = "menstruation_data.intervals."
			d.segment(health.Segment{
				Track: health.TrackPhase, Label: phases.label(int64(*p.Phase)), Code: number(p.Phase),
				Start: d.stamped(path+"start_timestamp", p.StartTimestamp), End: d.stamped(path+"end_timestamp", p.EndTimestamp),
			})
		}
	}
	s := health.Segment{
		Track: health.TrackFertileWindow, Start: d.stamped("menstruation_data.fertility_window_start", data.FertilityWindowStart),
		End: d.stamped("menstruation_data.fertility_window_end", data.FertilityWindowEnd),
	}
	if !s.Start.IsZero() {
		d.segment(s)
	} else {
		d.day("terra_fertility_window_end", data.FertilityWindowEnd)
	}
	return ""
}

// flows are the labels of [MenstruationFlow].
var flows = labels{
	FlowUnknown: health.FlowUnknown, FlowNone: health.FlowNone, FlowLight: health.FlowLight, FlowMedium: health.FlowMedium,
	FlowHeavy: health.FlowHeavy, FlowHad: health.FlowSome,
}

// phases are the labels of [MenstruationInterval].
var phases = labels{
	PhaseUnknown: health.PhaseUnknown, PhasePeriod: health.PhasePeriod, PhaseFollicular: health.PhaseFollicular,
	PhaseFertileWindow: health.PhaseFertile, PhaseOvulation: health.PhaseOvulation, PhaseLuteal: health.PhaseLuteal,
	PhasePMS: health.PhasePMS, PhaseFirstTrimester: health.PhaseFirstTrimester, PhaseSecondTrimester: health.PhaseSecondTrimester,
	PhaseThirdTrimester: health.PhaseThirdTrimester,
}

// currentPhase adds the phase, which older models send as a text.
func (d *draft) currentPhase(c Code) {
	label := ""
	if n, ok := c.Number.Int(); ok {
		label = phases.label(n)
	} else if c.Text != "" {
		label = phaseNamed(c.Text)
	}
	d.text(health.TextCyclePhase, label)
	if label == "" && (c.Text != "" || c.Number.IsSet()) {
		d.text("terra_current_phase", c.String())
	}
}

// phaseNamed returns the label of a phase in words; empty if it is not known.
func phaseNamed(text string) string {
	name := slug(text)
	for i, known := range menstruationIntervalNames {
		if name == phases[i] || name == slug(known) {
			return phases[i]
		}
	}
	switch name {
	case "menstruation", "menstrual", "menses":
		return health.PhasePeriod
	case "ovulatory":
		return health.PhaseOvulation
	}
	return ""
}
