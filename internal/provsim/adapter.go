package provsim

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// Name is the name of the provider unless configured.
const Name = "provsim"

// AdapterConfig describes the application to the adapter. Empty is the default
// of [Config] where there is one.
type AdapterConfig struct {
	// Name of the provider; empty means Name. With several, one process can
	// have several such providers.
	Name string
	// BaseURL is the address of the service. Required.
	BaseURL string
	// ClientID and ClientSecret of the application.
	ClientID     string
	ClientSecret providers.Secret
	// RedirectURL is used when an AuthRequest names none.
	RedirectURL string
	// SigningSecrets verify deliveries: one that any of them signed is
	// genuine. Nil means DefaultSigningSecret; a list that is empty or has a
	// secret of less than 16 bytes is an error.
	SigningSecrets []providers.Secret
	// Unsigned reads deliveries without a signature, and only as triggers.
	Unsigned bool
	// Triggers is WebhookTraits.Triggers.
	Triggers bool
	// MaxAge is how old a signed delivery may be; 0 means 5 minutes.
	MaxAge time.Duration
	// MaxBody is WebhookTraits.MaxBody.
	MaxBody int64
	// PendingFor is Capabilities.PendingFor.
	PendingFor time.Duration
	// Rotation is what the service does with refresh tokens.
	Rotation providers.Rotation
	// Limits are the request budgets; none for nil.
	Limits []providers.RateLimit
	// MaxWait is the longest a call waits before another attempt; 0 means
	// 5 s, negative never waits.
	MaxWait time.Duration
	// Timeout is the time for one attempt of a request; 0 means 30 s.
	Timeout time.Duration
	// Transport sends the requests; nil is a transport of the adapter's own.
	Transport http.RoundTripper
}

// Provider is the adapter. Make one with [New].
type Provider struct {
	cfg          AdapterConfig
	client       *httpx.Client
	capabilities providers.Capabilities
	// mac is macOf; a test counts its calls.
	mac func(secret, stamp string, body []byte) []byte
}

var (
	_ providers.Provider      = (*Provider)(nil)
	_ providers.Authorizer    = (*Provider)(nil)
	_ providers.Refresher     = (*Provider)(nil)
	_ providers.Revoker       = (*Provider)(nil)
	_ providers.Subscriber    = (*Provider)(nil)
	_ providers.WebhookParser = (*Provider)(nil)
	_ providers.Remapper      = (*Provider)(nil)

	_ providers.WebhookVerifier = (*Provider)(nil)
	_ providers.PayloadFetcher  = (*Provider)(nil)
	_ providers.Lister          = (*Provider)(nil)
)

// The codes of errors that the adapter makes itself.
const (
	codeCallback = "callback" // the callback is not one of this service, or not one at all
	codeWindow   = "window"   // a query that cannot be asked
	codeRows     = "rows"     // an answer that is not a list
)

// New returns the adapter, or an error of class ErrInvalid for a configuration
// that cannot work.
func New(cfg AdapterConfig) (*Provider, error) {
	if cfg.Name == "" {
		cfg.Name = Name
	}
	p := &Provider{cfg: cfg, mac: macOf}
	if p.cfg.ClientID == "" {
		p.cfg.ClientID = DefaultClientID
	}
	if p.cfg.ClientSecret.IsZero() {
		p.cfg.ClientSecret = providers.NewSecret(DefaultClientSecret)
	}
	if p.cfg.RedirectURL == "" {
		p.cfg.RedirectURL = DefaultRedirectURL
	}
	if p.cfg.SigningSecrets == nil {
		p.cfg.SigningSecrets = []providers.Secret{providers.NewSecret(DefaultSigningSecret)}
	}
	if p.cfg.MaxAge <= 0 {
		p.cfg.MaxAge = maxSkew
	}
	weak := func(s providers.Secret) bool { return len(s.Reveal()) < minSecret }
	if !cfg.Unsigned && (len(p.cfg.SigningSecrets) == 0 || slices.ContainsFunc(p.cfg.SigningSecrets, weak)) {
		return nil, p.fail("configure", providers.ErrInvalid, "signing secrets: none, or one of less than 16 bytes")
	}
	client, err := httpx.New(httpx.Config{
		Provider: cfg.Name, BaseURL: cfg.BaseURL, Transport: cfg.Transport, Limits: cfg.Limits, MaxWait: cfg.MaxWait,
		AttemptTimeout: cfg.Timeout,
	})
	if err != nil {
		return nil, &providers.Error{Provider: cfg.Name, Op: "configure", Kind: providers.ErrInvalid, Err: err}
	}
	p.client = client
	p.capabilities = providers.Capabilities{
		Rotation: cfg.Rotation, Push: true, Limits: cfg.Limits, PendingFor: cfg.PendingFor,
		Streams: []providers.Stream{
			{
				Name: StreamDaily, Kinds: []health.Kind{health.KindDaily}, Scopes: []string{StreamDaily},
				Grain: providers.GrainDay, MaxWindow: maxDays * 24 * time.Hour, Lookback: 48 * time.Hour, AbsenceDeletes: true,
			},
			{
				Name: StreamSamples, Kinds: []health.Kind{health.KindSamples}, Scopes: []string{StreamSamples},
				MaxWindow: maxSamples, Lookback: 24 * time.Hour, AbsenceDeletes: true,
			},
			{Name: StreamEvents, Kinds: []health.Kind{health.KindBody}, Scopes: []string{StreamEvents}, Changes: true},
		},
	}
	return p, nil
}

