package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, path string, o *sqlitestore.Options) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), path, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func weight(key string, at time.Time, grams int64) health.Record {
	r := health.Record{
		Connection: "c1", Kind: health.KindBody, Key: "measure/" + key,
		Span:   health.Span{Start: health.At(at), Day: health.DayOf(at), Zone: health.ZoneFromRecord, Location: "Europe/Berlin"},
		Source: health.Source{Provider: "withings", Path: health.PathDirect, Device: "Body+"},
		Rev:    health.Rev{Order: at.UnixMilli(), Mapping: 1},
		Method: health.MethodSensed,
		Values: []health.Value{{Metric: health.MetricBodyWeight, Number: health.Decimal{Coefficient: grams, Exponent: -3}}},
	}
	r.Normalize()
	return r
}

func batchOf(records ...health.Record) store.Batch {
	return store.Batch{
		User: "u1", Connection: "c1", Unfenced: true, Now: testNow, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: "measure", Records: records}},
	}
}

func TestCommitAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	var records []health.Record
	for i := range 100 {
		records = append(records, weight(fmt.Sprint(1000+i), testNow.Add(-time.Duration(i)*time.Hour), int64(70_000+i)))
	}
	res, err := s.Commit(t.Context(), batchOf(records...))
	require.NoError(t, err)
	require.Equal(t, store.Result{Inserted: 100}, res)

	res, err = s.Commit(t.Context(), batchOf(records...))
	require.NoError(t, err)
	require.Equal(t, store.Result{Unchanged: 100}, res)

	var got []health.Record
	q := store.RecordQuery{User: "u1", Limit: 7}
	for {
		page, err := s.Records(t.Context(), q)
		require.NoError(t, err)
		got = append(got, page.Records...)
		if page.Next == "" {
			break
		}
		q.After = page.Next
	}
	require.Len(t, got, 100)
	for i := range got {
		want := records[len(records)-1-i]
		want.Rev.Fingerprint = want.Fingerprint()
		require.Equal(t, want.Rev, got[i].Rev)
		require.Equal(t, want.Key, got[i].Key)
		require.Equal(t, want.Values, got[i].Values)
		require.Equal(t, want.Span, got[i].Span)
	}
	changes, err := s.Changes(t.Context(), "app", 1000)
	require.NoError(t, err)
	require.Len(t, changes, 100)
	require.NoError(t, s.Ack(t.Context(), "app", changes[49].Position))
	changes, err = s.Changes(t.Context(), "app", 1000)
	require.NoError(t, err)
	require.Len(t, changes, 50)
}
