package proofs

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// backend is what the engines of a world keep their data in.
type backend int

const (
	onSQLite backend = iota // a file
	onRedis                 // a redis-server that syncs each write before it answers
)

// short reports whether proofs that need redis-server are left out.
func short(t *testing.T) bool {
	if testing.Short() {
		t.Log("left out by -short: it needs redis-server")
	}
	return testing.Short()
}

// strictest returns the last n of the modes, and all at full counts.
func strictest(n int, all []mode) []mode {
	return all[len(all)-proof.N(n, len(all)):]
}

// serve starts what a store needs, in the folder, and returns the address of
// the store and the server, which is nil for a file.
func (b backend) serve(t *testing.T, dir string) (address string, server *redistest.Server) {
	t.Helper()
	if b == onSQLite {
		return filepath.Join(dir, "store.db"), nil
	}
	// What is searched for would not be found in compressed files.
	server, err := redistest.Start(redistest.Config{Args: []string{"--dir", dir, "--rdbcompression", "no"}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return "redis://" + server.Addr(), server
}

// openStore opens the store at an address: a URL of Redis, or the path of a
// file.
func openStore(ctx context.Context, address string) (store.Store, error) {
	if !strings.HasPrefix(address, "redis://") {
		return opened(sqlitestore.Open(ctx, address, nil))
	}
	servers, err := redisstore.ParseURL(address)
	if err != nil {
		return nil, err
	}
	return opened(redisstore.Open(ctx, redisstore.Options{Redis: servers}))
}

// opened makes a store of what an Open returned, and nil of an error.
func opened[S store.Store](s S, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}
