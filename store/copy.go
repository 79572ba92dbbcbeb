package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// Copyable is what [Copy] asks of both stores besides the contract. The stores
// of this module have it.
type Copyable interface {
	Store
	// Users lists everybody of whom the store holds connections, records or
	// settings, in order (byte by byte) after the given one; limit 0 is 1000.
	Users(ctx context.Context, after string, limit int) ([]string, error)
	// SettingNames lists the names of all settings, the store's own included, in
	// order (byte by byte) after the given one; limit 0 is 1000.
	SettingNames(ctx context.Context, after string, limit int) ([]string, error)
	// ErasedUsers returns what keeps erased users away: a key, and the
	// HMAC-SHA256 of the id of each under it.
	ErasedUsers(ctx context.Context) (Erased, error)
	// PutErasedUsers adds erased users, of whom the store takes nothing more. It
	// is for those of whom it holds nothing: what it holds of one stays, and may
	// grow, until [Store].Erase. A store that has erased users knows them under
	// its own key: ErrConflict if that is another one.
	PutErasedUsers(ctx context.Context, e Erased) error
}

// Erased are the users who were erased, without their names.
type Erased struct {
	Key    []byte
	Prints [][sha256.Size]byte
}

// erasePrint is what a store keeps of an erased user.
func erasePrint(key []byte, user string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(user))
	return [sha256.Size]byte(mac.Sum(nil))
}

// ErrCopyDiffers means that after copying a user's data is not the same in both
// stores: the target held other data of that user, had worked on items that the
// source still has, or somebody wrote meanwhile.
var ErrCopyDiffers = errors.New("store: the copy differs")

// CopyReport says what [Copy] found in the source.
type CopyReport struct {
	Users, Connections, Records, Samples, RawPages, Quarantined int
	// Skipped are users whose data was there already.
	Skipped    int
	Deliveries int
	Jobs       int
}

// copyBatch is how many records one commit writes, copyPoints how many samples.
const (
	copyBatch  = 500
	copyPoints = 100_000
)

// Copy copies everything of src into dst, which is empty, or holds what an
// earlier call brought there: it may be called again after it was interrupted,
// and goes on with the users that are not complete. Who was erased in src since
// is erased in dst. Nothing may write to either store meanwhile: engines stop
// first, and start again on dst. Nor does src change between two calls, but for
// that: a setting that has another value since gives ErrConflict, and then dst
// has to begin empty.
//
// Each user's data is compared by the counts and digests of its [Export],
// before, so that what is there is not copied twice, and after. Sealed data stays
// sealed, and opens with the same keys.
//
// Not copied are leases, connect flows under way (they are asked for again),
// digests of pages (the next read of a page compares its records), and the
// history of the change feed: there is a change for each record in dst, of cause
// backfill, so that a consumer sees everything again and misses nothing.
//
// It returns ErrInvalid for stores that are not [Copyable], ErrConflict if dst
// belongs to another engine, and [ErrCopyDiffers].
func Copy(ctx context.Context, dst, src Store) (CopyReport, error) {
	c := copier{ctx: ctx}
	var from, to bool
	c.src, from = src.(Copyable)
	c.dst, to = dst.(Copyable)
	if !from || !to {
		return CopyReport{}, fmt.Errorf("store: copy: %w", invalid("a store that is not Copyable"))
	}
	for _, step := range []func() error{c.erased, c.settings, c.users, c.due, c.deliveries, c.jobs} {
		if err := step(); err != nil {
			return c.report, fmt.Errorf("store: copy: %w", err)
		}
	}
	return c.report, nil
}

type copier struct {
	ctx      context.Context
	dst, src Copyable
	report   CopyReport
}

