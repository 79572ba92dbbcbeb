package redis

import (
	"context"
	"errors"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// Commit implements [store.Store].
func (s *Store) Commit(ctx context.Context, b store.Batch) (store.Result, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Result{}, err
	}
	defer end()
	sc := s.user(b.User)
	if result, known := s.known(ctx, sc, b); known {
		return result, nil
	}
	if err := validate(&b); err != nil {
		return store.Result{}, err
	}
	result, told, err := s.commit(ctx, sc, &b, nil)
	for errors.Is(err, errUnclaimed) {
		var made *claims
		if made, err = s.claim(ctx, sc, b.Connection, ""); err != nil {
			break
		}
		if err = s.adoptLeases(ctx, sc, b.Connection); err != nil {
			break
		}
		if result, told, err = s.commit(ctx, sc, &b, made); errors.Is(err, store.ErrErased) {
			err = errors.Join(err, s.withdraw(ctx, sc, made))
		}
	}
	if err != nil {
		return store.Result{}, err
	}
	if told {
		if err := s.tell(ctx, sc); err != nil {
			return store.Result{}, err
		}
	}
	if len(b.Due) > 0 {
		if err := s.setDue(ctx, b.Due, false); err != nil {
			return store.Result{}, err
		}
	}
	return result, nil
}

// validate is b.Validate, of half of the records at a time if there are many: a
// record is valid or not whatever the others are.
func validate(b *store.Batch) error {
	if countRecords(b) < manyRecords {
		return b.Validate()
	}
	halves := [2]store.Batch{*b, *b}
	for i := range halves {
		halves[i].Pages = slices.Clone(b.Pages)
		for j := range b.Pages {
			list := b.Pages[j].Records
			halves[i].Pages[j].Records = list[i*len(list)/2 : (i+1)*len(list)/2]
		}
	}
	if share([]func() error{halves[0].Validate, halves[1].Validate}, 2) == nil {
		return nil
	}
	return b.Validate() // which also says which record it is
}

func countRecords(b *store.Batch) int {
	n := 0
	for i := range b.Pages {
		n += len(b.Pages[i].Records)
	}
	return n
}

// commit makes one commit a change of the user's scope, under the guard of the
// connection's claim if it needs one. It also reports whether changes were told.
func (s *Store) commit(ctx context.Context, sc scope, b *store.Batch, made *claims) (result store.Result, told bool, err error) {
	var watch []string
	if b.Lease.Owner != "" {
		watch = append(watch, sc.lease(b.Connection, b.Lease.Name))
	}
	if made != nil {
		watch = append(watch, made.guard)
	}
	c := &commit{s: s, sc: sc, b: b, made: made}
	defer func() { s.packer.keep(c.taken) }()
	if c.encodeAhead(); c.ahead != nil {
		defer func() { _ = c.ahead() }() // its error, if any, is that of the plan
	}
	err = s.update(ctx, sc, watch, c.first, func(t *tx) error {
		c.tx = t
		err := c.plan()
		if err == nil {
			result, told = c.result, len(c.told) > 0
		}
		return err
	})
	return result, told, err
}

// known returns what the commit of a batch gives of which all pages are stored,
// by their digests; false if it is not one, or anything is not as it should be.
// The records are not looked at: they were when the digests were stored.
func (s *Store) known(ctx context.Context, sc scope, b store.Batch) (store.Result, bool) {
	if !mayBeKnown(&b) {
		return store.Result{}, false
	}
	b.Pages = slices.Clone(b.Pages)
	for i := range b.Pages {
		b.Pages[i].Records = nil
	}
	if b.Validate() != nil {
		return store.Result{}, false
	}
	c := &commit{s: s, sc: sc, b: &b}
	done, err := s.glance(ctx, sc, c.first, func(t *tx) error {
		c.tx = t
		return c.plan()
	})
	return c.result, done && err == nil
}

// mayBeKnown reports whether there is nothing to write if the digests of all
// pages are stored.
func mayBeKnown(b *store.Batch) bool {
	return len(b.Pages) > 0 && len(b.Covered)+len(b.Absent)+len(b.Acks)+len(b.Due) == 0 && b.Copied == nil && b.Predecessor == "" &&
		!slices.ContainsFunc(b.Pages, func(p store.Page) bool { return p.Digest == 0 }) &&
		!slices.ContainsFunc(b.Cursors, func(c store.CursorSwap) bool { return !sameCursor(&c.Old, &c.New) })
}

