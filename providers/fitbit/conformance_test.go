package fitbit_test

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	zoneName    = "Europe/Berlin"
	callbackURL = "https://app.example.com/webhooks/fitbit"
)

func harness(zone *time.Location, change func(*fitbit.Config)) providertest.Harness {
	return providertest.Harness{
		Zone: zone,
		Sim: func(_ testing.TB, pageSize int) providertest.Simulator {
			return newSimulator(fitbittest.Config{Seed: 7, PageSize: pageSize, Days: 40, IntradayDays: 2, RateLimit: -1, BaseURL: providertest.BaseURL})
		},
		New: func(tb testing.TB, base string, rt http.RoundTripper) providers.Provider {
			cfg := fitbit.Config{
				ClientID: fitbittest.DefaultClientID, ClientSecret: providers.NewSecret(fitbittest.DefaultClientSecret),
				RedirectURL: fitbittest.DefaultRedirectURL, BaseURL: base, AccountURL: base, Transport: rt, CallbackURL: callbackURL,
				VerificationCode: providers.NewSecret(fitbittest.DefaultVerificationCode), RequestsPerHour: -1,
			}
			change(&cfg)
			p, err := fitbit.New(cfg)
			require.NoError(tb, err)
			return p
		},
	}
}

func TestConformance(t *testing.T) {
	zone, err := time.LoadLocation(zoneName)
	require.NoError(t, err)
	providertest.Run(t, harness(zone, func(*fitbit.Config) {}))
}

// The other ways to ask: sleep by its list, heart rate by the minute, no zone.
func TestConformanceByLists(t *testing.T) {
	if proof.WithoutRace(t) {
		return
	}
	providertest.Run(t, harness(nil, func(c *fitbit.Config) {
		c.SleepList, c.HeartRateDetail, c.RoutesPerPage = true, fitbit.DetailMinute, 3
	}))
}

// simulator shows fitbittest to the suite.
type simulator struct {
	*fitbittest.Server
	person fitbittest.Person
}

var (
	_ providertest.Simulator   = (*simulator)(nil)
	_ providertest.Consenter   = (*simulator)(nil)
	_ providertest.Subscribing = (*simulator)(nil)
	_ providertest.Signing     = (*simulator)(nil)
)

func newSimulator(cfg fitbittest.Config) *simulator {
	s := fitbittest.New(cfg)
	return &simulator{Server: s, person: s.AddPerson(fitbittest.PersonConfig{Timezone: zoneName})}
}

func (s *simulator) Login() providers.Credential { return credential(s.Server.Login(s.person.ID)) }

func credential(t fitbittest.Token) providers.Credential {
	return providers.Credential{
		UpstreamID: t.PersonID, Access: providers.NewSecret(t.AccessToken), Refresh: providers.NewSecret(t.RefreshToken),
		ExpiresAt: t.ExpiresAt, Scopes: t.Scopes,
	}
}

func (s *simulator) RedirectURL() string { return fitbittest.DefaultRedirectURL }

