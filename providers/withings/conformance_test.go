package withings_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

const zoneName = "Europe/Paris"

func TestConformance(t *testing.T) {
	zone, err := time.LoadLocation(zoneName)
	require.NoError(t, err)
	providertest.Run(t, providertest.Harness{
		Zone: zone,
		Sim: func(_ testing.TB, pageSize int) providertest.Simulator {
			return newSimulator(withingstest.Config{
				Seed: 7, PageSize: pageSize, Days: 6, IntradayDays: 2, RateLimit: -1, IdenticalCallWindow: -1,
			}, zone)
		},
		New: func(tb testing.TB, base string, rt http.RoundTripper) providers.Provider {
			p, err := withings.New(withings.Config{
				ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
				RedirectURL: withingstest.DefaultRedirectURL, BaseURL: base, AccountURL: base, Transport: rt, RequestsPerMinute: -1,
			})
			require.NoError(tb, err)
			return p
		},
	})
}

// simulator shows withingstest to the suite.
type simulator struct {
	*withingstest.Server
	user withingstest.User
	zone *time.Location
}

var (
	_ providertest.Simulator = (*simulator)(nil)
	_ providertest.Consenter = (*simulator)(nil)
)

func newSimulator(cfg withingstest.Config, zone *time.Location) *simulator {
	s := withingstest.New(cfg)
	return &simulator{Server: s, user: s.AddUser(withingstest.UserConfig{Timezone: zone.String()}), zone: zone}
}

func (s *simulator) Login() providers.Credential { return credential(s.Server.Login(s.user.ID)) }

func credential(t withingstest.Token) providers.Credential {
	return providers.Credential{
		UpstreamID: strconv.FormatInt(t.UserID, 10), Access: providers.NewSecret(t.AccessToken),
		Refresh: providers.NewSecret(t.RefreshToken), ExpiresAt: t.ExpiresAt, Scopes: t.Scopes,
	}
}

func (s *simulator) RedirectURL() string { return withingstest.DefaultRedirectURL }

