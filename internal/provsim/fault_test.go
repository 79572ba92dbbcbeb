package provsim_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

// TestTokenReplies refreshes once under each reply of the catalogue, over HTTP,
// and compares the class and whether it is ambiguous; "" is success.
func TestTokenReplies(t *testing.T) {
	type result struct {
		class     error
		ambiguous bool
	}
	unknown := result{providers.ErrMalformed, true}
	down := result{providers.ErrUnavailable, true}
	dead := result{providers.ErrReauth, false}
	odd := result{providers.ErrMalformed, false}
	want := map[string]result{
		"T1": unknown, "T2": {}, "T3": {}, "T4": {}, "T5": unknown, "T6": {}, "T7": {}, "T8": {}, "T9": {}, "T10": {}, "T11": {},
		"T12": dead, "T13": dead, "T14": dead, "T15": {providers.ErrInvalid, false}, "T16": odd, "T17": odd, "T18": down,
		"T19": {providers.ErrUnavailable, false}, "T20": {providers.ErrRateLimited, false}, "T21": unknown, "T22": unknown, "T23": unknown,
		"T24": unknown, "T25": unknown, "T26": unknown, "T27": unknown, "T28": unknown, "T29": {}, "T30": unknown, "T31": unknown,
		"T32": odd, "T33": odd, "T34": unknown, "T35": unknown, "T36": unknown, "T37": {}, "T38": odd,
	}
	rows := map[string]bool{}
	try := func(t *testing.T, rotation providers.Rotation, reply provsim.TokenReply, expected result) {
		s, p, _ := serve(t, provsim.Config{Rotation: rotation})
		cred := login(t, s)
		s.Inject(reply.Fault)
		next, err := p.Refresh(t.Context(), cred)
		require.Equal(t, 1, s.Ledger().Refresh[0].Shown)
		if expected.class == nil {
			require.NoError(t, err)
			require.NoError(t, use(t, p, next))
			require.True(t, s.Accepts(next.Refresh.Reveal()))
		} else {
			e, ok := errors.AsType[*providers.Error](err)
			require.True(t, ok)
			require.ErrorIs(t, err, expected.class)
			require.Equal(t, expected.ambiguous, e.Ambiguous)
		}
		// What the service did must be what the fault and the mode say.
		spent := reply.Fault.Work == provsim.WorkPair || reply.Fault.Break == provsim.BreakHalf
		switch rotation {
		case providers.RotationNone, providers.RotationReplay:
			spent = false
		case providers.RotationGrace:
			spent = spent && expected.class == nil // it was used
		}
		require.Equal(t, spent, !s.Accepts(cred.Refresh.Reveal()))
		_, err = p.Refresh(t.Context(), cred)
		require.Equal(t, spent, err != nil, "the fault is over")
	}
	for _, reply := range provsim.TokenReplies() {
		row, _, _ := strings.Cut(reply.ID, "/")
		rows[row] = true
		expected := want[row]
		if reply.ID == "T26/reset" {
			expected = down
		}
		for mode, rotation := range rotations() {
			t.Run(reply.ID+"/"+mode, func(t *testing.T) { try(t, rotation, reply, expected) })
		}
	}
	require.Len(t, rows, 38)
	require.Len(t, want, 38)
}

// TestBreaks cuts the connection at each place and looks what was done.
func TestBreaks(t *testing.T) {
	for _, c := range []struct {
		place string
		spent bool
	}{{provsim.BreakBefore, false}, {provsim.BreakAfter, true}, {provsim.BreakHalf, true}} {
		t.Run(c.place, func(t *testing.T) {
			s, p, _ := serve(t, provsim.Config{Rotation: providers.RotationSingleUse})
			cred := login(t, s)
			s.Inject(provsim.Fault{On: "token", Break: c.place})
			_, err := p.Refresh(t.Context(), cred)
			e, ok := errors.AsType[*providers.Error](err)
			require.True(t, ok)
			require.True(t, e.Ambiguous)
			require.ErrorIs(t, err, providers.ErrUnavailable)
			require.Equal(t, c.spent, !s.Accepts(cred.Refresh.Reveal()))
			require.Equal(t, 1, s.Ledger().Refresh[0].Shown)
		})
	}
}

