package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// The limits of the contract, in bytes.
const (
	maxText       = 4 << 10
	maxConnection = 128
)

// Validate reports the first breach of the contract in b that can be seen
// without the database, wrapped in [ErrInvalid]. Drivers call it before
// anything else, so that a batch with one bad record writes nothing. Times of
// records are judged by b.Now. It does not change b.
func (b *Batch) Validate() error {
	if b.User == "" || len(b.User) > maxText {
		return invalid("user")
	}
	if err := validateConnectionID(b.Connection); err != nil {
		return err
	}
	switch {
	case b.Lease.Owner == "" && !b.Unfenced:
		return invalid("batch without lease")
	case b.Lease.Owner != "" && b.Lease.Connection != b.Connection:
		return invalid("lease of another connection")
	}
	if len(b.Pages) > 0 && !b.Cause.valid() {
		return invalid("cause")
	}
	for i := range b.Pages {
		if err := b.Pages[i].validate(b.Connection, b.Now); err != nil {
			return fmt.Errorf("page %d: %w", i, err)
		}
	}
	if err := b.validateCursors(); err != nil {
		return err
	}
	for i, c := range b.Covered {
		if err := validateStream(c.Stream); err != nil {
			return fmt.Errorf("covered %d: %w", i, err)
		}
		if err := validateWindow(c.Window); err != nil {
			return fmt.Errorf("covered %d: %w", i, err)
		}
	}
	for i, a := range b.Absent {
		if err := validateStream(a.Stream); err != nil {
			return fmt.Errorf("absent %d: %w", i, err)
		}
		if err := validateWindow(a.Window); err != nil {
			return fmt.Errorf("absent %d: %w", i, err)
		}
	}
	if b.Predecessor != "" && (b.Predecessor == b.Connection || len(b.Predecessor) > maxConnection) {
		return invalid("predecessor")
	}
	for i, d := range b.Due {
		if d.Connection != b.Connection || d.Task == "" {
			return fmt.Errorf("due %d: %w", i, invalid("connection or task"))
		}
	}
	if b.Copied == nil {
		return nil
	}
	return b.Copied.validate(b.Connection)
}

func (c *Copied) validate(connection string) error {
	for i := range c.Samples {
		run := &c.Samples[i]
		o, s := &run.Owner, &run.Series
		named := Owner{Connection: connection, Stream: o.Stream, Metric: s.Metric, Stat: s.Stat, Part: s.Part, Source: o.Source, Kind: o.Kind, Record: o.Record}
		if *o != named || (o.Kind == "") != (o.Record == "") || o.Record != "" && !strings.HasPrefix(o.Record, o.Stream+"/") {
			return fmt.Errorf("copied samples %d: %w", i, invalid("owner"))
		}
		if err := validateStream(o.Stream); err != nil {
			return fmt.Errorf("copied samples %d: %w", i, err)
		}
		if s.Len() == 0 || s.From > s.Times[0] || s.To <= s.Times[s.Len()-1] || len(s.Values) != s.Len() {
			return fmt.Errorf("copied samples %d: %w", i, invalid("series"))
		}
	}
	for i := range c.Raw {
		if err := validateStream(c.Raw[i].Stream); err != nil {
			return fmt.Errorf("copied raw answer %d: %w", i, err)
		}
	}
	for i := range c.Quarantined {
		if err := validateStream(c.Quarantined[i].Stream); err != nil {
			return fmt.Errorf("copied quarantine %d: %w", i, err)
		}
	}
	return nil
}

func (c Cause) valid() bool {
	switch c {
	case CauseLive, CauseBackfill, CauseRevision, CauseDeletion, CauseRemap, CauseRelinked:
		return true
	}
	return false
}

func (p *Page) validate(connection string, now time.Time) error {
	if err := validateStream(p.Stream); err != nil {
		return err
	}
	if len(p.Key) > maxText {
		return invalid("page key")
	}
	for i := range p.Records {
		r := &p.Records[i]
		if r.Connection != connection {
			return fmt.Errorf("record %d: %w", i, invalid("connection"))
		}
		if r.Stream() != p.Stream {
			return fmt.Errorf("record %d: %w", i, invalid("key of another stream"))
		}
		if err := r.Validate(now); err != nil {
			return fmt.Errorf("record %d: %w: %w", i, ErrInvalid, err)
		}
	}
	return nil
}

