package fitbit

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

const (
	authorizePath = "oauth2/authorize"
	tokenPath     = "oauth2/token"
	revokePath    = "oauth2/revoke"

	// accessLifetime is how long an access token lives unless the answer says
	// otherwise.
	accessLifetime = 8 * time.Hour
)

// Authorize returns the address of the consent page, with a challenge of PKCE
// whose verifier is the secret of the result. It makes no request. The person
// may grant fewer scopes than asked for.
func (p *Provider) Authorize(_ context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	redirect, err := p.client.RedirectURL("authorize", r.RedirectURL, p.cfg.RedirectURL)
	if err != nil {
		return providers.AuthStart{}, err
	}
	scopes := r.Scopes
	if scopes == nil {
		scopes = p.cfg.Scopes
	}
	verifier, challenge := httpx.NewVerifier()
	u := p.account.JoinPath(authorizePath)
	u.RawQuery = url.Values{
		"response_type": {"code"}, "client_id": {p.cfg.ClientID}, "state": {r.State}, "scope": {strings.Join(scopes, " ")},
		"redirect_uri": {redirect}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}.Encode()
	return providers.AuthStart{URL: u.String(), Secret: verifier}, nil
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

// Refresh presents the refresh token in exactly one request. The token is dead
// afterwards, so that the pair it returns must be stored before it is used.
func (p *Provider) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	const op = "refresh"
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

func (p *Provider) requestToken(ctx context.Context, op string, form url.Values) (httpx.TokenAnswer, error) {
	form.Set("client_id", p.cfg.ClientID)
	return httpx.PostToken(ctx, p.client, httpx.TokenRequest{
		Op: op, Path: tokenPath, Form: form, Authorize: p.application,
		Format: httpx.TokenFormat{UserIDs: []string{"user_id"}, DefaultLifetime: accessLifetime, Refusal: tokenRefusal},
	})
}

// application proves who is asking. The service takes the credentials as they
// are, not encoded as RFC 6749 has it.
func (p *Provider) application(r *http.Request) error {
	r.SetBasicAuth(p.cfg.ClientID, p.cfg.ClientSecret.Reveal())
	return nil
}

// Revoke ends the consent with all its tokens. A service that has ended has no
// grants: that is done, too.
func (p *Provider) Revoke(ctx context.Context, cred providers.Credential) error {
	const op = "revoke"
	form, err := p.client.RevokeForm(op, cred)
	if err != nil {
		return err
	}
	_, err = httpx.Call(ctx, p.client.Idempotent(), func(ctx context.Context) (struct{}, error) {
		resp, err := p.client.Send(ctx, httpx.Request{
			Op: op, Method: http.MethodPost, Path: revokePath, Form: form, Authorize: p.application,
		})
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, p.failure(op, resp)
	})
	if errors.Is(err, providers.ErrRetired) || errors.Is(err, providers.ErrReauth) {
		return nil
	}
	return err
}
