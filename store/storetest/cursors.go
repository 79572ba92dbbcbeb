package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func cursorCases() []testCase {
	return []testCase{
		{id: "cursor-round-trip", rule: "a cursor with its walk is read as it was written, per stream and lane", check: checkCursorRoundTrip},
		{id: "cursor-swap", rule: "a cursor moves only from what is stored, else ErrConflict and nothing is written", check: checkCursorSwap},
		{id: "cursor-race", rule: "of many that move a cursor from the same place exactly one does", check: checkCursorRace},
	}
}

func cursorAt(stream string, lane store.Lane, mark string, walk *store.Walk) store.Cursor {
	return store.Cursor{Connection: conn, Stream: stream, Lane: lane, HighWater: mark, Walk: walk}
}

func (c *checker) move(from, to store.Cursor) {
	b := batchOf()
	b.Cursors = []store.CursorSwap{{Old: from, New: to}}
	c.commit(b)
}

// sameCursor wants got to be want; times may be in another location.
func (c *checker) sameCursor(what string, got, want store.Cursor) {
	if got.Walk != nil && want.Walk != nil {
		c.that(got.Walk.StartedAt.Equal(want.Walk.StartedAt), "%s: got start %s, want %s", what, got.Walk.StartedAt, want.Walk.StartedAt)
		walk := *got.Walk
		walk.StartedAt = want.Walk.StartedAt
		got.Walk = &walk
	}
	c.equal(what, got, want)
}

func (c *checker) cursor(stream string, lane store.Lane) store.Cursor {
	got, err := c.s.Cursor(c.ctx, conn, stream, lane)
	c.ok(err, "Cursor")
	return got
}

func checkCursorRoundTrip(c *checker) {
	zero := cursorAt(stream, store.LaneLive, "", nil)
	c.sameCursor("a cursor that never moved", c.cursor(stream, store.LaneLive), zero)
	long := strings.Repeat("\u4f53", 1365) // just under 4 KiB
	positions := []store.Cursor{
		cursorAt(stream, store.LaneLive, "2026-11-01", nil),
		cursorAt(stream, store.LaneLive, "2026-11-01", &store.Walk{}),
		cursorAt(stream, store.LaneLive, "", &store.Walk{Query: "a=1&b=\u00e9", PageToken: "\x00\xff", Candidate: "c", StartedAt: present, Pages: 3}),
		cursorAt(stream, store.LaneLive, long, &store.Walk{Query: long, PageToken: long, Candidate: long, StartedAt: present.Add(time.Millisecond), Pages: 1 << 30}),
		cursorAt(stream, store.LaneLive, "end", nil),
	}
	at := zero
	for i, next := range positions {
		c.move(at, next)
		at = c.cursor(stream, store.LaneLive)
		c.sameCursor(fmt.Sprintf("position %d", i), at, next)
	}
	c.move(at, zero)
	c.sameCursor("back at the zero position", c.cursor(stream, store.LaneLive), zero)
	c.move(zero, at)
	backfill := cursorAt(stream, store.LaneBackfill, "b", nil)
	other := cursorAt("a-stream", store.LaneLive, "o", nil)
	c.move(cursorAt(stream, store.LaneBackfill, "", nil), backfill)
	c.move(cursorAt("a-stream", store.LaneLive, "", nil), other)
	c.sameCursor("the live lane", c.cursor(stream, store.LaneLive), at)
	all, err := c.s.Cursors(c.ctx, conn)
	c.ok(err, "Cursors")
	got := map[string]string{}
	for _, cursor := range all {
		c.equal("connection of a cursor", cursor.Connection, conn)
		got[cursor.Stream+" "+string(cursor.Lane)] = cursor.HighWater
	}
	c.equal("all cursors", got, map[string]string{"stream live": "end", "stream backfill": "b", "a-stream live": "o"})
	all, err = c.s.Cursors(c.ctx, "conn-2")
	c.ok(err, "Cursors")
	c.equal("cursors of another connection", len(all), 0)
}

