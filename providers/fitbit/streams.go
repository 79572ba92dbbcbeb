package fitbit

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// The names of the streams.
const (
	streamProfile          = "profile"
	streamDevices          = "devices"
	streamActivityGoals    = "activity_goals"
	streamBodyGoals        = "body_goals"
	streamFoodGoals        = "food_goals"
	streamSleepGoal        = "sleep_goal"
	streamLifetime         = "lifetime"
	streamDaily            = "daily"
	streamActivity         = "activity"
	streamTracker          = "tracker"
	streamActiveEnergy     = "active_energy"
	streamActivityIntraday = "activity_intraday"
	streamZoneMinutes      = "active_zone_minutes"
	streamZoneIntraday     = "active_zone_minutes_intraday"
	streamWorkouts         = "workouts"
	streamRoutes           = "routes"
	streamHeart            = "heart"
	streamHeartIntraday    = "heart_intraday"
	streamHRV              = "hrv"
	streamHRVIntraday      = "hrv_intraday"
	streamSpO2             = "spo2"
	streamSpO2Intraday     = "spo2_intraday"
	streamBreathing        = "breathing"
	streamBreathingStages  = "breathing_stages"
	streamCoreTemperature  = "core_temperature"
	streamSkinTemperature  = "skin_temperature"
	streamCardioFitness    = "cardio_fitness"
	streamSleep            = "sleep"
	streamWeight           = "weight"
	streamFat              = "fat"
	streamBodyBMI          = "body_bmi"
	streamBodyWeight       = "body_weight"
	streamBodyFat          = "body_fat"
	streamFood             = "food"
	streamWater            = "water"
	streamFoodTotals       = "food_totals"
	streamECG              = "ecg"
	streamRhythmAlerts     = "rhythm_alerts"
	streamRhythmProfile    = "rhythm_profile"
)

// The scopes.
const (
	ScopeActivity      = "activity"
	ScopeCardioFitness = "cardio_fitness"
	ScopeECG           = "electrocardiogram"
	ScopeHeartRate     = "heartrate"
	ScopeRhythm        = "irregular_rhythm_notifications"
	ScopeLocation      = "location"
	ScopeNutrition     = "nutrition"
	ScopeOxygen        = "oxygen_saturation"
	ScopeProfile       = "profile"
	ScopeRespiratory   = "respiratory_rate"
	ScopeSettings      = "settings"
	ScopeSleep         = "sleep"
	ScopeTemperature   = "temperature"
	ScopeWeight        = "weight"
)

// stream is how one stream is asked for and mapped.
type stream struct {
	facts   providers.Stream
	fetch   func(context.Context, *fetch) (providers.Page, error)
	mapPage func(*mapper) error
}

// The longest periods that the service answers for at once, by the section of
// its documentation about each endpoint.
const (
	day         = 24 * time.Hour
	month       = 30 * day
	weightMonth = 31 * day
	hundredDays = 100 * day
	year        = 365 * day
	threeYears  = 1095 * day
	// walkTTL bounds the age of a link to a next page: it counts rows of a
	// list that changes.
	walkTTL = time.Hour
	// A tracker keeps about a week of data until it is synced. Where a day
	// takes a request of its own less is read again: of days before, a
	// notification tells.
	lookback      = 8 * day
	shortLookback = 3 * day
	denseLookback = 2 * day
	// A person has 150 requests an hour, and to read all streams once takes about
	// 90: days are asked for once an hour, which leaves room for a backfill, and
	// what changes seldom is asked for seldom.
	hourly = time.Hour
	seldom = 6 * time.Hour
	rarely = 24 * time.Hour
)

