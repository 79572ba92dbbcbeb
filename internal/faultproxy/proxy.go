package faultproxy

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Config says where a proxy leads to and what it breaks.
type Config struct {
	// Target is the address that connections are passed on to.
	Target string
	// Seed decides what plans draw, and the jitter.
	Seed uint64
	// Plan gives each connection its fault. Nil is none.
	Plan Plan
}

// Conn is what happened to one connection.
type Conn struct {
	N     int // counted from 0
	Fault Fault
	// Requested and Replied count the bytes that were written to the target
	// and to the client.
	Requested, Replied int64
	// Broken says that the fault's point was reached.
	Broken bool
	// Ended says what ended the connection: client, target, fault, partition,
	// or proxy. It is empty while the connection is open.
	Ended string
}

// Proxy passes connections on until it is closed.
type Proxy struct {
	config   Config
	listener net.Listener
	running  sync.WaitGroup

	mu          sync.Mutex
	links       []*link // all there ever were, by number
	partitioned bool
	closed      bool
}

// New starts a proxy on a free port of the loopback interface.
func New(c Config) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if c.Plan == nil {
		c.Plan = Script()
	}
	p := &Proxy{config: c, listener: listener}
	p.running.Go(p.accept)
	return p, nil
}

// Addr returns the address to connect to, as host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Partition cuts the target off, or lets it be reached again: connections that
// are open are reset, new ones at once.
func (p *Proxy) Partition(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partitioned = on
	if on {
		for _, l := range p.links {
			l.end("partition", true)
		}
	}
}

// Ledger returns what happened to each connection so far, by number.
func (p *Proxy) Ledger() []Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Conn, len(p.links))
	for i, l := range p.links {
		l.mu.Lock()
		all[i] = l.Conn
		l.mu.Unlock()
	}
	return all
}

// Close ends all connections and returns when nothing of them runs any more.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	_ = p.listener.Close()
	for _, l := range p.links {
		l.end("proxy", false)
	}
	p.mu.Unlock()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of file descriptors, or a client that left again.
			time.Sleep(time.Millisecond)
			continue
		}
		p.begin(client)
	}
}

func (p *Proxy) begin(client net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.links)
	l := &link{client: client, done: make(chan struct{}), seed: p.config.Seed}
	l.N = n // what is random about a link follows from its number
	l.Fault = p.config.Plan(n, l.random(0))
	p.links = append(p.links, l)
	switch {
	case p.closed:
		l.end("proxy", false)
	case p.partitioned:
		l.end("partition", true)
	default:
		p.running.Go(func() { l.run(p.config.Target) })
	}
}

// link is one connection.
type link struct {
	client, target net.Conn // target is set before the first pump runs
	seed           uint64
	done           chan struct{} // closed when the link has ended

	mu sync.Mutex
	Conn
	hung  bool
	first string // the side that ended first
}

// random returns random numbers that depend on the seed, the link and the use.
func (l *link) random(use uint64) *rand.Rand {
	return rand.New(rand.NewPCG(l.seed, uint64(l.N)<<2|use))
}

// end closes both sides. The first cause stays.
func (l *link) end(cause string, reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Ended != "" {
		return
	}
	l.Ended = cause
	close(l.done)
	if tcp, ok := l.client.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = l.client.Close()
	if l.target != nil {
		_ = l.target.Close()
	}
}

func (l *link) run(address string) {
	if l.Fault.At == OnConnect {
		l.breakDown()
		if l.Fault.How != Hang {
			return
		}
	}
	target, err := net.Dial("tcp", address)
	if err != nil {
		l.end("target", true)
		return
	}
	l.mu.Lock()
	l.target = target
	over := l.Ended != ""
	l.mu.Unlock()
	if over {
		_ = target.Close()
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(l.client, l.target, InRequest, "client", l.random(1)) })
	pumps.Go(func() { l.pump(l.target, l.client, InReply, "target", l.random(2)) })
	pumps.Wait()
	l.end(l.first, false)
}

// pump passes on what comes from one side until that side, or the link, ends.
func (l *link) pump(from, to net.Conn, direction Point, name string, random *rand.Rand) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		for rest := buffer[:n]; len(rest) > 0; {
			size, breaks := l.allow(direction, len(rest))
			if size > 0 {
				if !l.wait(l.Fault.Latency + jitter(random, l.Fault.Jitter)) {
					return
				}
				// Before the write: whoever sees the bytes finds them counted.
				l.count(direction, size)
				if _, err := to.Write(rest[:size]); err != nil {
					l.end(opposite(name), true)
					return
				}
				if l.Fault.Rate > 0 && !l.wait(time.Duration(size)*time.Second/time.Duration(l.Fault.Rate)) {
					return
				}
				rest = rest[size:]
			}
			if breaks {
				l.breakDown()
			}
			if size == 0 { // what arrives after the break is dropped
				break
			}
		}
		switch {
		case err == nil:
		case l.isHung():
			// Only the client's leaving ends a link that hangs.
			if direction == InRequest {
				l.end("client", false)
			}
			return
		case errors.Is(err, io.EOF):
			// The other direction goes on, as long as its side wants.
			l.mu.Lock()
			if l.first == "" {
				l.first = name
			}
			l.mu.Unlock()
			if tcp, ok := to.(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
			}
			return
		default:
			l.end(name, true)
			return
		}
	}
}

// allow returns how many of n bytes may pass next, and whether the connection
// then breaks.
func (l *link) allow(direction Point, n int) (size int, breaks bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hung || l.Ended != "" {
		return 0, false
	}
	if l.Fault.At == AfterReply && direction == InRequest && l.Replied > 0 {
		return 0, true
	}
	size = n
	if l.Fault.Slice > 0 {
		size = min(size, l.Fault.Slice)
	}
	if l.Fault.Rate > 0 {
		// A tenth of a second's worth, so that slow is not the same as late.
		size = min(size, max(1, l.Fault.Rate/10))
	}
	if l.Fault.At == direction {
		passed := l.Requested
		if direction == InReply {
			passed = l.Replied
		}
		if left := l.Fault.Bytes - passed; int64(size) >= left {
			return int(left), true
		}
	}
	return size, false
}

func (l *link) count(direction Point, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if direction == InRequest {
		l.Requested += int64(n)
	} else {
		l.Replied += int64(n)
	}
}

// breakDown lets the fault happen.
func (l *link) breakDown() {
	l.mu.Lock()
	l.Broken = true
	l.hung = l.Fault.How == Hang
	l.mu.Unlock()
	if l.Fault.How != Hang {
		l.end("fault", l.Fault.How == Reset)
	}
}

func (l *link) isHung() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hung
}

// wait reports false if the link ended meanwhile.
func (l *link) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.done:
		return false
	case <-timer.C:
		return true
	}
}

func jitter(random *rand.Rand, most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return time.Duration(random.Int64N(int64(most)))
}

func opposite(side string) string {
	if side == "client" {
		return "target"
	}
	return "client"
}
