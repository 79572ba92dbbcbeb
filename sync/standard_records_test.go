package sync_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// bench is an engine over the Withings adapter, on a service that answers
// requests for one action as a test says.
type bench struct {
	store  store.Store
	engine *healthsync.Engine
	conn   store.Connection

	mu     gosync.Mutex
	answer func(http.ResponseWriter, *http.Request)
}

// The action and the stream that the tests answer for: measurements and days.
const (
	actionMeasures = "getmeas"
	actionDays     = "getactivity"
	actionWorkouts = "getworkouts"
	actionNights   = "getsummary"
)

func newBench(t testing.TB, action string) *bench {
	at2026()
	return newBenchOn(t, store.NewMemory(), action)
}

func newBenchOn(t testing.TB, db store.Store, action string) *bench {
	service := withingstest.New(withingstest.Config{Seed: 10, Days: 1, IntradayDays: -1, RateLimit: -1, IdenticalCallWindow: -1})
	b := &bench{store: db}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		answer := b.answer
		b.mu.Unlock()
		if r.PostFormValue("action") == action && answer != nil {
			w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
			answer(w, r)
			return
		}
		service.ServeHTTP(w, r)
	})
	adapter, err := withings.New(withings.Config{
		ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
		Transport: providertest.Transport(handler), MaxWait: -1,
	})
	require.NoError(t, err)
	b.engine, err = healthsync.New(healthsync.Config{
		Providers: []providers.Provider{adapter}, Store: b.store, Sealer: newKeyring(t), MaxWait: -1,
	})
	require.NoError(t, err)
	user := service.AddUser(withingstest.UserConfig{Timezone: "Europe/Paris"})
	b.conn = connect(t, b.engine, "ada", withings.Name, withingstest.DefaultRedirectURL, func(address string) (*url.URL, error) {
		return service.Authorize(user.ID, address)
	})
	return b
}

func (b *bench) answers(answer func(http.ResponseWriter)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = func(w http.ResponseWriter, _ *http.Request) { answer(w) }
}

// read syncs and returns what there is of a stream: records by key, what was
// set aside, and the error of the stream.
func (b *bench) read(t testing.TB, stream string) (map[string]health.Record, []store.Quarantined, error) {
	report, err := b.engine.Sync(t.Context(), b.conn.ID)
	for _, s := range report.Streams {
		if s.Stream == stream && s.Err != nil {
			err = s.Err
		}
	}
	records := make(map[string]health.Record)
	for r, failure := range store.AllRecords(t.Context(), b.store, store.RecordQuery{User: "ada", Deleted: true}) {
		require.NoError(t, failure)
		if r.Stream() == stream {
			require.NotContains(t, records, r.Key)
			records[r.Key] = r
		}
	}
	aside, failure := b.store.Quarantine(t.Context(), b.conn.ID, 1000)
	require.NoError(t, failure)
	return records, aside, err
}

// goodGroup is what must come through whatever is wrong beside it.
const goodGroup = `{"grpid":1,"attrib":0,"date":1795240800,"modified":1795240800,"category":1,"measures":[{"value":7,"type":1,"unit":1}]}`

// groupOf returns a group with the members besides its usual ones.
func groupOf(members string) string {
	return `{"attrib":0,"category":1,"modified":1795240800,` + members + `}`
}

const (
	groupTime = `"date":1795240800,`
	weighed   = `"measures":[{"value":70,"type":1,"unit":0}]`
)

func measuring(value string) string { return groupTime + `"measures":[` + value + `]` }

// recordRow is a row of the catalogue of bad records: a group of measurements on
// a page with a good one, and what is to come of it.
type recordRow struct {
	row, name, group string
	key              string // of the record; "" if there must be none
	aside            string // the key of what is set aside; "" if there must be nothing
	check            func(*testing.T, health.Record)
}

