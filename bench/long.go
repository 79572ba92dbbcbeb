package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// tenMillion inserts ten million records of a thousand connections, in bursts
// of 200 per connection, and compares the rate at the end with that at two
// million.
func tenMillion(ctx context.Context, b *bench) error {
	const (
		connections = 1000
		burst       = 200
		early, late = 2_000_000, 10_000_000
		window      = 400_000 // records over which a rate is measured
	)
	s, err := sqlitestore.Open(ctx, filepath.Join(b.dir, "long.db"), nil)
	if err != nil {
		return err
	}
	defer s.Close()
	rates := map[int]float64{}
	generators := make([]*generator, connections)
	for i := range generators {
		generators[i] = newGenerator(uint64(i))
	}
	var busy time.Duration
	for done := 0; done < late; done += burst {
		if done%window == 0 {
			if done > 0 {
				rates[done] = window / busy.Seconds()
				fmt.Printf("%10d rows: %.0f records/s\n", done, rates[done])
			}
			busy = 0
		}
		c := done / burst % connections
		at := done / burst / connections * burst
		list := make([]health.Record, burst)
		for i := range list {
			list[i] = generators[c].composition(connectionName(c), at+i)
		}
		start := time.Now()
		res, err := s.Commit(ctx, store.Batch{
			User: connectionName(c), Connection: connectionName(c), Unfenced: true, Now: benchNow, Cause: store.CauseBackfill,
			Pages: []store.Page{{Stream: "measure", Records: list}},
		})
		busy += time.Since(start)
		if err == nil {
			err = inserted(res, burst)
		}
		if err != nil {
			return err
		}
	}
	rates[late] = window / busy.Seconds()
	const topic = "Ten million rows, synchronous=full"
	b.Add(Row{Topic: topic, Name: "insert rate at 10 M rows against that at 2 M", Unit: "k records/s",
		Measured: rates[late] / 1000, Anchor: rates[early] / 1000, Floor: 0.7, Note: "commits of 200 records, 1,000 connections in turn; a record is a body composition, ten values"})
	return nil
}
