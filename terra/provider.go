package terra

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// ProviderConfig describes an environment to the adapter.
type ProviderConfig struct {
	Config
	// SigningSecrets are the signing secrets of the destination that leads to
	// the webhook: while one is replaced there are two. Required; one of less
	// than 16 bytes is an error. Space around a secret is cut off.
	SigningSecrets []providers.Secret
	// Tolerance is how old a signature may be; 0 means [DefaultTolerance]. At
	// most 7 days, at least one minute.
	Tolerance time.Duration
	// Providers are what people may connect, in Terra's words, such as GARMIN.
	// With one they are sent to its page, else to the widget, which offers
	// them; nil offers all that the environment has enabled.
	Providers []string
	// Language of the widget, such as "en".
	Language string
	// PayloadHosts are where addresses in s3_payload events may lead. An entry
	// that begins with a dot stands for all hosts below it. Nil means
	// .amazonaws.com. Addresses are https, or http on a loopback host.
	PayloadHosts []string
	// RequestDays is the longest span of one request, in days; 0 means 366, the
	// most is 1825. What is longer than 56 days is asked for through the
	// webhook. Negative: 28, and nothing comes through the webhook that was asked
	// for, as long as answers are not too large.
	RequestDays int
}

const (
	minSecret    = 16 // bytes of a signing secret
	minTolerance = time.Minute
	maxTolerance = 7 * oneDay
	// authLifetime is how long a person may take: the widget session lives 15
	// minutes if it is not used, then comes the provider's page.
	authLifetime = time.Hour
)

// The codes of errors of the adapter.
const (
	codeWindow     = "window"     // a query that cannot be asked
	codePageToken  = "page_token" // a page token that is not of this walk
	codeProcessing = "processing" // the provider has not answered Terra yet
	codeInactive   = "inactive"   // the consent does not stand any more
	codeNoDate     = "no_date"    // the answer does not tell its time
)

// Provider is Terra as a source for the engine: one connection is one user of
// Terra. Create it with [NewProvider].
type Provider struct {
	*Client
	cfg          ProviderConfig
	keys         []*signingKey
	hosts        []string
	payloads     *http.Client
	capabilities providers.Capabilities
}

var (
	_ providers.Provider        = (*Provider)(nil)
	_ providers.Authorizer      = (*Provider)(nil)
	_ providers.Confirmer       = (*Provider)(nil)
	_ providers.Revoker         = (*Provider)(nil)
	_ providers.Lister          = (*Provider)(nil)
	_ providers.Remapper        = (*Provider)(nil)
	_ providers.WebhookParser   = (*Provider)(nil)
	_ providers.WebhookVerifier = (*Provider)(nil)
	_ providers.WebhookSorter   = (*Provider)(nil)
	_ providers.PayloadFetcher  = (*Provider)(nil)
)

// NewProvider returns the adapter, or an error of class ErrInvalid for a
// configuration that cannot work.
func NewProvider(cfg ProviderConfig) (*Provider, error) {
	const op = "configure"
	client, err := New(cfg.Config)
	if err != nil {
		return nil, err
	}
	p := &Provider{Client: client, cfg: cfg}
	for _, secret := range cfg.SigningSecrets {
		text := strings.TrimSpace(secret.Reveal())
		if len(text) < minSecret {
			return nil, invalid(op, "a signing secret has less than 16 bytes")
		}
		p.keys = append(p.keys, &signingKey{secret: text})
	}
	switch {
	case len(p.keys) == 0:
		return nil, invalid(op, "signing secrets are required")
	case cfg.Tolerance != 0 && (cfg.Tolerance < minTolerance || cfg.Tolerance > maxTolerance):
		return nil, invalid(op, "tolerance: want one minute to 7 days")
	case slices.Contains(cfg.Providers, ""):
		return nil, invalid(op, "a provider without a name")
	}
	window := cfg.RequestDays
	switch {
	case window == 0:
		window = defaultRequestDays
	case window < 0:
		window = surelySmall
	case window > maxRequestDays:
		return nil, invalid(op, "request days: the service takes 1825")
	}
	if err := p.admitHosts(); err != nil {
		return nil, err
	}
	p.capabilities = providers.Capabilities{
		Rotation: providers.RotationNone, Push: true, ConnectByDelivery: true, AuthLifetime: authLifetime,
	}
	for _, s := range streams {
		p.capabilities.Streams = append(p.capabilities.Streams, s.facts(window))
	}
	return p, nil
}

// Name returns "terra".
func (p *Provider) Name() string { return Name }