func flagged(f health.Flags) func(*testing.T, health.Record) {
	return func(t *testing.T, r health.Record) {
		require.Len(t, r.Values, 1)
		require.True(t, r.Values[0].Flags.Has(f), r.Values[0].Flags)
	}
}

func exactly(d health.Decimal) func(*testing.T, health.Record) {
	return func(t *testing.T, r health.Record) {
		require.Len(t, r.Values, 1)
		require.True(t, d.Equal(r.Values[0].Number), "%v", r.Values[0].Number)
	}
}

func recordRows() []recordRow {
	id := `"grpid":2,`
	const key, part, first = "measures/2", "measures/2#measures", "measures/#1"
	return []recordRow{
		{"J1", "a member twice", groupOf(id + id + groupTime + weighed), "", key, nil},
		{"J1", "a member twice, deeper", groupOf(id + measuring(`{"value":7,"value":8,"type":1,"unit":0}`)), key, part, nil},
		{"J2", "a name in capitals", groupOf(`"GRPID":2,` + groupTime + weighed), "", first, nil},
		{"J3", "a look-alike name", groupOf("\"grp\u0131d\":2," + groupTime + weighed), "", first, nil},
		{"J4", "an id beyond the integers of float64", groupOf(`"grpid":9007199254740993,` + groupTime + weighed), "measures/9007199254740993", "", nil},
		{"J5", "an id beyond int64", groupOf(`"grpid":9223372036854775808,` + groupTime + weighed), "", first, nil},
		{"J6", "id 12", groupOf(`"grpid":12,` + groupTime + weighed), "measures/12", "", nil},
		{"J6", "id as text", groupOf(`"grpid":"12",` + groupTime + weighed), "measures/12", "", nil},
		{"J6", "id 12.0", groupOf(`"grpid":12.0,` + groupTime + weighed), "measures/12", "", nil},
		{"J6", "id 1.2e1", groupOf(`"grpid":1.2e1,` + groupTime + weighed), "measures/12", "", nil},
		{"J6", "all four on a page", strings.Join([]string{
			groupOf(`"grpid":12,` + groupTime + weighed), groupOf(`"grpid":"12",` + groupTime + weighed),
			groupOf(`"grpid":12.0,` + groupTime + weighed), groupOf(`"grpid":1.2e1,` + groupTime + weighed),
		}, ","), "measures/12", "measures/12", nil},
		{"J7", "NaN", groupOf(id + measuring(`{"value":NaN,"type":1,"unit":0}`)), "", key, nil},
		{"J7", "Infinity", groupOf(id + measuring(`{"value":Infinity,"type":1,"unit":0}`)), "", key, nil},
		{"J8", "1e400", groupOf(id + measuring(`{"value":1e400,"type":1,"unit":0}`)), key, part, nil},
		{"J8", "minus zero", groupOf(id + measuring(`{"value":-0,"type":77,"unit":0}`)), key, "", exactly(health.Int(0))},
		{"J8", "1e-400", groupOf(id + measuring(`{"value":1e-400,"type":77,"unit":0}`)), key, "", flagged(health.FlagInexact)},
		{"J9", "weight -5", groupOf(id + measuring(`{"value":-5,"type":1,"unit":0}`)), key, "", flagged(health.FlagOutOfRange)},
		{"J9", "weight 0", groupOf(id + measuring(`{"value":0,"type":1,"unit":0}`)), key, "", flagged(health.FlagOutOfRange)},
		{"J9", "weight a thousand tons", groupOf(id + measuring(`{"value":1,"type":1,"unit":6}`)), key, "", flagged(health.FlagOutOfRange)},
		{"J9", "heart rate 0", groupOf(id + measuring(`{"value":0,"type":11,"unit":0}`)), key, "", flagged(health.FlagOutOfRange)},
		{"J9", "heart rate 9999", groupOf(id + measuring(`{"value":9999,"type":11,"unit":0}`)), key, "", flagged(health.FlagOutOfRange)},
		{"J10", "unit 127", groupOf(id + measuring(`{"value":7,"type":1,"unit":127}`)), key, part, nil},
		{"J10", "unit -128", groupOf(id + measuring(`{"value":7,"type":1,"unit":-128}`)), key, part, nil},
		{"J10", "no unit", groupOf(id + measuring(`{"value":7,"type":1}`)), key, part, nil},
		{"J11", "measures null", groupOf(id + groupTime + `"measures":null`), key, "", nil},
		{"J11", "no measures", groupOf(id + groupTime + `"measures":[]`), key, "", nil},
		{"J11", "a million of them", groupOf(id + measuring(strings.Repeat("7,", 999_999)+"7")), "", key, nil},
		{"J12", "time 0", groupOf(id + `"date":0,` + weighed), "", key, nil},
		{"J12", "time -1", groupOf(id + `"date":-1,` + weighed), "", key, nil},
		{"J12", "the year 146138514283", groupOf(id + `"date":4611686018427387904,` + weighed), "", key, nil},
		{"J12", "milliseconds", groupOf(id + `"date":1795240800123,` + weighed), key, "", func(t *testing.T, r health.Record) {
			at, ok := r.Span.Start.UnixMilli()
			require.True(t, ok)
			require.EqualValues(t, 1795240800123, at)
			require.True(t, r.Span.Flags.Has(health.FlagScaled))
		}},
		{"J18", "an id that is not UTF-8", groupOf(id + `"deviceid":"a` + "\xff" + `",` + groupTime + weighed), "", key, nil},
		{"J18", "an id with half a surrogate", groupOf(id + `"deviceid":"a\ud800",` + groupTime + weighed), "", key, nil},
		{"J19", "NUL in a name", groupOf(id + `"model":"a\u0000b",` + groupTime + weighed), key, "", nil},
		{"J19", "a change of direction in a name", groupOf(id + `"model":"a\u202eb",` + groupTime + weighed), key, "", nil},
		{"J19", "a name of 1 MB", groupOf(id + `"model":"` + strings.Repeat("m", 1<<20) + `",` + groupTime + weighed), key, "", func(t *testing.T, r health.Record) {
			for _, text := range r.Texts {
				require.LessOrEqual(t, len(text.Value), health.MaxText)
			}
		}},
		{"J20", "null for a number", groupOf(id + measuring(`{"value":null,"type":1,"unit":0}`)), key, part, nil},
		{"J20", "null for a time", groupOf(id + `"date":null,` + weighed), "", key, nil},
		{"J20", "null for an id", groupOf(`"grpid":null,` + groupTime + weighed), "", first, nil},
		{"J23", "an object for a list", groupOf(id + groupTime + `"measures":{}`), "", key, nil},
		{"J23", "a list for an object", `[1,2]`, "", first, nil},
		{"J23", "a word for a number", groupOf(id + measuring(`{"value":"many","type":1,"unit":0}`)), key, part, nil},
		{"J24", "an unknown type of measurement", groupOf(id + measuring(`{"value":7,"type":70707,"unit":0}`)), key, "", func(t *testing.T, r health.Record) {
			require.Empty(t, r.Values, "it is in the raw answer only")
		}},
		{"J24", "an unknown member", groupOf(id + `"more_to_come":{"a":[1,null]},` + groupTime + weighed), key, "", nil},
		{"J24", "an unknown attribution", `{"grpid":2,"attrib":77,"category":1,"modified":1795240800,` + groupTime + weighed + `}`, key, "", nil},
		{"J25", "the same id twice, the fresher one first", strings.Join([]string{
			`{"grpid":2,"attrib":0,"category":1,"modified":1795240900,` + measuring(`{"value":71,"type":77,"unit":0}`) + `}`,
			`{"grpid":2,"attrib":0,"category":1,"modified":1795240800,` + measuring(`{"value":70,"type":77,"unit":0}`) + `}`,
		}, ","), key, key, exactly(health.Int(71))},
		{"J25", "the same id twice, the fresher one last", strings.Join([]string{
			`{"grpid":2,"attrib":0,"category":1,"modified":1795240800,` + measuring(`{"value":70,"type":77,"unit":0}`) + `}`,
			`{"grpid":2,"attrib":0,"category":1,"modified":1795240900,` + measuring(`{"value":71,"type":77,"unit":0}`) + `}`,
		}, ","), key, key, exactly(health.Int(71))},
		{"J36", "three days from now", groupOf(id + fmt.Sprintf(`"date":%d,`, 1795240800+3*86400) + weighed), "", key, nil},
	}
}

