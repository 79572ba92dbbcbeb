package store

import (
	"context"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// Store is the whole contract. Every method is one atomic step.
type Store interface {
	Connections
	Credentials
	Leases
	Scheduler
	Flows
	Inbox
	Jobs
	Settings
	Reader
	Feed

	// Commit applies b in one atomic, durable step, or nothing of it.
	//
	// It returns ErrLeaseLost when b.Lease is not held any more,
	// ErrConflict when a cursor of b is not what the caller last read,
	// ErrErased when the user was erased, and ErrInvalid for a batch that
	// breaks the contract. When Commit returns nil the batch survives a crash
	// of the process and of the machine.
	//
	// An error other than these may leave the caller in doubt whether the
	// batch was applied; committing it again is harmless.
	Commit(ctx context.Context, b Batch) (Result, error)

	// Erase removes everything of the user in both scopes and remembers,
	// without naming the user, that late data must not bring it back. That
	// includes the user's settings, and the parked and dead deliveries whose
	// Subject is the upstream id of one of the user's connections that are
	// there, at the connection's provider: Endpoint is the provider's name or
	// begins with it and "/". Jobs stay: they are what is still to be done at
	// the providers. So do leases for names that are no connections. It may be
	// called again after a crash. It returns what it removed.
	Erase(ctx context.Context, user string) (Erasure, error)

	// Close releases the store. Calls that are under way finish; later ones
	// return ErrClosed.
	Close() error
}

// Connection links one user of the host to one account at one provider.
type Connection struct {
	// ID is ours, and survives re-consent and upstream id changes.
	ID string
	// User is the host's id of the person.
	User string
	// Provider is the name of the adapter.
	Provider string
	// UpstreamID is the person's id at the provider; it may change.
	UpstreamID string
	State      State
	// Reason explains the state in a fixed word.
	Reason string
	// Zone is the IANA name of the person's zone as far as known.
	Zone   string
	Scopes []string
	// Predecessor is the connection whose history this one continues.
	Predecessor string
	CreatedAt   time.Time
	// Version is what compare-and-swap compares: 0 before the first Put,
	// then rising with each.
	Version int64
	// Coverage is what [Reader].Coverage says of each stream that has any. It
	// is filled where [ConnectionQuery].Coverage asks for it, and no part of
	// what PutConnection stores.
	Coverage map[string][]health.Window
}

// State is the state of a connection.
type State string

// The states.
const (
	StatePending        State = "pending"         // connect flow under way
	StateActive         State = "active"          // in order
	StateDegraded       State = "degraded"        // trying again with backoff
	StateReauthRequired State = "reauth_required" // the person has to consent again
	StateRevoked        State = "revoked"         // the person took the consent back
	StateRetired        State = "retired"         // the provider has ended
	StateArchive        State = "archive"         // holds what was imported; there is no consent and nothing is read
	StateDeleting       State = "deleting"        // disconnect or erase under way
)

// Connections keeps connections.
type Connections interface {
	// PutConnection creates c (Version 0) or replaces it (Version as read)
	// and returns it with its new Version. ErrConflict if the stored version
	// differs, or if another connection of the same provider has the same
	// non-empty UpstreamID. ErrErased for a user that was erased. User and
	// Provider of a connection never change: ErrInvalid.
	PutConnection(ctx context.Context, c Connection) (Connection, error)
	// Connection returns the connection with the id, or ErrNotFound.
	Connection(ctx context.Context, id string) (Connection, error)
	// Connections returns connections ordered by ID. ErrInvalid for a query
	// with Coverage and without User.
	Connections(ctx context.Context, q ConnectionQuery) ([]Connection, error)
	// DeleteConnection removes the connection and its credential, cursors,
	// schedule, leases and inbox items; with data also its records, samples, raw answers
	// quarantine, page digests and coverage; without, those stay readable
	// under the id. The change feed tells nothing of it. It returns nil when
	// there is no such connection.
	DeleteConnection(ctx context.Context, id string, data bool) error
}

// ConnectionQuery selects connections; empty fields select all.
type ConnectionQuery struct {
	User       string
	Provider   string
	UpstreamID string
	State      State
	After      string // only IDs greater than this
	Limit      int    // 0 is 1000
	// Coverage fills [Connection].Coverage, in the same query. It goes with
	// User.
	Coverage bool
}

// Credential is what a connection acts with. Tokens are sealed by the engine
// before they get here; a store never sees one.
type Credential struct {
	Connection string
	// Grant names the consent; a new consent has a new Grant.
	Grant string
	// Generation counts the accepted token pairs of the grant.
	Generation int64
	// RefreshPrint is a keyed fingerprint of the refresh token in Sealed. It
	// is what a swap compares.
	RefreshPrint string
	// Sealed is the sealed token pair.
	Sealed []byte
	// Previous is the sealed pair before, kept while it may still be needed.
	Previous []byte
	// ExpiresAt is when the access token ends; zero means it does not.
	ExpiresAt time.Time
	// Siblings are sealed pairs that lost a race and may be the live ones.
	Siblings []Sibling
	// Attempt is the refresh that was begun and not finished.
	Attempt *Attempt
	// Fails counts failed refreshes since the last good one, and FailingSince
	// is when the first of them was; NextAt is when to try again.
	Fails        int
	FailingSince time.Time
	NextAt       time.Time
	// Doubts counts the presentations of the refresh token in Sealed whose
	// outcome is not known.
	Doubts int
	// RefusedAt is when the service refused the refresh token for good; zero
	// if it did not.
	RefusedAt time.Time
	// Revision is what UpdateCredential compares. The store sets it with each
	// write, whatever the caller has put there; it rises each time, also from
	// one grant to the next and from a connection that was deleted to a new
	// one with its id.
	Revision int64
}

// Sibling is a token pair that was issued for the same refresh token as
// another one.
type Sibling struct {
	Sealed       []byte
	RefreshPrint string
	ParentPrint  string
}

// Attempt is the written intent to present a refresh token.
type Attempt struct {
	ID           string
	Owner        string
	RefreshPrint string
	StartedAt    time.Time
	Deadline     time.Time
}

// Credentials keeps sealed credentials. A credential goes with its connection:
// there is none without.
type Credentials interface {
	// Credential returns the credential of a connection, or ErrNotFound.
	Credential(ctx context.Context, connection string) (Credential, error)
	// PutGrant stores the first credential of a new grant, replacing any
	// older grant's whole. ErrConflict if replaces is not the Grant that is
	// stored ("" when there is none), ErrNotFound if there is no such
	// connection.
	PutGrant(ctx context.Context, replaces string, c Credential) error
	// SwapCredential replaces the credential if the stored one still has the
	// given grant and refresh print: the token that was consumed, not the
	// lease, decides. ErrConflict otherwise, also when there is none, with
	// nothing written. The Grant of c must be the given one.
	SwapCredential(ctx context.Context, grant, consumed string, c Credential) error
	// UpdateCredential replaces the credential if nobody wrote it since it was
	// read: the stored one has the Grant and Revision of c. ErrConflict
	// otherwise, also when there is none, with nothing written. It is for
	// everything but a new token pair, which SwapCredential stores.
	UpdateCredential(ctx context.Context, c Credential) error
	// BeginAttempt records a refresh attempt durably, before the token is
	// presented. It is fenced by the lease: ErrLeaseLost when it is not held,
	// ErrConflict when the stored grant or print is another, also when there
	// is no credential.
	BeginAttempt(ctx context.Context, l Lease, grant string, a Attempt) error
}

// Lease is the right to work on something for a while.
type Lease struct {
	// Connection is what the lease is for: a connection's id, or any other
	// name for something that is worked on by one process at a time. Leases
	// for other names are not tied to users, and should not tell of any.
	Connection string
	// Name is the kind of work: "sync", "refresh".
	Name string
	// Owner is a random 128-bit text that proves ownership.
	Owner string
	// Fence rises with each acquisition, as far as the database keeps what it
	// acknowledged.
	Fence int64
	// Until is when the lease ends by the store's clock.
	Until time.Time
}

// Leases hands out leases. No method blocks for a lease.
type Leases interface {
	// Acquire takes the lease for ttl, or returns ErrLeaseHeld. Owner and
	// Fence of the result are new.
	Acquire(ctx context.Context, connection, name string, ttl time.Duration) (Lease, error)
	// Renew extends a lease that is still held, or returns ErrLeaseLost.
	Renew(ctx context.Context, l Lease, ttl time.Duration) (Lease, error)
	// Release gives the lease back. It returns nil also when it was lost.
	Release(ctx context.Context, l Lease) error
}

// Due is a time at which work on a connection should begin. It is a hint.
type Due struct {
	Connection string
	Task       string // "sync", "backfill"
	At         time.Time
}

// Scheduler keeps one due time per connection and task.
type Scheduler interface {
	// SetDue sets or moves a due time; a zero At removes it.
	SetDue(ctx context.Context, d Due) error
	// Due returns what is due at now, earliest first: of one task, so that
	// much of one kind does not hide another kind, or with an empty task of
	// all. Limit 0 is 100.
	Due(ctx context.Context, task string, now time.Time, limit int) ([]Due, error)
	// NextDue returns the earliest due time; false if there is none.
	NextDue(ctx context.Context) (time.Time, bool, error)
}

// Flow is a connect flow under way. It belongs to the endpoint scope.
type Flow struct {
	// ID is a digest of the state value that the browser carries; the value
	// itself is not stored.
	ID          string
	Provider    string
	User        string
	RedirectURL string
	// Sealed holds what the exchange needs again.
	Sealed    []byte
	ExpiresAt time.Time
}

// Flows keeps connect flows.
type Flows interface {
	// PutFlow stores a new flow; ErrConflict if the ID is taken, ErrErased for
	// a user that was erased.
	PutFlow(ctx context.Context, f Flow) error
	// Flow returns a flow and leaves it; ErrNotFound if there is none, or it
	// expired.
	Flow(ctx context.Context, id string) (Flow, error)
	// TakeFlow removes the flow and returns it: of any number of concurrent
	// calls exactly one succeeds, the others get ErrNotFound. An expired flow
	// is ErrNotFound.
	TakeFlow(ctx context.Context, id string) (Flow, error)
}

// Delivery is something that arrived at an endpoint and is kept until it was
// worked on.
type Delivery struct {
	// ID identifies the delivery; a second one with the same ID is the same.
	ID string
	// Key is another name of it, where it has one: a second one with the same
	// Key is the same too. It is for PutDelivery alone, which remembers it with
	// the delivery that it stores, for a week; Deliveries leaves it empty.
	Key      string
	Endpoint string // provider and endpoint name
	// Subject is the upstream id of the person it is about, where it is about
	// one: a parked delivery waits for this person to be known.
	Subject string
	// Received is when it arrived.
	Received time.Time
	// Meta holds what parsing needs besides the body, without secrets.
	Meta []byte
	// Body is at most 64 MiB, and what sealing adds.
	Body []byte
	// Status is where the delivery stands.
	Status DeliveryStatus
	// Reason explains parked and dead deliveries in fixed words.
	Reason string
	// Attempts counts failed tries; NextAt is when to try again.
	Attempts int
	NextAt   time.Time
}

// DeliveryStatus says where a delivery stands.
type DeliveryStatus string

// The states of a delivery.
const (
	DeliveryNew    DeliveryStatus = "new"
	DeliveryUrgent DeliveryStatus = "urgent" // as new, and worked on before those
	DeliveryPart   DeliveryStatus = "part"   // a part of the body of another one
	DeliveryParked DeliveryStatus = "parked" // the user is not known yet
	DeliveryDead   DeliveryStatus = "dead"   // cannot be worked on; kept for a person
)

// InboxItem is one user's part of a delivery.
type InboxItem struct {
	ID   string // delivery id and position; unique for the user
	User string
	// Connection is the connection of the user that the item is for; it may
	// be empty.
	Connection string
	Received   time.Time
	Payload    []byte
	// Attempts counts failed tries; NextAt is when to try again.
	Attempts int
	NextAt   time.Time
}

// Job is something to do at a provider although the connection, or the user,
// is gone: to take a grant back, to end a subscription. It belongs to the
// endpoint scope.
type Job struct {
	ID       string
	Provider string
	// Kind is what to do, in the engine's words.
	Kind string
	// Sealed holds what doing it needs.
	Sealed []byte
	// Receipt names the erasure or disconnection that the job is part of.
	Receipt   string
	CreatedAt time.Time
	// Attempts counts failed tries, Reason explains the last in fixed words,
	// and NextAt is when to try again.
	Attempts int
	Reason   string
	NextAt   time.Time
}

// Jobs keeps jobs.
type Jobs interface {
	// PutJob stores a job durably; one with the ID that is there stays as it
	// is, which is no error.
	PutJob(ctx context.Context, j Job) error
	// Jobs lists jobs by NextAt and ID.
	Jobs(ctx context.Context, q JobQuery) ([]Job, error)
	// UpdateJob changes Sealed, Attempts, Reason and NextAt. ErrNotFound if
	// there is no such job.
	UpdateJob(ctx context.Context, j Job) error
	// DeleteJob removes a job that was done. It returns nil when there is
	// none.
	DeleteJob(ctx context.Context, id string) error
}

// JobQuery selects jobs; empty fields select all.
type JobQuery struct {
	ID      string
	Receipt string
	ReadyAt time.Time // only those with NextAt not after this; zero is all
	// After is the ID of a job: only those that come after it in the order of
	// the list. Where there is no such job any more, the list begins at its
	// beginning: paging repeats rather than skips. A job whose NextAt changed
	// has another place.
	After string
	Limit int // 0 is 100
}

// Setting is a small value that the engine keeps: of the store as a whole
// (User empty), or of one user.
type Setting struct {
	User  string
	Name  string
	Value []byte
}

// Settings keeps settings. Erase removes those of the user.
type Settings interface {
	// Setting returns the value, or ErrNotFound.
	Setting(ctx context.Context, user, name string) ([]byte, error)
	// SwapSetting replaces the value old by value; a nil old means that there
	// is none yet, a nil value removes it. An empty value that is not nil is a
	// value. ErrConflict if the stored value is another, with nothing written;
	// ErrErased for a user that was erased.
	SwapSetting(ctx context.Context, user, name string, old, value []byte) error
	// Settings lists the settings of the name of all users, ordered by user
	// (byte by byte), after the given one; limit 0 is 1000. The store's own is
	// not among them.
	Settings(ctx context.Context, name, after string, limit int) ([]Setting, error)
}

// Inbox keeps deliveries durably before they are acknowledged.
type Inbox interface {
	// PutDelivery stores a delivery durably; false if one with the ID or the
	// Key is, or lately was, there: then nothing is remembered of it. The Body
	// is the caller's again when it returns.
	PutDelivery(ctx context.Context, d Delivery) (bool, error)
	// Deliveries lists deliveries by Received and ID. A list ends before its
	// bodies are more than 64 MiB together, unless the first alone is: only an
	// empty one tells that there are no more.
	Deliveries(ctx context.Context, q DeliveryQuery) ([]Delivery, error)
	// UpdateDelivery changes Status, Reason, Attempts and NextAt. ErrNotFound
	// if there is no such delivery.
	UpdateDelivery(ctx context.Context, d Delivery) error
	// Assign moves a delivery into the inboxes of users: first each item is put
	// if absent, then the due times are set, each delivery of the rest is put as
	// by PutDelivery, and at last the delivery is removed. A crash in between
	// repeats harmlessly: when the delivery is gone, nothing is put and no due
	// time set. Items of erased users are dropped, and items for a connection
	// that the user does not have. An empty assignment removes the delivery.
	Assign(ctx context.Context, deliveryID string, a Assignment) error
	// InboxItems lists items by Received and ID; Batch.Acks removes them. A
	// list ends before its payloads are more than 64 MiB together, unless the
	// first alone is: only an empty one tells that there are no more.
	InboxItems(ctx context.Context, q InboxQuery) ([]InboxItem, error)
	// UpdateItem changes Attempts and NextAt of an item. It returns nil when
	// there is none.
	UpdateItem(ctx context.Context, i InboxItem) error
}

// Assignment is what becomes of a delivery.
type Assignment struct {
	Items []InboxItem // for people who are known
	Due   []Due       // when they are to be worked on, as by SetDue
	Rest  []Delivery  // what is left of it
}

// InboxQuery selects the items of one user.
type InboxQuery struct {
	User       string    // required
	Connection string    // empty: all
	ReadyAt    time.Time // only those with NextAt not after this; zero is all
	// After is the ID of an item of the user: only those that come after it in
	// the order of the list. Where there is no such item any more, the list
	// begins at its beginning: paging repeats rather than skips.
	After string
	Limit int // 0 is 100
}

// DeliveryQuery selects deliveries; empty fields select all.
type DeliveryQuery struct {
	ID       string
	Endpoint string
	Subject  string
	Status   DeliveryStatus
	ReadyAt  time.Time // only those with NextAt not after this; zero is all
	// After is the ID of a delivery: only those that come after it in the
	// order of the list. Where there is no such delivery any more, the list
	// begins at its beginning: paging repeats rather than skips.
	After string
	Limit int // 0 is 100
}

// Reader reads data.
type Reader interface {
	// Cursor returns where a stream stands; the zero position with the
	// stream's names set if it never started.
	Cursor(ctx context.Context, connection, stream string, lane Lane) (Cursor, error)
	// Cursors returns all cursors of a connection.
	Cursors(ctx context.Context, connection string) ([]Cursor, error)
	// Coverage returns which windows of a stream are complete, merged and in
	// order.
	Coverage(ctx context.Context, connection, stream string) ([]health.Window, error)
	// Records returns one page of records, ordered by start
	// ([health.Moment.SortMilli]), connection, kind and key (byte by byte).
	// Series come described, without points: see [health.Series.Describe].
	Records(ctx context.Context, q RecordQuery) (RecordPage, error)
	// Samples returns one page of samples in order of owner and time: all of
	// one owner, then all of the next, whatever the order of owners.
	Samples(ctx context.Context, q SampleQuery) (SamplePage, error)
	// RawPages returns one page of the stored raw answers of a connection, in
	// the order in which they were first stored.
	RawPages(ctx context.Context, q RawQuery) (RawPageList, error)
	// Quarantine lists data that was set aside, newest first, at most limit
	// (0 is 100).
	Quarantine(ctx context.Context, connection string, limit int) ([]Quarantined, error)
}

// Lane separates the cursors of the kinds of work on one stream.
type Lane string

// The lanes.
const (
	LaneLive      Lane = "live"
	LaneBackfill  Lane = "backfill"
	LaneReconcile Lane = "reconcile" // reads a window again to find late, changed and deleted data
)

// Cursor is where one stream of a connection stands.
type Cursor struct {
	Connection string
	Stream     string
	Lane       Lane
	// HighWater is the mark of the last complete walk, in the engine's own
	// encoding.
	HighWater string
	// Walk is the walk under way; nil if there is none.
	Walk *Walk
}

// Walk is a walk over pages that has begun.
type Walk struct {
	// Query is the engine's encoding of the query of the first page.
	Query string
	// PageToken is the token of the next page.
	PageToken string
	// Candidate becomes HighWater when the walk completes.
	Candidate string
	StartedAt time.Time
	// Pages counts the pages committed.
	Pages int
}

// RecordQuery selects records of one user.
type RecordQuery struct {
	User        string   // required
	Connections []string // empty: all of the user
	Kinds       []health.Kind
	Streams     []string
	// From and To bound the sort time of the start ([health.Moment.SortMilli]),
	// half open; zero is unbounded.
	From, To time.Time
	// Keys selects by key; it goes with exactly one connection and one kind.
	Keys    []string
	Deleted bool // include tombstones
	Limit   int  // 0 is 1000
	After   string
}

// RecordPage is one page of records. Next is empty at the end.
type RecordPage struct {
	Records []health.Record
	Next    string
}

// Owner names who a run of samples belongs to.
type Owner struct {
	Connection string
	Stream     string
	Metric     health.Metric
	Stat       health.Stat
	Part       health.Part
	Source     health.Source
	// Kind and Record are the kind and the key of the session that owns the
	// samples, empty for samples outside of sessions. Sessions of two kinds may
	// have one key; each has its own samples all the same.
	Kind   health.Kind
	Record string
}

// SampleQuery selects samples of one user.
type SampleQuery struct {
	User        string // required
	Connections []string
	Metric      health.Metric // required
	// Stream and Record narrow to one stream or one session; empty is all.
	Stream string
	Record string
	// From and To bound the times in milliseconds, half open, each on the
	// clock of its series; both zero is unbounded.
	From, To int64
	Limit    int // points per page, 0 is 100,000; a page may exceed it by one chunk
	After    string
}

// SampleRun is a run of samples of one owner; there may be several in a row.
// Series.From and To bound its points, and say nothing about what is complete.
type SampleRun struct {
	Owner  Owner
	Series health.Series
}

// SamplePage is one page of samples. Next is empty at the end.
type SamplePage struct {
	Runs []SampleRun
	Next string
}

// RawQuery selects raw answers.
type RawQuery struct {
	Connection string
	Stream     string // empty: all
	Limit      int    // 0 is 100
	After      string
}

// RawPageList is one page of raw answers. Next is empty at the end.
type RawPageList struct {
	Pages []health.RawPage
	Next  string
}

// Quarantined is one datum that was set aside.
type Quarantined struct {
	Connection string
	Stream     string
	Key        string
	Reason     string
	Raw        []byte
	At         time.Time
}
