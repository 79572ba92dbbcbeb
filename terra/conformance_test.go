package terra_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

func TestConformance(t *testing.T) {
	var truth map[string][]string // the same for all: they have one seed and begin at one time
	providertest.Run(t, providertest.Harness{
		Sim: func(tb testing.TB, pageSize int) providertest.Simulator {
			sim := newSuiteSim(tb, pageSize)
			if truth == nil {
				truth = sim.truth()
			}
			sim.keys = truth
			return sim
		},
		New: func(tb testing.TB, base string, rt http.RoundTripper) providers.Provider {
			p, err := terra.NewProvider(terra.ProviderConfig{
				Config: terra.Config{
					DevID: terratest.DefaultDevID, APIKey: providers.NewSecret(terratest.DefaultAPIKey), BaseURL: base + terratest.APIPath,
					WidgetSessionURL: base + terratest.WidgetPath, Transport: rt,
				},
				SigningSecrets: []providers.Secret{providers.NewSecret(terratest.DefaultSigningSecret)},
				PayloadHosts:   []string{"service.example.com"},
			})
			require.NoError(tb, err)
			return p
		},
	})
}

// suiteSim shows terratest to the suite.
type suiteSim struct {
	*terratest.Server
	user     terratest.User
	pageSize int
	keys     map[string][]string // of records, by stream
}

var (
	_ providertest.Simulator  = (*suiteSim)(nil)
	_ providertest.Consenter  = (*suiteSim)(nil)
	_ providertest.Delivering = (*suiteSim)(nil)
	_ providertest.Signing    = (*suiteSim)(nil)
	_ providertest.Pointing   = (*suiteSim)(nil)
	_ providertest.Deferring  = (*suiteSim)(nil)
	_ providertest.Confirming = (*suiteSim)(nil)
	_ providertest.Peopled    = (*suiteSim)(nil)
)

const (
	goodPayload = "/payloads-of-the-suite/good"
	suiteReturn = "https://app.example.com/callback/terra"
)

func newSuiteSim(tb testing.TB, pageSize int) *suiteSim {
	s := terratest.New(terratest.Config{Seed: 7, Days: 15, HeartRateSamples: -1, BaseURL: providertest.BaseURL, ChunkElements: 3, ShuffleChunks: true})
	tb.Cleanup(s.Close)
	s.Hold() // what is sent is handed in by the suite
	s.AddDestination(terratest.Destination{URL: "https://app.example.com/webhooks/terra"})
	return &suiteSim{Server: s, user: s.AddUser(terratest.UserConfig{Timezone: "Europe/Berlin"}), pageSize: pageSize}
}

// ServeHTTP serves lists in small pages, and a payload.
func (s *suiteSim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == goodPayload {
		_, _ = w.Write(s.event(s.SendTest("DUMMY", terratest.KindDaily).ID))
		return
	}
	if s.pageSize > 0 && strings.HasSuffix(r.URL.Path, "/subscriptions") {
		q := r.URL.Query()
		q.Set("per_page", strconv.Itoa(s.pageSize))
		r.URL.RawQuery = q.Encode()
	}
	s.Server.ServeHTTP(w, r)
}

// event is the latest one about a user.
func (s *suiteSim) event(userID string) []byte {
	all := s.Server.Deliveries()
	for _, d := range slices.Backward(all) {
		if d.UserID == userID {
			return d.Event
		}
	}
	panic("no event")
}

func (s *suiteSim) Login() providers.Credential { return providers.Credential{UpstreamID: s.user.ID} }

func (s *suiteSim) Window(stream string) health.Window {
	if stream == "athlete" {
		return health.Window{}
	}
	first, err := health.ParseDay(s.user.FirstDay)
	if err != nil {
		panic(err)
	}
	return health.Window{First: first, Last: health.DayOf(s.user.Published).Add(1)}
}

func (s *suiteSim) WantKeys(stream string) []string { return s.keys[stream] }

// truth are the keys of all records of the person, which edits do not change.
func (s *suiteSim) truth() map[string][]string {
	keys := map[string][]string{}
	for _, r := range s.Records(s.user.ID) {
		kind := string(r.Key.Kind)
		add := func(id string) { keys[kind] = append(keys[kind], kind+"/"+id) }
		switch r.Key.Kind {
		case terratest.KindAthlete:
			add("profile")
			continue
		case terratest.KindBody:
			// What is measured at a time of the day has records of its own.
			var body struct {
				Measurements struct {
					All []struct {
						At string `json:"measurement_time"`
					} `json:"measurements"`
				} `json:"measurements_data"`
				Heart struct {
					ECG []struct {
						At string `json:"start_timestamp"`
					} `json:"ecg_signal"`
				} `json:"heart_data"`
			}
			if err := json.Unmarshal(r.Body, &body); err != nil {
				panic(err)
			}
			for _, m := range body.Measurements.All {
				add(r.Key.ID + "/" + m.At[:19])
			}
			for _, e := range body.Heart.ECG {
				add(e.At[:19])
			}
		}
		add(r.Key.ID)
	}
	return keys
}

