package providertest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

const (
	clientSecret  = "client-secret-1d0c"
	signingSecret = "signing-secret-8e21"
	callbackURL   = "https://app.example.com/callback"
)

// row is one datum of the service.
type row struct {
	ID       string `json:"id"`
	At       int64  `json:"at"` // milliseconds
	Modified int64  `json:"modified"`
	Value    int64  `json:"value"`
}

// service is a small strict service: paged lists, rotating tokens,
// subscriptions, signed deliveries.
type service struct {
	pageSize int

	mu      sync.Mutex
	n       int
	rows    map[string][]row
	access  map[string]bool
	refresh map[string]bool
	codes   map[string]bool
	subs    map[string]providers.Subscription
	revoked bool // the consent is gone until the next login
	minted  []string
	fault   providertest.Fault
	faults  int
	// deferring answers the next list by deliveries.
	deferring bool
}

func newService(pageSize int) *service {
	if pageSize == 0 {
		pageSize = 50
	}
	s := &service{
		pageSize: pageSize, rows: map[string][]row{}, access: map[string]bool{}, refresh: map[string]bool{},
		codes: map[string]bool{}, subs: map[string]providers.Subscription{}, minted: []string{clientSecret, signingSecret},
	}
	now := time.Now()
	for i := range 20 {
		at := now.Add(-time.Duration(19-i) * 24 * time.Hour).Add(-90 * time.Minute)
		s.rows["weights"] = append(s.rows["weights"], row{ID: fmt.Sprint("w", i), At: at.UnixMilli(), Modified: at.UnixMilli(), Value: int64(70_000 + i)})
		s.rows["days"] = append(s.rows["days"], row{ID: health.DayOf(at.UTC()).String(), At: at.UnixMilli(), Modified: at.UnixMilli(), Value: int64(5000 + i)})
	}
	s.rows["devices"] = []row{{ID: "scale", At: now.UnixMilli(), Modified: now.Add(-time.Hour).UnixMilli()}}
	return s
}

// mint returns a new secret. The caller holds the mutex.
func (s *service) mint(kind string) string {
	s.n++
	secret := fmt.Sprintf("%s-%x", kind, sha256.Sum256([]byte{byte(s.n), byte(s.n >> 8)}))[:30]
	s.minted = append(s.minted, secret)
	return secret
}

// pair returns new tokens that work. The caller holds the mutex.
func (s *service) pair() (access, refresh string) {
	access, refresh = s.mint("access"), s.mint("refresh")
	s.access[access], s.refresh[refresh] = true, true
	return access, refresh
}

func (s *service) Login() providers.Credential {
	s.mu.Lock()
	defer s.mu.Unlock()
	access, refresh := s.pair()
	s.revoked = false
	return providers.Credential{
		UpstreamID: "u7", Access: providers.NewSecret(access), Refresh: providers.NewSecret(refresh), ExpiresAt: time.Now().Add(time.Hour),
	}
}

func (s *service) Window(stream string) health.Window {
	now := time.Now()
	switch stream {
	case "weights":
		return health.Window{From: now.Add(-30 * 24 * time.Hour), To: now.Add(time.Hour)}
	case "days":
		today := health.DayOf(now.UTC())
		return health.Window{First: today.Add(-30), Last: today}
	default:
		return health.Window{}
	}
}

func (s *service) WantKeys(stream string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for _, r := range s.rows[stream] {
		keys = append(keys, stream+"/"+r.ID)
	}
	return keys
}

func (s *service) Change(stream string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.rows[stream][0]
	r.Value++
	r.Modified = time.Now().UnixMilli()
	return stream + "/" + r.ID
}

func (s *service) Fault(f providertest.Fault, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.faults = f, n
	return true
}

func (s *service) MintedSecrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.minted)
}

func (s *service) RedirectURL() string { return callbackURL }

func (s *service) Consent(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Query().Get("redirect_uri") != callbackURL || u.Query().Get("client_id") != "app" {
		return "", fmt.Errorf("refused")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	code := s.mint("code")
	s.codes[code] = true
	return callbackURL + "?" + url.Values{"code": {code}, "state": {u.Query().Get("state")}}.Encode(), nil
}

func (s *service) Subscription() providers.Subscription {
	return providers.Subscription{Topic: "weights", CallbackURL: "https://app.example.com/hook"}
}

// sign returns the signature of a body at a time: "t=<Unix seconds>,v1=<hex>".
func sign(body []byte, at time.Time) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(signingSecret))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return "t=" + stamp + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

