package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// services are the data services that both eras have, and their streams.
var services = []struct{ name, stream string }{
	{"body measures", "measures"}, {"activity", "activity"}, {"sleep", "sleep_summary"}, {"sleep stages", "sleep"}, {"workouts", "workouts"},
}

// summary is what the file holds.
type summary struct {
	records map[string][]health.Record // by stream
	keys    map[string]bool
	days    map[health.Day]map[string]string // what is shown of a day, by column
}

// read reads everything that the file holds of the person.
func read(ctx context.Context, db store.Store) (*summary, error) {
	s := &summary{records: map[string][]health.Record{}, keys: map[string]bool{}, days: map[health.Day]map[string]string{}}
	for r, err := range store.AllRecords(ctx, db, store.RecordQuery{User: user}) {
		if err != nil {
			return nil, err
		}
		s.records[r.Stream()] = append(s.records[r.Stream()], r)
		s.keys[string(r.Kind)+" "+r.Key] = true
		s.note(r)
	}
	return s, nil
}

// dayOf returns the civil day of a record, as far as it is known.
func dayOf(r health.Record) health.Day {
	if !r.Span.Day.IsZero() {
		return r.Span.Day
	}
	if wall, ok := r.Span.Start.WallMilli(); ok {
		return health.DayOf(time.UnixMilli(wall).UTC())
	}
	return health.Day{}
}

// note keeps what the table of days shows.
func (s *summary) note(r health.Record) {
	day := dayOf(r)
	set := func(column, text string) {
		if s.days[day] == nil {
			s.days[day] = map[string]string{}
		}
		s.days[day][column] = text
	}
	// What the metric's own unit is, the table of metrics says.
	show := func(metric health.Metric, column, form string) {
		if n, ok := value(r, metric); ok {
			set(column, fmt.Sprintf(form, n))
		}
	}
	switch {
	case r.Kind == health.KindBody && r.Method != health.MethodAmbiguous:
		show(health.MetricBodyWeight, "weight", "%.2f kg")
		show(health.MetricFatMass, "fat mass", "%.2f kg")
		show(health.MetricHeartRate, "pulse", "%.0f/min")
		upper, ok1 := value(r, health.MetricBloodPressureSystolic)
		lower, ok2 := value(r, health.MetricBloodPressureDiastolic)
		if wall, ok := r.Span.Start.WallMilli(); ok && ok1 && ok2 {
			set("pressure, mmHg", fmt.Sprintf("%.0f/%.0f at %s", upper, lower, time.UnixMilli(wall).UTC().Format("15:04")))
		}
	case r.Kind == health.KindDaily:
		show(health.MetricSteps, "steps", "%.0f")
		show(health.MetricElevationGain, "climbed", "%.1f m")
	case r.Stream() == "sleep_summary":
		light, _ := value(r, health.MetricSleepLight)
		deep, _ := value(r, health.MetricSleepDeep)
		rem, _ := value(r, health.MetricSleepREM)
		minutes := int(light+deep+rem) / 60
		if minutes > 0 {
			set("asleep", fmt.Sprintf("%d:%02d h", minutes/60, minutes%60))
		}
	case r.Kind == health.KindActivity:
		for _, t := range r.Texts {
			if t.Name == health.TextSport {
				set("workout", t.Value)
			}
		}
	}
}

func value(r health.Record, m health.Metric) (float64, bool) {
	for _, v := range r.Values {
		if v.Metric == m && v.Stat == health.StatValue && v.Part == "" {
			return v.Number.Float(), true
		}
	}
	return 0, false
}

// shownDays is how many of the last days the table shows.
const shownDays = 7

// show prints what was read, by service and by day.
func (s *summary) show(out io.Writer) {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "  service\trecords\tfirst day\tlast day")
	for _, service := range services {
		var days []health.Day
		for _, r := range s.records[service.stream] {
			days = append(days, dayOf(r))
		}
		first, last := "", ""
		if len(days) > 0 {
			first, last = slices.MinFunc(days, health.Day.Compare).String(), slices.MaxFunc(days, health.Day.Compare).String()
		}
		fmt.Fprintf(w, "  %s\t%d\t%s\t%s\n", service.name, len(days), first, last)
	}
	_ = w.Flush()

	columns := []string{"weight", "fat mass", "pulse", "pressure, mmHg", "steps", "climbed", "asleep", "workout"}
	days := slices.SortedFunc(maps.Keys(s.days), health.Day.Compare)
	days = days[max(0, len(days)-shownDays):]
	fmt.Fprintln(out)
	// Two blanks between columns: with three, a long sport does not fit into 100.
	w = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  day\t"+strings.Join(columns, "\t"))
	for _, day := range days {
		fmt.Fprintf(w, "  %s", day)
		for _, c := range columns {
			fmt.Fprintf(w, "\t%s", cmp.Or(s.days[day][c], "-"))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
}

// instant names the datum that a record is about, whatever its key: two records
// with one of these are one datum twice.
func instant(r health.Record) string {
	return fmt.Sprintln(r.Kind, r.Stream(), r.Span.Day, r.Span.Start.SortMilli(), r.Span.End.SortMilli())
}

// compare prints what the second sync did to what the first had read.
func compare(before, after *summary, report healthsync.Report, out io.Writer) error {
	results := map[string]store.Result{}
	for _, s := range report.Streams {
		r := results[s.Stream]
		r.Inserted, r.Revised, r.Unchanged = r.Inserted+s.Result.Inserted, r.Revised+s.Result.Revised, r.Unchanged+s.Result.Unchanged+s.Result.Stale
		results[s.Stream] = r
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "  service\tbefore\tnow\tread again, no difference\tchanged\ttwice")
	lost, twice := 0, 0
	for key := range before.keys {
		if !after.keys[key] {
			lost++
		}
	}
	for _, service := range services {
		known, again := map[string]bool{}, 0
		for _, r := range before.records[service.stream] {
			known[instant(r)] = true
		}
		for _, r := range after.records[service.stream] {
			if !before.keys[string(r.Kind)+" "+r.Key] && known[instant(r)] {
				again++
			}
		}
		twice += again
		r := results[service.stream]
		fmt.Fprintf(w, "  %s\t%d\t%d\t%d\t%d\t%d\n", service.name, len(before.records[service.stream]), len(after.records[service.stream]),
			r.Unchanged, r.Revised, again)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n  Duplicates: %d. Records that went: %d.\n", twice, lost)
	if len(after.records["measures"]) > len(before.records["measures"]) {
		fmt.Fprintln(out, "  Measures that are new are of kinds that the old interface did not tell.")
	}
	if results["sleep"].Revised > 0 {
		fmt.Fprintln(out, "  Sleep stages that changed have heart rate and breathing with them now.")
	}
	var more []string
	for stream, records := range after.records {
		if len(before.records[stream]) == 0 {
			more = append(more, fmt.Sprintf("%s %d", stream, len(records)))
		}
	}
	if slices.Sort(more); len(more) > 0 {
		fmt.Fprintf(out, "  Streams that OAuth 2.0 brings: %s.\n", strings.Join(more, ", "))
	}
	if twice+lost > 0 {
		return errors.New("the second sync did not leave alone what was there")
	}
	return nil
}
