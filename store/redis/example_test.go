package redis_test

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

// ExampleOpen commits a record to a server that was started for it, and reads
// what changed.
func ExampleOpen() {
	server, err := redistest.Start(redistest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	ctx := context.Background()
	s, err := redisstore.Open(ctx, redisstore.Options{Redis: goredis.UniversalOptions{Addrs: []string{server.Addr()}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	result, err := s.Commit(ctx, store.Batch{
		User: "ann", Connection: "scale", Unfenced: true, Now: testNow, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: "measure", Records: []health.Record{weight("scale", "1", testNow, 70_000)}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Inserted, "inserted")
	changes, err := s.Changes(ctx, "example", 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range changes {
		fmt.Println(c.User, c.Cause, c.Key, c.Day)
	}
	// Output:
	// 1 inserted
	// ann live measure/1 2026-11-21
}
