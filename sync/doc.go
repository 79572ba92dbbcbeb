// Package sync is the engine that keeps every connection's records complete
// and current. Import it as healthsync, because the name collides with the
// standard library's.
//
// An [Engine] joins providers and a store: it plans windows, walks pages,
// commits each page together with the cursor, refreshes credentials before
// they end, and tells the host what happened through [Hooks] and the store's
// change feed. Several processes may run an engine on the same store; leases
// in the store keep two of them off one connection.
//
// A page is fetched at least once and written with its cursor in one atomic
// step under an idempotent upsert: together that is effectively once. A cursor
// never moves past data that is not durable.
//
// Processes on one store may have different providers, as they do while a new one
// is rolled out: each leaves the connections and the deliveries of providers that
// it does not have as they are, to those that have them.
//
// # Errors
//
// Errors wrap the classes of package providers and the sentinels of package
// store. [ErrConnectionState] is returned for a connection that must not be
// worked on. Messages never hold tokens, bodies or health values.
//
// # Concurrency
//
// An Engine is safe for concurrent use. [Engine.Run] owns every goroutine the
// engine starts in the background and returns when all have ended.
//
// # Limits
//
// Memory is bounded by a page, not by a history; only walks that may find
// deletions hold the keys of one window. A walk ends after
// [Config.MaxPages] pages.
//
// Absence is taken for a deletion only in the part of a window that is over,
// and only by a walk that one process made from its first page to its last: in
// [Engine.Run] one of at most [Config.Slice] pages, which no rate limit and no
// failure cut. A walk that showed no record at all is believed when the same part
// is still empty a day later: the deletion of an only record is seen late, and
// one empty answer deletes nothing. A service whose page tokens count rows may skip a row when
// another is deleted while a walk goes on; reconciliation finds it.
//
// Rate limits are kept per process, unless the processes that share an
// application share a [Config.Budget]: without one they learn of each other by
// the service's refusals, and wait. Requests that an adapter repeats, because
// they failed, are not counted again.
//
// Backfills leave a fifth of each limit to other work, and other work as much to a
// backfill that waits: where there is more to read than a limit allows, both go on,
// at that pace.
// Connections that share a limit, and together ask for more than it allows, take
// turns, longest wait first: each is read less often than its interval says. A
// process knows the turns that it gave itself; hosts that distribute the work, and
// several processes, keep that order less exactly. See [Config.Interval].
//
// A connection whose provider no process has stays due: Run looks past it, at the
// cost of reading that it is due, but it takes up room in what [Engine.Due]
// returns. Disconnect the connections of a provider before it is given up for good.
package sync
