package terra

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

// How long what the connect calls return lives, where the answer does not say.
const (
	WidgetSessionLifetime = 900 * time.Second
	MobileTokenLifetime   = 180 * time.Second
)

// SessionRequest starts a connect flow on the widget.
type SessionRequest struct {
	// Providers are the providers to choose from, in Terra's words; nil is all
	// that the environment has enabled.
	Providers []string
	// ReferenceID is your own id of the person; it comes back with each
	// connection and need not be unique.
	ReferenceID string
	// Language of the page, such as "en".
	Language string
	// SuccessURL and FailureURL are where the person is sent back to; empty
	// means the ones of the dashboard. They are https, on every host: Terra takes no
	// others, and a service on this machine is reached through a tunnel.
	SuccessURL, FailureURL string
	// Extra are more members of the request, such as show_disconnect. Those that
	// have a field here are refused.
	Extra map[string]any
}

// WidgetSession is one use of the widget.
type WidgetSession struct {
	ID string
	// URL is for the person's browser. Login pages of providers refuse
	// embedded web views.
	URL string
	// ExpiresAt is when the session ends if it is not used before.
	ExpiresAt time.Time
}

// WidgetSession starts a connect flow on the widget. It is not repeated when it
// fails. Without Config.WidgetSessionURL it makes the older call, which Terra ends
// on 3 November 2026: the answer 410 is then ErrRetired and names the successor.
func (c *Client) WidgetSession(ctx context.Context, r SessionRequest) (WidgetSession, error) {
	const op = "generate widget session"
	body := map[string]any{}
	put(body, "providers", strings.Join(r.Providers, ","))
	if err := fillConnectBody(op, body, r.ReferenceID, r.Language, r.SuccessURL, r.FailureURL, r.Extra); err != nil {
		return WidgetSession{}, err
	}
	k := call{op: op, method: http.MethodPost, path: "auth/generateWidgetSession", body: body, once: true}
	if c.widget != nil {
		k.path, k.via = "", c.widget
	}
	var w struct {
		trouble
		SessionID string `json:"session_id"`
		URL       string `json:"url"`
		ExpiresIn Number `json:"expires_in"`
	}
	asked := time.Now()
	_, err := c.do(ctx, k, func(r *httpx.Response) error {
		return c.readResult(op, r, &w, &w.trouble, func() bool { return w.SessionID != "" })
	})
	if err != nil {
		if e, ok := errors.AsType[*providers.Error](err); ok && c.widget == nil && e.Status == http.StatusGone {
			e.Detail = detailWidget
		}
		return WidgetSession{}, err
	}
	s := WidgetSession{ID: w.SessionID, URL: w.URL, ExpiresAt: expiry(asked, w.ExpiresIn, WidgetSessionLifetime)}
	if s.URL == "" {
		s.URL = c.page.JoinPath("session", url.PathEscape(s.ID)).String()
	}
	return s, nil
}

// AuthURLRequest starts a connect flow with one provider.
type AuthURLRequest struct {
	// Provider in Terra's words, such as GARMIN. Required.
	Provider string
	// ReferenceID, Language, SuccessURL, FailureURL and Extra are as in
	// [SessionRequest].
	ReferenceID, Language  string
	SuccessURL, FailureURL string
	Extra                  map[string]any
}

// PendingUser is a connection that the person has not consented to yet.
type PendingUser struct {
	// UserID is reserved. It is of no use before the webhook tells of the
	// consent, and gone if the person declines.
	UserID string
	// URL is for the person's browser.
	URL string
}

