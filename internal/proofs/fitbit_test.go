package proofs

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/failpoint/failpointtest"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// fitbitJob is what a child does with the legacy Fitbit Web API.
type fitbitJob struct {
	Store, BaseURL, Barrier string
	Key                     []byte
	Connections             []string
	Rounds                  int
}

// profileOnly is the adapter of which one stream is read: the refreshes are what
// matters.
type profileOnly struct{ *fitbit.Provider }

func (p profileOnly) Capabilities() providers.Capabilities {
	facts := p.Provider.Capabilities()
	facts.Streams = slices.DeleteFunc(slices.Clone(facts.Streams), func(s providers.Stream) bool { return s.Name != "profile" })
	return facts
}

func (j fitbitJob) engine() (store.Store, *healthsync.Engine, error) {
	adapter, err := fitbit.New(fitbit.Config{
		ClientID: fitbittest.DefaultClientID, ClientSecret: providers.NewSecret(fitbittest.DefaultClientSecret),
		BaseURL: j.BaseURL, AccountURL: j.BaseURL, RequestsPerHour: -1, MaxWait: -1,
	})
	if err != nil {
		return nil, nil, err
	}
	ring, err := healthsync.NewKeyring(healthsync.Key{ID: "k1", Secret: j.Key})
	if err != nil {
		return nil, nil, err
	}
	kept, err := openStore(context.Background(), j.Store)
	if err != nil {
		return nil, nil, err
	}
	engine, err := healthsync.New(healthsync.Config{
		Providers: []providers.Provider{profileOnly{adapter}}, Store: kept, Sealer: ring,
		LeaseTTL: unhurried, RefreshTimeout: unhurried / 3, History: -1, ReconcileEvery: -1,
	})
	if err != nil {
		return nil, nil, errors.Join(err, kept.Close())
	}
	return kept, engine, nil
}

// refreshersPerProcess is how many workers a child has.
const refreshersPerProcess = 3

// refreshFitbit has several workers sync everybody at once, in every round. It
// prints what went wrong.
func refreshFitbit() error {
	var j fitbitJob
	if err := json.Unmarshal([]byte(os.Getenv(jobVariable)), &j); err != nil {
		return err
	}
	kept, engine, err := j.engine()
	if err != nil {
		return err
	}
	for round := range j.Rounds + 1 {
		answer, err := http.Post(j.Barrier+"?round="+strconv.Itoa(round), "", nil)
		if err != nil {
			return errors.Join(err, kept.Close())
		}
		_ = answer.Body.Close()
		if round == j.Rounds {
			break
		}
		var working sync.WaitGroup
		for range refreshersPerProcess {
			working.Go(func() {
				for _, id := range j.Connections {
					if _, err := engine.Sync(context.Background(), id); err != nil && !errors.Is(err, store.ErrLeaseHeld) {
						fmt.Println("failure", id, strconv.Quote(err.Error()))
					}
				}
			})
		}
		working.Wait()
	}
	http.DefaultClient.CloseIdleConnections()
	return kept.Close()
}

// TestFitbitRotationByTwoProcesses has two processes find the access tokens of
// the same people expired at the same moment, over and over. The service takes
// each refresh token once.
func TestFitbitRotationByTwoProcesses(t *testing.T) {
	t.Parallel()
	fitbitRotation(t, onSQLite, proof.N(6, 40), proof.N(4, 25))
}

// TestFitbitRotationByTwoProcessesOnRedis does it over Redis.
func TestFitbitRotationByTwoProcessesOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	fitbitRotation(t, onRedis, proof.N(4, 40), proof.N(2, 25))
}

func fitbitRotation(t *testing.T, on backend, people, rounds int) {
	const children = 2
	proof.Row(t, "R1", proof.Counts{"people": people, "rounds": rounds, "processes": children, "workers": children * refreshersPerProcess})
	const life = 8 * time.Hour
	// The service's clock jumps to the end of the access tokens; it ends up where
	// ours is.
	var clock atomic.Int64
	clock.Store(time.Now().Add(-time.Duration(rounds+1) * (life + time.Hour)).UnixMilli())
	sim := fitbittest.New(fitbittest.Config{
		Seed: proof.Seed(t), Days: 1, IntradayDays: -1, RateLimit: -1, Now: func() time.Time { return time.UnixMilli(clock.Load()) },
	})
	gathered := make(chan chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/", sim)
	mux.HandleFunc("POST /barrier", func(_ http.ResponseWriter, r *http.Request) {
		open := make(chan struct{})
		select {
		case gathered <- open:
			<-open
		case <-r.Context().Done():
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	place, _ := on.serve(t, t.TempDir())
	j := fitbitJob{
		Store: place, BaseURL: server.URL, Barrier: server.URL + "/barrier",
		Key: make([]byte, 32), Rounds: rounds,
	}
	_, err := rand.Read(j.Key)
	require.NoError(t, err)
	kept, engine, err := j.engine()
	require.NoError(t, err)
	for i := range people {
		p := sim.AddPerson(fitbittest.PersonConfig{})
		address, err := engine.Connect(t.Context(), healthsync.ConnectRequest{
			User: fmt.Sprint("person ", i), Provider: fitbit.Name, RedirectURL: fitbittest.DefaultRedirectURL,
		})
		require.NoError(t, err)
		back, err := sim.Authorize(p.ID, address)
		require.NoError(t, err)
		conn, err := engine.Complete(t.Context(), back.Query())
		require.NoError(t, err)
		j.Connections = append(j.Connections, conn.ID)
	}
	require.NoError(t, kept.Close())

	text, err := json.Marshal(j)
	require.NoError(t, err)
	var all []*failpointtest.Process
	for range children {
		all = append(all, failpointtest.Start(t, failpointtest.Config{
			Entry: "fitbit", Timeout: time.Duration(proof.N(2, 120)) * time.Minute, Env: []string{jobVariable + "=" + string(text)},
		}))
	}
	go func() {
		for range rounds + 1 {
			var waiting []chan struct{}
			for range children {
				select {
				case open := <-gathered:
					waiting = append(waiting, open)
				case <-t.Context().Done():
					return
				}
			}
			clock.Add((life + time.Hour).Milliseconds())
			for _, open := range waiting {
				close(open)
			}
		}
	}()
	for _, p := range all {
		for {
			line, ok := p.Line()
			if !ok {
				break
			}
			require.Fail(t, "a child failed", line)
		}
		exit := p.Wait()
		require.Zero(t, exit.Status, exit.Stderr)
	}

	presented := map[string]int{}
	for _, r := range sim.Ledger().Refresh {
		require.LessOrEqual(t, r.Presented, 1, "presentations of one refresh token")
		presented[r.PersonID] += r.Presented
	}
	require.Len(t, presented, people)
	for id, n := range presented {
		require.Equal(t, rounds, n, "refreshes for %s", id)
	}
	kept, engine, err = j.engine()
	require.NoError(t, err)
	defer func() { require.NoError(t, kept.Close()) }()
	for _, id := range j.Connections {
		_, err := engine.Sync(t.Context(), id)
		require.NoError(t, err, "the pair that is stored is the one that counts")
		conn, err := kept.Connection(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, store.StateActive, conn.State)
	}
}
