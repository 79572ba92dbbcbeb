package fitbit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
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
	redirect, err := p.redirectURL("authorize", r.RedirectURL)
	if err != nil {
		return providers.AuthStart{}, err
	}
	scopes := r.Scopes
	if scopes == nil {
		scopes = p.cfg.Scopes
	}
	verifier := rand.Text() + rand.Text() // 52 characters of 43 to 128
	digest := sha256.Sum256([]byte(verifier))
	u := p.account.JoinPath(authorizePath)
	u.RawQuery = url.Values{
		"response_type": {"code"}, "client_id": {p.cfg.ClientID}, "state": {r.State}, "scope": {strings.Join(scopes, " ")},
		"redirect_uri": {redirect}, "code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	return providers.AuthStart{URL: u.String(), Secret: providers.NewSecret(verifier)}, nil
}

// redirectURL returns the address for a request that may not name one.
func (p *Provider) redirectURL(op, asked string) (string, error) {
	if asked == "" {
		asked = p.cfg.RedirectURL
	}
	if asked == "" {
		return "", &providers.Error{Provider: Name, Op: op, Kind: providers.ErrInvalid, Detail: "no redirect URL"}
	}
	return asked, nil
}

// Exchange turns the callback's code into a grant with exactly one request.
func (p *Provider) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	const op = "exchange"
	query := url.Values(cb.Query)
	if query.Get("error") != "" {
		return providers.Grant{}, &providers.Error{Provider: Name, Op: op, Kind: providers.ErrForbidden, Code: codeDenied}
	}
	code := query.Get("code")
	if code == "" || len(query["code"]) > 1 || len(query["state"]) > 1 {
		return providers.Grant{}, &providers.Error{Provider: Name, Op: op, Kind: providers.ErrInvalid, Code: codeCallback}
	}
	redirect, err := p.redirectURL(op, cb.RedirectURL)
	if err != nil {
		return providers.Grant{}, err
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "client_id": {p.cfg.ClientID}}
	if !cb.Secret.IsZero() {
		form.Set("code_verifier", cb.Secret.Reveal())
	}
	answer, err := p.requestToken(ctx, op, form)
	if err != nil {
		return providers.Grant{}, err
	}
	if answer.UserID == "" || answer.Refresh.IsZero() {
		return providers.Grant{}, &providers.Error{
			Provider: Name, Op: op, Kind: providers.ErrMalformed, Ambiguous: true, Detail: "the answer lacks the user id or the refresh token",
		}
	}
	return providers.Grant{
		Credential: answer.Credential(providers.Credential{UpstreamID: answer.UserID}), UpstreamID: answer.UserID,
	}, nil
}

// Refresh presents the refresh token in exactly one request. The token is dead
// afterwards, so that the pair it returns must be stored before it is used.
func (p *Provider) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	const op = "refresh"
	if cred.Refresh.IsZero() {
		return providers.Credential{}, &providers.Error{Provider: Name, Op: op, Kind: providers.ErrReauth, Detail: "there is no refresh token"}
	}
	answer, err := p.requestToken(ctx, op, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {cred.Refresh.Reveal()}, "client_id": {p.cfg.ClientID},
	})
	if err != nil {
		return providers.Credential{}, err
	}
	if cred.UpstreamID != "" && answer.UserID != "" && answer.UserID != cred.UpstreamID {
		return providers.Credential{}, &providers.Error{Provider: Name, Op: op, Kind: providers.ErrMalformed, Code: providers.CodeIdentity}
	}
	return answer.Credential(cred), nil
}

func (p *Provider) requestToken(ctx context.Context, op string, form url.Values) (httpx.TokenAnswer, error) {
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
	token := cred.Refresh
	if token.IsZero() {
		token = cred.Access
	}
	if token.IsZero() {
		return &providers.Error{Provider: Name, Op: op, Kind: providers.ErrInvalid, Detail: "no token"}
	}
	_, err := httpx.Call(ctx, p.client.Idempotent(), func(ctx context.Context) (struct{}, error) {
		resp, err := p.client.Send(ctx, httpx.Request{
			Op: op, Method: http.MethodPost, Path: revokePath, Form: url.Values{"token": {token.Reveal()}}, Authorize: p.application,
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