func (s *service) Deliveries() (genuine, forged []*providers.WebhookRequest) {
	for _, body := range []string{
		`{"user":"u7","event":"data","stream":"weights","rows":[{"id":"w1","at":1772300000000,"modified":1772300000000,"value":70001}]}`,
		`{"user":"u7","event":"data","stream":"days"}`, `{"user":"u7","event":"deauth"}`, `{"user":"u8","event":"reauth","old":"u7"}`,
		`{"user":"u7","event":"auth","ref":"r1"}`, `{"event":"party"}`, `{"user":"u7","event":"request","ref":"q1","expected":2}`,
		`{"user":"u7","event":"payload","url":"https://service.example.com/payload?key=good"}`,
		`{"user":"u7","event":"data","stream":"weights","ref":"q1","part":2,"rows":[{"id":"w2","at":1772300000000,"modified":1772300000000,"value":70002}]}`,
	} {
		r, _ := s.Sign([]byte(body), time.Now())
		r.Header.Set("User-Agent", "service/1.0")
		genuine = append(genuine, r)
	}
	return genuine, nil
}

func (s *service) signed(body string) *providers.WebhookRequest {
	r, _ := s.Sign([]byte(body), time.Now())
	return r
}

func (s *service) Pointers() (good, ended, foreign *providers.WebhookRequest) {
	point := func(address string) *providers.WebhookRequest {
		return s.signed(`{"user":"u7","event":"payload","url":"` + address + `"}`)
	}
	return point(providertest.BaseURL + "/payload?key=good"), point(providertest.BaseURL + "/payload?key=ended"),
		point("https://elsewhere.example.com/payload?key=good")
}

func (s *service) Defer() providers.Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deferring = true
	now := time.Now()
	return providers.Query{Stream: "weights", Window: health.Window{From: now.Add(-7 * 24 * time.Hour), To: now}}
}

func (s *service) Deferred(reference string) (all []*providers.WebhookRequest) {
	all = append(all, s.signed(`{"user":"u7","event":"request","ref":"`+reference+`"}`))
	for part := 3; part > 0; part-- {
		all = append(all, s.signed(fmt.Sprintf(
			`{"user":"u7","event":"data","stream":"weights","ref":"%s","part":%d,"rows":[{"id":"w%d","at":1772300000000,"modified":1772300000000,"value":70001}]}`,
			reference, part, part)))
	}
	return append(all, s.signed(`{"user":"u7","event":"request","expected":3,"ref":"`+reference+`"}`))
}

func (s *service) Confirmed() (reference, upstreamID string) { return "r1", "u7" }

func (s *service) People() []string { return []string{"u1", "u2", "u3", "u7", "u9"} }

func (s *service) people(from string, answer func(int, any)) {
	all := s.People()
	at, _ := strconv.Atoi(from)
	next := ""
	if at+s.pageSize < len(all) {
		next = strconv.Itoa(at + s.pageSize)
	}
	answer(200, map[string]any{"users": all[at:min(len(all), at+s.pageSize)], "next": next})
}

