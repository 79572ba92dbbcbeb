// Package faultproxy is a TCP proxy that breaks connections on purpose: it
// cuts, resets, hangs, delays, slows down and slices them, or cuts off the
// target altogether. It knows nothing of what it carries, so that it stands in
// front of HTTP servers and of Redis alike.
//
//	p, err := faultproxy.New(faultproxy.Config{
//		Target: "127.0.0.1:6379", Seed: seed,
//		Plan: faultproxy.Script(faultproxy.Fault{At: faultproxy.InReply, How: faultproxy.Reset}),
//	})
//	defer p.Close()
//	client := redis.NewClient(&redis.Options{Addr: p.Addr()})
//
// A plan gives each connection its [Fault]. The set is that of toxiproxy:
//
//	latency, jitter      Latency, Jitter
//	cut before request   At: InRequest
//	cut after request    At: InReply           (the target has begun to answer)
//	cut mid-request      At: InRequest, Bytes: n
//	cut mid-reply        At: InReply, Bytes: n (limit_data)
//	cut after reply      At: AfterReply
//	reset_peer           How: Reset, at any of these
//	hang, timeout        How: Hang, at any of these
//	bandwidth            Rate
//	slicer               Slice
//	down                 Proxy.Partition
//
// # Errors
//
// New fails when it cannot listen. A target that cannot be reached ends the
// connection, and the ledger says so.
//
// # Concurrency
//
// A Proxy may be used concurrently. A plan is called by one goroutine at a
// time.
//
// # Limits
//
// Connections are numbered as they are accepted: a run repeats exactly if the
// clients connect in the same order. A client that is refused sees a connection
// that is reset at once, not one that nobody accepts.
package faultproxy
