package store

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// feed is the change feed of one user. Sequences start at 1 and have no gaps.
type feed struct {
	last    int64 // sequence of the newest change ever
	trimmed int64 // sequence of the newest change that was dropped
	changes []Change
}

func (f *feed) append(c Change) {
	f.last++
	c.Position = formatPosition(c.User, f.last)
	f.changes = append(f.changes, c)
}

// after returns the changes that are newer than the sequence; false when some
// of them were dropped.
func (f *feed) after(seq int64) ([]Change, bool) {
	if seq < f.trimmed {
		return nil, false
	}
	return f.changes[seq-f.trimmed:], true
}

func formatPosition(user string, seq int64) Position {
	return Position(base64.RawURLEncoding.EncodeToString([]byte(user)) + "." + strconv.FormatInt(seq, 10))
}

func parsePosition(p Position) (user string, seq int64, err error) {
	name, number, ok := strings.Cut(string(p), ".")
	text, err := base64.RawURLEncoding.DecodeString(name)
	if !ok || err != nil {
		return "", 0, invalid("position")
	}
	if seq, err = strconv.ParseInt(number, 10, 64); err != nil || seq < 1 {
		return "", 0, invalid("position")
	}
	return string(text), seq, nil
}

// Changes implements [Feed].
func (m *Memory) Changes(ctx context.Context, consumer string, limit int) ([]Change, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	if consumer == "" {
		return nil, invalid("consumer")
	}
	limit = pageLimit(limit, 1000)
	var list []Change
	for _, user := range slices.Sorted(maps.Keys(d.feeds)) {
		changes, ok := d.feeds[user].after(d.consumers[consumer][user])
		if !ok {
			return nil, ErrFeedTrimmed
		}
		list = append(list, changes[:min(len(changes), limit-len(list))]...)
	}
	return list, nil
}

// Ack implements [Feed].
func (m *Memory) Ack(ctx context.Context, consumer string, positions ...Position) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if consumer == "" {
		return invalid("consumer")
	}
	acked := map[string]int64{}
	for _, p := range positions {
		user, seq, err := parsePosition(p)
		if err != nil {
			return err
		}
		f, ok := d.feeds[user]
		if !ok {
			continue // erased meanwhile
		}
		if seq > f.last {
			return invalid("position")
		}
		acked[user] = max(acked[user], seq)
	}
	for user, seq := range acked {
		if d.consumers[consumer] == nil {
			d.consumers[consumer] = map[string]int64{}
		}
		d.consumers[consumer][user] = max(d.consumers[consumer][user], seq)
	}
	return nil
}

// ResetConsumer implements [Feed].
func (m *Memory) ResetConsumer(ctx context.Context, consumer string) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if consumer == "" {
		return invalid("consumer")
	}
	ends := make(map[string]int64, len(d.feeds))
	for user, f := range d.feeds {
		ends[user] = f.last
	}
	d.consumers[consumer] = ends
	return nil
}

// TrimChanges implements [Feed].
func (m *Memory) TrimChanges(ctx context.Context, before time.Time) (int, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer d.mu.Unlock()
	dropped := 0
	for _, f := range d.feeds {
		n := 0
		for n < len(f.changes) && f.changes[n].At.Before(before) {
			n++
		}
		f.changes = slices.Clone(f.changes[n:])
		f.trimmed += int64(n)
		dropped += n
	}
	return dropped, nil
}

func (d *memoryData) feed(user string) *feed {
	f, ok := d.feeds[user]
	if !ok {
		f = &feed{}
		d.feeds[user] = f
	}
	return f
}
