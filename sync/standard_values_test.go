package sync_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
)

// TestPagesInAnyOrderLeaveTheSameBytes commits pages, whose records contradict
// each other, in one order, and again in another one and repeated: both leave
// the same records, byte for byte.
func TestPagesInAnyOrderLeaveTheSameBytes(t *testing.T) {
	t.Parallel()
	sequences := map[string]int{"memory": proof.N(1000, 5000), "sqlite": proof.N(30, 1000), "redis": proof.N(30, 1000)}
	counts := proof.Counts{}
	proof.Row(t, "S2", counts)
	seed := proof.Seed(t)
	now := time.Now()
	for name, open := range stores(t) {
		counts["sequences in "+name] = sequences[name]
		t.Run(name, func(t *testing.T) {
			db, _ := open(t)
			compared := 0
			defer func() { require.Greater(t, compared, 100*sequences[name]) }()
			for i := range sequences[name] {
				random := rand.New(rand.NewPCG(seed, uint64(i)))
				pages := contradictingPages(random, now)
				var order []int
				for at := range pages {
					for range 1 + random.IntN(3) {
						order = append(order, at)
					}
				}
				random.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
				straight := make([]int, len(pages))
				for at := range straight {
					straight[at] = at
				}
				var held [2][]byte
				for side, order := range [][]int{straight, order} {
					person := fmt.Sprintf("%d-%d", i, side)
					_, err := db.PutConnection(t.Context(), store.Connection{
						ID: person, User: person, Provider: "clinic", UpstreamID: person, State: store.StateActive, CreatedAt: now,
					})
					require.NoError(t, err)
					for n, at := range order {
						page := pages[at]
						page.Records = nil
						for _, r := range pages[at].Records {
							r.Connection = person
							page.Records = append(page.Records, r)
						}
						_, err := db.Commit(t.Context(), store.Batch{
							User: person, Connection: person, Unfenced: true, Now: now.Add(time.Duration(n) * time.Second),
							Cause: store.CauseLive, Pages: []store.Page{page},
						})
						require.NoError(t, err)
					}
					for r, err := range store.AllRecords(t.Context(), db, store.RecordQuery{User: person, Deleted: true}) {
						require.NoError(t, err)
						r.Connection = ""
						held[side] = health.AppendRecord(held[side], &r)
					}
					for run, err := range store.AllSamples(t.Context(), db, store.SampleQuery{User: person, Metric: health.MetricHeartRate}) {
						require.NoError(t, err)
						held[side] = health.AppendPoints(held[side], &run.Series)
					}
				}
				compared += len(held[0])
				require.True(t, bytes.Equal(held[0], held[1]), "sequence %d, order %v", i, order)
			}
		})
	}
}

// contradictingPages draws pages with several versions of few records: older
// and newer ones, and such as are as fresh as each other and differ.
func contradictingPages(random *rand.Rand, now time.Time) []store.Page {
	start := now.Add(-24 * time.Hour).Truncate(time.Hour)
	pages := make([]store.Page, 1+random.IntN(6))
	for i := range pages {
		pages[i] = store.Page{Stream: "weights", Key: strconv.Itoa(i), Digest: uint64(random.IntN(3)) * uint64(i+1)}
		for id := range 4 {
			if random.IntN(2) == 0 {
				continue
			}
			r := health.Record{
				Kind: health.KindBody, Key: "weights/" + strconv.Itoa(id),
				Span:   health.Span{Start: health.Instant(start.Add(time.Duration(id) * time.Hour).UnixMilli())},
				Source: health.Source{Provider: "clinic", Path: health.PathDirect},
				Rev:    health.Rev{Order: start.UnixMilli() + int64(random.IntN(3)), Mapping: uint16(1 + random.IntN(2)), Push: random.IntN(3) == 0},
			}
			if random.IntN(5) == 0 {
				r.State = health.StateDeleted
			} else {
				for _, metric := range []health.Metric{health.MetricBodyWeight, health.MetricFatMass}[:1+random.IntN(2)] {
					r.Values = append(r.Values, health.Value{Metric: metric, Number: health.Decimal{Coefficient: int64(60 + random.IntN(3)), Exponent: 0}})
				}
			}
			r.Normalize()
			pages[i].Records = append(pages[i].Records, r)
		}
		if random.IntN(2) == 0 { // points, the same wherever they are
			hour := start.Add(time.Duration(random.IntN(3)) * time.Hour).UnixMilli()
			series := health.Series{Metric: health.MetricHeartRate, From: hour, To: hour + 3_600_000}
			for at := hour; at < series.To; at += 600_000 {
				series.Times, series.Values = append(series.Times, at), append(series.Values, 60+at/600_000%40)
			}
			r := health.Record{
				Kind: health.KindSamples, Key: fmt.Sprint("weights/points", hour),
				Span:   health.Span{Start: health.Instant(hour), End: health.Instant(series.To)},
				Source: health.Source{Provider: "clinic", Path: health.PathDirect},
				Rev:    health.Rev{Order: hour, Mapping: 1}, Series: []health.Series{series},
			}
			r.Normalize()
			pages[i].Records = append(pages[i].Records, r)
		}
	}
	return pages
}