func (c *copier) erased() error {
	e, err := c.src.ErasedUsers(c.ctx)
	if err != nil || len(e.Prints) == 0 {
		return err
	}
	if err := c.dst.PutErasedUsers(c.ctx, e); err != nil {
		return err
	}
	// An earlier call may have brought somebody who was erased since.
	gone := make(map[[sha256.Size]byte]bool, len(e.Prints))
	for _, print := range e.Prints {
		gone[print] = true
	}
	for after := ""; ; {
		users, err := c.dst.Users(c.ctx, after, 0)
		if err != nil || len(users) == 0 {
			return err
		}
		for _, user := range users {
			if !gone[erasePrint(e.Key, user)] {
				continue
			}
			if _, err := c.dst.Erase(c.ctx, user); err != nil {
				return err
			}
		}
		after = users[len(users)-1]
	}
}

func (c *copier) settings() error {
	for after := ""; ; {
		names, err := c.src.SettingNames(c.ctx, after, 0)
		if err != nil || len(names) == 0 {
			return err
		}
		for _, name := range names {
			if err := c.setting(name); err != nil {
				return fmt.Errorf("settings: %w", err)
			}
		}
		after = names[len(names)-1]
	}
}

// setting copies the settings of a name: the store's own, and those of users.
func (c *copier) setting(name string) error {
	value, err := c.src.Setting(c.ctx, "", name)
	switch {
	case err == nil:
		if err := c.putSetting(Setting{Name: name, Value: value}); err != nil {
			return err
		}
	case !errors.Is(err, ErrNotFound):
		return err
	}
	for after := ""; ; {
		list, err := c.src.Settings(c.ctx, name, after, 0)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, s := range list {
			if err := c.putSetting(s); err != nil {
				return err
			}
			after = s.User
		}
	}
}

func (c *copier) putSetting(s Setting) error {
	if s.Value == nil {
		s.Value = []byte{}
	}
	err := c.dst.SwapSetting(c.ctx, s.User, s.Name, nil, s.Value)
	if !errors.Is(err, ErrConflict) {
		return err
	}
	there, e := c.dst.Setting(c.ctx, s.User, s.Name)
	if e != nil || bytes.Equal(there, s.Value) {
		return e
	}
	return err
}

func (c *copier) users() error {
	for after := ""; ; {
		users, err := c.src.Users(c.ctx, after, 0)
		if err != nil || len(users) == 0 {
			return err
		}
		for _, user := range users {
			if err := c.user(user); err != nil {
				return err
			}
		}
		after = users[len(users)-1]
	}
}

// user copies one user, and compares.
func (c *copier) user(user string) error {
	want, err := c.manifest(c.src, user)
	if err != nil {
		return err
	}
	have, err := c.manifest(c.dst, user)
	if err != nil {
		return err
	}
	c.report.Users++
	c.report.Connections += want.Connections
	c.report.Records += want.Records
	c.report.Samples += want.Samples
	c.report.RawPages += want.RawPages
	c.report.Quarantined += want.Quarantined
	if reflect.DeepEqual(want, have) {
		c.report.Skipped++
	} else if err := c.data(user); err != nil {
		return err
	}
	if err := c.accounts(user); err != nil {
		return err
	}
	if have, err = c.manifest(c.dst, user); err != nil {
		return err
	}
	if !reflect.DeepEqual(want, have) {
		return ErrCopyDiffers
	}
	return nil
}

func (c *copier) manifest(s Store, user string) (Manifest, error) {
	return Export(c.ctx, s, ExportRequest{User: user, Raw: true}, io.Discard)
}

// links are the connections of which a user has data, and their streams. Some
// are gone, and their data is kept.
type links map[string]map[string]bool

func (l links) add(connection, stream string) {
	if l[connection] == nil {
		l[connection] = make(map[string]bool)
	}
	if stream != "" {
		l[connection][stream] = true
	}
}

func (c *copier) commit(b Batch) error {
	b.Unfenced, b.Now, b.Cause = true, time.Now(), CauseBackfill
	_, err := c.dst.Commit(c.ctx, b)
	return err
}

