// Package redis is a [store.Store] on Redis, over
// github.com/redis/go-redis/v9: a single node, a master under Sentinel, or a
// Cluster. Import it as redisstore.
//
// # Errors
//
// # Concurrency
//
// # Limits
package redis
