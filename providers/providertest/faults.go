package providertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

// canary is in the bodies that the suite injects; no error may hold it.
const canary = "canary-7f3a9c"

// wireFault is a fault of HTTP or of the network.
type wireFault struct {
	id, rule string
	class    error
	broken   func(next http.Handler) http.Handler
	// also checks the error further; nil does not.
	also func(*session, *providers.Error) error
}

func wireFaults() []wireFault {
	return []wireFault{
		{"status-429", "429 with seconds is ErrRateLimited until then", providers.ErrRateLimited,
			answers(429, canary, "Retry-After", "120"), retryIn(2 * time.Minute)},
		{"status-429-date", "429 with a date is ErrRateLimited until then", providers.ErrRateLimited,
			func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					now := time.Now().UTC()
					w.Header().Set("Date", now.Format(http.TimeFormat))
					w.Header().Set("Retry-After", now.Add(2*time.Minute).Format(http.TimeFormat))
					w.WriteHeader(http.StatusTooManyRequests)
				})
			}, retryIn(2 * time.Minute)},
		{"status-429-absurd", "a Retry-After of years counts as at most an hour", providers.ErrRateLimited,
			answers(429, canary, "Retry-After", "999999999"), func(_ *session, e *providers.Error) error {
				if e.RetryAt.IsZero() || time.Until(e.RetryAt) > time.Hour {
					return fmt.Errorf("RetryAt is in %v", time.Until(e.RetryAt))
				}
				return nil
			}},
		{"status-500", "500 is ErrUnavailable", providers.ErrUnavailable, answers(500, canary), nil},
		{"status-503", "503 is ErrUnavailable", providers.ErrUnavailable, answers(503, canary), nil},
		{"reset", "a connection that breaks before the answer is ErrUnavailable", providers.ErrUnavailable,
			func(http.Handler) http.Handler {
				return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			}, nil},
		{"truncated", "a body that ends early is ErrUnavailable", providers.ErrUnavailable, truncated, nil},
		{"hang", "a service that does not answer is ErrUnavailable within minutes", providers.ErrUnavailable,
			func(http.Handler) http.Handler {
				return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			}, func(*session, *providers.Error) error {
				if took := time.Since(Start()); took > 10*time.Minute {
					return fmt.Errorf("it took %v", took)
				}
				return nil
			}},
		{"redirect", "a redirect is not followed and is ErrMalformed", providers.ErrMalformed,
			answers(307, "", "Location", "https://elsewhere.example.net/"+canary), func(s *session, _ *providers.Error) error {
				if s.wire.elsewhere() > 0 {
					return errors.New("a request went to the other host")
				}
				return nil
			}},
		{"huge", "a body of 32 MiB is ErrMalformed", providers.ErrMalformed, huge, nil},
		{"html", "200 with a web page is ErrMalformed", providers.ErrMalformed,
			answers(200, "<!doctype html><title>"+canary+"</title>", "Content-Type", "text/html"), nil},
		{"empty", "200 without a body is ErrMalformed, not an empty page", providers.ErrMalformed, answers(200, ""), nil},
		{"null", "200 with null is ErrMalformed, not an empty page", providers.ErrMalformed, answers(200, "null"), nil},
		{"cut-json", "200 with half a JSON text is ErrMalformed", providers.ErrMalformed, halved, nil},
	}
}

// answers gives every request one answer.
func answers(status int, body string, header ...string) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
}

func retryIn(d time.Duration) func(*session, *providers.Error) error {
	return func(_ *session, e *providers.Error) error {
		if in := time.Until(e.RetryAt); in < d-time.Second || in > d+time.Second {
			return fmt.Errorf("RetryAt is in %v where the service said %v", in, d)
		}
		return nil
	}
}

// truncated promises the whole answer, sends half of it, and breaks.
func truncated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		half(next, w, r, true)
		panic(http.ErrAbortHandler)
	})
}

// halved sends half of the answer as if it were the whole.
func halved(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { half(next, w, r, false) })
}

func half(next http.Handler, w http.ResponseWriter, r *http.Request, promise bool) {
	whole := &answer{header: http.Header{}}
	next.ServeHTTP(whole, r)
	whole.WriteHeader(http.StatusOK)
	for name, values := range whole.sent {
		w.Header()[name] = values
	}
	w.Header().Del("Content-Length")
	if promise {
		w.Header().Set("Content-Length", strconv.Itoa(whole.body.Len()))
	}
	w.WriteHeader(whole.status)
	_, _ = w.Write(whole.body.Bytes()[:whole.body.Len()/2])
}

// huge is a body of 32 MiB that is made while it is read.
func huge(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"`+canary+`":"`)
		if a, ok := w.(*answer); ok {
			a.more = io.MultiReader(io.LimitReader(letters{}, 32<<20), strings.NewReader(`"}`))
		}
	})
}

// letters is an endless text.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// bodyFaults are the faults that the simulator makes itself.
func bodyFaults() []struct {
	fault Fault
	rule  string
	class error
} {
	return []struct {
		fault Fault
		rule  string
		class error
	}{
		{FaultBody, "200 with a passing failure in the body is ErrUnavailable", providers.ErrUnavailable},
		{FaultBodyRate, "200 with too many requests in the body is ErrRateLimited", providers.ErrRateLimited},
		{FaultForbidden, "a missing scope is ErrForbidden", providers.ErrForbidden},
		{FaultExpired, "an access token that is refused is ErrReauth with ExpiredAccess, and is not refreshed in secret", providers.ErrReauth},
	}
}

// forever is more requests than a case makes.
const forever = 1 << 30

