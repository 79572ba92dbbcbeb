package withings

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings/oauth1"
)

// Legacy is the adapter of the OAuth 1.0 era. Create it with [NewLegacy]. What
// it reads becomes the same records as with [Provider].
type Legacy struct {
	service
	flow *oauth1.Flow
}

var (
	_ providers.Provider      = (*Legacy)(nil)
	_ providers.Authorizer    = (*Legacy)(nil)
	_ providers.Subscriber    = (*Legacy)(nil)
	_ providers.WebhookParser = (*Legacy)(nil)
	_ providers.WebhookProber = (*Legacy)(nil)
	_ providers.Remapper      = (*Legacy)(nil)
)

const legacyRequestsPerMinute = 60

// NewLegacy returns the adapter for OAuth 1.0, or an error of class ErrInvalid
// for a configuration that cannot work. Its people are moved to an adapter of
// [New] with the engine's Migrate, which keeps everything that was read.
func NewLegacy(cfg Config) (*Legacy, error) {
	switch {
	case cfg.ClientID != "" || !cfg.ClientSecret.IsZero():
		return nil, misconfigured("OAuth 2.0 credentials are for New")
	case cfg.OAuth1.ConsumerKey == "" || cfg.OAuth1.ConsumerSecret.IsZero():
		return nil, misconfigured("consumer key and consumer secret are required")
	}
	cfg.BaseURL = cmp.Or(cfg.BaseURL, LegacyBaseURL)
	cfg.RequestsPerMinute = cmp.Or(cfg.RequestsPerMinute, legacyRequestsPerMinute)
	flow, err := oauth1.NewFlow(oauth1.Config{
		ConsumerKey: cfg.OAuth1.ConsumerKey, ConsumerSecret: cfg.OAuth1.ConsumerSecret, AccountURL: cfg.AccountURL,
		Nonce: cfg.OAuth1.Nonce, Now: cfg.OAuth1.Now, Trace: cfg.OAuth1.Trace,
		MaxWait: cfg.MaxWait, Transport: cfg.Transport, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	p := &Legacy{flow: flow}
	p.cfg, p.streams, p.legacy = cfg, legacyStreams, true
	if err := p.connect(); err != nil {
		return nil, err
	}
	p.capabilities.Streams = p.streamFacts(legacyOrder[:])
	p.capabilities.Topics = []string{"1", "4", "16", "44"}
	return p, nil
}

// Authorize is the first leg and the second: it asks for a request token, in one
// request, and returns the signed address of the consent page. The state travels
// in the query of the callback address. There are no scopes.
func (p *Legacy) Authorize(ctx context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	const op = "authorize"
	redirect := cmp.Or(r.RedirectURL, p.cfg.RedirectURL)
	callback, err := url.Parse(redirect)
	if err != nil || redirect == "" || r.State == "" {
		return providers.AuthStart{}, &providers.Error{
			Provider: Name, Op: op, Kind: providers.ErrInvalid, Detail: "a redirect URL and a state are required",
		}
	}
	if callback.RawQuery != "" {
		callback.RawQuery += "&"
	}
	callback.RawQuery += url.Values{"state": {r.State}}.Encode()
	request, err := p.flow.RequestToken(ctx, callback.String())
	if err != nil {
		return providers.AuthStart{}, err
	}
	address, err := p.flow.AuthorizeURL(request, callback.String())
	if err != nil {
		return providers.AuthStart{}, err
	}
	return providers.AuthStart{URL: address, Secret: requestSecret(request, callback.String())}, nil
}

// requestSecret returns what the third leg needs again.
func requestSecret(request oauth1.Token, callback string) providers.Secret {
	return providers.NewSecret(url.Values{
		"token": {request.Token.Reveal()}, "secret": {request.Secret.Reveal()}, "callback": {callback},
	}.Encode())
}

// Exchange is the third leg: it turns the request token that the person
// consented to into an access token, with exactly one request. The grant has the
// access token, its secret, and the user id that each data call names.
func (p *Legacy) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	const op = "exchange"
	query := url.Values(cb.Query)
	if err := p.client.CheckCallback(op, query); err != nil {
		return providers.Grant{}, err
	}
	kept, err := url.ParseQuery(cb.Secret.Reveal())
	if err != nil || kept.Get("token") == "" {
		return providers.Grant{}, &providers.Error{Provider: Name, Op: op, Kind: providers.ErrInvalid, Code: httpx.CodeCallback}
	}
	request := oauth1.Token{Token: providers.NewSecret(kept.Get("token")), Secret: providers.NewSecret(kept.Get("secret"))}
	access, err := p.flow.AccessToken(ctx, request, kept.Get("callback"), query)
	if err != nil {
		return providers.Grant{}, err
	}
	return providers.Grant{
		UpstreamID: access.UserID,
		Credential: providers.Credential{UpstreamID: access.UserID, Access: access.Token.Token, TokenSecret: access.Secret},
	}, nil
}

// signedCall completes a data call of the era: a GET with all parameters in the
// query, the user id among them, signed anew for each sending.
func (s *service) signedCall(r *httpx.Request, form url.Values, cred providers.Credential) error {
	refuse := func(code, detail string) error {
		return &providers.Error{
			Provider: Name, Op: r.Op, Kind: providers.ErrInvalid, Code: code, ClientFault: true, Detail: detail,
		}
	}
	switch {
	case cred.TokenSecret.IsZero():
		return refuse(codeEra, "the credential is not of OAuth 1.0")
	case cred.UpstreamID == "":
		return refuse(codeNoUser, "each call of OAuth 1.0 names the user")
	}
	r.Method, r.Query = http.MethodGet, form
	r.Query.Set("userid", cred.UpstreamID)
	r.Authorize = func(req *http.Request) error { return s.sign(req, cred) }
	return nil
}

// sign signs one request of a person.
func (s *service) sign(req *http.Request, cred providers.Credential) error {
	o := s.cfg.OAuth1
	signer := oauth1.Signer{
		ConsumerKey: o.ConsumerKey, ConsumerSecret: o.ConsumerSecret.Reveal(),
		Token: cred.Access.Reveal(), TokenSecret: cred.TokenSecret.Reveal(), Nonce: o.Nonce, Now: o.Now,
	}
	if o.Trace == nil {
		return signer.Sign(req)
	}
	transport := &oauth1.Transport{Signer: &signer, Trace: o.Trace, Base: signedBy(func(signed *http.Request) { req.URL = signed.URL })}
	_, err := transport.RoundTrip(req)
	return err
}

// signedBy is a transport that hands the signed request on and sends nothing.
type signedBy func(signed *http.Request)

func (f signedBy) RoundTrip(signed *http.Request) (*http.Response, error) {
	f(signed)
	return nil, nil
}

// legacyBodies is what the names of stored bodies of the era begin with. It is
// how they are told from those of today.
const legacyBodies = "oauth1/"

// legacyOrder is the order in which the streams of the era are listed: what tells
// the person's zone comes first.
var legacyOrder = [...]string{streamActivity, streamSleepSummary, streamMeasures, streamWorkouts, streamSleep}

// legacyStreams is every stream of the era by name. It is never changed. Measures
// can be asked for what changed; the others take civil days, of which the service
// answers for about 200 at once.
var legacyStreams = map[string]*stream{
	streamMeasures: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindBody}, Grain: providers.GrainInstant, Lookback: 14 * day, WalkTTL: walkTTL,
			Changes: true, AbsenceDeletes: true,
		},
		fetch: list{path: "measure", action: "getmeas", name: "getmeas"}.fetch, mapPage: (*mapper).measures,
	},
	streamActivity: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindDaily}, Grain: providers.GrainDay, MaxWindow: dayWindow, Lookback: 7 * day, WalkTTL: walkTTL,
		},
		fetch:   list{path: "v2/measure", action: "getactivity", name: "getactivity", byDate: true}.fetch,
		mapPage: (*mapper).activities,
	},
	streamWorkouts: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindActivity}, Grain: providers.GrainDay, MaxWindow: dayWindow, Lookback: 7 * day,
			WalkTTL: walkTTL, AbsenceDeletes: true,
		},
		fetch:   list{path: "v2/measure", action: "getworkouts", name: "getworkouts"}.fetch,
		mapPage: (*mapper).workouts,
	},
	streamSleepSummary: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindSleep}, Grain: providers.GrainDay, MaxWindow: dayWindow, Lookback: 7 * day,
			WalkTTL: walkTTL, AbsenceDeletes: true,
		},
		fetch:   list{path: "v2/sleep", action: "getsummary", name: "sleep/getsummary"}.fetch,
		mapPage: (*mapper).sleepSummaries,
	},
	streamSleep: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindSleep}, Grain: providers.GrainDay, MaxWindow: day, Lookback: 3 * day,
			AbsenceDeletes: true, CallsPerPage: dailyCalls,
		},
		fetch:   daily{path: "v2/sleep", action: "get", name: "sleep/get", ahead: night}.fetch,
		mapPage: (*mapper).sleepSegments,
	},
}

