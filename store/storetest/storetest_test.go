package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness opens memory stores through wrap, which is made anew with the data.
func harness(sabotage func() func(s store.Store) store.Store) Harness {
	var (
		data *store.Memory
		wrap func(s store.Store) store.Store
	)
	return Harness{
		Fresh:     func(testing.TB) { data, wrap = store.NewMemory(), sabotage() },
		Open:      func(testing.TB) store.Store { return wrap(data.Reopen()) },
		Bubble:    true,
		Sequences: 2,
	}
}

// failed returns the sorted identifiers of the failures in err.
func failed(t *testing.T, err error) []string {
	list := []string{}
	if err == nil {
		return list
	}
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "Check did not join its failures")
	for _, err := range joined.Unwrap() {
		var f *Failure
		require.ErrorAs(t, err, &f)
		require.NotEmpty(t, f.Rule)
		require.Error(t, f.Err)
		list = append(list, f.Case)
	}
	slices.Sort(list)
	return list
}

func TestCases(t *testing.T) {
	seen := map[string]bool{}
	for _, tc := range cases() {
		require.False(t, seen[tc.id], "two cases %s", tc.id)
		require.NotEmpty(t, tc.rule, tc.id)
		seen[tc.id] = true
	}
}

func TestUnbroken(t *testing.T) {
	h := harness(func() func(store.Store) store.Store { return func(s store.Store) store.Store { return newFake(s) } })
	require.NoError(t, Check(t, h))
}

// TestRealTime runs the cases about expiry without a bubble.
func TestRealTime(t *testing.T) {
	h := harness(func() func(store.Store) store.Store { return func(s store.Store) store.Store { return s } })
	h.Bubble, h.TTL = false, 400*time.Millisecond
	for _, tc := range cases() {
		if !tc.timed {
			continue
		}
		if f := tc.run(t, h, 1); f != nil {
			t.Error(f)
		}
	}
}

func TestSeed(t *testing.T) {
	t.Setenv("VITALMUX_SEED", "42")
	require.EqualValues(t, 42, seedOf(t))
}

// sabotage breaks one rule, and names the cases that must notice. Its function
// is called for each case, what that returns for each handle.
type sabotage struct {
	name string
	make func() func(s store.Store) store.Store
	want string
}

func sabotages() []sabotage {
	return slices.Concat(commitSabotages(), readSabotages(), workSabotages(), credentialSabotages(), endpointSabotages())
}

// add adds up the results of two commits.
func add(a, b store.Result) store.Result {
	a.Inserted += b.Inserted
	a.Revised += b.Revised
	a.Deleted += b.Deleted
	a.Unchanged += b.Unchanged
	a.Stale += b.Stale
	a.SkippedPages += b.SkippedPages
	a.Conflicts = append(a.Conflicts, b.Conflicts...)
	return a
}

// plain makes a sabotage without state of its own.
func plain(change func(f *fake)) func() func(store.Store) store.Store {
	return func() func(store.Store) store.Store {
		return func(s store.Store) store.Store {
			f := newFake(s)
			change(f)
			return f
		}
	}
}

// changeRecords returns b with every record changed, and leaves b alone.
func changeRecords(b store.Batch, change func(r *health.Record)) store.Batch {
	b.Pages = slices.Clone(b.Pages)
	for i := range b.Pages {
		p := &b.Pages[i]
		p.Records = slices.Clone(p.Records)
		for k := range p.Records {
			change(&p.Records[k])
		}
	}
	return b
}

// TestSabotage proves that every broken rule is noticed by the cases about it
// and by no others, and that every case notices something: but for the one
// about reads in the middle of a commit, which notices only by luck.
func TestSabotage(t *testing.T) {
	if proof.WithoutRace(t) {
		return
	}
	idle := map[string]bool{}
	for _, tc := range cases() {
		idle[tc.id] = true
	}
	for _, tc := range sabotages() {
		for _, id := range strings.Fields(tc.want) {
			delete(idle, id)
		}
	}
	require.Equal(t, map[string]bool{"concurrent-reads": true}, idle)
	for _, tc := range sabotages() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := strings.Fields(tc.want)
			list := slices.DeleteFunc(cases(), func(c testCase) bool { return c.heavy && !slices.Contains(want, c.id) })
			h := harness(tc.make)
			if slices.Contains(want, "model") {
				h.Sequences = 100 // of which the first that notices is the last: few may not
			}
			err := check(t, h, list)
			require.Equal(t, want, failed(t, err), "%v", err)
		})
	}
}