// Capabilities returns the facts about the service. There are no limits in it:
// Terra counts the days that are asked for and not the requests. What it refuses
// for that is waited out.
func (p *Provider) Capabilities() providers.Capabilities { return p.capabilities }

// Fetch returns one page of one stream. A longer span of days is asked for
// through the webhook: the page is then Pending. A stream that cannot be asked
// for has no data here; fetching it finds out whether the consent still stands.
func (p *Provider) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	st, ok := streamNamed(q.Stream)
	if !ok {
		return providers.Page{}, providers.NoSuchStream(Name, "fetch")
	}
	f := &fetch{p: p, kind: st.name, op: "fetch " + st.name, user: cred.UpstreamID}
	if f.user == "" {
		return providers.Page{}, f.invalid("")
	}
	var (
		page providers.Page
		err  error
	)
	switch {
	case !st.pulled:
		var info UserInfo
		if info, err = p.UserInfo(ctx, f.user); err == nil && inactive(info) {
			err = f.gone()
		}
	case st.grain == providers.GrainNone:
		page, err = f.profile(ctx)
	default:
		page, err = f.days(ctx, q)
	}
	if err != nil {
		return providers.Page{}, f.doubt(ctx, err)
	}
	return page, nil
}

// fetch is one call of Fetch under way.
type fetch struct {
	p              *Provider
	kind, op, user string
}

func (f *fetch) invalid(code string) error {
	return &providers.Error{Provider: Name, Op: f.op, Kind: providers.ErrInvalid, Code: code}
}

// gone is the error for a consent that does not stand any more.
func (f *fetch) gone() error {
	return &providers.Error{Provider: Name, Op: f.op, Kind: providers.ErrReauth, Code: codeInactive}
}

func inactive(info UserInfo) bool {
	no := func(v *bool) bool { return v != nil && !*v }
	return no(info.IsAuthenticated) || no(info.User.Active)
}

// doubt finds out what an error means for the consent. No call has a token of
// the person, so that none is refused plainly: a user that there is not, or that
// the provider refuses, is looked up.
func (f *fetch) doubt(ctx context.Context, failure error) error {
	e, ok := errors.AsType[*providers.Error](failure)
	if !ok {
		return failure
	}
	e.Op = f.op
	unknown := errors.Is(failure, providers.ErrNotFound)
	if !unknown && e.Code != CodeProviderRefused {
		return failure
	}
	info, err := f.p.UserInfo(ctx, f.user)
	switch {
	case errors.Is(err, providers.ErrNotFound):
		return f.gone()
	case err == nil && inactive(info):
		return f.gone()
	}
	return failure
}

// rawValue is any value, as it came.
type rawValue struct{ raw []byte }

func (v *rawValue) scan(s *jsonscan.Scanner) bool {
	v.raw = s.Raw()
	return true
}

// profile reads the person's profile.
func (f *fetch) profile(ctx context.Context) (providers.Page, error) {
	answer, err := readData[rawValue](ctx, f.p.Client, f.kind, AthleteRequest{UserID: f.user})
	if err != nil {
		return providers.Page{}, err
	}
	return page(f, answer, 0)
}

// days reads some days: as many as one answer holds, or all through the webhook.
func (f *fetch) days(ctx context.Context, q providers.Query) (providers.Page, error) {
	first, last := q.Window.First, q.Window.Last
	if !q.Window.Days() || last.Compare(first) < 0 {
		return providers.Page{}, f.invalid(codeWindow)
	}
	from := first
	if q.PageToken != "" {
		var err error
		if from, err = health.ParseDay(q.PageToken); err != nil || from.Compare(first) <= 0 || from.Compare(last) > 0 {
			return providers.Page{}, f.invalid(codePageToken)
		}
	}
	if from == first && count(first, last) > pulledDays && f.p.cfg.RequestDays >= 0 {
		return f.request(ctx, first, last)
	}
	to := last
	if count(from, last) > pageDays {
		to = from.Add(pageDays - 1)
	}
	answer, err := readData[rawValue](ctx, f.p.Client, f.kind, f.ask(from, to, false))
	if tooLarge(err) && f.p.cfg.RequestDays >= 0 {
		return f.request(ctx, from, last)
	}
	if err != nil {
		return providers.Page{}, err
	}
	got, err := page(f, answer, count(from, to))
	if err == nil && got.Pending == nil && to != last {
		got.More, got.PageToken = true, to.Add(1).String()
	}
	return got, err
}

// count returns how many days there are, both ends counted.
func count(first, last health.Day) int { return last.Number() - first.Number() + 1 }