// newStreams returns every stream, in the order in which they are listed: what
// tells the person's zone comes first.
func newStreams(cfg Config) []*stream {
	state := func(name, scope string, mapPage func(*mapper) error, calls ...call) *stream {
		kind := health.KindAthlete
		if name == streamDevices {
			kind = health.KindDevice
		}
		return &stream{
			facts: providers.Stream{
				Name: name, Kinds: []health.Kind{kind}, Scopes: []string{scope}, Grain: providers.GrainNone,
				CallsPerPage: len(calls), Interval: seldom,
			},
			fetch: calling(calls).fetch, mapPage: mapPage,
		}
	}
	days := func(name, scope string, window time.Duration, kinds []health.Kind, mapPage func(*mapper) error, calls ...call) *stream {
		return &stream{
			facts: providers.Stream{
				Name: name, Kinds: kinds, Scopes: []string{scope}, Grain: providers.GrainDay, MaxWindow: window, Lookback: lookback,
				CallsPerPage: len(calls), Interval: hourly,
			},
			fetch: calling(calls).fetch, mapPage: mapPage,
		}
	}
	logs := func(s *stream) *stream { // the service says nothing of what was deleted
		s.facts.AbsenceDeletes = true
		return s
	}
	back := func(d time.Duration, s *stream) *stream {
		s.facts.Lookback = d
		return s
	}
	every := func(d time.Duration, s *stream) *stream {
		s.facts.Interval = d
		return s
	}
	listed := func(name, scope string, kind health.Kind, l list, mapPage func(*mapper) error) *stream {
		return logs(&stream{
			facts: providers.Stream{
				Name: name, Kinds: []health.Kind{kind}, Scopes: []string{scope}, Grain: providers.GrainDay, Lookback: lookback, WalkTTL: walkTTL,
				Interval: hourly,
			},
			fetch: l.fetch, mapPage: mapPage,
		})
	}
	daily, samples := []health.Kind{health.KindDaily}, []health.Kind{health.KindSamples}
	body, food := []health.Kind{health.KindBody}, []health.Kind{health.KindNutrition, health.KindDaily}

	all := []*stream{
		state(streamProfile, ScopeProfile, (*mapper).userProfile, call{"profile", "1/user/-/profile.json"}),
		state(streamDevices, ScopeSettings, (*mapper).devices, call{"devices", "1/user/-/devices.json"}),
		state(streamActivityGoals, ScopeActivity, (*mapper).activityGoals,
			call{"daily", "1/user/-/activities/goals/daily.json"}, call{"weekly", "1/user/-/activities/goals/weekly.json"}),
		state(streamBodyGoals, ScopeWeight, (*mapper).bodyGoals,
			call{"weight", "1/user/-/body/log/weight/goal.json"}, call{"fat", "1/user/-/body/log/fat/goal.json"}),
		state(streamFoodGoals, ScopeNutrition, (*mapper).foodGoals,
			call{"food", "1/user/-/foods/log/goal.json"}, call{"water", "1/user/-/foods/log/water/goal.json"}),
		state(streamSleepGoal, ScopeSleep, (*mapper).sleepGoal, call{"sleep", "1.2/user/-/sleep/goal.json"}),
		state(streamLifetime, ScopeActivity, (*mapper).lifetime, call{"lifetime", "1/user/-/activities.json"}),
		state(streamRhythmProfile, ScopeRhythm, (*mapper).irnProfile, call{"irn", "1/user/-/irn/profile.json"}),

		back(shortLookback, days(streamDaily, ScopeActivity, day, daily, (*mapper).daySummary,
			call{"summary", "1/user/-/activities/date/{first}.json"})),
		days(streamActivity, ScopeActivity, threeYears, daily, timeSeries(activityResources()), seriesCalls("activities", activityResources())...),
		every(seldom, days(streamActiveEnergy, ScopeActivity, month, daily, timeSeries(activeEnergyResources()),
			seriesCalls("activities", activeEnergyResources())...)),
		every(rarely, days(streamTracker, ScopeActivity, threeYears, daily, timeSeries(trackerResources()),
			seriesCalls("activities", trackerResources())...)),
		days(streamZoneMinutes, ScopeActivity, threeYears, daily, (*mapper).activeZoneMinutes,
			ranged("active-zone-minutes", "1/user/-/activities/active-zone-minutes/date/{first}/{last}.json")),
		listed(streamWorkouts, ScopeActivity, health.KindActivity, list{
			name: "activities/list", path: "1/user/-/activities/list.json", limit: 100, early: 1,
		}, (*mapper).workouts),
		days(streamHeart, ScopeHeartRate, year, daily, (*mapper).hearts,
			ranged("activities-heart", "1/user/-/activities/heart/date/{first}/{last}.json")),
		days(streamHRV, ScopeHeartRate, month, daily, (*mapper).hrv, ranged("hrv", "1/user/-/hrv/date/{first}/{last}.json")),
		days(streamSpO2, ScopeOxygen, 0, daily, (*mapper).spo2, ranged("spo2", "1/user/-/spo2/date/{first}/{last}.json")),
		days(streamBreathing, ScopeRespiratory, month, daily, (*mapper).breathing, ranged("br", "1/user/-/br/date/{first}/{last}.json")),
		days(streamSkinTemperature, ScopeTemperature, month, daily, (*mapper).skinTemperature,
			ranged("temp/skin", "1/user/-/temp/skin/date/{first}/{last}.json")),
		logs(days(streamCoreTemperature, ScopeTemperature, month, body, (*mapper).coreTemperature,
			ranged("temp/core", "1/user/-/temp/core/date/{first}/{last}.json"))),
		days(streamCardioFitness, ScopeCardioFitness, month, daily, (*mapper).cardioFitness,
			ranged("cardioscore", "1/user/-/cardioscore/date/{first}/{last}.json")),
		sleepStream(cfg, days, logs, listed),
		logs(days(streamWeight, ScopeWeight, weightMonth, body, (*mapper).weights,
			ranged("body/log/weight", "1/user/-/body/log/weight/date/{first}/{last}.json"))),
		logs(days(streamFat, ScopeWeight, month, body, (*mapper).fats, ranged("body/log/fat", "1/user/-/body/log/fat/date/{first}/{last}.json"))),
		every(seldom, days(streamBodyBMI, ScopeWeight, threeYears, daily, timeSeries(bmiResources()), seriesCalls("body", bmiResources())...)),
		every(seldom, days(streamBodyWeight, ScopeWeight, weightMonth, daily, timeSeries(weightResources()), seriesCalls("body", weightResources())...)),
		every(seldom, days(streamBodyFat, ScopeWeight, month, daily, timeSeries(fatResources()), seriesCalls("body", fatResources())...)),
		back(shortLookback, logs(days(streamFood, ScopeNutrition, day, food, (*mapper).foods,
			call{"foods", "1/user/-/foods/log/date/{first}.json"}))),
		back(shortLookback, logs(days(streamWater, ScopeNutrition, day, food, (*mapper).waters,
			call{"water", "1/user/-/foods/log/water/date/{first}.json"}))),
		days(streamFoodTotals, ScopeNutrition, threeYears, daily, timeSeries(foodResources()), seriesCalls("foods/log", foodResources())...),
		listed(streamECG, ScopeECG, health.KindECG, list{name: "ecg", path: "1/user/-/ecg/list.json", limit: 10}, (*mapper).ecgs),
		listed(streamRhythmAlerts, ScopeRhythm, health.KindObservation, list{name: "irn", path: "1/user/-/irn/alerts/list.json", limit: 10},
			(*mapper).rhythmAlerts),

		days(streamHRVIntraday, ScopeHeartRate, month, daily, (*mapper).hrvIntraday, ranged("hrv/all", "1/user/-/hrv/date/{first}/{last}/all.json")),
		days(streamSpO2Intraday, ScopeOxygen, month, daily, (*mapper).spo2Intraday, ranged("spo2/all", "1/user/-/spo2/date/{first}/{last}/all.json")),
		days(streamBreathingStages, ScopeRespiratory, month, daily, (*mapper).breathingStages, ranged("br/all", "1/user/-/br/date/{first}/{last}/all.json")),
		back(denseLookback, days(streamHeartIntraday, ScopeHeartRate, day, samples, (*mapper).heartIntraday,
			call{"activities-heart-intraday", "1/user/-/activities/heart/date/{first}/1d/" + cfg.HeartRateDetail + ".json"})),
		back(denseLookback, every(seldom, days(streamZoneIntraday, ScopeActivity, day, samples, (*mapper).zoneMinutesIntraday,
			call{"active-zone-minutes-intraday", "1/user/-/activities/active-zone-minutes/date/{first}/1d/1min.json"}))),
		back(denseLookback, every(seldom, days(streamActivityIntraday, ScopeActivity, day, samples, (*mapper).activityIntraday, intradayCalls()...))),
	}
	if cfg.RoutesPerPage > 0 {
		all = append(all, routeStream(cfg))
	}
	for _, s := range all {
		if s.facts.CallsPerPage == 1 {
			s.facts.CallsPerPage = 0
		}
	}
	return all
}

