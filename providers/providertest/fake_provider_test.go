package providertest_test

import (
	"context"
	"crypto/hmac"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// adapter is the correct adapter for service.
type adapter struct {
	client *httpx.Client
	// mapped changes each record of a page that is mapped; nil does not.
	mapped func(*health.Record)
	// unsigned believes no delivery.
	unsigned bool
}

var (
	_ providers.Authorizer    = (*adapter)(nil)
	_ providers.Refresher     = (*adapter)(nil)
	_ providers.Revoker       = (*adapter)(nil)
	_ providers.Subscriber    = (*adapter)(nil)
	_ providers.Recoverer     = (*adapter)(nil)
	_ providers.WebhookParser = (*adapter)(nil)
	_ providers.WebhookProber = (*adapter)(nil)
	_ providers.Remapper      = (*adapter)(nil)

	_ providers.WebhookVerifier = (*adapter)(nil)
	_ providers.PayloadFetcher  = (*adapter)(nil)
	_ providers.Confirmer       = (*adapter)(nil)
	_ providers.Lister          = (*adapter)(nil)
)

func newAdapter(base string, rt http.RoundTripper) (*adapter, error) {
	client, err := httpx.New(httpx.Config{Provider: "fake", BaseURL: base, Transport: rt, MaxBody: 1 << 20})
	return &adapter{client: client}, err
}

func (a *adapter) Name() string { return "fake" }

func (a *adapter) Capabilities() providers.Capabilities {
	return providers.Capabilities{
		Rotation: providers.RotationSingleUse, Push: true, Topics: []string{"weights", "days"},
		Limits: []providers.RateLimit{{Requests: 1000, Per: time.Minute}},
		Streams: []providers.Stream{
			{Name: "weights", Kinds: []health.Kind{health.KindBody}, MaxWindow: 7 * 24 * time.Hour, Changes: true, WalkTTL: time.Hour},
			{Name: "days", Kinds: []health.Kind{health.KindDaily}, Grain: providers.GrainDay, MaxWindow: 5 * 24 * time.Hour},
			{Name: "devices", Kinds: []health.Kind{health.KindDevice}, Grain: providers.GrainNone},
		},
	}
}

func (a *adapter) fail(op string, kind error, code string) *providers.Error {
	return &providers.Error{Provider: "fake", Op: op, Kind: kind, Code: code}
}

func bearer(cred providers.Credential) func(*http.Request) error {
	return func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+cred.Access.Reveal())
		return nil
	}
}

// call sends r and reads the answer into v.
func (a *adapter) call(ctx context.Context, p httpx.Policy, r httpx.Request, v any) (*httpx.Response, error) {
	return httpx.Call(ctx, p, func(ctx context.Context) (*httpx.Response, error) {
		resp, err := a.client.Send(ctx, r)
		if err != nil {
			return nil, err
		}
		if e := a.client.StatusError(r.Op, resp); e != nil {
			return nil, e
		}
		var told struct {
			Error string `json:"error"`
		}
		if httpx.StrictUnmarshal(resp.Body, &told) != nil || httpx.StrictUnmarshal(resp.Body, v) != nil {
			return nil, a.client.Malformed(r.Op, "json", resp)
		}
		switch told.Error {
		case "":
			return resp, nil
		case "busy":
			return nil, a.fail(r.Op, providers.ErrUnavailable, "busy")
		default:
			return nil, a.fail(r.Op, providers.ErrRateLimited, "slow_down")
		}
	})
}

type list struct {
	Rows []row  `json:"rows"`
	Next int    `json:"next"`
	Ref  string `json:"ref"`
}

