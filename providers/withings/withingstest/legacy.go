package withingstest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Credentials of the application that a zero [LegacyConfig] registers for OAuth 1.0. The real ones were of varying
// length too.
const (
	DefaultConsumerKey    = "5b1f0c9d7e3a48629f1c0d4e6a8b2c5f0c1a9b7d3e48627b9f1c0d4e6a8"
	DefaultConsumerSecret = "d2e4f6a8b0c1d3e5f7a9b1c3d5e7f90a1b2c3d4e5f60718293a4b5c6d7e8f"
)

// Paths of the OAuth 1.0 era, below the address where the Server is mounted. In reality the three of the account were on
// oauth.withings.com and then on developer.health.nokia.com, and the services on wbsapi.withings.net and
// api.health.nokia.com, where [MeasurePath], [MeasureV2Path], [SleepPath] and [NotifyPath] were too. [TokenPath] was on
// account.withings.com until February 2022: the token service of OAuth 2.0 with an answer without envelope.
const (
	LegacyRequestTokenPath = "/account/request_token"
	LegacyAuthorizePath    = "/account/authorize"
	LegacyAccessTokenPath  = "/account/access_token"
	LegacyUserPath         = "/user"
	LegacyOncePath         = "/once"
	TokenPath              = "/oauth2/token"
)

// Status codes that the OAuth 1.0 era used besides the others.
const (
	StatusLegacyParams   = 246 // a parameter is missing or malformed
	StatusLegacyUser     = 247 // userid absent or malformed
	StatusOtherUser      = 250 // the userid is not that of the token
	StatusUnknownToken   = 283 // the token is not known, or not any more
	StatusBadComment     = 304 // comment of a subscription absent
	StatusSignature      = 342 // the signature is wrong, or in the wrong place, or was there before
	StatusNoNotification = 343 // no notification for this callback
)

// LegacyConfig describes the OAuth 1.0 side of the service. The zero value is as strict as the service was in 2018.
type LegacyConfig struct {
	// ConsumerKey and ConsumerSecret of the one registered application; empty means [DefaultConsumerKey] and
	// [DefaultConsumerSecret].
	ConsumerKey, ConsumerSecret string
	// PublicURL is the address that clients sign, for a Server behind something that changes Host or path. Empty: the
	// Host header with the scheme of X-Forwarded-Proto or of the connection.
	PublicURL string
	// TokenTransport is where the two token requests may carry their OAuth parameters; 0 means all of [InQuery],
	// [InHeader] and [InBoth]. DataTransport is the same for the data services; 0 means InQuery alone.
	TokenTransport, DataTransport Transport
	// TimestampWindow is how far a timestamp may be from now; 0 means 5 minutes, negative that it is not checked.
	TimestampWindow time.Duration
	// ReuseNonces allows a nonce to come again. Otherwise a token has one use for each nonce, whatever the timestamp.
	ReuseNonces bool
	// AnyScheme takes a signature over http for a request over https and the other way round, as before February 2018.
	AnyScheme bool
	// GetOnly refuses token requests by POST.
	GetOnly bool
	// ConfirmCallback adds oauth_callback_confirmed=true to the answer with a request token, as the standard wants it.
	ConfirmCallback bool
	// RequireVerifier refuses an access token without oauth_verifier. Without it a wrong one is refused and none is fine.
	RequireVerifier bool
	// ActivityList answers getactivity of a single date with a list too, not with the fields flat in the body.
	ActivityList bool
	// RevokedStatus is what a token gets that is not known, or not any more; 0 means [StatusUnknownToken]. The candidates
	// of the documentation are 249, 250, 283, 328 and 401.
	RevokedStatus int
	// RateLimit is how many requests per minute the application may make; 0 means 60, or off where that of Config is,
	// and negative is off.
	RateLimit int
}