func (f *fetch) ask(first, last health.Day, webhook bool) DataRequest {
	return DataRequest{UserID: f.user, Start: OnDay(first), End: OnDay(last.Add(1)), ToWebhook: webhook, WithSamples: true}
}

// tooLarge reports whether an answer is too large to be had at once, or takes
// the service too long.
func tooLarge(err error) bool {
	e, ok := errors.AsType[*providers.Error](err)
	return ok && (e.Code == CodeAnswerTooLarge || e.Code == httpx.CodeBodyTooLarge ||
		e.Status == http.StatusGatewayTimeout || e.Status == http.StatusInternalServerError)
}

// request asks for days through the webhook. A span that may or may not count as
// a large request is made one that surely does: whether the answer has parts has
// to be known.
func (f *fetch) request(ctx context.Context, first, last health.Day) (providers.Page, error) {
	if n := count(first, last); n > surelySmall && n < surelyLarge {
		first = last.Add(1 - surelyLarge)
	}
	answer, err := readData[rawValue](ctx, f.p.Client, f.kind, f.ask(first, last, true))
	if err != nil {
		return providers.Page{}, err
	}
	return page(f, answer, count(first, last))
}

// page turns an answer into a page; days is how long the span was.
func page(f *fetch, a Answer[rawValue], days int) (providers.Page, error) {
	out := providers.Page{Date: a.Date}
	switch a.Outcome {
	case OutcomeProcessing:
		e := &providers.Error{Provider: Name, Op: f.op, Kind: providers.ErrUnavailable, Code: codeProcessing}
		if a.RetryAfter > 0 {
			e.RetryAt = time.Now().Add(a.RetryAfter)
		}
		return providers.Page{}, e
	case OutcomeSent, OutcomeLarge:
		reference, _, _ := cutChunk(a.Reference)
		if !isReference(reference) {
			return providers.Page{}, f.malformed(codeShape)
		}
		out.Pending = &providers.Pending{Reference: reference}
		if days <= surelySmall && a.Outcome == OutcomeSent {
			out.Pending.Expected = 1
		}
		return out, nil
	case OutcomeNone:
		return out, nil
	}
	if a.User.UserID != "" && a.User.UserID != f.user {
		return providers.Page{}, f.malformed(providers.CodeIdentity)
	}
	if a.Date.IsZero() {
		return providers.Page{}, f.malformed(codeNoDate)
	}
	out.Raw = []health.RawBody{{Name: f.kind, Body: a.Raw}}
	w, m, err := mapAnswer(f.kind, a.Raw, a.Date)
	if err != nil {
		return providers.Page{}, f.malformed(codeShape)
	}
	out.Records, out.Quarantined, out.Digest = m.records, m.quarantined, w.digest()
	return out, nil
}

func (f *fetch) malformed(code string) error {
	return &providers.Error{Provider: Name, Op: f.op, Kind: providers.ErrMalformed, Code: code}
}

// mapAnswer maps an answer with data as of the time that it tells.
func mapAnswer(kind string, body []byte, date time.Time) (wireEvent, mapper, error) {
	at := envelope{Now: date}
	if !date.IsZero() {
		at.Order = date.UnixMilli()
	}
	m := newMapper(kind, at)
	var failure error
	// The data is most of an answer: it is walked over once.
	read := func(s *jsonscan.Scanner) { failure = m.all(s) }
	if kind == kindAthlete { // which is under another name, mostly
		read = nil
	}
	w, err := scanEvent(body, read)
	w.kind = kind
	switch {
	case err != nil:
	case w.content() == nil:
		err = malformed(codeShape)
	case read == nil:
		s := jsonscan.New(w.content())
		err = m.all(&s)
	default:
		err = failure
	}
	if err != nil {
		return wireEvent{}, mapper{}, err
	}
	m.finish(w.user)
	return w, m, nil
}

// digest is of the data and of who wrote it, because the rest of an answer
// changes each time.
func (w *wireEvent) digest() uint64 {
	return health.Digest(append([]byte(strconv.Itoa(mappingVersion)+" "+w.user.Provider+" "), w.content()...))
}

// Remap maps the stored answer of a page again.
func (p *Provider) Remap(raw health.RawPage) ([]health.Record, error) {
	f := &fetch{op: "remap"}
	if _, ok := streamNamed(raw.Stream); !ok {
		return nil, providers.NoSuchStream(Name, f.op)
	}
	var all []health.Record
	for _, body := range raw.Bodies {
		_, m, err := mapAnswer(raw.Stream, body.Body, raw.Date)
		if err != nil {
			return nil, f.malformed(codeShape)
		}
		all = append(all, m.records...)
	}
	return all, nil
}

