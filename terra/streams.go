package terra

import (
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

const (
	oneDay = 24 * time.Hour
	// pageDays is how many days one call asks for whose answer has the data:
	// Terra asks the provider meanwhile, and some providers answer no longer
	// spans in time ("Best practices", two weeks).
	pageDays = 14
	// pulledDays is up to how many days are asked for page by page. Longer spans
	// come by deliveries. It is well above what the service may take for a large
	// request, which one page of its documentation puts at 28 days, another at a
	// calendar month.
	pulledDays = 4 * pageDays
	// surelySmall and surelyLarge are the spans of which all pages of the
	// documentation say the same.
	surelySmall, surelyLarge = 28, 32
	// defaultRequestDays is the longest span of one request. The service takes
	// five years, and 6000 requested days of a person in an hour, of all kinds
	// together.
	defaultRequestDays = 366
	maxRequestDays     = 1825
	// newsEvery is how often days are asked for, restEvery how often what hardly
	// changes, and what finds out whether the consent still stands.
	newsEvery, restEvery = 6 * time.Hour, oneDay
)

// stream is a kind of data. It is named as Terra names the kind.
type stream struct {
	name string
	// pulled: there is a call for it. The others come by deliveries alone.
	pulled bool
	kinds  []health.Kind
	grain  providers.Grain
	// interval is how often it is asked for. Deliveries bring the news; asking
	// finds what they missed.
	interval time.Duration
}

// streams are all of them. The first one is what finds out whether a consent
// still stands: it costs one requested day.
var streams = [...]stream{
	{kindAthlete, true, []health.Kind{health.KindAthlete}, providers.GrainNone, restEvery},
	{kindDaily, true, []health.Kind{health.KindDaily}, providers.GrainDay, newsEvery},
	{kindSleep, true, []health.Kind{health.KindSleep}, providers.GrainDay, newsEvery},
	{kindActivity, true, []health.Kind{health.KindActivity}, providers.GrainDay, newsEvery},
	{kindBody, true, []health.Kind{health.KindBody, health.KindECG}, providers.GrainDay, newsEvery},
	{kindNutrition, true, []health.Kind{health.KindNutrition}, providers.GrainDay, newsEvery},
	{kindMenstruation, true, []health.Kind{health.KindMenstruation}, providers.GrainDay, newsEvery},
	{kindHormone, false, []health.Kind{health.KindObservation}, providers.GrainNone, restEvery},
	{kindHealthObservation, false, []health.Kind{health.KindObservation}, providers.GrainNone, restEvery},
	{kindPlannedWorkout, false, []health.Kind{health.KindPlannedWorkout}, providers.GrainNone, restEvery},
}

func streamNamed(name string) (stream, bool) {
	for _, s := range streams {
		if s.name == name {
			return s, true
		}
	}
	return stream{}, false
}

// pulledStreams are the names of the streams that can be asked for.
func pulledStreams() (names []string) {
	for _, s := range streams {
		if s.pulled {
			names = append(names, s.name)
		}
	}
	return names
}

// facts are what the engine plans with. The longest window is in days.
func (s stream) facts(window int) providers.Stream {
	f := providers.Stream{Name: s.name, Kinds: s.kinds, Grain: s.grain, Interval: s.interval, CallsPerPage: 2}
	if s.grain == providers.GrainDay {
		f.MaxWindow, f.Lookback = time.Duration(window)*oneDay, lookback
	}
	return f
}

// lookback is how far back asking goes each time: devices are late by days, and
// Terra advises a day or two after an outage.
const lookback = 7 * oneDay
