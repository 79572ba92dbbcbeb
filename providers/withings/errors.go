package withings

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// The codes of errors that the adapter finds itself. All other codes are the
// service's status numbers, or come from the HTTP layer.
const (
	codeNotJSON      = "not_json"      // the answer is no JSON document
	codeJSON         = "bad_json"      // the answer begins as JSON and breaks its grammar
	codeNoStatus     = "no_status"     // no envelope
	codeNoBody       = "no_body"       // status 0 without a body
	codeNoRows       = "no_rows"       // a body without the rows it should have
	codeDuplicate    = "duplicate_key" // a member of the envelope or the body is there twice
	codePaging       = "bad_paging"    // more or offset cannot be read
	codeFlooded      = "too_many_bad"  // more data that is not usable than makes sense
	codeNoDate       = "no_date"       // neither the rows nor the answer tell when they were valid
	codeBodyName     = "bad_body_name" // a stored body does not say which request it answers
	codePageToken    = "page_token"    // not a page token of this stream
	codeHighWater    = "high_water"    // not a mark of this stream
	codeWindow       = "bad_window"    // a window the stream cannot be asked for
	codeTooManyECGs  = "too_many_ecgs" // more recordings in one second than a page takes
	codeEra          = "wrong_era"     // a credential of OAuth 1.0 where one of OAuth 2.0 must be, or the reverse
	codeNoUser       = "no_user"       // a credential without the user id
	statusOK         = 0
	statusTooMany    = 601
	defaultRetryWait = 10 * time.Second
	longestRetryWait = 15 * time.Minute
)

// class is what a status number means.
type class struct {
	kind error
	// expired: the access token was refused, a refresh may help.
	expired bool
	// application: not the person is refused, but who asks.
	application bool
}

var (
	authentication = class{kind: providers.ErrReauth, expired: true}
	unauthorized   = class{kind: providers.ErrForbidden}
	invalidParams  = class{kind: providers.ErrInvalid}
	transient      = class{kind: providers.ErrUnavailable}
	tooMany        = class{kind: providers.ErrRateLimited}
)

// statuses holds the status numbers the service documents, as ranges in rising
// order. A status that is not here is transient: it may be new.
var statuses = []struct {
	first, last int64
	class       class
}{
	{100, 102, authentication},
	{200, 200, authentication},
	{201, 213, invalidParams},
	{214, 214, unauthorized},
	{215, 215, transient},
	{216, 218, invalidParams},
	{219, 219, transient},
	{220, 221, invalidParams},
	{222, 222, transient},
	{223, 223, invalidParams},
	{224, 224, transient},
	{225, 225, invalidParams},
	{226, 226, transient},
	{227, 230, invalidParams},
	{231, 233, transient},
	{234, 236, invalidParams},
	{237, 237, transient},
	{238, 238, invalidParams},
	{240, 252, invalidParams},
	{253, 253, transient},
	{254, 254, invalidParams},
	{255, 259, transient},
	{260, 267, invalidParams},
	{268, 270, transient},
	{271, 272, invalidParams},
	{273, 274, transient},
	{275, 276, invalidParams},
	{277, 277, unauthorized},
	{278, 282, transient},
	{283, 288, invalidParams},
	{289, 289, transient},
	{290, 290, invalidParams},
	{291, 292, transient},
	{293, 295, invalidParams},
	{296, 296, transient},
	{297, 297, invalidParams},
	{298, 298, transient},
	{300, 304, invalidParams},
	{305, 320, transient},
	{321, 321, invalidParams},
	{322, 322, transient},
	{323, 353, invalidParams},
	{370, 375, transient},
	{380, 382, invalidParams},
	{383, 383, transient},
	{391, 391, transient},
	{400, 400, invalidParams},
	{401, 401, authentication},
	{402, 402, transient},
	{501, 511, invalidParams},
	{516, 521, transient},
	{522, 522, transient}, // timeout
	{523, 523, invalidParams},
	{524, 524, transient}, // bad state
	{525, 531, transient},
	{532, 532, invalidParams},
	{533, 533, transient},
	{601, 601, tooMany},
	{602, 602, transient},
	{700, 700, transient},
	{1051, 1054, transient},
	{2551, 2552, transient},
	{2553, 2553, unauthorized},
	{2554, 2554, invalidParams}, // wrong action
	{2555, 2555, unauthorized},
	{2556, 2556, invalidParams}, // no such service
	{2557, 2559, transient},
	{3000, 3016, transient},
	{3017, 3019, invalidParams},
	{3020, 3024, transient},
	{5000, 5006, transient},
	{6000, 6000, transient},
	{6010, 6011, transient},
	{9000, 9000, transient},
	{10000, 10000, transient},
}

// classOf returns what a status other than 0 means on a data call.
func classOf(status int64) class {
	for _, s := range statuses {
		if status <= s.last {
			if status >= s.first {
				return s.class
			}
			break
		}
	}
	return transient
}

// malformed is an answer that cannot be used; the code says why.
func malformed(code string) error { return &providers.Error{Kind: providers.ErrMalformed, Code: code} }

// failed completes an error of the mapper.
func (m *mapper) failed(op string, err error) error {
	return providers.Unmapped(Name, op, codeJSON, err)
}

