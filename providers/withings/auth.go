package withings

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

const (
	authorizePath = "oauth2_user/authorize2"
	oauthPath     = "v2/oauth2"
	signaturePath = "v2/signature"

	// accessLifetime is how long an access token lives unless the answer
	// says otherwise.
	accessLifetime = 3 * time.Hour
)

// Authorize returns the address of the consent page. It makes no request. The
// person has to come back within the lifetime of the code, 30 seconds after
// consenting. Changing the scopes of a connection takes a new consent.
func (p *Provider) Authorize(_ context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	redirect, err := p.client.RedirectURL("authorize", r.RedirectURL, p.cfg.RedirectURL)
	if err != nil {
		return providers.AuthStart{}, err
	}
	if r.State == "" {
		return providers.AuthStart{}, &providers.Error{
			Provider: Name, Op: "authorize", Kind: providers.ErrInvalid, Detail: "the service requires a state",
		}
	}
	scopes := r.Scopes
	if scopes == nil {
		scopes = p.cfg.Scopes
	}
	u := p.account.JoinPath(authorizePath)
	u.RawQuery = url.Values{
		"response_type": {"code"}, "client_id": {p.cfg.ClientID}, "state": {r.State}, "scope": {joined(scopes)},
		"redirect_uri": {redirect},
	}.Encode()
	return providers.AuthStart{URL: u.String()}, nil
}

// Exchange turns the callback's code into a grant with exactly one request.
func (p *Provider) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	const op = "exchange"
	form, err := p.client.CodeForm(op, cb, p.cfg.RedirectURL)
	if err != nil {
		return providers.Grant{}, err
	}
	answer, err := p.requestToken(ctx, op, form)
	if err != nil {
		return providers.Grant{}, err
	}
	return p.client.Granted(op, answer)
}

// Refresh presents the refresh token in exactly one request. The pair it
// returns must be stored before its access token is used: the first use ends
// the old refresh token.
func (p *Provider) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	const op = "refresh"
	if err := checkPair(op, cred); err != nil {
		return providers.Credential{}, err
	}
	form, err := p.client.RefreshForm(op, cred)
	if err != nil {
		return providers.Credential{}, err
	}
	answer, err := p.requestToken(ctx, op, form)
	if err != nil {
		return providers.Credential{}, err
	}
	return p.client.Renewed(op, answer, cred)
}

// Migrate turns an OAuth 1.0 token of the same application's earlier
// registration into a pair of OAuth 2.0, by presenting both halves of it as a
// refresh token in exactly one request. The pair must be stored before it is
// used.
func (p *Provider) Migrate(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	const op = "migrate"
	if cred.Access.IsZero() || cred.TokenSecret.IsZero() {
		return providers.Credential{}, &providers.Error{
			Provider: Name, Op: op, Kind: providers.ErrInvalid, Code: codeEra, Detail: "the credential is not of OAuth 1.0",
		}
	}
	answer, err := p.requestToken(ctx, op, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {cred.Access.Reveal() + ":" + cred.TokenSecret.Reveal()},
	})
	if err != nil {
		return providers.Credential{}, err
	}
	if err := p.client.CheckPerson(op, answer, cred); err != nil {
		return providers.Credential{}, err
	}
	if answer.Refresh.IsZero() {
		return providers.Credential{}, p.client.Incomplete(op, "the answer lacks the refresh token")
	}
	return answer.Credential(providers.Credential{UpstreamID: cred.UpstreamID}), nil
}

func (p *Provider) requestToken(ctx context.Context, op string, form url.Values) (httpx.TokenAnswer, error) {
	refresh := form.Has("refresh_token")
	form.Set("action", "requesttoken")
	form.Set("client_id", p.cfg.ClientID)
	form.Set("client_secret", p.cfg.ClientSecret.Reveal())
	return httpx.PostToken(ctx, p.client, httpx.TokenRequest{
		Op: op, Path: oauthPath, Form: form,
		Format: httpx.TokenFormat{
			UserIDs: []string{"userid"}, DefaultLifetime: accessLifetime,
			Unwrap: func(body []byte) ([]byte, error) {
				env, token, err := openEnvelope(body)
				if err != nil {
					return nil, err
				}
				if e := tokenError(env, refresh); e != nil {
					return nil, e
				}
				if token == nil {
					return nil, errNoBody
				}
				return token, nil
			},
		},
	})
}