func (s *service) Sign(body []byte, at time.Time) (*providers.WebhookRequest, bool) {
	return &providers.WebhookRequest{
		Method: http.MethodPost, Header: http.Header{"X-Signature": {sign(body, at)}}, Body: body,
	}, true
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	answer := func(status int, v any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	switch r.URL.Path {
	case "/token":
		s.token(r, answer)
		return
	case "/recover":
		s.recover(r, answer)
		return
	case "/payload":
		if r.URL.Query().Get("key") != "good" {
			answer(400, map[string]string{"error": "ended"})
			return
		}
		answer(200, map[string]string{"user": "u7", "event": "data", "stream": "days"})
		return
	case "/confirm":
		if r.URL.Query().Get("ref") != "r1" {
			answer(404, map[string]string{"error": "nobody"})
			return
		}
		answer(200, map[string]string{"user": "u7"})
		return
	case "/people":
		s.people(r.URL.Query().Get("from"), answer)
		return
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if r.URL.Path == "/revoke" {
		if !s.access[token] {
			answer(404, map[string]string{"error": "gone"})
			return
		}
		delete(s.access, token)
		s.revoked = true
		answer(200, map[string]string{})
		return
	}
	fault := providertest.Fault("")
	if s.faults > 0 {
		s.faults--
		fault = s.fault
	}
	switch {
	case fault == providertest.FaultExpired || !s.access[token]:
		answer(401, map[string]string{"error": "expired"})
	case fault == providertest.FaultBody:
		answer(200, map[string]string{"error": "busy"})
	case fault == providertest.FaultBodyRate:
		answer(200, map[string]string{"error": "slow_down"})
	case fault == providertest.FaultForbidden:
		answer(403, map[string]string{"error": "scope"})
	case r.URL.Path == "/data":
		s.data(r.URL.Query(), fault == providertest.FaultLoop, answer)
	case r.URL.Path == "/subscriptions":
		s.subscriptions(r, answer)
	default:
		answer(404, map[string]string{"error": "path"})
	}
}

func (s *service) token(r *http.Request, answer func(int, any)) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	live, token := s.refresh, form.Get("refresh_token")
	if form.Get("grant_type") == "authorization_code" {
		live, token = s.codes, form.Get("code")
	}
	switch {
	case form.Get("client_secret") != clientSecret:
		answer(401, map[string]string{"error": "invalid_client"})
	case !live[token]:
		answer(400, map[string]string{"error": "invalid_grant", "error_description": token})
	default:
		delete(live, token)
		s.grant(answer)
	}
}

// recover gives a new pair to an application that proves who it is.
func (s *service) recover(r *http.Request, answer func(int, any)) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	switch {
	case form.Get("client_secret") != clientSecret:
		answer(401, map[string]string{"error": "invalid_client"})
	case s.revoked || form.Get("user") != "u7":
		answer(400, map[string]string{"error": "invalid_grant"})
	default:
		s.grant(answer)
	}
}

func (s *service) grant(answer func(int, any)) {
	access, refresh := s.pair()
	answer(200, map[string]any{"access_token": access, "refresh_token": refresh, "expires_in": 3600, "user": "u7"})
}

func (s *service) data(q url.Values, loop bool, answer func(int, any)) {
	number := func(name string) int64 { n, _ := strconv.ParseInt(q.Get(name), 10, 64); return n }
	rows := []row{}
	for _, r := range s.rows[q.Get("stream")] {
		switch {
		case q.Has("since") && r.Modified < number("since"), q.Has("from") && (r.At < number("from") || r.At >= number("to")),
			q.Has("first") && (r.ID < q.Get("first") || r.ID > q.Get("last")):
		default:
			rows = append(rows, r)
		}
	}
	if s.deferring {
		s.deferring = false
		answer(200, map[string]any{"rows": []row{}, "ref": "request-1"})
		return
	}
	offset := int(number("offset"))
	next := offset + s.pageSize
	if loop && q.Get("stream") != "devices" {
		answer(200, map[string]any{"rows": rows[:min(1, len(rows))], "next": max(offset, 1)})
		return
	}
	if next >= len(rows) {
		next = 0
	}
	rows = rows[min(offset, len(rows)):]
	answer(200, map[string]any{"rows": rows[:min(s.pageSize, len(rows))], "next": next})
}

func (s *service) subscriptions(r *http.Request, answer func(int, any)) {
	id := r.URL.Query().Get("id")
	switch r.Method {
	case http.MethodPost:
		if s.rows[r.URL.Query().Get("topic")] == nil {
			answer(400, map[string]string{"error": "topic"})
			return
		}
		s.n++
		id = fmt.Sprint("sub", s.n)
		s.subs[id] = providers.Subscription{ID: id, Topic: r.URL.Query().Get("topic"), CallbackURL: r.URL.Query().Get("url")}
	case http.MethodDelete:
		if _, ok := s.subs[id]; !ok {
			answer(404, map[string]string{"error": "subscription"})
			return
		}
		delete(s.subs, id)
	}
	all := []providers.Subscription{}
	for _, sub := range s.subs {
		all = append(all, sub)
	}
	answer(200, map[string]any{"id": id, "all": all})
}