func (a *adapter) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	op := "fetch " + q.Stream
	st, ok := a.Capabilities().StreamNamed(q.Stream)
	if !ok {
		e := a.fail("fetch", providers.ErrInvalid, "stream")
		e.Err = errors.ErrUnsupported
		return providers.Page{}, e
	}
	form := url.Values{"stream": {q.Stream}, "offset": {q.PageToken}}
	switch {
	case q.HighWater != "":
		form.Set("since", q.HighWater)
	case st.Grain == providers.GrainInstant:
		form.Set("from", strconv.FormatInt(q.Window.From.UnixMilli(), 10))
		form.Set("to", strconv.FormatInt(q.Window.To.UnixMilli(), 10))
	case st.Grain == providers.GrainDay:
		form.Set("first", q.Window.First.String())
		form.Set("last", q.Window.Last.String())
	}
	var l list
	resp, err := a.call(ctx, a.client.Idempotent(), httpx.Request{Op: op, Path: "data", Query: form, Authorize: bearer(cred)}, &l)
	if err != nil {
		return providers.Page{}, err
	}
	if l.Rows == nil {
		return providers.Page{}, a.client.Malformed(op, "rows", resp)
	}
	if l.Ref != "" {
		return providers.Page{Date: resp.Date, Pending: &providers.Pending{Reference: l.Ref}}, nil
	}
	page := providers.Page{
		Raw: []health.RawBody{{Name: "data", Body: resp.Body}}, Date: resp.Date, Digest: health.Digest(resp.Body),
		Candidate: strconv.FormatInt(resp.Date.UnixMilli(), 10),
	}
	page.Records = a.records(q.Stream, l.Rows)
	if l.Next != 0 {
		if at, _ := strconv.Atoi(q.PageToken); l.Next <= at {
			return providers.Page{}, a.client.Malformed(op, providers.CodePageLoop, resp)
		}
		page.More, page.PageToken = true, strconv.Itoa(l.Next)
	}
	return page, nil
}

// records maps rows.
func (a *adapter) records(stream string, rows []row) []health.Record {
	all := make([]health.Record, 0, len(rows))
	for _, row := range rows {
		r := health.Record{
			Key: stream + "/" + row.ID, Source: health.Source{Provider: "fake", Path: health.PathDirect},
			Rev: health.Rev{Order: row.Modified, Mapping: 1},
		}
		at := time.UnixMilli(row.At).UTC()
		switch stream {
		case "weights":
			r.Kind = health.KindBody
			r.Span = health.Span{Start: health.At(at), Day: health.DayOf(at), Zone: health.ZoneFromRecord}
			r.Values = []health.Value{{Metric: "body_weight", Number: health.Decimal{Coefficient: row.Value, Exponent: -3}}}
		case "days":
			r.Kind = health.KindDaily
			r.Span = health.Span{Day: health.DayOf(at)}
			r.Values = []health.Value{{Metric: "steps", Number: health.Int(row.Value)}}
		case "devices":
			r.Kind = health.KindDevice
			r.Texts = []health.Text{{Name: "device_model", Value: "scale"}}
		}
		if a.mapped != nil {
			a.mapped(&r)
		}
		all = append(all, r)
	}
	return all
}

func (a *adapter) Remap(page health.RawPage) ([]health.Record, error) {
	var l list
	if err := httpx.StrictUnmarshal(page.Bodies[0].Body, &l); err != nil {
		return nil, err
	}
	return a.records(page.Stream, l.Rows), nil
}

func (a *adapter) Authorize(_ context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	u := a.client.Base().JoinPath("authorize")
	u.RawQuery = url.Values{"client_id": {"app"}, "state": {r.State}, "redirect_uri": {r.RedirectURL}}.Encode()
	return providers.AuthStart{URL: u.String()}, nil
}

func (a *adapter) post(ctx context.Context, op, path string, form url.Values) (httpx.TokenAnswer, error) {
	form.Set("client_secret", clientSecret)
	return httpx.PostToken(ctx, a.client, httpx.TokenRequest{
		Op: op, Path: path, Form: form, Format: httpx.TokenFormat{UserIDs: []string{"user"}},
	})
}

func (a *adapter) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	code := cb.Query["code"]
	if len(cb.Query["error"]) > 0 || len(code) != 1 || code[0] == "" {
		return providers.Grant{}, a.fail("exchange", providers.ErrInvalid, "callback")
	}
	answer, err := a.post(ctx, "exchange", "token", url.Values{"grant_type": {"authorization_code"}, "code": code})
	if err != nil {
		return providers.Grant{}, err
	}
	return providers.Grant{Credential: answer.Credential(providers.Credential{}), UpstreamID: answer.UserID}, nil
}

