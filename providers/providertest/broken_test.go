package providertest_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

// broken is the adapter with one thing wrong.
type broken struct {
	*adapter
	rt        http.RoundTripper
	name      func() string
	caps      func(providers.Capabilities) providers.Capabilities
	fetch     func(context.Context, providers.Credential, providers.Query) (providers.Page, error)
	remap     func(health.RawPage) ([]health.Record, error)
	authorize func(context.Context, providers.AuthRequest) (providers.AuthStart, error)
	exchange  func(context.Context, providers.Callback) (providers.Grant, error)
	refresh   func(context.Context, providers.Credential) (providers.Credential, error)
	revoke    func(context.Context, providers.Credential) error
	recover   func(context.Context, providers.Credential) (providers.Credential, error)
	sub       func(context.Context, providers.Credential, providers.Subscription) (providers.Subscription, error)
	unsub     func(context.Context, providers.Credential, providers.Subscription) error
	traits    func(*providers.WebhookTraits)
	webhook   func(time.Time, *providers.WebhookRequest) ([]providers.Notification, error)
	probe     func(*providers.WebhookRequest) (providers.ProbeAnswer, bool)
	verify    func(time.Time, *providers.WebhookRequest) (time.Time, error)
	payload   func(context.Context, providers.Notification, io.Writer) error
	content   func(time.Time, providers.Notification, *providers.WebhookRequest) ([]providers.Notification, error)
	confirm   func(context.Context, string, providers.Callback) (string, error)
	people    func(context.Context, string) (providers.UpstreamPage, error)
}

func (b *broken) VerifyWebhook(now time.Time, r *providers.WebhookRequest) (time.Time, error) {
	if b.verify != nil {
		return b.verify(now, r)
	}
	return b.adapter.VerifyWebhook(now, r)
}

func (b *broken) FetchPayload(ctx context.Context, n providers.Notification, w io.Writer) error {
	if b.payload != nil {
		return b.payload(ctx, n, w)
	}
	return b.adapter.FetchPayload(ctx, n, w)
}

func (b *broken) ParsePayload(now time.Time, n providers.Notification, r *providers.WebhookRequest) ([]providers.Notification, error) {
	if b.content != nil {
		return b.content(now, n, r)
	}
	return b.adapter.ParsePayload(now, n, r)
}

func (b *broken) Confirm(ctx context.Context, reference string, cb providers.Callback) (string, error) {
	if b.confirm != nil {
		return b.confirm(ctx, reference, cb)
	}
	return b.adapter.Confirm(ctx, reference, cb)
}

func (b *broken) UpstreamUsers(ctx context.Context, token string) (providers.UpstreamPage, error) {
	if b.people != nil {
		return b.people(ctx, token)
	}
	return b.adapter.UpstreamUsers(ctx, token)
}

func (b *broken) Name() string {
	if b.name != nil {
		return b.name()
	}
	return b.adapter.Name()
}

func (b *broken) Capabilities() providers.Capabilities {
	if b.caps != nil {
		return b.caps(b.adapter.Capabilities())
	}
	return b.adapter.Capabilities()
}

func (b *broken) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	if b.fetch != nil {
		return b.fetch(ctx, cred, q)
	}
	return b.adapter.Fetch(ctx, cred, q)
}

func (b *broken) Remap(p health.RawPage) ([]health.Record, error) {
	if b.remap != nil {
		return b.remap(p)
	}
	return b.adapter.Remap(p)
}

func (b *broken) Authorize(ctx context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	if b.authorize != nil {
		return b.authorize(ctx, r)
	}
	return b.adapter.Authorize(ctx, r)
}

func (b *broken) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	if b.exchange != nil {
		return b.exchange(ctx, cb)
	}
	return b.adapter.Exchange(ctx, cb)
}

func (b *broken) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	if b.refresh != nil {
		return b.refresh(ctx, cred)
	}
	return b.adapter.Refresh(ctx, cred)
}

func (b *broken) Revoke(ctx context.Context, cred providers.Credential) error {
	if b.revoke != nil {
		return b.revoke(ctx, cred)
	}
	return b.adapter.Revoke(ctx, cred)
}

func (b *broken) Recover(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	if b.recover != nil {
		return b.recover(ctx, cred)
	}
	return b.adapter.Recover(ctx, cred)
}

func (b *broken) Subscribe(ctx context.Context, cred providers.Credential, s providers.Subscription) (providers.Subscription, error) {
	if b.sub != nil {
		return b.sub(ctx, cred, s)
	}
	return b.adapter.Subscribe(ctx, cred, s)
}

func (b *broken) Unsubscribe(ctx context.Context, cred providers.Credential, s providers.Subscription) error {
	if b.unsub != nil {
		return b.unsub(ctx, cred, s)
	}
	return b.adapter.Unsubscribe(ctx, cred, s)
}

func (b *broken) ParseWebhook(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	if b.webhook != nil {
		return b.webhook(now, r)
	}
	return b.adapter.ParseWebhook(now, r)
}

func (b *broken) WebhookTraits() providers.WebhookTraits {
	traits := b.adapter.WebhookTraits()
	if b.traits != nil {
		b.traits(&traits)
	}
	return traits
}

func (b *broken) ProbeWebhook(r *providers.WebhookRequest) (providers.ProbeAnswer, bool) {
	if b.probe != nil {
		return b.probe(r)
	}
	return b.adapter.ProbeWebhook(r)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// through puts something between the adapter and the wire.
func (b *broken) through(between func(http.RoundTripper, *http.Request) (*http.Response, error)) {
	a, err := newAdapter(providertest.BaseURL, roundTripper(func(r *http.Request) (*http.Response, error) { return between(b.rt, r) }))
	if err != nil {
		panic(err)
	}
	b.adapter = a
}

func changed(change func(*providers.Notification), answers bool) func(*broken) {
	return func(b *broken) {
		b.webhook = news(b, func(_ *providers.WebhookRequest, n *providers.Notification) {
			if (n.Reference == "request-1") == answers {
				change(n)
			}
		})
	}
}

// variants are adapters that each break one rule, by the case that must tell.
func variants() map[string]map[string]func(*broken) {
	all := map[string]map[string]func(*broken){}
	for _, some := range []map[string]map[string]func(*broken){brokenData(), brokenFaults(), brokenAbilities(), brokenWebhooks(), brokenAggregators()} {
		maps.Copy(all, some)
	}
	return all
}

// TestBrokenAdapters runs the suite on adapters that each break one rule:
// exactly the case of that rule must tell.
func TestBrokenAdapters(t *testing.T) {
	if proof.WithoutRace(t) {
		return
	}
	all := variants()
	for _, id := range providertest.CaseIDs() {
		require.NotEmpty(t, all[id], "no adapter breaks the rule %q", id)
	}
	for id, ways := range all {
		for way, wrong := range ways {
			t.Run(id+"/"+way, func(t *testing.T) {
				h := harness(nil)
				h.New = func(tb testing.TB, base string, rt http.RoundTripper) providers.Provider {
					a, err := newAdapter(base, rt)
					require.NoError(tb, err)
					b := &broken{adapter: a, rt: rt}
					wrong(b)
					return b
				}
				var told []string
				err := providertest.Check(t, h)
				if joined, ok := err.(interface{ Unwrap() []error }); ok {
					for _, err := range joined.Unwrap() {
						var f *providertest.Failure
						require.ErrorAs(t, err, &f)
						told = append(told, f.ID)
					}
				}
				require.Equal(t, []string{id}, told, "%v", err)
			})
		}
	}
}