// AuthURL starts a connect flow with one provider. Each call reserves a user
// id, and so it is not repeated when it fails.
func (c *Client) AuthURL(ctx context.Context, r AuthURLRequest) (PendingUser, error) {
	const op = "authenticate user"
	if r.Provider == "" {
		return PendingUser{}, invalid(op, "a provider is required")
	}
	body := map[string]any{}
	if err := fillConnectBody(op, body, r.ReferenceID, r.Language, r.SuccessURL, r.FailureURL, r.Extra); err != nil {
		return PendingUser{}, err
	}
	var w struct {
		trouble
		UserID  string `json:"user_id"`
		AuthURL string `json:"auth_url"`
	}
	k := call{op: op, method: http.MethodPost, path: "auth/authenticateUser", query: url.Values{"resource": {r.Provider}}, body: body, once: true}
	_, err := c.do(ctx, k, func(r *httpx.Response) error {
		return c.readResult(op, r, &w, &w.trouble, func() bool { return w.UserID != "" && w.AuthURL != "" })
	})
	if err != nil {
		return PendingUser{}, err
	}
	return PendingUser{UserID: w.UserID, URL: w.AuthURL}, nil
}

// MobileToken lets the mobile SDK connect one person. It belongs to the
// environment and not to a person, and works once.
type MobileToken struct {
	Token     providers.Secret
	ExpiresAt time.Time
}

// MobileToken returns a token for the mobile SDK. It is not repeated when it
// fails.
func (c *Client) MobileToken(ctx context.Context) (MobileToken, error) {
	const op = "generate auth token"
	var w struct {
		trouble
		Token     string `json:"token"`
		ExpiresIn Number `json:"expires_in"`
	}
	asked := time.Now()
	_, err := c.do(ctx, call{op: op, method: http.MethodPost, path: "auth/generateAuthToken", once: true}, func(r *httpx.Response) error {
		return c.readResult(op, r, &w, &w.trouble, func() bool { return w.Token != "" })
	})
	if err != nil {
		return MobileToken{}, err
	}
	return MobileToken{Token: providers.NewSecret(w.Token), ExpiresAt: expiry(asked, w.ExpiresIn, MobileTokenLifetime)}, nil
}

// Deauthenticate ends a connection: Terra deletes its data of it, takes the
// consent back at the provider and sends a deauth event. ErrNotFound is a
// connection that there is not.
func (c *Client) Deauthenticate(ctx context.Context, userID string) error {
	const op = "deauthenticate user"
	if userID == "" {
		return invalid(op, "a user id is required")
	}
	k := call{op: op, method: http.MethodDelete, path: "auth/deauthenticateUser", query: url.Values{"user_id": {userID}}, removes: true}
	_, err := c.do(ctx, k, c.noBody(op))
	return err
}

// readResult reads an answer into v and checks that it has what it should.
func (c *Client) readResult(op string, r *httpx.Response, v any, said *trouble, complete func() bool) error {
	if _, err := c.decodeAnswer(op, r, v); err != nil {
		return err
	}
	switch {
	case complete() && !strings.EqualFold(said.Status, "error"):
		return nil
	case said.told():
		return c.errorInside(op, r, *said)
	}
	return c.unreadable(op, codeShape, r)
}

// fillConnectBody adds what the connect calls have in common to a body.
func fillConnectBody(op string, body map[string]any, reference, language, success, failure string, extra map[string]any) error {
	put(body, "reference_id", reference)
	put(body, "language", language)
	for name, address := range map[string]string{"auth_success_redirect_url": success, "auth_failure_redirect_url": failure} {
		if address != "" && !isHTTPS(address) {
			return invalid(op, "redirect URLs are https")
		}
		put(body, name, address)
	}
	for name, v := range extra {
		switch name {
		case "providers", "reference_id", "language", "auth_success_redirect_url", "auth_failure_redirect_url", "resource":
			return invalid(op, "an extra member has the name of one that has a field")
		}
		body[name] = v
	}
	return nil
}

func put(body map[string]any, name, value string) {
	if value != "" {
		body[name] = value
	}
}

// isHTTPS reports whether an address is a complete one of the web with https.
func isHTTPS(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil
}

// expiry returns when something that was asked for at a time ends. A lifetime
// that is not told, or cannot be right, is the documented one.
func expiry(asked time.Time, seconds Number, documented time.Duration) time.Time {
	if n, ok := seconds.Int(); ok && n > 0 && n <= int64(24*time.Hour/time.Second) {
		documented = time.Duration(n) * time.Second
	}
	return asked.Add(documented)
}
