package withings

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// The names of the streams.
const (
	streamMeasures     = "measures"
	streamActivity     = "activity"
	streamIntraday     = "intraday"
	streamWorkouts     = "workouts"
	streamSleepSummary = "sleep_summary"
	streamSleep        = "sleep"
	streamHeart        = "heart"
	streamDevices      = "devices"
	streamGoals        = "goals"
)

// streamOrder is the order in which the streams are listed: what tells the
// person's zone comes first.
var streamOrder = [...]string{
	streamMeasures, streamDevices, streamGoals, streamActivity, streamWorkouts, streamSleepSummary, streamSleep,
	streamHeart, streamIntraday,
}

// stream is how one stream is asked for and mapped.
type stream struct {
	facts   providers.Stream
	fetch   func(context.Context, *fetch) (providers.Page, error)
	mapPage func(*mapper) error
}

const (
	day = 24 * time.Hour
	// dayWindow is how many days are asked for at once where the service
	// takes civil days; it is known to take 200.
	dayWindow = 180 * day
	// walkTTL bounds the age of an offset: it counts rows of a list that
	// changes.
	walkTTL = time.Hour
	// overlap is how far a mark stands before the Date of the answer it was
	// taken from.
	overlap = time.Hour
)

// streams is every stream by name. It is never changed.
var streams = map[string]*stream{
	streamMeasures: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindBody}, Scopes: []string{ScopeMetrics}, Grain: providers.GrainInstant,
			Lookback: 14 * day, WalkTTL: walkTTL, Changes: true, AbsenceDeletes: true,
		},
		fetch: list{path: "measure", action: "getmeas", name: "getmeas"}.fetch, mapPage: (*mapper).measures,
	},
	streamActivity: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindDaily}, Scopes: []string{ScopeActivity}, Grain: providers.GrainDay,
			MaxWindow: dayWindow, Lookback: 7 * day, WalkTTL: walkTTL, Changes: true,
		},
		fetch:   list{path: "v2/measure", action: "getactivity", name: "getactivity", fields: names(activityFields)}.fetch,
		mapPage: (*mapper).activities,
	},
	streamWorkouts: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindActivity}, Scopes: []string{ScopeActivity}, Grain: providers.GrainDay,
			MaxWindow: dayWindow, Lookback: 7 * day, WalkTTL: walkTTL, Changes: true, AbsenceDeletes: true,
		},
		fetch:   list{path: "v2/measure", action: "getworkouts", name: "getworkouts", fields: names(workoutFields)}.fetch,
		mapPage: (*mapper).workouts,
	},
	streamSleepSummary: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindSleep}, Scopes: []string{ScopeActivity}, Grain: providers.GrainDay,
			MaxWindow: dayWindow, Lookback: 7 * day, WalkTTL: walkTTL, Changes: true, AbsenceDeletes: true,
		},
		fetch:   list{path: "v2/sleep", action: "getsummary", name: "sleep/getsummary", fields: names(summaryFields)}.fetch,
		mapPage: (*mapper).sleepSummaries,
	},
	streamSleep: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindSleep}, Scopes: []string{ScopeActivity}, Grain: providers.GrainDay,
			MaxWindow: day, Lookback: 3 * day, AbsenceDeletes: true, CallsPerPage: dailyCalls,
		},
		fetch: daily{
			path: "v2/sleep", action: "get", name: "sleep/get", fields: names(sleepSignals), ahead: night,
		}.fetch,
		mapPage: (*mapper).sleepSegments,
	},
	streamIntraday: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindSamples}, Scopes: []string{ScopeActivity}, Grain: providers.GrainDay,
			MaxWindow: day, Lookback: 3 * day, CallsPerPage: dailyCalls,
		},
		fetch: daily{
			path: "v2/measure", action: "getintradayactivity", name: "getintradayactivity", fields: names(intradayFields),
		}.fetch,
		mapPage: (*mapper).intraday,
	},
	streamHeart: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindECG, health.KindBody}, Scopes: []string{ScopeMetrics},
			Grain: providers.GrainInstant, MaxWindow: 30 * day, Lookback: 7 * day, WalkTTL: walkTTL, AbsenceDeletes: true,
		},
		fetch: fetchHeart, mapPage: (*mapper).hearts,
	},
	streamDevices: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindDevice}, Scopes: []string{ScopeInfo}, Grain: providers.GrainNone,
			Interval: 6 * time.Hour,
		},
		fetch: state{path: "v2/user", action: "getdevice", name: "user/getdevice"}.fetch, mapPage: (*mapper).devices,
	},
	streamGoals: {
		facts: providers.Stream{
			Kinds: []health.Kind{health.KindAthlete}, Scopes: []string{ScopeInfo}, Grain: providers.GrainNone,
			Interval: 6 * time.Hour,
		},
		fetch: state{path: "v2/user", action: "getgoals", name: "user/getgoals"}.fetch, mapPage: (*mapper).goals,
	},
}

// names returns the names of a table of fields, as the service takes them.
func names(table []field) string {
	list := make([]string, 0, len(table))
	for _, f := range table {
		if !f.legacy {
			list = append(list, f.name)
		}
	}
	return joined(list)
}

// list is a service that answers with rows in pages.
type list struct {
	path, action, name, fields string
	// byDate: a window of one day is asked for as a date.
	byDate bool
}

