package sync_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// exported is what the lines of an export say.
type exported struct {
	records  []health.Record
	points   int
	raw      []string
	lines    map[string]int
	manifest store.Manifest
}

func readExport(t testing.TB, text []byte) exported {
	e := exported{lines: make(map[string]int)}
	digest := sha256.New()
	scanner := bufio.NewScanner(bytes.NewReader(text))
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var line struct {
			Type     string
			Record   health.Record
			Samples  struct{ Series health.Series }
			Raw      struct{ Bodies []struct{ Body []byte } }
			Manifest store.Manifest
		}
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &line))
		if line.Type == "manifest" {
			e.manifest = line.Manifest
			require.Equal(t, hex.EncodeToString(digest.Sum(nil)), line.Manifest.SHA256)
			require.False(t, scanner.Scan())
			break
		}
		digest.Write(append(slices.Clone(scanner.Bytes()), '\n'))
		e.lines[line.Type]++
		switch line.Type {
		case "record":
			e.records = append(e.records, line.Record)
		case "samples":
			e.points += line.Samples.Series.Len()
		case "raw":
			for _, b := range line.Raw.Bodies {
				e.raw = append(e.raw, string(b.Body))
			}
		}
	}
	for kind, part := range e.manifest.Parts {
		require.Equal(t, e.lines[kind], part.Lines, kind)
	}
	require.Len(t, e.manifest.Parts, len(e.lines))
	return e
}

// TestExportIsTheStore is X10.
func TestExportIsTheStore(t *testing.T) {
	t.Parallel()
	each := map[string]int{"memory": proof.N(30, 500), "sqlite": proof.N(30, 500), "redis": proof.N(15, 500)}
	counts := proof.Counts{}
	proof.Row(t, "X10", counts)
	for name, open := range stores(t) {
		people := each[name]
		counts["people in "+name] = people
		t.Run(name, func(t *testing.T) {
			s, _ := open(t)
			c := newCrowd(t, s, people)
			c.cfg.SealRaw = true
			sealing := c.another(t)
			ctx := t.Context()
			for i := range people {
				user := c.user(i)
				conns, err := c.engine.Connections(ctx, user)
				require.NoError(t, err)
				// Soon after midnight the service has no samples of the day.
				_, err = c.Put(c.account(i), provsim.StreamSamples, provsim.Row{
					At: time.Now().Add(-2 * time.Hour).Truncate(time.Minute).UnixMilli(), Points: []int64{60, 61, 62},
				})
				require.NoError(t, err)
				_, err = sealing.Sync(ctx, conns[0].ID)
				require.NoError(t, err)

				var out bytes.Buffer
				m, err := sealing.Export(ctx, user, &out)
				require.NoError(t, err)
				got := readExport(t, out.Bytes())
				require.Equal(t, m, got.manifest)
				var want []health.Record
				for r, err := range store.AllRecords(ctx, c.store, store.RecordQuery{User: user, Deleted: true}) {
					require.NoError(t, err)
					want = append(want, r)
				}
				require.NotEmpty(t, want)
				require.Equal(t, want, got.records)
				require.Equal(t, len(want), m.Records)
				points := 0
				for _, d := range health.Catalogue() {
					for run, err := range store.AllSamples(ctx, c.store, store.SampleQuery{User: user, Metric: d.Metric}) {
						require.NoError(t, err)
						points += run.Series.Len()
					}
				}
				require.Positive(t, points)
				require.Equal(t, points, got.points)
				require.Equal(t, points, m.Samples)
				require.Equal(t, 1, m.Connections)
				require.Zero(t, m.RawPages)
				for j := range people {
					if j != i {
						require.NotContains(t, out.String(), c.user(j))
					}
				}
			}
			// Raw answers are opened, also when their connection is gone.
			read := func() (raw []string) {
				var out bytes.Buffer
				_, err := sealing.ExportRaw(ctx, c.user(0), &out)
				require.NoError(t, err)
				for _, secret := range c.MintedSecrets() {
					require.NotContains(t, out.String(), secret)
				}
				return readExport(t, out.Bytes()).raw
			}
			before := read()
			require.NotEmpty(t, before)
			require.True(t, slices.ContainsFunc(before, func(b string) bool { return strings.Contains(b, c.row(0)) }))
			conns, err := c.engine.Connections(ctx, c.user(0))
			require.NoError(t, err)
			require.NoError(t, sealing.Disconnect(ctx, conns[0].ID, true))
			require.Equal(t, before, read())
		})
	}
}

