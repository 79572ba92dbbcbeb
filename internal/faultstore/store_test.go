package faultstore_test

import (
	"os"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/internal/faultstore"
	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestWithoutFaultsNothingChanges runs the contract through the wrapper.
func TestWithoutFaultsNothingChanges(t *testing.T) {
	var data *store.Memory
	storetest.Run(t, storetest.Harness{
		Fresh:  func(testing.TB) { data = store.NewMemory() },
		Open:   func(testing.TB) store.Store { return faultstore.New(data.Reopen(), faultstore.Config{}) },
		Bubble: true,
	})
}

// invoke calls a method with zero arguments and returns its error.
func invoke(t *testing.T, s *faultstore.Store, method string) error {
	m := reflect.ValueOf(s).MethodByName(method)
	require.True(t, m.IsValid(), method)
	in := []reflect.Value{reflect.ValueOf(t.Context())}
	for i := 1; i < m.Type().NumIn(); i++ {
		in = append(in, reflect.Zero(m.Type().In(i)))
	}
	var out []reflect.Value
	if m.Type().IsVariadic() {
		out = m.CallSlice(in)
	} else {
		out = m.Call(in)
	}
	for _, v := range out[:len(out)-1] {
		require.True(t, v.IsZero(), "%s returns something besides the error", method)
	}
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// TestEveryMethodFails goes through the methods with a store that would not
// survive being called.
func TestEveryMethodFails(t *testing.T) {
	s := faultstore.New(nil, faultstore.Config{})
	want := []faultstore.Fault{}
	for _, method := range faultstore.Methods() {
		for i, c := range []struct {
			kind faultstore.Kind
			err  error
		}{
			{faultstore.Busy, store.ErrBusy},
			{faultstore.LostCall, faultstore.ErrTimeout},
			{faultstore.LostCall, os.ErrDeadlineExceeded},
			{faultstore.Unavailable, faultstore.ErrUnavailable},
		} {
			s.Fail(method, 1, c.kind)
			require.ErrorIs(t, invoke(t, s, method), c.err, method)
			want = append(want, faultstore.Fault{Method: method, Call: i + 1, Kind: c.kind})
		}
		require.Equal(t, 4, s.Calls(method))
	}
	require.Equal(t, want, s.Log())
	require.Panics(t, func() { s.Fail("Close", 1, faultstore.Busy) })
	s.Fail("Commit", 1, "nonsense")
	require.Panics(t, func() { _, _ = s.Commit(t.Context(), store.Batch{}) })
}

func connection(id string) store.Connection {
	return store.Connection{ID: id, User: "ann", Provider: "p", State: store.StateActive, CreatedAt: time.Unix(1, 0)}
}

func TestAppliedOrNot(t *testing.T) {
	for kind, applied := range map[faultstore.Kind]bool{
		faultstore.Busy: false, faultstore.LostCall: false, faultstore.Unavailable: false, faultstore.LostReply: true,
	} {
		s := faultstore.New(store.NewMemory(), faultstore.Config{})
		s.Fail("PutConnection", 1, kind)
		c, err := s.PutConnection(t.Context(), connection("c1"))
		require.Error(t, err)
		require.Zero(t, c)
		_, err = s.Connection(t.Context(), "c1")
		if applied {
			require.NoError(t, err, kind)
		} else {
			require.ErrorIs(t, err, store.ErrNotFound, kind)
		}
	}
}

// acquire tries a lease and says what came of it.
func acquire(t *testing.T, s *faultstore.Store, name string) string {
	_, err := s.Acquire(t.Context(), name, "sync", time.Hour)
	switch err {
	case nil:
		return "ok"
	case store.ErrBusy:
		return "busy"
	case faultstore.ErrTimeout:
		return "timeout"
	case faultstore.ErrUnavailable:
		return "unavailable"
	}
	return err.Error()
}

func TestScriptThenOutageThenChance(t *testing.T) {
	s := faultstore.New(store.NewMemory(), faultstore.Config{Rate: 1, Kinds: []faultstore.Kind{faultstore.LostCall}})
	s.Fail("Acquire", 2, faultstore.Busy)
	s.Fail("Acquire", 1, "")
	s.Outage(2)
	var got []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		got = append(got, acquire(t, s, name))
	}
	require.Equal(t, []string{"busy", "busy", "ok", "unavailable", "unavailable", "timeout"}, got)

	s.Outage(-1)
	s.Fail("Renew", -1, faultstore.Busy)
	for range 5 {
		require.Equal(t, "unavailable", acquire(t, s, "g"))
		_, err := s.Renew(t.Context(), store.Lease{}, time.Second)
		require.ErrorIs(t, err, store.ErrBusy)
	}
	s.Heal()
	require.Equal(t, "ok", acquire(t, s, "g"))
	_, err := s.Renew(t.Context(), store.Lease{}, time.Second)
	require.ErrorIs(t, err, store.ErrLeaseLost)
}

// TestChanceReplays: the faults of each method are the same in a second run,
// although the calls of different methods mix differently.
func TestChanceReplays(t *testing.T) {
	run := func(seed uint64, workers int) map[string][]faultstore.Fault {
		s := faultstore.New(store.NewMemory(), faultstore.Config{Seed: seed, Rate: 0.3, Methods: []string{"Acquire", "Release"}})
		var working sync.WaitGroup
		for range workers {
			working.Go(func() {
				for range 400 / workers {
					_ = acquire(t, s, "a")
					_ = s.Release(t.Context(), store.Lease{})
					_, _ = s.Connection(t.Context(), "a")
				}
			})
		}
		working.Wait()
		all := map[string][]faultstore.Fault{}
		for _, f := range s.Log() {
			all[f.Method] = append(all[f.Method], f)
		}
		return all
	}
	one := run(7, 1)
	require.Len(t, one, 2, "faults in other methods, or none")
	for _, faults := range one {
		require.InDelta(t, 120, len(faults), 45)
		kinds := map[faultstore.Kind]bool{}
		for _, f := range faults {
			kinds[f.Kind] = true
		}
		require.Len(t, kinds, 4)
	}
	for method, faults := range run(7, 8) {
		require.ElementsMatch(t, one[method], faults)
	}
	require.NotEqual(t, one, run(8, 1))
}
