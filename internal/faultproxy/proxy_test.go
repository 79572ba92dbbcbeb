package faultproxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/internal/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that answers each line with the line. It counts what it
// received.
type echo struct {
	listener net.Listener
	received atomic.Int64
}

func startEcho(t *testing.T) *echo {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e := &echo{listener: listener}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 1024)
				line := ""
				for {
					n, err := conn.Read(buffer)
					e.received.Add(int64(n))
					line += string(buffer[:n])
					for {
						whole, rest, ok := strings.Cut(line, "\n")
						if !ok {
							break
						}
						line = rest
						_, _ = io.WriteString(conn, whole+"\n")
					}
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	return e
}

func start(t *testing.T, c faultproxy.Config) *faultproxy.Proxy {
	p, err := faultproxy.New(c)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

func dial(t *testing.T, p *faultproxy.Proxy) net.Conn {
	conn, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// refused connects where the connection is reset at once, which the client may
// see while it connects or when it reads.
func refused(t *testing.T, p *faultproxy.Proxy) error {
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Read(make([]byte, 1))
	return err
}

// ended waits until the connection of the number has ended.
func ended(t *testing.T, p *faultproxy.Proxy, n int) faultproxy.Conn {
	require.Eventually(t, func() bool {
		all := p.Ledger()
		return len(all) > n && all[n].Ended != ""
	}, patience, time.Millisecond)
	return p.Ledger()[n]
}

// TestBreaks sends a line of ten bytes, reads, and sends another one.
func TestBreaks(t *testing.T) {
	const line = "123456789\n"
	for _, c := range []struct {
		fault              faultproxy.Fault
		got                string
		requested, replied int64
		ended              string
	}{
		{faultproxy.Fault{}, line + line, 20, 20, "client"},
		{faultproxy.Fault{Slice: 3}, line + line, 20, 20, "client"},
		{faultproxy.Fault{At: faultproxy.OnConnect}, "", 0, 0, "fault"},
		{faultproxy.Fault{At: faultproxy.InRequest}, "", 0, 0, "fault"},
		{faultproxy.Fault{At: faultproxy.InRequest, Bytes: 4}, "", 4, 0, "fault"},
		{faultproxy.Fault{At: faultproxy.InRequest, Bytes: 4, Slice: 3}, "", 4, 0, "fault"},
		{faultproxy.Fault{At: faultproxy.InRequest, Bytes: 14}, line, 14, 10, "fault"},
		{faultproxy.Fault{At: faultproxy.InReply}, "", 10, 0, "fault"},
		{faultproxy.Fault{At: faultproxy.InReply, Bytes: 4}, line[:4], 10, 4, "fault"},
		{faultproxy.Fault{At: faultproxy.AfterReply}, line, 10, 10, "fault"},
		{faultproxy.Fault{At: faultproxy.InReply, Bytes: 100}, line + line, 20, 20, "client"},
	} {
		for _, how := range []faultproxy.How{faultproxy.Close, faultproxy.Reset, faultproxy.Hang} {
			c := c
			c.fault.How = how
			t.Run(fmt.Sprintf("%+v", c.fault), func(t *testing.T) {
				t.Parallel()
				e := startEcho(t)
				p := start(t, faultproxy.Config{Target: e.listener.Addr().String(), Plan: faultproxy.Script(c.fault)})
				if c.fault.At == faultproxy.OnConnect && how != faultproxy.Hang {
					failed := refused(t, p)
					require.Error(t, failed)
					require.Equal(t, how == faultproxy.Reset, errors.Is(failed, syscall.ECONNRESET))
					require.Equal(t, faultproxy.Conn{Fault: c.fault, Broken: true, Ended: "fault"}, ended(t, p, 0))
					require.Equal(t, "next\n", whole(t, p), "the next connection has no fault")
					return
				}
				conn := dial(t, p)
				var got []byte
				var failed error
				for i := 1; i <= 2 && failed == nil; i++ {
					within := patience
					if how == faultproxy.Hang && len(c.got) < i*len(line) {
						within = time.Second
					}
					failed = exchange(t, conn, line, within, &got)
				}
				if c.ended == "client" {
					require.NoError(t, failed)
				} else if how == faultproxy.Hang {
					require.ErrorIs(t, failed, os.ErrDeadlineExceeded)
					require.Empty(t, p.Ledger()[0].Ended)
				} else if how == faultproxy.Close && c.replied > 0 {
					require.Error(t, failed)
				} else if how == faultproxy.Reset {
					require.True(t, errors.Is(failed, syscall.ECONNRESET) || errors.Is(failed, syscall.EPIPE), "%v", failed)
				}
				require.Equal(t, c.got, string(got))
				require.NoError(t, conn.Close())
				last := ended(t, p, 0)
				want := faultproxy.Conn{
					Fault: c.fault, Requested: c.requested, Replied: c.replied,
					Broken: c.ended == "fault", Ended: c.ended,
				}
				if how == faultproxy.Hang {
					want.Ended = "client"
				}
				require.Equal(t, want, last)
				require.Eventually(t, func() bool { return e.received.Load() == c.requested }, patience, time.Millisecond)
				require.Equal(t, "next\n", whole(t, p), "the next connection has no fault")
			})
		}
	}
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// exchange sends a line and reads as many bytes, or as many as come.
func exchange(t *testing.T, conn net.Conn, line string, within time.Duration, got *[]byte) error {
	require.NoError(t, conn.SetDeadline(time.Now().Add(within)))
	if _, err := io.WriteString(conn, line); err != nil {
		return err
	}
	buffer := make([]byte, len(line))
	n, err := io.ReadFull(conn, buffer)
	*got = append(*got, buffer[:n]...)
	return err
}

func whole(t *testing.T, p *faultproxy.Proxy) string {
	conn := dial(t, p)
	_, err := io.WriteString(conn, "next\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	return line
}

func TestSlow(t *testing.T) {
	for name, c := range map[string]struct {
		fault faultproxy.Fault
		least time.Duration // there and back
	}{
		"latency": {faultproxy.Fault{Latency: 50 * time.Millisecond}, 100 * time.Millisecond},
		"jitter":  {faultproxy.Fault{Latency: 20 * time.Millisecond, Jitter: 50 * time.Millisecond}, 40 * time.Millisecond},
		"rate":    {faultproxy.Fault{Rate: 100}, 50 * time.Millisecond}, // what is passed on waits afterwards
		"sliced":  {faultproxy.Fault{Slice: 1, Latency: 10 * time.Millisecond}, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEcho(t)
			p := start(t, faultproxy.Config{Target: e.listener.Addr().String(), Plan: faultproxy.Script(c.fault)})
			began := time.Now()
			require.Equal(t, "next\n", whole(t, p))
			took := time.Since(began)
			if name != "rate" {
				require.GreaterOrEqual(t, took, c.least)
				return
			}
			// A hundred bytes a second, ten at a time: 30 bytes wait twice.
			p = start(t, faultproxy.Config{Target: e.listener.Addr().String(), Plan: faultproxy.Script(c.fault)})
			began = time.Now()
			conn := dial(t, p)
			_, err := io.WriteString(conn, strings.Repeat("x", 29)+"\n")
			require.NoError(t, err)
			_, err = bufio.NewReader(conn).ReadString('\n')
			require.NoError(t, err)
			require.GreaterOrEqual(t, time.Since(began), 200*time.Millisecond)
		})
	}
}

func TestPartition(t *testing.T) {
	e := startEcho(t)
	p := start(t, faultproxy.Config{Target: e.listener.Addr().String()})
	open := dial(t, p)
	var got []byte
	require.NoError(t, exchange(t, open, "hello\n", patience, &got))

	p.Partition(true)
	require.Error(t, exchange(t, open, "hello\n", patience, &got))
	require.ErrorIs(t, refused(t, p), syscall.ECONNRESET)
	require.Equal(t, "hello\n", string(got))
	require.Equal(t, "partition", ended(t, p, 0).Ended)
	require.Equal(t, faultproxy.Conn{N: 1, Ended: "partition"}, ended(t, p, 1))

	p.Partition(false)
	require.Equal(t, "next\n", whole(t, p))
}

func TestTargetIsGone(t *testing.T) {
	e := startEcho(t)
	p := start(t, faultproxy.Config{Target: e.listener.Addr().String()})
	require.NoError(t, e.listener.Close())
	require.ErrorIs(t, refused(t, p), syscall.ECONNRESET)
	require.Equal(t, faultproxy.Conn{Ended: "target"}, ended(t, p, 0))
}

func TestCloseEndsWhatIsOpen(t *testing.T) {
	e := startEcho(t)
	p, err := faultproxy.New(faultproxy.Config{Target: e.listener.Addr().String(), Plan: faultproxy.Script(
		faultproxy.Fault{At: faultproxy.InRequest, How: faultproxy.Hang}, faultproxy.Fault{Latency: time.Hour},
	)})
	require.NoError(t, err)
	for n := range 2 {
		conn := dial(t, p)
		_, err := io.WriteString(conn, "hello\n")
		require.NoError(t, err)
		require.Eventually(t, func() bool { return len(p.Ledger()) == n+1 }, patience, time.Millisecond)
	}
	p.Close()
	for n := range 2 {
		require.Equal(t, "proxy", p.Ledger()[n].Ended)
	}
	_, err = net.Dial("tcp", p.Addr())
	require.Error(t, err)
}

// TestHTTP: what the client and the handler see of a cut before and after the
// request.
func TestHTTP(t *testing.T) {
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			served.Add(1)
			fmt.Fprintf(w, "got %d", len(body))
		}
	}))
	defer server.Close()
	p := start(t, faultproxy.Config{Target: server.Listener.Addr().String(), Plan: faultproxy.Script(
		faultproxy.Fault{},
		faultproxy.Fault{At: faultproxy.InRequest},
		faultproxy.Fault{At: faultproxy.InRequest, Bytes: 60},
		faultproxy.Fault{At: faultproxy.InReply},
		faultproxy.Fault{At: faultproxy.InReply, Bytes: 20, How: faultproxy.Reset},
		faultproxy.Fault{At: faultproxy.AfterReply},
		faultproxy.Fault{Slice: 1},
	)})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	post := func() (string, error) {
		answer, err := client.Post("http://"+p.Addr(), "text/plain", strings.NewReader(strings.Repeat("x", 1000)))
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return string(body), err
	}
	for n, want := range []struct {
		ok     bool
		served int64 // so far
	}{{true, 1}, {false, 1}, {false, 1}, {false, 2}, {false, 3}, {true, 4}, {true, 5}} {
		body, err := post()
		require.Equal(t, want.ok, err == nil, "connection %d: %v", n, err)
		if want.ok {
			require.Equal(t, "got 1000", body)
		}
		require.Eventually(t, func() bool { return served.Load() == want.served }, patience, time.Millisecond, "connection %d", n)
	}
}