// sleepStream asks for sleep logs by days, or by their list.
func sleepStream(
	cfg Config,
	days func(string, string, time.Duration, []health.Kind, func(*mapper) error, ...call) *stream,
	logs func(*stream) *stream,
	listed func(string, string, health.Kind, list, func(*mapper) error) *stream,
) *stream {
	if cfg.SleepList {
		// The list is by the start of a sleep, the window by the day on which
		// it ended.
		return listed(streamSleep, ScopeSleep, health.KindSleep, list{
			name: "sleep/list", path: "1.2/user/-/sleep/list.json", limit: 100, early: 2,
		}, (*mapper).sleeps)
	}
	return logs(days(streamSleep, ScopeSleep, hundredDays, []health.Kind{health.KindSleep}, (*mapper).sleeps,
		ranged("sleep", "1.2/user/-/sleep/date/{first}/{last}.json")))
}

// routeStream fetches the recordings of the workouts of a page. The list has no
// longest window; a month is as much as an hour's requests are enough for.
func routeStream(cfg Config) *stream {
	l := list{name: "activities/list", path: "1/user/-/activities/list.json", limit: min(cfg.RoutesPerPage, 100), early: 1, routes: true}
	return &stream{
		facts: providers.Stream{
			Name: streamRoutes, Kinds: []health.Kind{health.KindObservation}, Scopes: []string{ScopeActivity, ScopeLocation},
			Grain: providers.GrainDay, MaxWindow: month, Lookback: lookback, WalkTTL: walkTTL, AbsenceDeletes: true,
			CallsPerPage: 1 + l.limit, Interval: hourly,
		},
		fetch: l.fetch, mapPage: (*mapper).routes,
	}
}