// Name returns the configured name.
func (p *Provider) Name() string { return p.cfg.Name }

// Capabilities returns the facts about the service.
func (p *Provider) Capabilities() providers.Capabilities { return p.capabilities }

// fail returns an error; the detail is a fixed text.
func (p *Provider) fail(op string, kind error, detail string) *providers.Error {
	return &providers.Error{Provider: p.cfg.Name, Op: op, Kind: kind, Detail: detail}
}

// send sends r for a person and decodes a 2xx answer into v.
func (p *Provider) send(ctx context.Context, cred providers.Credential, policy httpx.Policy, r httpx.Request, v any) (*httpx.Response, error) {
	r.User = cred.UpstreamID
	r.Authorize = func(req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+cred.Access.Reveal())
		return nil
	}
	return httpx.Call(ctx, policy, func(ctx context.Context) (*httpx.Response, error) {
		resp, err := p.client.Send(ctx, r)
		if err != nil {
			return nil, err
		}
		if e := p.client.StatusError(r.Op, resp); e != nil {
			var told struct {
				Error string `json:"error"`
			}
			known := []string{"token_expired", "invalid_token", "insufficient_scope", "not_found", "invalid_request"}
			if httpx.StrictUnmarshal(resp.Body, &told) == nil && slices.Contains(known, told.Error) {
				e.Code = told.Error
			}
			return nil, e
		}
		if httpx.StrictUnmarshal(resp.Body, v) != nil {
			return nil, p.client.Malformed(r.Op, "json", resp)
		}
		return resp, nil
	})
}

// page is one answer with rows.
type page struct {
	Rows []json.RawMessage `json:"rows"`
	Next string            `json:"next"`
	Mark string            `json:"mark"`
	// Reference is set when the rows come by deliveries.
	Reference string `json:"reference"`
}

// Fetch returns one page of one stream.
func (p *Provider) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	op := "fetch " + q.Stream
	form := url.Values{}
	window, milli := q.Window, func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	switch {
	case !isStream(q.Stream):
		e := p.fail("fetch", providers.ErrInvalid, "no such stream")
		e.Err = errors.ErrUnsupported
		return providers.Page{}, e
	case q.Stream == StreamEvents && q.HighWater != "":
		form.Set("since", q.HighWater)
	case q.Stream == StreamDaily && window.Days():
		form.Set("first", window.First.String())
		form.Set("last", window.Last.String())
	case q.Stream != StreamDaily && window.From.Before(window.To):
		form.Set("from", milli(window.From))
		form.Set("to", milli(window.To))
	default:
		e := p.fail(op, providers.ErrInvalid, "")
		e.Code = codeWindow
		return providers.Page{}, e
	}
	if q.PageToken != "" {
		form.Set("page", q.PageToken)
	}
	var got page
	resp, err := p.send(ctx, cred, p.client.Idempotent(), httpx.Request{Op: op, Path: "v1/" + q.Stream, Query: form}, &got)
	if err != nil {
		return providers.Page{}, err
	}
	switch {
	case got.Rows == nil || q.Stream == StreamEvents && got.Mark == "":
		return providers.Page{}, p.client.Malformed(op, codeRows, resp)
	case got.Next != "" && got.Next == q.PageToken:
		return providers.Page{}, p.client.Malformed(op, providers.CodePageLoop, resp)
	}
	out := providers.Page{
		Raw: []health.RawBody{{Name: q.Stream, Body: resp.Body}}, Date: resp.Date, PageToken: got.Next, More: got.Next != "", Candidate: got.Mark,
	}
	if got.Reference != "" {
		out.Pending, out.PageToken, out.More = &providers.Pending{Reference: got.Reference}, "", false
	}
	// The mark and the token of the next page tell nothing about the data.
	var digested []byte
	for _, row := range got.Rows {
		digested = append(append(digested, row...), '\n')
	}
	out.Digest = health.Digest(digested)
	out.Records, out.Quarantined = p.records(q.Stream, got.Rows)
	return out, nil
}

