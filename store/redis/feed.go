package redis

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// The feed of a user is a sorted set of blocks: what one commit told, packed,
// under the number of its last change. Numbers rise and are not below the
// server's clock in microseconds: after a failover that lost changes the
// numbers of these do not come again.
//
// The endpoint scope lists the scopes by when they last told something, counted
// by a counter. A commit puts its scope there once it is applied. Of each
// consumer there is a floor, up to which all that was told is acknowledged. A
// process that dies between a commit and its entry is made up for: each call
// that finds nothing by the list looks at some scopes whatever it says, in turn.
// Until then the next commit of the user makes the entry.

// told is one change in a block.
type told struct {
	kind    health.Kind
	key     string
	day     health.Day
	cause   store.Cause
	deleted bool
}

// block is what one commit told.
type block struct {
	last       int64 // the number of the last change
	connection string
	at         time.Time
	changes    []told
}

// encode packs b. Keys have the same beginnings, so each only says where it
// differs from the one before.
func (b *block) encode(p *packer) []byte {
	e := &encoder{}
	e.int(b.last)
	e.text(b.connection)
	e.time(b.at)
	e.uint(uint64(len(b.changes)))
	var before told
	for i := range b.changes {
		c := &b.changes[i]
		same := c.kind == before.kind && c.cause == before.cause && c.deleted == before.deleted
		e.bool(same)
		if !same {
			e.text(string(c.kind))
			e.text(string(c.cause))
			e.bool(c.deleted)
		}
		n := commonPrefix(before.key, c.key)
		e.uint(uint64(n))
		e.text(c.key[n:])
		e.int(dayNumber(c.day) - dayNumber(before.day))
		before = *c
	}
	return append([]byte{encodingVersion}, p.quick(e.b)...)
}

