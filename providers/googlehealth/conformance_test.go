package googlehealth_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/googlehealth"
	"github.com/vitalmux/vitalmux/providers/googlehealth/googlehealthtest"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

const zoneName = "Europe/Berlin"

const webhookSecret = "Bearer 7f1d2c9be04a4f8c"

// run runs the suite against the adapter of a configuration.
func run(t *testing.T, cfg googlehealth.Config) {
	zone, err := time.LoadLocation(zoneName)
	require.NoError(t, err)
	providertest.Run(t, providertest.Harness{
		Zone: zone,
		Sim: func(_ testing.TB, pageSize int) providertest.Simulator {
			return newSimulator(cfg, googlehealthtest.Config{
				Seed: 11, PageSize: pageSize, Days: 5, HeartRateEvery: 4 * time.Hour, IntervalsPerDay: 3, RateLimit: -1, EmptyFirstPages: 3,
				AccessTokenLife: 24 * time.Hour, // the suite lets a minute pass for each stream
			}, zone)
		},
		New: func(tb testing.TB, base string, rt http.RoundTripper) providers.Provider {
			c := cfg
			c.ClientID, c.ClientSecret = googlehealthtest.DefaultClientID, providers.NewSecret(googlehealthtest.DefaultClientSecret)
			c.RedirectURL = googlehealthtest.DefaultRedirectURL
			c.BaseURL, c.TokenURL, c.AccountURL, c.Transport, c.RequestsPerMinute = base, base, base, rt, -1
			// The suite wants deliveries to be read without a request.
			c.Keyset = googlehealthtest.New(googlehealthtest.Config{Seed: 11}).Keyset()
			c.WebhookAuthorization = providers.NewSecret(webhookSecret)
			p, err := googlehealth.New(c)
			require.NoError(tb, err)
			return p
		},
	})
}

func TestConformance(t *testing.T) { run(t, googlehealth.Config{}) }

func TestConformanceBySource(t *testing.T) {
	run(t, googlehealth.Config{BySource: true, Streams: []string{
		"sleep", "exercise", "weight", "steps", "distance", "floors", "run_vo2_max", "daily_resting_heart_rate", "heart_rate",
		"electrocardiogram",
	}})
}

func TestConformanceOfOptionalStreams(t *testing.T) {
	run(t, googlehealth.Config{Streams: []string{
		"altitude", "active_energy_burned", "active_minutes", "activity_level", "basal_energy_burned", "sedentary_period",
		"swim_lengths_data", "time_in_heart_rate_zone", "menstrual_period", "ovulation_test", "moods", "symptoms", "weight_daily",
		"body_fat_daily", "daily_resting_heart_rate_range", "daily_heart_rate_variability_range",
	}})
}

// simulator shows googlehealthtest to the suite.
type simulator struct {
	*googlehealthtest.Server
	adapter googlehealth.Config
	user    googlehealthtest.User
	zone    *time.Location
}

var (
	_ providertest.Simulator  = (*simulator)(nil)
	_ providertest.Consenter  = (*simulator)(nil)
	_ providertest.Delivering = (*simulator)(nil)
	_ providertest.Signing    = (*simulator)(nil)
)

func newSimulator(adapter googlehealth.Config, cfg googlehealthtest.Config, zone *time.Location) *simulator {
	s := googlehealthtest.New(cfg)
	return &simulator{Server: s, adapter: adapter, user: s.AddUser(googlehealthtest.UserConfig{Timezone: zone.String()}), zone: zone}
}

func (s *simulator) Login() providers.Credential { return credential(s.Server.Login(s.user.ID)) }

func credential(t googlehealthtest.Token) providers.Credential {
	return providers.Credential{
		UpstreamID: t.UserID, Access: providers.NewSecret(t.AccessToken), Refresh: providers.NewSecret(t.RefreshToken),
		ExpiresAt: t.ExpiresAt, Scopes: t.Scopes,
	}
}

func (s *simulator) RedirectURL() string { return googlehealthtest.DefaultRedirectURL }