// failure reads the status of an answer to a data call; nil when it is 0.
func (s *service) failure(op string, resp *httpx.Response) error {
	if e := s.client.StatusError(op, resp); e != nil {
		if s.legacy && e.ExpiredAccess {
			// The service tells of its tokens in the body. This may as well be
			// about the application or about the signature.
			e.Kind, e.ExpiredAccess, e.ClientFault = providers.ErrInvalid, false, true
		}
		return e
	}
	env, err := readEnvelope(resp.Body)
	if err != nil {
		e, _ := errors.AsType[*providers.Error](err)
		return s.client.Malformed(op, e.Code, resp)
	}
	if env.status == statusOK {
		return nil
	}
	c := classOf(env.status)
	if s.legacy {
		c = legacyClassOf(env.status)
	}
	e := &providers.Error{
		Provider: Name, Op: op, Kind: c.kind, Status: resp.Status, Code: strconv.FormatInt(env.status, 10),
		RequestID: resp.RequestID, ExpiredAccess: c.expired, ClientFault: c.application,
	}
	if s.legacy && env.status == statusSignature {
		e.Detail = s.signatureDetail(resp.Date)
	}
	if env.status == statusTooMany {
		e.RetryAt = env.retryAt(time.Now())
		if !env.mentions("same arguments") {
			// The budget of the application is used up, by us or by another
			// process: nobody else need try.
			s.client.Hold("", providers.LimitPerApp, e.RetryAt)
		}
	}
	return e
}

// tokenError reads the status of an answer of the token service; nil when it
// is 0. Only a status that tells that the code or the refresh token is no good
// asks for a new consent.
func tokenError(env envelope, refresh bool) *providers.Error {
	if env.status == statusOK {
		return nil
	}
	e := &providers.Error{Code: strconv.FormatInt(env.status, 10)}
	// Not "client" alone: a refusal of a refresh token may say whose it is not.
	application := env.mentions("client_id", "client id", "client_secret", "client secret", "invalid client", "invalid_client",
		"signature", "nonce", "redirect_uri", "grant_type", "action", "missing")
	switch {
	case env.status == 503 && !application, env.status == 293 && refresh && !application:
		e.Kind = providers.ErrReauth
	case env.status == 503, env.status == 293:
		e.Kind, e.ClientFault = providers.ErrInvalid, true
	case env.status == statusTooMany:
		e.Kind, e.RetryAt = providers.ErrRateLimited, env.retryAt(time.Now())
	default:
		e.Kind = classOf(env.status).kind
		refused := errors.Is(e.Kind, providers.ErrInvalid) || errors.Is(e.Kind, providers.ErrForbidden)
		if refused || errors.Is(e.Kind, providers.ErrReauth) && application {
			e.Kind, e.ClientFault = providers.ErrInvalid, true
		}
		e.Ambiguous = errors.Is(e.Kind, providers.ErrUnavailable)
	}
	return e
}

// goneStatuses tell that there is no grant, or no subscription, left to revoke.
var goneStatuses = []int64{100, 101, 102, 200, 286, 343, 401}

// alreadyGone reports whether a refused revocation means that it is done.
func alreadyGone(env envelope) bool {
	return slices.Contains(goneStatuses, env.status) || env.status == 503 && env.mentions("invalid userid")
}

// envelope is what an answer says of itself.
type envelope struct {
	status int64
	text   []byte // the service's message, for classification only
	wait   int64  // seconds the body asks to wait; 0 is not told
}

// mentions reports whether the message holds one of the texts, which are lower
// case. The message itself goes nowhere.
func (e envelope) mentions(texts ...string) bool {
	message := bytes.ToLower(e.text)
	return slices.ContainsFunc(texts, func(t string) bool { return bytes.Contains(message, []byte(t)) })
}

// retryAt returns when a throttled call makes sense again.
func (e envelope) retryAt(now time.Time) time.Time {
	wait := defaultRetryWait
	if e.wait > 0 {
		wait = min(time.Duration(min(e.wait, 1<<20))*time.Second, longestRetryWait)
	}
	return now.Add(wait)
}

// readEnvelope reads the status of an answer. It looks no further than a status
// of 0: whoever maps the body reads all of it. Errors are malformed.
func readEnvelope(data []byte) (envelope, error) {
	s := jsonscan.New(data)
	if k := s.Kind(); k != jsonscan.Object {
		if k == jsonscan.Invalid {
			return envelope{}, malformed(codeNotJSON)
		}
		return envelope{}, malformed(codeNoStatus)
	}
	env, found := envelope{}, false
	s.Object()
	for s.NextMember() {
		switch string(s.Name()) {
		case "status":
			n, v := s.ReadInt()
			if v != jsonscan.OK {
				return envelope{}, malformed(codeNoStatus)
			}
			if n == statusOK {
				return envelope{}, nil
			}
			env.status, found = n, true
		case "error":
			b, _ := s.Text()
			env.text = bytes.Clone(b)
		case "body":
			env.wait = waitSeconds(&s)
		default:
			s.Skip()
		}
	}
	switch {
	case s.Err() != nil:
		return envelope{}, malformed(codeJSON)
	case !found:
		return envelope{}, malformed(codeNoStatus)
	}
	return env, nil
}

// waitSeconds reads how long the body of a refusal asks to wait.
func waitSeconds(s *jsonscan.Scanner) (wait int64) {
	if !s.Object() {
		return 0
	}
	for s.NextMember() {
		if string(s.Name()) == "wait_seconds" {
			wait, _ = s.ReadInt()
		} else {
			s.Skip()
		}
	}
	return wait
}
