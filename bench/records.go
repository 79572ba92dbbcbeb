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
	page        func([]health.Record) health.RawBody // the answer that brings records; nil measures none
	forms       []form                               // what the anchor keeps; packed bytes with FULL only
	count       int                                  // records per round
	times       int                                  // as many rounds as elsewhere
	connections int
	insert      float64 // floors
	disk        float64
	note        string
}

var (
	measurements = size{
		"Records of 400 B", (*generator).measurement, measurePage, []form{formJSON, formPacked}, 100_000, 1, 20, 1.0, 0.65,
		"A record is a body measurement: weight and pulse, a device id of 32 characters, a zone.",
	}
	runs = size{
		"Records of 4 kB", (*generator).run, runPage, []form{formJSON, formPacked}, 20_000, 3, 4, 2.0, 0.30,
		"A record is a run of six laps: eight values for each lap and for the whole.",
	}
	compositions = size{
		"Records of 400 B packed", (*generator).composition, nil, []form{formPacked}, 100_000, 1, 20, 1.0, 0.65,
		"A record is a body composition: ten values, a device id of 32 characters, a zone, two texts.",
	}
	longRuns = size{
		"Records of 4 kB packed", (*generator).longRun, nil, []form{formPacked}, 20_000, 3, 4, 2.0, 0.30,
		"A record is a run of about fifty laps: eight values for each lap and for the whole. A packed lap is 70 bytes, of which some 20 are\n" +
			"random.",
	}
)

// dataset is the records of some connections, for the store and the anchor.
type dataset struct {
	records [][]health.Record   // by connection
	raws    [][]*health.RawPage // by connection and page
	rows    map[form][]encoded
}

func connectionName(i int) string { return fmt.Sprintf("c%03d", i) }

func makeDataset(z size, forms []form, seed uint64) (*dataset, error) {
	d := &dataset{rows: map[form][]encoded{}}
	per := z.count / z.connections
	for c := range z.connections {
		g := newGenerator(seed*1000 + uint64(c))
		list := make([]health.Record, per)
		for i := range list {
			list[i] = z.make(g, connectionName(c), i)
		}
		if err := d.add(list, forms); err != nil {
			return nil, err
		}
		if z.page == nil {
			continue
		}
		var raws []*health.RawPage
		for page := range slices.Chunk(list, batchSize) {
			raws = append(raws, &health.RawPage{Stream: page[0].Stream(), Date: benchNow, Zone: "Europe/Paris", Bodies: []health.RawBody{z.page(page)}})
		}
		d.raws = append(d.raws, raws)
	}
	return d, nil
}

func (d *dataset) add(list []health.Record, forms []form) error {
	d.records = append(d.records, list)
	for i := range list {
		for _, f := range forms {
			e, err := f.encode(int64(len(d.records)), &list[i])
			if err != nil {
				return err
			}
			d.rows[f] = append(d.rows[f], e)
		}
	}
	return nil
}

