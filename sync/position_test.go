package sync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

func TestPositionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := position{Version: positionVersion, Mark: rapid.String().Draw(t, "mark"), First: rapid.String().Draw(t, "first")}
		if rapid.Bool().Draw(t, "through") {
			p.Through = drawTime(t, "through at")
		}
		p.Reach = time.Duration(rapid.IntRange(0, 400).Draw(t, "reach")) * day
		if rapid.Bool().Draw(t, "plan") {
			since := drawTime(t, "since")
			until := since.Add(time.Duration(rapid.Int64Range(0, 1e17).Draw(t, "length")))
			p.Plan = &plan{Since: since, Until: until, Next: until, Started: drawTime(t, "started")}
		}
		got, err := decodePosition(p.encode())
		require.NoError(t, err)
		require.Equal(t, p, got)
	})
}

func drawTime(t *rapid.T, label string) time.Time {
	return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, label), 0).UTC()
}

func TestCursorsThatCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{
		"truncated":         `{"v":1,"mark":"1`,
		"not an object":     `[]`,
		"null version":      `{"v":null}x`,
		"future version":    `{"v":2}`,
		"unknown field":     `{"v":1,"x":1}`,
		"trailing":          `{"v":1}{"v":1}`,
		"wrong type":        `{"v":1,"mark":5}`,
		"part of a day":     `{"v":1,"reach":3600000000000}`,
		"negative reach":    `{"v":1,"reach":-86400000000000}`,
		"plan backwards":    `{"v":1,"plan":{"since":"2026-01-02T00:00:00Z","until":"2026-01-01T00:00:00Z","next":"2026-01-01T00:00:00Z","started":"2026-01-01T00:00:00Z"}}`,
		"plan past its end": `{"v":1,"plan":{"since":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z","next":"2026-01-03T00:00:00Z","started":"2026-01-01T00:00:00Z"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodePosition(text)
			require.ErrorIs(t, err, errCursor)
			require.NotContains(t, err.Error(), "2026", "an error must not repeat what it refuses")
		})
	}
	for name, text := range map[string]string{
		"both windows":   `{"v":1,"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z","first":"2026-01-01","last":"2026-01-01"}`,
		"runs backwards": `{"v":1,"from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}`,
		"days backwards": `{"v":1,"first":"2026-01-02","last":"2026-01-01"}`,
		"half a window":  `{"v":1,"last":"2026-01-01"}`,
		"mark and days":  `{"v":1,"mark":"5","first":"2026-01-01","last":"2026-01-01"}`,
		"host's zone":    `{"v":1,"zone":"Local"}`,
		"unknown zone":   `{"v":1,"zone":"Mars/Olympus"}`,
		"no such day":    `{"v":1,"first":"2026-02-30","last":"2026-03-01"}`,
		"negative index": `{"v":1,"index":-1}`,
		"begins nothing": `{"v":1,"begins":"2026-01-01T00:00:00Z"}`,
	} {
		t.Run("walk "+name, func(t *testing.T) {
			_, err := decodeWalkQuery(text)
			require.ErrorIs(t, err, errCursor)
		})
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add(`{"v":1,"mark":"1700000000","through":"2026-01-01T00:00:00Z"}`)
	f.Add(`{"v":1,"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z","zone":"Europe/Berlin"}`)
	f.Add(`{"v":1,"first":"2026-01-01","last":"2026-01-02","index":3}`)
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := decodePosition(text); err == nil {
			again, err := decodePosition(p.encode())
			require.NoError(t, err)
			require.Equal(t, p.encode(), again.encode())
		}
		if q, err := decodeWalkQuery(text); err == nil {
			again, err := decodeWalkQuery(q.encode())
			require.NoError(t, err)
			require.Equal(t, q.encode(), again.encode())
			require.Equal(t, q.Zone, zoneName(q.query("s", "").Zone))
			require.False(t, q.window().Days() && !q.From.IsZero())
		}
	})
}

func TestWalkQueryRoundTrip(t *testing.T) {
	q := walkQuery{
		Version: walkQueryVersion, First: health.Day{Year: 2026, Month: 1, Dom: 31}, Last: health.Day{Year: 2026, Month: 2, Dom: 1},
		Zone: "Pacific/Apia", Begins: time.Date(2026, 1, 30, 23, 0, 0, 0, time.UTC), Date: 1_790_000_000_000, Read: 1_790_000_000_001, Index: 7,
	}
	got, err := decodeWalkQuery(q.encode())
	require.NoError(t, err)
	require.Equal(t, q, got)
	require.Equal(t, q.Begins, got.query("s", "").Begins, "a walk that is resumed asks the same")
}

func TestAgeOfAWalk(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMilli() }
	for name, c := range map[string]struct {
		lane    store.Lane
		ttl     time.Duration
		reach   time.Duration
		began   time.Duration
		read    int64
		expired bool
	}{
		"no limit":                               {store.LaneBackfill, 0, 0, 1000 * day, ago(900 * day), false},
		"young":                                  {store.LaneBackfill, time.Hour, 0, 50 * time.Minute, ago(time.Minute), false},
		"old, though its last page is young":     {store.LaneBackfill, time.Hour, 0, 2 * time.Hour, ago(time.Minute), true},
		"it can be shorter":                      {store.LaneReconcile, time.Hour, 2 * day, 2 * time.Hour, ago(time.Minute), true},
		"it cannot be shorter":                   {store.LaneReconcile, time.Hour, day, 2 * time.Hour, ago(time.Minute), false},
		"its last page is old":                   {store.LaneBackfill, time.Hour, day, 3 * time.Hour, ago(2 * time.Hour), true},
		"the live lane needs the look-back":      {store.LaneLive, time.Hour, 8 * day, 2 * time.Hour, ago(time.Minute), false},
		"the live lane can be shorter":           {store.LaneLive, time.Hour, 9 * day, 2 * time.Hour, ago(time.Minute), true},
		"stored when the last page was not, old": {store.LaneBackfill, time.Hour, day, 2 * time.Hour, 0, true},
		"stored when the last page was not":      {store.LaneBackfill, time.Hour, day, time.Minute, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := walker{
				stream: providers.Stream{WalkTTL: c.ttl, Lookback: 7 * day}, lane: c.lane, pos: position{Reach: c.reach},
				query: walkQuery{Read: c.read}, walk: store.Walk{StartedAt: now.Add(-c.began)},
			}
			require.Equal(t, c.expired, w.expired())
		})
	}
}