func (b *Batch) validateCursors() error {
	type name struct {
		stream string
		lane   Lane
	}
	seen := make(map[name]bool, len(b.Cursors))
	for i := range b.Cursors {
		was, is := &b.Cursors[i].Old, &b.Cursors[i].New
		if is.Connection != b.Connection || was.Connection != b.Connection ||
			was.Stream != is.Stream || was.Lane != is.Lane || is.Lane == "" {
			return fmt.Errorf("cursor %d: %w", i, invalid("names"))
		}
		if err := validateStream(is.Stream); err != nil {
			return fmt.Errorf("cursor %d: %w", i, err)
		}
		n := name{is.Stream, is.Lane}
		if seen[n] {
			return fmt.Errorf("cursor %d: %w", i, invalid("cursor twice in a batch"))
		}
		seen[n] = true
		long := len(is.HighWater) > maxText
		if w := is.Walk; w != nil {
			long = long || len(w.Query) > maxText || len(w.PageToken) > maxText || len(w.Candidate) > maxText
		}
		if long {
			return fmt.Errorf("cursor %d: %w", i, invalid("longer than 4 KiB"))
		}
	}
	return nil
}

// Validate reports the first breach of the contract in c, wrapped in
// [ErrInvalid].
func (c *Connection) Validate() error {
	if err := validateConnectionID(c.ID); err != nil {
		return err
	}
	if c.User == "" || len(c.User) > maxText || c.Provider == "" || len(c.Provider) > maxText || c.Version < 0 {
		return invalid("connection without user or provider")
	}
	return nil
}

// Validate reports the first breach of the contract in d, wrapped in
// [ErrInvalid].
func (d *Delivery) Validate() error { return validateID(d.ID, "delivery") }

// Validate reports the first breach of the contract in d, wrapped in
// [ErrInvalid].
func (d *Due) Validate() error {
	if d.Connection == "" || d.Task == "" {
		return invalid("due time")
	}
	return nil
}

// Validate reports the first breach of the contract in a, wrapped in
// [ErrInvalid].
func (a *Assignment) Validate() error {
	for i := range a.Items {
		if err := a.Items[i].Validate(); err != nil {
			return err
		}
	}
	for i := range a.Due {
		if err := a.Due[i].Validate(); err != nil {
			return err
		}
	}
	for i := range a.Rest {
		if err := a.Rest[i].Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Validate reports the first breach of the contract in i, wrapped in
// [ErrInvalid].
func (i *InboxItem) Validate() error {
	if i.User == "" {
		return invalid("inbox item without user")
	}
	return validateID(i.ID, "inbox item")
}

// Validate reports the first breach of the contract in j, wrapped in
// [ErrInvalid].
func (j *Job) Validate() error { return validateID(j.ID, "job") }

func validateID(id, of string) error {
	if id == "" || len(id) > maxText {
		return invalid(of + " id")
	}
	return nil
}

// Validate reports the first breach of the contract in s, wrapped in
// [ErrInvalid].
func (s *Setting) Validate() error {
	if s.Name == "" || len(s.Name) > maxText || len(s.User) > maxText {
		return invalid("setting name or user")
	}
	return nil
}

func validateConnectionID(id string) error {
	if id == "" || len(id) > maxConnection {
		return invalid("connection id")
	}
	return nil
}

func validateStream(name string) error {
	if name == "" || len(name) > maxText {
		return invalid("stream")
	}
	return nil
}

// validateWindow wants exactly one of the two pairs, set and in order.
func validateWindow(w health.Window) error {
	instants := !w.From.IsZero() || !w.To.IsZero()
	days := !w.First.IsZero() || !w.Last.IsZero()
	switch {
	case days && !instants && !w.First.IsZero() && w.First.Compare(w.Last) <= 0:
		return nil
	case instants && !days && !w.From.IsZero() && w.From.Before(w.To):
		return nil
	default:
		return invalid("window")
	}
}

func invalid(what string) error { return fmt.Errorf("%w: %s", ErrInvalid, what) }