// changed returns d with a share of the records changed by new numbers and a
// newer version.
func (d *dataset) changed(share float64, forms []form, seed uint64) (*dataset, error) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	next := &dataset{rows: map[form][]encoded{}}
	for _, list := range d.records {
		list = slices.Clone(list)
		for i := range list {
			if rnd.Float64() < share {
				r := &list[i]
				r.Values = slices.Clone(r.Values)
				r.Values[0].Number.Coefficient += 1 + rnd.Int64N(9)
				r.Rev.Order += 1000
				r.Normalize()
			}
		}
		if err := next.add(list, forms); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// encode makes the payloads of all records.
func (d *dataset) encode(f form) error {
	var buf []byte
	for _, list := range d.records {
		for i := range list {
			var err error
			if buf, err = f.payload(buf, &list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// rawBytes is how much the raw answers hold.
func (d *dataset) rawBytes() int {
	n := 0
	for _, pages := range d.raws {
		for _, page := range pages {
			n += len(page.Bodies[0].Body)
		}
	}
	return n
}

// commit commits all records in pages, to each of which complete may add.
func (d *dataset) commit(ctx context.Context, s store.Store, complete func(connection, page int, to *store.Page), want func(store.Result, int) error) error {
	for c, list := range d.records {
		page := 0
		for batch := range slices.Chunk(list, batchSize) {
			b := store.Batch{
				User: "user", Connection: connectionName(c), Unfenced: true, Now: benchNow, Cause: store.CauseLive,
				Pages: []store.Page{{Stream: batch[0].Stream(), Key: fmt.Sprint(page), Records: batch}},
			}
			if complete != nil {
				complete(c, page, &b.Pages[0])
			}
			res, err := s.Commit(ctx, b)
			if err == nil {
				err = want(res, len(batch))
			}
			if err != nil {
				return err
			}
			page++
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
	if err := recordsMode(ctx, b, z, sqlitestore.SynchronousFull, z.forms); err != nil {
		return err
	}
	if !slices.Contains(z.forms, formJSON) {
		return nil
	}
	return recordsMode(ctx, b, z, sqlitestore.SynchronousNormal, []form{formJSON})
}

// again is how often a round measures what leaves everything as it is: encoding
// and re-sync of what is unchanged, of the store and of the anchor.
const again = 3

// recordsMode measures the store once and beside it the anchor with each form.
func recordsMode(ctx context.Context, b *bench, z size, mode sqlitestore.Synchronous, forms []form) error {
	best := lap{}
	files := map[string]int64{}
	raw := 0
	for round := range z.times * b.rounds {
		d, err := makeDataset(z, forms, uint64(round+1))
		if err != nil {
			return err
		}
		next, err := d.changed(0.1, forms, uint64(round+100))
		if err != nil {
			return err
		}
		encodings := slices.Repeat([]form{formPacked}, again)
		if slices.Contains(forms, formJSON) {
			encodings = append(encodings, formJSON)
		}
		for _, f := range encodings {
			if err := best.time("encode "+string(f), func() error { return d.encode(f) }); err != nil {
				return err
			}
		}
		raw = d.rawBytes()
		dir := filepath.Join(b.dir, fmt.Sprint(mode, round))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		for _, f := range forms {
			if err := anchorRound(dir, string(mode), f, d, next, best, files); err != nil {
				return err
			}
		}
		if err := storeRound(ctx, dir, mode, d, next, best, files); err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	payload := map[form]int{}
	for _, f := range []form{formJSON, formPacked} {
		var err error
		if payload[f], err = payloadSize(z, f); err != nil {
			return err
		}
	}
	for _, f := range forms {
		recordsTable(b, z, mode, f, best, files, payload, raw)
	}
	return nil
}

// payloadSize is how many bytes the payload of a record has in the mean.
func payloadSize(z size, f form) (int, error) {
	const n = 1000
	g := newGenerator(1)
	sum := 0
	for i := range n {
		r := z.make(g, connectionName(0), i)
		payload, err := f.payload(nil, &r)
		if err != nil {
			return 0, err
		}
		sum += len(payload)
	}
	return sum / n, nil
}

// recordsTable reports the store against the anchor with a form.
func recordsTable(b *bench, z size, mode sqlitestore.Synchronous, f form, best lap, files map[string]int64, payload map[form]int, raw int) {
	topic := z.topic + ", synchronous=" + string(mode)
	stored := "`json.Marshal` of the record, as TEXT"
	if f == formPacked {
		topic += ", the anchor stores this module's own packed bytes"
		stored = "`AppendValues` and `AppendRest` of the record, as BLOB"
	}
	n := float64(z.count)
	// Where encoding is nearly all of it the difference is noise; a twentieth is
	// the least that is left.
	rate := func(name string, less time.Duration) float64 {
		return n / max(best[name]-less, best[name]/20).Seconds() / 1000
	}
	encode, anchor := best["encode "+string(formPacked)], string(f)+" "
	row := func(name, ours, theirs string, less time.Duration, floor float64, note string) {
		b.Add(Row{Topic: topic, Name: name, Unit: "k records/s", Measured: rate(ours, less), Anchor: rate(theirs, 0), Floor: floor, Note: note})
	}
	b.Add(Row{Topic: topic, Name: "encoding alone", Unit: "k records/s", Measured: rate("encode "+string(formPacked), 0),
		Note: fmt.Sprintf("AppendValues and AppendRest, %d B per record", payload[formPacked])})
	if f == formJSON {
		b.Add(Row{Topic: topic, Name: "json.Marshal alone", Unit: "k records/s", Measured: rate("encode "+string(formJSON), 0),
			Note: fmt.Sprintf("what makes the anchor's payload, %d B per record; in none of its times", payload[formJSON])})
	}
	row("insert", "insert", anchor+"insert", encode, z.insert, "without encoding")
	row("insert, with encoding", "insert", anchor+"insert", 0, 0, "")
	row("re-sync unchanged, by record", "same", anchor+"same", encode, 2.5, "without encoding; no write lock taken")
	row("re-sync unchanged, by record, with encoding", "same", anchor+"same", 0, 0, "")
	row("re-sync unchanged, by page digest", "digest", anchor+"same", 0, 10, "nothing is encoded")
	row("re-sync, 10 % changed", "changed", anchor+"changed", encode, 1.8, "without encoding")
	row("re-sync, 10 % changed, with encoding", "changed", anchor+"changed", 0, 0, "")
	b.Add(Row{Topic: topic, Name: "file", Unit: "B/record", Measured: float64(files["store"]) / n, Anchor: float64(files[string(f)]) / n, Floor: z.disk, Most: true,
		Note: "scalar values readable, changes and indexes included"})
	b.Add(Row{Topic: topic, Name: "range of 1,000 records", Unit: "ms", Measured: ms(best["range"] - best["decode"]), Anchor: ms(best[anchor+"range"]),
		Floor: 1.1, Most: true, Note: "without decoding"})
	b.Add(Row{Topic: topic, Name: "range of 1,000 records, decoded", Unit: "ms", Measured: ms(best["range"]), Anchor: ms(best[anchor+"range"]),
		Note: "the anchor's is not"})
	if f == formJSON {
		b.Add(Row{Topic: topic, Name: "insert with raw answers kept", Unit: "k records/s", Measured: rate("raw", 0), Anchor: rate("insert", 0),
			Note: "with encoding; the anchor is the same insert without them"})
		b.Add(Row{Topic: topic, Name: "file with raw answers kept", Unit: "B/record", Measured: float64(files["raw"]) / n, Anchor: float64(files["store"]) / n,
			Note: "the anchor is the file without them"})
	}
	b.Note(topic, "%s Its JSON has %d bytes, packed it has %d.\n%d records of %d connections per round.",
		z.note, payload[formJSON], payload[formPacked], z.count, z.connections)
	if z.times > 1 {
		b.Note(topic, "%d times as many rounds as elsewhere, for they are short.", z.times)
	}
	b.Note(topic, "Anchor: mattn/go-sqlite3, database/sql, one prepared upsert per row in transactions of %d, 4 KiB pages, WAL, the same synchronous\n"+
		"setting, `rec(id INTEGER PRIMARY KEY, sid, rid, start, end_, updated, hash, payload, UNIQUE(sid, rid))` and an index on (sid, start);\n"+
		"the update has the condition `hash <> excluded.hash`. Its payload, uncompressed: %s.", batchSize, stored)
	b.Note(topic, "Store: `Commit` of pages of %d records as values, 4 KiB pages, with validation, encoding, fingerprint, comparison, compression\n"+
		"and change entries. Files are measured after a checkpoint.", batchSize)
	b.Note(topic, "Encoding: the anchor is given payload and hash ready made, so that no time of it has encoding in it. The store is given values and\n"+
		"encodes them. \"Without encoding\" is its time less that of \"encoding alone\" over the same records, our own encoding on one core.\n"+
		"A page of many values in the order of its keys is looked up while another core encodes it, so that there this is by how much a\n"+
		"commit takes longer than encoding alone, not all that its other work costs.")
	if f == formJSON {
		b.Note(topic, "Raw answers: each page of %d records comes with the JSON that a service would answer, made of the same records, %d bytes per\n"+
			"record; `store.Page.Raw` has it. The store compresses it.", batchSize, raw/z.count)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func anchorRound(dir, mode string, f form, d, next *dataset, best lap, files map[string]int64) error {
	a, err := newAnchor(dir, mode, f)
	if err != nil {
		return err
	}
	name, rows := string(f)+" ", d.rows[f]
	if err := best.time(name+"insert", func() error { return a.upsert(rows) }); err != nil {
		return err
	}
	for range again {
		if err := best.time(name+"same", func() error { return a.upsert(rows) }); err != nil {
			return err
		}
	}
	if files[string(f)], err = a.size(); err != nil {
		return err
	}
	per := len(d.records[0])
	for i := range 20 {
		from := rows[(per-1000)*i/20].start
		if err := best.time(name+"range", func() error { return a.read(1, from, 1000) }); err != nil {
			return err
		}
	}
	if err := best.time(name+"changed", func() error { return a.upsert(next.rows[f]) }); err != nil {
		return err
	}
	return a.close()
}

func storeRound(ctx context.Context, dir string, mode sqlitestore.Synchronous, d, next *dataset, best lap, files map[string]int64) error {
	path := filepath.Join(dir, "store.db")
	o := &sqlitestore.Options{Synchronous: mode}
	insert := func(name, path string, complete func(int, int, *store.Page)) error {
		s, err := sqlitestore.Open(ctx, path, o)
		if err != nil {
			return err
		}
		if err := best.time(name, func() error { return d.commit(ctx, s, complete, inserted) }); err != nil {
			return err
		}
		return s.Close()
	}
	if err := insert("insert", path, nil); err != nil {
		return err
	}
	var err error
	if files["store"], err = fileSize(path); err != nil {
		return err
	}
	s, err := sqlitestore.Open(ctx, path, o)
	if err != nil {
		return err
	}
	for range again {
		if err := best.time("same", func() error { return d.commit(ctx, s, nil, unchanged) }); err != nil {
			return err
		}
	}
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return fmt.Errorf("unchanged records wrote %d bytes", wal.Size())
	}
	per := len(d.records[0])
	for i := range 20 {
		from, _ := d.records[0][(per-1000)*i/20].Span.Start.Time()
		var page store.RecordPage
		if err := best.time("range", func() (err error) {
			page, err = s.Records(ctx, store.RecordQuery{User: "user", Connections: []string{connectionName(0)}, From: from, Limit: 1000})
			return err
		}); err != nil {
			return err
		}
		if len(page.Records) != 1000 {
			return fmt.Errorf("range has %d records", len(page.Records))
		}
		if err := decodeTime(page.Records, best); err != nil {
			return err
		}
	}
	digest := func(connection, page int, to *store.Page) { to.Digest = uint64(connection*1000 + page + 1) }
	if err := d.commit(ctx, s, digest, unchanged); err != nil {
		return err
	}
	if err := best.time("digest", func() error { return d.commit(ctx, s, digest, skipped) }); err != nil {
		return err
	}
	if err := best.time("changed", func() error { return next.commit(ctx, s, nil, some) }); err != nil {
		return err
	}
	if err := s.Close(); err != nil || d.raws == nil {
		return err
	}
	withRaw := filepath.Join(dir, "raw.db")
	if err := insert("raw", withRaw, func(connection, page int, to *store.Page) { to.Raw = d.raws[connection][page] }); err != nil {
		return err
	}
	files["raw"], err = fileSize(withRaw)
	return err
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