func (s *simulator) Consent(address string) (string, error) {
	u, err := s.Authorize(s.user.ID, address)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

func day(text string) health.Day {
	d, err := health.ParseDay(text)
	if err != nil {
		panic(err)
	}
	return d
}

func (s *simulator) Window(stream string) health.Window {
	first, last := day(s.user.FirstDay), day(s.user.LastDay)
	switch stream {
	case "settings", "profile", "identity", "devices", "irn_profile":
		return health.Window{}
	case "electrocardiogram":
		from, _, _ := first.Bounds(s.zone)
		_, to, _ := last.Bounds(s.zone)
		return health.Window{From: from, To: to}
	}
	return health.Window{First: first, Last: last}
}

// WantKeys asks the simulator by itself for all that it has, in one page, and
// names what it answers as the adapter should.
func (s *simulator) WantKeys(stream string) []string {
	return wantKeys(s.Server, s.user, stream, s.adapter.BySource)
}

func (s *simulator) Change(stream string) string {
	truth := s.Truth(s.user.ID)
	switch stream {
	case "sleep":
		sl := truth.Sleeps[len(truth.Sleeps)/2]
		s.EditSleep(s.user.ID, sl.ID, func(sl *googlehealthtest.Sleep) { sl.Stages = sl.Stages[:len(sl.Stages)-1] })
		return "sleep/" + sl.ID
	case "steps_daily":
		i := slices.IndexFunc(truth.Days, func(d googlehealthtest.Day) bool { return d.Worn })
		s.EditDay(s.user.ID, truth.Days[i].Date, func(d *googlehealthtest.Day) { d.Steps += 100 })
		return "steps_daily/" + truth.Days[i].Date
	}
	return ""
}

func (s *simulator) Fault(fault providertest.Fault, n int) bool {
	s.ClearFaults()
	f := googlehealthtest.Fault{Kind: googlehealthtest.FaultStatus, Count: n, Path: "/v4/"}
	switch fault {
	case providertest.FaultExpired:
		f.Status, f.Reason = http.StatusUnauthorized, "ACCESS_TOKEN_EXPIRED"
	case providertest.FaultForbidden:
		f.Status, f.Reason = http.StatusForbidden, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
	case providertest.FaultLoop:
		f.Kind = googlehealthtest.FaultRepeatPage
	case providertest.FaultBody, providertest.FaultBodyRate:
		code := http.StatusServiceUnavailable
		if fault == providertest.FaultBodyRate {
			code = http.StatusTooManyRequests
		}
		f.Kind = googlehealthtest.FaultRewrite
		f.Rewrite = func([]byte) []byte { return fmt.Appendf(nil, `{"error":{"code":%d,"message":"x","status":"X"}}`, code) }
	default:
		return false
	}
	if n > 0 {
		s.Server.Fault(f)
	}
	return true
}

func (s *simulator) MintedSecrets() []string {
	secrets := []string{googlehealthtest.DefaultClientSecret, webhookSecret}
	l := s.Ledger()
	for _, list := range [][]googlehealthtest.Presented{l.Codes, l.Access, l.Refresh} {
		for _, p := range list {
			if p.Text != "" {
				secrets = append(secrets, p.Text)
			}
		}
	}
	return secrets
}

// Sign returns a delivery with the header of today. No time is signed.
func (s *simulator) Sign(body []byte, _ time.Time) (*providers.WebhookRequest, bool) {
	return &providers.WebhookRequest{
		Method: http.MethodPost, Header: http.Header{googlehealth.SignatureHeader: {s.Server.Sign(body)}}, Body: body,
	}, false
}

func (s *simulator) Deliveries() (genuine, forged []*providers.WebhookRequest) {
	now := time.Now()
	notice := func(path, operation string) googlehealthtest.Notice {
		return googlehealthtest.Notice{UserID: s.user.ID, DataType: path, Operation: operation, From: now.Add(-time.Hour), To: now}
	}
	for _, body := range [][]byte{
		s.NoticeBody(false, notice("steps", "UPSERT")),
		s.NoticeBody(true, notice("sleep", "DELETE"), notice("heart-rate", "UPSERT")),
		s.NoticeBody(true, notice("a-type-of-tomorrow", "UPSERT")),
	} {
		r, _ := s.Sign(body, now)
		genuine = append(genuine, r)
		old, _ := s.Sign(body, now)
		old.Header = http.Header{googlehealth.OldSignatureHeader: old.Header[googlehealth.SignatureHeader]}
		genuine = append(genuine, old)
	}
	other := googlehealthtest.New(googlehealthtest.Config{Seed: 12})
	body := s.NoticeBody(false, notice("steps", "UPSERT"))
	return genuine, []*providers.WebhookRequest{{
		Method: http.MethodPost, Header: http.Header{googlehealth.SignatureHeader: {other.Sign(body)}}, Body: body,
	}}
}

// wantKeys returns the keys of all records of a stream, from what the simulator
// has.
func wantKeys(s *googlehealthtest.Server, user googlehealthtest.User, stream string, bySource bool) []string {
	keys := map[string]bool{}
	add := func(parts ...string) { keys[strings.Join(append([]string{stream}, parts...), "/")] = true }
	path := strings.ReplaceAll(stream, "_", "-")
	switch stream {
	case "settings", "profile", "identity", "irn_profile":
		add("me")
	case "devices":
		for _, id := range s.Devices(user.ID) {
			add(id)
		}
	default:
		if of, ok := strings.CutSuffix(path, "-range"); ok {
			path = of + "-daily"
		}
		if of, ok := strings.CutSuffix(path, "-daily"); ok {
			for _, day := range s.RollupDays(user.ID, of) {
				add(day)
			}
			break
		}
		points(s, user, path, bySource, add)
	}
	return slices.Sorted(maps.Keys(keys))
}

// onlyListed are the types that are not reconciled.
var onlyListed = []string{
	"electrocardiogram", "irregular-rhythm-notification", "menstrual-period", "moods", "symptoms", "ovulation-test",
}

var denseTypes = []string{
	"heart-rate", "heart-rate-variability", "oxygen-saturation", "steps", "active-zone-minutes", "distance", "floors", "altitude",
	"active-energy-burned", "active-minutes", "activity-level", "basal-energy-burned", "sedentary-period", "swim-lengths-data",
	"time-in-heart-rate-zone",
}

func points(s *googlehealthtest.Server, user googlehealthtest.User, path string, bySource bool, add func(...string)) {
	listed := slices.Contains(onlyListed, path) || bySource && path != "floors"
	for _, p := range s.Points(user.ID, path, !listed) {
		// Sources as the adapter tells them apart.
		source := []string{}
		if listed {
			text := []string{"FITBIT.Charge 6..sensed", "HEALTH_CONNECT..com.google.android.apps.fitness.sensed", "FITBIT...self_reported"}[p.Source]
			if slices.Contains(denseTypes, path) { // whose samples belong to the source, however they were recorded
				text = text[:strings.LastIndexByte(text, '.')]
			}
			if strings.Contains(text, " ") {
				text = "x" + strconv.FormatUint(health.Digest([]byte(text)), 16)
			}
			source = append(source, text)
		}
		switch {
		case slices.Contains(denseTypes, path) || strings.HasPrefix(path, "daily-"):
			add(append([]string{p.Date}, source...)...)
		case p.ID != "":
			add(p.ID)
		default:
			add(append([]string{p.Start.UTC().Format("2006-01-02T15:04:05.000Z")}, source...)...)
		}
	}
}