func (a *adapter) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	answer, err := a.post(ctx, "refresh", "token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {cred.Refresh.Reveal()}})
	if err != nil {
		return providers.Credential{}, err
	}
	return answer.Credential(cred), nil
}

func (a *adapter) Recover(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	answer, err := a.post(ctx, "recover", "recover", url.Values{"user": {cred.UpstreamID}})
	if err != nil {
		return providers.Credential{}, err
	}
	return answer.Credential(cred), nil
}

// gone reports whether an error says that what should go is not there.
func gone(err error) bool { return errors.Is(err, providers.ErrNotFound) }

func (a *adapter) Revoke(ctx context.Context, cred providers.Credential) error {
	var v struct{}
	_, err := a.call(ctx, a.client.Once(), httpx.Request{Op: "revoke", Method: http.MethodPost, Path: "revoke", Authorize: bearer(cred)}, &v)
	if gone(err) {
		return nil
	}
	return err
}

func (a *adapter) subscriptions(ctx context.Context, cred providers.Credential, method string, q url.Values) (id string, all []providers.Subscription, err error) {
	var v struct {
		ID  string                   `json:"id"`
		All []providers.Subscription `json:"all"`
	}
	_, err = a.call(ctx, a.client.Once(), httpx.Request{
		Op: "subscriptions", Method: method, Path: "subscriptions", Query: q, Authorize: bearer(cred),
	}, &v)
	return v.ID, v.All, err
}

func (a *adapter) Subscribe(ctx context.Context, cred providers.Credential, s providers.Subscription) (providers.Subscription, error) {
	var err error
	s.ID, _, err = a.subscriptions(ctx, cred, http.MethodPost, url.Values{"topic": {s.Topic}, "url": {s.CallbackURL}})
	return s, err
}

func (a *adapter) Unsubscribe(ctx context.Context, cred providers.Credential, s providers.Subscription) error {
	_, _, err := a.subscriptions(ctx, cred, http.MethodDelete, url.Values{"id": {s.ID}})
	if gone(err) {
		return nil
	}
	return err
}

func (a *adapter) Subscriptions(ctx context.Context, cred providers.Credential) ([]providers.Subscription, error) {
	_, all, err := a.subscriptions(ctx, cred, http.MethodGet, nil)
	return all, err
}

func (a *adapter) WebhookTraits() providers.WebhookTraits {
	if a.unsigned {
		return providers.WebhookTraits{Triggers: true}
	}
	return providers.WebhookTraits{Signed: true, Header: []string{"X-Signature"}, Accepted: http.StatusNoContent, Refused: http.StatusNotFound}
}

// maxSkew is how old or new a signature may be.
const maxSkew = 5 * time.Minute

// genuine reports whether the service signed a delivery, not long ago.
func genuine(now time.Time, r *providers.WebhookRequest) bool {
	at, ok := signedAt(r)
	body, err := io.ReadAll(r.Open())
	return ok && err == nil && now.Sub(at).Abs() <= maxSkew && hmac.Equal([]byte(r.Header["X-Signature"][0]), []byte(sign(body, at)))
}

// signedAt reads the time of a signature.
func signedAt(r *providers.WebhookRequest) (time.Time, bool) {
	signatures := r.Header["X-Signature"]
	if len(signatures) != 1 {
		return time.Time{}, false
	}
	stamp, _, _ := strings.Cut(strings.TrimPrefix(signatures[0], "t="), ",")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	return time.Unix(seconds, 0), err == nil
}

func (a *adapter) ParseWebhook(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	if !a.unsigned && !genuine(now, r) {
		return nil, a.fail("webhook", providers.ErrSignature, "")
	}
	return a.read(now, r)
}

func (a *adapter) VerifyWebhook(now time.Time, r *providers.WebhookRequest) (time.Time, error) {
	at, ok := signedAt(r)
	if !ok || !genuine(now, r) {
		return time.Time{}, a.fail("webhook", providers.ErrSignature, "")
	}
	return at, nil
}

