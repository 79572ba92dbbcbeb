package providers

import (
	"cmp"
	"context"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// Provider is all that an adapter must implement.
type Provider interface {
	// Name returns the stable lower-case name of the adapter: letters,
	// digits, underscores. It is stored and logged.
	Name() string

	// Capabilities returns facts about the service that are constant for the
	// life of the value. The caller does not modify the result.
	Capabilities() Capabilities

	// Fetch returns one page of one stream.
	//
	// The engine guarantees that q.Stream is one of the streams of
	// Capabilities and that the window fits the stream's Grain and MaxWindow.
	// The adapter guarantees that the records carry keys that begin with the
	// stream's name, have their Rev.Order and Rev.Mapping set, and leave
	// Connection and Rev.Fingerprint empty; that a failed call returns no
	// records; and that asking again with the same query is harmless. A
	// record that could not be mapped is reported in Page.Quarantined and
	// does not fail the page.
	//
	// Errors are *Error. errors.ErrUnsupported means a stream the adapter
	// does not have.
	Fetch(ctx context.Context, cred Credential, q Query) (Page, error)
}

// Capabilities are the facts about a service that the engine plans with.
type Capabilities struct {
	Streams []Stream
	// Rotation says what a refresh does to the refresh token.
	Rotation Rotation
	// Push reports whether the service notifies of new data.
	Push bool
	// Topics are what a connection is subscribed to, in the words of
	// [Subscription.Topic], where the adapter is a [Subscriber].
	Topics []string
	// Limits are the request budgets the service grants. All of them hold at
	// once.
	Limits []RateLimit
	// MaxHistory is how far back the service keeps data; 0 is no known limit.
	MaxHistory time.Duration
	// Issuer is what the service names itself in the parameter iss of each
	// callback (RFC 9207). A callback without it, or with another, is then
	// refused. Empty: the service does not name itself.
	Issuer string
	// ConnectByDelivery reports whether the service tells the outcome of a
	// connect flow by a signed delivery, an [EventAuth] with
	// [Notification.Reference]. What the browser brings back is then not
	// believed, and Exchange is not called.
	ConnectByDelivery bool
	// PendingFor is how long after a request all parts of its answer have come
	// by deliveries ([Page.Pending]); after that it is asked again. 0 means 24
	// hours.
	PendingFor time.Duration
	// Successor is the name of the provider that has the data of the same people
	// since this service has ended, after a new consent; empty for a service
	// that goes on.
	Successor string
	// AuthLifetime is the longest time between [AuthStart] and the callback;
	// 0 means the engine's default.
	AuthLifetime time.Duration
}

// Stream is one series of answers that is fetched and checkpointed on its own.
type Stream struct {
	// Name is the stable lower-case name; it is the first part of the keys of
	// the stream's records.
	Name string
	// Kinds are the kinds of record the stream yields. What yields athletes or
	// devices may tell the person's zone and is read before other streams.
	Kinds []health.Kind
	// Scopes are the scopes without which the service refuses the stream.
	Scopes []string
	// Grain says how windows are asked for.
	Grain Grain
	// MaxWindow is the longest window of one query; 0 is no limit. For
	// GrainDay it is a whole number of 24 h days, both ends counted.
	MaxWindow time.Duration
	// Lookback is how far before the newest data an incremental sync reads
	// again, because data arrives late or changes.
	Lookback time.Duration
	// WalkTTL is how long after the first page of a walk its page tokens are
	// used, because the service forgets them, or because they count rows of a
	// list that changes; 0 is no limit known. A walk that grows older is begun
	// anew over half the window. Where it cannot be shorter, the time is counted
	// from the last page: what takes long is read all the same.
	WalkTTL time.Duration
	// Changes reports whether the service can be asked for what changed since
	// Query.HighWater. Without it the engine walks windows. Before there is a
	// first mark it reads one window, which reaches a few hours beyond now.
	Changes bool
	// AbsenceDeletes reports whether a datum that is missing from a complete
	// walk of a closed window was deleted at the service. A walk that finds no
	// record at all is believed when the window is still empty a day later.
	AbsenceDeletes bool
	// CallsPerPage is the most requests one Fetch makes; 0 means 1. It is
	// charged to the budget.
	CallsPerPage int
	// Interval is how often the stream is worth asking; 0 means the engine's
	// default.
	Interval time.Duration
}

// Grain is the kind of window a stream takes.
type Grain uint8

// The grains.
const (
	GrainInstant Grain = iota // half-open windows of instants
	GrainDay                  // civil days, both ends included
	GrainNone                 // no window: the answer is the state of now
)

// Rotation is what a service does to a refresh token that was used.
type Rotation uint8

// The rotation modes, in the words of the refresh protocol.
const (
	RotationNone            Rotation = iota // the refresh token stays
	RotationGrace                           // the old one lives until the new access token is used, or for a while
	RotationReplay                          // within a window the same answer is given again
	RotationSingleUse                       // the old one is dead at once
	RotationSingleUseRevoke                 // presenting the old one again kills the grant
)

// RateLimit is one budget of requests.
type RateLimit struct {
	Requests int
	Per      time.Duration
	// Scope says who shares the budget.
	Scope LimitScope
}

// LimitScope says who shares a rate limit.
type LimitScope uint8

// The scopes of a rate limit.
const (
	LimitPerApp  LimitScope = iota // all users of one client id
	LimitPerUser                   // each connection alone
)

// RateLeft is what an answer tells of a limit: so many more requests are
// answered until it is renewed. Where a service has several limits of one scope,
// an adapter always tells of the same one.
type RateLeft struct {
	Requests int
	// ResetAt is when the limit is renewed, by our clock.
	ResetAt time.Time
	// Scope says who shares the limit.
	Scope LimitScope
}

// Query asks for one page of one stream.
type Query struct {
	// Stream is the name of a stream of the provider.
	Stream string
	// Window bounds the data asked for; its form is the stream's Grain. It is
	// zero when HighWater is set and for GrainNone.
	Window health.Window
	// Zone is the person's zone as far as the engine knows it; nil is unknown.
	// What was read without it is mapped again by [Remapper], or else read
	// again, when it becomes known: of two versions that differ in nothing else
	// the one in the zone wins.
	Zone *time.Location
	// Begins is when the first day of the window begins, where that is not when
	// it begins in Zone: after a journey the first day begins where the last one
	// ended in the zone of then, and so holds more than its own hours, or less.
	// It is set for GrainDay only, and zero otherwise. An adapter that asks its
	// service for the instants of days asks for nothing before it, see Period. A
	// day that is over by then is empty. What the mapping takes of it has to be
	// in the names of the bodies, because Remap is not told. An adapter that asks
	// for civil days asks for whole ones all the same: it lets the series of its
	// samples records begin then, because the hours before are of the last day.
	Begins time.Time
	// HighWater asks a stream with Changes for everything that changed at or
	// after this mark, which an earlier page gave as its Candidate.
	HighWater string
	// PageToken continues a walk: the token of the page before, with all
	// other fields as they were.
	PageToken string
}

// Period returns the instants that the days of the window cover in Zone, or in
// UTC while that is not known, and from Begins on: the periods of neighbouring
// days touch, also across a journey. It is empty, with to not after from, where
// there is no such instant.
func (q Query) Period() (from, to time.Time) {
	zone := cmp.Or(q.Zone, time.UTC)
	from, _, _ = q.Window.First.Bounds(zone)
	_, to, _ = q.Window.Last.Bounds(zone)
	if !q.Begins.IsZero() {
		from = q.Begins
	}
	return from, to
}

// Page is one page of a stream. The caller owns it: the adapter keeps no
// reference to anything in it.
type Page struct {
	Records []health.Record
	// Raw is what the records were mapped from, one entry per answer.
	Raw []health.RawBody
	// Date is the server's Date of the answer; zero if it sent none.
	Date time.Time
	// Digest is a digest of the answer without its volatile parts and with
	// the mapping version, so that an unchanged page can be recognised
	// without looking at its records. 0 means the adapter cannot tell.
	Digest uint64
	// PageToken continues the walk when More is set. It is an opaque text of
	// at most 4 KiB.
	PageToken string
	// More reports whether the walk goes on. An empty page may have More.
	More bool
	// Candidate is the HighWater to use for the next walk if this one
	// completes. It is taken from the first page of a walk.
	Candidate string
	// Zone is the person's zone where the answer tells it, as an IANA name.
	Zone string
	// Quarantined lists the data of the page that could not be mapped.
	Quarantined []Quarantined
	// Pending is set when the service took the request and sends the data by
	// deliveries. The page then ends the walk: More is not set. What the
	// records of the page hold, if it has any, counts all the same.
	Pending *Pending
	// Left is what the last answer of the page tells of a limit; nil if it tells
	// nothing. It is about the moment: two pages that differ only in it are the
	// same page.
	Left *RateLeft
	// Requests is how many requests the page took, those that were refused too,
	// but not those that were repeated because they failed; 0 is not known, and
	// counts as Stream.CallsPerPage.
	Requests int
}

// Pending is a request whose answer comes by deliveries: by notifications of
// EventData with its Reference, in any order. How many there are may be told
// here, by any of them, or by a notification of EventRequest. The engine
// commits them as they come, and counts the window as read when all of them
// are in.
type Pending struct {
	// Reference is the service's name for the request, at most 512 bytes.
	Reference string
	// Expected is how many parts there will be, at most [MaxParts]; 0 if that
	// is not known yet.
	Expected int
}

// Quarantined is one datum that was set aside.
type Quarantined struct {
	// Key is the record's key as far as it is known, else the stream's name
	// and the position in the answer. Of a part of a record that was kept
	// without it "#" and the part's name follow the record's key.
	Key string
	// Reason says why, without the value.
	Reason string
	// Raw is the datum as it came.
	Raw []byte
}

// Authorizer connects a person's account.
type Authorizer interface {
	// Authorize returns the address to send the person to. It makes at most
	// the requests the protocol demands before the redirect.
	Authorize(ctx context.Context, r AuthRequest) (AuthStart, error)
	// Exchange turns the callback into a grant. It sends the one-time code
	// exactly once and is never repeated by the caller.
	Exchange(ctx context.Context, cb Callback) (Grant, error)
}

// AuthRequest starts a connect flow.
type AuthRequest struct {
	// State is the unguessable value that comes back with the callback.
	State string
	// RedirectURL is where the service sends the person back to.
	RedirectURL string
	// Scopes asked for; nil asks for all that the adapter's streams need.
	Scopes []string
}

// AuthStart is the beginning of a connect flow.
type AuthStart struct {
	// URL is the address for the person's browser.
	URL string
	// Secret is what Exchange needs again (a PKCE verifier, an OAuth 1.0
	// request token); the engine keeps it sealed. It may be empty.
	Secret Secret
}

// Callback is what came back.
type Callback struct {
	// Query is the query of the redirect.
	Query map[string][]string
	// RedirectURL is the one given to Authorize.
	RedirectURL string
	// Secret is the one of AuthStart.
	Secret Secret
}

// Grant is what a person's consent yields.
type Grant struct {
	Credential Credential
	// UpstreamID is the person's id at the service.
	UpstreamID string
	// Zone is the person's zone where told, as an IANA name.
	Zone string
	// Aliases are the ids that the same person has at other providers, where
	// the service vouches for it: those of a service that this one succeeded.
	Aliases []Alias
	// EndsAt is when the consent ends by itself, whatever is done with the
	// credential; zero if the service tells no end.
	EndsAt time.Time
}

// Alias is a person's id at another provider.
type Alias struct {
	// Provider is the name of the adapter of the other service.
	Provider string
	// UpstreamID is the person's id there.
	UpstreamID string
}

// Confirmer finds out how a connect flow ended, for services that tell it by a
// delivery: see Capabilities.ConnectByDelivery.
type Confirmer interface {
	// Confirm asks the service, with the credentials of the application,
	// whether the flow with the reference (the State of AuthRequest) led to a
	// grant, and returns the person's upstream id as the service tells it:
	// nothing in cb proves anything. ErrNotFound means that there is none yet.
	Confirm(ctx context.Context, reference string, cb Callback) (upstreamID string, err error)
}

// Lister tells who has connected an account to the application, as far as the
// service knows.
type Lister interface {
	// UpstreamUsers returns one page of them, the first one for an empty
	// token. Next of the last page is empty. It is called with no credential
	// but the application's.
	UpstreamUsers(ctx context.Context, token string) (UpstreamPage, error)
}

// UpstreamPage is one page of the people that a service knows.
type UpstreamPage struct {
	Users []UpstreamUser
	// Next is the token of the next page; empty at the end.
	Next string
}

// UpstreamUser is a person that a service knows.
type UpstreamUser struct {
	// ID is the person's upstream id.
	ID string
	// Reference is the State that the connect flow was begun with, where the
	// service keeps it.
	Reference string
}

// Refresher renews credentials.
type Refresher interface {
	// Refresh presents the refresh token in exactly one request and returns
	// the new pair. The caller persists the result before anyone uses it.
	// ErrReauth means the service refused the token; an *Error with
	// Ambiguous set means the service may have rotated it without our
	// knowing the result.
	Refresh(ctx context.Context, cred Credential) (Credential, error)
}

// Recoverer gets a working pair for a grant whose refresh tokens were all
// refused, where the service has a way to do that without the person.
type Recoverer interface {
	// Recover is called with the last pair that is known. ErrReauth means
	// that the grant is gone. The caller persists the result before anyone
	// uses it.
	Recover(ctx context.Context, cred Credential) (Credential, error)
}

// Revoker takes a grant back at the service.
type Revoker interface {
	// Revoke returns nil also when the grant is already gone.
	Revoke(ctx context.Context, cred Credential) error
}

// Subscription is a standing order for notifications.
type Subscription struct {
	// ID is the service's name for it, empty before it is made.
	ID string
	// Topic is the service's name for what it is about.
	Topic string
	// CallbackURL receives the notifications.
	CallbackURL string
	// ExpiresAt is zero when it does not expire.
	ExpiresAt time.Time
}

// Subscriber manages subscriptions of one connection.
type Subscriber interface {
	Subscribe(ctx context.Context, cred Credential, s Subscription) (Subscription, error)
	// Unsubscribe returns nil also when there is no such subscription.
	Unsubscribe(ctx context.Context, cred Credential, s Subscription) error
	Subscriptions(ctx context.Context, cred Credential) ([]Subscription, error)
}

// Remapper maps stored answers again with the code of today.
type Remapper interface {
	// Remap is pure: the same page gives the same records. It follows the
	// rules of Fetch for records.
	Remap(page health.RawPage) ([]health.Record, error)
}