func (s *simulator) Consent(address string) (string, error) {
	u, err := s.Authorize(s.user.ID, address)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

func (s *simulator) Window(stream string) health.Window {
	first, last := day(s.user.FirstDay), day(s.user.LastDay)
	switch stream {
	case "activity", "workouts", "sleep_summary", "sleep":
		return health.Window{First: first, Last: last.Add(1)}
	case "intraday":
		return health.Window{First: last.Add(-1), Last: last}
	case "measures", "heart":
		from, _, _ := first.Bounds(s.zone)
		_, to, _ := last.Add(1).Bounds(s.zone)
		return health.Window{From: from, To: to}
	}
	return health.Window{}
}

// Subscription is one that the simulator accepts.
func (s *simulator) Subscription() providers.Subscription {
	return providers.Subscription{Topic: "1", CallbackURL: "https://app.example.com/hook/secret"}
}

// Deliveries returns notifications; there are no forged ones, because the
// service signs none.
func (s *simulator) Deliveries() (genuine, forged []*providers.WebhookRequest) {
	at := time.Now().Unix()
	for _, body := range []string{
		fmt.Sprintf("userid=%d&appli=1&startdate=%d&enddate=%d", s.user.ID, at-60, at),
		fmt.Sprintf("userid=%d&appli=16&date=%s", s.user.ID, time.Now().Format(time.DateOnly)),
		fmt.Sprintf("userid=%d&appli=46&action=unlink", s.user.ID),
	} {
		genuine = append(genuine, &providers.WebhookRequest{Method: http.MethodPost, Body: []byte(body)})
	}
	return genuine, nil
}

func day(text string) health.Day {
	d, err := health.ParseDay(text)
	if err != nil {
		panic(err)
	}
	return d
}

// source is the part of a key that tells where a row comes from.
func source(device, otherwise string) string {
	if device != "" {
		return device
	}
	return otherwise
}

// activitySource tells the sources of a day apart.
func activitySource(a withingstest.Activity) string {
	if a.Brand == 1 {
		return "withings"
	}
	model := "none"
	if a.ModelID != 0 {
		model = fmt.Sprintf("model_%d", a.ModelID)
	}
	return source(a.DeviceID, fmt.Sprintf("brand_%d.%s", a.Brand, model))
}

func (s *simulator) WantKeys(stream string) []string {
	truth := s.Truth(s.user.ID)
	keys := map[string]bool{}
	add := func(format string, args ...any) { keys[stream+"/"+fmt.Sprintf(format, args...)] = true }
	switch stream {
	case "measures":
		for _, g := range truth.Measures {
			add("%d", g.ID)
		}
	case "activity":
		for _, a := range truth.Activities {
			add("%s/%s", a.Date, activitySource(a))
		}
	case "workouts":
		for _, w := range truth.Workouts {
			add("%d", w.ID)
		}
	case "sleep_summary":
		for _, n := range truth.Nights {
			add("%d", n.ID)
		}
	case "sleep":
		for _, n := range truth.Nights {
			for _, seg := range n.Segments {
				local := time.Unix(seg.Start, 0).In(s.zone).Add(12 * time.Hour) // noon to noon
				add("%s/%s", health.DayOf(local), map[int]string{16: "activity_tracker", 32: "sleep_monitor"}[n.Model])
			}
		}
	case "heart":
		for _, h := range truth.Hearts {
			if h.SignalID != 0 {
				add("%d", h.SignalID)
			} else {
				add("%d/%s", h.Timestamp, source(h.DeviceID, fmt.Sprintf("model_%d", h.Model)))
			}
		}
	case "intraday":
		w := s.Window(stream)
		for _, p := range truth.Intraday {
			if d := health.DayOf(time.Unix(p.Time, 0).In(s.zone)); d.Compare(w.First) >= 0 && d.Compare(w.Last) <= 0 {
				add("%s/%s", d, source(p.DeviceID, fmt.Sprintf("model_%d", p.ModelID)))
			}
		}
	case "devices":
		for _, d := range truth.Devices {
			add("%s", d.ID)
		}
	case "goals":
		if truth.Goals != nil {
			add("current")
		}
	}
	list := make([]string, 0, len(keys))
	for k := range keys {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

func (s *simulator) Change(stream string) string {
	truth := s.Truth(s.user.ID)
	switch stream {
	case "measures":
		g := truth.Measures[len(truth.Measures)/2]
		s.EditMeasure(s.user.ID, g.ID, func(g *withingstest.MeasureGroup) { g.Measures[0].Value++ })
		return fmt.Sprintf("measures/%d", g.ID)
	case "activity":
		a := truth.Activities[len(truth.Activities)/2]
		s.EditActivity(s.user.ID, a.Date, func(a *withingstest.Activity) { a.Data["steps"]++ })
		return fmt.Sprintf("activity/%s/%s", a.Date, activitySource(a))
	case "sleep_summary":
		n := truth.Nights[len(truth.Nights)/2]
		s.EditNight(s.user.ID, n.ID, func(n *withingstest.Night) { n.Data["sleep_score"]-- })
		return fmt.Sprintf("sleep_summary/%d", n.ID)
	}
	return ""
}

func (s *simulator) Fault(fault providertest.Fault, n int) bool {
	s.ClearFaults()
	f := withingstest.Fault{Kind: withingstest.FaultStatus, Count: n}
	switch fault {
	case providertest.FaultBody:
		f.Status = withingstest.StatusTimeout
	case providertest.FaultBodyRate:
		f.Status, f.Wait = withingstest.StatusTooManyRequests, time.Minute
	case providertest.FaultExpired:
		f.Status = withingstest.StatusInvalidToken
	case providertest.FaultForbidden:
		f.Status = withingstest.StatusInsufficientScope
	case providertest.FaultLoop:
		f.Kind = withingstest.FaultRepeatPage
	default:
		return false
	}
	if n > 0 {
		s.Server.Fault(f)
	}
	return true
}

func (s *simulator) MintedSecrets() []string {
	secrets := []string{withingstest.DefaultClientSecret}
	ledger := s.Ledger()
	for _, c := range ledger.Codes {
		secrets = append(secrets, c.Code)
	}
	for _, t := range ledger.Access {
		secrets = append(secrets, t.Token)
	}
	for _, t := range ledger.Refresh {
		secrets = append(secrets, t.Token)
	}
	return secrets
}
