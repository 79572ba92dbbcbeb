package sync_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// opener opens a new store, and returns it and what lists the files that hold
// its bytes. A store in memory has none, and no such function.
type opener func(testing.TB) (s store.Store, files func() []string)

// stores are the stores that a proof runs on, by name.
func stores(t testing.TB) map[string]opener {
	all := map[string]opener{
		"memory": func(testing.TB) (store.Store, func() []string) { return store.NewMemory(), nil },
		"sqlite": openFile,
		"redis":  openRedis,
	}
	if testing.Short() {
		t.Log("redis is left out by -short: it needs redis-server")
		delete(all, "redis")
	}
	return all
}

func openFile(t testing.TB) (store.Store, func() []string) {
	file := filepath.Join(t.TempDir(), "health.db")
	s, err := sqlitestore.Open(context.Background(), file, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, func() []string { return []string{file, file + "-wal", file + "-shm"} }
}

// openRedis starts a server. Its append-only file holds all that was ever
// written until it is rewritten, which happens whenever the files are listed.
func openRedis(t testing.TB) (store.Store, func() []string) {
	dir := t.TempDir()
	// What is searched for would not be found in compressed strings.
	server, err := redistest.Start(redistest.Config{Args: []string{"--dir", dir, "--rdbcompression", "no"}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	s, err := redisstore.Open(context.Background(), redisstore.Options{Redis: goredis.UniversalOptions{Addrs: []string{server.Addr()}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, func() []string {
		require.NoError(t, server.RewriteAOF())
		var all []string
		for _, pattern := range []string{"appendonly.aof", "appendonlydir/*"} { // before Redis 7, and since
			found, err := filepath.Glob(filepath.Join(dir, pattern))
			require.NoError(t, err)
			all = append(all, found...)
		}
		require.NotEmpty(t, all)
		return all
	}
}

// bytesIn returns which texts are in which of the files. A file may be gone.
func bytesIn(t testing.TB, files []string, texts ...string) []string {
	var found []string
	for _, name := range files {
		content, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		for _, text := range texts {
			if bytes.Contains(content, []byte(text)) {
				found = append(found, filepath.Base(name)+": "+text)
			}
		}
	}
	return found
}
