package terra

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
)

// unmapped are the members that no record depends on, and why.
var unmapped = []struct{ path, why string }{
	{`timer_duration_seconds$`, "the time of a sample without pauses: its timestamp is what counts"},
	{`^meals\[0\]\.id$`, "a meal is known by its place and name in the day; the id is in the raw answer"},
	{`^data_enrichment\.start_time$`, "older models: repeats the start of the day"},
	{`^respiration_data\.\w+\.(start|end)_time$`, "the samples tell when"},
	{`^observation_data\.(components\[0\]\.)?value\.value_type$`, "says which member counts: all that are sent are kept"},
	{`^joined_provider$`, "older models: account_creation_date has taken its place"},
	{`duration_type$|target_type$`, "says which member counts: all that are sent are kept"},
	{`^devices\[0\]\.other_devices`, "a list of devices in a list of devices is not sent"},
}

// filler sets every field of a model to something that can be mapped, each
// number and each text to another one.
type filler struct{ n int }

func (f *filler) fill(t testing.TB, v reflect.Value, name string, depth int) {
	f.n++
	switch x := v.Addr().Interface().(type) {
	case *Number:
		*x = NewNumber(health.Decimal{Coefficient: int64(100 + f.n), Exponent: -1})
		switch name {
		case "zone", "time_from_midnight", "order":
			*x = Whole(3)
		}
		return
	case *Timestamp:
		*x = "2026-07-01T09:00:00.000000+02:00"
		if strings.HasPrefix(name, "end") || strings.HasSuffix(name, "_end") {
			*x = "2026-07-01T10:00:00.000000+02:00"
		}
		return
	case *Code:
		*x = Code{Number: Whole(1)}
		return
	case *Contributors:
		*x = Contributors{"part": Whole(int64(f.n))}
		return
	case interface{ sample() reflect.Type }:
		one := reflect.New(x.sample())
		f.fill(t, one.Elem(), name, depth+1)
		raw, err := json.Marshal([]any{one.Interface()})
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, x))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text " + strconv.Itoa(f.n))
	case reflect.Int:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(t, v.Elem(), name, depth)
	case reflect.Slice:
		if depth > 12 {
			return
		}
		n := 1
		if strings.HasSuffix(name, "lat_lng_deg") {
			n = 2
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(t, v.Index(i), name, depth+4)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			f.fill(t, v.Field(i), tag, depth+1)
		}
	default:
		t.Fatalf("a field of kind %s", v.Kind())
	}
}

// leaves calls each with the path of each number, text and truth of a tree, and
// how to set it.
func leaves(path string, v any, set func(any), each func(path string, v any, set func(any))) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			leaves(strings.TrimPrefix(path+"."+name, "."), v[name], func(to any) { v[name] = to }, each)
		}
	case []any:
		for i := range v {
			leaves(path+"["+strconv.Itoa(i)+"]", v[i], func(to any) { v[i] = to }, each)
		}
	case nil:
	default:
		each(path, v, set)
	}
}

// changed returns something else of the same kind.
func changed(t testing.TB, path string, v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		require.NoError(t, err)
		return json.Number(strconv.FormatFloat(f+1, 'f', -1, 64))
	case bool:
		return !v
	case string:
		if regexp.MustCompile(`(_date|_day|_of_birth)$`).MatchString(path) {
			return "2026-07-02"
		}
		if strings.HasPrefix(v, "2026-07-01T") {
			return strings.Replace(v, ":00:00.", ":07:00.", 1)
		}
		return v + "x"
	}
	t.Fatalf("a leaf of type %T", v)
	return nil
}

// nothingLost checks that the records, or what is set aside, depend on every
// member of a model.
func nothingLost[T Model](t *testing.T, kind string) {
	t.Run(reflect.TypeFor[T]().Name(), func(t *testing.T) {
		var v T
		(&filler{}).fill(t, reflect.ValueOf(&v).Elem(), "", 0)
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		var tree any
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.UseNumber()
		require.NoError(t, d.Decode(&tree))
		result := func() string {
			element, err := json.Marshal(tree)
			require.NoError(t, err)
			records, quarantined, err := mapData(kind, mapUser, element, mapEnvelope)
			require.NoError(t, err)
			require.NotEmpty(t, records, "%v", quarantined)
			var b strings.Builder
			for i := range records {
				fmt.Fprintf(&b, "%s %s %x\n", records[i].Kind, records[i].Key, records[i].Fingerprint())
			}
			for _, q := range quarantined {
				require.Less(t, len(q.Raw), len(element)/2, "%s: %s", q.Key, q.Reason)
				fmt.Fprintf(&b, "%s %s %s\n", q.Key, q.Reason, q.Raw)
			}
			return b.String()
		}
		want := result()
		all, lost := 0, []string{}
		leaves("", tree, nil, func(path string, v any, set func(any)) {
			all++
			set(changed(t, path, v))
			if result() == want {
				lost = append(lost, path)
			}
			set(v)
		})
		require.Equal(t, want, result())
		t.Logf("%d members", all)
		for _, path := range lost {
			known := false
			for _, u := range unmapped {
				known = known || regexp.MustCompile(u.path).MatchString(path)
			}
			require.True(t, known, "no record depends on %s", path)
		}
	})
}