func checkCursorSwap(c *checker) {
	zero := cursorAt(stream, store.LaneLive, "", nil)
	walk := &store.Walk{Query: "q", PageToken: "t", Candidate: "c", StartedAt: present, Pages: 2}
	stands := cursorAt(stream, store.LaneLive, "5", walk)
	with := func(change func(*store.Walk)) *store.Walk {
		w := *walk
		change(&w)
		return &w
	}
	wrong := map[string]store.Cursor{
		"never moved":         zero,
		"another high water":  cursorAt(stream, store.LaneLive, "4", walk),
		"no walk":             cursorAt(stream, store.LaneLive, "5", nil),
		"another query":       cursorAt(stream, store.LaneLive, "5", with(func(w *store.Walk) { w.Query = "x" })),
		"another token":       cursorAt(stream, store.LaneLive, "5", with(func(w *store.Walk) { w.PageToken = "" })),
		"another candidate":   cursorAt(stream, store.LaneLive, "5", with(func(w *store.Walk) { w.Candidate = "x" })),
		"another start":       cursorAt(stream, store.LaneLive, "5", with(func(w *store.Walk) { w.StartedAt = present.Add(time.Second) })),
		"another page number": cursorAt(stream, store.LaneLive, "5", with(func(w *store.Walk) { w.Pages = 1 })),
	}
	b := fullBatch()
	b.Cursors = []store.CursorSwap{{Old: stands, New: cursorAt(stream, store.LaneLive, "6", nil)}}
	_, err := c.s.Commit(c.ctx, b)
	c.is(err, store.ErrConflict, "a cursor that never moved, expected elsewhere")
	c.nothing("a conflict")

	c.move(zero, stands)
	for what, old := range wrong {
		b := fullBatch()
		b.Cursors = []store.CursorSwap{
			{Old: cursorAt("other", store.LaneLive, "", nil), New: cursorAt("other", store.LaneLive, "1", nil)},
			{Old: old, New: cursorAt(stream, store.LaneLive, "6", nil)},
		}
		_, err := c.s.Commit(c.ctx, b)
		c.is(err, store.ErrConflict, "%s", what)
		c.sameCursor(what, c.cursor(stream, store.LaneLive), stands)
		c.sameCursor(what+": the other cursor", c.cursor("other", store.LaneLive), cursorAt("other", store.LaneLive, "", nil))
		c.equal(what+": records", len(c.everything()), 0)
		c.equal(what+": changes", len(c.changes("watcher")), 0)
	}
	old := stands
	old.Walk = with(func(w *store.Walk) { w.StartedAt = present.In(time.FixedZone("", 3600)) })
	c.move(old, cursorAt(stream, store.LaneLive, "6", nil))
	c.sameCursor("after the right expectation", c.cursor(stream, store.LaneLive), cursorAt(stream, store.LaneLive, "6", nil))
}

func checkCursorRace(c *checker) {
	zero := cursorAt(stream, store.LaneLive, "", nil)
	const writers = 20
	won := make([]bool, writers)
	errs := together(writers, func(i int) error {
		b := batchOf(pageOf(bodyRecord(fmt.Sprintf("%02d", i), i, 1, 1)))
		b.Cursors = []store.CursorSwap{{Old: zero, New: cursorAt(stream, store.LaneLive, fmt.Sprint(i), nil)}}
		_, err := c.s.Commit(c.ctx, b)
		won[i] = err == nil
		return err
	})
	winner := c.oneWinner("Commit", errs)
	c.equal("the cursor", c.cursor(stream, store.LaneLive).HighWater, fmt.Sprint(winner))
	c.same("the records", c.everything(), stored(bodyRecord(fmt.Sprintf("%02d", winner), winner, 1, 1)))
}

// oneWinner wants exactly one nil among errs and ErrConflict elsewhere, and
// returns where the nil is.
func (c *checker) oneWinner(what string, errs []error) int {
	winner := -1
	for i, err := range errs {
		switch {
		case err != nil:
			c.is(err, store.ErrConflict, "%s by writer %d", what, i)
		case winner >= 0:
			c.fail("%s succeeded for writer %d and for writer %d", what, winner, i)
		default:
			winner = i
		}
	}
	c.that(winner >= 0, "%s succeeded for no writer", what)
	return winner
}

// window is one civil day.
func window(day health.Day) health.Window { return health.Window{First: day, Last: day} }
