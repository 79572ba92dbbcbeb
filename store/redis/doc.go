// Package redis is a [store.Store] on Redis 6.2 or later, over
// github.com/redis/go-redis/v9: a single node, a master under Sentinel, or a
// Cluster. Import it as redisstore. Payloads are packed with
// github.com/klauspost/compress.
//
// # Durability
//
// Redis keeps what it acknowledges only if it is told to. Open asks the servers
// and refuses, by name, a setting under which they may lose data: appendonly
// other than yes, appendfsync other than always, no-appendfsync-on-rewrite other
// than no, maxmemory-policy other than noeviction, and min-replicas-to-write 0
// where there are replicas. Options.AllowLossy opens the store all the same.
// Servers that do not permit CONFIG need Options.AssumeDurable. Settings that
// are changed later, and those of a replica that becomes master, are not seen.
//
// Replication is asynchronous (https://redis.io/docs/latest/operate/oss_and_stack/management/replication/):
// a failover may take back commits that were acknowledged, also with
// min-replicas-to-write. What is left is whole and in order: a cursor is taken
// back together with the data that it speaks of, and is compared when it moves,
// so that data is read again and nothing is missing below a cursor.
//
// # Keys
//
// All keys begin with the prefix, "vitalmux:" unless Options says otherwise, and
// a hash tag. Everything of a user is in one slot: the tag is a digest of the
// user, keyed by a secret of the store, so that keys name nobody. In what
// follows T is prefix and tag (35 bytes), C a connection's id, M a metric. One
// commit is one MULTI; it watches T, which all changes of the scope write, and
// the lease.
//
//	T          hash    head: user, last position of the feed, last number given
//	                   out, and the nonces of the last 16 changes; 200 B. Of an
//	                   erased user only that it was erased, and nonces
//	T:k        hash    connection -> fact, or "" if only its data is left; 150 B each
//	T:c:C      hash    credential and cursors of a connection
//	T:l:nCname string  lease: owner and fence; n is the length of C. Ends by itself
//	T:n:C      hash    name of a lease -> its last fence
//	T:d        hash    connection, kind and stream -> directory: the first and the last
//	                   key there was, where each chunk begins, its least key in line,
//	                   its days, its size when it was made; 13 to 37 B per chunk
//	T:h:C      hash    chunk -> head: key, start, revision, state of each record; 22 B
//	                   per record
//	T:b:C      hash    chunk -> body: contents, s2; 5 to 25 % of a JSON. Up to 2 KiB
//	                   are packed with a dictionary
//	T:x:C      hash    record that is not in line -> its start; 56 B each with short keys
//	T:p:C      hash    page -> digest, stream -> generation of its digests; 80 B per page
//	T:v:C      hash    stream -> coverage
//	T:o:M      hash    owner of samples -> where each of its chunks begins; 150 B, and
//	                   4 to 8 B per chunk
//	T:s:C      hash    chunk of up to 3,000 samples, zstd; about a byte per sample
//	T:z:C      hash    session -> its owners of samples
//	T:m        hash    metrics that have owners
//	T:w:C T:y:C        raw answers: what they are (90 B each), and zstd
//	T:q:C      hash    quarantine
//	T:f        zset    feed: a block per commit; 5 B per change of a page, 110 B of a
//	                   single one
//	T:a        hash    consumer -> acknowledged position
//	T:i T:j T:j:*      inbox items: heads, payloads, payloads over 64 KiB in pieces of
//	                   1 MiB
//	T:r        zset    digests of the inbox items that the user got, for 7 days
//	T:e T:g    hash    settings, ids of connect flows
//	T:u:*      string  a right to write a fact for its claim, for 5 seconds
//	T:t        hash    connections and accounts whose claims may have no fact
//
// A chunk has 128 records when it is new, or 24 KiB of contents, and is split at
// twice that; one commit changes few of them. Records are in line while those
// that begin later have greater keys, shorter keys before longer ones, as where a
// service numbers them: then the directory is enough to find one by its key. The
// others have a field in T:x, and one that is looked for may have the head of a
// chunk more read.
//
// A page of new records takes three round trips within its slot: the scope and its
// directory; the heads and bodies of the chunks that change; the MULTI. Keys
// between the first and the last one of their directory take one more, to heads and
// T:x, and another if there is a body that only then is known to be needed. Records
// that are as they were take two, and pages of known digests one. A new record in
// line of 112 packed bytes (476 as JSON) takes 62 B of memory in all.
//
// The endpoint scope has a few slots of its own. Its indexes are hints: claims
// are made before the fact, and not believed without it.
//
//	{index}:meta                        hash  version of the layout, the secret
//	{index}:connections, order, upstream, scopes   connection -> scope, connections in
//	                                    order, account -> connection, all scopes; 300 B
//	                                    per connection
//	{inbox}:fixed, state, status, order, order:*, settled, body:*   deliveries
//	{due}:tasks, at:*                   set, and a zset of connections by time per task
//	{jobs}:fixed, state, order          jobs
//	{feed}:count, scopes, floors, sweeps   who told something, and up to where each
//	                                    consumer has acknowledged all
//	{settings}, {settings}:*            the store's own settings, users by setting
//	T, T:taken                          a connect flow, in a slot of its own
//
// # Errors
//
// Besides the sentinels of package store, methods return errors that wrap
// [ErrUnavailable], [ErrAuth], [ErrMemory], [ErrForeign] or [ErrDamaged], and
// Open [ErrServer]. A call that finds a server that starts, a replica in place of a
// master, a Cluster that is not complete or moves slots, or a network that
// breaks, tries again for Options.Patience; what it does twice has one effect.
// When the patience or the context ends within a change, it may have been made.
// A store whose servers are emptied under it begins no user's scope any more, with
// ErrDamaged, until it is opened again.
// No error holds what the server said beyond its code.
//
// # Concurrency
//
// A Store is safe for concurrent use, and so are several processes on one
// prefix. Writers of one user make each other begin again; those of one process
// take turns. A commit of 64 records or more uses several processors. Leases end
// by the server's clock; no date of a client decides anything.
//
// # Limits
//
// All of a user is on one node, and so are the deliveries, the jobs and the
// index. In a Cluster a claim counts once as many replicas have it (WAIT) as
// min-replicas-to-write says, which Open reads; with AllowLossy, or without CONFIG,
// nothing waits. A failover to a replica that has not got the claim takes it back,
// of a connection that the user's node keeps: that one is listed with its user, and
// not found by its id. Redis keeps all of it in memory. An erased user's data is in
// the append-only file until that is rewritten: BGREWRITEAOF, or by itself as the
// file grows. The client writes to stderr when connections fail, unless the program
// calls SetLogger of go-redis. At its maxmemory a server refuses all writes, Erase
// among them; reads go on.
package redis