func (c LegacyConfig) withDefaults(modernLimit int) LegacyConfig {
	if c.ConsumerKey == "" {
		c.ConsumerKey = DefaultConsumerKey
	}
	if c.ConsumerSecret == "" {
		c.ConsumerSecret = DefaultConsumerSecret
	}
	if c.TokenTransport == 0 {
		c.TokenTransport = InQuery | InHeader | InBoth
	}
	if c.DataTransport == 0 {
		c.DataTransport = InQuery
	}
	c.TimestampWindow = orDefault(c.TimestampWindow, 5*time.Minute)
	c.RevokedStatus = orDefault(c.RevokedStatus, StatusUnknownToken)
	if c.RateLimit == 0 && modernLimit < 0 {
		c.RateLimit = modernLimit
	}
	c.RateLimit = orDefault(c.RateLimit, 60)
	return c
}

// legacyAuthority issues and judges OAuth 1.0 tokens. It is guarded by Server.mu.
type legacyAuthority struct {
	requests map[string]*legacyRequest
	tokens   map[string]*legacyToken
	order    []*legacyToken
	nonces   map[usedNonce]time.Time // until when
	gate     gate
}

// legacyRequest is a request token.
type legacyRequest struct {
	text, secret, callback, verifier string
	userID                           int64 // who consented; 0 for nobody yet
	used                             bool
}

// legacyToken is an access token.
type legacyToken struct {
	text, secret string
	userID       int64
	issued       time.Time
	revoked      bool
	uses         int
	// migrated is the pair as a refresh token, once it was presented as one.
	migrated *refreshToken
}

// alive reports whether the token opens the data services. It does until somebody uses what it was exchanged for.
func (t *legacyToken) alive() bool { return !t.revoked && (t.migrated == nil || !t.migrated.dead) }

func (a *legacyAuthority) init() {
	a.requests, a.tokens, a.nonces = map[string]*legacyRequest{}, map[string]*legacyToken{}, map[usedNonce]time.Time{}
}

func (a *legacyAuthority) put(t *legacyToken) *legacyToken {
	a.tokens[t.text] = t
	a.order = append(a.order, t)
	return t
}

// legacySecret returns the next unguessed text of the era: 57 to 62 hexadecimal digits.
func (s *Server) legacySecret() string {
	s.auth.issued++
	r := newRNG(s.cfg.Seed, 0x1e6ac7, s.auth.issued)
	return r.hex(31)[:r.in(57, 62)]
}

// LegacyToken is a ready-made OAuth 1.0 access token.
type LegacyToken struct {
	UserID        int64
	Token, Secret string
}

// String keeps secrets out of messages.
func (t LegacyToken) String() string {
	return fmt.Sprintf("withingstest.LegacyToken{user %d}", t.UserID)
}

// LegacyLogin returns an OAuth 1.0 access token of the user as if the three legs had been walked.
func (s *Server) LegacyLogin(userID int64) LegacyToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustUser(userID)
	t := s.legacy.put(&legacyToken{text: s.legacySecret(), secret: s.legacySecret(), userID: userID, issued: s.cfg.Now()})
	return LegacyToken{UserID: userID, Token: t.text, Secret: t.secret}
}

// AddLegacyToken makes an OAuth 1.0 access token known that was made up elsewhere. It panics if the user is not known
// or the token is.
func (s *Server) AddLegacyToken(t LegacyToken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustUser(t.UserID)
	if s.legacy.tokens[t.Token] != nil {
		panic("withingstest: the OAuth 1.0 token exists already")
	}
	s.legacy.put(&legacyToken{text: t.Token, secret: t.Secret, userID: t.UserID, issued: s.cfg.Now()})
}

// LegacyEntry is what became of one OAuth 1.0 access token.
type LegacyEntry struct {
	Token  string
	UserID int64
	Issued time.Time
	Uses   int  // data calls that were admitted with it
	Alive  bool // whether it would be accepted now
	// Migrated tells whether it was exchanged for OAuth 2.0 tokens. The pair is then in Ledger.Refresh as well, as
	// "token:secret", with how often it was presented.
	Migrated bool
}

// serveLegacyToken serves the two token requests.
func (s *Server) serveLegacyToken(c *call, o *oauthRequest) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = s.cfg.Now()
	if refused := s.legacy.gate.admit(c.now, s.cfg.Legacy.RateLimit); refused != nil {
		return refused
	}
	if s.cfg.Legacy.GetOnly && c.method != http.MethodGet {
		return refuse(StatusSignature, "The signature (using Oauth) is invalid")
	}
	if c.path == LegacyRequestTokenPath {
		return s.legacyRequestToken(c, o)
	}
	return s.legacyAccessToken(c, o)
}

