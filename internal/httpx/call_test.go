package httpx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

// script answers the attempts of a call one after the other.
type script struct {
	steps []func(context.Context) (string, error)
	calls int
}

func (s *script) attempt(ctx context.Context) (string, error) {
	s.calls++
	return s.steps[min(s.calls, len(s.steps))-1](ctx)
}

func fails(e providers.Error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return "partial", &e }
}

func succeeds(context.Context) (string, error) { return "done", nil }

func hangs(ctx context.Context) (string, error) {
	<-ctx.Done()
	return "", &providers.Error{Kind: providers.ErrUnavailable, Code: CodeTimeout, Err: ctx.Err()}
}

func TestCall(t *testing.T) {
	unavailable := fails(providers.Error{Kind: providers.ErrUnavailable})
	after := func(d time.Duration, kind error) func(context.Context) (string, error) {
		return func(context.Context) (string, error) {
			return "", &providers.Error{Kind: kind, RetryAt: time.Now().Add(d)}
		}
	}
	type steps []func(context.Context) (string, error)
	policy := Policy{Attempts: 3, AttemptTimeout: 10 * time.Second, MaxWait: 5 * time.Second}
	for _, c := range []struct {
		name       string
		policy     Policy
		steps      steps
		want       error // class; nil is success
		calls      int
		from, upTo time.Duration // how long it takes
	}{
		{"success", policy, steps{succeeds}, nil, 1, 0, 0},
		{"second try", policy, steps{unavailable, succeeds}, nil, 2, 250 * time.Millisecond, 500 * time.Millisecond},
		{"third try", policy, steps{unavailable, unavailable, succeeds}, nil, 3, 750 * time.Millisecond, 1500 * time.Millisecond},
		{"three fail", policy, steps{unavailable}, providers.ErrUnavailable, 3, 750 * time.Millisecond, 1500 * time.Millisecond},
		{"not retryable", policy, steps{fails(providers.Error{Kind: providers.ErrMalformed})}, providers.ErrMalformed, 1, 0, 0},
		{"consent", policy, steps{fails(providers.Error{Kind: providers.ErrReauth})}, providers.ErrReauth, 1, 0, 0},
		{"told to wait", policy, steps{after(4*time.Second, providers.ErrRateLimited), succeeds}, nil, 2, 4 * time.Second, 4 * time.Second},
		{"told to wait twice, too long together", policy, steps{after(4*time.Second, providers.ErrRateLimited)}, providers.ErrRateLimited, 2, 4 * time.Second, 4 * time.Second},
		{"told to wait too long", policy, steps{after(6*time.Second, providers.ErrRateLimited)}, providers.ErrRateLimited, 1, 0, 0},
		{"unavailable for too long", policy, steps{after(time.Hour, providers.ErrUnavailable)}, providers.ErrUnavailable, 1, 0, 0},
		{"told a time in the past", policy, steps{after(-time.Hour, providers.ErrUnavailable), succeeds}, nil, 2, 250 * time.Millisecond, 500 * time.Millisecond},
		{"one hangs", policy, steps{hangs, succeeds}, nil, 2, 10*time.Second + 250*time.Millisecond, 10*time.Second + 500*time.Millisecond},
		{"all hang", policy, steps{hangs}, providers.ErrUnavailable, 3, 30 * time.Second, 32 * time.Second},
		{"patient", Policy{Attempts: 3, AttemptTimeout: 10 * time.Second, MaxWait: 2 * time.Hour},
			steps{hangs, after(time.Hour, providers.ErrRateLimited), succeeds}, nil, 3, time.Hour + 10*time.Second, time.Hour + 11*time.Second},
		{"never wait", Policy{Attempts: 3, MaxWait: -1}, steps{unavailable}, providers.ErrUnavailable, 1, 0, 0},
		{"zero policy", Policy{}, steps{unavailable}, providers.ErrUnavailable, 1, 0, 0},
		{"once", Policy{Attempts: 1, MaxWait: time.Hour}, steps{unavailable}, providers.ErrUnavailable, 1, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, s := time.Now(), script{steps: c.steps}
				got, err := Call(t.Context(), c.policy, s.attempt)
				took := time.Since(start)
				if c.want == nil {
					require.NoError(t, err)
					require.Equal(t, "done", got)
				} else {
					require.ErrorIs(t, err, c.want)
					require.Empty(t, got)
				}
				require.Equal(t, c.calls, s.calls)
				require.GreaterOrEqual(t, took, c.from)
				require.LessOrEqual(t, took, c.upTo)
			})
		})
	}
}

