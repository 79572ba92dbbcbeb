package googlehealth

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

const (
	authorizePath = "o/oauth2/v2/auth"
	tokenPath     = "token"
	revokePath    = "revoke"

	// accessLifetime is how long an access token lives unless the answer says
	// otherwise.
	accessLifetime = time.Hour
	// testingLifetime is how long the consent to a project in testing lasts:
	// what ends within it is worth a warning.
	testingLifetime = 7 * day
)

// Authorize returns the address of the consent page. It makes no request. The
// person is asked each time, because the service gives a refresh token with a
// new consent only (Google, "Using OAuth 2.0 for Web Server Applications").
func (p *Provider) Authorize(_ context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	redirect, err := p.tokens.RedirectURL("authorize", r.RedirectURL, p.cfg.RedirectURL)
	if err != nil {
		return providers.AuthStart{}, err
	}
	scopes := r.Scopes
	if scopes == nil {
		scopes = p.cfg.Scopes
	}
	verifier, challenge := httpx.NewVerifier()
	query := url.Values{
		"response_type": {"code"}, "client_id": {p.cfg.ClientID}, "redirect_uri": {redirect}, "scope": {strings.Join(scopes, " ")},
		"access_type": {"offline"}, "prompt": {"consent"}, "include_granted_scopes": {"true"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	if r.State != "" {
		query.Set("state", r.State)
	}
	u := p.account.JoinPath(authorizePath)
	u.RawQuery = query.Encode()
	return providers.AuthStart{URL: u.String(), Secret: verifier}, nil
}

// Exchange turns the callback's code into a grant with one request, and asks
// with another who the person is: token answers do not tell.
//
// The grant names the person's id at the Fitbit Web API, which this service
// succeeded, as an alias of provider [Predecessor], and when the consent ends by
// itself: after seven days while the Google Cloud project is in testing.
func (p *Provider) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	const op = "exchange"
	form, err := p.tokens.CodeForm(op, cb, p.cfg.RedirectURL)
	if err != nil {
		return providers.Grant{}, err
	}
	answer, ends, err := p.requestToken(ctx, op, form)
	if err != nil {
		return providers.Grant{}, err
	}
	if answer.Refresh.IsZero() {
		return providers.Grant{}, p.tokens.Incomplete(op, "the answer lacks the refresh token")
	}
	cred := answer.Credential(providers.Credential{})
	who, err := p.identify(ctx, op, cred)
	if err != nil {
		return providers.Grant{}, err
	}
	cred.UpstreamID = who.health
	grant := providers.Grant{Credential: cred, UpstreamID: who.health, EndsAt: ends}
	if who.legacy != "" {
		grant.Aliases = []providers.Alias{{Provider: Predecessor, UpstreamID: who.legacy}}
	}
	return grant, nil
}

// Refresh gets a new access token with exactly one request. The refresh token
// stays: the service does not replace it.
func (p *Provider) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	const op = "refresh"
	form, err := p.tokens.RefreshForm(op, cred)
	if err != nil {
		return providers.Credential{}, err
	}
	answer, _, err := p.requestToken(ctx, op, form)
	if err != nil {
		return providers.Credential{}, err
	}
	return answer.Credential(cred), nil
}

// requestToken also returns when the refresh token ends, zero if that was not
// told.
func (p *Provider) requestToken(ctx context.Context, op string, form url.Values) (httpx.TokenAnswer, time.Time, error) {
	form.Set("client_id", p.cfg.ClientID)
	form.Set("client_secret", p.cfg.ClientSecret.Reveal())
	sent := time.Now()
	var lifetime time.Duration
	answer, err := httpx.PostToken(ctx, p.tokens, httpx.TokenRequest{
		Op: op, Path: tokenPath, Form: form,
		Format: httpx.TokenFormat{
			DefaultLifetime: accessLifetime,
			Unwrap: func(body []byte) ([]byte, error) {
				lifetime = refreshLifetime(body)
				return body, nil
			},
		},
	})
	if err != nil || lifetime == 0 {
		return answer, time.Time{}, err
	}
	if p.cfg.Logger != nil && lifetime <= testingLifetime {
		p.cfg.Logger.WarnContext(ctx, "the consent ends by itself: the Google Cloud project is in testing, or the person chose an end",
			"provider", Name, "op", op, "in", lifetime)
	}
	return answer, sent.Add(lifetime), nil
}

// refreshLifetime reads how long the refresh token of an answer lives; 0 is not
// told. What is wrong with the answer otherwise is for others to find.
func refreshLifetime(body []byte) time.Duration {
	doc, reason := readObject(body)
	if reason != "" {
		return 0
	}
	const longest = 400 * 24 * 60 * 60 // seconds
	n, v := doc.integer("refresh_token_expires_in")
	if v != jsonscan.OK || n <= 0 || n > longest {
		return 0
	}
	return time.Duration(n) * time.Second
}

// identity is who a person is.
type identity struct{ health, legacy string }

// maxID is the longest id of a person.
const maxID = 64

// readIdentity reads the answer of users.getIdentity.
func readIdentity(o object) (identity, bool) {
	health, v := o.word("healthUserId")
	if v != jsonscan.OK || !isID(health) {
		return identity{}, false
	}
	legacy, v := o.word("legacyUserId")
	return identity{health, legacy}, v == jsonscan.Absent || v == jsonscan.OK && isID(legacy)
}

// isID reports whether text can be the id of a person.
func isID(text string) bool {
	if text == "" || len(text) > maxID {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

func (p *Provider) identify(ctx context.Context, op string, cred providers.Credential) (identity, error) {
	resp, err := httpx.Call(ctx, p.client.Idempotent(), func(ctx context.Context) (*httpx.Response, error) {
		resp, err := p.client.Send(ctx, httpx.Request{Op: op, Path: usersMe + "identity", Authorize: httpx.Bearer(cred.Access)})
		if err != nil {
			return nil, err
		}
		return resp, p.failure(p.client, op, resp)
	})
	if err != nil {
		return identity{}, err
	}
	doc, reason := readObject(resp.Body)
	who, ok := readIdentity(doc)
	if reason != "" || !ok {
		return identity{}, p.client.Malformed(op, codeShape, resp)
	}
	return who, nil
}

// Revoke ends the grant, with all its tokens. A token that is dead already is no
// error.
func (p *Provider) Revoke(ctx context.Context, cred providers.Credential) error {
	const op = "revoke"
	form, err := p.tokens.RevokeForm(op, cred)
	if err != nil {
		return err
	}
	_, err = httpx.Call(ctx, p.tokens.Idempotent(), func(ctx context.Context) (struct{}, error) {
		resp, err := p.tokens.Send(ctx, httpx.Request{Op: op, Path: revokePath, Form: form})
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, p.revoked(op, resp)
	})
	return err
}

// revoked reads the answer of the revocation: the errors are those of RFC 7009.
func (p *Provider) revoked(op string, resp *httpx.Response) error {
	e := p.tokens.StatusError(op, resp)
	if e == nil {
		return nil
	}
	if resp.Status != http.StatusBadRequest {
		return e
	}
	doc, reason := readObject(resp.Body)
	if code, _ := doc.text("error"); reason == "" && (code == "invalid_token" || code == "invalid_grant") {
		return nil
	}
	return e
}
