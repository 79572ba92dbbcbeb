package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// show prints what the store holds: a table and a small chart per person.
func show(ctx context.Context, engine *healthsync.Engine, db store.Store, people []person, out io.Writer) error {
	for _, p := range people {
		conns, err := engine.Connections(ctx, p.name)
		if err != nil {
			return err
		}
		s := newSummary()
		for r, err := range store.AllRecords(ctx, db, store.RecordQuery{User: p.name, Deleted: true}) {
			if err != nil {
				return err
			}
			s.add(r)
		}
		for _, c := range conns {
			fmt.Fprintf(out, "\n%s (%s, %s)\n", p.name, c.Provider, cmp.Or(c.Zone, "zone not told"))
		}
		if err := s.table(out); err != nil {
			return err
		}
		s.charts(out)
	}
	return nil
}

// summary collects what is shown of one person.
type summary struct {
	streams map[string]*streamSummary
	weight  map[health.Day]float64
	steps   map[health.Day]float64
	nights  map[health.Day]health.Record
}

type streamSummary struct {
	stream        string
	live, deleted int
	first, last   string
}

func newSummary() *summary {
	return &summary{
		streams: make(map[string]*streamSummary), weight: make(map[health.Day]float64),
		steps: make(map[health.Day]float64), nights: make(map[health.Day]health.Record),
	}
}

func (s *summary) add(r health.Record) {
	row := s.streams[r.Stream()]
	if row == nil {
		row = &streamSummary{stream: r.Stream()}
		s.streams[r.Stream()] = row
	}
	if r.State != health.StateLive {
		row.deleted++
		return
	}
	row.live++
	day := dayOf(r.Span)
	if text := day.String(); text != "" {
		if row.first == "" || text < row.first {
			row.first = text
		}
		row.last = max(row.last, text)
	}
	for _, v := range r.Values {
		if v.Stat != health.StatValue || v.Part != "" || v.Flags.Has(health.FlagOutOfRange) {
			continue
		}
		switch {
		case r.Kind == health.KindBody && v.Metric == health.MetricBodyWeight && r.Method != health.MethodAmbiguous:
			s.weight[day] = v.Number.Float()
		case r.Kind == health.KindDaily && v.Metric == health.MetricSteps:
			s.steps[day] = max(s.steps[day], v.Number.Float())
		case r.Kind == health.KindSleep && v.Metric == health.MetricSleepDuration:
			if old, ok := s.nights[day]; !ok || value(old, health.MetricSleepDuration) < v.Number.Float() {
				s.nights[day] = r
			}
		}
	}
}

// dayOf returns the civil day of a span, as far as it is known.
func dayOf(s health.Span) health.Day {
	if !s.Day.IsZero() {
		return s.Day
	}
	if wall, ok := s.Start.WallMilli(); ok {
		return health.DayOf(time.UnixMilli(wall).UTC())
	}
	return health.Day{}
}

func value(r health.Record, m health.Metric) float64 {
	for _, v := range r.Values {
		if v.Metric == m && v.Stat == health.StatValue && v.Part == "" {
			return v.Number.Float()
		}
	}
	return 0
}

func (s *summary) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "  stream\trecords\tdeleted\tfirst day\tlast day")
	for _, name := range slices.Sorted(maps.Keys(s.streams)) {
		row := s.streams[name]
		fmt.Fprintf(w, "  %s\t%d\t%d\t%s\t%s\n", row.stream, row.live, row.deleted, row.first, row.last)
	}
	return w.Flush()
}

// chartDays is how many days a chart shows.
const chartDays = 60

func (s *summary) charts(out io.Writer) {
	weight, steps := recent(s.weight), recent(s.steps)
	if len(weight) > 1 {
		low, high := bounds(weight)
		fmt.Fprintf(out, "  weight  %s  %.1f to %.1f kg\n", spark(weight, low, high), low, high)
	}
	if len(steps) > 1 {
		_, high := bounds(steps)
		fmt.Fprintf(out, "  steps   %s  up to %.0f a day\n", spark(steps, 0, high), high)
	}
	days := slices.SortedFunc(maps.Keys(s.nights), health.Day.Compare)
	if len(days) > 5 {
		days = days[len(days)-5:]
	}
	if len(days) > 0 {
		fmt.Fprintln(out, "  sleep   █ deep  ▓ light  ▒ rem  ░ awake   (one mark: 15 minutes)")
	}
	for _, d := range days {
		r := s.nights[d]
		fmt.Fprintf(out, "    %s  %s%s%s%s  %s\n", d,
			marks("█", value(r, health.MetricSleepDeep)), marks("▓", value(r, health.MetricSleepLight)),
			marks("▒", value(r, health.MetricSleepREM)), marks("░", value(r, health.MetricSleepAwake)),
			hours(value(r, health.MetricSleepDuration)))
	}
}

func hours(seconds float64) string {
	minutes := int(seconds / 60)
	return fmt.Sprintf("%d:%02d h asleep", minutes/60, minutes%60)
}

func marks(mark string, seconds float64) string {
	return strings.Repeat(mark, int(math.Round(seconds/900)))
}

// recent returns the values of the last days in order.
func recent(byDay map[health.Day]float64) []float64 {
	days := slices.SortedFunc(maps.Keys(byDay), health.Day.Compare)
	if len(days) > chartDays {
		days = days[len(days)-chartDays:]
	}
	values := make([]float64, len(days))
	for i, d := range days {
		values[i] = byDay[d]
	}
	return values
}

func bounds(values []float64) (low, high float64) { return slices.Min(values), slices.Max(values) }

// spark draws values as bars of eighths.
func spark(values []float64, low, high float64) string {
	const bars = "▁▂▃▄▅▆▇█"
	levels := []rune(bars)
	var b strings.Builder
	for _, v := range values {
		i := 0
		if high > low {
			i = int((v - low) / (high - low) * float64(len(levels)-1))
		}
		b.WriteRune(levels[min(max(i, 0), len(levels)-1)])
	}
	return b.String()
}