func (s *suiteSim) Change(stream string) string {
	switch stream {
	case "athlete", "menstruation", "":
		return "" // edits are of totals
	}
	id := strings.Split(s.keys[stream][0], "/")[1]
	s.Edit(s.user.ID, terratest.Key{Kind: terratest.Kind(stream), ID: id})
	return stream + "/" + id
}

func (s *suiteSim) Fault(fault providertest.Fault, n int) bool {
	s.ClearFaults()
	f := terratest.Fault{Count: n}
	switch fault {
	case providertest.FaultBody:
		f.Kind = terratest.FaultError200
	case providertest.FaultBodyRate:
		f.Kind, f.Rewrite = terratest.FaultRewrite, func([]byte) []byte { return []byte(`{"message":"Rate limit","type":"rate_limit_hit"}`) }
	case providertest.FaultForbidden:
		f.Kind, f.Status = terratest.FaultHTTP, http.StatusForbidden
	default:
		return false // no token expires, and there are no pages that lead on
	}
	if n > 0 {
		s.Server.Fault(f)
	}
	return true
}

func (s *suiteSim) MintedSecrets() []string {
	return []string{terratest.DefaultAPIKey, terratest.DefaultSigningSecret}
}

func (s *suiteSim) RedirectURL() string { return suiteReturn }

func (s *suiteSim) Consent(address string) (string, error) {
	address, err := s.ChooseProvider(address, "GARMIN")
	if err != nil {
		return "", err
	}
	back, err := s.Server.Consent(address, terratest.Decision{})
	if err != nil {
		return "", err
	}
	return back.String(), nil
}

func (s *suiteSim) Confirmed() (reference, upstreamID string) {
	s.AddUser(terratest.UserConfig{ReferenceID: "other"})
	return "flow", s.AddUser(terratest.UserConfig{ReferenceID: "flow"}).ID
}

func (s *suiteSim) People() (ids []string) {
	for i := range 4 {
		s.AddUser(terratest.UserConfig{ReferenceID: fmt.Sprint("p", i)})
	}
	s.RevokeAccess(s.AddUser(terratest.UserConfig{}).ID)
	for _, u := range s.Users() {
		if u.State == terratest.StateActive {
			ids = append(ids, u.ID)
		}
	}
	return ids
}

func (s *suiteSim) Sign(body []byte, at time.Time) (*providers.WebhookRequest, bool) {
	return s.sign(body, at, nil), true
}

// sign is a delivery of a body, with the headers of one that the service sent.
func (s *suiteSim) sign(body []byte, at time.Time, sent *terratest.Delivery) *providers.WebhookRequest {
	h := http.Header{}
	h.Set(terra.SignatureHeader, fmt.Sprintf("t=%d,v1=%s", at.Unix(), terratest.Sign(terratest.DefaultSigningSecret, at.Unix(), body)))
	if sent != nil {
		h.Set(terra.ReferenceHeader, sent.Reference)
		h.Set(terra.TraceHeader, sent.TraceID)
		h.Set(terra.OrderingHeader, strconv.FormatInt(sent.Ordering, 10))
	}
	return &providers.WebhookRequest{Method: http.MethodPost, Header: h, Body: body}
}

// sent are all deliveries since the nth one, with nothing but the signature: the
// suite takes every header that differs for one.
func (s *suiteSim) sent(since int) (all []*providers.WebhookRequest) {
	for _, d := range s.Server.Deliveries()[since:] {
		all = append(all, s.sign(d.Event, time.Now(), nil))
	}
	return all
}

func (s *suiteSim) Deliveries() (genuine, forged []*providers.WebhookRequest) {
	since := len(s.Server.Deliveries())
	person := s.AddUser(terratest.UserConfig{ReferenceID: "state.terra", Announce: true})
	for _, kind := range append(terratest.DayKinds(), terratest.KindAthlete, terratest.KindHormone, terratest.KindObservation, terratest.KindPlanned) {
		s.SendTest("DUMMY", kind)
	}
	s.ConnectionError(person.ID, "401")
	s.ChangePermissions(person.ID, "a", "b")
	s.RateLimitHit(person.ID, "2026-01-01", "2026-02-01", time.Now())
	s.Processing(person.ID, time.Minute)
	s.NoDatasource(person.ID)
	s.Healthcheck()
	next := s.Reauthenticate(person.ID)
	s.RevokeAccess(next.ID)
	s.Deauthenticate(next.ID)
	for _, body := range []string{
		`{"type":"large_request_processing","status":"processing","message":"m","user":{"user_id":"u","provider":"GARMIN"},"reference":"r"}`,
		`{"type":"large_request_sending","message":"m","user":{"user_id":"u","provider":"GARMIN"},"reference":"r","expected_payloads":2}`,
		`{"type":"large_request_sending","message":"m","user":{"user_id":"u","provider":"GARMIN"},"reference":"r","expected_payloads":0}`,
		`{"type":"auth","status":"error","reason":"access_denied","user":{"user_id":"u","provider":"GARMIN"},"reference_id":"state.terra"}`,
		`{"type":"auth_cancelled","status":"error","flow_id":"f","reason":"access_denied","reference_id":"state.terra"}`,
		`{"type":"s3_payload","status":"success","url":"https://service.example.com/payloads/x","expires_in":300}`,
		`{"type":"daily","user":{"user_id":"u","provider":"GARMIN"},"data":[],"version":"2022-03-16"}`,
		`{"type":"daily","user":{"user_id":"u","provider":"GARMIN"},"data":[{}],"version":"2099-01-01"}`,
		`{"type":"hormone","user":{"user_id":"u","provider":"MIRA"},"data":[{}],"version":"2022-03-16"}`,
		`{"type":"moon_phase","user":{"user_id":"u","provider":"GARMIN"},"data":[1]}`,
	} {
		s.EmitRaw(terratest.Raw{Body: []byte(body)})
	}
	genuine = s.sent(since)
	for _, r := range genuine[:2] {
		for _, at := range []time.Time{time.Now().Add(-27 * time.Hour), time.Now().Add(6 * time.Minute)} {
			forged = append(forged, s.sign(r.Body, at, nil))
		}
	}
	return genuine, forged
}