// TestBadRecords has a page with one good record and one with a fault: the page
// is stored, the good one is there, and the other one is as its row says, set
// aside with a reason, flagged, or kept.
func TestBadRecords(t *testing.T) {
	rows := recordRows()
	proof.Row(t, "S10", proof.Counts{"faults": len(rows)})
	for _, c := range rows {
		t.Run(c.row+" "+c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, actionMeasures)
				b.answers(func(w http.ResponseWriter) {
					_, _ = fmt.Fprintf(w, `{"status":0,"body":{"updatetime":1795262400,"timezone":"Europe/Paris","measuregrps":[%s,%s]}}`, goodGroup, c.group)
				})
				records, aside, err := b.read(t, "measures")
				require.NoError(t, err)
				require.Contains(t, records, "measures/1", "the page is stored")
				want := 1
				if c.key != "" {
					want = 2
					require.Contains(t, records, c.key)
					if c.check != nil {
						c.check(t, records[c.key])
					}
				}
				require.Len(t, records, want)
				var keys []string
				for _, q := range aside {
					require.NotEmpty(t, q.Reason)
					require.Equal(t, "measures", q.Stream)
					require.Less(t, len(q.Reason), 200)
					if !slices.Contains(keys, q.Key) {
						keys = append(keys, q.Key)
					}
				}
				if c.aside == "" {
					require.Empty(t, keys)
				} else {
					require.Equal(t, []string{c.aside}, keys)
				}
				cursor, err := b.store.Cursor(t.Context(), b.conn.ID, "measures", store.LaneLive)
				require.NoError(t, err)
				require.NotEmpty(t, cursor.HighWater, "the read is complete")
				raw, err := b.store.RawPages(t.Context(), store.RawQuery{Connection: b.conn.ID, Stream: "measures"})
				require.NoError(t, err)
				require.Len(t, raw.Pages, 1)
				require.True(t, bytes.Contains(raw.Pages[0].Bodies[0].Body, []byte(c.group)), "what is not mapped is kept raw")
			})
		})
	}
}