// commit is one batch on its way into a scope. Everything but what first reads
// is made anew in each attempt.
type commit struct {
	s    *Store
	sc   scope
	b    *store.Batch
	made *claims // of the connection, if it needed one
	tx   *tx

	// The first round trip.
	fact           *goredis.StringCmd
	alive          *goredis.IntCmd
	lease          *goredis.StringCmd
	cursors        *goredis.SliceCmd
	digests        *goredis.SliceCmd
	coverage       *goredis.SliceCmd
	groups         *goredis.SliceCmd
	items          *goredis.SliceCmd
	coveredStreams []string
	names          []groupName

	ahead   func() error // waits for the load that was begun ahead; nil for none
	load    *load
	skip    []bool
	taken   [][]entry // of all attempts, to be used again after the last
	near    []*chunk  // of each version, the chunk that its place is in; nil for none
	state   map[string]*group
	list    []*group
	samples samplePlan
	written []bool          // pages of which a record is written
	lost    []bool          // pages of which a record is older than what is stored
	changed map[string]bool // streams in which a stored record changed
	absent  map[string]bool // streams in which one was found to be absent
	raws    map[string]rawMeta
	told    []told
	locate  []located
	result  store.Result
}

// manyRecords is from how many records on a commit is worth several goroutines.
const manyRecords = 64

// encodeAhead begins to encode the records while the first round trip is on its
// way, if it is likely that none of the pages are stored.
func (c *commit) encodeAhead() {
	digests := slices.ContainsFunc(c.b.Pages, func(p store.Page) bool { return p.Digest != 0 })
	if countRecords(c.b) < manyRecords || digests && !mayBeKnown(c.b) {
		return
	}
	c.skip = make([]bool, len(c.b.Pages))
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		c.load, err = newLoad(c.b, c.skip)
	}()
	c.ahead = func() error {
		<-done
		return err
	}
}

// groupNames returns the groups of the batch's pages.
func (c *commit) groupNames() []groupName {
	if c.names == nil {
		l := &load{}
		for i := range c.b.Pages {
			for j := range c.b.Pages[i].Records {
				l.group(c.b.Connection, c.b.Pages[i].Records[j].Kind, c.b.Pages[i].Stream)
			}
		}
		for _, a := range c.b.Absent {
			for _, kind := range health.Kinds() {
				l.group(c.b.Connection, kind, a.Stream)
			}
		}
		c.names = l.names
	}
	return c.names
}

// first queues the reads of the first round trip. It also looks at the keys
// that are only written: a foreign one is found before anything is written.
func (c *commit) first(p goredis.Pipeliner) {
	ctx, sc, b := context.Background(), c.sc, c.b
	c.fact = p.HGet(ctx, sc.part("k"), b.Connection)
	if c.made != nil {
		c.alive = p.Exists(ctx, c.made.guard)
		p.HLen(ctx, sc.part("t"))
	}
	if b.Lease.Owner != "" {
		c.lease = p.Get(ctx, sc.lease(b.Connection, b.Lease.Name))
	}
	if len(b.Cursors) > 0 {
		var fields []string
		for i := range b.Cursors {
			fields = append(fields, cursorField(b.Cursors[i].New.Stream, b.Cursors[i].New.Lane))
		}
		c.cursors = p.HMGet(ctx, sc.of("c", b.Connection), fields...)
	}
	if len(b.Pages) > 0 {
		fields := make([]string, 0, 2*len(b.Pages))
		for i := range b.Pages {
			fields = append(fields, pageField(b.Pages[i].Stream, b.Pages[i].Key), generationField(b.Pages[i].Stream))
		}
		c.digests = p.HMGet(ctx, sc.of("p", b.Connection), fields...)
	}
	if len(b.Covered) > 0 {
		c.coveredStreams = nil
		for _, covered := range b.Covered {
			if !slices.Contains(c.coveredStreams, covered.Stream) {
				c.coveredStreams = append(c.coveredStreams, covered.Stream)
			}
		}
		c.coverage = p.HMGet(ctx, sc.of("v", b.Connection), c.coveredStreams...)
	}
	if names := c.groupNames(); len(names) > 0 {
		var fields []string
		for _, n := range names {
			fields = append(fields, n.field())
		}
		c.groups = p.HMGet(ctx, sc.part("d"), fields...)
	}
	if len(b.Pages) > 0 || len(b.Absent) > 0 || b.Copied != nil || b.Predecessor != "" {
		p.ZCard(ctx, sc.part("f"))
		p.HLen(ctx, sc.part("m"))
		for _, letter := range []string{"h", "b", "x", "s", "z", "w", "y", "q"} {
			p.HLen(ctx, sc.of(letter, b.Connection))
		}
	}
	if len(b.Acks) > 0 {
		c.items = p.HMGet(ctx, sc.part("i"), b.Acks...)
		p.HLen(ctx, sc.part("j"))
	}
}

