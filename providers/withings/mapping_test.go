package withings

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
)

var update = flag.Bool("update", false, "write the expected records of testdata anew")

// read returns a body of testdata.
func read(tb testing.TB, file string) []byte {
	tb.Helper()
	b, err := os.ReadFile("testdata/" + file)
	require.NoError(tb, err)
	return b
}

// dayName names the answer for a night or a day that the testdata is in.
const dayName = "/2026-11-21/1795172400-1795258800"

// fixtures is the body, or bodies, of each stream in testdata.
var fixtures = []struct {
	stream string
	bodies [][2]string // name, file
}{
	{streamMeasures, [][2]string{{"getmeas", "getmeas.json"}}},
	{streamActivity, [][2]string{{"getactivity", "getactivity.json"}}},
	{streamWorkouts, [][2]string{{"getworkouts", "getworkouts.json"}}},
	{streamSleepSummary, [][2]string{{"sleep/getsummary", "sleep_getsummary.json"}}},
	{streamSleep, [][2]string{{"sleep/get" + dayName, "sleep_get.json"}}},
	{streamIntraday, [][2]string{{"getintradayactivity" + dayName, "getintradayactivity.json"}}},
	{streamHeart, [][2]string{{heartListName, "heart_list.json"}, {"heart/get/901", "heart_get.json"}}},
	{streamDevices, [][2]string{{"user/getdevice", "getdevice.json"}}},
	{streamGoals, [][2]string{{"user/getgoals", "getgoals.json"}}},
}

// TestMapping compares what each stream maps testdata to with the records that
// were looked over by a person.
func TestMapping(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.stream, func(t *testing.T) {
			page := health.RawPage{Stream: f.stream, Date: benchDate, Zone: "Europe/Paris"}
			for _, b := range f.bodies {
				page.Bodies = append(page.Bodies, health.RawBody{Name: b[0], Body: read(t, b[1])})
			}
			m := newMapper(page)
			require.NoError(t, streams[f.stream].mapPage(m))
			var out strings.Builder
			for i := range m.records {
				r := &m.records[i]
				require.NoError(t, r.Validate(benchDate))
				describe(&out, r)
			}
			for _, q := range m.quarantined {
				fmt.Fprintf(&out, "QUARANTINED %s: %s\n", q.Key, q.Reason)
			}
			file := "testdata/" + f.stream + ".records"
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), out.String())
		})
	}
}

// describe writes a record for people.
func describe(w *strings.Builder, r *health.Record) {
	s := r.Span
	fmt.Fprintf(w, "%s (%s, %s)\n", r.Key, r.Kind, r.Method)
	fmt.Fprintf(w, "  %s .. %s day %q zone %s %s flags %d order %s\n", s.Start, s.End, s.Day, s.Zone, s.Location, s.Flags,
		time.UnixMilli(r.Rev.Order).UTC().Format(time.RFC3339))
	fmt.Fprintf(w, "  from %+v\n", r.Source)
	for _, v := range r.Values {
		fmt.Fprintf(w, "  %s", v.Metric)
		if v.Stat != health.StatValue {
			fmt.Fprintf(w, ".%s", v.Stat)
		}
		if v.Part != "" {
			fmt.Fprintf(w, "@%s", v.Part)
		}
		fmt.Fprintf(w, " = %s", v.Number)
		if v.Flags != 0 {
			fmt.Fprintf(w, " flags %d", v.Flags)
		}
		w.WriteString("\n")
	}
	for _, x := range r.Texts {
		fmt.Fprintf(w, "  %s = %q\n", x.Name, x.Value)
	}
	for _, x := range r.Segments {
		fmt.Fprintf(w, "  %s %s (%s) %s .. %s\n", x.Track, x.Label, x.Code, x.Start, x.End)
	}
	for i := range r.Series {
		x := &r.Series[i]
		fmt.Fprintf(w, "  series %s@%s %d..%d e%d:", x.Metric, x.Part, x.From, x.To, x.Exp)
		for j := range x.Times {
			fmt.Fprintf(w, " %d=%d", x.Times[j], x.Values[j])
		}
		w.WriteString("\n")
	}
}
