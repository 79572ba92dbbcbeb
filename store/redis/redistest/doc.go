// Package redistest runs real Redis servers for tests and examples: a single
// node, a master with replicas under Sentinel, and a Cluster. The servers are
// processes of the redis-server binary on free ports of the loopback interface,
// with directories of their own that are removed in the end.
//
//	server, err := redistest.Start(redistest.Config{})
//	if err != nil {
//		return err
//	}
//	defer server.Close()
//	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
//
// A server keeps what it acknowledges unless it is told otherwise (appendonly
// yes, appendfsync always), and can be made to fail: [Server.Kill] sends
// SIGKILL, [Server.Stop] and [Server.Cont] hold it and let it go on,
// [Server.Restart] starts it again on the same port and directory.
//
// # Errors
//
// [ErrMissing] says that there is no redis-server, and how to install it.
// Other errors hold the last lines of the server's log.
//
// # Concurrency
//
// A Server may be used by several goroutines, except that Kill, Restart and
// Close are called one at a time.
//
// # Limits
//
// Redis 6.2 or later, on a system with POSIX signals. Servers end with the
// process that started them on Linux; elsewhere a process that is killed leaves
// them running.
package redistest
