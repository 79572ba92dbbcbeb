package storetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// milliPerDay is the length of a day of 24 hours.
const milliPerDay = 24 * 60 * 60 * 1000

// oddTexts are valid texts that stores have been known to change: by folding
// case, by normalizing Unicode, by trimming, by quoting, by reading patterns.
var oddTexts = []string{
	"plain", "UPPER", "upper", "caf\u00e9", "cafe\u0301", "\u4f53\u91cd\u8a08", "\U0001F3C3\u200d\u2640\ufe0f", "\u05de\u05e9\u05e7\u05dc",
	"\ufeffbom", "\ufffd", " leading", "trailing ", "a  b", "it's", `"quoted"`, `back\slash`, "100%", "a_b", "*", "?", "{tag}", "[x]",
	"a:b", "--", ";drop", "null", "NaN", "0", "007", "1e3", "\U0010ffff", "i\u0307", "stra\u00dfe", "K", "\u212a",
}

// generator draws valid, normalized records.
type generator struct{ *rand.Rand }

func (g generator) one(list []string) string { return list[g.IntN(len(list))] }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

// record draws a record with every field in use somewhere, of the kind and the
// key stream/name.
func (g generator) record(kind health.Kind, name string) health.Record {
	r := health.Record{
		Connection: conn, Kind: kind, Key: stream + "/" + name,
		Method: health.Method(g.IntN(int(health.MethodDerived) + 1)),
		Source: health.Source{
			Provider: g.one(oddTexts), Upstream: g.one(oddTexts), Device: g.one(oddTexts), App: g.one(oddTexts),
			Path: []health.Path{"", health.PathDirect, health.PathTerra, health.PathImport, "pigeon"}[g.IntN(5)],
		},
		Rev: health.Rev{
			Order: g.order(), Mapping: uint16(g.IntN(math.MaxUint16 + 1)), Push: g.chance(50),
		},
	}
	g.span(&r)
	if g.chance(10) {
		r.State = health.StateDeleted
		r.Normalize()
		return r
	}
	r.Values = g.values(8)
	names := []string{"app", "device_model", "note", "raw_code"}
	for _, name := range names[:g.IntN(len(names)+1)] {
		r.Texts = append(r.Texts, health.Text{Name: name, Value: g.one(oddTexts)})
	}
	if g.chance(3) {
		r.Texts = append(r.Texts, health.Text{Name: "zz_long", Value: strings.Repeat("\u4f53", health.MaxText/3)})
	}
	for range g.IntN(4) {
		r.Segments = append(r.Segments, g.segment(r.Span.Start))
	}
	r.Normalize()
	return r
}

func (g generator) order() int64 {
	switch g.IntN(4) {
	case 0:
		return 0
	case 1:
		return present.Add(48 * time.Hour).UnixMilli()
	default:
		return g.Int64N(present.UnixMilli())
	}
}

// moment draws a moment from 1990 to the furthest future that any kind allows.
func (g generator) moment(kind health.Kind) health.Moment {
	first := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	last := present.Add(48 * time.Hour).UnixMilli()
	if kind == health.KindPlannedWorkout || kind == health.KindMenstruation {
		last = present.Add(2 * 366 * 24 * time.Hour).UnixMilli()
	}
	at := first + g.Int64N(last-first+1)
	switch g.IntN(5) {
	case 0:
		at = first
	case 1:
		at = last
	case 2:
		at -= at % 1000
	}
	switch g.IntN(3) {
	case 0:
		return health.Instant(at)
	case 1:
		offsets := []int{0, 3600, -16200, 20700, 45900, 50400, -43200, -2377, 18 * 3600, -18 * 3600}
		return health.Zoned(at, offsets[g.IntN(len(offsets))])
	default:
		return health.Floating(at)
	}
}

// later draws a moment of the clock of m, not before it.
func (g generator) later(m health.Moment) health.Moment {
	at := m.SortMilli()
	if room := present.UnixMilli() - at; room > 0 {
		at += g.Int64N(min(room, milliPerDay))
	}
	if m.IsFloating() {
		return health.Floating(at)
	}
	if offset, ok := m.Offset(); ok && g.chance(80) {
		return health.Zoned(at, offset)
	}
	return health.Zoned(at, 7200)
}

