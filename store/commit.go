package store

import (
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// Batch is what one commit writes, all for one connection of one user: a
// connection that is known as another user's is refused. [Batch.Validate]
// checks the rest.
type Batch struct {
	User       string
	Connection string
	// Lease fences the commit: its Connection is the batch's. A batch without
	// a lease (Owner empty) is refused unless Unfenced is set.
	Lease Lease
	// Unfenced allows a commit without a lease, for imports into a connection
	// that no engine works on, and for one of nothing but a Predecessor.
	Unfenced bool
	// Now is the caller's time; it stamps change entries and quarantine, and
	// bounds which times of records are plausible.
	Now time.Time
	// Cause goes into the change entries of records that are new. Of a record
	// that was there and changed, CauseLive and CauseBackfill become
	// CauseRevision; a tombstone is always CauseDeletion.
	Cause Cause
	Pages []Page
	// Cursors are moved by compare-and-swap.
	Cursors []CursorSwap
	// Covered windows became complete with this commit.
	Covered []Covered
	// Absent names what a complete walk of a closed window must hold: live
	// records of the stream in the window whose key is not among Keys
	// become tombstones.
	Absent []Absent
	// Acks are the ids of the user's inbox items that this commit settles;
	// those that are not there are ignored.
	Acks []string
	// Due are due times of the connection set with the commit, as by SetDue.
	Due []Due
	// Copied is written as it is; nil is nothing.
	Copied *Copied
	// Predecessor makes the connection continue the history of another one of
	// the user: its Predecessor is set, in one step with a change of
	// CauseRelinked that names it. Nothing is done if it is set to that already.
	// ErrNotFound if there is no such connection as the batch's, ErrConflict if
	// it has another predecessor. Whether the predecessor is there, and whose it
	// is, is for the caller to know.
	Predecessor string
}

// Copied is data of the connection as another store gave it out, for [Copy]. The
// feed tells nothing of it.
type Copied struct {
	// Samples are points that replace those of their owner between Series.From
	// and Series.To, whatever record they came with.
	Samples []SampleRun
	// Raw are raw answers, kept once per content although no record of theirs is
	// written.
	Raw []health.RawPage
	// Quarantined keeps its Stream and At.
	Quarantined []Quarantined
}

// Page is one page of records.
type Page struct {
	Stream string
	// Key identifies the page among the pages of the stream, and Digest its
	// content. When the stored digest of the key is the same the records are
	// not looked at. A commit that changes or deletes a stored record of the
	// stream forgets the digests of the stream's pages that are not in it, and
	// one that makes a tombstone for absence those of all its pages; records
	// that are new leave them. No digest is stored of a page of which a record
	// lost against a stored version that is newer and of other content: the
	// same page may win when it is read again, by a later order. (A tie, which
	// is a conflict of the result, leaves the digest.) Digest 0 is never equal.
	Key    string
	Digest uint64
	// Records must be valid and normalized, with Connection set to the
	// batch's; Rev.Fingerprint is computed by the store. Of two records with
	// the same kind and key the better version counts.
	//
	// The points of a series replace those of its owner in its window; a series
	// that is only described (Count without points) leaves them. A session that
	// is written anew loses the points of the series that it does not have any
	// more, and those that came with points from another source; a series is
	// one of Metric, Stat, Part and clock.
	Records []health.Record
	// Raw is kept, once per content (names and bodies) and stream, if at
	// least one record of the page was written. Content that is there takes
	// the later of both dates and its zone, and keeps its place. Nil keeps
	// none.
	Raw *health.RawPage
	// Quarantined is set aside; the store sets Connection, Stream and At. The
	// same datum for the same reason is kept once, at its latest time.
	Quarantined []Quarantined
}

// CursorSwap moves a cursor from Old, as it was read, to New.
type CursorSwap struct {
	Old, New Cursor
}

// Covered is a window that is complete.
type Covered struct {
	Stream string
	Window health.Window
}

// Absent asks for tombstones of the records that a complete walk did not show.
// A record that the same batch brings is not absent, whether Keys names it or
// not and whether its version wins.
type Absent struct {
	Stream string
	Window health.Window
	// Keys are the record keys of the complete walk, per kind.
	Keys map[health.Kind][]string
	// Order is the server's Date of the first page of the walk, in
	// milliseconds: records with a greater Rev.Order are left alone. A
	// tombstone keeps the Order and Mapping of the record it removes and has
	// Rev.Absent set.
	Order int64
}

// Cause says why a record changed.
type Cause string

// The causes.
const (
	CauseLive     Cause = "live"     // new data
	CauseBackfill Cause = "backfill" // old data read for the first time
	CauseRevision Cause = "revision" // the provider changed it
	CauseDeletion Cause = "deletion" // the provider removed it
	CauseRemap    Cause = "remap"    // our mapping changed
	CauseRelinked Cause = "relinked" // the connection continues the history of another; of no record
)

// Result says what a commit did. Records of skipped pages are not counted.
type Result struct {
	Inserted int
	// Revised counts live records that changed or came back.
	Revised int
	// Deleted counts tombstones that were written, for absence and of records
	// never seen included.
	Deleted int
	// Unchanged counts versions of equal content, of whatever order.
	Unchanged int
	// Stale counts versions that lost against a newer stored one.
	Stale int
	// SkippedPages counts pages whose digest was known.
	SkippedPages int
	// Relinked is set when the connection got the predecessor with this commit.
	Relinked bool
	// Conflicts are the days (or, without a day, the start) of records whose
	// stored and given versions tie with different content: worth a new pull.
	Conflicts []Conflict
}

// Conflict is a tie between two versions of a record.
type Conflict struct {
	Kind  health.Kind
	Key   string
	Day   health.Day
	Start health.Moment
}

// Erasure counts what an erase removed.
type Erasure struct {
	Connections, Records, SampleChunks, RawPages, Changes, InboxItems, Deliveries, Settings int
}