func (l list) fetch(ctx context.Context, f *fetch) (providers.Page, error) {
	at, err := parsePosition(f.q.PageToken)
	if err != nil {
		return providers.Page{}, f.invalid(codePageToken)
	}
	form := url.Values{"action": {l.action}}
	if l.fields != "" {
		form.Set("data_fields", l.fields)
	}
	if w := f.q.Window; l.byDate && w.Days() && w.First == w.Last {
		form.Set("date", w.First.String())
	} else if err := f.period(form); err != nil {
		return providers.Page{}, err
	}
	if at.offset > 0 {
		form.Set("offset", strconv.FormatInt(at.offset, 10))
	}
	if err := f.call(ctx, l.name, l.path, form); err != nil {
		return providers.Page{}, err
	}
	m, page, err := f.page()
	if err != nil {
		return providers.Page{}, err
	}
	if f.q.PageToken == "" {
		page.Candidate = m.candidate(f.q)
	}
	if m.more {
		if !m.gotOffset {
			m.offset = at.offset + int64(m.count)
		}
		next := position{offset: m.offset, seen: m.digest}
		if !next.follows(at) {
			return providers.Page{}, m.failed(f.op, malformed(providers.CodePageLoop))
		}
		page.More, page.PageToken = true, next.token()
	}
	return page, nil
}

// period sets what bounds the rows: the mark or the window.
func (f *fetch) period(form url.Values) error {
	w := f.q.Window
	switch {
	case f.q.HighWater != "":
		if n, err := strconv.ParseInt(f.q.HighWater, 10, 64); err != nil || n < 0 {
			return f.invalid(codeHighWater)
		}
		form.Set("lastupdate", f.q.HighWater)
	case w.Days():
		form.Set("startdateymd", w.First.String())
		form.Set("enddateymd", w.Last.String())
	case !w.From.IsZero() && w.To.After(w.From):
		// The service's end is inclusive or not, it does not say; a row that
		// is read twice does no harm.
		form.Set("startdate", strconv.FormatInt(w.From.Unix(), 10))
		form.Set("enddate", strconv.FormatInt(w.To.Unix(), 10))
	default:
		return f.invalid(codeWindow)
	}
	return nil
}

// position is a place in the pages of a list: the offset of the next page, and
// the digest of the rows of the page before, by which a service that repeats
// itself is recognised.
type position struct {
	offset int64
	seen   uint64
}

// follows reports whether p can be the page after the one at old.
func (p position) follows(old position) bool {
	return p.offset > old.offset && (old.offset == 0 || p.seen != old.seen)
}

func (p position) token() string {
	return strconv.FormatInt(p.offset, 10) + "." + strconv.FormatUint(p.seen, 16)
}

func parsePosition(token string) (position, error) {
	if token == "" {
		return position{}, nil
	}
	offset, seen, _ := strings.Cut(token, ".")
	n, err := strconv.ParseInt(offset, 10, 64)
	if err != nil || n < 0 {
		return position{}, strconv.ErrSyntax
	}
	d, err := strconv.ParseUint(seen, 16, 64)
	return position{offset: n, seen: d}, err
}

// daily is a service of instants that answers for 24 hours at most. It is asked
// for one civil day, which begins and ends by ahead earlier.
type daily struct {
	path, action, name, fields string
	ahead                      time.Duration
}

const (
	// night is how much earlier than its day a night begins and ends, so that it
	// is from noon to noon: what is slept in a night falls into one day, the one
	// on which it ends.
	night = day / 2
	// dailyCalls is the most requests for one day: the longest one, after a
	// journey across the date line, has 26 hours more than the 25 of a day on
	// which clocks are set back.
	dailyCalls = 3
)

func (d daily) fetch(ctx context.Context, f *fetch) (providers.Page, error) {
	asked := f.q.Window.First
	if !f.q.Window.Days() || f.q.Window.Last != asked {
		return providers.Page{}, f.invalid(codeWindow)
	}
	if f.q.PageToken != "" {
		return providers.Page{}, f.invalid(codePageToken)
	}
	begins, ends := f.q.Period()
	if !begins.Before(ends) {
		return providers.Page{}, nil
	}
	from, to := begins.Add(-d.ahead).Unix(), ends.Add(-d.ahead).Unix()
	// A day of 25 hours takes two calls.
	for start := from; start < to; start += int64(day / time.Second) {
		end := min(to, start+int64(day/time.Second))
		form := url.Values{
			"action": {d.action}, "startdate": {strconv.FormatInt(start, 10)}, "enddate": {strconv.FormatInt(end, 10)},
		}
		if d.fields != "" {
			form.Set("data_fields", d.fields)
		}
		name := d.name + "/" + asked.String() + "/" + strconv.FormatInt(start, 10) + "-" + strconv.FormatInt(end, 10)
		if err := f.call(ctx, name, d.path, form); err != nil {
			return providers.Page{}, err
		}
	}
	_, page, err := f.page()
	return page, err
}

// state is a service that answers with what is.
type state struct{ path, action, name string }

func (s state) fetch(ctx context.Context, f *fetch) (providers.Page, error) {
	if f.q.PageToken != "" {
		return providers.Page{}, f.invalid(codePageToken)
	}
	if err := f.call(ctx, s.name, s.path, url.Values{"action": {s.action}}); err != nil {
		return providers.Page{}, err
	}
	_, page, err := f.page()
	return page, err
}
