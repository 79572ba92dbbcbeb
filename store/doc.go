// Package store defines what the sync engine keeps, and the contract that a
// database driver fulfils.
//
// Data lives in two scopes. The user scope holds one user's records, dense
// samples, raw answers, cursors, coverage, credentials, leases, change feed,
// settings and assigned inbox items; [Store.Commit] is one atomic step within it. The
// endpoint scope holds what arrives before the user is known: deliveries,
// parked items, one-time OAuth state, jobs that outlive a user, and indexes. Indexes are hints: written
// before the fact they point to, verified on use.
//
// There is no tenant: one tenant is one store, with a file or a key prefix of
// its own.
//
// # Errors
//
// Methods return errors that wrap one of the sentinels of this package, the
// context's error, or a failure of the database. Messages hold no payload, no
// token and no health value.
//
// # Concurrency
//
// A Store is safe for concurrent use by any number of goroutines, and several
// processes may share the same data. Leases keep two writers of one connection
// apart; a commit whose lease is lost changes nothing.
//
// # Limits
//
// A cursor, walk token, key, or id of a delivery, item or job is at most 4 KiB,
// a connection id at most 128 bytes, the body of a delivery at most 64 MiB and
// what sealing adds. Times are kept to the millisecond and come back in UTC. Readers are
// paged, with tokens that only the store understands; no method holds a
// database transaction while the caller's code runs.
package store
