package oauth1

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

const (
	maxAnswer = 64 << 10
	maxToken  = 8 << 10
	maxID     = 256

	defaultRetryWait = 10 * time.Second
	longestRetryWait = 15 * time.Minute
)

// The codes of errors of the flow, besides the service's status numbers and
// the codes of package httpx.
const (
	codeCallback    = "callback"       // no callback, or one that does not belong to the request token
	codeNoToken     = "no_token"       // no token where one must be
	codeAnswer      = "bad_answer"     // neither a form nor an envelope, or a name is there twice
	codeOdd         = "odd_token"      // a token or an id that is not visible ASCII, or too long
	codeUnconfirmed = "not_confirmed"  // the service says that it did not take the callback
	codeNoUser      = "no_user"        // an access token without a userid
	codeHTTP        = "refused_status" // an HTTP status that refuses, without more
)

// readAnswer reads the answer to a token request; access says which. A failure
// without a Kind is to be read from the HTTP status alone.
func readAnswer(resp *httpx.Response, access bool, now time.Time) (Access, *providers.Error) {
	switch s := resp.Status; {
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests, s >= 500:
		return Access{}, &providers.Error{}
	}
	if e := readEnvelope(resp.Body, access, now); e != nil {
		return Access{}, e
	}
	if resp.Status < 200 || resp.Status > 299 {
		// RFC 5849 section 3.2: 401 covers the application, the token and the
		// signature. That the application signs well, the first leg showed.
		if access && resp.Status == http.StatusUnauthorized {
			return Access{}, &providers.Error{Kind: providers.ErrReauth, Code: codeHTTP}
		}
		return Access{}, &providers.Error{Kind: providers.ErrInvalid, Code: codeHTTP, ClientFault: true}
	}
	a, code := parseAnswer(resp.Body, access)
	if code != "" {
		return Access{}, &providers.Error{Kind: providers.ErrMalformed, Code: code, Ambiguous: access}
	}
	return a, nil
}

// parseAnswer reads a form with a token; the code says what is wrong with it.
func parseAnswer(body []byte, access bool) (a Access, code string) {
	form, err := url.ParseQuery(string(bytes.TrimSpace(body)))
	if err != nil {
		return Access{}, codeAnswer
	}
	field := func(name string, longest int) string {
		values := form[name]
		switch {
		case code != "" || len(values) == 0:
			return ""
		case len(values) > 1:
			code = codeAnswer
			return ""
		case len(values[0]) > longest || !visible(values[0]):
			code = codeOdd
			return ""
		}
		return values[0]
	}
	token, secret := field(paramToken, maxToken), field("oauth_token_secret", maxToken)
	a.Token = Token{Token: providers.NewSecret(token), Secret: providers.NewSecret(secret)}
	confirmed := field("oauth_callback_confirmed", maxID)
	if access {
		a.UserID, a.DeviceID = field("userid", maxID), field("deviceid", maxID)
	}
	switch {
	case code != "":
	case token == "" || secret == "":
		code = codeNoToken
	case confirmed != "" && confirmed != "true":
		code = codeUnconfirmed
	case access && a.UserID == "":
		code = codeNoUser
	default:
		return a, ""
	}
	return Access{}, code
}

// visible reports whether s is visible ASCII without spaces.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// readEnvelope reads the status object in which the service tells failures,
// mostly under HTTP 200. It is nil for anything else.
func readEnvelope(body []byte, access bool, now time.Time) *providers.Error {
	var envelope struct {
		Status *int64          `json:"status"`
		Body   json.RawMessage `json:"body"`
	}
	if err := httpx.StrictUnmarshal(body, &envelope); err != nil || envelope.Status == nil {
		return nil
	}
	e := &providers.Error{Code: strconv.FormatInt(*envelope.Status, 10)}
	switch *envelope.Status {
	case 0: // success has no envelope on these pages
		e.Kind, e.Ambiguous = providers.ErrMalformed, access
	case 100, 246, 247, 264, 286, 293, 294, 304, 305, 342, 343, 2554, 2556:
		e.Kind, e.ClientFault = providers.ErrInvalid, true
	case 249, 250, 283, 328, 401: // the token; before there is one, the consumer key
		e.Kind, e.ClientFault = providers.ErrInvalid, true
		if access {
			e.Kind, e.ClientFault = providers.ErrReauth, false
		}
	case 601:
		var ask struct {
			Wait int64 `json:"wait_seconds"`
		}
		wait := defaultRetryWait
		if err := httpx.StrictUnmarshal(envelope.Body, &ask); err == nil && ask.Wait > 0 {
			wait = min(time.Duration(min(ask.Wait, 1<<20))*time.Second, longestRetryWait)
		}
		e.Kind, e.RetryAt = providers.ErrRateLimited, now.Add(wait)
	default: // documented as temporary, or not at all
		e.Kind, e.Ambiguous = providers.ErrUnavailable, access
	}
	return e
}
