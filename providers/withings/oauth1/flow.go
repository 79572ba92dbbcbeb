package oauth1

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// The addresses of the pages of the flow.
const (
	// DefaultAccountURL was in use from June 2017 to the end.
	DefaultAccountURL = "https://developer.health.nokia.com/account"
	// WithingsAccountURL was in use from 2011 to the middle of 2017.
	WithingsAccountURL = "https://oauth.withings.com/account"
)

const (
	requestTokenPath = "request_token"
	authorizePath    = "authorize"
	accessTokenPath  = "access_token"

	paramCallback = "oauth_callback"
	paramVerifier = "oauth_verifier"

	opRequestToken = "request token"
	opAuthorize    = "authorize"
	opAccessToken  = "access token"
)

// Config describes an application registered for OAuth 1.0.
type Config struct {
	// ConsumerKey and ConsumerSecret of the application. Required.
	ConsumerKey    string
	ConsumerSecret providers.Secret
	// AccountURL is what the three addresses of the flow begin with; empty
	// means [DefaultAccountURL].
	AccountURL string
	// Nonce and Now are those of [Signer].
	Nonce func() string
	Now   func() time.Time
	// MaxWait is the longest a call waits before another attempt; 0 means 5 s,
	// negative never waits.
	MaxWait time.Duration
	// Transport sends the requests; nil is a transport of the flow's own. The flow
	// leaves no connection open, and others should not use Transport for the same
	// host: see AccessToken.
	Transport http.RoundTripper
	// Logger gets one debug line per request, without its URL; nil is silent.
	Logger *slog.Logger
	// Trace, if set, gets the steps of each signature.
	Trace func(Trace)
}

// Flow connects an account in three legs: a request token, the person's consent,
// an access token. Create it with [NewFlow].
type Flow struct {
	cfg    Config
	client *httpx.Client
}