// call is one request: the name of its answer and its address, in which {first}
// and {last} stand for the days asked for.
type call struct{ name, path string }

// ranged is a call for a range of days.
func ranged(name, path string) call { return call{name, path} }

func seriesCalls(under string, resources []resource) []call {
	calls := make([]call, 0, len(resources))
	for _, r := range resources {
		calls = append(calls, call{r.name, "1/user/-/" + under + "/" + r.path + "/date/{first}/{last}.json"})
	}
	return calls
}

func intradayCalls() []call {
	var calls []call
	for _, r := range intradayResources() {
		calls = append(calls, call{r.name + "-intraday", "1/user/-/activities/" + r.path + "/date/{first}/1d/1min.json"})
	}
	return calls
}

// calling makes one or several calls, which together are a page.
type calling []call

func (c calling) fetch(ctx context.Context, f *fetch) (providers.Page, error) {
	if f.q.PageToken != "" {
		return providers.Page{}, f.invalid(codePageToken)
	}
	asked := period{first: f.q.Window.First, last: f.q.Window.Last}
	if f.st.facts.Grain == providers.GrainDay {
		if err := f.checkWindow(); err != nil {
			return providers.Page{}, err
		}
	}
	if slices.Contains(f.st.facts.Kinds, health.KindSamples) {
		// Samples of days are one run: a day must not clear the hours of another.
		asked.begins = f.q.Begins
	}
	for _, one := range c {
		path, name := one.path, one.name
		if strings.Contains(path, "{first}") {
			// A single day is a range, too: by itself it is another endpoint, or
			// none, of some series.
			path = strings.NewReplacer("{first}", asked.first.String(), "{last}", asked.last.String()).Replace(path)
			name = asked.name(name)
		}
		if err := f.get(ctx, name, httpx.Request{Path: path}); err != nil {
			return providers.Page{}, err
		}
	}
	_, page, err := f.page()
	return page, err
}

// checkWindow refuses a window that the stream cannot be asked for.
func (f *fetch) checkWindow() error {
	w := f.q.Window
	if !w.Days() || w.Last.Compare(w.First) < 0 {
		return f.invalid(codeWindow)
	}
	if limit := f.st.facts.MaxWindow; limit > 0 && time.Duration(w.Last.Number()-w.First.Number()+1)*day > limit {
		return f.invalid(codeWindow)
	}
	return nil
}

// list is an endpoint that answers with pages, oldest first, from a time on
// that it does not include. Its end is ours to watch for.
type list struct {
	name, path string
	limit      int
	early      int  // days before the window at which the list is begun: its days may be those of another zone
	routes     bool // the page needs the recordings of its workouts
}