// TestFaultsFit injects faults of which only some fit a request.
func TestFaultsFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := inProcess(t, provsim.Config{Users: 2})
		cred := login(t, s)
		s.Inject(provsim.Fault{On: "revoke", Status: 500})
		s.Inject(provsim.Fault{On: "data", User: "u2", Status: 500})
		s.Inject(provsim.Fault{On: "token", Grant: "authorization_code", Status: 500})
		require.NoError(t, use(t, p, cred))
		_, err := p.Refresh(t.Context(), cred)
		require.NoError(t, err)
		s.Inject(provsim.Fault{User: "u1", Status: 403, Count: 2})
		require.ErrorIs(t, use(t, p, cred), providers.ErrForbidden)
		require.ErrorIs(t, use(t, p, cred), providers.ErrForbidden)
		require.NoError(t, use(t, p, cred))

		// The answer comes late: after the client has gone, or in time.
		s.Inject(provsim.Fault{On: "token", After: 10 * time.Second, Count: 2})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = p.Refresh(ctx, cred)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		begin := time.Now()
		_, err = p.Refresh(t.Context(), cred)
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, time.Since(begin))

		s.ClearFaults()
		require.NoError(t, p.Revoke(t.Context(), cred))
	})
}

// TestRefusalBeatsFault has a fault that hands out tokens to a refresh token
// that is not accepted.
func TestRefusalBeatsFault(t *testing.T) {
	s, p := inProcess(t, provsim.Config{})
	cred := login(t, s)
	require.NoError(t, s.Deauthorize("u1"))
	for _, reply := range provsim.TokenReplies() {
		if reply.Fault.Work != provsim.WorkNone {
			s.Inject(reply.Fault)
			_, err := p.Refresh(t.Context(), cred)
			require.ErrorIs(t, err, providers.ErrReauth, reply.ID)
		}
	}
}

// TestPageLoop gets the token it showed.
func TestPageLoop(t *testing.T) {
	s, p := inProcess(t, provsim.Config{})
	s.Inject(provsim.Fault{On: "data", Status: 200, Body: `{"rows":[],"next":"again","mark":"1"}`})
	_, err := p.Fetch(t.Context(), login(t, s), providers.Query{Stream: provsim.StreamEvents, HighWater: "0", PageToken: "again"})
	require.ErrorIs(t, err, providers.ErrMalformed)
	require.ErrorContains(t, err, providers.CodePageLoop)
}

// TestChangeDuringWalk edits what a walk of changes has not come to yet: it is
// in the next walk and not twice in this one.
func TestChangeDuringWalk(t *testing.T) {
	s, p := inProcess(t, provsim.Config{Users: 1, Days: -1, PageSize: 1})
	cred := login(t, s)
	var rows []provsim.Row
	for i := range 3 {
		row, err := s.Put("u1", provsim.StreamEvents, provsim.Row{At: int64(1_700_000_000_000 + i), Value: 1})
		require.NoError(t, err)
		rows = append(rows, row)
	}
	var keys []string
	mark := ""
	for page, err := range providers.Pages(t.Context(), p, cred, providers.Query{Stream: provsim.StreamEvents, HighWater: "0"}) {
		require.NoError(t, err)
		for _, r := range page.Records {
			keys = append(keys, strings.TrimPrefix(r.Key, "events/"))
		}
		if mark == "" {
			mark = page.Candidate
			for _, i := range []int{0, 2} {
				_, err := s.Put("u1", provsim.StreamEvents, rows[i])
				require.NoError(t, err)
			}
		}
	}
	require.Equal(t, []string{rows[0].ID, rows[1].ID}, keys)
	page, err := p.Fetch(t.Context(), cred, providers.Query{Stream: provsim.StreamEvents, HighWater: mark})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	require.True(t, page.More)

	// Windows of instants are half open.
	window := func(from, to int) int {
		n := 0
		for page, err := range providers.Pages(t.Context(), p, cred, providers.Query{Stream: provsim.StreamEvents, Window: health.Window{
			From: time.UnixMilli(rows[from].At), To: time.UnixMilli(rows[to].At),
		}}) {
			require.NoError(t, err)
			n += len(page.Records)
		}
		return n
	}
	require.Equal(t, 2, window(0, 2))
	require.Equal(t, 1, window(1, 2))
}