// plan checks the batch against what is stored and queues what it writes.
func (c *commit) plan() error {
	b, t := c.b, c.tx
	c.result, c.told, c.locate = store.Result{}, nil, nil
	c.state, c.list = map[string]*group{}, nil
	c.samples = samplePlan{c: c}
	c.written, c.lost = make([]bool, len(b.Pages)), make([]bool, len(b.Pages))
	c.changed, c.absent, c.raws = map[string]bool{}, map[string]bool{}, map[string]rawMeta{}
	if err := t.open(b.User); err != nil {
		return err
	}
	if registered := c.fact.Err() == nil; !registered {
		if b.Predecessor != "" {
			return c.noConnection()
		}
		if c.alive == nil || c.alive.Val() == 0 {
			return errUnclaimed
		}
		t.do("hset", c.sc.part("k"), b.Connection, "")
	}
	if c.made != nil {
		t.do("hdel", c.sc.part("t"), c.made.note)
	}
	if c.lease != nil && !holds(c.lease.Val(), &b.Lease) {
		return store.ErrLeaseLost
	}
	if err := c.planCursors(); err != nil {
		return err
	}
	if err := c.planRecords(); err != nil {
		return err
	}
	if err := c.planAbsent(); err != nil {
		return err
	}
	if err := c.planCopied(); err != nil {
		return err
	}
	if err := c.samples.run(); err != nil {
		return err
	}
	if err := c.planPages(); err != nil {
		return err
	}
	if err := c.planRest(); err != nil {
		return err
	}
	if err := c.planPredecessor(); err != nil {
		return err
	}
	if err := c.writeGroups(); err != nil {
		return err
	}
	if lower := dueTimes(b); len(lower) > 0 {
		// Before the commit they are only brought forward: see due.go.
		return c.s.setDue(t.ctx, lower, true)
	}
	return nil
}

func dueTimes(b *store.Batch) []store.Due {
	return slices.DeleteFunc(slices.Clone(b.Due), func(d store.Due) bool { return d.At.IsZero() })
}

func (c *commit) planCursors() error {
	for i := range c.b.Cursors {
		swap := &c.b.Cursors[i]
		stored := store.Cursor{}
		text, there := c.cursors.Val()[i].(string)
		if there {
			if err := decodeCursor(&stored, text); err != nil {
				return err
			}
		}
		if !sameCursor(&stored, &swap.Old) {
			return store.ErrConflict
		}
		key, field := c.sc.of("c", c.b.Connection), cursorField(swap.New.Stream, swap.New.Lane)
		switch {
		case sameCursor(&stored, &swap.New):
		case swap.New.HighWater == "" && swap.New.Walk == nil:
			c.tx.do("hdel", key, field)
		default:
			c.tx.do("hset", key, field, encodeCursor(&swap.New))
		}
	}
	return nil
}

// planRest writes coverage and removes settled items.
func (c *commit) planRest() error {
	for i, stream := range c.coveredStreams {
		text, _ := c.coverage.Val()[i].(string)
		stored, err := decodeWindows(text)
		if err != nil {
			return err
		}
		var windows []health.Window
		for _, covered := range c.b.Covered {
			if covered.Stream == stream {
				windows = append(windows, covered.Window)
			}
		}
		if merged := store.MergeWindows(stored, windows); !slices.Equal(merged, stored) {
			c.tx.do("hset", c.sc.of("v", c.b.Connection), stream, encodeWindows(merged))
		}
	}
	for i, id := range c.b.Acks {
		text, ok := c.items.Val()[i].(string)
		if !ok {
			continue
		}
		head, err := decodeItem(id, text)
		if err != nil {
			return err
		}
		c.tx.removeItem(&head)
	}
	return nil
}

// packTold returns the block of the feed, nil for none.
func (c *commit) packTold() []byte {
	if len(c.told) == 0 {
		return nil
	}
	h := &c.tx.head
	h.last = max(h.last, c.tx.now) + int64(len(c.told))
	b := block{last: h.last, connection: c.b.Connection, at: c.b.Now, changes: c.told}
	return b.encode(c.s.packer)
}
