package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// The feed is the table change in order of seq, which is the order of commits.
// A row is a run of records with neighbouring numbers that one commit wrote. A
// consumer has acknowledged all rows up to its floor, and of each person what
// its progress says beyond.

// position is what a Position names: a record of a run in a person's feed.
type position struct{ person, seq, record int64 }

func (p position) String() string { return fmt.Sprintf("%d.%d.%d", p.person, p.seq, p.record) }

func parsePosition(text store.Position) (position, error) {
	var p position
	if n, err := fmt.Sscanf(string(text), "%d.%d.%d", &p.person, &p.seq, &p.record); err != nil || n != 3 ||
		p.String() != string(text) || p.person < 1 || p.seq < 1 {
		return position{}, invalid("position")
	}
	return p, nil
}

// floor returns up to where the consumer has acknowledged everything.
func (c *conn) floor(ctx context.Context, consumer string) (int64, error) {
	if consumer == "" {
		return 0, invalid("consumer")
	}
	floor, trimmed := int64(0), false
	found, err := c.one(ctx, func(r row) { floor, trimmed = r.int(0), r.int(1) != 0 },
		"SELECT floor, trimmed FROM consumer WHERE name = ?1", consumer)
	if err == nil && !found {
		trimmed, err = c.one(ctx, func(row) {}, "SELECT 1 FROM person WHERE trimmed > 0 LIMIT 1")
	}
	if err == nil && trimmed {
		err = store.ErrFeedTrimmed
	}
	return floor, err
}

// Changes implements [store.Feed].
func (s *Store) Changes(ctx context.Context, consumer string, n int) ([]store.Change, error) {
	n = limit(n, 1000)
	var list []store.Change
	err := s.read(ctx, func(c *conn) error {
		floor, err := c.floor(ctx, consumer)
		if err != nil {
			return err
		}
		// The recursive part walks the records of each run: those that are
		// there, and those that went with their connection.
		return c.each(ctx, func(r row) error {
			change := store.Change{
				Position: store.Position(position{r.int(0), r.int(1), r.int(2)}.String()),
				User:     r.text(3), Cause: store.Cause(r.text(4)), State: health.State(r.int(5)), At: r.time(6),
				Connection: r.text(7), Kind: health.Kind(r.text(8)), Key: r.text(9),
			}
			if !r.null(10) {
				change.Day = dayOf(r.int(10))
			}
			list = append(list, change)
			return nil
		}, `SELECT * FROM (
			SELECT c.person, c.seq, r.id AS record, p.name, c.cause, c.state, c.at, l.name, s.kind, s.name || '/' || r.rid, r.day
			FROM change AS c LEFT JOIN progress AS g ON g.consumer = ?1 AND g.person = c.person
			CROSS JOIN record AS r ON r.id BETWEEN c.first AND c.last
			CROSS JOIN stream AS s ON s.id = r.stream CROSS JOIN link AS l ON l.id = s.link CROSS JOIN person AS p ON p.id = c.person
			WHERE c.seq > ?2 AND (g.seq IS NULL OR c.seq > g.seq OR c.seq = g.seq AND r.id > g.record)
			UNION ALL
			SELECT c.person, c.seq, r.record, p.name, c.cause, c.state, c.at, r.link, r.kind, r.key, r.day
			FROM change AS c LEFT JOIN progress AS g ON g.consumer = ?1 AND g.person = c.person
			CROSS JOIN ghost AS r ON r.record BETWEEN c.first AND c.last CROSS JOIN person AS p ON p.id = c.person
			WHERE c.seq > ?2 AND (g.seq IS NULL OR c.seq > g.seq OR c.seq = g.seq AND r.record > g.record)
			ORDER BY 2, 3) LIMIT ?3`, consumer, floor, n)
	})
	return list, err
}

// Ack implements [store.Feed].
func (s *Store) Ack(ctx context.Context, consumer string, positions ...store.Position) error {
	if consumer == "" {
		return invalid("consumer")
	}
	furthest := map[int64]position{}
	for _, text := range positions {
		p, err := parsePosition(text)
		if err != nil {
			return err
		}
		if old := furthest[p.person]; p.seq > old.seq || p.seq == old.seq && p.record > old.record {
			furthest[p.person] = p
		}
	}
	if len(furthest) == 0 {
		return s.read(ctx, func(*conn) error { return nil })
	}
	return s.write(ctx, func(t *tx) error {
		end := int64(0)
		if _, err := t.one(background, func(r row) { end = r.int(0) }, "SELECT coalesce(max(seq), 0) FROM change"); err != nil {
			return err
		}
		if _, err := t.exec(background, `INSERT INTO consumer(name, floor, trimmed)
			SELECT ?1, 0, EXISTS (SELECT 1 FROM person WHERE trimmed > 0) WHERE true ON CONFLICT(name) DO NOTHING`, consumer); err != nil {
			return err
		}
		for _, p := range furthest {
			if p.seq > end {
				return invalid("position")
			}
			if _, err := t.exec(background, `INSERT INTO progress(consumer, person, seq, record)
				SELECT ?1, id, ?3, ?4 FROM person WHERE id = ?2
				ON CONFLICT(consumer, person) DO UPDATE SET seq = excluded.seq, record = excluded.record
				WHERE excluded.seq > seq OR excluded.seq = seq AND excluded.record > record`,
				consumer, p.person, p.seq, p.record); err != nil {
				return err
			}
		}
		return t.raiseFloor(consumer, end)
	})
}

