// Package asynq spreads the work of the engine over a fleet of processes, by
// github.com/hibiken/asynq on the Redis that holds the store. Import it as
// fleet.
//
//	budget, err := fleet.NewBudget(client, "")
//	engine, err := healthsync.New(healthsync.Config{Store: db, Workers: -1, Budget: budget, ...})
//	err = fleet.Run(ctx, fleet.Config{Engine: engine, Store: db, Redis: client})
//
// Every process of the fleet does this. [Run] is the engine's own Run with
// another distribution of the work: one process at a time looks what is due and
// puts it into queues, and all take from them. A store that is shared does not
// need it: Run of N engines shares the work by leases too. What the queues add
// is that one process looks instead of N, that asynq's tools show and steer what
// happens, and that a process of many workers takes no more than it can do.
//
// # What is in the queues
//
// A task is one turn of [healthsync.Engine.Work]: "sync" reads what is new,
// works on what deliveries brought and reconciles; "subscribe" renews
// subscriptions; "backfill" reads some windows of the past. The first two are in
// the queue NAME-live, backfills in NAME-backfill, which is taken from only when
// the other one is empty. What deliveries bring is assigned to connections, and
// what is left to do at providers is done, by the engine's Run in each process,
// which shares that by leases.
//
// The due times of the store are the truth. [Config.Ahead] bounds how many tasks
// a queue holds, which are taken from there in the order in which they became due,
// and nothing is lost with it: a task that Redis lost, or that was archived, is
// put there again when [Config.Unique] has passed and it is still due. Within
// that time a connection has one task of each kind; one that is due again at the
// end of its turn follows within some two seconds. A task that is there twice all
// the same, because it waited for longer, does no harm: leases and fences keep two
// turns off one connection.
//
// # Rate limits
//
// A [Budget] keeps the limits that providers declare for all processes
// together. Of each limit there is one bucket in Redis with as many tokens as
// requests are allowed in a period; time is that of Redis, so that clocks may
// differ. A request takes a token, which is in the bucket again a period after its
// answer was there, not earlier: no period of a limit's length sees more requests
// than allowed, wherever the service lets its own windows begin. A bucket that is
// refilled at a constant rate would let twice as many through in its first period.
// A request without an answer after a period and half a minute, or two periods if
// that is less, gives its token back until it has one: by as many a limit may then
// be exceeded.
//
// What services say about their limits reaches the budget in two ways. By
// [providers.Page.Left] and [providers.Error.Left], which adapters take from
// headers such as Fitbit-Rate-Limit-Remaining: until the limit is renewed the
// whole fleet then sends no more requests than are left, whoever spent the
// others, and backfills leave as many of them as of the declared limit. A service
// that sends no such header is known by its declared limits alone. And by
// [providers.Error.RetryAt], a Retry-After: the whole fleet leaves the connection
// alone until then. A refusal that is about the whole application and tells
// nothing but the time is found out by each process for itself: it costs one
// refused request of each.
//
// # Failures
//
// A turn that fails because of the provider is no failure of the task: the
// engine has set when the connection is due again. A task fails when the store
// does not take that. It is tried again [Config.MaxRetry] times within about
// half a minute and then archived, where asynq's inspector finds it. Deliveries
// that cannot be worked on are the engine's dead letters, as ever.
//
// When ctx ends no more tasks are taken, those under way end with the page they
// are at and go back to the queue, and Run returns. A process that dies leaves
// its leases behind, in the store and in asynq; the first end after the engine's
// LeaseTTL, and its connections are worked on again when Config.Unique has
// passed, or when asynq has noticed, which takes it one to two minutes.
//
// # Errors
//
// Errors of Redis are those of go-redis, with what was attempted. The engine
// does not send a request when the budget cannot be asked.
//
// # Concurrency
//
// A Budget may be used concurrently. Run owns every goroutine it starts. One
// process may call it for several engines with different names.
//
// # Limits
//
// The client may be one of a single server, of a master under Sentinel, or of a
// Cluster: what is to change together is in one slot. A failover may take back
// what was queued, which is still due then, and bookings of the last moment, so
// that a limit may be exceeded by as many requests.
//
// A booked request costs some 100 bytes of Redis until it no longer counts:
// what a limit allows in its period is what its key can hold. asynq reads the
// clocks of the processes for retries and leases; they may differ by seconds.
// How often a task has failed in a row is counted per process, so that pauses
// between attempts grow more slowly in a large fleet. The keys of asynq begin
// with "asynq:", whatever the prefix of the store is: two fleets on one server
// need two names.
package asynq