// TestAllBadRecordsOnOnePage has all of the faults at once.
func TestAllBadRecordsOnOnePage(t *testing.T) {
	rows := recordRows()
	proof.Row(t, "S10", proof.Counts{"faults on a page": len(rows)})
	bubble(t, func(t *testing.T) {
		b := newBench(t, actionMeasures)
		groups := []string{goodGroup}
		for i, c := range rows {
			groups = append(groups, strings.ReplaceAll(c.group, `"grpid":2,`, fmt.Sprintf(`"grpid":%d,`, 1000+i)))
		}
		b.answers(func(w http.ResponseWriter) {
			_, _ = fmt.Fprintf(w, `{"status":0,"body":{"updatetime":1795262400,"measuregrps":[%s]}}`, strings.Join(groups, ","))
		})
		records, aside, err := b.read(t, "measures")
		require.NoError(t, err)
		require.Contains(t, records, "measures/1")
		require.Greater(t, len(records), 20)
		require.Greater(t, len(aside), 20)
		for i, c := range rows {
			if key := fmt.Sprintf("measures/%d", 1000+i); strings.Contains(c.group, `"grpid":2,`) {
				_, kept := records[key]
				require.Equal(t, c.key != "", kept, "%s %s", c.row, c.name)
			}
		}
	})
}