// TestTruth edits, deletes and adds late rows, and compares what the adapter
// reads with what Truth says an engine should have.
func TestTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(providertest.Start()))
		s, p := inProcess(t, provsim.Config{Seed: 5, PageSize: 2})
		cred := login(t, s)
		walk := func(q providers.Query) (map[string]health.Record, string) {
			all, mark := map[string]health.Record{}, ""
			for page, err := range providers.Pages(t.Context(), p, cred, q) {
				require.NoError(t, err)
				if mark == "" {
					mark = page.Candidate
				}
				for _, r := range page.Records {
					require.NotContains(t, all, r.Key)
					all[r.Key] = r
				}
			}
			return all, mark
		}
		now := time.Now().UTC()
		instants := health.Window{From: now.AddDate(0, 0, -7), To: now}
		windows := map[string]health.Window{
			provsim.StreamDaily:   {First: health.DayOf(now).Add(-30), Last: health.DayOf(now)},
			provsim.StreamSamples: instants, provsim.StreamEvents: instants,
		}
		compare := func() {
			truth, err := s.Truth("u1")
			require.NoError(t, err)
			for stream, window := range windows {
				want := map[string]health.Record{}
				for _, row := range truth[stream] {
					if !row.Deleted {
						want[stream+"/"+row.ID] = row.Record(provsim.Name, stream)
					}
				}
				got, _ := walk(providers.Query{Stream: stream, Window: window})
				require.Equal(t, want, got)
				require.NotEmpty(t, got)
			}
		}
		compare()
		_, mark := walk(providers.Query{Stream: provsim.StreamEvents, Window: instants})
		nothing, again := walk(providers.Query{Stream: provsim.StreamEvents, HighWater: mark})
		require.Empty(t, nothing)
		require.Equal(t, mark, again)

		truth, err := s.Truth("u1")
		require.NoError(t, err)
		events := truth[provsim.StreamEvents]
		edited, err := s.Put("u1", provsim.StreamEvents, provsim.Row{ID: events[0].ID, At: events[0].At, Value: 1234})
		require.NoError(t, err)
		require.Equal(t, 2, edited.Version)
		require.NoError(t, s.Delete("u1", provsim.StreamEvents, events[1].ID))
		require.Error(t, s.Delete("u1", provsim.StreamEvents, events[1].ID))
		late, err := s.Put("u1", provsim.StreamEvents, provsim.Row{At: now.AddDate(0, 0, -6).UnixMilli(), Value: 70_000})
		require.NoError(t, err)
		require.NoError(t, s.Delete("u1", provsim.StreamDaily, truth[provsim.StreamDaily][0].ID))
		_, err = s.Put("u1", "weather", provsim.Row{At: 1})
		require.Error(t, err)
		compare()

		changed, _ := walk(providers.Query{Stream: provsim.StreamEvents, HighWater: mark})
		require.Len(t, changed, 3)
		require.Equal(t, health.StateLive, changed["events/"+late.ID].State)
		require.Equal(t, health.StateDeleted, changed["events/"+events[1].ID].State)
		require.Equal(t, edited.Modified, changed["events/"+edited.ID].Rev.Order)
	})
}

// TestDataIsStrict asks for what cannot be asked.
func TestDataIsStrict(t *testing.T) {
	s, _, server := serve(t, provsim.Config{})
	cred := login(t, s)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for path, status := range map[string]int{
		"/v1/daily?first=2026-01-01&last=2026-01-31": 200, "/v1/daily?first=2026-01-01&last=2026-02-01": 400,
		"/v1/daily": 400, "/v1/daily?first=2026-01-02&last=2026-01-01": 400, "/v1/daily?first=2026-02-30&last=2026-03-01": 400,
		"/v1/samples?from=0&to=604800000": 200, "/v1/samples?from=0&to=604800001": 400, "/v1/samples?from=5&to=5": 400,
		"/v1/samples?since=1": 400, "/v1/events?since=0": 200, "/v1/events?since=x": 400, "/v1/events?since=0&from=1&to=2": 400,
		"/v1/events?since=0&page=junk": 400, "/v1/events?since=0&page=1.2.x.y": 400, "/v1/weather": 404, "/v2/daily": 404,
	} {
		for _, header := range []string{"", "Bearer nonsense", "Basic " + cred.Access.Reveal(), "Bearer " + cred.Access.Reveal()} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
			require.NoError(t, err)
			r.Header.Set("Authorization", header)
			resp, err := client.Do(r)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			want := status
			if !strings.HasPrefix(header, "Bearer ") || strings.HasSuffix(header, "nonsense") {
				want = 401
				if status == 404 {
					want = 404
				}
			}
			require.Equal(t, want, resp.StatusCode, path)
		}
	}
}
