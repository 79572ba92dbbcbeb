package sqlite

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// deviceBatch is a batch of one record that names a device, which is a word.
func deviceBatch(user, connection, key, device string) store.Batch {
	b := groupBatch(user, connection, key)
	b.Pages[0].Records[0].Source.Device = device
	return b
}

// TestWordsThatWereUndone fills the disk for a moment, so that a group fails, and
// with it a commit that made a word which a later one of the group read in the
// transaction. The number of the connection is given again: to somebody else, who
// has none of its words.
func TestWordsThatWereUndone(t *testing.T) {
	for name, both := range map[string]bool{"the one who made it fails": false, "both fail": true} {
		t.Run(name, func(t *testing.T) {
			s, path := groupStore(t)
			ctx := t.Context()
			// The shapes are there: no commit of the group defines one in a call before.
			for _, b := range []store.Batch{groupBatch("eve", "e", "1"), tombstone("eve", "e", "1")} {
				_, err := s.Commit(ctx, b)
				require.NoError(t, err)
			}
			pragma := func(text string) (n int64) {
				require.NoError(t, s.writer.do(&job{fn: func(x *tx) error {
					_, err := x.one(background, func(r row) { n = r.int(0) }, "PRAGMA "+text)
					return err
				}}))
				return n
			}
			require.Zero(t, pragma("freelist_count"))
			const room = 100 // pages
			pragma("max_page_count=" + strconv.FormatInt(pragma("page_count")+room+4, 10))
			random := rand.NewChaCha8([32]byte{})
			noise := make([]byte, room*pageSize)
			_, _ = random.Read(noise)
			raw := func(size int) *health.RawPage {
				return &health.RawPage{Stream: "measure", Date: groupNow, Bodies: []health.RawBody{{Name: "x", Body: noise[:size]}}}
			}
			first, second := deviceBatch("ann", "c", "1", "watch of ann"), tombstone("ann", "c", "1")
			first.Pages[0].Raw = raw(60_000)
			if both {
				second.Pages[0].Raw = raw(70_000)
			}
			errs := together(t, s,
				func() error {
					_, err := s.PutDelivery(ctx, store.Delivery{ID: "d", Endpoint: "withings", Status: store.DeliveryNew, Body: noise})
					return err
				},
				func() error { _, err := s.Commit(ctx, first); return err },
				func() error { _, err := s.Commit(ctx, second); return err },
			)
			require.NoError(t, errs[0])
			require.Error(t, errs[1])
			require.Equal(t, both, errs[2] != nil)

			pragma("max_page_count=1000000")
			for _, b := range []store.Batch{deviceBatch("bob", "d", "1", "watch of bob"), deviceBatch("ann", "c", "2", "watch of ann")} {
				_, err := s.Commit(ctx, b)
				require.NoError(t, err)
			}
			again, err := Open(ctx, path, nil)
			require.NoError(t, err)
			defer func() { require.NoError(t, again.Close()) }()
			for _, s := range []*Store{s, again} {
				for _, who := range []string{"bob", "ann"} {
					page, err := s.Records(ctx, store.RecordQuery{User: who})
					require.NoError(t, err)
					require.Len(t, page.Records, 1)
					require.Equal(t, "watch of "+who, page.Records[0].Source.Device)
				}
			}
		})
	}
}

// TestWordsOfAnOldSnapshot reads a connection's words on a snapshot from before
// another was added, after the store forgot them: what the reader lacks is not
// given out as a number again.
func TestWordsOfAnOldSnapshot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(t.Context(), path, &Options{BusyTimeout: 10 * time.Millisecond}) // the reader keeps the log
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	commit := func(key, device string) {
		_, err := s.Commit(t.Context(), deviceBatch("ann", "c", key, device))
		require.NoError(t, err)
	}
	commit("1", "device one")
	_, err = s.Commit(t.Context(), groupBatch("bob", "d", "1"))
	require.NoError(t, err)
	require.NoError(t, s.view(t.Context(), func(c *conn) error {
		// What Records does, with two writes in between.
		r := recordReader{query: &store.RecordQuery{User: "ann"}}
		var err error
		if r.streams, err = c.streamsOf(t.Context(), r.query); err != nil {
			return err
		}
		if err := r.page(t.Context(), c, 1000); err != nil {
			return err
		}
		commit("2", "device two")
		if _, err := s.Erase(t.Context(), "bob"); err != nil {
			return err
		}
		u := unpacker{store: s}
		for i := range r.rows {
			p := r.packed(&r.rows[i])
			if err := u.learn(t.Context(), c, &p); err != nil {
				return err
			}
		}
		return nil
	}))
	commit("3", "device three")
	page, err := s.Records(t.Context(), store.RecordQuery{User: "ann"})
	require.NoError(t, err)
	var devices []string
	for i := range page.Records {
		devices = append(devices, page.Records[i].Source.Device)
	}
	require.Equal(t, []string{"device one", "device two", "device three"}, devices)
}

// TestWordsOfTwoStores commits to the same connections by several goroutines and
// through two stores of one file: each record is counted and told once, and has
// the words that it came with.
func TestWordsOfTwoStores(t *testing.T) {
	one, path := groupStore(t)
	two, err := Open(t.Context(), path, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, two.Close()) }()
	stores := []*Store{one, two}
	var inserted, told atomic.Int64
	var brought sync.Map
	var workers sync.WaitGroup
	for g := range 6 {
		s, random := stores[g%2], rand.New(rand.NewPCG(1, uint64(g)))
		workers.Go(func() {
			for i := range 40 {
				connection := []string{"a", "b"}[random.IntN(2)]
				var keys []string
				for range 1 + random.IntN(6) {
					keys = append(keys, fmt.Sprintf("%03d", random.IntN(10+4*i)))
				}
				b := groupBatch("user of "+connection, connection, keys...)
				for j := range b.Pages[0].Records {
					r := &b.Pages[0].Records[j]
					r.Values[0].Number = health.Int(int64(50 + random.IntN(30)))
					r.Rev.Order += int64(random.IntN(1000))
					r.Source.Device = fmt.Sprintf("device of %s %d", r.Key, random.IntN(3))
					brought.Store(connection+r.Key, true)
				}
				if random.IntN(12) == 0 {
					day := health.DayOf(groupNow)
					b.Absent = []store.Absent{{
						Stream: "measure", Window: health.Window{First: day, Last: day}, Order: groupNow.UnixMilli() + int64(random.IntN(500)),
					}}
				}
				res, err := s.Commit(t.Context(), b)
				if err != nil {
					t.Error(err)
					return
				}
				inserted.Add(int64(res.Inserted))
				told.Add(int64(res.Inserted + res.Revised + res.Deleted))
			}
		})
	}
	workers.Wait()
	different := 0
	for range brought.Range {
		different++
	}
	require.EqualValues(t, different, inserted.Load())
	changes, err := one.Changes(t.Context(), "consumer", 1_000_000)
	require.NoError(t, err)
	require.EqualValues(t, told.Load(), len(changes))
	for _, s := range stores {
		found := 0
		for _, connection := range []string{"a", "b"} {
			for r, err := range store.AllRecords(t.Context(), s, store.RecordQuery{User: "user of " + connection, Deleted: true}) {
				require.NoError(t, err)
				found++
				if r.State == health.StateLive {
					require.Contains(t, r.Source.Device, "device of "+r.Key)
				}
			}
		}
		require.Equal(t, different, found)
	}
}