func (s *Server) legacyRequestToken(c *call, o *oauthRequest) *refusal {
	if refused := s.checkOAuth(o, s.cfg.Legacy.TokenTransport, c.now, ""); refused != nil {
		return refused
	}
	if refused := s.spendNonce(o, c.now); refused != nil {
		return refused
	}
	callback := o.protocol["oauth_callback"]
	if u, err := url.Parse(callback); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return refuse(StatusBadCallback, "Callback URL is either absent or incorrect")
	}
	t := &legacyRequest{text: s.legacySecret(), secret: s.legacySecret(), callback: callback, verifier: s.legacySecret()[:19]}
	s.legacy.requests[t.text] = t
	c.form = "oauth_token=" + t.text + "&oauth_token_secret=" + t.secret
	if s.cfg.Legacy.ConfirmCallback {
		c.form += "&oauth_callback_confirmed=true"
	}
	return nil
}

func (s *Server) legacyAccessToken(c *call, o *oauthRequest) *refusal {
	var t *legacyRequest
	if o != nil {
		t = s.legacy.requests[o.protocol["oauth_token"]]
	}
	if t == nil && o != nil && !o.broken {
		return s.unknownToken()
	}
	secret := ""
	if t != nil {
		secret = t.secret
	}
	if refused := s.checkOAuth(o, s.cfg.Legacy.TokenTransport, c.now, secret); refused != nil {
		return refused
	}
	if refused := s.spendNonce(o, c.now); refused != nil {
		return refused
	}
	verifier := o.protocol["oauth_verifier"]
	callback, repeated := o.protocol["oauth_callback"]
	user := c.params.Get("userid")
	switch {
	case t.userID == 0 || t.used:
		return s.unknownToken()
	case verifier != "" && verifier != t.verifier, verifier == "" && s.cfg.Legacy.RequireVerifier:
		return s.unknownToken()
	case repeated && callback != t.callback:
		return refuse(StatusBadCallback, "Callback URL is either absent or incorrect")
	case user != "" && user != strconv.FormatInt(t.userID, 10):
		return refuse(StatusOtherUser, "The userid provided does not match the one of the Oauth token")
	}
	t.used = true
	access := s.legacy.put(&legacyToken{text: s.legacySecret(), secret: s.legacySecret(), userID: t.userID, issued: c.now})
	c.form = fmt.Sprintf("oauth_token=%s&oauth_token_secret=%s&userid=%d&deviceid=0", access.text, access.secret, access.userID)
	return nil
}

func (s *Server) unknownToken() *refusal {
	return refuse(s.cfg.Legacy.RevokedStatus, "The token provided is invalid")
}

// serveLegacyAuthorize is the consent page of the era.
func (s *Server) serveLegacyAuthorize(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		accountError(w, "unreadable form")
		return
	}
	user, answer := r.PostForm.Get("user"), r.PostForm.Get("accept")
	r.PostForm = nil // the page's own, and not signed
	t, refused := s.checkLegacyAuthorize(r)
	if refused != nil {
		accountError(w, refused.message)
		return
	}
	users := s.Users()
	switch {
	case answer == "1":
	case answer != "": // what a refusal looked like is not known
		http.Redirect(w, r, t.callback, http.StatusFound)
		return
	case s.cfg.AutoApprove != 0:
		user = fmt.Sprint(s.cfg.AutoApprove)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = consentPage.Execute(w, map[string]any{"ClientID": s.cfg.Legacy.ConsumerKey, "Users": users})
		return
	}
	i := slices.IndexFunc(users, func(u User) bool { return fmt.Sprint(u.ID) == user })
	if i < 0 {
		accountError(w, "no such user")
		return
	}
	http.Redirect(w, r, s.legacyConsent(t, users[i].ID), http.StatusFound)
}