// TestRecordsThatBreakARule has an adapter hand over a page with one record for
// each rule of records, which breaks it, and one that breaks none.
func TestRecordsThatBreakARule(t *testing.T) {
	breaches := map[string]func(*health.Record){
		"kind":           func(r *health.Record) { r.Kind = "mood" },
		"key of others":  func(r *health.Record) { r.Key = "steps/1" },
		"key":            func(r *health.Record) { r.Key = "weights" },
		"long key":       func(r *health.Record) { r.Key = "weights/" + strings.Repeat("k", health.MaxKey) },
		"key with NUL":   func(r *health.Record) { r.Key = "weights/\x00" },
		"key backwards":  func(r *health.Record) { r.Key = "weights/\u202e" },
		"key not UTF-8":  func(r *health.Record) { r.Key = "weights/\xff" },
		"state":          func(r *health.Record) { r.State = 77 },
		"method":         func(r *health.Record) { r.Method = 77 },
		"order":          func(r *health.Record) { r.Rev.Order = -1 },
		"order of years": func(r *health.Record) { r.Rev.Order = 1 << 60 },
		"no time":        func(r *health.Record) { r.Span.Start, r.Span.Day = health.Moment{}, health.Day{} },
		"1970":           func(r *health.Record) { r.Span.Start = health.Instant(0) },
		"three days hence": func(r *health.Record) {
			r.Span.Start = health.Instant(time.Now().Add(72 * time.Hour).UnixMilli())
		},
		"end first": func(r *health.Record) {
			at, _ := r.Span.Start.UnixMilli()
			r.Span.End = health.Instant(at - 1)
		},
		"two clocks": func(r *health.Record) { r.Span.End = health.Floating(r.Span.Start.SortMilli() + 1) },
		"offset":     func(r *health.Record) { r.Span.Start = health.Zoned(r.Span.Start.SortMilli(), 24*3600) },
		"day":        func(r *health.Record) { r.Span.Day = health.Day{Year: 2026, Month: 2, Dom: 30} },
		"location":   func(r *health.Record) { r.Span.Location = "Mars\nOlympus" },
		"metric":     func(r *health.Record) { r.Values[0].Metric = "NO SUCH" },
		"part":       func(r *health.Record) { r.Values[0].Part = "../x" },
		"value twice": func(r *health.Record) {
			r.Values = append(r.Values, health.Value{Metric: r.Values[0].Metric, Number: health.Int(9)})
		},
		"exponent":    func(r *health.Record) { r.Values[0].Number.Exponent = 127 },
		"text's name": func(r *health.Record) { r.Texts = []health.Text{{Name: "A b", Value: "x"}} },
		"text twice":  func(r *health.Record) { r.Texts = []health.Text{{Name: "a", Value: "x"}, {Name: "a", Value: "y"}} },
		"series columns": func(r *health.Record) {
			r.Series = []health.Series{{Metric: "heart_rate", From: r.Span.Start.SortMilli(), To: r.Span.Start.SortMilli() + 9, Times: []int64{r.Span.Start.SortMilli()}}}
		},
		"series backwards": func(r *health.Record) {
			at := r.Span.Start.SortMilli()
			r.Series = []health.Series{{Metric: "heart_rate", From: at, To: at + 9, Times: []int64{at + 2, at + 1}, Values: []int64{1, 2}}}
		},
	}
	proof.Row(t, "S10", proof.Counts{"rules": len(breaches)})
	bubble(t, func(t *testing.T) {
		at2026()
		w := newWard(t, newClinic(weightWindows), nil)
		w.pageSize = 100
		w.fill(7)
		w.onFetch = func(_ int, _ providers.Query, page *providers.Page) error {
			for i, name := range slices.Sorted(maps.Keys(breaches)) {
				r := page.Records[0]
				r.Key = fmt.Sprintf("weights/%d", 1000+i)
				r.Values = slices.Clone(r.Values)
				breaches[name](&r)
				page.Records = append(page.Records, r)
			}
			return nil
		}
		reported := 0
		engine := w.another(t, func(cfg *healthsync.Config) {
			cfg.Hooks.Quarantined = func(context.Context, healthsync.QuarantineEvent) { reported++ }
		})
		_, err := engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, w.want(), w.held(t), "those that break no rule, and no other")
		aside, err := w.store.Quarantine(t.Context(), w.conn.ID, 1000)
		require.NoError(t, err)
		require.Len(t, aside, len(breaches))
		require.Equal(t, len(breaches), reported)
		for _, q := range aside {
			require.NotEmpty(t, q.Reason)
			require.NotContains(t, q.Reason, "70000", "a value")
		}
	})
}