// Authorize returns the address of the widget, or of the page of the one provider
// that is offered. The state goes to Terra as the reference id, which comes back
// with the signed delivery about the connection, and to the redirect address,
// where it says which flow ended and proves nothing. The redirect address is
// https.
func (p *Provider) Authorize(ctx context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	const op = "authorize"
	back, err := url.Parse(r.RedirectURL)
	if r.State == "" || r.RedirectURL == "" || err != nil {
		return providers.AuthStart{}, invalid(op, "a state and a redirect URL are required")
	}
	query := back.Query()
	query.Set("state", r.State)
	back.RawQuery = query.Encode()
	if len(p.cfg.Providers) == 1 {
		pending, err := p.AuthURL(ctx, AuthURLRequest{
			Provider: p.cfg.Providers[0], ReferenceID: r.State, Language: p.cfg.Language, SuccessURL: back.String(), FailureURL: back.String(),
		})
		return providers.AuthStart{URL: pending.URL}, err
	}
	session, err := p.WidgetSession(ctx, SessionRequest{
		Providers: p.cfg.Providers, ReferenceID: r.State, Language: p.cfg.Language, SuccessURL: back.String(), FailureURL: back.String(),
	})
	return providers.AuthStart{URL: session.URL}, err
}

// Exchange always fails: there is no code, and what the browser brings back
// proves nothing. See Capabilities.ConnectByDelivery.
func (p *Provider) Exchange(context.Context, providers.Callback) (providers.Grant, error) {
	return providers.Grant{}, &providers.Error{
		Provider: Name, Op: "exchange", Kind: providers.ErrInvalid, Detail: "a connection is told by a delivery", Err: errors.ErrUnsupported,
	}
}

// Confirm asks Terra for the user with a reference id. Of several the newest
// counts. A user is reserved before the person consents: one that is not said to
// be active is asked for by itself.
func (p *Provider) Confirm(ctx context.Context, reference string, _ providers.Callback) (string, error) {
	users, err := p.UsersByReference(ctx, reference)
	if err != nil {
		return "", err
	}
	var newest User
	for _, u := range users {
		if stands(u) && u.ReferenceID == reference && (newest.UserID == "" || u.CreatedAt > newest.CreatedAt) {
			newest = u
		}
	}
	found := isID(newest.UserID)
	if found && newest.Active == nil {
		info, err := p.UserInfo(ctx, newest.UserID)
		if err != nil {
			return "", err
		}
		found = !inactive(info) && (info.IsAuthenticated != nil || info.User.Active != nil)
	}
	if !found {
		return "", &providers.Error{Provider: Name, Op: "confirm", Kind: providers.ErrNotFound}
	}
	return newest.UserID, nil
}

func stands(u User) bool { return u.Active == nil || *u.Active }

// Revoke ends the connection at Terra and at the provider.
func (p *Provider) Revoke(ctx context.Context, cred providers.Credential) error {
	err := p.Deauthenticate(ctx, cred.UpstreamID)
	if errors.Is(err, providers.ErrNotFound) {
		return nil
	}
	return err
}

// UpstreamUsers returns one page of the users of the environment, without those
// whose consent was taken back.
func (p *Provider) UpstreamUsers(ctx context.Context, token string) (providers.UpstreamPage, error) {
	number := 0
	if token != "" {
		var err error
		if number, err = strconv.Atoi(token); err != nil || number < 0 {
			return providers.UpstreamPage{}, &providers.Error{Provider: Name, Op: "list users", Kind: providers.ErrInvalid, Code: codePageToken}
		}
	}
	users, err := p.UserPage(ctx, number, 0)
	if err != nil {
		return providers.UpstreamPage{}, err
	}
	var out providers.UpstreamPage
	for _, u := range users.Users {
		if stands(u) {
			known := providers.UpstreamUser{ID: u.UserID, Reference: u.ReferenceID}
			if u.Active == nil {
				known.Reference = "" // it may be reserved: no connect flow ends with it, see Confirm
			}
			out.Users = append(out.Users, known)
		}
	}
	switch {
	case users.Next > number:
		out.Next = strconv.Itoa(users.Next)
	case users.Next >= 0:
		return providers.UpstreamPage{}, &providers.Error{Provider: Name, Op: "list users", Kind: providers.ErrMalformed, Code: codeLoop}
	}
	return out, nil
}