// TestPlansReplay: the same seed gives each connection the same fault, and Any
// draws from all of them.
func TestPlansReplay(t *testing.T) {
	faults := func(seed uint64) (all []faultproxy.Fault) {
		p := start(t, faultproxy.Config{Target: "127.0.0.1:1", Seed: seed, Plan: faultproxy.Any})
		for n := range 20 {
			if conn, err := net.Dial("tcp", p.Addr()); err == nil {
				require.NoError(t, conn.Close())
			}
			require.Eventually(t, func() bool { return len(p.Ledger()) == n+1 }, patience, time.Millisecond)
			all = append(all, p.Ledger()[n].Fault)
		}
		return all
	}
	require.Equal(t, faults(1), faults(1))
	require.NotEqual(t, faults(1), faults(2))

	points, hows, others := map[faultproxy.Point]bool{}, map[faultproxy.How]bool{}, map[string]bool{}
	random := rand.New(rand.NewPCG(1, 1))
	for n := range 500 {
		f := faultproxy.Any(n, random)
		points[f.At], hows[f.How] = true, true
		others["latency"] = others["latency"] || f.Latency > 0 && f.Jitter > 0
		others["rate"] = others["rate"] || f.Rate > 0
		others["slice"] = others["slice"] || f.Slice > 0
		others["bytes"] = others["bytes"] || f.Bytes > 0
	}
	require.Len(t, points, 5)
	require.Len(t, hows, 3)
	for name, drawn := range others {
		require.True(t, drawn, name)
	}
}