func TestNothingIsLost(t *testing.T) {
	nothingLost[Activity](t, kindActivity)
	nothingLost[Athlete](t, kindAthlete)
	nothingLost[Body](t, kindBody)
	nothingLost[Daily](t, kindDaily)
	nothingLost[HealthObservation](t, kindHealthObservation)
	nothingLost[HormoneSample](t, kindHormone)
	nothingLost[Menstruation](t, kindMenstruation)
	nothingLost[Nutrition](t, kindNutrition)
	nothingLost[PlannedWorkout](t, kindPlannedWorkout)
	nothingLost[LegacyPlannedWorkout](t, kindPlannedWorkout)
	nothingLost[Sleep](t, kindSleep)
}

// The same day delivered again, later, in whatever order, is the same record.
func TestADayAgainIsTheSame(t *testing.T) {
	for _, f := range fixtures {
		user, data := dataIn(t, read(t, f.file))
		first, _, err := mapData(f.kind, user, data, mapEnvelope)
		require.NoError(t, err)
		later := mapEnvelope
		later.Order, later.Push = later.Order+60_000, false
		second, _, err := mapData(f.kind, user, data, later)
		require.NoError(t, err)
		require.Len(t, second, len(first))
		for i := range first {
			require.Equal(t, first[i].Fingerprint(), second[i].Fingerprint())
			first[i].Rev.Fingerprint, second[i].Rev.Fingerprint = first[i].Fingerprint(), second[i].Fingerprint()
			_, verdict, conflict := health.Merge(&first[i], &second[i])
			require.Equal(t, health.Touch, verdict, "%s", first[i].Key)
			require.False(t, conflict)
		}
	}
}

func TestElementsMapTheSameInAnyOrder(t *testing.T) {
	var elements []json.RawMessage
	_, data := dataIn(t, read(t, "map_daily.json"))
	require.NoError(t, json.Unmarshal(data, &elements))
	elements = append(elements, []byte(`{"metadata":{"start_time":"2026-07-05","end_time":"2026-07-06","upload_type":0},"distance_data":{"steps":7}}`))
	prints := func(list []json.RawMessage) map[string]uint64 {
		all, err := json.Marshal(list)
		require.NoError(t, err)
		records, _, err := mapData(kindDaily, mapUser, all, mapEnvelope)
		require.NoError(t, err)
		m := map[string]uint64{}
		for i := range records {
			m[records[i].Key] = records[i].Fingerprint()
		}
		require.Len(t, m, len(records))
		return m
	}
	want := prints(elements)
	rapid.Check(t, func(rt *rapid.T) {
		require.Equal(rt, want, prints(rapid.Permutation(elements).Draw(rt, "order")))
	})
}

// What Terra computed stays when a later delivery lacks it.
func TestEnrichmentIsSticky(t *testing.T) {
	day := func(enrichment string) health.Record {
		return mapOnly(t, kindDaily, `{"metadata":{"start_time":"2026-07-01T00:00:00+02:00","end_time":"2026-07-02T00:00:00+02:00"},"distance_data":{"steps":1},"data_enrichment":`+enrichment+`}`)
	}
	first, second := day(`{"total_stress_score":55,"stress_contributors":{"hrv":2}}`), day(`null`)
	second.Rev.Order += 1000
	merged, verdict, _ := health.Merge(&first, &second)
	require.Equal(t, health.Touch, verdict)
	require.Len(t, merged.Values, 3)
	require.Equal(t, second.Rev.Order, merged.Rev.Order)
}

// mapOnly maps one element, of which one record comes.
func mapOnly(t testing.TB, kind, element string) health.Record {
	records, _, err := mapData(kind, mapUser, []byte("["+element+"]"), mapEnvelope)
	require.NoError(t, err)
	require.Len(t, records, 1)
	return records[0]
}
