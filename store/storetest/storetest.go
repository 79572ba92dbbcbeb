package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// Harness tells the suite how to reach the store under test.
type Harness struct {
	// Fresh throws away all data. It is called in front of every case, with
	// no store open.
	Fresh func(testing.TB)
	// Open opens a store on the data as it is: every call between two calls
	// of Fresh opens the same data, as several processes would. The suite
	// closes what it opens.
	Open func(testing.TB) store.Store
	// Bubble says that the store's clock is package time's and that the
	// store, if opened in a testing/synctest bubble, lets the bubble's clock
	// go on. Without it cases about expiry wait for real time.
	Bubble bool
	// TTL is how long leases in cases about expiry last outside of a bubble:
	// long against the store's slowest call. 0 is half a second.
	TTL time.Duration
	// Sequences is how many random histories are compared with the model; 0
	// is 10. The seed is logged, and taken from the environment variable
	// VITALMUX_SEED if that is set.
	Sequences int
}

// Failure is a case that a store does not pass.
type Failure struct {
	Case string // the identifier of the case
	Rule string // the rule in words
	Err  error  // what was seen
}

// Error implements error.
func (f *Failure) Error() string { return f.Case + ": " + f.Rule + ": " + f.Err.Error() }

// Unwrap returns what was seen.
func (f *Failure) Unwrap() error { return f.Err }

// Run runs every case as a subtest.
func Run(t *testing.T, h Harness) {
	seed := seedOf(t)
	for _, tc := range cases() {
		t.Run(tc.id, func(t *testing.T) {
			if f := tc.run(t, h, seed); f != nil {
				t.Error(f)
			}
		})
	}
}

// Check runs every case and returns the failures joined, nil if there are
// none. It does not fail t.
func Check(t *testing.T, h Harness) error { return check(t, h, cases()) }

func check(t *testing.T, h Harness, list []testCase) error {
	seed := seedOf(t)
	var errs []error
	for _, tc := range list {
		if f := tc.run(t, h, seed); f != nil {
			errs = append(errs, f)
		}
	}
	return errors.Join(errs...)
}

func seedOf(tb testing.TB) uint64 {
	seed := rand.Uint64()
	if text := os.Getenv("VITALMUX_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			tb.Fatalf("VITALMUX_SEED: %v", err)
		}
		seed = n
	}
	tb.Logf("replay with VITALMUX_SEED=%d", seed)
	return seed
}

// testCase is one rule and its check.
type testCase struct {
	id, rule string
	timed    bool // time must pass
	heavy    bool // takes as long as many others
	check    func(c *checker)
}

// cases returns all cases.
func cases() []testCase {
	var all []testCase
	for _, group := range [][]testCase{
		recordCases(), versionCases(), pageCases(), absentCases(), sampleCases(), readCases(),
		cursorCases(), leaseCases(), feedCases(), connectionCases(), credentialCases(),
		scheduleCases(), inboxCases(), jobCases(), settingCases(), lifeCases(), concurrencyCases(), modelCases(),
	} {
		all = append(all, group...)
	}
	return all
}

func (tc testCase) run(t *testing.T, h Harness, seed uint64) *Failure {
	var err error
	if tc.timed && h.Bubble {
		synctest.Test(t, func(t *testing.T) { err = tc.attempt(t, h, seed) })
	} else {
		err = tc.attempt(t, h, seed)
	}
	if err != nil {
		return &Failure{Case: tc.id, Rule: tc.rule, Err: err}
	}
	return nil
}

// attempt runs the check against fresh data.
func (tc testCase) attempt(t *testing.T, h Harness, seed uint64) (err error) {
	h.Fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	c := &checker{tb: t, h: h, ctx: ctx, rand: rand.New(rand.NewPCG(seed, 0)), ttl: h.TTL}
	switch {
	case h.Bubble:
		c.ttl = time.Minute
	case c.ttl == 0:
		c.ttl = 500 * time.Millisecond
	}
	defer func() {
		cancel()
		for _, s := range c.opened {
			_ = s.Close()
		}
		if r := recover(); r != nil {
			stop, ok := r.(stopped)
			if !ok {
				panic(r)
			}
			err = stop.err
		}
	}()
	c.s = c.open()
	tc.check(c)
	return nil
}

// checker is what a check works with. Its failing methods end the check, and
// must be called on the goroutine that runs it.
type checker struct {
	tb     testing.TB
	h      Harness
	ctx    context.Context
	s      store.Store // open
	opened []store.Store
	rand   *rand.Rand
	ttl    time.Duration // of leases that are to expire
}

// stopped is the panic that ends a check.
type stopped struct{ err error }

func (c *checker) fail(format string, args ...any) {
	panic(stopped{fmt.Errorf(format, args...)})
}

// ok wants no error.
func (c *checker) ok(err error, what string, args ...any) {
	if err != nil {
		c.fail("%s: %w", fmt.Sprintf(what, args...), err)
	}
}

// is wants an error that wraps target.
func (c *checker) is(err, target error, what string, args ...any) {
	if !errors.Is(err, target) {
		c.fail("%s: got error %v, want %v", fmt.Sprintf(what, args...), err, target)
	}
}

// that wants a condition.
func (c *checker) that(condition bool, what string, args ...any) {
	if !condition {
		c.fail(what, args...)
	}
}

// open opens one more store on the same data.
func (c *checker) open() store.Store {
	s := c.h.Open(c.tb)
	c.opened = append(c.opened, s)
	return s
}

// expire lets more time pass than leases of c.ttl last.
func (c *checker) expire() { time.Sleep(c.ttl + c.ttl/4) }
