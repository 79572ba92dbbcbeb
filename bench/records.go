package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// size is a size of records to measure with.
type size struct {
	topic       string
	make        func(*generator, string, int) health.Record
	count       int // records per round
	connections int
	insert      float64 // floors
	disk        float64
	note        string
}

var (
	small = size{
		"Records of 400 B", (*generator).measurement, 100_000, 20, 1.0, 0.65,
		"A record is a body composition: ten values, a device id of 40 characters, two texts.",
	}
	large = size{
		"Records of 4 kB", (*generator).workout, 20_000, 4, 2.0, 0.30,
		"A record is a run with about fifty laps of eight values. What is encoded is dense already (a lap is 70 bytes, of which some 20\n" +
			"are random), so that s2 with a dictionary makes it half, and zstd, at five times the cost per write, a third. The store uses s2.",
	}
)

// dataset is the records of some connections, for the store and the anchor.
type dataset struct {
	records [][]health.Record // by connection
	rows    []encoded
	bytes   int
}

func connectionName(i int) string { return fmt.Sprintf("connection-%03d", i) }

func makeDataset(z size, seed uint64) *dataset {
	d := &dataset{}
	per := z.count / z.connections
	for c := range z.connections {
		g := newGenerator(seed*1000 + uint64(c))
		list := make([]health.Record, per)
		for i := range list {
			list[i] = z.make(g, connectionName(c), i)
		}
		d.add(int64(c+1), list)
	}
	return d
}

func (d *dataset) add(sid int64, list []health.Record) {
	d.records = append(d.records, list)
	for i := range list {
		e := encodeFor(sid, &list[i])
		d.bytes += len(e.values) + len(e.rest)
		d.rows = append(d.rows, e)
	}
}

// changed returns d with a share of the records changed by new numbers and a
// newer version.
func (d *dataset) changed(share float64, seed uint64) *dataset {
	rnd := rand.New(rand.NewPCG(seed, 3))
	next := &dataset{}
	for c, list := range d.records {
		list = slices.Clone(list)
		for i := range list {
			if rnd.Float64() < share {
				r := &list[i]
				r.Values = slices.Clone(r.Values)
				r.Values[0].Number.Coefficient += 1 + rnd.Int64N(1000)
				r.Rev.Order += 1000
				r.Normalize()
			}
		}
		next.add(int64(c+1), list)
	}
	return next
}

// encodeTime is what making the bytes of all records takes.
func (d *dataset) encodeTime() time.Duration {
	var buf []byte
	start := time.Now()
	for _, list := range d.records {
		for i := range list {
			buf = health.AppendValues(buf[:0], &list[i])
			buf = health.AppendRest(buf, &list[i])
		}
	}
	return time.Since(start)
}

// commit commits all records in pages.
func (d *dataset) commit(ctx context.Context, s store.Store, digest func(connection, page int) uint64, want func(store.Result, int) error) error {
	for c, list := range d.records {
		for page := 0; len(list) > 0; page++ {
			batch := list[:min(len(list), batchSize)]
			list = list[len(batch):]
			b := store.Batch{
				User: "user", Connection: connectionName(c), Unfenced: true, Now: benchNow, Cause: store.CauseLive,
				Pages: []store.Page{{Stream: batch[0].Stream(), Key: fmt.Sprint(page), Records: batch}},
			}
			if digest != nil {
				b.Pages[0].Digest = digest(c, page)
			}
			res, err := s.Commit(ctx, b)
			if err != nil {
				return err
			}
			if err := want(res, len(batch)); err != nil {
				return err
			}
		}
	}
	return nil
}

func inserted(r store.Result, n int) error {
	if r.Inserted != n {
		return fmt.Errorf("inserted %d of %d", r.Inserted, n)
	}
	return nil
}

func unchanged(r store.Result, n int) error {
	if r.Unchanged != n {
		return fmt.Errorf("unchanged %d of %d", r.Unchanged, n)
	}
	return nil
}

func skipped(r store.Result, _ int) error {
	if r.SkippedPages != 1 {
		return fmt.Errorf("page was not skipped")
	}
	return nil
}

