package terra

import (
	"encoding/json"
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

// mapNow is when the data of the tests is mapped.
var mapNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var mapEnvelope = envelope{Order: mapNow.UnixMilli(), Push: true, Now: mapNow}

var mapUser = User{UserID: "u2", Provider: "GARMIN", ReferenceID: "p1"}

// fixtures are the bodies in testdata by kind.
var fixtures = []struct{ kind, file string }{
	{kindActivity, "activity.json"}, {kindAthlete, "athlete.json"}, {kindBody, "body.json"}, {kindDaily, "daily.json"},
	{kindHealthObservation, "observation.json"}, {kindHormone, "hormone.json"}, {kindMenstruation, "menstruation.json"},
	{kindNutrition, "nutrition.json"}, {kindPlannedWorkout, "planned_workout.json"}, {kindPlannedWorkout, "legacy_planned_workout.json"},
	{kindSleep, "sleep.json"},
	{kindActivity, "map_activity.json"}, {kindBody, "map_body.json"}, {kindDaily, "map_daily.json"}, {kindMenstruation, "map_menstruation.json"},
	{kindNutrition, "map_nutrition.json"}, {kindHealthObservation, "map_observation.json"}, {kindSleep, "map_sleep.json"},
}

// dataIn returns what a body holds to be mapped, and whose it is.
func dataIn(t testing.TB, body []byte) (User, []byte) {
	var answer struct {
		User    User            `json:"user"`
		Data    json.RawMessage `json:"data"`
		Athlete json.RawMessage `json:"athlete"`
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	switch {
	case answer.Data != nil:
		return answer.User, answer.Data
	case answer.Athlete != nil:
		return answer.User, answer.Athlete
	}
	return mapUser, body
}

// TestMapping compares what testdata maps to with the records that were looked
// over by a person.
func TestMapping(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.file, func(t *testing.T) {
			user, data := dataIn(t, read(t, f.file))
			records, quarantined, err := mapData(f.kind, user, data, mapEnvelope)
			require.NoError(t, err)
			var out strings.Builder
			for i := range records {
				require.NoError(t, records[i].Validate(mapNow))
				describe(&out, &records[i])
			}
			for _, q := range quarantined {
				fmt.Fprintf(&out, "QUARANTINED %s: %s: %s\n", q.Key, q.Reason, q.Raw)
			}
			file := "testdata/" + strings.TrimSuffix(f.file, ".json") + ".records"
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
	fmt.Fprintf(w, "%s (%s, %s, %s)\n", r.Key, r.Kind, r.Method, r.State)
	fmt.Fprintf(w, "  %s .. %s day %q zone %s flags %q order %s push %t mapping %d\n", s.Start, s.End, s.Day, s.Zone, s.Flags,
		time.UnixMilli(r.Rev.Order).UTC().Format(time.RFC3339), r.Rev.Push, r.Rev.Mapping)
	fmt.Fprintf(w, "  from %+v\n", r.Source)
	describeValues(w, "  ", r.Values)
	for _, x := range r.Texts {
		fmt.Fprintf(w, "  %s = %q\n", x.Name, x.Value)
	}
	for _, x := range r.Segments {
		fmt.Fprintf(w, "  %s %s (%s) %s .. %s\n", x.Track, x.Label, x.Code, x.Start, x.End)
		describeValues(w, "    ", x.Values)
	}
	for i := range r.Series {
		x := &r.Series[i]
		clock := "instants"
		if x.Floating {
			clock = "floating"
		}
		fmt.Fprintf(w, "  series %s@%s %s %s..%s:", x.Metric, x.Part, clock, utc(x.From), utc(x.To))
		for j := range x.Times {
			fmt.Fprintf(w, " %s=%s", utc(x.Times[j]), x.Number(j))
		}
		w.WriteString("\n")
	}
}

func utc(milli int64) string {
	return time.UnixMilli(milli).UTC().Format("2006-01-02T15:04:05.999")
}

func describeValues(w *strings.Builder, indent string, vs []health.Value) {
	for _, v := range vs {
		fmt.Fprintf(w, "%s%s", indent, v.Metric)
		if v.Stat != health.StatValue {
			fmt.Fprintf(w, ".%s", v.Stat)
		}
		if v.Part != "" {
			fmt.Fprintf(w, "@%s", v.Part)
		}
		fmt.Fprintf(w, " = %s", v.Number)
		if v.Flags != 0 {
			fmt.Fprintf(w, " (%s)", v.Flags)
		}
		w.WriteString("\n")
	}
}
