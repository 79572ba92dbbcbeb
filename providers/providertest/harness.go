package providertest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// BaseURL is the address of the simulated service that [Harness].New is given.
const BaseURL = "https://service.example.com"

// Start returns when the clock of each case begins.
func Start() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

// Harness is what the suite needs to know of an adapter.
type Harness struct {
	// Sim returns a fresh service with its data, by the clock of time.Now. It
	// answers with pages of pageSize data where it has pages; 0 is its own
	// size. A few pages of each stream with a page size of 3 are enough.
	Sim func(tb testing.TB, pageSize int) Simulator
	// New returns the adapter for a service at base, which sends its requests
	// by rt. Every value it returns must serve the same people.
	New func(tb testing.TB, base string, rt http.RoundTripper) providers.Provider
	// Zone of the person, given in every query; nil is unknown.
	Zone *time.Location
}

// Simulator is a simulated service. It is used from several goroutines.
type Simulator interface {
	http.Handler
	// Login returns credentials of a person who has the service's data: each
	// time new ones, all of which work.
	Login() providers.Credential
	// Window holds all data of the stream. Zero means that the service has
	// none for this stream, except for providers.GrainNone, which has no
	// windows. It may be longer than the stream's MaxWindow.
	Window(stream string) health.Window
	// WantKeys returns the keys of the records that a walk of Window must give.
	WantKeys(stream string) []string
	// Change adds or edits one datum within Window and returns its record's
	// key, which WantKeys holds from then on; "" if the stream cannot change.
	Change(stream string) string
	// Fault makes the service answer the next n requests with a fault; n = 0
	// ends it. It is false if the service has no such fault.
	Fault(fault Fault, n int) bool
	// MintedSecrets returns all tokens, codes and client secrets so far, and
	// any other text that must not be in an error.
	MintedSecrets() []string
}

// Fault is a failure that each service tells in its own way.
type Fault string

// The faults.
const (
	// FaultBody is an answer 200 whose body tells of a passing failure.
	FaultBody Fault = "body"
	// FaultBodyRate is an answer 200 whose body tells of too many requests.
	FaultBodyRate Fault = "body-rate"
	// FaultExpired is the answer to an access token that has expired.
	FaultExpired Fault = "expired"
	// FaultForbidden is the answer to a token that lacks a scope.
	FaultForbidden Fault = "forbidden"
	// FaultLoop is a list of pages that never ends: every page announces
	// another one that was there before.
	FaultLoop Fault = "loop"
)

// Consenter is a [Simulator] whose people connect with providers.Authorizer.
type Consenter interface {
	// RedirectURL is a registered callback address.
	RedirectURL() string
	// Consent opens an authorization address as a browser does, consents, and
	// returns the address the browser is sent back to.
	Consent(authorizeURL string) (string, error)
}

// Subscribing is a [Simulator] for providers.Subscriber.
type Subscribing interface {
	// Subscription is one that the service accepts, without an ID.
	Subscription() providers.Subscription
}

// Delivering is a [Simulator] for providers.WebhookParser.
type Delivering interface {
	// Deliveries returns genuine deliveries by the clock of time.Now, one at
	// least of each event that the service tells. Where it signs, there may
	// be forged ones besides those that the suite makes itself.
	Deliveries() (genuine, forged []*providers.WebhookRequest)
}

// Signing is a [Delivering] simulator of a service that signs, as
// providers.WebhookTraits.Signed says.
type Signing interface {
	// Sign returns a genuine delivery of any body, made at the given time,
	// and whether what is signed includes the time. The signature is in a
	// header.
	Sign(body []byte, at time.Time) (delivery *providers.WebhookRequest, dated bool)
}

// Pointing is a [Delivering] simulator for providers.PayloadFetcher.
type Pointing interface {
	// Pointers returns genuine deliveries that each do nothing but point to
	// their content: to one that is there and readable, to one whose address
	// has ended, and to an address that is not the service's.
	Pointers() (good, ended, foreign *providers.WebhookRequest)
}

// Deferring is a [Delivering] simulator of a service that answers some requests
// by deliveries.
type Deferring interface {
	// Defer returns a query that it answers so.
	Defer() providers.Query
	// Deferred returns all deliveries that belong to the request with the
	// reference, in any order.
	Deferred(reference string) []*providers.WebhookRequest
}

// Confirming is a [Simulator] for providers.Confirmer.
type Confirming interface {
	// Confirmed returns the reference of a connect flow that led to a grant,
	// and the upstream id of the person.
	Confirmed() (reference, upstreamID string)
}

// Peopled is a [Simulator] for providers.Lister, with pages of two people.
type Peopled interface {
	// People returns the upstream ids of all people, three at least.
	People() []string
}

// Failure is a rule that an adapter breaks.
type Failure struct {
	ID   string // of the case
	Rule string // in words
	Err  error  // what was seen
}

// Error returns the ID, the rule and what was seen.
func (f *Failure) Error() string { return fmt.Sprintf("%s: %s: %v", f.ID, f.Rule, f.Err) }

// Unwrap returns what was seen.
func (f *Failure) Unwrap() error { return f.Err }

// Run runs all cases as subtests.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range cases() {
		t.Run(c.id, func(t *testing.T) {
			if err := c.run(t, h); err != nil {
				t.Errorf("%s: %v", c.rule, err)
			}
		})
	}
}

// Check runs all cases and returns what they find as *[Failure] values, joined;
// nil if nothing. It must not be called in a bubble.
func Check(t *testing.T, h Harness) error {
	t.Helper()
	var failures []error
	for _, c := range cases() {
		if err := c.run(t, h); err != nil {
			failures = append(failures, &Failure{ID: c.id, Rule: c.rule, Err: err})
		}
	}
	return errors.Join(failures...)
}

// testCase is one rule of the contract.
type testCase struct {
	id, rule string
	check    func(*session) error
}

// patience is how long a case may take by the clock of its bubble before it
// counts as hanging.
const patience = 90 * 24 * time.Hour

func (c testCase) run(t *testing.T, h Harness) error {
	var result error
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(Start()))
		s := &session{tb: t, h: h, done: make(chan struct{})}
		found := make(chan error, 1)
		go func() {
			defer func() {
				if p := recover(); p != nil {
					found <- fmt.Errorf("panic: %v", p)
				}
			}()
			found <- c.check(s)
		}()
		timeout := time.NewTimer(patience)
		defer timeout.Stop()
		select {
		case result = <-found:
			close(s.done)
		case <-timeout.C:
			result = errors.New("a call does not return")
			close(s.done) // breaks the connections, so that it does
		}
	})
	return result
}

func cases() []testCase {
	return slices.Concat(dataCases(), faultCases(), abilityCases(), webhookCases(), aggregateCases())
}