// TestNumbersAreStoredAsTheyWereSent has the Withings adapter read numbers with
// random units, and the ends of the integers, from an answer, and compares what
// is read from the stores: no digit changes.
func TestNumbersAreStoredAsTheyWereSent(t *testing.T) {
	const total = 100_000
	each := proof.N(total/50, total)
	counts := proof.Counts{}
	proof.Row(t, "S8", counts)
	random := rand.New(rand.NewPCG(proof.Seed(t), 8))
	const perPage = 10_000
	numbers := []health.Decimal{}
	for _, edge := range []int64{
		0, 1, -1, 1<<53 - 1, 1 << 53, 1<<53 + 1, -(1<<53 - 1), -(1 << 53), -(1<<53 + 1), math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1,
	} {
		for unit := int8(-12); unit <= 12; unit++ {
			numbers = append(numbers, health.Decimal{Coefficient: edge, Exponent: unit})
		}
	}
	for len(numbers) < total {
		numbers = append(numbers, health.Decimal{
			Coefficient: int64(random.Uint64()) >> random.IntN(64), Exponent: int8(random.IntN(25) - 12),
		})
	}
	all := numbers
	for name, open := range stores(t) {
		counts["numbers in "+name] = each
		t.Run(name, func(t *testing.T) {
			db, _ := open(t)
			numbers := all[:each]
			b := newBenchOn(t, db, actionMeasures)
			at := time.Now().Add(-time.Hour).Unix()
			b.mu.Lock()
			b.answer = func(w http.ResponseWriter, r *http.Request) {
				from, _ := strconv.Atoi(r.PostFormValue("offset"))
				var body bytes.Buffer
				body.WriteString(`{"status":0,"body":{"updatetime":1,"timezone":"Europe/Paris",`)
				if from+perPage < len(numbers) {
					fmt.Fprintf(&body, `"more":1,"offset":%d,`, from+perPage)
				}
				body.WriteString(`"measuregrps":[`)
				for i, n := range numbers[from:min(from+perPage, len(numbers))] {
					if i > 0 {
						body.WriteByte(',')
					}
					fmt.Fprintf(&body, `{"grpid":%d,"attrib":0,"category":1,"date":%d,"modified":%d,"measures":[{"value":%d,"type":77,"unit":%d}]}`,
						from+i+1, at, at, n.Coefficient, n.Exponent)
				}
				body.WriteString(`]}}`)
				_, _ = w.Write(body.Bytes())
			}
			b.mu.Unlock()
			_, err := b.engine.Sync(t.Context(), b.conn.ID)
			require.NoError(t, err)
			seen := 0
			for r, err := range store.AllRecords(t.Context(), db, store.RecordQuery{User: "ada"}) {
				require.NoError(t, err)
				if r.Stream() != "measures" {
					continue
				}
				seen++
				id, err := strconv.Atoi(r.Key[len("measures/"):])
				require.NoError(t, err)
				if len(r.Values) != 1 || r.Values[0].Number != numbers[id-1] {
					require.Equal(t, numbers[id-1], r.Values[0].Number, r.Key)
				}
				text, err := r.Values[0].Number.MarshalJSON()
				require.NoError(t, err)
				back, err := health.ParseDecimal(text)
				require.NoError(t, err)
				require.True(t, back.Equal(numbers[id-1]), "%s", text)
			}
			require.Equal(t, len(numbers), seen)
		})
	}
}