func TestCallAndTheCallersContext(t *testing.T) {
	policy := Policy{Attempts: 3, AttemptTimeout: 10 * time.Second, MaxWait: time.Minute}
	slow := fails(providers.Error{Kind: providers.ErrUnavailable, RetryAt: time.Date(2000, 1, 1, 0, 0, 30, 0, time.UTC)})
	t.Run("canceled in an attempt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			start, s := time.Now(), script{steps: []func(context.Context) (string, error){hangs}}
			_, err := Call(ctx, policy, s.attempt)
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, time.Second, time.Since(start))
			require.Equal(t, 1, s.calls)
		})
	})
	t.Run("canceled in a wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			start, s := time.Now(), script{steps: []func(context.Context) (string, error){slow}}
			_, err := Call(ctx, policy, s.attempt)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, providers.ErrUnavailable)
			require.Equal(t, time.Second, time.Since(start))
			require.Equal(t, 1, s.calls)
		})
	})
	t.Run("an attempt that says canceled though the caller is there", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := script{steps: []func(context.Context) (string, error){
				fails(providers.Error{Kind: providers.ErrUnavailable, Err: context.Canceled}), succeeds,
			}}
			got, err := Call(t.Context(), policy, s.attempt)
			require.NoError(t, err)
			require.Equal(t, "done", got)
		})
	})
	t.Run("deadline before the wait would end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			start, s := time.Now(), script{steps: []func(context.Context) (string, error){slow}}
			_, err := Call(ctx, policy, s.attempt)
			require.ErrorIs(t, err, providers.ErrUnavailable)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			require.Zero(t, time.Since(start))
		})
	})
	t.Run("deadline of the caller in an attempt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			s := script{steps: []func(context.Context) (string, error){hangs}}
			_, err := Call(ctx, policy, s.attempt)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, 1, s.calls)
		})
	})
}

func TestCallAmbiguous(t *testing.T) {
	s := script{steps: []func(context.Context) (string, error){fails(providers.Error{Kind: providers.ErrMalformed, Ambiguous: true})}}
	_, err := Call(t.Context(), Policy{Attempts: 1}, s.attempt)
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.True(t, e.Ambiguous)
	_, err = Call(t.Context(), Policy{Attempts: 2}, s.attempt)
	require.ErrorAs(t, err, &e)
	require.False(t, e.Ambiguous)

	plain := errors.New("not of a provider")
	_, err = Call(t.Context(), Policy{Attempts: 3}, func(context.Context) (int, error) { return 0, plain })
	require.Equal(t, plain, err)
}

// TestAttemptsAreFreshRequests has each attempt signed anew and its body sent
// whole.
func TestAttemptsAreFreshRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies, signatures []string
		var attempts []int
		c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			bodies, signatures = append(bodies, string(b)), append(signatures, r.Header.Get("X-Nonce"))
			switch len(bodies) {
			case 1:
				panic(http.ErrAbortHandler)
			case 2:
				<-r.Context().Done()
			}
		}, func(cfg *Config) { cfg.Observe = func(e Event) { attempts = append(attempts, e.Attempt) } })
		signed := 0
		_, err := Call(t.Context(), c.Idempotent(), func(ctx context.Context) (*Response, error) {
			return c.Send(ctx, Request{Op: "fetch", Form: map[string][]string{"a": {"1"}}, Authorize: func(r *http.Request) error {
				signed++
				r.Header.Set("X-Nonce", string(rune('0'+signed)))
				return nil
			}})
		})
		require.NoError(t, err)
		require.Equal(t, []string{"a=1", "a=1", "a=1"}, bodies)
		require.Equal(t, []string{"1", "2", "3"}, signatures)
		require.Equal(t, []int{1, 2, 3}, attempts)
	})
}

func TestAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := newTestClient(t, func(_ http.ResponseWriter, r *http.Request) { calls++; <-r.Context().Done() }, nil)
		start := time.Now()
		_, err := Call(t.Context(), c.Once(), func(ctx context.Context) (*Response, error) {
			return c.Send(ctx, Request{Op: "subscribe"})
		})
		e := asProviderError(t, err)
		require.ErrorIs(t, e, providers.ErrUnavailable)
		require.Equal(t, CodeTimeout, e.Code)
		require.True(t, e.Ambiguous)
		require.Equal(t, 1, calls)
		require.Equal(t, DefaultAttemptTimeout, time.Since(start))
		require.NoError(t, t.Context().Err())
	})
}

func TestConfigOff(t *testing.T) {
	c := newTestClient(t, nil, func(cfg *Config) { cfg.Attempts, cfg.AttemptTimeout, cfg.MaxWait = -1, -1, -1 })
	calls := 0
	_, err := Call(t.Context(), c.Idempotent(), func(ctx context.Context) (int, error) {
		_, bounded := ctx.Deadline()
		require.False(t, bounded)
		calls++
		return 0, &providers.Error{Kind: providers.ErrUnavailable}
	})
	require.Error(t, err)
	require.Equal(t, 1, calls)
}
