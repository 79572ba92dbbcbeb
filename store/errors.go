package store

import "errors"

// The sentinels of the contract.
var (
	// ErrNotFound: there is no such connection, credential or item.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict: a compare-and-swap did not find what it expected.
	ErrConflict = errors.New("store: conflict")
	// ErrLeaseHeld: somebody else holds the lease.
	ErrLeaseHeld = errors.New("store: lease held")
	// ErrLeaseLost: the lease expired or was taken over; nothing was written.
	ErrLeaseLost = errors.New("store: lease lost")
	// ErrFeedTrimmed: the consumer is behind the oldest change that is kept.
	ErrFeedTrimmed = errors.New("store: change feed trimmed")
	// ErrErased: the user was erased; late data must not bring it back.
	ErrErased = errors.New("store: user erased")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store: closed")
	// ErrSchema: the data was written by a newer version of the driver.
	ErrSchema = errors.New("store: newer schema")
	// ErrBusy: another process kept the store locked for too long.
	ErrBusy = errors.New("store: busy")
	// ErrInvalid: the caller broke the contract, such as a record without a key.
	ErrInvalid = errors.New("store: invalid argument")
	// ErrUnsafe: the database is not configured to keep what it acknowledges.
	ErrUnsafe = errors.New("store: unsafe configuration")
)