// raiseFloor moves the floor in front of the first change that is not
// acknowledged.
func (t *tx) raiseFloor(consumer string, end int64) error {
	first := end + 1
	if _, err := t.one(background, func(r row) { first = r.int(0) }, `SELECT c.seq FROM change AS c
		LEFT JOIN progress AS g ON g.consumer = ?1 AND g.person = c.person
		WHERE c.seq > (SELECT floor FROM consumer WHERE name = ?1) AND c.first <= c.last
			AND (g.seq IS NULL OR c.seq > g.seq OR c.seq = g.seq AND c.last > g.record)
		ORDER BY c.seq LIMIT 1`, consumer); err != nil {
		return err
	}
	if _, err := t.exec(background, "UPDATE consumer SET floor = ?2 WHERE name = ?1", consumer, first-1); err != nil {
		return err
	}
	_, err := t.exec(background, "DELETE FROM progress WHERE consumer = ?1 AND seq < ?2", consumer, first)
	return err
}

// ResetConsumer implements [store.Feed].
func (s *Store) ResetConsumer(ctx context.Context, consumer string) error {
	if consumer == "" {
		return invalid("consumer")
	}
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(background, `INSERT INTO consumer(name, floor, trimmed)
			SELECT ?1, coalesce(max(seq), 0), 0 FROM change WHERE true
			ON CONFLICT(name) DO UPDATE SET floor = excluded.floor, trimmed = 0`, consumer); err != nil {
			return err
		}
		_, err := t.exec(background, "DELETE FROM progress WHERE consumer = ?1", consumer)
		return err
	})
}

// TrimChanges implements [store.Feed].
func (s *Store) TrimChanges(ctx context.Context, before time.Time) (int, error) {
	dropped := 0
	err := s.write(ctx, func(t *tx) error {
		at := millis(before)
		if at == nil {
			return nil
		}
		if _, err := t.one(background, func(r row) { dropped = int(r.int(0)) },
			"SELECT coalesce(sum(last - first + 1), 0) FROM change WHERE at < ?1", at); err != nil || dropped == 0 {
			return err
		}
		for _, query := range []string{
			`UPDATE consumer SET trimmed = 1 WHERE EXISTS (
				SELECT 1 FROM change AS c LEFT JOIN progress AS g ON g.consumer = consumer.name AND g.person = c.person
				WHERE c.at < ?1 AND c.seq > consumer.floor
					AND (g.seq IS NULL OR c.seq > g.seq OR c.seq = g.seq AND c.last > g.record))`,
			`UPDATE person SET trimmed = max(trimmed, (SELECT max(seq) FROM change WHERE person = person.id AND at < ?1))
				WHERE id IN (SELECT person FROM change WHERE at < ?1)`,
		} {
			if _, err := t.exec(background, query, at); err != nil {
				return err
			}
		}
		if err := t.dropChanges("at < ?1", at); err != nil {
			return err
		}
		_, err := t.exec(background, forgetGhosts)
		return err
	})
	return dropped, err
}

// These remove the ghosts that no change names any more, and those that changes
// of a person name. They look at each change once, and for its ghosts where they
// are: the other way round they would look at all changes for each ghost.
const (
	forgetGhosts = `DELETE FROM ghost WHERE record NOT IN (
		SELECT g.record FROM change AS c CROSS JOIN ghost AS g ON g.record BETWEEN c.first AND c.last)`
	forgetGhostsOf = `DELETE FROM ghost WHERE record IN (
		SELECT g.record FROM change AS c CROSS JOIN ghost AS g ON g.record BETWEEN c.first AND c.last WHERE c.person = ?1)`
)

// dropChanges removes the rows of the feed that are such, and those that were
// emptied before. The last row of all is emptied instead, so that its number is
// not used again.
func (t *tx) dropChanges(such string, arg any) error {
	last := int64(0)
	if _, err := t.one(background, func(r row) { last = r.int(0) }, "SELECT coalesce(max(seq), 0) FROM change"); err != nil {
		return err
	}
	if _, err := t.exec(background, "DELETE FROM change WHERE ("+such+" OR first > last) AND seq < ?2", arg, last); err != nil {
		return err
	}
	_, err := t.exec(background, `UPDATE change SET person = 0, link = 0, at = NULL, cause = '', state = 0, first = 1, last = 0
		WHERE seq = ?2 AND `+such, arg, last)
	return err
}