func (l list) fetch(ctx context.Context, f *fetch) (providers.Page, error) {
	if err := f.checkWindow(); err != nil {
		return providers.Page{}, err
	}
	asked := period{first: f.q.Window.First, last: f.q.Window.Last}
	at, err := parsePlace(f.q.PageToken)
	if err != nil {
		return providers.Page{}, f.invalid(codePageToken)
	}
	request := httpx.Request{Path: l.path, Query: url.Values{
		"afterDate": {asked.first.Add(-1-l.early).String() + "T23:59:59"}, "sort": {"asc"}, "limit": {strconv.Itoa(l.limit)}, "offset": {"0"},
	}}
	if at.link != "" {
		next, err := l.link(f, at.link)
		if err != nil {
			return providers.Page{}, f.invalid(codePageToken)
		}
		request = httpx.Request{URL: next}
	}
	if err := f.get(ctx, asked.name(l.name), request); err != nil {
		return providers.Page{}, err
	}
	listed, page, err := f.page()
	if err != nil {
		return providers.Page{}, err
	}
	if l.routes && len(listed.recorded) > 0 {
		if page, err = l.withRoutes(ctx, f, listed.recorded); err != nil {
			return providers.Page{}, err
		}
	}
	if listed.next == "" || listed.beyond {
		return page, nil
	}
	next, err := l.link(f, listed.next)
	if err != nil {
		return providers.Page{}, listed.failed(f.op, err)
	}
	to := place{link: next.EscapedPath() + "?" + next.RawQuery, newest: listed.newest, seen: health.Digest(f.raw.Bodies[0].Body)}
	if listed.newest == 0 { // a page without a time that can be read
		to.newest = at.newest
	}
	if !to.follows(at) {
		return providers.Page{}, listed.failed(f.op, malformed(providers.CodePageLoop))
	}
	page.More, page.PageToken = true, to.token()
	return page, nil
}

// link reads the address of a next page: of this endpoint, for this person.
func (l list) link(f *fetch, raw string) (*url.URL, error) {
	next, err := f.p.client.NextLink(l.path, raw)
	if err != nil && f.cred.UpstreamID != "" {
		own := strings.Replace(l.path, "/-/", "/"+url.PathEscape(f.cred.UpstreamID)+"/", 1)
		if other, failed := f.p.client.NextLink(own, raw); failed == nil {
			return other, nil
		}
	}
	return next, err
}

// withRoutes fetches the recordings of the workouts of the page under way. One
// that the service does not give out is reported, and the others go on.
func (l list) withRoutes(ctx context.Context, f *fetch, ids []int64) (providers.Page, error) {
	var lost []providers.Quarantined
	for _, id := range ids[:min(len(ids), l.limit)] {
		text := strconv.FormatInt(id, 10)
		err := f.get(ctx, recordingName+text, httpx.Request{
			Path: "1/user/-/activities/" + text + ".tcx", Query: url.Values{"includePartialTCX": {"true"}},
		})
		if errors.Is(err, providers.ErrNotFound) || errors.Is(err, providers.ErrInvalid) {
			lost = append(lost, providers.Quarantined{Key: streamRoutes + "/" + text, Reason: reasonNoRoute})
			continue
		}
		if err != nil {
			return providers.Page{}, err
		}
	}
	_, page, err := f.page()
	page.Quarantined = append(page.Quarantined, lost...)
	return page, err
}

// place is a place in the pages of a list: the link to a page, and the latest
// time and the digest of the page before, by which a service that goes round in
// circles is recognised.
type place struct {
	link   string
	newest int64
	seen   uint64
}

// follows reports whether p can be the page after the one at old.
func (p place) follows(old place) bool {
	return old.link == "" || p.link != old.link && p.seen != old.seen && p.newest >= old.newest
}

func (p place) token() string {
	return strconv.FormatInt(p.newest, 36) + "." + strconv.FormatUint(p.seen, 36) + "." + p.link
}

func parsePlace(token string) (place, error) {
	if token == "" {
		return place{}, nil
	}
	newest, rest, ok := strings.Cut(token, ".")
	seen, link, ok2 := strings.Cut(rest, ".")
	n, err := strconv.ParseInt(newest, 36, 64)
	d, err2 := strconv.ParseUint(seen, 36, 64)
	if !ok || !ok2 || err != nil || err2 != nil || !strings.HasPrefix(link, "/") {
		return place{}, strconv.ErrSyntax
	}
	return place{link: link, newest: n, seen: d}, nil
}
