package redis

import (
	"crypto/sha256"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// The digests of pages are valid in one generation of their stream. A new
// generation forgets them all at once.

func pageField(stream, key string) string {
	e := encoder{b: []byte{'p'}}
	e.text(stream)
	return string(e.b) + key
}

func generationField(stream string) string { return "g" + stream }

func encodeDigest(digest uint64, generation int64) []byte {
	e := encoder{}
	e.fixed(digest)
	e.int(generation)
	return e.b
}

// digestOf returns what is stored of page i: its digest if it is valid, and the
// generation of its stream.
func (c *commit) digestOf(i int) (digest uint64, known bool, generation int64, err error) {
	values := c.digests.Val()
	if text, ok := values[2*i+1].(string); ok {
		if generation, err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, false, 0, ErrDamaged
		}
	}
	text, ok := values[2*i].(string)
	if !ok {
		return 0, false, generation, nil
	}
	d := &decoder{b: text}
	digest = d.fixed()
	known = d.int() == generation
	return digest, known, generation, d.end()
}

// planPages writes digests, raw answers and what was set aside.
func (c *commit) planPages() error {
	b, t := c.b, c.tx
	digests := c.sc.of("p", b.Connection)
	generations := map[string]int64{}
	forget := func(stream string, generation int64) int64 {
		next := generation + 1
		t.do("hset", digests, generationField(stream), next)
		generations[stream] = next
		return next
	}
	for i := range b.Pages {
		p := &b.Pages[i]
		_, _, generation, err := c.digestOf(i)
		if err != nil {
			return err
		}
		if next, done := generations[p.Stream]; done {
			generation = next
		} else if c.changed[p.Stream] || c.absent[p.Stream] {
			generation = forget(p.Stream, generation)
		}
		if c.skip[i] {
			continue
		}
		if p.Digest != 0 && !c.lost[i] && !c.absent[p.Stream] {
			t.do("hset", digests, pageField(p.Stream, p.Key), encodeDigest(p.Digest, generation))
		}
		if err := c.planRaw(i); err != nil {
			return err
		}
		for _, q := range p.Quarantined {
			c.setAside(&q, p.Stream, c.b.Now)
		}
	}
	for stream := range c.absent {
		if _, done := generations[stream]; !done {
			// No page of the stream is in the batch: its generation was not
			// read.
			t.do("hincrby", digests, generationField(stream), 1)
		}
	}
	return nil
}

// planRaw keeps the raw answer of page i, if one of its records was written.
func (c *commit) planRaw(i int) error {
	p := &c.b.Pages[i]
	if p.Raw == nil || !c.written[i] {
		return nil
	}
	return c.keepRaw(p.Stream, p.Raw)
}

// keepRaw keeps a raw answer, once per content. Content that is there takes the
// later date.
func (c *commit) keepRaw(stream string, raw *health.RawPage) error {
	content := rawContent(stream, raw.Bodies)
	sum := sha256.Sum256(content)
	field := string(sum[:])
	var got *goredis.StringCmd
	if err := c.tx.read(func(r goredis.Pipeliner) {
		got = r.HGet(c.tx.ctx, c.sc.of("w", c.b.Connection), field)
	}); err != nil {
		return err
	}
	meta := rawMeta{date: raw.Date, zone: raw.Zone, stream: stream}
	switch before, twice := c.raws[field]; {
	case twice && milli(before.date) >= milli(meta.date):
		return nil
	case twice:
		meta.number = before.number
	case got.Val() == "":
		meta.number = c.tx.newID()
		c.tx.do("hset", c.sc.of("y", c.b.Connection), strconv.FormatInt(meta.number, 10), c.s.packer.tight(content))
	default:
		old, err := decodeRawMeta(got.Val())
		if err != nil {
			return err
		}
		if milli(old.date) >= milli(meta.date) {
			return nil
		}
		meta.number = old.number
	}
	c.raws[field] = meta
	c.tx.do("hset", c.sc.of("w", c.b.Connection), field, meta.encode())
	return nil
}

// rawContent encodes what makes a raw answer what it is.
func rawContent(stream string, bodies []health.RawBody) []byte {
	e := encoder{}
	e.text(stream)
	for _, body := range bodies {
		e.text(body.Name)
		e.uint(uint64(len(body.Body)))
		e.b = append(e.b, body.Body...)
	}
	return e.b
}

// setAside adds to the quarantine: the same datum for the same reason is there
// once, at its latest time.
func (c *commit) setAside(q *store.Quarantined, stream string, at time.Time) {
	e := newEncoder()
	e.text(stream)
	e.text(q.Key)
	e.text(q.Reason)
	e.bytes(append([]byte{}, q.Raw...))
	sum := sha256.Sum256(e.b)
	e.time(at)
	e.int(c.tx.newID())
	c.tx.do("hset", c.sc.of("q", c.b.Connection), string(sum[:16]), e.b)
}

// planCopied writes what another store gave out.
func (c *commit) planCopied() error {
	if c.b.Copied == nil {
		return nil
	}
	for i := range c.b.Copied.Samples {
		run := &c.b.Copied.Samples[i]
		c.samples.window(sampleKey{run.Owner, run.Series.Floating}, &run.Series)
	}
	for i := range c.b.Copied.Raw {
		if err := c.keepRaw(c.b.Copied.Raw[i].Stream, &c.b.Copied.Raw[i]); err != nil {
			return err
		}
	}
	for i := range c.b.Copied.Quarantined {
		q := &c.b.Copied.Quarantined[i]
		c.setAside(q, q.Stream, q.At)
	}
	return nil
}

// noConnection says why a connection that is not the user's gets no
// predecessor.
func (c *commit) noConnection() error {
	other, err := c.s.elsewhere(c.tx.ctx, c.sc, c.b.Connection)
	switch {
	case err != nil:
		return err
	case other:
		return invalid("connection of another user")
	}
	return store.ErrNotFound
}

// planPredecessor makes the connection continue the history of another one.
func (c *commit) planPredecessor() error {
	b := c.b
	if b.Predecessor == "" {
		return nil
	}
	if c.fact.Val() == "" {
		return store.ErrNotFound
	}
	fact, err := decodeConnection(b.Connection, c.fact.Val())
	switch {
	case err != nil:
		return err
	case fact.Predecessor == b.Predecessor:
		return nil
	case fact.Predecessor != "":
		return store.ErrConflict
	}
	fact.Predecessor = b.Predecessor
	fact.Version++
	c.tx.do("hset", c.sc.part("k"), b.Connection, encodeConnection(&fact))
	c.result.Relinked = true
	c.told = append(c.told, told{key: b.Predecessor, cause: store.CauseRelinked})
	return nil
}