func (s *suiteSim) Pointers() (good, ended, foreign *providers.WebhookRequest) {
	point := func(address string) *providers.WebhookRequest {
		body, err := json.Marshal(map[string]any{"type": "s3_payload", "status": "success", "url": address, "expires_in": 300})
		if err != nil {
			panic(err)
		}
		return s.sign(body, time.Now(), nil)
	}
	return point(providertest.BaseURL + goodPayload), point(providertest.BaseURL + terratest.PayloadPath + "gone.json?X-Amz-Signature=ab"),
		point("https://service.example.com.evil.example/payload")
}

func (s *suiteSim) Defer() providers.Query {
	w := s.Window("daily")
	return providers.Query{Stream: "daily", Window: health.Window{First: w.Last.Add(-59), Last: w.Last}}
}

func (s *suiteSim) Deferred(reference string) (all []*providers.WebhookRequest) {
	for _, d := range s.Server.Deliveries() {
		if d.Reference == reference {
			all = append(all, s.sign(d.Event, time.Now(), &d))
		}
	}
	return all
}

// A connection whose consent was taken back is found out by whatever is asked
// for, and also by streams that cannot be asked for.
func TestConsentIsLookedUp(t *testing.T) {
	sim := terratest.New(terratest.Config{Seed: 3, Days: 3, Now: simNow})
	p := newProvider(t, sim, nil)
	day := health.Day{Year: 2026, Month: 11, Dom: 20}
	fetch := func(user, stream string) error {
		q := providers.Query{Stream: stream}
		if st, _ := p.Capabilities().StreamNamed(stream); st.Grain == providers.GrainDay {
			q.Window = health.Window{First: day, Last: day}
		}
		_, err := p.Fetch(t.Context(), providers.Credential{UpstreamID: user}, q)
		return err
	}
	streams := p.Capabilities().Streams
	require.Len(t, streams, 10)
	alive, revoked, gone := sim.AddUser(terratest.UserConfig{}).ID, sim.AddUser(terratest.UserConfig{}).ID, sim.AddUser(terratest.UserConfig{}).ID
	sim.RevokeAccess(revoked)
	sim.Deauthenticate(gone)
	for _, st := range streams {
		require.NoError(t, fetch(alive, st.Name), st.Name)
		for _, user := range []string{revoked, gone, "never-there"} {
			err := fetch(user, st.Name)
			require.ErrorIs(t, err, providers.ErrReauth, st.Name)
			e, _ := errors.AsType[*providers.Error](err)
			require.False(t, e.ExpiredAccess)
		}
	}
	// What the provider lacks, and what it refused for another reason, are
	// none of the consent's business.
	walker := sim.AddUser(terratest.UserConfig{Provider: "STRAVA"}).ID
	require.ErrorIs(t, fetch(walker, "sleep"), providers.ErrForbidden)
	sim.Fault(terratest.Fault{Kind: terratest.FaultHTTP, Status: http.StatusFailedDependency})
	require.ErrorIs(t, fetch(alive, "daily"), providers.ErrForbidden)
	require.Equal(t, 1, strings.Count(fmt.Sprint(fetch("", "daily")), "invalid request"))
}

func newProvider(t testing.TB, sim http.Handler, change func(*terra.ProviderConfig)) *terra.Provider {
	cfg := terra.ProviderConfig{
		Config: terra.Config{
			DevID: terratest.DefaultDevID, APIKey: providers.NewSecret(terratest.DefaultAPIKey), Transport: providertest.Transport(sim), MaxWait: -1,
		},
		SigningSecrets: []providers.Secret{providers.NewSecret(terratest.DefaultSigningSecret)},
	}
	if change != nil {
		change(&cfg)
	}
	p, err := terra.NewProvider(cfg)
	require.NoError(t, err)
	return p
}