// TestAudit is X15: every change of a connection's state, and all that was done
// with a person's data, has one event, without values.
func TestAudit(t *testing.T) {
	proof.Row(t, "X15", proof.Counts{"actions": 11})
	p := newPortal(t, store.NewMemory(), provsim.Config{Users: 2, AccessLife: time.Hour}, nil)
	ada := p.browser(t, "ada")
	conn := p.connect(t, "ada", "u1")
	_, err := p.engine.Sync(t.Context(), conn.ID)
	require.NoError(t, err)
	p.ExpireAccess("u1")
	_, err = p.engine.Sync(t.Context(), conn.ID)
	require.NoError(t, err)
	require.NoError(t, p.Deauthorize("u1"))
	_, err = p.engine.Sync(t.Context(), conn.ID)
	require.ErrorIs(t, err, providers.ErrReauth)
	p.connect(t, "ada", "u1") // consents again
	ada.get(p.engine, http.MethodGet, with(t, ada.consent(t, "u2", ""), "error", "access_denied"))
	bob := p.browser(t, "bob")
	bob.get(p.engine, http.MethodGet, bob.consent(t, "u1", ""))
	_, err = p.engine.Export(t.Context(), "ada", &bytes.Buffer{})
	require.NoError(t, err)
	require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, true))
	require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, true))
	_, err = p.engine.Erase(t.Context(), "ada")
	require.NoError(t, err)
	_, err = p.engine.Erase(t.Context(), "ada")
	require.NoError(t, err)
	require.Equal(t, []string{
		"connect ok", "complete ok", "refresh ok", "state ok", "connect ok", "complete ok", "connect ok", "complete denied",
		"connect ok", "complete linked", "export ok", "disconnect ok", "erase ok",
	}, p.audited())
	changes := 0
	for _, e := range p.audits {
		if (e.Action == "complete" || e.Action == "state" || e.Action == "disconnect") && e.Outcome == "ok" {
			changes++
		}
		require.False(t, e.At.IsZero())
		require.NotEmpty(t, e.Actor)
		require.NotEmpty(t, e.User)
	}
	require.Len(t, p.states, changes, "one event for each new state")
	text, err := json.Marshal(p.audits)
	require.NoError(t, err)
	for _, secret := range append(p.MintedSecrets(), "u1", "u2", provsim.DefaultClientSecret) {
		require.NotContains(t, string(text), secret)
	}
}