// checkLegacyAuthorize applies the rules of the consent page: it takes addresses without a signature, or signed with or
// without the secret of the request token, and may be loaded again.
func (s *Server) checkLegacyAuthorize(r *http.Request) (*legacyRequest, *refusal) {
	o := s.readOAuth(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.legacy.requests[r.URL.Query().Get("oauth_token")]
	if t == nil || t.used {
		return nil, s.unknownToken()
	}
	if callback := r.URL.Query().Get("oauth_callback"); callback != "" && callback != t.callback {
		return nil, refuse(StatusBadCallback, "Callback URL is either absent or incorrect")
	}
	if o == nil {
		return t, nil
	}
	o.method = http.MethodGet // also when the page's form is sent
	return t, s.checkOAuth(o, InQuery, s.cfg.Now(), t.secret, "")
}

// legacyConsent notes that a user consents and returns where the browser is sent.
func (s *Server) legacyConsent(t *legacyRequest, userID int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustUser(userID)
	t.userID = userID
	separator := "?"
	if strings.Contains(t.callback, "?") {
		separator = "&"
	}
	return fmt.Sprintf("%s%suserid=%d&oauth_token=%s&oauth_verifier=%s", t.callback, separator, userID, t.text, t.verifier)
}

// authorizeLegacy is Authorize for an address of the era.
func (s *Server) authorizeLegacy(userID int64, u *url.URL) (*url.URL, error) {
	r := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{}}
	t, refused := s.checkLegacyAuthorize(r)
	if refused != nil {
		return nil, fmt.Errorf("withingstest: authorize: status %d: %s", refused.status, refused.message)
	}
	return url.Parse(s.legacyConsent(t, userID))
}

// migrate makes a refresh token of "token:secret" when the pair is an OAuth 1.0 access token.
func (s *Server) migrate(text string, now time.Time) {
	token, secret, ok := strings.Cut(text, ":")
	t := s.legacy.tokens[token]
	if !ok || t == nil || t.revoked || t.secret != secret || t.migrated != nil {
		return
	}
	t.migrated = &refreshToken{
		text: text, userID: t.userID, scopes: []string{ScopeInfo, ScopeMetrics, ScopeActivity}, issued: t.issued,
		expires: now.Add(100 * refreshLife), // it did not end
	}
	s.auth.refresh[text] = t.migrated
	s.auth.refreshOrder = append(s.auth.refreshOrder, t.migrated)
}

// answerLegacy does the work of a data request of the era.
func (s *Server) answerLegacy(c *call, o *oauthRequest) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = s.cfg.Now()
	actions, ok := s.legacyRoutes[c.path]
	if !ok {
		return refuse(StatusNoService, "Service is not defined")
	}
	serve, ok := actions[c.action]
	if !ok {
		return refuse(StatusNotImplemented, "Wrong action or wrong webservice")
	}
	if refused := s.legacy.gate.admit(c.now, s.cfg.Legacy.RateLimit); refused != nil {
		return refused
	}
	if c.path == LegacyOncePath {
		return serve(s, c)
	}
	if o == nil || c.method != http.MethodGet {
		return refuse(StatusSignature, "The signature (using Oauth) is invalid")
	}
	t := s.legacy.tokens[o.protocol["oauth_token"]]
	if t == nil || !t.alive() {
		return s.unknownToken()
	}
	if refused := s.checkOAuth(o, s.cfg.Legacy.DataTransport, c.now, t.secret); refused != nil {
		return refused
	}
	if refused := s.spendNonce(o, c.now); refused != nil {
		return refused
	}
	id, err := strconv.ParseInt(c.params.Get("userid"), 10, 64)
	switch {
	case err != nil:
		return refuse(StatusLegacyUser, "The userid provided is absent, or incorrect")
	case id != t.userID:
		return refuse(StatusOtherUser, "The userid provided does not match the one of the Oauth token")
	}
	t.uses++
	c.user, c.legacy = s.byID[t.userID], true
	c.token = &accessToken{userID: t.userID, scopes: knownScopes} // there were no scopes
	refused := serve(s, c)
	if refused != nil && refused.status == StatusInvalidParams {
		refused.status = StatusLegacyParams
	}
	return refused
}
