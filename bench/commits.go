package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// singleCommits measures commits of single records: what 64 goroutines reach,
// each for a connection of its own, against one.
func singleCommits(ctx context.Context, b *bench) error {
	best := lap{}
	const alone, each, many = 3000, 1500, 64
	for round := range b.rounds {
		s, err := sqlitestore.Open(ctx, filepath.Join(b.dir, fmt.Sprint(round, ".db")), nil)
		if err != nil {
			return err
		}
		one := makeSingles("alone", alone, uint64(round))
		if err := best.time("one", func() error { return commitSingles(ctx, s, one) }); err != nil {
			return err
		}
		lists := make([][]health.Record, many)
		for i := range lists {
			lists[i] = makeSingles(connectionName(i), each, uint64(round*many+i))
		}
		start := time.Now()
		var wg sync.WaitGroup
		errs := make([]error, many)
		for i := range lists {
			wg.Go(func() { errs[i] = commitSingles(ctx, s, lists[i]) })
		}
		wg.Wait()
		best.keep("many", time.Since(start))
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	const topic = "Single commits, synchronous=full"
	b.Add(Row{Topic: topic, Name: "64 goroutines against one, each commit one record", Unit: "k commits/s",
		Measured: many * each / best["many"].Seconds() / 1000, Anchor: alone / best["one"].Seconds() / 1000, Floor: 15})
	b.Note(topic, "The anchor is the same store driven by one goroutine: one fsync per commit.")
	return nil
}

func makeSingles(connection string, n int, seed uint64) []health.Record {
	g := newGenerator(seed)
	list := make([]health.Record, n)
	for i := range list {
		list[i] = g.measurement(connection, i)
	}
	return list
}

func commitSingles(ctx context.Context, s store.Store, list []health.Record) error {
	for i := range list {
		r := list[i : i+1]
		res, err := s.Commit(ctx, store.Batch{
			User: r[0].Connection, Connection: r[0].Connection, Unfenced: true, Now: benchNow, Cause: store.CauseLive,
			Pages: []store.Page{{Stream: r[0].Stream(), Records: r}},
		})
		if err != nil {
			return err
		}
		if err := inserted(res, 1); err != nil {
			return err
		}
	}
	return nil
}