// data copies records and all that goes with them. Connections come first.
func (c *copier) data(user string) error {
	found, metrics := make(links), make(map[health.Metric]bool)
	if err := c.connections(user, found); err != nil {
		return err
	}
	pending := make(map[string][]health.Record)
	flush := func(connection string) error {
		list := pending[connection]
		delete(pending, connection)
		byStream := make(map[string][]health.Record)
		for _, r := range list {
			byStream[r.Stream()] = append(byStream[r.Stream()], r)
		}
		b := Batch{User: user, Connection: connection}
		for _, stream := range slices.Sorted(maps.Keys(byStream)) {
			b.Pages = append(b.Pages, Page{Stream: stream, Records: byStream[stream]})
		}
		return c.commit(b)
	}
	for r, err := range AllRecords(c.ctx, c.src, RecordQuery{User: user, Deleted: true}) {
		if err != nil {
			return err
		}
		found.add(r.Connection, r.Stream())
		for i := range r.Series {
			metrics[r.Series[i].Metric] = true
		}
		pending[r.Connection] = append(pending[r.Connection], r)
		if len(pending[r.Connection]) == copyBatch {
			if err := flush(r.Connection); err != nil {
				return err
			}
		}
	}
	for _, connection := range slices.Sorted(maps.Keys(pending)) {
		if err := flush(connection); err != nil {
			return err
		}
	}
	// Points may be of metrics that no record names any more.
	for _, d := range health.Catalogue() {
		metrics[d.Metric] = true
	}
	for _, metric := range slices.Sorted(maps.Keys(metrics)) {
		if err := c.samples(user, metric); err != nil {
			return err
		}
	}
	for _, connection := range slices.Sorted(maps.Keys(found)) {
		if err := c.link(user, connection, found[connection]); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) connections(user string, found links) error {
	for conn, err := range AllConnections(c.ctx, c.src, ConnectionQuery{User: user}) {
		if err != nil {
			return err
		}
		found.add(conn.ID, "")
		there, err := c.dst.Connection(c.ctx, conn.ID)
		switch {
		case errors.Is(err, ErrNotFound):
			conn.Version = 0
		case err != nil:
			return err
		default:
			conn.Version = there.Version
		}
		if _, err := c.dst.PutConnection(c.ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) samples(user string, metric health.Metric) error {
	var b Batch
	points := 0
	flush := func() error {
		if points == 0 {
			return nil
		}
		points = 0
		return c.commit(b)
	}
	for run, err := range AllSamples(c.ctx, c.src, SampleQuery{User: user, Metric: metric}) {
		if err != nil {
			return err
		}
		if run.Owner.Connection != b.Connection || points >= copyPoints {
			if err := flush(); err != nil {
				return err
			}
			b = Batch{User: user, Connection: run.Owner.Connection, Copied: &Copied{}}
		}
		b.Copied.Samples = append(b.Copied.Samples, run)
		points += run.Series.Len()
	}
	return flush()
}

// link copies what else belongs to a connection.
func (c *copier) link(user, connection string, streams map[string]bool) error {
	b := Batch{User: user, Connection: connection, Copied: &Copied{}}
	cursors, err := c.src.Cursors(c.ctx, connection)
	if err != nil {
		return err
	}
	for _, cursor := range cursors {
		streams[cursor.Stream] = true
		old, err := c.dst.Cursor(c.ctx, connection, cursor.Stream, cursor.Lane)
		if err != nil {
			return err
		}
		b.Cursors = append(b.Cursors, CursorSwap{Old: old, New: cursor})
	}
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		windows, err := c.src.Coverage(c.ctx, connection, stream)
		if err != nil {
			return err
		}
		for _, w := range windows {
			b.Covered = append(b.Covered, Covered{Stream: stream, Window: w})
		}
	}
	if b.Copied.Quarantined, err = c.src.Quarantine(c.ctx, connection, 1<<30); err != nil {
		return err
	}
	slices.Reverse(b.Copied.Quarantined) // the newest last, as it came
	if err := c.commit(b); err != nil {
		return err
	}
	for raw, err := range AllRawPages(c.ctx, c.src, RawQuery{Connection: connection}) {
		if err == nil {
			err = c.commit(Batch{User: user, Connection: connection, Copied: &Copied{Raw: []health.RawPage{raw}}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// accounts copies what a user's connections act with, and what waits for them.
func (c *copier) accounts(user string) error {
	for conn, err := range AllConnections(c.ctx, c.src, ConnectionQuery{User: user}) {
		if err == nil {
			err = c.credential(conn.ID)
		}
		if err != nil {
			return err
		}
	}
	return c.items(user)
}

func (c *copier) credential(connection string) error {
	want, err := c.src.Credential(c.ctx, connection)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	have, err := c.dst.Credential(c.ctx, connection)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err != nil || have.Grant != want.Grant {
		if err := c.dst.PutGrant(c.ctx, have.Grant, want); err != nil {
			return err
		}
		if have, err = c.dst.Credential(c.ctx, connection); err != nil {
			return err
		}
	}
	if want.Revision = have.Revision; reflect.DeepEqual(want, have) {
		return nil
	}
	return c.dst.UpdateCredential(c.ctx, want)
}

// items copies the inbox of a user, by way of a delivery that does not stay.
func (c *copier) items(user string) error {
	there, err := c.itemIDs(user)
	if err != nil {
		return err
	}
	var copied []string
	for q := (InboxQuery{User: user}); ; {
		items, err := c.src.InboxItems(c.ctx, q)
		if err != nil {
			return err
		}
		if len(items) == 0 {
			break
		}
		q.After = items[len(items)-1].ID
		items = slices.DeleteFunc(items, func(i InboxItem) bool { return there[i.ID] })
		if len(items) == 0 {
			continue
		}
		if err := c.assign(user, items); err != nil {
			return err
		}
		for i := range items {
			copied = append(copied, items[i].ID)
		}
	}
	if len(copied) == 0 {
		return nil
	}
	if there, err = c.itemIDs(user); err != nil {
		return err
	}
	for _, id := range copied {
		if !there[id] {
			return ErrCopyDiffers
		}
	}
	return nil
}

// itemIDs returns the ids of a user's items in dst.
func (c *copier) itemIDs(user string) (map[string]bool, error) {
	ids := make(map[string]bool)
	for q := (InboxQuery{User: user}); ; {
		items, err := c.dst.InboxItems(c.ctx, q)
		if err != nil || len(items) == 0 {
			return ids, err
		}
		for i := range items {
			ids[items[i].ID] = true
		}
		q.After = items[len(items)-1].ID
	}
}

// assign puts items of one user. The carrier's name is the same in another call,
// which goes on where this one was interrupted, and says nothing of the user.
// Items of two users may have one id.
func (c *copier) assign(user string, items []InboxItem) error {
	carrier := Delivery{
		ID:       fmt.Sprintf("copy/%x", sha256.Sum256([]byte(user+"/"+items[0].ID))),
		Endpoint: "copy", Received: items[0].Received, Status: DeliveryNew,
	}
	if _, err := c.dst.PutDelivery(c.ctx, carrier); err != nil {
		return err
	}
	if err := c.dst.Assign(c.ctx, carrier.ID, Assignment{Items: items}); err != nil {
		return err
	}
	for _, item := range items {
		if err := c.dst.UpdateItem(c.ctx, item); err != nil {
			return err
		}
	}
	return nil
}

// due copies due times. They are hints: those of connections that are gone are
// of no use, and do no harm.
func (c *copier) due() error {
	list, err := c.src.Due(c.ctx, "", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 1<<30)
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := c.dst.SetDue(c.ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) deliveries() error {
	for after := ""; ; {
		list, err := c.src.Deliveries(c.ctx, DeliveryQuery{After: after})
		if err != nil || len(list) == 0 {
			return err
		}
		for _, d := range list {
			if _, err := c.dst.PutDelivery(c.ctx, d); err != nil {
				return err
			}
			c.report.Deliveries++
		}
		after = list[len(list)-1].ID
	}
}

func (c *copier) jobs() error {
	for after := ""; ; {
		list, err := c.src.Jobs(c.ctx, JobQuery{After: after})
		if err != nil || len(list) == 0 {
			return err
		}
		for _, j := range list {
			if err := c.dst.PutJob(c.ctx, j); err != nil {
				return err
			}
			c.report.Jobs++
		}
		after = list[len(list)-1].ID
	}
}
