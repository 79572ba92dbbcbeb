package sync

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// position is what the engine keeps as a cursor's HighWater.
type position struct {
	Version int `json:"v"`
	// Mark is the provider's own mark for its changes.
	Mark string `json:"mark,omitempty"`
	// First is the mark of the first of several windows that are read before
	// there is a Mark; it becomes the Mark with the last of them.
	First string `json:"first,omitempty"`
	// Through is the time up to which the lane has seen everything, by the
	// provider's clock.
	Through time.Time `json:"through,omitzero"`
	// Checked is when the lane last completed, by ours.
	Checked time.Time `json:"checked,omitzero"`
	// News names the hints that the last run of the lane for the sake of
	// hints answered to, and NewsAt is when it ended.
	News   string    `json:"news,omitempty"`
	NewsAt time.Time `json:"news_at,omitzero"`
	// Plan is what a backfill has to do.
	Plan *plan `json:"plan,omitempty"`
	// AgainFrom and AgainTo bound what has to be read again when the plan is
	// done, because versions contradicted each other.
	AgainFrom time.Time `json:"again_from,omitzero"`
	AgainTo   time.Time `json:"again_to,omitzero"`
	// Reach is how long windows may be since a walk grew older than its page
	// tokens live, in whole days; 0 is as long as the stream allows.
	Reach time.Duration `json:"reach,omitempty"`
	// Unplaced is set while records that the lane has read wait for the
	// person's zone.
	Unplaced *period `json:"unplaced,omitempty"`
	// Zone is the zone that the lane last read days in, and Stays are those it
	// read days in before. See zones.
	Zone  string `json:"zone,omitempty"`
	Stays []stay `json:"stays,omitempty"`
	// Empty is what complete reads of the lane showed no record of.
	Empty []emptyRead `json:"empty,omitempty"`
}

// plan is the work of a backfill, newest window first.
type plan struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Next is the upper end of what is still to be read.
	Next time.Time `json:"next"`
	// Started is when the plan was made.
	Started time.Time `json:"started"`
}

// disagree remembers that a period has to be read again.
func (p *position) disagree(from, to time.Time) {
	if p.AgainTo.IsZero() {
		p.AgainFrom, p.AgainTo = from.UTC(), to.UTC()
		return
	}
	p.AgainFrom, p.AgainTo = minTime(p.AgainFrom, from.UTC()), maxTime(p.AgainTo, to.UTC())
}

func (p *plan) done() bool { return !p.Next.After(p.Since) }

// walkQuery is what the engine keeps as a walk's Query.
type walkQuery struct {
	Version int        `json:"v"`
	From    time.Time  `json:"from,omitzero"`
	To      time.Time  `json:"to,omitzero"`
	First   health.Day `json:"first,omitzero"`
	Last    health.Day `json:"last,omitzero"`
	// Zone is the zone the walk was planned in.
	Zone string `json:"zone,omitempty"`
	// Begins is when the first day begins, where that is not when it begins in
	// Zone.
	Begins time.Time `json:"begins,omitzero"`
	// Mark is set for walks over changes.
	Mark string `json:"mark,omitempty"`
	// Date is the server's Date of the first page, in Unix milliseconds.
	Date int64 `json:"date,omitempty"`
	// Read is when the last page was committed, in Unix milliseconds.
	Read int64 `json:"read,omitempty"`
	// News names what the run of the lane answers to.
	News string `json:"news,omitempty"`
	// Index numbers the windows of one run of the lane.
	Index int `json:"index,omitempty"`
	// Pending is set while the walk waits for deliveries.
	Pending *pendingRequest `json:"pending,omitempty"`
}

const (
	positionVersion  = 1
	walkQueryVersion = 1
	// maxCursorText bounds what is decoded: the store's limit for a cursor.
	maxCursorText = 4 << 10
)

// errCursor is wrapped by errors about a cursor that cannot be read.
var errCursor = errors.New("sync: unreadable cursor")

func (p position) encode() string { return encodeCursor(p) }

func (q walkQuery) encode() string { return encodeCursor(q) }

func encodeCursor(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		// Years outside 0..9999 are the only values json refuses here, and
		// planning never makes one.
		panic(fmt.Sprintf("sync: encode cursor: %v", err))
	}
	return string(text)
}

func decodePosition(text string) (position, error) {
	p := position{Version: positionVersion}
	if text == "" {
		return p, nil
	}
	if err := decodeCursor(text, &p); err != nil {
		return position{}, err
	}
	if p.Version != positionVersion {
		return position{}, fmt.Errorf("%w: version %d", errCursor, p.Version)
	}
	if plan := p.Plan; plan != nil && (plan.Until.Before(plan.Since) || plan.Next.After(plan.Until)) {
		return position{}, fmt.Errorf("%w: plan runs backwards", errCursor)
	}
	if p.Reach < 0 || p.Reach%day != 0 {
		return position{}, fmt.Errorf("%w: reach", errCursor)
	}
	return p, nil
}

func decodeWalkQuery(text string) (walkQuery, error) {
	var q walkQuery
	if err := decodeCursor(text, &q); err != nil {
		return walkQuery{}, err
	}
	if q.Version != walkQueryVersion {
		return walkQuery{}, fmt.Errorf("%w: version %d", errCursor, q.Version)
	}
	instants, days := !q.From.IsZero() || !q.To.IsZero(), !q.First.IsZero() || !q.Last.IsZero()
	switch {
	case instants && days,
		instants && !q.From.Before(q.To),
		days && (q.First.IsZero() || q.First.Compare(q.Last) > 0),
		q.Mark != "" && (instants || days),
		!q.Begins.IsZero() && !days,
		q.Pending != nil && !q.Pending.valid(),
		q.Index < 0:
		return walkQuery{}, fmt.Errorf("%w: window", errCursor)
	}
	if _, err := loadZone(q.Zone); err != nil {
		return walkQuery{}, fmt.Errorf("%w: zone", errCursor)
	}
	return q, nil
}

func decodeCursor(text string, v any) error {
	if len(text) > maxCursorText {
		return fmt.Errorf("%w: %d bytes", errCursor, len(text))
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: not in its form", errCursor)
	}
	if d.More() {
		return fmt.Errorf("%w: trailing data", errCursor)
	}
	return nil
}

// loadZone returns the location of an IANA name; nil for the empty name.
func loadZone(name string) (*time.Location, error) {
	if name == "" {
		return nil, nil
	}
	if name == "Local" {
		return nil, errors.New("sync: the host's own zone is nobody's zone")
	}
	return time.LoadLocation(name)
}

func (q walkQuery) window() health.Window {
	return health.Window{From: q.From, To: q.To, First: q.First, Last: q.Last}
}

// zone returns the zone the walk was planned in; nil is unknown.
func (q walkQuery) zone() *time.Location {
	zone, err := loadZone(q.Zone)
	if err != nil {
		return nil // planning and decoding let no such name through
	}
	return zone
}

// query returns the provider's query for a page of the walk.
func (q walkQuery) query(stream, token string) providers.Query {
	return providers.Query{
		Stream: stream, Window: q.window(), Zone: q.zone(), Begins: q.Begins, HighWater: q.Mark, PageToken: token,
	}
}
