package terra

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// seedModels adds models, and answers that hold them.
func seedModels(f *testing.F) {
	names, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	require.NotEmpty(f, names)
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(b)
		var answer struct {
			Data []json.RawMessage `json:"data"`
		}
		require.NoError(f, json.Unmarshal(b, &answer))
		for _, one := range answer.Data {
			f.Add([]byte(one))
		}
	}
	for _, seed := range []string{
		"", "null", "{}", "[]", `{"metadata":null}`, `{"metadata":[1]}`, `{"metadata":{"type":1e99,"upload_type":-1.5}}`, `{"user_id":12e3,"active":"True"}`,
		`{"heart_rate_data":{"detailed":{"hr_samples":[null,1,{"timestamp":1,"bpm":"2"},{"bpm":{}}]}}}`, `{"data_enrichment":{"stress_contributors":[{}]}}`,
	} {
		f.Add([]byte(seed))
	}
}

// fuzzModel feeds the decoder of a model: whatever comes, it does not panic or
// change the bytes, its errors are of the one class, and what it read is written
// so that it is read again.
func fuzzModel[T Model](f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		v, faults, err := Decode[T](body)
		require.Equal(t, before, body)
		if err != nil {
			var e *providers.Error
			require.True(t, errors.As(err, &e) && errors.Is(err, providers.ErrMalformed), "%v", err)
			return
		}
		require.LessOrEqual(t, len(faults), maxFaults)
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		again, faults, err := Decode[T](raw)
		require.NoError(t, err)
		require.Empty(t, faults, "%s", raw)
		// Samples may come compacted.
		once, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(raw), string(once))
		walkSamples(t, reflect.ValueOf(&v).Elem())
	})
}

// walkSamples reads all samples of a model.
func walkSamples(t *testing.T, v reflect.Value) {
	if v.CanAddr() {
		if s, ok := v.Addr().Interface().(interface{ count() (int, int) }); ok {
			all, points := s.count()
			require.LessOrEqual(t, all, points)
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walkSamples(t, v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			walkSamples(t, v.Index(i))
		}
	}
}

// count returns how many samples there are, and how many points.
func (a *Samples[T]) count() (all, points int) {
	for range a.All() {
		all++
	}
	for range a.Points("bpm") {
		points++
	}
	return all, points
}

func FuzzDecodeActivity(f *testing.F)             { seedModels(f); fuzzModel[Activity](f) }
func FuzzDecodeAthlete(f *testing.F)              { seedModels(f); fuzzModel[Athlete](f) }
func FuzzDecodeBody(f *testing.F)                 { seedModels(f); fuzzModel[Body](f) }
func FuzzDecodeDaily(f *testing.F)                { seedModels(f); fuzzModel[Daily](f) }
func FuzzDecodeHealthObservation(f *testing.F)    { seedModels(f); fuzzModel[HealthObservation](f) }
func FuzzDecodeHormoneSample(f *testing.F)        { seedModels(f); fuzzModel[HormoneSample](f) }
func FuzzDecodeLabReport(f *testing.F)            { seedModels(f); fuzzModel[LabReport](f) }
func FuzzDecodeLegacyPlannedWorkout(f *testing.F) { seedModels(f); fuzzModel[LegacyPlannedWorkout](f) }
func FuzzDecodeMenstruation(f *testing.F)         { seedModels(f); fuzzModel[Menstruation](f) }
func FuzzDecodeNutrition(f *testing.F)            { seedModels(f); fuzzModel[Nutrition](f) }
func FuzzDecodePlannedWorkout(f *testing.F)       { seedModels(f); fuzzModel[PlannedWorkout](f) }
func FuzzDecodeSleep(f *testing.F)                { seedModels(f); fuzzModel[Sleep](f) }
func FuzzDecodeUser(f *testing.F)                 { seedModels(f); fuzzModel[User](f) }
func FuzzDecodeWorkoutTemplate(f *testing.F)      { seedModels(f); fuzzModel[WorkoutTemplate](f) }

// FuzzAnswer reads any answer to a call: an error of the known type or a result,
// and the same both times.
func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"daily.json", "athlete.json"} {
		f.Add(200, read(f, name))
	}
	for _, body := range []string{
		"", "{}", "[]", `[{"user_id":"a"}]`, `{"users":[]}`, `{"user":{"user_id":"u"}}`, `{"data":{"next":1e9,"results":[{"user_id":"u"}]}}`, `{"status":"error","message":"user not found"}`,
		`{"title":"t","type":"about:blank"}`, `{"type":"processing","retry_after_seconds":-1}`, `{"type":"x_rate_limit"}`, `{"reference":7}`,
		`{"sessions":[{"session_id":1,"results":[{}]}]}`, `{"models":[{"id":"m"}]}`, `[{"model":"m"}]`,
	} {
		f.Add(200, []byte(body))
		f.Add(404, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 || status == 204 || status == 304 {
			return
		}
		run := func() (results []any) {
			c, _ := clientWith(t, Config{MaxWait: -1, Attempts: -1}, reply{status: status, body: string(body)})
			for _, call := range []func() (any, error){
				func() (any, error) { return c.Athlete(t.Context(), AthleteRequest{UserID: "u"}) },
				func() (any, error) { return c.UserInfo(t.Context(), "u") },
				func() (any, error) { return c.UserPage(t.Context(), 0, 0) },
				func() (any, error) { return c.Integrations(t.Context(), IntegrationsRequest{}) },
				func() (any, error) { return c.LabReports(t.Context(), LabReportsRequest{}) },
				func() (any, error) { return c.AnalysisModels(t.Context()) },
			} {
				v, err := call()
				if err != nil {
					e := errorOf(t, err)
					require.NotNil(t, e.Kind)
					e.RetryAt = e.RetryAt.Truncate(0)
					results = append(results, e.Code)
					continue
				}
				results = append(results, v)
			}
			return results
		}
		require.Equal(t, run(), run())
	})
}

// FuzzPoints reads arrays of samples the fast way and by decoding each: the same
// comes out, unless a sample has a member twice.
func FuzzPoints(f *testing.F) {
	for _, seed := range []string{
		`[]`, `[{}]`, `[{"timestamp":"2026-07-01T09:00:00Z","bpm":60},{"timestamp":"2026-07-01T09:00:05Z","bpm":61.25},{"timestamp":"2026-07-01T10:00:05Z","bpm":6}]`,
		`[ {"timestamp":"2026-07-01T09:00:00.000000+02:00", "bpm":60 , "context":1 } , {"timestamp":"2026-07-01T09:00:05.000000+02:00", "bpm":6 , "context":1 } ]`,
		`[{"bpm":1,"timestamp":"2026-07-01T09:00:00"},{"bpm":2,"timestamp":"2026-07-01T09:00:05"},null,[{"a":"]"}],"x",1.5e3]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var a Samples[HeartRateDataSample]
		if json.Unmarshal(raw, &a) != nil {
			return
		}
		s := jsonscan.New(a.Raw())
		s.Array()
		for s.NextElement() {
			seen := map[string]bool{}
			if !s.Object() {
				continue
			}
			for s.NextMember() {
				if seen[string(s.Name())] {
					return
				}
				seen[string(s.Name())] = true
				s.Skip()
			}
		}
		require.Equal(t, pointsInFull(t, a.Raw()), slices.Collect(a.Points("bpm")))
	})
}
