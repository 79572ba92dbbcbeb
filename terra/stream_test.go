package terra_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

// pipes is a listener whose connections stay in the process, so that they work
// in bubbles of package synctest.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// streamed is a consumer of the simulator's stream.
type streamed struct {
	*terratest.Server
	client  *terra.Client
	samples chan terra.StreamSample
	fail    error // of the handler
}

// inStream runs a test in a bubble, with a simulator that is reached over pipes.
func inStream(t *testing.T, cfg terratest.Config, test func(t *testing.T, s *streamed)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(simNow()))
		sim := terratest.New(cfg)
		overPipes(t, sim, func(client *terra.Client) {
			test(t, &streamed{Server: sim, client: client, samples: make(chan terra.StreamSample, 1000)})
			sim.Close()
		})
	})
}

// overPipes calls a function with a client of a service that is reached over
// pipes. It runs in a bubble.
func overPipes(t *testing.T, service http.Handler, use func(*terra.Client)) {
	listener := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: service}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	transport := &http.Transport{DialContext: listener.dial}
	client, err := terra.New(terra.Config{
		DevID: terratest.DefaultDevID, APIKey: providers.NewSecret(terratest.DefaultAPIKey), StreamingURL: "http://localhost",
		SocketURL: "ws://localhost" + terratest.StreamPath, Transport: transport, MaxWait: -1,
	})
	require.NoError(t, err)
	use(client)
	transport.CloseIdleConnections()
	require.NoError(t, server.Close())
	require.ErrorIs(t, <-served, http.ErrServerClosed)
}

// start streams until the returned function is called, which returns why the
// stream ended.
func (s *streamed) start(after int64) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- s.client.Stream(ctx, terra.StreamConfig{After: after, Handle: func(_ context.Context, sample terra.StreamSample) error {
			if s.fail != nil {
				return s.fail
			}
			s.samples <- sample
			return nil
		}})
	}()
	return func() error {
		cancel()
		return <-ended
	}
}

// emit dispatches a reading.
func (s *streamed) emit(user, kind string, value float64) int64 {
	return s.Stream(user, kind, fmt.Appendf(nil, `{"ts":%q,"val":%v}`, time.Now().Format("2006-01-02T15:04:05.000000+00:00"), value))
}

// got are the numbers of the samples so far, in order of their numbers.
func (s *streamed) got() (all []int64) {
	for len(s.samples) > 0 {
		all = append(all, (<-s.samples).Seq)
	}
	slices.Sort(all)
	return all
}

func TestStreamSamples(t *testing.T) {
	inStream(t, terratest.Config{}, func(t *testing.T, s *streamed) {
		user := s.AddUser(terratest.UserConfig{}).ID
		stop := s.start(0)
		synctest.Wait()
		time.Sleep(time.Second)
		s.Stream(user, "HEART_RATE", []byte(`{"ts":"2026-11-21T12:00:01.268507+01:00","val":95}`))
		s.Stream(user, "RUNNING_HEART_RATE", []byte(`{"ts":"2026-11-21T11:00:01Z","val":95.5}`))
		s.Stream(user, "LOCATION", []byte(`{"ts":"2026-11-21T11:00:01+00:00","d":[52.52,13.405]}`))
		s.Stream(user, "ACCELERATION", []byte(`{"ts":"2026-11-21T11:00:01+00:00","d":[0.1,-0.2,9.81]}`))
		s.Stream(user, "STEPS", []byte(`{"ts":"2026-11-21T11:00:01","val":12}`))
		for _, odd := range []string{`{"ts":"never","val":1}`, `{"val":1}`, `{"ts":"2026-11-21T11:00:01Z"}`, `[1]`, `"x"`, `{"ts":"2026-11-21T11:00:01Z","d":[1,null]}`} {
			s.Stream(user, "HEART_RATE", []byte(odd))
		}
		synctest.Wait()
		sample := <-s.samples
		require.Equal(t, []any{user, "HEART_RATE", int64(1), int64(1)}, []any{sample.UserID, sample.Type, sample.Seq, sample.Resume})
		r := sample.Record
		require.Equal(t, health.KindSamples, r.Kind)
		require.Equal(t, "stream/heart_rate/2026-11-21T12:00:01/1", r.Key)
		require.Equal(t, health.Source{Provider: "terra", Path: health.PathTerra}, r.Source)
		require.Equal(t, []int64{95}, r.Series[0].Values)
		at := time.Date(2026, 11, 21, 11, 0, 1, 268e6, time.UTC).UnixMilli()
		require.Equal(t, []int64{at}, r.Series[0].Times)
		require.Equal(t, at, r.Rev.Order)
		require.Equal(t, health.MetricHeartRate, (<-s.samples).Record.Series[0].Metric)
		location := (<-s.samples).Record
		require.Equal(t, []health.Metric{health.MetricLatitude, health.MetricLongitude}, []health.Metric{location.Series[0].Metric, location.Series[1].Metric})
		require.Len(t, (<-s.samples).Record.Series, 3)
		steps := (<-s.samples).Record
		require.Equal(t, health.Metric("terra_steps"), steps.Series[0].Metric)
		require.True(t, steps.Series[0].Floating)
		for range 6 {
			odd := <-s.samples
			require.Equal(t, user, odd.UserID)
			require.Zero(t, odd.Record)
		}
		require.ErrorIs(t, stop(), context.Canceled)
	})
}