func (s *simulator) Consent(address string) (string, error) {
	u, err := s.Authorize(s.person.ID, address)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

func (s *simulator) Subscription() providers.Subscription {
	return providers.Subscription{Topic: "activities", CallbackURL: callbackURL}
}

func (s *simulator) Sign(body []byte, _ time.Time) (*providers.WebhookRequest, bool) {
	return &providers.WebhookRequest{
		Method: http.MethodPost, Body: body,
		Header: http.Header{"X-Fitbit-Signature": {s.Server.Sign(body)}, "Content-Type": {"application/json"}},
	}, false
}

func (s *simulator) Deliveries() (genuine, forged []*providers.WebhookRequest) {
	owner := `"ownerId":"` + s.person.ID + `","ownerType":"user","subscriptionId":"s-1"}`
	for _, body := range []string{
		`[{"collectionType":"activities","date":"2026-03-01",` + owner + `,{"collectionType":"sleep","date":"2026-03-02",` + owner + `]`,
		`[{"collectionType":"body","date":"2026-02-01",` + owner + `]`, `[{"collectionType":"foods","date":"2026-02-01",` + owner + `]`,
		`[{"collectionType":"userRevokedAccess",` + owner + `]`,
	} {
		r, _ := s.Sign([]byte(body), time.Now())
		genuine = append(genuine, r)
	}
	other, _ := s.Sign([]byte(`[]`), time.Now())
	other.Body = genuine[0].Body
	return genuine, []*providers.WebhookRequest{other}
}

func civil(text string) health.Day {
	d, err := health.ParseDay(text)
	if err != nil {
		panic(err)
	}
	return d
}

func (s *simulator) Window(stream string) health.Window {
	w := health.Window{First: civil(s.person.FirstDay), Last: civil(s.person.LastDay)}
	switch stream {
	case "profile", "devices", "activity_goals", "body_goals", "food_goals", "sleep_goal", "lifetime", "rhythm_profile":
		return health.Window{}
	case "daily", "food", "water", "activity_intraday", "heart_intraday", "active_zone_minutes_intraday":
		w.First = w.Last.Add(-2)
	}
	return w
}

func (s *simulator) WantKeys(stream string) []string {
	keys := map[string]bool{}
	add := func(rest string) { keys[stream+"/"+rest] = true }
	id := func(n int64) { add(strconv.FormatInt(n, 10)) }
	w := s.Window(stream)
	within := func(date string) bool {
		d := civil(date)
		return d.Compare(w.First) >= 0 && d.Compare(w.Last) <= 0
	}
	days := s.Days(s.person.ID)
	each := func(has func(i int, d fitbittest.Day) bool) {
		for i, d := range days {
			if within(d.Date) && has(i, d) {
				add(d.Date)
			}
		}
	}
	worn := func(_ int, d fitbittest.Day) bool { return d.Worn }
	switch stream {
	case "profile", "rhythm_profile":
		add("current")
	case "lifetime":
		add("lifetime")
	case "devices":
		for _, key := range s.Devices(s.person.ID) {
			add(key)
		}
	case "activity_goals":
		add("daily")
		add("weekly")
	case "body_goals":
		add("weight")
		add("fat")
	case "food_goals":
		add("food")
		add("water")
	case "sleep_goal":
		add("sleep")
	case "daily", "activity", "active_energy", "tracker", "food_totals":
		each(func(int, fitbittest.Day) bool { return true })
	case "heart", "hrv", "spo2", "breathing", "breathing_stages", "skin_temperature", "cardio_fitness":
		each(worn)
	case "hrv_intraday", "spo2_intraday":
		each(worn)
	case "active_zone_minutes":
		each(func(_ int, d fitbittest.Day) bool { return d.ActiveZoneMinutes() > 0 })
	case "active_zone_minutes_intraday":
		each(func(i int, d fitbittest.Day) bool { return d.FatBurn > 0 && i >= len(days)-2 })
	case "activity_intraday", "heart_intraday":
		each(func(i int, d fitbittest.Day) bool { return d.Worn && i >= len(days)-2 })
	case "core_temperature":
		for _, d := range days {
			if d.CoreTemperature > 0 {
				add(d.Date + "T14:17:00")
			}
		}
	case "workouts", "routes":
		for _, x := range s.Workouts(s.person.ID) {
			if stream == "workouts" || x.GPS {
				id(x.LogID)
			}
		}
	case "sleep":
		for _, x := range s.Sleeps(s.person.ID) {
			id(x.LogID)
		}
	case "weight", "fat":
		for _, x := range s.Weighings(s.person.ID) {
			switch {
			case stream == "weight":
				id(x.WeightID)
			case x.Fat > 0:
				id(x.FatID)
			}
		}
	case "body_bmi", "body_weight", "body_fat":
		from := ""
		for _, x := range s.Weighings(s.person.ID) {
			if from == "" && (stream != "body_fat" || x.Fat > 0) {
				from = x.Date
			}
		}
		each(func(_ int, d fitbittest.Day) bool { return from != "" && d.Date >= from })
	case "food":
		for _, x := range s.Foods(s.person.ID) {
			if within(x.Date) {
				id(x.LogID)
			}
		}
		each(func(int, fitbittest.Day) bool { return true })
	case "water":
		for _, x := range s.Drinks(s.person.ID) {
			if within(x.Date) {
				id(x.LogID)
			}
		}
	case "ecg":
		for _, x := range s.Electrocardiograms(s.person.ID) {
			add(x.Start)
		}
	case "rhythm_alerts":
		for _, x := range s.Alerts(s.person.ID) {
			add(x.Alert)
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
	days := s.Days(s.person.ID)
	middle := days[len(days)/2].Date
	switch stream {
	case "activity", "tracker":
		s.EditDay(s.person.ID, middle, func(d *fitbittest.Day) { d.Steps++ })
		return stream + "/" + middle
	case "workouts":
		w := s.Workouts(s.person.ID)[0]
		s.EditWorkout(s.person.ID, w.LogID, func(w *fitbittest.Workout) { w.Calories++ })
		return "workouts/" + strconv.FormatInt(w.LogID, 10)
	case "sleep":
		sl := s.Sleeps(s.person.ID)[0]
		s.EditSleep(s.person.ID, sl.LogID, func(sl *fitbittest.Sleep) { sl.Efficiency-- })
		return "sleep/" + strconv.FormatInt(sl.LogID, 10)
	}
	return ""
}

func (s *simulator) Fault(fault providertest.Fault, n int) bool {
	s.ClearFaults()
	f := fitbittest.Fault{Count: n}
	switch fault {
	case providertest.FaultBody:
		f.Kind, f.ErrorType = fitbittest.FaultBodyError, "system"
	case providertest.FaultBodyRate:
		f.Kind, f.Front, f.RetryAfter = fitbittest.FaultBodyError, true, time.Minute
	case providertest.FaultExpired:
		f.Kind, f.Status, f.ErrorType = fitbittest.FaultStatus, http.StatusUnauthorized, "expired_token"
	case providertest.FaultForbidden:
		f.Kind, f.Status, f.ErrorType = fitbittest.FaultStatus, http.StatusForbidden, "insufficient_scope"
	case providertest.FaultLoop:
		f.Kind = fitbittest.FaultRepeatPage
	default:
		return false
	}
	if n > 0 {
		s.Server.Fault(f)
	}
	return true
}

func (s *simulator) MintedSecrets() []string {
	secrets := []string{fitbittest.DefaultClientSecret, fitbittest.DefaultVerificationCode}
	ledger := s.Ledger()
	for _, list := range [][]fitbittest.Presented{ledger.Codes, ledger.Access, ledger.Refresh} {
		for _, p := range list {
			secrets = append(secrets, p.Text)
		}
	}
	return secrets
}
