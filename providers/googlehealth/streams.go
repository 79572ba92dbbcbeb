package googlehealth

import (
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// shape is how a stream is asked for and what its records look like.
type shape uint8

const (
	shapeRecords shape = iota // points, one record each
	shapeDense                // points of one civil day, as series of one record per source
	shapeDays                 // dailyRollUp: one record per civil day
	shapeHours                // rollUp by the hour, as series of one record per civil day
	shapeState                // what is now
)

// stream is how one stream is asked for and mapped.
type stream struct {
	name  string
	shape shape
	kind  health.Kind
	data  *dataType // nil for shapeState
	path  string    // of shapeState
	scope string    // of shapeState
	// key is the member of a rollup that holds the values, where it is not the
	// key of the type.
	key string
	// fields are the numbers; read takes what else there is, nil is nothing.
	fields []field
	read   func(*mapper, *datum, object)
	// optional streams are read only when Config.Streams names them.
	optional bool
}

// streamWeight is the stream whose pages hold the person's height as well.
const streamWeight = "weight"

const (
	day = 24 * time.Hour
	// walkTTL bounds the age of a page token: the service does not tell how long
	// they live.
	walkTTL = time.Hour
	// longRange and shortDays are what rollups take at once.
	longRange = 90
	shortDays = 14
	// listWindow is how many days of single points are asked for at once: the
	// service has no bound, and a walk should come to an end.
	listWindow = 366 * day
	// lookback is how far back is read again: the service cannot be asked for
	// what changed, and trackers sync days late.
	lookback      = 14 * day
	denseLookback = 7 * day

	// callsPerDay is the most requests for one day of dense points. A day by the
	// second has 86,400 points, 90,000 where clocks go back, in pages of 5,000:
	// 18, and an empty one at the beginning. An answer that takes the service too
	// long is asked for again in pages of a quarter, 36 of them, and with
	// Config.BySource there are several devices. A day of minutes takes one or
	// two, by the same reckoning.
	callsPerDay       = 100
	callsPerDayMinute = 20
)

// streams is every stream, in the order in which they are listed: what tells the
// person's zone comes first.
var streams = [...]stream{
	{name: "settings", shape: shapeState, kind: health.KindAthlete, path: "settings", scope: ScopeSettings, read: (*mapper).settings},
	{name: "profile", shape: shapeState, kind: health.KindAthlete, path: "profile", scope: ScopeProfile, fields: profileFields, read: (*mapper).aboutPerson},
	{name: "identity", shape: shapeState, kind: health.KindAthlete, path: "identity", read: (*mapper).identity},
	{name: "devices", shape: shapeState, kind: health.KindDevice, path: "pairedDevices", scope: ScopeSettings, read: (*mapper).device},
	{name: "irn_profile", shape: shapeState, kind: health.KindAthlete, path: "irnProfile", scope: ScopeIRN, read: (*mapper).rhythmProfile},

	{name: "sleep", kind: health.KindSleep, data: typeOf("sleep"), read: (*mapper).sleep},
	{name: "exercise", kind: health.KindActivity, data: typeOf("exercise"), read: (*mapper).exercise},

	days("steps", stepsSum, nil),
	days("distance", distanceSum, nil),
	days("floors", floorsSum, nil),
	days("altitude", altitudeSum, nil),
	days("total-calories", totalSum, nil),
	days("active-energy-burned", energySum, nil),
	days("active-minutes", nil, (*mapper).activeMinutesSum),
	days("active-zone-minutes", zoneMinuteSum, (*mapper).zoneMinutes),
	days("sedentary-period", sedentarySum, nil),
	days("heart-rate", heartRateSum, nil),
	days("time-in-heart-rate-zone", nil, (*mapper).zoneTimes),
	days("calories-in-heart-rate-zone", nil, (*mapper).zoneCalories),
	days("swim-lengths-data", strokesSum, nil),
	days("hydration-log", hydrationSum, nil),
	days("nutrition-log", nil, (*mapper).nutritionSum),

	records("daily-resting-heart-rate", health.KindDaily, dailyRestingFields, (*mapper).restingMethod),
	records("daily-heart-rate-variability", health.KindDaily, dailyHRVFields, nil),
	records("daily-heart-rate-zones", health.KindDaily, nil, (*mapper).zoneBounds),
	records("daily-oxygen-saturation", health.KindDaily, dailySpO2Fields, nil),
	records("daily-respiratory-rate", health.KindDaily, dailyBreathFields, nil),
	records("daily-sleep-temperature-derivations", health.KindDaily, dailyTempFields, (*mapper).temperatureDeviation),
	records("daily-vo2-max", health.KindDaily, dailyVO2Fields, (*mapper).fitnessLevel),

	records("weight", health.KindBody, weightFields, (*mapper).notes),
	records("body-fat", health.KindBody, bodyFatFields, nil),
	records("height", health.KindBody, heightFields, nil),
	records("blood-glucose", health.KindBody, glucoseFields, (*mapper).glucose),
	records("core-body-temperature", health.KindBody, tempFields, (*mapper).measurementSite),
	records("vo2-max", health.KindBody, vo2Fields, (*mapper).vo2Method),
	records("run-vo2-max", health.KindBody, runVO2Fields, nil),
	records("respiratory-rate-sleep-summary", health.KindDaily, breathFields, nil),
	records("nutrition-log", health.KindNutrition, nil, (*mapper).nutrition),
	records("hydration-log", health.KindNutrition, nil, (*mapper).hydration),
	records("electrocardiogram", health.KindECG, nil, (*mapper).electrocardiogram),
	records("irregular-rhythm-notification", health.KindObservation, nil, (*mapper).irregularRhythm),

	dense("heart-rate", false),
	dense("heart-rate-variability", false),
	dense("oxygen-saturation", false),
	dense("steps", false),
	dense("active-zone-minutes", false),

	dense("distance", true),
	dense("floors", true),
	dense("altitude", true),
	dense("active-energy-burned", true),
	dense("active-minutes", true),
	dense("activity-level", true),
	dense("basal-energy-burned", true),
	dense("sedentary-period", true),
	dense("swim-lengths-data", true),
	dense("time-in-heart-rate-zone", true),

	optional(records("menstrual-period", health.KindMenstruation, nil, (*mapper).menstrualPeriod)),
	optional(records("ovulation-test", health.KindMenstruation, nil, (*mapper).ovulation)),
	optional(records("moods", health.KindObservation, nil, (*mapper).moods)),
	optional(records("symptoms", health.KindObservation, nil, (*mapper).symptoms)),

	optional(days("weight", weightAvg, nil)),
	optional(days("body-fat", bodyFatAvg, nil)),
	optional(days("blood-glucose", glucoseAvg, nil)),
	optional(days("core-body-temperature", tempAvg, nil)),
	optional(days("run-vo2-max", runVO2Avg, nil)),
	optional(personalRange("daily-resting-heart-rate", "daily_resting_heart_rate_range", "restingHeartRatePersonalRange", restingRange)),
	optional(personalRange("daily-heart-rate-variability", "daily_heart_rate_variability_range", "heartRateVariabilityPersonalRange", hrvRange)),

	hourly("steps", stepsSum, nil),
	hourly("distance", distanceSum, nil),
	hourly("floors", floorsSum, nil),
	hourly("altitude", altitudeSum, nil),
	hourly("total-calories", totalSum, nil),
	hourly("active-energy-burned", energySum, nil),
	hourly("active-minutes", nil, (*mapper).activeMinutesSum),
	hourly("active-zone-minutes", zoneMinuteSum, (*mapper).zoneMinutes),
	hourly("sedentary-period", sedentarySum, nil),
	hourly("heart-rate", heartRateSum, nil),
	hourly("time-in-heart-rate-zone", nil, (*mapper).zoneTimes),
	hourly("calories-in-heart-rate-zone", nil, (*mapper).zoneCalories),
	hourly("swim-lengths-data", strokesSum, nil),
	hourly("hydration-log", hydrationSum, nil),
	hourly("nutrition-log", nil, (*mapper).nutritionSum),
	hourly("weight", weightAvg, nil),
	hourly("body-fat", bodyFatAvg, nil),
	hourly("blood-glucose", glucoseAvg, nil),
	hourly("core-body-temperature", tempAvg, nil),
	hourly("run-vo2-max", runVO2Avg, nil),
}

func streamName(path, suffix string) string { return strings.ReplaceAll(path, "-", "_") + suffix }

func records(path string, kind health.Kind, fields []field, read func(*mapper, *datum, object)) stream {
	return stream{name: streamName(path, ""), kind: kind, data: typeOf(path), fields: fields, read: read}
}

func dense(path string, optional bool) stream {
	return stream{name: streamName(path, ""), shape: shapeDense, kind: health.KindSamples, data: typeOf(path), optional: optional}
}

func days(path string, fields []field, read func(*mapper, *datum, object)) stream {
	return stream{name: streamName(path, "_daily"), shape: shapeDays, kind: health.KindDaily, data: typeOf(path), fields: fields, read: read}
}

func hourly(path string, fields []field, read func(*mapper, *datum, object)) stream {
	return stream{
		name: streamName(path, "_hourly"), shape: shapeHours, kind: health.KindSamples, data: typeOf(path), fields: fields, read: read,
		optional: true,
	}
}

func personalRange(path, name, key string, fields []field) stream {
	return stream{name: name, shape: shapeDays, kind: health.KindDaily, data: typeOf(path), key: key, fields: fields}
}

func optional(s stream) stream {
	s.optional = true
	return s
}

// streamNamed returns a stream by its name; nil if there is none.
func streamNamed(name string) *stream {
	i := slices.IndexFunc(streams[:], func(s stream) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	return &streams[i]
}

// facts returns what the engine plans with.
func (s *stream) facts() providers.Stream {
	f := providers.Stream{
		Name: s.name, Kinds: []health.Kind{s.kind}, Grain: providers.GrainDay, Lookback: lookback, WalkTTL: walkTTL,
		AbsenceDeletes: true,
	}
	switch s.shape {
	case shapeState:
		f = providers.Stream{Name: s.name, Kinds: f.Kinds, Grain: providers.GrainNone, Interval: 6 * time.Hour}
		if s.name == "identity" {
			f.Interval = day
		}
		if s.scope != "" {
			f.Scopes = []string{s.scope}
		}
		return f
	case shapeDense:
		f.MaxWindow, f.Lookback, f.WalkTTL, f.CallsPerPage = day, denseLookback, 0, callsPerDayMinute
		if s.data.path == "heart-rate" {
			f.CallsPerPage = callsPerDay
		}
		f.Interval = time.Hour
	case shapeDays:
		f.MaxWindow = longRange * day
		if s.data.can(shortRange) {
			f.MaxWindow = shortDays * day
		}
	case shapeHours:
		// Two days less than the service takes: in a zone that sets its clocks
		// back, 90 days are an hour longer than 90 times 24 hours, and the first
		// one after a journey may have a day more than its own hours.
		f.MaxWindow = (longRange - 2) * day
		if s.data.can(shortRange) {
			f.MaxWindow = (shortDays - 2) * day
		}
		f.Interval = time.Hour
	default:
		f.MaxWindow = listWindow
		if s.data.record == recordECG {
			// There is no upper bound: a window in the past reads everything
			// since.
			f.Grain, f.MaxWindow = providers.GrainInstant, 0
		}
	}
	if s.name == streamWeight {
		f.CallsPerPage = 1 + heightCalls
	}
	f.Scopes = []string{s.data.scope}
	return f
}

// pageSize is how many data are asked for at once: what the service has as the
// largest page of the type, less for those whose points are large.
func (s *stream) pageSize() int {
	if s.shape == shapeHours {
		return 10_000 // more than the hours of the longest window
	}
	switch s.data.path {
	case "sleep", "exercise":
		return 25
	case "electrocardiogram", "irregular-rhythm-notification":
		return 50
	case "nutrition-log":
		return 1000
	}
	return 10_000
}