// The connection is kept alive for hours, and taken for broken when nobody
// answers.
func TestStreamHeartbeats(t *testing.T) {
	inStream(t, terratest.Config{}, func(t *testing.T, s *streamed) {
		user := s.AddUser(terratest.UserConfig{}).ID
		stop := s.start(0)
		time.Sleep(2 * time.Hour)
		beats := 0
		for _, e := range s.StreamLog() {
			require.NotEqual(t, "closed", e.What)
			if e.What == "heartbeat" {
				beats++
			}
		}
		require.InDelta(t, 180, beats, 2)
		s.PauseHeartbeats(true)
		time.Sleep(3 * time.Minute)
		s.PauseHeartbeats(false)
		time.Sleep(3 * time.Minute)
		s.emit(user, "HEART_RATE", 60)
		synctest.Wait()
		require.Equal(t, []int64{1}, s.got())
		identified := 0
		for _, e := range s.StreamLog() {
			if e.What == "identify" {
				identified++
			}
		}
		require.Greater(t, identified, 1)
		require.ErrorIs(t, stop(), context.Canceled)
	})
}

// What is sent while there is no connection is replayed, once, also when the
// connection breaks again while it is.
func TestStreamReplay(t *testing.T) {
	inStream(t, terratest.Config{}, func(t *testing.T, s *streamed) {
		user := s.AddUser(terratest.UserConfig{}).ID
		stop := s.start(0)
		time.Sleep(time.Second)
		n := 0
		emit := func(times int) {
			for range times {
				s.emit(user, "HEART_RATE", 60)
				n++
			}
		}
		emit(3)
		synctest.Wait()
		for range 4 {
			s.DropStreams()
			emit(5)
			time.Sleep(3 * time.Second) // connected again, and the gap is open
			emit(2)
			synctest.Wait()
		}
		time.Sleep(5 * time.Minute)
		emit(1)
		synctest.Wait()
		got := s.got()
		require.Len(t, got, n)
		require.Len(t, slices.Compact(got), n, "each once")
		require.ErrorIs(t, stop(), context.Canceled)

		// Another process goes on where this one ended.
		emit(4)
		stop = s.start(got[len(got)-5])
		time.Sleep(3 * time.Second)
		s.emit(user, "HEART_RATE", 60)
		synctest.Wait()
		require.Len(t, s.got(), 9)
		require.ErrorIs(t, stop(), context.Canceled)
		for _, e := range s.StreamLog() {
			if e.What == "replay" {
				require.Positive(t, e.Before)
				require.Less(t, e.After, e.Before)
			}
		}
	})
}