func (a *adapter) FetchPayload(ctx context.Context, n providers.Notification, w io.Writer) error {
	u, err := a.client.NextLink("", n.Payload.Address.Reveal())
	if err != nil {
		return a.fail("payload", providers.ErrInvalid, "link")
	}
	resp, err := httpx.Call(ctx, a.client.Once(), func(ctx context.Context) (*httpx.Response, error) {
		return a.client.Send(ctx, httpx.Request{Op: "payload", URL: u})
	})
	if err != nil {
		return err
	}
	if e := a.client.StatusError("payload", resp); e != nil {
		return e
	}
	_, err = w.Write(resp.Body)
	return err
}

func (a *adapter) ParsePayload(now time.Time, _ providers.Notification, r *providers.WebhookRequest) ([]providers.Notification, error) {
	return a.read(now, r)
}

func (a *adapter) Confirm(ctx context.Context, reference string, _ providers.Callback) (string, error) {
	var v struct {
		User string `json:"user"`
	}
	_, err := a.call(ctx, a.client.Idempotent(), httpx.Request{Op: "confirm", Path: "confirm", Query: url.Values{"ref": {reference}}}, &v)
	return v.User, err
}

func (a *adapter) UpstreamUsers(ctx context.Context, token string) (providers.UpstreamPage, error) {
	var v struct {
		Users []string `json:"users"`
		Next  string   `json:"next"`
	}
	_, err := a.call(ctx, a.client.Idempotent(), httpx.Request{Op: "people", Path: "people", Query: url.Values{"from": {token}}}, &v)
	page := providers.UpstreamPage{Next: v.Next}
	for _, id := range v.Users {
		page.Users = append(page.Users, providers.UpstreamUser{ID: id})
	}
	return page, err
}

// read reads a delivery.
func (a *adapter) read(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	body, err := io.ReadAll(r.Open())
	if err != nil {
		return nil, err
	}
	var v struct {
		Part     int    `json:"part"`
		Expected int    `json:"expected"`
		URL      string `json:"url"`
		User     string `json:"user"`
		Event    string `json:"event"`
		Stream   string `json:"stream"`
		Old      string `json:"old"`
		Ref      string `json:"ref"`
		Rows     []row  `json:"rows"`
	}
	if httpx.StrictUnmarshal(body, &v) != nil || v.Event == "" {
		return nil, a.fail("webhook", providers.ErrMalformed, "json")
	}
	n := providers.Notification{UpstreamID: v.User, Event: providers.EventUnknown, Detail: v.Event}
	_, known := a.Capabilities().StreamNamed(v.Stream)
	switch {
	case v.User == "":
	case v.Event == "data" && known:
		n.Event, n.Streams = providers.EventData, []string{v.Stream}
		if !a.unsigned && len(v.Rows) > 0 {
			n.Records = (&adapter{}).records(v.Stream, v.Rows)
			if v.Part > 0 {
				n.Reference, n.Part = v.Ref, v.Part
			}
		}
	case v.Event == "request":
		n.Event, n.Reference, n.Expected = providers.EventRequest, v.Ref, v.Expected
	case v.Event == "payload" && !a.unsigned:
		n.Event, n.Payload = providers.EventData, &providers.Payload{Address: providers.NewSecret(v.URL), ExpiresAt: now.Add(time.Minute)}
	case v.Event == "auth":
		n.Event, n.Reference = providers.EventAuth, v.Ref
	case v.Event == "deauth":
		n.Event = providers.EventDeauth
	case v.Event == "reauth" && v.Old != "":
		n.Event, n.OldUpstreamID = providers.EventReauth, v.Old
	}
	return []providers.Notification{n}, nil
}

func (a *adapter) ProbeWebhook(r *providers.WebhookRequest) (providers.ProbeAnswer, bool) {
	switch {
	case r.Method == http.MethodHead:
		return providers.ProbeAnswer{Status: http.StatusOK}, true
	case r.Method == http.MethodGet && len(r.Query["challenge"]) == 1:
		return providers.ProbeAnswer{Status: http.StatusOK, ContentType: "text/plain", Body: []byte(r.Query["challenge"][0])}, true
	}
	return providers.ProbeAnswer{}, false
}