func decodeBlock(p *packer, value string) (block, error) {
	if value == "" || value[0] != encodingVersion {
		return block{}, ErrDamaged
	}
	raw, err := p.open(value[1:])
	if err != nil {
		return block{}, err
	}
	d := &decoder{b: string(raw)}
	b := block{last: d.int(), connection: d.text(), at: d.time()}
	n := d.count()
	b.changes = make([]told, 0, n)
	var c told
	day := int64(0)
	for range n {
		if !d.bool() {
			c.kind, c.cause, c.deleted = health.Kind(d.text()), store.Cause(d.text()), d.bool()
		}
		k := d.uint()
		tail := d.text()
		if k > uint64(len(c.key)) || k > health.MaxKey || len(tail) > health.MaxKey {
			d.fail()
			break
		}
		c.key = c.key[:k] + tail
		day += d.int()
		c.day = dayOf(day)
		b.changes = append(b.changes, c)
	}
	return b, d.end()
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// dayNumber returns what is stored of a day: 0 is none.
func dayNumber(d health.Day) int64 {
	if d.IsZero() {
		return 0
	}
	return int64(d.Number()) + dayBias
}

// dayBias makes the numbers of all days positive.
const dayBias = 1_000_000

func dayOf(n int64) health.Day {
	if n <= 0 || n > 5_000_000 {
		return health.Day{}
	}
	return health.Day{Year: 1970, Month: 1, Dom: 1}.Add(int(n - dayBias))
}

// change returns the ith change of a block as it is told.
func (b *block) change(i int, user string) store.Change {
	c := &b.changes[i]
	state := health.StateLive
	if c.deleted {
		state = health.StateDeleted
	}
	return store.Change{
		Position: formatPosition(user, b.number(i)), User: user, Connection: b.connection, Kind: c.kind, Key: c.key, Day: c.day,
		Cause: c.cause, State: state, At: b.at,
	}
}

func (b *block) number(i int) int64 { return b.last - int64(len(b.changes)-1-i) }

func formatPosition(user string, number int64) store.Position {
	return store.Position(base64.RawURLEncoding.EncodeToString([]byte(user)) + "." + strconv.FormatInt(number, 10))
}

func parsePosition(p store.Position) (user string, number int64, err error) {
	name, digits, ok := strings.Cut(string(p), ".")
	text, err := base64.RawURLEncoding.DecodeString(name)
	if !ok || err != nil || len(text) == 0 {
		return "", 0, invalid("position")
	}
	if number, err = strconv.ParseInt(digits, 10, 64); err != nil || number < 1 {
		return "", 0, invalid("position")
	}
	return string(text), number, nil
}

// tell puts a scope into the list of those that told something.
func (s *Store) tell(ctx context.Context, sc scope) error {
	_, err := s.run(ctx, s.scripts.tell, []string{s.feedKey("count"), s.feedKey("scopes")}, sc.tag(s))
	return err
}

// progress is where a consumer stands in a user's feed.
type progress struct {
	user        string
	last, acked int64
}

func (p *progress) behind() bool { return p.acked < p.last }

// progressOf reads where the consumer stands in the feeds of scopes.
func (s *Store) progressOf(ctx context.Context, consumer string, scopes []scope) ([]progress, error) {
	heads := make([]*goredis.SliceCmd, len(scopes))
	acks := make([]*goredis.StringCmd, len(scopes))
	if err := s.retry(ctx, func() error {
		return queue(ctx, s.client.Pipeline(), func(p goredis.Pipeliner) {
			for i, sc := range scopes {
				// First what is acknowledged: what is told in between then
				// comes again rather than being skipped.
				acks[i] = p.HGet(ctx, sc.part("a"), consumer)
				heads[i] = p.HMGet(ctx, sc.key(), headFields()...)
			}
		})
	}); err != nil {
		return nil, err
	}
	list := make([]progress, len(scopes))
	for i := range scopes {
		var h head
		if err := h.read(heads[i].Val()); err != nil {
			return nil, err
		}
		acked, err := acks[i].Int64()
		if err != nil && acks[i].Err() == nil {
			return nil, fmt.Errorf("%w: progress", ErrDamaged)
		}
		list[i] = progress{user: h.user, last: h.last, acked: acked}
	}
	return list, nil
}

// sweepSize is how many scopes are looked at whatever the list says, feedBatch
// how many of the list at once.
const (
	sweepSize = 64
	feedBatch = 256
)

// Changes implements [store.Feed].
func (s *Store) Changes(ctx context.Context, consumer string, limit int) ([]store.Change, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if consumer == "" {
		return nil, invalid("consumer")
	}
	limit = pageLimit(limit, 1000)
	text, _, err := s.field(ctx, s.feedKey("floors"), consumer)
	if err != nil {
		return nil, err
	}
	floor, from := text, "("+text
	if floor == "" {
		from = "-inf"
	}
	var list []store.Change
	clean := true // everything so far was acknowledged
	raised := ""
	for first := from; len(list) < limit; {
		var batch []goredis.Z
		if err := s.on(ctx, s.feedKey("scopes"), func(c *goredis.Client) (err error) {
			batch, err = c.ZRangeByScoreWithScores(ctx, s.feedKey("scopes"), &goredis.ZRangeBy{Min: first, Max: "+inf", Count: feedBatch}).Result()
			return err
		}); err != nil {
			return nil, err
		}
		var scopes []scope
		for _, z := range batch {
			tag, _ := z.Member.(string)
			scopes = append(scopes, s.scopeOfTag(tag))
		}
		where, err := s.progressOf(ctx, consumer, scopes)
		if err != nil {
			return nil, err
		}
		for i := range where {
			if !where[i].behind() {
				if clean {
					raised = strconv.FormatFloat(batch[i].Score, 'f', 0, 64)
				}
				continue
			}
			clean = false
			if list, err = s.collect(ctx, scopes[i], &where[i], list, limit); err != nil {
				return nil, err
			}
			if len(list) == limit {
				break
			}
		}
		if len(batch) < feedBatch {
			break
		}
		first = "(" + strconv.FormatFloat(batch[len(batch)-1].Score, 'f', 0, 64)
	}
	if raised != "" {
		if _, err := s.run(ctx, s.scripts.raiseFloor, []string{s.feedKey("floors")}, consumer, raised); err != nil {
			return nil, err
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	return s.sweep(ctx, consumer, limit)
}

// collect adds changes that the consumer did not acknowledge.
func (s *Store) collect(ctx context.Context, sc scope, at *progress, list []store.Change, limit int) ([]store.Change, error) {
	for acked := at.acked; len(list) < limit; {
		// At one moment: what is dropped between the two would be skipped.
		var dropped *goredis.StringCmd
		var values *goredis.StringSliceCmd
		if err := s.view(ctx, sc.key(), func(p goredis.Pipeliner) {
			dropped = p.HGet(ctx, sc.key(), "trimmed")
			values = p.ZRangeArgs(ctx, goredis.ZRangeArgs{
				Key: sc.part("f"), ByScore: true, Start: "(" + strconv.FormatInt(acked, 10), Stop: "+inf", Count: int64(min(64, limit-len(list))),
			})
		}); err != nil {
			return nil, err
		}
		if trimmed, err := dropped.Int64(); err == nil && acked < trimmed {
			return nil, store.ErrFeedTrimmed
		}
		if len(values.Val()) == 0 {
			return list, nil
		}
		for _, value := range values.Val() {
			b, err := decodeBlock(s.packer, value)
			if err != nil {
				return nil, err
			}
			for i := range b.changes {
				if b.number(i) > acked && len(list) < limit {
					list = append(list, b.change(i, at.user))
				}
			}
			acked = b.last
		}
	}
	return list, nil
}

// sweep looks at the next scopes in turn.
func (s *Store) sweep(ctx context.Context, consumer string, limit int) ([]store.Change, error) {
	after, _, err := s.field(ctx, s.feedKey("sweeps"), consumer)
	if err != nil {
		return nil, err
	}
	scopes, next, err := s.nextScopes(ctx, after, sweepSize)
	if err != nil || len(scopes) == 0 && after == "" {
		return nil, err
	}
	where, err := s.progressOf(ctx, consumer, scopes)
	if err != nil {
		return nil, err
	}
	var list []store.Change
	for i := range where {
		if where[i].behind() && len(list) < limit {
			if list, err = s.collect(ctx, scopes[i], &where[i], list, limit); err != nil {
				return nil, err
			}
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	key := s.feedKey("sweeps")
	return nil, s.on(ctx, key, func(c *goredis.Client) error { return c.HSet(ctx, key, consumer, next).Err() })
}

// nextScopes returns the next users' scopes in the order of their tags, and
// where to go on: "" at the end.
func (s *Store) nextScopes(ctx context.Context, after string, n int) (scopes []scope, next string, err error) {
	tags, err := s.following(ctx, s.indexKey("scopes"), after, n)
	if err != nil {
		return nil, "", err
	}
	for _, tag := range tags {
		scopes = append(scopes, s.scopeOfTag(tag))
	}
	if len(tags) == n {
		next = tags[n-1]
	}
	return scopes, next, nil
}

// eachScope calls visit with all users' scopes, some at a time.
func (s *Store) eachScope(ctx context.Context, visit func(scopes []scope) error) error {
	for after := ""; ; {
		scopes, next, err := s.nextScopes(ctx, after, feedBatch)
		if err != nil {
			return err
		}
		if len(scopes) > 0 {
			if err := visit(scopes); err != nil {
				return err
			}
		}
		if after = next; next == "" {
			return nil
		}
	}
}

// Ack implements [store.Feed].
func (s *Store) Ack(ctx context.Context, consumer string, positions ...store.Position) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if consumer == "" {
		return invalid("consumer")
	}
	acked := map[string]int64{}
	for _, p := range positions {
		user, number, err := parsePosition(p)
		if err != nil {
			return err
		}
		acked[user] = max(acked[user], number)
	}
	for user, number := range acked {
		if err := s.ack(ctx, consumer, s.user(user), number); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) ack(ctx context.Context, consumer string, sc scope, number int64) error {
	var got *goredis.StringCmd
	return s.update(ctx, sc, nil, func(p goredis.Pipeliner) {
		got = p.HGet(ctx, sc.part("a"), consumer)
	}, func(t *tx) error {
		if t.head.last == 0 && t.head.user == "" || t.head.erased {
			return nil
		}
		// A failover may have taken back the change: no number above the
		// clock was ever given out.
		if number > max(t.head.last, t.now) {
			return invalid("position")
		}
		old, err := got.Int64()
		if err != nil && got.Err() == nil {
			return ErrDamaged
		}
		if number > old {
			t.do("hset", sc.part("a"), consumer, number)
		}
		return nil
	})
}

// ResetConsumer implements [store.Feed].
func (s *Store) ResetConsumer(ctx context.Context, consumer string) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if consumer == "" {
		return invalid("consumer")
	}
	return s.eachScope(ctx, func(scopes []scope) error {
		where, err := s.progressOf(ctx, consumer, scopes)
		if err != nil {
			return err
		}
		for i := range where {
			if where[i].behind() {
				if err := s.ack(ctx, consumer, scopes[i], where[i].last); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// TrimChanges implements [store.Feed].
func (s *Store) TrimChanges(ctx context.Context, before time.Time) (int, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	dropped := 0
	err = s.eachScope(ctx, func(scopes []scope) error {
		first := make([]*goredis.StringSliceCmd, len(scopes))
		if err := s.retry(ctx, func() error {
			return queue(ctx, s.client.Pipeline(), func(p goredis.Pipeliner) {
				for i, sc := range scopes {
					first[i] = p.ZRange(ctx, sc.part("f"), 0, 0)
				}
			})
		}); err != nil {
			return err
		}
		for i, sc := range scopes {
			if len(first[i].Val()) == 0 {
				continue
			}
			b, err := decodeBlock(s.packer, first[i].Val()[0])
			if err != nil {
				return err
			}
			if !b.at.Before(before) {
				continue
			}
			n, err := s.trim(ctx, sc, before)
			if err != nil {
				return err
			}
			dropped += n
		}
		return nil
	})
	return dropped, err
}

// trim drops the oldest changes of one feed.
func (s *Store) trim(ctx context.Context, sc scope, before time.Time) (int, error) {
	dropped := 0
	err := s.update(ctx, sc, nil, nil, func(t *tx) error {
		dropped = 0
		last := int64(0)
		for from := int64(0); ; from += 64 {
			var values *goredis.StringSliceCmd
			if err := t.read(func(p goredis.Pipeliner) { values = p.ZRange(ctx, sc.part("f"), from, from+63) }); err != nil {
				return err
			}
			for _, value := range values.Val() {
				b, err := decodeBlock(s.packer, value)
				if err != nil {
					return err
				}
				if !b.at.Before(before) {
					values.SetVal(nil)
					break
				}
				last = b.last
				dropped += len(b.changes)
			}
			if len(values.Val()) < 64 {
				break
			}
		}
		if last > 0 {
			t.head.trimmed = last
			t.do("zremrangebyscore", sc.part("f"), "-inf", last)
		}
		return nil
	})
	return dropped, err
}
