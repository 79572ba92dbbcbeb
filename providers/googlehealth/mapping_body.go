package googlehealth

import (
	"slices"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// height is a height of the person, from a time on.
type height struct {
	at    int64 // milliseconds
	milli int64 // mm
}

// height reads a height that comes with weights.
func (m *mapper) height(d *datum, outer object) string {
	inner, v := outer.object("height")
	if v != jsonscan.OK {
		return reasonOther
	}
	if _, ok := m.pointID(outer); !ok {
		return reasonName
	}
	if reason := d.sample(inner); reason != "" {
		return reason
	}
	d.done = true // the record of it is of the stream height
	n, v := inner.number("heightMillimeters")
	milli, whole := n.Rescale(0)
	const tallest = 3000 // by the schema
	if v != jsonscan.OK || !whole || milli <= 0 || milli > tallest {
		return reasonNoValue
	}
	m.heights = append(m.heights, height{d.span.Start.SortMilli(), milli})
	return ""
}

// bodyMass adds the body mass index to weights: by the latest height that is not
// later than the weight, else by the earliest.
func (m *mapper) bodyMass() {
	if len(m.heights) == 0 {
		return
	}
	slices.SortStableFunc(m.heights, func(a, b height) int { return compare(a.at, b.at) })
	for i := range m.records {
		r := &m.records[i]
		n := slices.IndexFunc(m.heights, func(h height) bool { return h.at > r.Span.Start.SortMilli() })
		if n < 0 {
			n = len(m.heights)
		}
		tall := m.heights[max(0, n-1)].milli
		for _, v := range r.Values {
			if v.Metric != health.MetricBodyWeight {
				continue
			}
			// Milligrams by square millimetres are kilograms by square metres.
			if milligrams, fits := v.Number.Round(-6).Rescale(-6); fits {
				if n, _, fits := fitbitmap.Over(health.Int(milligrams), tall*tall); fits {
					index := fitbitmap.BMI.Value(n, "")
					index.Flags = health.FlagInexact // computed by the mapping
					r.Values = append(r.Values, index)
				}
			}
			break
		}
	}
}