// NewFlow returns a flow, or an error of class ErrInvalid for a configuration
// that cannot work.
func NewFlow(cfg Config) (*Flow, error) {
	if cfg.ConsumerKey == "" || cfg.ConsumerSecret.IsZero() {
		return nil, &providers.Error{
			Provider: provider, Op: "configure", Kind: providers.ErrInvalid, Detail: "consumer key and consumer secret are required",
		}
	}
	if cfg.AccountURL == "" {
		cfg.AccountURL = DefaultAccountURL
	}
	client, err := httpx.New(httpx.Config{
		Provider: provider, BaseURL: cfg.AccountURL, Transport: cfg.Transport, MaxWait: cfg.MaxWait, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, &providers.Error{Provider: provider, Op: "configure", Kind: providers.ErrInvalid, Detail: "account URL", Err: err}
	}
	return &Flow{cfg: cfg, client: client}, nil
}

// Token is a request token with its secret: what the flow needs again when the
// person comes back. It prints redacted.
type Token struct{ Token, Secret providers.Secret }

// Access is what a person's consent yields. The token did not end.
type Access struct {
	Token
	// UserID is the person, among those of the account: each data call names
	// it. Never empty.
	UserID string
	// DeviceID is what the service told with it; it may be empty.
	DeviceID string
}

// RequestToken is the first leg. The service will send the person back to
// callback. A failed call may be repeated: a token that nobody consents to does
// nothing.
func (f *Flow) RequestToken(ctx context.Context, callback string) (Token, error) {
	if callback == "" {
		return Token{}, &providers.Error{Provider: provider, Op: opRequestToken, Kind: providers.ErrInvalid, Code: codeCallback}
	}
	answer, err := httpx.Call(ctx, f.client.Idempotent(), func(ctx context.Context) (Access, error) {
		return f.get(ctx, opRequestToken, requestTokenPath, Token{}, url.Values{paramCallback: {callback}})
	})
	return answer.Token, err
}

// AuthorizeURL is the second leg: the signed address to send the person to. It
// makes no request. The callback is repeated in it unless it is empty. The address
// holds the request token; use it once and soon, because the service may check
// its timestamp.
func (f *Flow) AuthorizeURL(request Token, callback string) (string, error) {
	params := url.Values{}
	if callback != "" {
		params.Set(paramCallback, callback)
	}
	if request.Token.IsZero() {
		return "", &providers.Error{Provider: provider, Op: opAuthorize, Kind: providers.ErrInvalid, Code: codeNoToken}
	}
	endpoint := f.client.Base().JoinPath(authorizePath)
	return f.signer(request).signedURL(http.MethodGet, endpoint.String(), params, f.cfg.Trace)
}

// AccessToken is the third leg. The query is that of the address the person came
// back to; its oauth_token must be the request token's, so that nobody finishes a
// flow that somebody else began. A verifier in it is passed on, and the callback
// of the first leg is repeated unless it is empty. It makes one request, unless
// Transport has a connection to the host that somebody else left open: where such
// a connection breaks net/http repeats a GET.
//
// Errors with Ambiguous set mean that the request token may be used up.
func (f *Flow) AccessToken(ctx context.Context, request Token, callback string, query url.Values) (Access, error) {
	const op = opAccessToken
	came, verifier, user := query[paramToken], query[paramVerifier], query["userid"]
	if request.Token.IsZero() || len(came) != 1 || len(verifier) > 1 || len(user) > 1 ||
		subtle.ConstantTimeCompare([]byte(came[0]), []byte(request.Token.Reveal())) != 1 {
		return Access{}, &providers.Error{Provider: provider, Op: op, Kind: providers.ErrInvalid, Code: codeCallback}
	}
	params := url.Values{}
	if callback != "" {
		params.Set(paramCallback, callback)
	}
	if len(verifier) == 1 && verifier[0] != "" {
		params.Set(paramVerifier, verifier[0])
	}
	access, err := httpx.Call(ctx, f.client.Once(), func(ctx context.Context) (Access, error) {
		return f.get(ctx, op, accessTokenPath, request, params)
	})
	if err != nil {
		return Access{}, err
	}
	if len(user) == 1 && user[0] != "" && user[0] != access.UserID {
		return Access{}, &providers.Error{
			Provider: provider, Op: op, Kind: providers.ErrMalformed, Code: providers.CodeIdentity, Ambiguous: true,
		}
	}
	return access, nil
}

// get makes one signed request for a token, and has its connection closed behind
// it: where a connection that was used before breaks net/http repeats a GET, and
// what the service gave out for the first of the two would be lost.
func (f *Flow) get(ctx context.Context, op, path string, with Token, params url.Values) (Access, error) {
	resp, err := f.client.Send(ctx, httpx.Request{
		Op: op, Path: path, MaxBody: maxAnswer, Header: http.Header{"Connection": {"close"}},
		Authorize: func(req *http.Request) error {
			req.URL.RawQuery = params.Encode()
			return f.signer(with).sign(req, f.cfg.Trace)
		},
	})
	if err != nil {
		return Access{}, err
	}
	access, failure := readAnswer(resp, op == opAccessToken, time.Now())
	if failure == nil {
		return access, nil
	}
	if failure.Kind == nil {
		failure = f.client.StatusError(op, resp)
		failure.Ambiguous = op == opAccessToken && errors.Is(failure.Kind, providers.ErrUnavailable) && failure.RetryAt.IsZero()
	}
	failure.Provider, failure.Op, failure.Status, failure.RequestID = provider, op, resp.Status, resp.RequestID
	return Access{}, failure
}

func (f *Flow) signer(with Token) Signer {
	return Signer{
		ConsumerKey: f.cfg.ConsumerKey, ConsumerSecret: f.cfg.ConsumerSecret.Reveal(),
		Token: with.Token.Reveal(), TokenSecret: with.Secret.Reveal(), Nonce: f.cfg.Nonce, Now: f.cfg.Now,
	}
}