// Remap maps the stored answer of a page again.
func (p *Provider) Remap(raw health.RawPage) ([]health.Record, error) {
	var all []health.Record
	for _, body := range raw.Bodies {
		var got page
		if !isStream(raw.Stream) || httpx.StrictUnmarshal(body.Body, &got) != nil {
			return nil, p.fail("remap", providers.ErrMalformed, "not an answer of the stream")
		}
		records, _ := p.records(raw.Stream, got.Rows)
		all = append(all, records...)
	}
	return all, nil
}

// records maps rows, and sets those aside that cannot be mapped.
func (p *Provider) records(stream string, rows []json.RawMessage) (all []health.Record, aside []providers.Quarantined) {
	for i, raw := range rows {
		var row Row
		if httpx.StrictUnmarshal(raw, &row) != nil || row.ID == "" || row.At <= 0 || row.Modified <= 0 || len(row.Points) > 24*60 {
			aside = append(aside, providers.Quarantined{Key: stream + "/#" + strconv.Itoa(i), Reason: "not a row", Raw: raw})
			continue
		}
		all = append(all, row.Record(p.cfg.Name, stream))
	}
	return all, aside
}

// Record returns the record of a row, the way the adapter of the given name
// maps it.
func (r Row) Record(provider, stream string) health.Record {
	out := health.Record{
		Key: stream + "/" + r.ID, Method: health.MethodSensed,
		Source: health.Source{Provider: provider, Path: health.PathDirect},
		Rev:    health.Rev{Order: r.Modified, Mapping: 1},
	}
	at := time.UnixMilli(r.At).UTC()
	switch stream {
	case StreamDaily:
		out.Kind = health.KindDaily
		out.Span = health.Span{Day: health.DayOf(at)}
		out.Values = []health.Value{{Metric: health.MetricSteps, Number: health.Int(r.Value)}}
	case StreamSamples:
		out.Kind = health.KindSamples
		end := at.Add(time.Duration(len(r.Points)) * time.Minute)
		out.Span = health.Span{Start: health.Instant(r.At), End: health.Instant(end.UnixMilli())}
		series := health.Series{Metric: health.MetricHeartRate, From: r.At, To: end.UnixMilli(), Values: slices.Clone(r.Points)}
		for i := range r.Points {
			series.Times = append(series.Times, r.At+int64(i)*time.Minute.Milliseconds())
		}
		out.Series = []health.Series{series}
	case StreamEvents:
		out.Kind = health.KindBody
		out.Span = health.Span{Start: health.Instant(r.At)}
		out.Values = []health.Value{{Metric: health.MetricBodyWeight, Number: health.Decimal{Coefficient: r.Value, Exponent: -3}}}
	}
	if r.Deleted {
		out.State, out.Values, out.Series = health.StateDeleted, nil, nil
	}
	return out
}

// Authorize returns the address of the consent page, with a PKCE challenge. It
// makes no request.
func (p *Provider) Authorize(_ context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	if r.State == "" {
		return providers.AuthStart{}, p.fail("authorize", providers.ErrInvalid, "the service requires a state")
	}
	scopes := r.Scopes
	if scopes == nil {
		scopes = streamNames()
	}
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	u := p.client.Base().JoinPath("oauth/authorize")
	u.RawQuery = url.Values{
		"response_type": {"code"}, "client_id": {p.cfg.ClientID}, "redirect_uri": {p.redirect(r.RedirectURL)}, "state": {r.State},
		"scope":          {strings.Join(scopes, " ")},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	return providers.AuthStart{URL: u.String(), Secret: providers.NewSecret(verifier)}, nil
}

func (p *Provider) redirect(asked string) string {
	if asked == "" {
		return p.cfg.RedirectURL
	}
	return asked
}

// Exchange turns the callback's code into a grant with exactly one request. A
// callback must name this service in iss.
func (p *Provider) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	const op = "exchange"
	q := url.Values(cb.Query)
	odd := p.fail(op, providers.ErrInvalid, "")
	odd.Code = codeCallback
	for _, name := range []string{"code", "state", "iss", "error"} {
		if len(q[name]) > 1 {
			return providers.Grant{}, odd
		}
	}
	switch {
	case q.Has("error"):
		e := p.fail(op, providers.ErrForbidden, "")
		if q.Get("error") == "access_denied" {
			e.Code = "access_denied"
		}
		return providers.Grant{}, e
	case q.Get("code") == "" || q.Get("iss") != strings.TrimSuffix(p.client.Base().String(), "/"):
		return providers.Grant{}, odd
	}
	answer, err := p.post(ctx, op, url.Values{
		"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {p.redirect(cb.RedirectURL)},
		"code_verifier": {cb.Secret.Reveal()},
	})
	if err != nil {
		return providers.Grant{}, err
	}
	if answer.UserID == "" || answer.Refresh.IsZero() {
		e := p.fail(op, providers.ErrMalformed, "the answer lacks the user id or the refresh token")
		e.Ambiguous = true
		return providers.Grant{}, e
	}
	return providers.Grant{Credential: answer.Credential(providers.Credential{}), UpstreamID: answer.UserID}, nil
}

