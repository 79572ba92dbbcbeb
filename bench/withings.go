package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// A page of getmeas as large as the floor is stated for.
const (
	pageGroups = 2000
	pageValues = 6500
)

// getmeasPage makes an answer of getmeas with the members the service sends.
func getmeasPage(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	var b bytes.Buffer
	b.WriteString(`{"status":0,"body":{"updatetime":1790000000,"timezone":"Europe\/Paris","measuregrps":[`)
	at := int64(1600000000)
	for i := range pageGroups {
		if i > 0 {
			b.WriteByte(',')
		}
		at += 3600 + rng.Int64N(90_000)
		fmt.Fprintf(&b, `{"grpid":%d,"attrib":0,"date":%d,"created":%d,"modified":%d,"category":1,`, 4_000_000_000+i*17, at, at+30, at+40)
		b.WriteString(`"deviceid":"892359876fd8805ac45bab078c4828692f0276b1","hash_deviceid":"892359876fd8805ac45bab078c4828692f0276b1","measures":[`)
		weight := 71_000 + rng.IntN(4000)
		values := []struct{ value, kind, unit int }{{weight, 1, -3}, {weight / 50, 8, -2}, {weight / 13, 76, -2}, {weight / 250, 88, -2}}
		for j, v := range values[:pageValues*(i+1)/pageGroups-pageValues*i/pageGroups] {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"value":%d,"type":%d,"unit":%d,"algo":3425,"fm":131}`, v.value, v.kind, v.unit)
		}
		b.WriteString(`],"modelid":13,"model":"Body+","comment":null}`)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

// plainAnswer is what a team writes that decodes with encoding/json.
type plainAnswer struct {
	Status int `json:"status"`
	Body   struct {
		UpdateTime int64  `json:"updatetime"`
		Timezone   string `json:"timezone"`
		Groups     []struct {
			ID       int64  `json:"grpid"`
			Attrib   int    `json:"attrib"`
			Date     int64  `json:"date"`
			Created  int64  `json:"created"`
			Modified int64  `json:"modified"`
			Category int    `json:"category"`
			DeviceID string `json:"deviceid"`
			Model    string `json:"model"`
			ModelID  int    `json:"modelid"`
			Measures []struct {
				Value int64 `json:"value"`
				Type  int   `json:"type"`
				Unit  int   `json:"unit"`
			} `json:"measures"`
		} `json:"measuregrps"`
	} `json:"body"`
}

// normalise measures a page of getmeas, from its bytes to valid records, on
// one core.
func normalise(_ context.Context, b *bench) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	adapter, err := withings.New(withings.Config{ClientID: "bench", ClientSecret: providers.NewSecret("bench")})
	if err != nil {
		return err
	}
	const repeat = 20
	page := health.RawPage{Stream: "measures", Date: time.Now(), Bodies: []health.RawBody{{Name: "getmeas"}}}
	var ours, anchor, allocs float64
	var size int
	for round := range b.rounds {
		body := getmeasPage(uint64(round))
		size = len(body)
		page.Bodies[0].Body = body
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		for range repeat {
			records, err := adapter.Remap(page)
			if err != nil || len(records) != pageGroups {
				return fmt.Errorf("%d records: %w", len(records), err)
			}
		}
		ours = max(ours, pageValues*repeat/time.Since(began).Seconds())
		runtime.ReadMemStats(&after)
		allocs = float64(after.Mallocs-before.Mallocs) / repeat / pageValues
		began = time.Now()
		for range repeat {
			var plain plainAnswer
			if err := json.Unmarshal(body, &plain); err != nil || len(plain.Body.Groups) != pageGroups {
				return fmt.Errorf("%d groups: %w", len(plain.Body.Groups), err)
			}
		}
		anchor = max(anchor, pageValues*repeat/time.Since(began).Seconds())
	}
	const topic = "withings page"
	b.Add(Row{Topic: topic, Name: "getmeas to records, one core", Unit: "M values/s", Measured: ours / 1e6, Floor: 1.5})
	b.Add(Row{
		Topic: topic, Name: "the same against encoding/json into plain structs", Unit: "M values/s",
		Measured: ours / 1e6, Anchor: anchor / 1e6, Floor: 2,
	})
	b.Add(Row{Topic: topic, Name: "allocations per value", Measured: allocs, Floor: 1, Most: true})
	b.Note(topic, "%d groups, %d values, %d kB. Ours ends with normalized, validated records; the anchor ends with structs.",
		pageGroups, pageValues, size/1000)
	return nil
}

// million measures the memory of a sync of one user with a million records,
// the simulator of the service included: it runs in the same process.
func million(ctx context.Context, b *bench) error {
	const groups = 1_000_000
	sim := withingstest.New(withingstest.Config{
		Days: 3650, IntradayDays: -1, RateLimit: -1, IdenticalCallWindow: -1, AccessTokenLife: 24 * time.Hour,
	})
	user := sim.AddUser(withingstest.UserConfig{Measures: groups})
	server := httptest.NewServer(sim)
	defer server.Close()
	adapter, err := withings.New(withings.Config{
		ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
		BaseURL: server.URL, AccountURL: server.URL, RequestsPerMinute: -1,
	})
	if err != nil {
		return err
	}
	db, err := sqlitestore.Open(ctx, filepath.Join(b.dir, "million.db"), nil)
	if err != nil {
		return err
	}
	defer db.Close()
	key := make([]byte, 32)
	key[0] = 1
	sealer, err := healthsync.NewKeyring(healthsync.Key{ID: "bench", Secret: key})
	if err != nil {
		return err
	}
	engine, err := healthsync.New(healthsync.Config{
		Providers: []providers.Provider{measuresOnly{adapter}}, Store: db, Sealer: sealer, MaxPages: 2 * groups,
	})
	if err != nil {
		return err
	}
	address, err := engine.Connect(ctx, healthsync.ConnectRequest{
		User: "million", Provider: "withings", RedirectURL: withingstest.DefaultRedirectURL,
	})
	if err != nil {
		return err
	}
	answer, err := sim.Authorize(user.ID, address)
	if err != nil {
		return err
	}
	conn, err := engine.Complete(ctx, url.Values(answer.Query()))
	if err != nil {
		return err
	}
	live := watchHeap()
	began := time.Now()
	report, err := engine.Backfill(ctx, conn.ID, began.AddDate(-11, 0, 0))
	if err != nil {
		return err
	}
	took := time.Since(began)
	peak := live()
	total := report.Total()
	if total.Inserted != groups {
		return fmt.Errorf("%d records, want %d", total.Inserted, groups)
	}
	page, err := db.Records(ctx, store.RecordQuery{User: "million", Limit: 1})
	if err != nil || len(page.Records) != 1 {
		return fmt.Errorf("the records cannot be read: %w", err)
	}
	const topic = "million records"
	b.Add(Row{Topic: topic, Name: "peak live heap of a sync of 1,000,000 records", Unit: "MiB", Measured: peak / (1 << 20), Floor: 64, Most: true})
	b.Add(Row{Topic: topic, Name: "its rate, service included", Unit: "k records/s", Measured: groups / took.Seconds() / 1000})
	b.Note(topic, "Over HTTP from the simulator, which runs in the same process and shares the heap and the two cores. "+
		"The live heap is what a collection leaves, read after each one.")
	return nil
}

// measuresOnly is the adapter with its first stream alone.
type measuresOnly struct{ *withings.Provider }

func (m measuresOnly) Capabilities() providers.Capabilities {
	c := m.Provider.Capabilities()
	for _, s := range c.Streams {
		if s.Name == "measures" {
			c.Streams = []providers.Stream{s}
			return c
		}
	}
	return c
}

// watchHeap follows the live heap until the returned function is called, which
// tells its peak in bytes.
func watchHeap() func() float64 {
	// Pools keep what the topics before used through the first collection.
	debug.FreeOSMemory()
	debug.FreeOSMemory()
	var peak atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	read := func() {
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		if v := sample[0].Value.Uint64(); v > peak.Load() {
			peak.Store(v)
		}
	}
	go func() {
		defer close(stopped)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				read()
			}
		}
	}()
	return func() float64 {
		runtime.GC()
		read()
		close(stop)
		<-stopped
		return float64(peak.Load())
	}
}
