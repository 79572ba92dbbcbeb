package provsim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rotations are all modes, by name.
func rotations() map[string]providers.Rotation {
	return map[string]providers.Rotation{
		"none": providers.RotationNone, "grace": providers.RotationGrace, "replay": providers.RotationReplay,
		"single_use": providers.RotationSingleUse, "single_use_revoke": providers.RotationSingleUseRevoke,
	}
}

// TestConformance runs the suite for the two kinds of answers to a refresh: with
// a refresh token and without.
func TestConformance(t *testing.T) {
	for _, name := range []string{"none", "single_use_revoke"} {
		rotation := rotations()[name]
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, providertest.Harness{
				Sim: func(tb testing.TB, pageSize int) providertest.Simulator {
					return &simulator{provsim.NewService(provsim.Config{
						Rotation: rotation, Seed: 7, PageSize: pageSize, AccessLife: 24 * time.Hour, Users: 5,
						LargeAfter: 28 * 24 * time.Hour, ChunkRows: 2, WebhookURL: "https://app.example.com/webhooks/provsim", Disorder: true,
					}), tb}
				},
				New: func(tb testing.TB, base string, rt http.RoundTripper) providers.Provider {
					p, err := provsim.New(provsim.AdapterConfig{BaseURL: base, Transport: rt, Rotation: rotation})
					require.NoError(tb, err)
					return p
				},
			})
		})
	}
}

// simulator shows a service to the suite.
type simulator struct {
	*provsim.Service
	tb testing.TB
}

var (
	_ providertest.Simulator   = (*simulator)(nil)
	_ providertest.Consenter   = (*simulator)(nil)
	_ providertest.Subscribing = (*simulator)(nil)
	_ providertest.Delivering  = (*simulator)(nil)
	_ providertest.Signing     = (*simulator)(nil)
	_ providertest.Pointing    = (*simulator)(nil)
	_ providertest.Deferring   = (*simulator)(nil)
	_ providertest.Peopled     = (*simulator)(nil)
)

func (s *simulator) deliver(e provsim.Event) *providers.WebhookRequest {
	r, _ := s.Sign(s.Compose(e), time.Now())
	return r
}

func (s *simulator) Pointers() (good, ended, foreign *providers.WebhookRequest) {
	content := provsim.Event{Type: provsim.TypeData, User: "u1", Streams: []string{provsim.StreamDaily}}
	there, _ := s.Point(providertest.BaseURL, "u1", 0, content)
	gone, _ := s.Point(providertest.BaseURL, "u1", -time.Second, content)
	elsewhere, _ := s.Point("https://elsewhere.example.com", "", 0, content)
	return s.deliver(there), s.deliver(gone), s.deliver(elsewhere)
}

func (s *simulator) Defer() providers.Query {
	now := time.Now()
	return providers.Query{Stream: provsim.StreamEvents, Window: health.Window{From: now.AddDate(0, 0, -60), To: now}}
}

func (s *simulator) Deferred(reference string) (all []*providers.WebhookRequest) {
	for _, d := range s.Service.Deliveries() {
		if strings.Contains(string(d.Body), `"`+reference+`"`) {
			r, _ := s.Sign(d.Body, time.Now())
			all = append(all, r)
		}
	}
	return all
}

func (s *simulator) People() []string {
	for _, user := range s.Users() {
		_, err := s.Service.Login(user)
		require.NoError(s.tb, err)
	}
	return s.Users()
}

func (s *simulator) Login() providers.Credential {
	cred, err := s.Service.Login("u1")
	require.NoError(s.tb, err)
	return cred
}

func (s *simulator) Window(stream string) health.Window {
	now := time.Now().UTC()
	if stream == provsim.StreamDaily {
		return health.Window{First: health.DayOf(now).Add(-40), Last: health.DayOf(now)}
	}
	return health.Window{From: now.AddDate(0, 0, -20), To: now.Add(6 * time.Hour)}
}

func (s *simulator) rows(stream string) []provsim.Row {
	truth, err := s.Truth("u1")
	require.NoError(s.tb, err)
	return truth[stream]
}

func (s *simulator) WantKeys(stream string) []string {
	var keys []string
	for _, r := range s.rows(stream) {
		if !r.Deleted {
			keys = append(keys, stream+"/"+r.ID)
		}
	}
	return keys
}

func (s *simulator) Change(stream string) string {
	rows := s.rows(stream)
	r := rows[len(rows)/2]
	r.Value++
	if len(r.Points) > 0 {
		r.Points[0]++
	}
	r, err := s.Put("u1", stream, r)
	require.NoError(s.tb, err)
	return stream + "/" + r.ID
}

func (s *simulator) Fault(fault providertest.Fault, n int) bool {
	s.ClearFaults()
	f := provsim.Fault{On: "data", Count: n}
	switch fault {
	case providertest.FaultExpired:
		f.Status, f.Body = http.StatusUnauthorized, `{"error":"token_expired"}`
	case providertest.FaultForbidden:
		f.Status, f.Body = http.StatusForbidden, `{"error":"insufficient_scope"}`
	case providertest.FaultLoop:
		f.Status, f.Body = http.StatusOK, `{"rows":[],"next":"again","mark":"1"}`
	default:
		return false // the service tells failures by the status alone
	}
	if n > 0 {
		s.Inject(f)
	}
	return true
}

func (s *simulator) RedirectURL() string { return provsim.DefaultRedirectURL }

func (s *simulator) Consent(address string) (string, error) { return s.Service.Consent("u1", address) }

func (s *simulator) Subscription() providers.Subscription {
	return providers.Subscription{Topic: provsim.StreamEvents, CallbackURL: "https://app.example.com/webhooks/provsim"}
}

func (s *simulator) Deliveries() (genuine, forged []*providers.WebhookRequest) {
	now := time.Now()
	row := s.rows(provsim.StreamEvents)[0]
	for _, e := range []provsim.Event{
		{Type: provsim.TypeData, User: "u1", Streams: []string{provsim.StreamDaily}, From: now.Add(-time.Hour).UnixMilli(), To: now.UnixMilli()},
		{Type: provsim.TypeData, User: "u1", Data: map[string][]provsim.Row{provsim.StreamEvents: {row}}},
		{Type: provsim.TypeAuth, User: "u1", Reference: "r"},
		{Type: provsim.TypeDeauth, User: "u1"},
		{Type: provsim.TypeReauth, User: "u1", OldUser: "u0"},
		{Type: provsim.TypeRequest, User: "u1", Reference: "r", Expected: 2},
		{Type: provsim.TypeData, User: "u1", Reference: "r", Part: 2, Data: map[string][]provsim.Row{provsim.StreamEvents: {row}}},
		{Type: provsim.TypePayload, URL: providertest.BaseURL + "/payload/x", ExpiresIn: 60},
		{Type: "weather", User: "u1"},
	} {
		body := s.Compose(e)
		deliver := func(h http.Header) *providers.WebhookRequest {
			return &providers.WebhookRequest{Method: http.MethodPost, Header: h, Body: body}
		}
		genuine = append(genuine, deliver(s.Header(body, now)))
		forged = append(forged,
			deliver(http.Header{provsim.SignatureHeader: {provsim.Sign(body, now, "not the signing secret")}}),
			deliver(s.Header(body, now.Add(-6*time.Minute))))
	}
	return genuine, forged
}

func (s *simulator) Sign(body []byte, at time.Time) (delivery *providers.WebhookRequest, dated bool) {
	return &providers.WebhookRequest{Method: http.MethodPost, Header: s.Header(body, at), Body: body}, true
}
