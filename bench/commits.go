package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// singleCommits measures commits of single records: what 64 goroutines reach,
// each for a connection of its own, against one.
func singleCommits(ctx context.Context, b *bench) error {
	best := lap{}
	const alone, each, many = 3000, 1500, 64
	for round := range 3 * b.rounds {
		s, err := sqlitestore.Open(ctx, filepath.Join(b.dir, fmt.Sprint(round, ".db")), nil)
		if err != nil {
			return err
		}
		lists := make([][]health.Record, many)
		for i := range lists {
			lists[i] = makeList(connectionName(i), each, uint64(round*many+i), measurements.make)
		}
		commit := func(list []health.Record) error { return commitEach(ctx, s, list[0].Connection, list, inserted) }
		one := makeList("alone", alone, uint64(round), measurements.make)
		if err := best.time("one", func() error { return commit(one) }); err != nil {
			return err
		}
		if err := best.time("many", func() error { return atOnce(lists, commit) }); err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	const topic = "Single commits, synchronous=full"
	b.Add(Row{Topic: topic, Name: "64 goroutines against one, each commit one record", Unit: "k commits/s",
		Measured: many * each / best["many"].Seconds() / 1000, Anchor: alone / best["one"].Seconds() / 1000, Floor: 15})
	b.Note(topic, "The anchor is the same store driven by one goroutine: one fsync per commit. A record is a body measurement, as in the records of\n"+
		"400 B. Each goroutine commits to a connection of its own, records whose keys rise, as ids and dates do: the store knows the greatest\n"+
		"key of a stream, so that neither side looks into the file for them. The records of a group share the pages of a small index; to move\n"+
		"them to the large ones, 2,048 at a time, is part of the time. An fsync takes processor time, too, of which a group needs one. Three\n"+
		"times as many rounds as elsewhere: both sides are short, and one of them waits for the disk and the other for the processors.")
	return nil
}

func makeSingles(connection string, n int, seed uint64) []health.Record {
	return makeList(connection, n, seed, (*generator).composition)
}

func makeList(connection string, n int, seed uint64, record func(*generator, string, int) health.Record) []health.Record {
	g := newGenerator(seed)
	list := make([]health.Record, n)
	for i := range list {
		list[i] = record(g, connection, i)
	}
	return list
}

// commitEach commits each record by itself, as one page of one connection.
func commitEach(ctx context.Context, s store.Store, user string, list []health.Record, want func(store.Result, int) error) error {
	for i := range list {
		r := list[i : i+1]
		res, err := s.Commit(ctx, store.Batch{
			User: user, Connection: r[0].Connection, Unfenced: true, Now: benchNow, Cause: store.CauseLive,
			Pages: []store.Page{{Stream: r[0].Stream(), Records: r}},
		})
		if err == nil {
			err = want(res, 1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// atOnce does it with all lists at the same time.
func atOnce(lists [][]health.Record, do func([]health.Record) error) error {
	errs := make([]error, len(lists))
	var all sync.WaitGroup
	for i := range lists {
		all.Go(func() { errs[i] = do(lists[i]) })
	}
	all.Wait()
	return errors.Join(errs...)
}