// TestConfigRows are the rows of the catalogue about configuration that are the
// engine's. Rows C8 to C11 are of the drivers, C3, C12 and C13 of the adapters,
// which own those secrets, ids and tolerances, C18 of the adapter for Terra; C2
// and C16 are with the keys.
func TestConfigRows(t *testing.T) {
	good := func() healthsync.Config {
		return healthsync.Config{
			Providers: []providers.Provider{newClinic(weightWindows)}, Store: store.NewMemory(), Sealer: newKeyring(t),
			PublicURL: publicURL, ReturnTo: map[string]string{"done": "https://host.example.com/"},
		}
	}
	for row, c := range map[string]struct {
		spoil func(*healthsync.Config)
		says  string
	}{
		"C4 plain http":       {func(c *healthsync.Config) { c.PublicURL = "http://host.example.com" }, "not https"},
		"C4 fragment":         {func(c *healthsync.Config) { c.PublicURL += "#x" }, "fragment"},
		"C4 wildcard":         {func(c *healthsync.Config) { c.PublicURL = "https://*.example.com" }, "wildcard"},
		"C4 slash at the end": {func(c *healthsync.Config) { c.PublicURL += "/" }, "slash"},
		"C4 query":            {func(c *healthsync.Config) { c.PublicURL += "?x=1" }, "query"},
		"C4 app":              {func(c *healthsync.Config) { c.PublicURL = "com.example.app://x" }, "not https"},
		"C4 no address": {func(c *healthsync.Config) {
			c.PublicURL, c.Authenticate = "", func(*http.Request) (string, error) { return "", nil }
		}, "PublicURL"},
		"O10 return to a script":  {func(c *healthsync.Config) { c.ReturnTo["x"] = "javascript:alert(1)" }, "ReturnTo"},
		"O10 return to no scheme": {func(c *healthsync.Config) { c.ReturnTo["x"] = "//evil" }, "ReturnTo"},
		"O10 return to https:x":   {func(c *healthsync.Config) { c.ReturnTo["x"] = "https:evil" }, "ReturnTo"},
		"O10 return to backslash": {func(c *healthsync.Config) { c.ReturnTo["x"] = `\evil` }, "ReturnTo"},
		"O10 name":                {func(c *healthsync.Config) { c.ReturnTo["a b"] = "https://host.example.com/" }, "name"},
		"C5 two of one name":      {func(c *healthsync.Config) { c.Providers = append(c.Providers, c.Providers[0]) }, "clinic"},
		"C6 call as long":         {func(c *healthsync.Config) { c.LeaseTTL, c.RefreshTimeout = 30*time.Second, 30*time.Second }, "at most a third"},
		"C6 negative":             {func(c *healthsync.Config) { c.LeaseTTL = -1 }, "3s to 24h"},
		"C6 a year":               {func(c *healthsync.Config) { c.LeaseTTL = 365 * day }, "3s to 24h"},
		"C6 call negative":        {func(c *healthsync.Config) { c.RefreshTimeout = -1 }, "RefreshTimeout"},
		"C14 negative":            {func(c *healthsync.Config) { c.DeliveryBytes = -1 }, "DeliveryBytes"},
		"C14 two gigabytes": {func(c *healthsync.Config) {
			c.Providers = []providers.Provider{mannered{newClinic(weightWindows), providers.WebhookTraits{MaxBody: 2 << 30}}}
		}, "at most"},
		"C14 less than nothing": {func(c *healthsync.Config) {
			c.Providers = []providers.Provider{mannered{newClinic(weightWindows), providers.WebhookTraits{MaxBody: -1}}}
		}, "at most"},
		"delivery headers that are secrets": {func(c *healthsync.Config) {
			c.Providers = []providers.Provider{mannered{newClinic(weightWindows), providers.WebhookTraits{Header: []string{"X-Signature", "authorization"}}}}
		}, "Authorization"},
		"delivery headers with a session": {func(c *healthsync.Config) {
			c.Providers = []providers.Provider{mannered{newClinic(weightWindows), providers.WebhookTraits{Header: []string{"Cookie"}}}}
		}, "Cookie"},
		"refusal that looks like success": {func(c *healthsync.Config) {
			c.Providers = []providers.Provider{mannered{newClinic(weightWindows), providers.WebhookTraits{Refused: 200}}}
		}, "want 4xx"},
		"refusal that ends the subscription": {func(c *healthsync.Config) {
			c.Providers = []providers.Provider{mannered{newClinic(weightWindows), providers.WebhookTraits{Refused: 410}}}
		}, "but 410"},
		"acceptance by redirect": {func(c *healthsync.Config) {
			c.Providers = []providers.Provider{mannered{newClinic(weightWindows), providers.WebhookTraits{Accepted: 302}}}
		}, "want 2xx"},
		"C17 path": {func(c *healthsync.Config) {
			c.Providers = []providers.Provider{named{newClinic(weightWindows), "../x"}}
		}, "provider name"},
		"C17 upper case": {func(c *healthsync.Config) {
			c.Providers = []providers.Provider{named{newClinic(weightWindows), "Clinic"}}
		}, "provider name"},
		"C17 empty":      {func(c *healthsync.Config) { c.Providers = []providers.Provider{named{newClinic(weightWindows), ""}} }, "provider name"},
		"flow of a year": {func(c *healthsync.Config) { c.FlowTTL = 365 * day }, "FlowTTL"},
	} {
		t.Run(row, func(t *testing.T) {
			cfg := good()
			c.spoil(&cfg)
			_, err := healthsync.New(cfg)
			require.ErrorContains(t, err, c.says)
		})
	}
	t.Run("C1 keys", func(t *testing.T) {
		for name, secret := range map[string][]byte{
			"none": nil, "31 bytes": make([]byte, 31), "all zero": make([]byte, 32),
		} {
			_, err := healthsync.NewKeyring(healthsync.Key{ID: "k", Secret: secret})
			require.Error(t, err, name)
		}
	})
	t.Run("C7 look-back", func(t *testing.T) {
		for _, lookback := range []time.Duration{0, 10 * 365 * day} {
			bubble(t, func(t *testing.T) {
				stream := weightWindows
				stream.Lookback = lookback
				w := newWard(t, newClinic(stream), nil)
				w.fill(2)
				_, err := w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				asked := w.asked()
				first := asked[0].Window.First
				require.False(t, first.IsZero())
				behind := time.Since(time.Date(int(first.Year), time.Month(first.Month), int(first.Dom), 0, 0, 0, 0, time.UTC))
				require.GreaterOrEqual(t, behind, day, "at least a day")
				require.Less(t, behind, 370*day, "and at most a year")
			})
		}
	})
	t.Run("C15 nothing optional", func(t *testing.T) {
		cfg := good()
		cfg.Logger, cfg.Hooks, cfg.ReturnTo, cfg.PublicURL = nil, healthsync.Hooks{}, nil, ""
		engine, err := healthsync.New(cfg)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, engine.Run(ctx))
	})
}

// mannered is an adapter with traits of its own.
type mannered struct {
	*clinic
	traits providers.WebhookTraits
}

func (m mannered) WebhookTraits() providers.WebhookTraits { return m.traits }

func (m mannered) ParseWebhook(time.Time, *providers.WebhookRequest) ([]providers.Notification, error) {
	return nil, errors.ErrUnsupported
}

// named is an adapter with another name.
type named struct {
	*clinic
	name string
}

func (n named) Name() string { return n.name }