// A replay that takes long, because each of its samples does, is taken whole.
func TestStreamLongReplay(t *testing.T) {
	inStream(t, terratest.Config{}, func(t *testing.T, s *streamed) {
		user := s.AddUser(terratest.UserConfig{}).ID
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		took := time.Duration(0)
		var got []int64
		go func() {
			ended <- s.client.Stream(ctx, terra.StreamConfig{Handle: func(_ context.Context, sample terra.StreamSample) error {
				got = append(got, sample.Seq)
				time.Sleep(took)
				return nil
			}})
		}()
		time.Sleep(time.Second)
		s.emit(user, "HEART_RATE", 60)
		synctest.Wait()
		s.DropStreams()
		synctest.Wait()
		took = 500 * time.Millisecond
		const missed = 200
		for range missed {
			s.emit(user, "HEART_RATE", 61)
		}
		time.Sleep(2 * time.Second)
		s.emit(user, "HEART_RATE", 62)
		time.Sleep(10 * time.Minute)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		slices.Sort(got)
		require.Len(t, got, missed+2)
		require.Len(t, slices.Compact(got), missed+2, "each once")
	})
}

// A sample that could not be handled comes again.
func TestStreamHandlerFails(t *testing.T) {
	inStream(t, terratest.Config{}, func(t *testing.T, s *streamed) {
		user := s.AddUser(terratest.UserConfig{}).ID
		s.fail = errors.New("full")
		stop := s.start(0)
		time.Sleep(time.Second)
		s.emit(user, "HEART_RATE", 60)
		synctest.Wait()
		require.ErrorIs(t, stop(), s.fail)
		require.Zero(t, s.StreamClients())
	})
}

// What cannot get better ends the stream, the rest is tried again, ever more
// slowly.
func TestStreamRefused(t *testing.T) {
	inStream(t, terratest.Config{MaxConsumers: 1}, func(t *testing.T, s *streamed) {
		first := s.start(0)
		time.Sleep(time.Second)
		second := s.start(0)
		time.Sleep(10 * time.Minute)
		tries := 0
		for _, e := range s.StreamLog() {
			if e.Code == terratest.CloseTooManyConsumers {
				tries++
			}
		}
		require.InDelta(t, 15, tries, 8)
		require.ErrorIs(t, first(), context.Canceled)
		time.Sleep(2 * time.Minute)
		require.Equal(t, 1, s.StreamClients())
		require.ErrorIs(t, second(), context.Canceled)

		s.Fault(terratest.Fault{Kind: terratest.FaultHTTP, Path: terratest.ConsumerPath, Count: 3})
		third := s.start(0)
		time.Sleep(time.Minute)
		require.Equal(t, 1, s.StreamClients())
		require.ErrorIs(t, third(), context.Canceled)

		s.Fault(terratest.Fault{Kind: terratest.FaultHTTP, Status: http.StatusForbidden, Path: terratest.ConsumerPath})
		fourth := s.start(0)
		synctest.Wait()
		err := fourth()
		e, ok := errors.AsType[*providers.Error](err)
		require.True(t, ok, "%v", err)
		require.True(t, e.ClientFault)
		require.ErrorIs(t, s.client.Stream(t.Context(), terra.StreamConfig{}), providers.ErrInvalid)
	})
}

// A service that greets and is never ready is left after 15 seconds, however
// rarely it wants to hear the heart beat.
func TestStreamNeverReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var connected atomic.Int32
		service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == terratest.ConsumerPath {
				_, _ = io.WriteString(w, `{"token":"t"}`)
				return
			}
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer func() { _ = conn.CloseNow() }()
			connected.Add(1)
			if conn.Write(r.Context(), websocket.MessageText, []byte(`{"op":2,"d":{"heartbeat_interval":3600000}}`)) != nil {
				return
			}
			for {
				if _, _, err := conn.Read(context.Background()); err != nil {
					return
				}
			}
		})
		overPipes(t, service, func(client *terra.Client) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			err := client.Stream(ctx, terra.StreamConfig{Handle: func(context.Context, terra.StreamSample) error { return nil }})
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
		require.GreaterOrEqual(t, int(connected.Load()), 8)
	})
}
