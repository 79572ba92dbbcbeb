package faultstore

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"sync"

	"github.com/vitalmux/vitalmux/store"
)

// Kind is a kind of fault.
type Kind string

// The kinds.
const (
	// Busy: the store was locked for too long, and did nothing.
	Busy Kind = "busy"
	// LostCall: the call timed out, and was not applied.
	LostCall Kind = "lost call"
	// LostReply: the call timed out, but was applied as far as it could be. Its
	// result is lost.
	LostReply Kind = "lost reply"
	// Unavailable: the store could not be reached, and did nothing.
	Unavailable Kind = "unavailable"
)

// ErrTimeout leaves the caller in doubt whether the call was applied. It wraps
// [os.ErrDeadlineExceeded], as errors of network connections do.
var ErrTimeout = fmt.Errorf("faultstore: %w", os.ErrDeadlineExceeded)

// ErrUnavailable says that the store could not be reached.
var ErrUnavailable = errors.New("faultstore: store unavailable")

// Config says which faults happen by chance.
type Config struct {
	// Seed decides which calls fail.
	Seed uint64
	// Rate is the share of calls that fail, from 0 to 1.
	Rate float64
	// Kinds are the kinds that chance chooses from, all alike. Empty is all.
	Kinds []Kind
	// Methods are the methods that chance may let fail. Empty is all that have
	// faults.
	Methods []string
}

// Fault is a fault that happened.
type Fault struct {
	Method string
	Call   int // which call of the method, from 1
	Kind   Kind
}

var _ store.Store = (*Store)(nil)

// Store is a store with faults. Methods that it does not override are those of
// the store it wraps.
type Store struct {
	store.Store
	config Config

	mu     sync.Mutex
	calls  map[string]int
	script map[string][]scripted
	outage int
	log    []Fault
}

// scripted is what the next calls of a method meet.
type scripted struct {
	calls int
	kind  Kind
}

// New puts faults before inner.
func New(inner store.Store, c Config) *Store {
	if len(c.Kinds) == 0 {
		c.Kinds = []Kind{Busy, LostCall, LostReply, Unavailable}
	}
	return &Store{Store: inner, config: c, calls: make(map[string]int), script: make(map[string][]scripted)}
}

// Fail lets the next n calls of the method fail, after those that earlier calls
// of Fail asked for; with a negative n all further ones. An empty kind lets
// them pass. It panics if the method has no faults.
func (s *Store) Fail(method string, n int, kind Kind) {
	if !slices.Contains(Methods(), method) {
		panic("faultstore: no faults for method " + method)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script[method] = append(s.script[method], scripted{n, kind})
}

// Outage lets the next n calls of any methods with faults find the store
// unavailable; with a negative n all further ones.
func (s *Store) Outage(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = n
}

// Heal ends all faults that were asked for, those by chance included.
func (s *Store) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage, s.config.Rate = 0, 0
	clear(s.script)
}

// Log returns the faults that happened, in order.
func (s *Store) Log() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Calls returns how often a method with faults was called.
func (s *Store) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// next counts a call and returns the fault that it meets; empty is none.
func (s *Store) next(method string) Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	call := s.calls[method]
	kind := s.asked(method)
	if kind == "" {
		kind = s.config.chance(method, call)
	}
	if kind == pass {
		return ""
	}
	if kind != "" {
		s.log = append(s.log, Fault{method, call, kind})
	}
	return kind
}

// pass is a scripted call without a fault.
const pass Kind = "pass"

// asked returns the fault that somebody asked for.
func (s *Store) asked(method string) Kind {
	for len(s.script[method]) > 0 {
		step := &s.script[method][0]
		if step.calls == 0 {
			s.script[method] = s.script[method][1:]
			continue
		}
		step.calls = max(step.calls-1, -1)
		if step.kind == "" {
			return pass
		}
		return step.kind
	}
	if s.outage != 0 {
		s.outage = max(s.outage-1, -1)
		return Unavailable
	}
	return ""
}

// chance returns the fault that chance has for a call.
func (c Config) chance(method string, call int) Kind {
	if c.Rate <= 0 || len(c.Methods) > 0 && !slices.Contains(c.Methods, method) {
		return ""
	}
	h := fnv.New64a()
	h.Write([]byte(method))
	random := rand.New(rand.NewPCG(c.Seed^h.Sum64(), uint64(call)))
	if random.Float64() >= c.Rate {
		return ""
	}
	return c.Kinds[random.IntN(len(c.Kinds))]
}

// result makes a call, or lets it fail.
func result[T any](s *Store, method string, call func() (T, error)) (T, error) {
	var nothing T
	switch kind := s.next(method); kind {
	case "":
		return call()
	case Busy:
		return nothing, store.ErrBusy
	case Unavailable:
		return nothing, ErrUnavailable
	case LostReply:
		// Whether it succeeded is what the caller does not get to know.
		_, _ = call()
		return nothing, ErrTimeout
	case LostCall:
		return nothing, ErrTimeout
	default:
		panic("faultstore: no such kind of fault: " + kind)
	}
}

// only is result for a call that returns an error and nothing else.
func only(s *Store, method string, call func() error) error {
	_, err := result(s, method, func() (struct{}, error) { return struct{}{}, call() })
	return err
}
