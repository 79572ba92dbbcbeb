package asynq_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	hibiken "github.com/hibiken/asynq"
	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	fleet "github.com/vitalmux/vitalmux/fleet/asynq"
	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// clinic is a service without data, and its adapter in one.
type clinic struct{}

func (clinic) Name() string { return "clinic" }

func (clinic) Capabilities() providers.Capabilities {
	return providers.Capabilities{Streams: []providers.Stream{{
		Name: "weights", Kinds: []health.Kind{health.KindBody}, Grain: providers.GrainDay, MaxWindow: 10 * 24 * time.Hour,
	}}}
}

func (clinic) Fetch(ctx context.Context, _ providers.Credential, q providers.Query) (providers.Page, error) {
	return providers.Page{Raw: []health.RawBody{{Name: "weights", Body: []byte(q.Window.First.String())}}}, ctx.Err()
}

func (clinic) Authorize(_ context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	return providers.AuthStart{URL: "https://clinic.example.com/?state=" + r.State}, nil
}

func (clinic) Exchange(_ context.Context, cb providers.Callback) (providers.Grant, error) {
	return providers.Grant{
		UpstreamID: cb.Query["code"][0], Zone: "UTC", Credential: providers.Credential{Access: providers.NewSecret("access")},
	}, nil
}

// stubborn is a store that may refuse due times. It counts how often it is asked
// what is due, and calls set, if that is not nil, when a time has been set.
type stubborn struct {
	*store.Memory
	refuses atomic.Bool
	looks   atomic.Int64
	set     func(store.Due)
}

func (s *stubborn) Due(ctx context.Context, task string, now time.Time, limit int) ([]store.Due, error) {
	defer s.looks.Add(1)
	return s.Memory.Due(ctx, task, now, limit)
}

var errRefused = errors.New("due time refused")

func (s *stubborn) SetDue(ctx context.Context, d store.Due) error {
	if s.refuses.Load() {
		return errRefused
	}
	err := s.Memory.SetDue(ctx, d)
	if s.set != nil {
		s.set(d)
	}
	return err
}

// fills returns when the queues have been filled twice from now on.
func (s *stubborn) fills() {
	const kinds = 3 // that are asked for each time, at most
	for until := s.looks.Load() + 3*kinds; s.looks.Load() < until; {
		time.Sleep(time.Millisecond)
	}
}

// ward is one process with an engine on a clinic, and people who are connected.
type ward struct {
	fleet.Config
	store     *stubborn
	inspector *hibiken.Inspector
	// connections are their ids.
	connections []string

	mu    sync.Mutex
	lanes []store.Lane // of the committed pages
}

func newWard(t *testing.T, people int) *ward {
	return newWardOn(t, connect(t, startRedis(t)), people)
}

func newWardOn(t *testing.T, client goredis.UniversalClient, people int) *ward {
	w := &ward{store: &stubborn{Memory: store.NewMemory()}, inspector: hibiken.NewInspectorFromRedisClient(client)}
	key := make([]byte, 32)
	_, err := rand.Read(key)
	require.NoError(t, err)
	sealer, err := healthsync.NewKeyring(healthsync.Key{ID: "test", Secret: key})
	require.NoError(t, err)
	engine, err := healthsync.New(healthsync.Config{
		Providers: []providers.Provider{clinic{}}, Store: w.store, Sealer: sealer, Workers: -1, Budget: newBudget(t, client),
		Hooks: healthsync.Hooks{PageCommitted: func(_ context.Context, e healthsync.PageEvent) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.lanes = append(w.lanes, e.Lane)
		}},
	})
	require.NoError(t, err)
	w.Config = fleet.Config{
		Engine: engine, Store: w.store, Redis: client, Workers: 1, Unique: time.Second, Poll: 20 * time.Millisecond,
	}
	for i := range people {
		address, err := engine.Connect(t.Context(), healthsync.ConnectRequest{
			User: fmt.Sprint("person ", i), Provider: "clinic", RedirectURL: "https://host.example.com/",
		})
		require.NoError(t, err)
		u, err := url.Parse(address)
		require.NoError(t, err)
		conn, err := engine.Complete(t.Context(), url.Values{"state": {u.Query().Get("state")}, "code": {fmt.Sprint(i)}})
		require.NoError(t, err)
		w.connections = append(w.connections, conn.ID)
	}
	return w
}

// run runs the fleet until the returned function is called.
func (w *ward) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- fleet.Run(ctx, w.Config) }()
	return func() {
		cancel()
		require.NoError(t, <-ended)
	}
}

func (w *ward) settled(t *testing.T) bool {
	due, err := w.Engine.Due(t.Context(), 0)
	require.NoError(t, err)
	return len(due) == 0
}

func (w *ward) queue(t *testing.T, name string) *hibiken.QueueInfo {
	all, err := w.inspector.Queues()
	require.NoError(t, err)
	if !slices.Contains(all, name) {
		return &hibiken.QueueInfo{}
	}
	info, err := w.inspector.GetQueueInfo(name)
	require.NoError(t, err)
	return info
}