func (g generator) span(r *health.Record) {
	s := &r.Span
	s.Zone = health.Zone(g.IntN(int(health.ZoneFromRecord) + 1))
	s.Location = []string{"", "Europe/Paris", "America/Argentina/ComodRivadavia"}[g.IntN(3)]
	s.Flags = health.Flags(g.IntN(int(health.FlagImplausible)*2 - 1))
	if g.chance(80) {
		s.Start = g.moment(r.Kind)
		if g.chance(60) {
			s.End = g.later(s.Start)
		}
	}
	if s.Start.IsZero() || g.chance(60) {
		s.Day = health.DayOf(time.Date(1990, 1, 1+g.IntN(13_400), 0, 0, 0, 0, time.UTC))
	}
}

// decimal draws numbers with a preference for the ends of what fits.
func (g generator) decimal() health.Decimal {
	ends := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1<<53 - 1, 1 << 53, 1<<53 + 1, -(1<<53 + 1), 1000, 10}
	d := health.Decimal{Coefficient: g.Int64() - g.Int64(), Exponent: int8(g.IntN(2*health.MaxExponent+1) - health.MaxExponent)}
	if g.chance(50) {
		d.Coefficient = ends[g.IntN(len(ends))]
	}
	return d
}

func (g generator) values(most int) []health.Value {
	metrics := []health.Metric{"body_weight", "heart_rate", "steps", "temperature_of_the_left_toe", "x1"}
	parts := []health.Part{"", "left_arm", "zone_2"}
	type name struct {
		metric health.Metric
		stat   health.Stat
		part   health.Part
	}
	seen := map[name]bool{}
	var list []health.Value
	for range g.IntN(most + 1) {
		n := name{metrics[g.IntN(len(metrics))], health.Stat(g.IntN(int(health.StatStdDev) + 1)), parts[g.IntN(len(parts))]}
		if seen[n] {
			continue
		}
		seen[n] = true
		list = append(list, health.Value{
			Metric: n.metric, Stat: n.stat, Part: n.part, Number: g.decimal(),
			Flags: []health.Flags{0, 0, health.FlagEstimated, health.FlagSticky}[g.IntN(4)],
		})
	}
	return list
}

func (g generator) segment(start health.Moment) health.Segment {
	s := health.Segment{
		Track: []string{"stage", "lap", "meal"}[g.IntN(3)], Label: []string{"", "deep", "tempo"}[g.IntN(3)], Code: g.one(oddTexts),
	}
	if !start.IsZero() && g.chance(80) {
		s.Start = g.later(start)
		if g.chance(80) {
			s.End = g.later(s.Start)
		}
	}
	s.Values = g.values(2)
	return s
}

// series draws a series of n points from the day on, on a grid of ten seconds
// or at odd times.
func (g generator) series(metric health.Metric, day time.Time, n int) health.Series {
	s := health.Series{
		Metric: metric, Stat: health.StatValue, Exp: int8(g.IntN(5) - 3), Floating: g.chance(30),
		From: day.UnixMilli(),
	}
	regular := g.chance(50)
	at := s.From + g.Int64N(1000)
	for range n {
		s.Times = append(s.Times, at)
		s.Values = append(s.Values, 60+g.Int64N(100)-g.Int64N(20))
		if regular {
			at += 10_000
		} else {
			at += 1 + g.Int64N(60_000)
		}
	}
	s.To = at
	return s
}

// names draws n different record names, odd ones among them.
func (g generator) names(n int) []string {
	list := make([]string, 0, n)
	for i := range n {
		name := fmt.Sprintf("%s/%d", g.one(oddTexts), i)
		if i < len(oddTexts) {
			name = oddTexts[i]
		}
		if i == len(oddTexts) {
			name = strings.Repeat("k", health.MaxKey-len(stream)-1)
		}
		list = append(list, name)
	}
	return list
}