func packed(t testing.TB, text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// TestBadAnswers are the rows of the catalogue about whole pages: the read ends
// with an error, the mark stays, and nothing is deleted.
func TestBadAnswers(t *testing.T) {
	page := `{"status":0,"body":{"updatetime":1795262400,"measuregrps":[` + goodGroup + `]}}`
	for _, c := range []struct {
		row, name string
		answer    func(w http.ResponseWriter)
	}{
		{"J21", "null", answered("null")},
		{"J22", "nothing", answered("")},
		{"J22", "204", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }},
		{"J22", "an empty object", answered("{}")},
		{"J22", "no rows", answered(`{"status":0,"body":{}}`)},
		{"J27", "an offset that does not grow", answered(strings.Replace(page, `"updatetime"`, `"more":1,"offset":300,"updatetime"`, 1))},
		{"J29", "a web page", answered("<html><body>Sign in</body></html>")},
		{"J32", "a plain body that calls itself gzip", func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte(page))
		}},
		{"J32", "half a gzip", func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			whole := packed(t, page)
			_, _ = w.Write(whole[:len(whole)/2])
		}},
		{"J33", "100 MiB", func(w http.ResponseWriter) {
			chunk := bytes.Repeat([]byte(" "), 1<<20)
			for range 100 {
				_, _ = w.Write(chunk)
			}
		}},
		{"J33", "a million rows that are none", answered(`{"status":0,"body":{"measuregrps":[` + strings.Repeat("7,", 999_999) + `7]}}`)},
	} {
		t.Run(c.row+" "+c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, actionMeasures)
				b.answers(answered(page))
				before, _, err := b.read(t, "measures")
				require.NoError(t, err)
				require.Len(t, before, 1)
				cursor, err := b.store.Cursor(t.Context(), b.conn.ID, "measures", store.LaneLive)
				require.NoError(t, err)

				b.answers(c.answer)
				time.Sleep(time.Hour)
				after, aside, err := b.read(t, "measures")
				var e *providers.Error
				require.ErrorAs(t, err, &e)
				require.Contains(t, []error{providers.ErrMalformed, providers.ErrUnavailable}, e.Kind)
				require.Equal(t, before, after)
				require.Empty(t, aside)
				moved, err := b.store.Cursor(t.Context(), b.conn.ID, "measures", store.LaneLive)
				require.NoError(t, err)
				require.Equal(t, cursor.HighWater, moved.HighWater)
				require.Empty(t, announcedDeletions(t, b.store))
			})
		})
	}
}

func answered(body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { _, _ = w.Write([]byte(body)) }
}