// Refresh presents the refresh token in exactly one request.
func (p *Provider) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	const op = "refresh"
	if cred.Refresh.IsZero() {
		return providers.Credential{}, p.fail(op, providers.ErrReauth, "there is no refresh token")
	}
	answer, err := p.post(ctx, op, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {cred.Refresh.Reveal()}})
	if err != nil {
		return providers.Credential{}, err
	}
	if answer.UserID != "" && cred.UpstreamID != "" && answer.UserID != cred.UpstreamID {
		e := p.fail(op, providers.ErrMalformed, "")
		e.Code = providers.CodeIdentity
		return providers.Credential{}, e
	}
	return answer.Credential(cred), nil
}

func (p *Provider) post(ctx context.Context, op string, form url.Values) (httpx.TokenAnswer, error) {
	form.Set("client_id", p.cfg.ClientID)
	form.Set("client_secret", p.cfg.ClientSecret.Reveal())
	return httpx.PostToken(ctx, p.client, httpx.TokenRequest{
		Op: op, Path: "oauth/token", Form: form, Format: httpx.TokenFormat{UserIDs: []string{"user_id"}},
	})
}

// Revoke ends the grant.
func (p *Provider) Revoke(ctx context.Context, cred providers.Credential) error {
	token := cred.Refresh
	if token.IsZero() {
		token = cred.Access
	}
	_, err := p.send(ctx, providers.Credential{UpstreamID: cred.UpstreamID}, p.client.Idempotent(), httpx.Request{
		Op: "revoke", Path: "oauth/revoke",
		Form: url.Values{"token": {token.Reveal()}, "client_id": {p.cfg.ClientID}, "client_secret": {p.cfg.ClientSecret.Reveal()}},
	}, &struct{}{})
	// A 401 here is about the application, not about the person.
	if e, ok := errors.AsType[*providers.Error](err); ok && e.Status == http.StatusUnauthorized {
		e.Kind, e.ExpiredAccess, e.ClientFault = providers.ErrInvalid, false, true
	}
	return err
}

// Subscribe makes or prolongs a subscription.
func (p *Provider) Subscribe(ctx context.Context, cred providers.Credential, s providers.Subscription) (providers.Subscription, error) {
	var made subscription
	_, err := p.send(ctx, cred, p.client.Idempotent(), httpx.Request{
		Op: "subscribe", Path: "v1/subscriptions", Form: url.Values{"topic": {s.Topic}, "url": {s.CallbackURL}},
	}, &made)
	if err != nil {
		return providers.Subscription{}, err
	}
	return made.public(), nil
}

func (s subscription) public() providers.Subscription {
	out := providers.Subscription{ID: s.ID, Topic: s.Topic, CallbackURL: s.URL}
	if s.Expires != 0 {
		out.ExpiresAt = time.Unix(s.Expires, 0)
	}
	return out
}

// Unsubscribe ends a subscription.
func (p *Provider) Unsubscribe(ctx context.Context, cred providers.Credential, s providers.Subscription) error {
	_, err := p.send(ctx, cred, p.client.Idempotent(), httpx.Request{
		Op: "unsubscribe", Method: http.MethodDelete, Path: "v1/subscriptions/" + url.PathEscape(s.ID),
	}, &struct{}{})
	if errors.Is(err, providers.ErrNotFound) {
		return nil
	}
	return err
}

// Subscriptions lists the subscriptions of a person.
func (p *Provider) Subscriptions(ctx context.Context, cred providers.Credential) ([]providers.Subscription, error) {
	var got struct {
		All []subscription `json:"subscriptions"`
	}
	if _, err := p.send(ctx, cred, p.client.Idempotent(), httpx.Request{Op: "list subscriptions", Path: "v1/subscriptions"}, &got); err != nil {
		return nil, err
	}
	all := make([]providers.Subscription, len(got.All))
	for i, s := range got.All {
		all[i] = s.public()
	}
	return all, nil
}
