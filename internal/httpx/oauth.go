package httpx

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"

	"github.com/vitalmux/vitalmux/providers"
)

// The codes of errors about callbacks.
const (
	CodeDenied   = "denied"   // the person said no
	CodeCallback = "callback" // a callback without a code, or with two
)

// PageURL reads the address of a page that people are sent to, by the rules of
// [Config].BaseURL. No request goes there.
func PageURL(provider, address string) (*url.URL, error) {
	return baseOf(provider, address)
}

// Bearer is a [Request].Authorize that presents an access token (RFC 6750).
func Bearer(token providers.Secret) func(*http.Request) error {
	return func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
		return nil
	}
}

// NewVerifier returns a code verifier, and the challenge of method S256 that
// goes with it (RFC 7636, sections 4.1 and 4.2).
func NewVerifier() (verifier providers.Secret, challenge string) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	text := base64.RawURLEncoding.EncodeToString(random[:])
	digest := sha256.Sum256([]byte(text))
	return providers.NewSecret(text), base64.RawURLEncoding.EncodeToString(digest[:])
}

// RedirectURL returns the callback address of a request: the one it asks for,
// else the one that is configured. ErrInvalid: there is none.
func (c *Client) RedirectURL(op, asked, configured string) (string, error) {
	if asked == "" {
		asked = configured
	}
	if asked == "" {
		return "", &providers.Error{Provider: c.provider, Op: op, Kind: providers.ErrInvalid, Detail: "no redirect URL"}
	}
	return asked, nil
}

// CheckCallback reads what every callback may tell: ErrForbidden is one that
// says that the person did not consent, ErrInvalid one with two states, of which
// nobody knows which one was checked.
func (c *Client) CheckCallback(op string, query url.Values) error {
	if query.Get("error") != "" {
		return &providers.Error{Provider: c.provider, Op: op, Kind: providers.ErrForbidden, Code: CodeDenied}
	}
	if len(query["state"]) > 1 {
		return c.badCallback(op)
	}
	return nil
}

func (c *Client) badCallback(op string) error {
	return &providers.Error{Provider: c.provider, Op: op, Kind: providers.ErrInvalid, Code: CodeCallback}
}

// CodeForm returns the form that presents the one-time code of a callback (RFC
// 6749, section 4.1.3), with the verifier where the callback's secret is one. A
// callback that [Client.CheckCallback] refuses, or that has not exactly one code,
// is an error. Client credentials are for the caller to add.
func (c *Client) CodeForm(op string, cb providers.Callback, configured string) (url.Values, error) {
	query := url.Values(cb.Query)
	if err := c.CheckCallback(op, query); err != nil {
		return nil, err
	}
	code := query.Get("code")
	if code == "" || len(query["code"]) > 1 {
		return nil, c.badCallback(op)
	}
	redirect, err := c.RedirectURL(op, cb.RedirectURL, configured)
	if err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}}
	if !cb.Secret.IsZero() {
		form.Set("code_verifier", cb.Secret.Reveal())
	}
	return form, nil
}

// RefreshForm returns the form that presents a refresh token (RFC 6749, section
// 6). ErrReauth: there is none. Client credentials are for the caller to add.
func (c *Client) RefreshForm(op string, cred providers.Credential) (url.Values, error) {
	if cred.Refresh.IsZero() {
		return nil, &providers.Error{Provider: c.provider, Op: op, Kind: providers.ErrReauth, Detail: "there is no refresh token"}
	}
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {cred.Refresh.Reveal()}}, nil
}

// RevokeForm returns the form that takes a grant back by its refresh token, else
// by its access token (RFC 7009, section 2.1). ErrInvalid: there is neither.
func (c *Client) RevokeForm(op string, cred providers.Credential) (url.Values, error) {
	token := cred.Refresh
	if token.IsZero() {
		token = cred.Access
	}
	if token.IsZero() {
		return nil, &providers.Error{Provider: c.provider, Op: op, Kind: providers.ErrInvalid, Detail: "no token"}
	}
	return url.Values{"token": {token.Reveal()}}, nil
}

// Granted returns what the answer to a code grants to the person whom it names.
// One without the person's id or without a refresh token is ErrMalformed, and
// Ambiguous, because the code is used up.
func (c *Client) Granted(op string, a TokenAnswer) (providers.Grant, error) {
	if a.UserID == "" || a.Refresh.IsZero() {
		return providers.Grant{}, c.Incomplete(op, "the answer lacks the user id or the refresh token")
	}
	return providers.Grant{Credential: a.Credential(providers.Credential{}), UpstreamID: a.UserID}, nil
}

// Incomplete is the error of a grant that lacks something: the service gave it,
// and nobody can use it. The detail is a fixed text of the adapter.
func (c *Client) Incomplete(op, detail string) error {
	return &providers.Error{Provider: c.provider, Op: op, Kind: providers.ErrMalformed, Ambiguous: true, Detail: detail}
}

// Renewed returns the pair of the answer to a refresh as the successor of old.
// ErrMalformed with providers.CodeIdentity: it is another person's.
func (c *Client) Renewed(op string, a TokenAnswer, old providers.Credential) (providers.Credential, error) {
	if err := c.CheckPerson(op, a, old); err != nil {
		return providers.Credential{}, err
	}
	return a.Credential(old), nil
}

// CheckPerson is the check of [Client.Renewed] alone. An answer that does not tell
// the person, or a credential of which nobody knows the person, passes.
func (c *Client) CheckPerson(op string, a TokenAnswer, old providers.Credential) error {
	if old.UpstreamID == "" || a.UserID == "" || a.UserID == old.UpstreamID {
		return nil
	}
	return &providers.Error{Provider: c.provider, Op: op, Kind: providers.ErrMalformed, Code: providers.CodeIdentity}
}