func some(r store.Result, n int) error {
	if r.Revised == 0 || r.Revised+r.Unchanged != n {
		return fmt.Errorf("revised %d, unchanged %d of %d", r.Revised, r.Unchanged, n)
	}
	return nil
}

// lap is the best time of each phase.
type lap map[string]time.Duration

func (l lap) time(name string, fn func() error) error {
	start := time.Now()
	if err := fn(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	l.keep(name, time.Since(start))
	return nil
}

func (l lap) keep(name string, d time.Duration) {
	if best, ok := l[name]; !ok || d < best {
		l[name] = d
	}
}

func records(ctx context.Context, b *bench, z size) error {
	for _, mode := range []sqlitestore.Synchronous{sqlitestore.SynchronousFull, sqlitestore.SynchronousNormal} {
		if err := recordsMode(ctx, b, z, mode); err != nil {
			return err
		}
	}
	return nil
}

func recordsMode(ctx context.Context, b *bench, z size, mode sqlitestore.Synchronous) error {
	best := lap{}
	var ourSize, anchorSize int64
	var bytes int
	for round := range b.rounds {
		d := makeDataset(z, uint64(round+1))
		next := d.changed(0.1, uint64(round+100))
		bytes = d.bytes
		for range 3 {
			best.keep("encode", d.encodeTime())
		}
		dir := filepath.Join(b.dir, fmt.Sprint(mode, round))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		var err error
		if anchorSize, err = anchorRound(dir, string(mode), d, next, best); err != nil {
			return err
		}
		if ourSize, err = storeRound(ctx, dir, mode, z, d, next, best); err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	topic := z.topic + ", synchronous=" + string(mode)
	n := float64(z.count)
	// Where encoding is nearly all of it the difference is noise; a twentieth is
	// the least that is left.
	rate := func(name string, less time.Duration) float64 {
		return n / max(best[name]-less, best[name]/20).Seconds() / 1000
	}
	encode := best["encode"]
	row := func(name, ours, theirs string, less time.Duration, floor float64, note string) {
		b.Add(Row{Topic: topic, Name: name, Unit: "k records/s", Measured: rate(ours, less), Anchor: rate(theirs, 0), Floor: floor, Note: note})
	}
	b.Add(Row{Topic: topic, Name: "encoding alone", Unit: "k records/s", Measured: rate("encode", 0),
		Note: fmt.Sprintf("AppendValues and AppendRest, %d B per record", bytes/z.count)})
	row("insert", "insert", "anchor insert", encode, z.insert, "without encoding")
	row("insert, with encoding", "insert", "anchor insert", 0, 0, "")
	row("re-sync unchanged, by record", "same", "anchor same", encode, 2.5, "without encoding; no write lock taken")
	row("re-sync unchanged, by record, with encoding", "same", "anchor same", 0, 0, "")
	row("re-sync unchanged, by page digest", "digest", "anchor same", 0, 10, "nothing is encoded")
	row("re-sync, 10 % changed", "changed", "anchor changed", encode, 1.8, "without encoding")
	row("re-sync, 10 % changed, with encoding", "changed", "anchor changed", 0, 0, "")
	b.Add(Row{Topic: topic, Name: "file", Unit: "B/record", Measured: float64(ourSize) / n, Anchor: float64(anchorSize) / n, Floor: z.disk, Most: true,
		Note: "scalar values readable, changes and indexes included"})
	b.Add(Row{Topic: topic, Name: "range of 1,000 records", Unit: "ms", Measured: ms(best["range"] - best["decode"]), Anchor: ms(best["anchor range"]),
		Floor: 1.1, Most: true, Note: "without decoding"})
	b.Add(Row{Topic: topic, Name: "range of 1,000 records, decoded", Unit: "ms", Measured: ms(best["range"]), Anchor: ms(best["anchor range"])})
	b.Note(topic, "Anchor: mattn/go-sqlite3, database/sql, one prepared upsert per row in transactions of %d, 4 KiB pages, WAL, the same synchronous\n"+
		"setting, the same encoded bytes uncompressed, `rec(id INTEGER PRIMARY KEY, sid, rid, start, end_, updated, hash, vals TEXT, rest BLOB,\n"+
		"UNIQUE(sid, rid))` and an index on (sid, start); the update has the condition `hash <> excluded.hash`. Store: `Commit` of pages of %d records\n"+
		"as values, 4 KiB pages, with validation, fingerprint, comparison, compression and change entries. %d records of %d connections per round.",
		batchSize, batchSize, z.count, z.connections)
	b.Note(topic, "Without encoding: less the time of \"encoding alone\" over the same records. %s", z.note)
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func anchorRound(dir, mode string, d, next *dataset, best lap) (int64, error) {
	a, err := newAnchor(dir, mode)
	if err != nil {
		return 0, err
	}
	if err := best.time("anchor insert", func() error { return a.upsert(d.rows) }); err != nil {
		return 0, err
	}
	if err := best.time("anchor same", func() error { return a.upsert(d.rows) }); err != nil {
		return 0, err
	}
	size, err := fileSize(a)
	if err != nil {
		return 0, err
	}
	per := len(d.records[0])
	for i := range 20 {
		from := d.rows[(per-1000)*i/20].start
		if err := best.time("anchor range", func() error { _, err := a.read(1, from, 1000); return err }); err != nil {
			return 0, err
		}
	}
	if err := best.time("anchor changed", func() error { return a.upsert(next.rows) }); err != nil {
		return 0, err
	}
	_, err = a.close()
	return size, err
}

// fileSize is the size of the anchor's file after all is in it.
func fileSize(a *anchor) (int64, error) {
	if _, err := a.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return 0, err
	}
	info, err := os.Stat(a.path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func storeRound(ctx context.Context, dir string, mode sqlitestore.Synchronous, z size, d, next *dataset, best lap) (int64, error) {
	path := filepath.Join(dir, "store.db")
	o := &sqlitestore.Options{Synchronous: mode}
	s, err := sqlitestore.Open(ctx, path, o)
	if err != nil {
		return 0, err
	}
	if err := best.time("insert", func() error { return d.commit(ctx, s, nil, inserted) }); err != nil {
		return 0, err
	}
	if err := s.Close(); err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if s, err = sqlitestore.Open(ctx, path, o); err != nil {
		return 0, err
	}
	if err := best.time("same", func() error { return d.commit(ctx, s, nil, unchanged) }); err != nil {
		return 0, err
	}
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return 0, fmt.Errorf("unchanged records wrote %d bytes", wal.Size())
	}
	per := len(d.records[0])
	for i := range 20 {
		from, _ := d.records[0][(per-1000)*i/20].Span.Start.Time()
		var page store.RecordPage
		if err := best.time("range", func() (err error) {
			page, err = s.Records(ctx, store.RecordQuery{User: "user", Connections: []string{connectionName(0)}, From: from, Limit: 1000})
			return err
		}); err != nil {
			return 0, err
		}
		if len(page.Records) != 1000 {
			return 0, fmt.Errorf("range has %d records", len(page.Records))
		}
		if err := decodeTime(page.Records, best); err != nil {
			return 0, err
		}
	}
	digest := func(connection, page int) uint64 { return uint64(connection*1000 + page + 1) }
	if err := d.commit(ctx, s, digest, unchanged); err != nil {
		return 0, err
	}
	if err := best.time("digest", func() error { return d.commit(ctx, s, digest, skipped) }); err != nil {
		return 0, err
	}
	if err := best.time("changed", func() error { return next.commit(ctx, s, nil, some) }); err != nil {
		return 0, err
	}
	return info.Size(), s.Close()
}

// decodeTime measures what decoding the records takes.
func decodeTime(list []health.Record, best lap) error {
	type bytes struct{ values, rest []byte }
	encoded := make([]bytes, len(list))
	for i := range list {
		encoded[i] = bytes{health.AppendValues(nil, &list[i]), health.AppendRest(nil, &list[i])}
	}
	out := make([]health.Record, len(list))
	return best.time("decode", func() error {
		for i := range encoded {
			if err := health.DecodeContent(&out[i], encoded[i].values, encoded[i].rest); err != nil {
				return err
			}
		}
		return nil
	})
}