// The status numbers of the era that mean something of their own.
const statusSignature = 342

var (
	refusedToken       = class{kind: providers.ErrReauth}
	refusedApplication = class{kind: providers.ErrInvalid, application: true}
)

// legacyStatuses holds the status numbers that the era documented. A status that
// is not here means what it does today, but that no person is sent to consent
// again for it.
var legacyStatuses = map[int64]class{
	100:             refusedApplication, // hash missing or invalid
	246:             invalidParams,
	247:             invalidParams, // user id absent or incorrect
	249:             refusedToken,  // invalid OAuth credentials
	250:             refusedToken,  // the user is not the token's
	264:             invalidParams,
	283:             refusedToken, // token invalid or missing
	284:             transient,
	286:             invalidParams, // no such subscription
	293:             invalidParams, // callback URL absent, incorrect or not reachable
	294:             invalidParams, // the subscription could not be deleted
	304:             invalidParams, // comment absent or incorrect
	305:             invalidParams, // too many notifications are set
	328:             refusedToken,  // user deactivated
	statusSignature: refusedApplication,
	343:             invalidParams, // no notification for this callback
	401:             refusedToken,
	statusTooMany:   tooMany,
	2554:            refusedApplication, // wrong action or wrong service
	2555:            transient,          // unknown error
	2556:            refusedApplication, // no such service
}

// legacyClassOf returns what a status other than 0 meant on a call of the era.
func legacyClassOf(status int64) class {
	if c, ok := legacyStatuses[status]; ok {
		return c
	}
	c := classOf(status)
	if c == authentication {
		return refusedApplication
	}
	return c
}

// refusedSignature reports whether the service did not take the signature.
func refusedSignature(err error) bool {
	e, ok := errors.AsType[*providers.Error](err)
	return ok && e.Code == strconv.Itoa(statusSignature)
}

// clockTolerance is how far our clock may be from the service's before that is
// taken for the reason that a signature is refused.
const clockTolerance = time.Minute

// signatureDetail says what to look at after the service refused a signature; date
// is the time of its answer.
func (s *service) signatureDetail(date time.Time) string {
	now := time.Now
	if s.cfg.OAuth1.Now != nil {
		now = s.cfg.OAuth1.Now
	}
	if !date.IsZero() && date.Sub(now()).Abs() > clockTolerance {
		return "the signature was refused, and our clock differs from the service's"
	}
	return "the signature was refused: compare consumer key and secret, nonces and the address"
}