func TestEachTaskOnceAndLiveWorkFirst(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	w := newWard(t, 5)
	w.Unique = time.Minute
	stop := w.run(t)
	eventually(t, "nothing is due", func() bool { return w.settled(t) })
	stop()
	for _, name := range []string{"vitalmux-live", "vitalmux-backfill"} {
		info := w.queue(t, name)
		require.Equal(t, []int{5, 0, 0}, []int{info.ProcessedTotal, info.FailedTotal, info.Size}, name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	first := slices.Index(w.lanes, store.LaneBackfill)
	require.Positive(t, first)
	require.NotContains(t, w.lanes[first:], store.LaneLive)
	require.NotContains(t, w.lanes[:first], store.LaneBackfill)
}

// TestTaskThatFails is tried again, archived, and put into the queue once more
// because it is still due.
func TestTaskThatFails(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	w := newWard(t, 1)
	var logged bytes.Buffer
	w.MaxRetry, w.Logger = 1, slog.New(slog.NewTextHandler(&logged, nil))
	w.store.refuses.Store(true)
	stop := w.run(t)
	eventually(t, "a task is archived", func() bool { return w.queue(t, "vitalmux-live").Archived > 0 })
	tasks, err := w.inspector.ListArchivedTasks("vitalmux-live")
	require.NoError(t, err)
	require.Equal(t, 1, tasks[0].Retried)
	require.Equal(t, "vitalmux:sync", tasks[0].Type)
	require.Equal(t, w.connections[0], string(tasks[0].Payload))
	require.Contains(t, tasks[0].LastErr, errRefused.Error())
	w.store.refuses.Store(false)
	eventually(t, "nothing is due", func() bool { return w.settled(t) })
	stop()
	require.Contains(t, logged.String(), "Retry exhausted")
}

// TestTaskWhoseConnectionIsBusy waits, and has not failed.
func TestTaskWhoseConnectionIsBusy(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	w := newWard(t, 1)
	w.MaxRetry, w.Unique = 1, time.Minute
	lease, err := w.store.Acquire(t.Context(), w.connections[0], "sync", time.Hour)
	require.NoError(t, err)
	stop := w.run(t)
	eventually(t, "both tasks wait", func() bool {
		return w.queue(t, "vitalmux-live").Retry == 1 && w.queue(t, "vitalmux-backfill").Retry == 1
	})
	require.NoError(t, w.store.Release(t.Context(), lease))
	eventually(t, "nothing is due", func() bool { return w.settled(t) })
	stop()
	require.Zero(t, w.queue(t, "vitalmux-live").FailedTotal)
}

// TestTaskThatIsDueAgain becomes due before its turn has ended. It does not wait
// until it may be there twice.
func TestTaskThatIsDueAgain(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	w := newWard(t, 1)
	w.Unique = time.Hour
	var again sync.Once
	w.store.set = func(d store.Due) {
		if d.Task == "sync" {
			again.Do(func() {
				d.At = time.Now()
				if err := w.store.Memory.SetDue(t.Context(), d); err != nil {
					t.Error(err)
				}
				w.store.fills()
			})
		}
	}
	stop := w.run(t)
	eventually(t, "both turns have ended", func() bool { return w.queue(t, "vitalmux-live").ProcessedTotal == 2 })
	eventually(t, "nothing is due", func() bool { return w.settled(t) })
	stop()
}

// TestQueueThatIsFull is not taken from: what waits for longer than a task is the
// only one of its kind is put there again, as far as there is room.
func TestQueueThatIsFull(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	w := newWard(t, 3)
	w.Ahead = 2
	stop := w.run(t)
	eventually(t, "nothing is due", func() bool { return w.settled(t) })
	require.NoError(t, w.inspector.PauseQueue("vitalmux-live"))
	w.again(t)
	size := func() int { return w.queue(t, "vitalmux-live").Size }
	eventually(t, "the queue is full", func() bool { return size() >= 4 })
	eventually(t, "no task is the only one any more", func() bool {
		locks, err := w.Redis.Keys(t.Context(), "asynq:{vitalmux-live}:unique:*").Result()
		require.NoError(t, err)
		return len(locks) == 0
	})
	w.store.fills()
	require.Equal(t, 4, size())
	require.NoError(t, w.inspector.UnpauseQueue("vitalmux-live"))
	eventually(t, "nothing is due", func() bool { return w.settled(t) })
	stop()
}

// TestTaskThatIsNone is archived at once.
func TestTaskThatIsNone(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	w := newWard(t, 0)
	client := hibiken.NewClientFromRedisClient(w.Redis)
	for _, kind := range []string{"vitalmux:dishes", "another:sync"} {
		_, err := client.Enqueue(hibiken.NewTask(kind, []byte("c1")), hibiken.Queue("vitalmux-live"))
		require.NoError(t, err)
	}
	stop := w.run(t)
	eventually(t, "both are archived", func() bool { return w.queue(t, "vitalmux-live").Archived == 2 })
	stop()
}

func TestConfigIsChecked(t *testing.T) {
	if short(t) {
		return
	}
	w := newWard(t, 0)
	for name, change := range map[string]func(*fleet.Config){
		"no engine":          func(c *fleet.Config) { c.Engine = nil },
		"no store":           func(c *fleet.Config) { c.Store = nil },
		"no Redis":           func(c *fleet.Config) { c.Redis = nil },
		"odd name":           func(c *fleet.Config) { c.Name = "a:b" },
		"negative workers":   func(c *fleet.Config) { c.Workers = -1 },
		"negative ahead":     func(c *fleet.Config) { c.Ahead = -1 },
		"negative retries":   func(c *fleet.Config) { c.MaxRetry = -1 },
		"negative poll":      func(c *fleet.Config) { c.Poll = -1 },
		"negative drain":     func(c *fleet.Config) { c.Drain = -1 },
		"unique for no time": func(c *fleet.Config) { c.Unique = time.Millisecond },
	} {
		c := w.Config
		change(&c)
		require.Error(t, fleet.Run(t.Context(), c), name)
	}
}
