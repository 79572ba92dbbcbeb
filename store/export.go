package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// The format of exports. Readers skip lines of a type they do not know.
const (
	exportFormat  = "vitalmux-export"
	exportVersion = 1
	// exportPoints is how many samples a line holds at most, and how many a
	// page of them; a page of another sort of data is smaller.
	exportPoints = 20_000
)

// Manifest says what an export holds.
type Manifest struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	User    string `json:"user"`
	// Counts of what the lines hold; Samples counts points.
	Connections int `json:"connections"`
	Windows     int `json:"windows"`
	Records     int `json:"records"`
	Samples     int `json:"samples"`
	RawPages    int `json:"raw_pages"`
	Quarantined int `json:"quarantined"`
	// Parts sums up the lines of each type, Kinds the lines of type "record" of
	// each kind of record.
	Parts map[string]Part      `json:"parts"`
	Kinds map[health.Kind]Part `json:"kinds"`
	// SHA256 is the hexadecimal digest of all bytes in front of the line of
	// the manifest.
	SHA256 string `json:"sha256"`
}

// Part sums up the lines of one sort.
type Part struct {
	Lines int `json:"lines"`
	// SHA256 is the hexadecimal digest of the lines, in their order and each
	// with its line feed.
	SHA256 string `json:"sha256"`
}

// ExportRequest says what to export.
type ExportRequest struct {
	User string
	// Raw adds the raw answers of services, and the data that was set aside as
	// it came.
	Raw bool
}

// Export writes all data of a user to w as lines of JSON, and returns the
// manifest, which is also the last line. Each line is an object with a member
// "type", and one named like the type:
//
//	header      format, version and user; the first line
//	connection  a connection, without its credential
//	coverage    the complete windows of one stream of a connection
//	record      a record, tombstones included, in the form of health.Record
//	samples     a run of points of one owner, in columns, at the greatest exponent of
//	            at most 0 that has them exactly
//	raw         a raw answer, where asked for; bodies are base64
//	quarantine  a datum that was set aside; its raw form, where asked for, is base64
//	manifest    the [Manifest]; the last line, or the export is not whole
//
// It reads page by page, so memory is bounded by a page. What is committed
// meanwhile may or may not be in it. Nothing of the endpoint scope is exported.
func Export(ctx context.Context, s Store, r ExportRequest, w io.Writer) (Manifest, error) {
	if r.User == "" {
		return Manifest{}, fmt.Errorf("store: export: %w", invalid("user"))
	}
	digest := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, digest), 64<<10)
	e := exporter{
		ctx: ctx, store: s, buffer: out, raw: r.Raw,
		manifest: Manifest{Format: exportFormat, Version: exportVersion, User: r.User},
		links:    map[string]map[string]bool{}, metrics: map[health.Metric]bool{},
		parts: map[string]*sum{}, kinds: map[health.Kind]*sum{},
	}
	if err := e.all(); err != nil {
		return Manifest{}, fmt.Errorf("store: export: %w", err)
	}
	if err := e.end(digest, w); err != nil {
		return Manifest{}, fmt.Errorf("store: export: %w", err)
	}
	return e.manifest, nil
}

type exporter struct {
	ctx      context.Context
	store    Store
	buffer   *bufio.Writer
	raw      bool
	manifest Manifest
	parts    map[string]*sum // by type of line
	kinds    map[health.Kind]*sum
	links    map[string]map[string]bool // streams by connection id
	metrics  map[health.Metric]bool     // of series
}

func (e *exporter) all() error {
	steps := []func() error{e.header, e.connections, e.records, e.coverage, e.samples, e.rawPages, e.quarantine}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return e.buffer.Flush()
}

// sum sums up lines.
type sum struct {
	lines  int
	digest hash.Hash
}

func add[K comparable](sums map[K]*sum, key K, line []byte) {
	s := sums[key]
	if s == nil {
		s = &sum{digest: sha256.New()}
		sums[key] = s
	}
	s.lines++
	s.digest.Write(line)
}

func parts[K comparable](sums map[K]*sum) map[K]Part {
	out := make(map[K]Part, len(sums))
	for key, s := range sums {
		out[key] = Part{Lines: s.lines, SHA256: hex.EncodeToString(s.digest.Sum(nil))}
	}
	return out
}