var errNoBody = errors.New("no body")

// openEnvelope reads a small answer strictly and returns its body, nil if that
// is no object.
func openEnvelope(data []byte) (envelope, []byte, error) {
	var doc struct {
		Status json.RawMessage `json:"status"`
		Body   json.RawMessage `json:"body"`
	}
	if err := httpx.StrictUnmarshal(data, &doc); err != nil {
		return envelope{}, nil, err
	}
	env, err := readEnvelope(data)
	if err != nil {
		return envelope{}, nil, errNoBody
	}
	if len(doc.Body) == 0 || doc.Body[0] != '{' {
		return env, nil, nil
	}
	return env, doc.Body, nil
}

// Revoke ends the grant: tokens and notifications. It takes a signed call,
// which takes a nonce from another signed call.
func (p *Provider) Revoke(ctx context.Context, cred providers.Credential) error {
	const op = "revoke"
	if cred.UpstreamID == "" {
		return &providers.Error{Provider: Name, Op: op, Kind: providers.ErrInvalid, Detail: "no user id"}
	}
	_, err := httpx.Call(ctx, p.client.Idempotent(), func(ctx context.Context) (struct{}, error) {
		nonce, err := p.nonce(ctx, op)
		if err != nil {
			return struct{}{}, err
		}
		form := url.Values{
			"action": {"revoke"}, "client_id": {p.cfg.ClientID}, "nonce": {nonce}, "userid": {cred.UpstreamID},
			"signature": {p.sign("revoke", p.cfg.ClientID, nonce)},
		}
		env, _, err := p.signed(ctx, op, oauthPath, form)
		if err == nil && env.status != statusOK && !alreadyGone(env) {
			err = p.refused(op, env)
		}
		return struct{}{}, err
	})
	return err
}

// nonce asks for a value that one signed call may carry within 30 minutes.
func (p *Provider) nonce(ctx context.Context, op string) (string, error) {
	at := strconv.FormatInt(time.Now().Unix(), 10)
	env, body, err := p.signed(ctx, op, signaturePath, url.Values{
		"action": {"getnonce"}, "client_id": {p.cfg.ClientID}, "timestamp": {at},
		"signature": {p.sign("getnonce", p.cfg.ClientID, at)},
	})
	if err != nil {
		return "", err
	}
	if env.status != statusOK {
		return "", p.refused(op, env)
	}
	var answer struct {
		Nonce string `json:"nonce"`
	}
	if body == nil || httpx.StrictUnmarshal(body, &answer) != nil || answer.Nonce == "" {
		return "", &providers.Error{Provider: Name, Op: op, Kind: providers.ErrMalformed, Code: codeNoBody}
	}
	return answer.Nonce, nil
}

// sign returns the signature over the values of a call, which come in the order
// of the names of their parameters.
func (p *Provider) sign(values ...string) string {
	mac := hmac.New(sha256.New, []byte(p.cfg.ClientSecret.Reveal()))
	mac.Write([]byte(joined(values)))
	return hex.EncodeToString(mac.Sum(nil))
}

// signed sends a call that is authorized by its signature.
func (p *Provider) signed(ctx context.Context, op, path string, form url.Values) (envelope, []byte, error) {
	resp, err := p.client.Send(ctx, httpx.Request{Op: op, Path: path, Form: form})
	if err != nil {
		return envelope{}, nil, err
	}
	if e := p.client.StatusError(op, resp); e != nil {
		return envelope{}, nil, e
	}
	env, body, err := openEnvelope(resp.Body)
	if err != nil {
		return envelope{}, nil, p.client.Malformed(op, codeNotJSON, resp)
	}
	return env, body, nil
}

// refused is the error of a signed call: it concerns the application, not the
// person.
func (p *Provider) refused(op string, env envelope) error {
	e := tokenError(env, false)
	if errors.Is(e.Kind, providers.ErrReauth) {
		e.Kind, e.ClientFault = providers.ErrInvalid, true
	}
	e.Provider, e.Op = Name, op
	return e
}