func faultCases() []testCase {
	var all []testCase
	for _, f := range wireFaults() {
		all = append(all, testCase{f.id, f.rule, func(s *session) error {
			s.open(0)
			s.wire.breaks(f.broken)
			e, err := s.failedFetch(f.class)
			if err == nil && f.also != nil {
				err = f.also(s, e)
			}
			return err
		}})
	}
	for _, f := range bodyFaults() {
		all = append(all, testCase{"fault-" + string(f.fault), f.rule, func(s *session) error {
			s.open(0)
			if !s.sim.Fault(f.fault, forever) {
				return nil
			}
			e, err := s.failedFetch(f.class)
			if err != nil || f.fault != FaultExpired {
				return err
			}
			if !e.ExpiredAccess {
				return errors.New("ExpiredAccess is not set")
			}
			if refresh := s.cred.Refresh.Reveal(); refresh != "" && s.wire.bearing(0, refresh) > 0 {
				return errors.New("the refresh token was presented")
			}
			return nil
		}})
	}
	return append(all,
		testCase{"loop", "a walk that does not end is an error", checkLoop},
		testCase{"recovery", "what failed for a while works again afterwards", checkRecovery},
		testCase{"canceled", "a call returns at once when its context ends, and says so", checkCanceled},
		testCase{"secrets", "no error holds a token, a code, a client secret or a body", checkSecrets},
	)
}

func checkLoop(s *session) error {
	s.open(1)
	if !s.sim.Fault(FaultLoop, forever) {
		return nil
	}
	for _, st := range s.streams() {
		q := s.queries(st)[0]
		pages := 0
		for page, err := range providers.Pages(s.ctx, patient{s.provider, s}, s.cred, q) {
			if err != nil {
				if _, err = s.wantError(err, providers.ErrMalformed); err != nil {
					return fmt.Errorf("stream %s: %w", st.Name, err)
				}
				break
			}
			if pages++; pages > 200 {
				return fmt.Errorf("stream %s: %d pages and no error", st.Name, pages)
			}
			if !page.More {
				break // this stream has no pages
			}
		}
	}
	return nil
}

// patient is a provider that waits when told to.
type patient struct {
	providers.Provider
	s *session
}

func (p patient) Fetch(_ context.Context, _ providers.Credential, q providers.Query) (providers.Page, error) {
	return p.s.fetch(p.Provider, q)
}

func checkRecovery(s *session) error {
	s.open(3)
	for _, f := range wireFaults() {
		if f.id == "hang" || f.id == "huge" {
			continue // they take long and leave nothing behind
		}
		s.wire.breaks(f.broken)
		if _, err := s.failedFetch(f.class); err != nil {
			return nil // the case of this fault tells
		}
	}
	s.wire.breaks(nil)
	streams := s.streams()
	pages, err := s.walkAll(streams[0], nil)
	if err == nil {
		err = s.wantAll(streams[0].Name, pages)
	}
	return err
}

func checkCanceled(s *session) error {
	s.open(0)
	q, err := s.query()
	if err != nil {
		return err
	}
	for _, fault := range []func(http.Handler) http.Handler{
		func(http.Handler) http.Handler { // in a request
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		},
		answers(503, ""), // perhaps in a wait
	} {
		s.wire.breaks(fault)
		ctx, cancel := context.WithCancel(s.ctx)
		timer := time.AfterFunc(100*time.Millisecond, cancel)
		begin := time.Now()
		_, err := s.provider.Fetch(ctx, s.cred, q)
		took := time.Since(begin)
		timer.Stop()
		ended := ctx.Err() != nil
		cancel()
		switch {
		case err == nil:
			return errors.New("success without an answer")
		case !ended:
			continue // it failed before
		case took > 200*time.Millisecond:
			return fmt.Errorf("it took %v after the end", took-100*time.Millisecond)
		case !errors.Is(err, context.Canceled):
			return fmt.Errorf("the error does not tell: %v", err)
		}
	}
	return nil
}

func checkSecrets(s *session) error {
	s.open(0)
	q, err := s.query()
	if err != nil {
		return err
	}
	var texts []string
	try := func() {
		_, err := s.provider.Fetch(s.ctx, s.cred, q)
		texts = append(texts, describe(err))
		if r, ok := s.provider.(providers.Refresher); ok {
			_, err = r.Refresh(s.ctx, s.cred)
			texts = append(texts, describe(err))
		}
		if a, ok := s.provider.(providers.Authorizer); ok {
			_, err = a.Exchange(s.ctx, providers.Callback{
				Query: url.Values{"code": {canary}, "state": {canary}}, Secret: providers.NewSecret(canary),
			})
			texts = append(texts, describe(err))
		}
	}
	for _, f := range wireFaults() {
		s.wire.breaks(f.broken)
		try()
	}
	s.wire.breaks(nil)
	for _, f := range bodyFaults() {
		if s.sim.Fault(f.fault, forever) {
			try()
			s.sim.Fault(f.fault, 0)
		}
	}
	secrets := append(s.sim.MintedSecrets(), canary, s.cred.Access.Reveal(), s.cred.Refresh.Reveal(), s.cred.TokenSecret.Reveal())
	for _, secret := range secrets {
		for _, text := range texts {
			if secret != "" && (strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret))) {
				return errors.New("an error holds one")
			}
		}
	}
	return nil
}

// describe returns all that a host may log of an error.
func describe(err error) string {
	text := fmt.Sprintf("%v %+v", err, err)
	if e, ok := errors.AsType[*providers.Error](err); ok {
		text += fmt.Sprintf(" %s %s %s %s", e.Op, e.Code, e.Detail, e.RequestID)
	}
	return text
}