// TestOtherRowsOfBadRecords are the rows of the catalogue that are not about a
// group of measurements.
func TestOtherRowsOfBadRecords(t *testing.T) {
	for row, run := range map[string]func(*testing.T){
		"J13 days that are none": func(t *testing.T) {
			b := newBench(t, actionDays)
			b.answers(answered(`{"status":0,"body":{"activities":[{"date":"2026-02-30","deviceid":"d","steps":1},{"date":"2026-11-20","deviceid":"d","steps":2}]}}`))
			records, aside, err := b.read(t, "activity")
			require.NoError(t, err)
			require.Len(t, records, 1)
			require.Contains(t, records, "activity/2026-11-20/d")
			require.Len(t, aside, 1)
		},
		// No adapter here reads times as text; the reader for those that do.
		"J13 times as text": func(t *testing.T) {
			for _, refused := range []string{"2026-02-30T00:00:00Z", "2026-01-02T03:04:05+24:00"} {
				_, _, err := health.ParseMoment(refused)
				require.ErrorIs(t, err, health.ErrTime)
			}
			leap, flags, err := health.ParseMoment("2016-12-31T23:59:60Z")
			require.NoError(t, err)
			require.Equal(t, health.FlagNonexistent, flags)
			require.Equal(t, "2016-12-31T23:59:59.000Z", leap.String())
			for _, floating := range []string{"2026-01-02T03:04:05", "2026-01-02 03:04:05"} {
				m, flags, err := health.ParseMoment(floating)
				require.NoError(t, err)
				require.True(t, m.IsFloating())
				require.Zero(t, flags)
			}
		},
		"J14 hours that happen twice or not at all": func(t *testing.T) {
			newYork, err := time.LoadLocation("America/New_York")
			require.NoError(t, err)
			for reading, want := range map[string]health.Flags{
				"2026-03-08T02:30:00": health.FlagNonexistent, "2026-11-01T01:30:00": health.FlagAmbiguous, "2026-11-01T02:30:00": 0,
			} {
				wall, _, err := health.ParseMoment(reading)
				require.NoError(t, err)
				first, flags := health.Resolve(wall, newYork)
				require.Equal(t, want, flags, reading)
				again, _ := health.Resolve(wall, newYork)
				require.Equal(t, first, again)
			}
		},
		"J15 spans that are odd": func(t *testing.T) {
			b := newBench(t, actionWorkouts)
			b.answers(answered(`{"status":0,"body":{"series":[` +
				`{"id":5,"startdate":1795200000,"enddate":1795199999,"data":{}},` +
				`{"id":6,"startdate":1795200000,"enddate":1795200000,"data":{}}]}}`))
			records, aside, err := b.read(t, "workouts")
			require.NoError(t, err)
			require.Len(t, aside, 1)
			require.Equal(t, "workouts/5", aside[0].Key, "the end comes first")
			require.Len(t, records, 1)
			require.True(t, records["workouts/6"].Span.Flags.Has(health.FlagImplausible), "no time at all")
		},
		"J15 a night of forty hours": func(t *testing.T) {
			b := newBench(t, actionNights)
			b.answers(answered(`{"status":0,"body":{"series":[{"id":5,"timezone":"Europe/Paris","startdate":1795050000,"enddate":1795194000,"date":"2026-11-20","data":{}}]}}`))
			records, aside, err := b.read(t, "sleep_summary")
			require.NoError(t, err)
			require.Empty(t, aside)
			require.True(t, records["sleep_summary/5"].Span.Flags.Has(health.FlagImplausible))
		},
		"J16 zones that are none": func(t *testing.T) {
			for zone, want := range map[string]string{
				"Mars/Olympus": "Europe/Paris", "GMT+25": "Europe/Paris", "../../etc/passwd": "Europe/Paris", "": "Europe/Paris",
				"Asia/Calcutta": "Asia/Calcutta", "Asia/Kolkata": "Asia/Kolkata",
			} {
				bubble(t, func(t *testing.T) {
					b := newBench(t, actionMeasures)
					page := func(zone string) func(http.ResponseWriter) {
						return answered(`{"status":0,"body":{"timezone":"` + zone + `","measuregrps":[` + goodGroup + `]}}`)
					}
					b.answers(page("Europe/Paris"))
					_, _, err := b.read(t, "measures")
					require.NoError(t, err)
					b.answers(page(zone))
					records, aside, err := b.read(t, "measures")
					require.NoError(t, err)
					require.Empty(t, aside)
					span := records["measures/1"].Span
					require.Equal(t, health.ZoneFromProfile, span.Zone, zone)
					require.Equal(t, want, span.Location)
					offset, ok := span.Start.Offset()
					require.True(t, ok)
					require.Equal(t, map[bool]int{true: 3600, false: 19800}[want == "Europe/Paris"], offset)
				})
			}
		},
		"J28 the access token ends on page 3 of 9": func(t *testing.T) {
			w := newWard(t, newClinic(weightChanges), nil)
			for i := range 27 {
				w.put(i, time.Now().Add(-time.Duration(i+1)*time.Hour), 70_000)
			}
			w.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
				if n == 2 {
					w.expires = time.Now()
				}
				return nil
			}
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			require.NoError(t, err)
			require.Equal(t, w.want(), w.held(t))
			require.Equal(t, map[string]int{"refresh-1": 1}, w.shown)
			asked := w.asked()
			require.Equal(t, "6", asked[2].PageToken, "refused")
			require.Equal(t, "6", asked[3].PageToken, "the same page again")
			require.Equal(t, "9", asked[4].PageToken)
		},
		"J30 the person is not found": func(t *testing.T) {
			w := newWard(t, newClinic(weightWindows), nil)
			w.fill(6)
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			require.NoError(t, err)
			w.onFetch = func(int, providers.Query, *providers.Page) error {
				return &providers.Error{Provider: "clinic", Kind: providers.ErrNotFound, Status: 404}
			}
			_, err = w.engine.Sync(t.Context(), w.conn.ID)
			require.ErrorIs(t, err, providers.ErrNotFound)
			conn, err := w.store.Connection(t.Context(), w.conn.ID)
			require.NoError(t, err)
			require.Equal(t, store.StateActive, conn.State)
			require.Equal(t, w.want(), w.held(t), "nothing is erased")
			require.Empty(t, announcedDeletions(t, w.store))
		},
		"J31 JSON that calls itself a web page": func(t *testing.T) {
			b := newBench(t, actionMeasures)
			b.answers(func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", "text/html")
				answered(`{"status":0,"body":{"measuregrps":[` + goodGroup + `]}}`)(w)
			})
			records, _, err := b.read(t, "measures")
			require.NoError(t, err)
			require.Len(t, records, 1)
		},
		"J34 somebody else's row": func(t *testing.T) {
			b := newBench(t, actionWorkouts)
			b.answers(answered(`{"status":0,"body":{"series":[{"id":5,"userid":12,"startdate":1795200000,"enddate":1795200100,"data":{}},{"id":6,"startdate":1795200000,"enddate":1795200100,"data":{}}]}}`))
			records, _, err := b.read(t, "workouts")
			require.ErrorIs(t, err, providers.ErrMalformed)
			require.Empty(t, records, "the page is refused whole")
			cursor, err := b.store.Cursor(t.Context(), b.conn.ID, "workouts", store.LaneLive)
			require.NoError(t, err)
			require.Empty(t, cursor.HighWater)
		},
		"J35 a deletion of what was never there": func(t *testing.T) {
			w := newWard(t, newClinic(weightWindows), nil)
			w.fill(2)
			w.onFetch = func(_ int, _ providers.Query, page *providers.Page) error {
				page.Records[0].State, page.Records[0].Values = health.StateDeleted, nil
				return nil
			}
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			require.NoError(t, err)
			n := 0
			for r, err := range store.AllRecords(t.Context(), w.store, store.RecordQuery{User: w.conn.User, Deleted: true}) {
				require.NoError(t, err)
				if r.State == health.StateDeleted {
					n++
				}
			}
			require.Equal(t, 1, n, "the tombstone is kept")
		},
	} {
		t.Run(row, func(t *testing.T) {
			if strings.HasPrefix(row, "J16") {
				run(t)
				return
			}
			bubble(t, run)
		})
	}
	// J17, a zone that changes between pages: TestChangesOfZone. J26, a page
	// whose total promises more than it has: no service here tells totals.
}