// line writes one line.
func (e *exporter) line(kind string, content any) error {
	text, err := encodeLine(kind, content)
	if err != nil {
		return err
	}
	add(e.parts, kind, text)
	if r, ok := content.(*health.Record); ok {
		add(e.kinds, r.Kind, text)
	}
	_, err = e.buffer.Write(text)
	return err
}

func encodeLine(kind string, content any) ([]byte, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "{\"type\":%q,%q:%s}\n", kind, kind, text), nil
}

func (e *exporter) header() error {
	return e.line("header", struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
		User    string `json:"user"`
	}{exportFormat, exportVersion, e.manifest.User})
}

func (e *exporter) connections() error {
	for c, err := range AllConnections(e.ctx, e.store, ConnectionQuery{User: e.manifest.User}) {
		if err != nil {
			return err
		}
		e.manifest.Connections++
		e.links[c.ID] = map[string]bool{}
		cursors, err := e.store.Cursors(e.ctx, c.ID)
		if err != nil {
			return err
		}
		for _, cursor := range cursors {
			e.links[c.ID][cursor.Stream] = true
		}
		err = e.line("connection", struct {
			ID          string    `json:"id"`
			Provider    string    `json:"provider"`
			UpstreamID  string    `json:"upstream_id,omitempty"`
			State       State     `json:"state"`
			Reason      string    `json:"reason,omitempty"`
			Zone        string    `json:"zone,omitempty"`
			Scopes      []string  `json:"scopes,omitempty"`
			Predecessor string    `json:"predecessor,omitempty"`
			CreatedAt   time.Time `json:"created_at,omitzero"`
		}{c.ID, c.Provider, c.UpstreamID, c.State, c.Reason, c.Zone, c.Scopes, c.Predecessor, c.CreatedAt})
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) records() error {
	for r, err := range AllRecords(e.ctx, e.store, RecordQuery{User: e.manifest.User, Deleted: true}) {
		if err != nil {
			return err
		}
		e.manifest.Records++
		if e.links[r.Connection] == nil {
			e.links[r.Connection] = map[string]bool{} // its connection was deleted
		}
		e.links[r.Connection][r.Stream()] = true
		for i := range r.Series {
			e.metrics[r.Series[i].Metric] = true
		}
		if err := e.line("record", &r); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) coverage() error {
	type window struct {
		From  time.Time  `json:"from,omitzero"`
		To    time.Time  `json:"to,omitzero"`
		First health.Day `json:"first,omitzero"`
		Last  health.Day `json:"last,omitzero"`
	}
	for _, id := range sortedKeys(e.links) {
		for _, stream := range sortedKeys(e.links[id]) {
			list, err := e.store.Coverage(e.ctx, id, stream)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				continue
			}
			e.manifest.Windows += len(list)
			windows := make([]window, len(list))
			for i, w := range list {
				windows[i] = window(w)
			}
			err = e.line("coverage", struct {
				Connection string   `json:"connection"`
				Stream     string   `json:"stream"`
				Windows    []window `json:"windows"`
			}{id, stream, windows})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *exporter) samples() error {
	// Points may be of metrics that no record names any more.
	for _, d := range health.Catalogue() {
		e.metrics[d.Metric] = true
	}
	for _, metric := range sortedKeys(e.metrics) {
		q := SampleQuery{User: e.manifest.User, Metric: metric, Limit: exportPoints}
		line := sampleLine{exporter: e}
		for run, err := range AllSamples(e.ctx, e.store, q) {
			if err == nil {
				err = line.add(&run)
			}
			if err != nil {
				return err
			}
		}
		if err := line.end(); err != nil {
			return err
		}
	}
	return nil
}

// sampleLine collects the points of a line. Lines follow from the points alone,
// so that two stores with the same points have the same lines: how a store
// divides the points of an owner into pages and runs, and at which exponents, is
// its own affair.
type sampleLine struct {
	*exporter
	run     SampleRun // of the points, without them
	times   []int64
	numbers []health.Decimal
}

func (l *sampleLine) add(run *SampleRun) error {
	s := &run.Series
	if run.Owner != l.run.Owner || s.Floating != l.run.Series.Floating {
		if err := l.end(); err != nil {
			return err
		}
		l.run = *run
	}
	for i := range s.Times {
		if len(l.times) == exportPoints {
			if err := l.write(); err != nil {
				return err
			}
		}
		l.times, l.numbers = append(l.times, s.Times[i]), append(l.numbers, s.Number(i))
	}
	return nil
}

// end writes what is left of an owner.
func (l *sampleLine) end() error {
	for len(l.times) > 0 {
		if err := l.write(); err != nil {
			return err
		}
	}
	return nil
}

// write writes the first points, nearly always all.
func (l *sampleLine) write() error {
	s := l.run.Series
	s.Values, s.Exp = commonExponent(l.numbers)
	n := len(s.Values)
	s.Times, s.From, s.To = l.times[:n], l.times[0], l.times[n-1]+1
	l.manifest.Samples += n
	o := &l.run.Owner
	err := l.line("samples", struct {
		Connection string        `json:"connection"`
		Stream     string        `json:"stream"`
		Record     string        `json:"record,omitempty"`
		Source     health.Source `json:"source,omitzero"`
		Series     health.Series `json:"series"`
	}{o.Connection, o.Stream, o.Record, o.Source, s})
	l.times, l.numbers = slices.Delete(l.times, 0, n), slices.Delete(l.numbers, 0, n)
	return err
}

// commonExponent returns the first numbers at one exponent, as many as 64 bits
// hold at it: the greatest at which they are exact and that a series may have, and
// none above 0 if 64 bits hold them at 0.
func commonExponent(numbers []health.Decimal) (values []int64, exp int8) {
	values = make([]int64, 0, len(numbers))
	for i, number := range numbers {
		own := min(number.Normalized().Exponent, health.MaxExponent)
		if _, fits := number.Rescale(0); fits {
			own = min(own, 0)
		}
		if i == 0 {
			exp = own
		}
		if own < exp {
			lowered := make([]int64, i, len(numbers))
			for j, v := range values {
				var fits bool
				if lowered[j], fits = (health.Decimal{Coefficient: v, Exponent: exp}).Rescale(own); !fits {
					return values, exp
				}
			}
			values, exp = lowered, own
		}
		v, fits := number.Rescale(exp)
		if !fits {
			return values, exp
		}
		values = append(values, v)
	}
	return values, exp
}

func (e *exporter) rawPages() error {
	if !e.raw {
		return nil
	}
	type body struct {
		Name string `json:"name"`
		Body []byte `json:"body"`
	}
	for _, id := range sortedKeys(e.links) {
		for p, err := range AllRawPages(e.ctx, e.store, RawQuery{Connection: id, Limit: 10}) {
			if err != nil {
				return err
			}
			e.manifest.RawPages++
			bodies := make([]body, len(p.Bodies))
			for i, b := range p.Bodies {
				bodies[i] = body(b)
			}
			err := e.line("raw", struct {
				Connection string    `json:"connection"`
				Stream     string    `json:"stream"`
				Date       time.Time `json:"date,omitzero"`
				Zone       string    `json:"zone,omitempty"`
				Bodies     []body    `json:"bodies"`
			}{id, p.Stream, p.Date, p.Zone, bodies})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// maxQuarantine bounds what an export holds of the quarantine of a connection,
// which is not paged.
const maxQuarantine = 10_000

func (e *exporter) quarantine() error {
	for _, id := range sortedKeys(e.links) {
		list, err := e.store.Quarantine(e.ctx, id, maxQuarantine)
		if err != nil {
			return err
		}
		for _, q := range list {
			e.manifest.Quarantined++
			if !e.raw {
				q.Raw = nil
			}
			err := e.line("quarantine", struct {
				Connection string    `json:"connection"`
				Stream     string    `json:"stream"`
				Key        string    `json:"key,omitempty"`
				Reason     string    `json:"reason"`
				At         time.Time `json:"at,omitzero"`
				Raw        []byte    `json:"raw,omitempty"`
			}{id, q.Stream, q.Key, q.Reason, q.At, q.Raw})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// end writes the manifest, which is not part of its own digest.
func (e *exporter) end(digest hash.Hash, w io.Writer) error {
	e.manifest.SHA256 = hex.EncodeToString(digest.Sum(nil))
	e.manifest.Parts, e.manifest.Kinds = parts(e.parts), parts(e.kinds)
	text, err := encodeLine("manifest", e.manifest)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}
