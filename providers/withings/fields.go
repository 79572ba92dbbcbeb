package withings

import (
	"cmp"
	"math"
	"slices"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// field is what a named number of a row means.
type field struct {
	name   string
	metric health.Metric
	stat   health.Stat
	part   health.Part
	// none: 0 means that there is no data.
	none bool
	// scale is the power of ten that brings the number to the metric's unit.
	scale int8
	// second: the field counts if no other one of the row tells its metric.
	second bool
	// text: the field is a word, kept under this name.
	text string
	// legacy: the service no longer knows the field, so it is not asked for.
	legacy bool
}

// fieldTable finds the fields of a row by name.
type fieldTable map[string]indexed

type indexed struct {
	*field
	bit uint
}

func table(fields []field) fieldTable {
	t := make(fieldTable, len(fields))
	for i := range fields {
		t[fields[i].name] = indexed{&fields[i], uint(i)}
	}
	return t
}

// The fields by name. None of these is ever changed.
var (
	activityTable = table(activityFields)
	workoutTable  = table(workoutFields)
	summaryTable  = table(summaryFields)
	intradayTable = table(intradayFields)

	legacyActivityTable = table(inMetres(activityFields))
	legacyWorkoutTable  = table(inMetres(workoutFields))
	signalTable         = table(sleepSignals)
)

// inMetres returns the fields as they were in the OAuth 1.0 era, in which the
// elevation was in metres and not in floors.
func inMetres(fields []field) []field {
	old := slices.Clone(fields)
	for i := range old {
		if old[i].metric == health.MetricFloorsClimbed {
			old[i].metric = health.MetricElevationGain
		}
	}
	return old
}

// heartRateFields are the same in the rows of several services.
func heartRateFields(zones bool, rest ...field) []field {
	fields := []field{
		{name: "hr_average", metric: health.MetricHeartRate, stat: health.StatMean, none: true},
		{name: "hr_min", metric: health.MetricHeartRate, stat: health.StatMin, none: true},
		{name: "hr_max", metric: health.MetricHeartRate, stat: health.StatMax, none: true},
	}
	if zones {
		fields = append(fields,
			field{name: "hr_zone_0", metric: health.MetricHeartRateZoneDuration, part: health.PartZone0},
			field{name: "hr_zone_1", metric: health.MetricHeartRateZoneDuration, part: health.PartZone1},
			field{name: "hr_zone_2", metric: health.MetricHeartRateZoneDuration, part: health.PartZone2},
			field{name: "hr_zone_3", metric: health.MetricHeartRateZoneDuration, part: health.PartZone3},
		)
	}
	return append(fields, rest...)
}

var activityFields = heartRateFields(true,
	field{name: "steps", metric: health.MetricSteps},
	field{name: "distance", metric: health.MetricDistance},
	field{name: "elevation", metric: health.MetricFloorsClimbed},
	field{name: "soft", metric: health.MetricActiveDuration, part: health.PartLight},
	field{name: "moderate", metric: health.MetricActiveDuration, part: health.PartModerate},
	field{name: "intense", metric: health.MetricActiveDuration, part: health.PartVigorous},
	field{name: "active", metric: health.MetricActiveDuration},
	field{name: "calories", metric: health.MetricEnergyActive},
	field{name: "totalcalories", metric: health.MetricEnergyTotal},
)

var workoutFields = heartRateFields(true,
	field{name: "calories", metric: health.MetricEnergyActive},
	field{name: "intensity", metric: health.MetricExerciseIntensity},
	field{name: "manual_intensity", metric: health.MetricExerciseIntensity, part: health.PartManual},
	field{name: "manual_distance", metric: health.MetricDistance, part: health.PartManual},
	field{name: "manual_calories", metric: health.MetricEnergyActive, part: health.PartManual},
	field{name: "pause_duration", metric: health.MetricPauseDuration},
	field{name: "algo_pause_duration", metric: health.MetricPauseDuration, part: health.PartDetected},
	field{name: "spo2_average", metric: health.MetricSpO2, stat: health.StatMean, none: true},
	field{name: "core_body_temperature_avg", metric: health.MetricBodyTemperature, stat: health.StatMean, none: true},
	field{name: "core_body_temperature_min", metric: health.MetricBodyTemperature, stat: health.StatMin, none: true},
	field{name: "core_body_temperature_max", metric: health.MetricBodyTemperature, stat: health.StatMax, none: true},
	field{name: "core_body_temperature_status", text: health.TextCoreTemperatureStatus},
	field{name: "steps", metric: health.MetricSteps},
	field{name: "distance", metric: health.MetricDistance},
	field{name: "elevation", metric: health.MetricFloorsClimbed},
	field{name: "pool_laps", metric: health.MetricSwimLaps},
	field{name: "strokes", metric: health.MetricSwimStrokes},
	field{name: "pool_length", metric: health.MetricPoolLength},
	field{name: "metcumul", metric: health.MetricMETCumulative, legacy: true},
	field{name: "effduration", metric: health.MetricExerciseDuration, legacy: true},
)

var summaryFields = heartRateFields(false,
	field{name: "total_timeinbed", metric: health.MetricSleepInBed},
	field{name: "total_sleep_time", metric: health.MetricSleepDuration},
	field{name: "asleepduration", metric: health.MetricSleepAsleep},
	field{name: "lightsleepduration", metric: health.MetricSleepLight},
	field{name: "remsleepduration", metric: health.MetricSleepREM},
	field{name: "deepsleepduration", metric: health.MetricSleepDeep},
	field{name: "sleep_efficiency", metric: health.MetricSleepEfficiency, scale: 2}, // a ratio
	field{name: "sleep_latency", metric: health.MetricSleepLatency},
	field{name: "wakeup_latency", metric: health.MetricSleepWakeupLatency},
	field{name: "wakeupduration", metric: health.MetricSleepAwake},
	field{name: "wakeupcount", metric: health.MetricSleepAwakenings},
	field{name: "waso", metric: health.MetricSleepAwakeAfterOnset},
	field{name: "nb_rem_episodes", metric: health.MetricSleepStageEpisodes, part: health.PartREM},
	field{name: "durationtosleep", metric: health.MetricSleepLatency, second: true},
	field{name: "durationtowakeup", metric: health.MetricSleepWakeupLatency, second: true},
	field{name: "out_of_bed_count", metric: health.MetricSleepOutOfBedCount},
	field{name: "rr_average", metric: health.MetricRespiratoryRate, stat: health.StatMean, none: true},
	field{name: "rr_min", metric: health.MetricRespiratoryRate, stat: health.StatMin, none: true},
	field{name: "rr_max", metric: health.MetricRespiratoryRate, stat: health.StatMax, none: true},
	field{name: "breathing_disturbances_intensity", metric: health.MetricBreathingDisturbances},
	field{name: "breathing_quality_assessment", metric: health.MetricBreathingQuality},
	field{name: "snoring", metric: health.MetricSnoringDuration},
	field{name: "snoringepisodecount", metric: health.MetricSnoringEpisodes},
	field{name: "sleep_score", metric: health.MetricSleepScore},
	field{name: "night_events"}, // read by itself
	field{name: "apnea_hypopnea_index", metric: health.MetricAHI},
	field{name: "mvt_score_avg", metric: health.MetricSleepMovementScore, stat: health.StatMean},
	field{name: "mvt_active_duration", metric: health.MetricSleepMovementDuration},
	field{name: "rmssd_start_avg", metric: health.MetricHRVRMSSD, stat: health.StatStart},
	field{name: "rmssd_end_avg", metric: health.MetricHRVRMSSD, stat: health.StatEnd},
	field{name: "chest_movement_rate_average", metric: health.MetricChestMovementRate, stat: health.StatMean},
	field{name: "chest_movement_rate_min", metric: health.MetricChestMovementRate, stat: health.StatMin},
	field{name: "chest_movement_rate_max", metric: health.MetricChestMovementRate, stat: health.StatMax},
	field{name: "chest_movement_rate_wellness_average", metric: health.MetricChestMovementRate, stat: health.StatMean, part: health.PartWellness},
	field{name: "chest_movement_rate_wellness_min", metric: health.MetricChestMovementRate, stat: health.StatMin, part: health.PartWellness},
	field{name: "chest_movement_rate_wellness_max", metric: health.MetricChestMovementRate, stat: health.StatMax, part: health.PartWellness},
	field{name: "breathing_sounds", metric: health.MetricBreathingSoundsDuration},
	field{name: "breathing_sounds_episode_count", metric: health.MetricBreathingSoundsEpisodes},
	field{name: "withings_index", metric: health.MetricWithingsIndex},
	field{name: "core_body_temperature_min", metric: health.MetricBodyTemperature, stat: health.StatMin, none: true},
	field{name: "core_body_temperature_max", metric: health.MetricBodyTemperature, stat: health.StatMax, none: true},
	field{name: "core_body_temperature_avg", metric: health.MetricBodyTemperature, stat: health.StatMean, none: true},
	field{name: "core_body_temperature_status", text: health.TextCoreTemperatureStatus},
)

// intradayFields are series. An entry that tells nothing but its duration is
// time without movement.
var intradayFields = []field{
	{name: "steps", metric: health.MetricSteps},
	{name: "elevation", metric: health.MetricFloorsClimbed},
	{name: "calories", metric: health.MetricEnergyActive},
	{name: "distance", metric: health.MetricDistance},
	{name: "stroke", metric: health.MetricSwimStrokes},
	{name: "pool_lap", metric: health.MetricSwimLaps},
	{name: "duration", metric: health.MetricActiveDuration},
	{name: "heart_rate", metric: health.MetricHeartRate, none: true},
	{name: "spo2_auto", metric: health.MetricSpO2, none: true},
	{name: "rmssd", metric: health.MetricHRVRMSSD},
	{name: "sdnn1", metric: health.MetricHRVSDNN},
	{name: "hrv_quality", metric: health.MetricHRVQuality},
	{name: "core_body_temperature", metric: health.MetricBodyTemperature, none: true},
	{name: "rr", metric: health.MetricRespiratoryRate, none: true},
	{name: "chest_movement_rate", metric: health.MetricChestMovementRate},
}

// sleepSignals are maps from seconds to numbers in the segments of a night.
var sleepSignals = []field{
	{name: "hr", metric: health.MetricHeartRate, none: true},
	{name: "rr", metric: health.MetricRespiratoryRate, none: true},
	{name: "snoring", metric: health.MetricSnoringDuration},
	{name: "sdnn_1", metric: health.MetricHRVSDNN},
	{name: "rmssd", metric: health.MetricHRVRMSSD},
	{name: "hrv_quality", metric: health.MetricHRVQuality},
	{name: "mvt_score", metric: health.MetricSleepMovementScore},
	{name: "chest_movement_rate", metric: health.MetricChestMovementRate},
	{name: "withings_index", metric: health.MetricWithingsIndex},
	{name: "breathing_sounds", metric: health.MetricBreathingSoundsDuration},
}

// read reads the member the scanner is in front of as a field of the table.
// What the table does not have is kept as text where it is a number or a word.
func (t fieldTable) read(s *jsonscan.Scanner, r *row) {
	name := s.Name()
	f, ok := t[string(name)]
	if !ok {
		keepUnknown(s, r, name)
		return
	}
	r.twice = r.twice || r.fields&(1<<f.bit) != 0
	r.fields |= 1 << f.bit
	at := s.Mark()
	if f.text != "" {
		b, v := s.ReadWord()
		if v == jsonscan.Bad {
			r.fault(f.name, reasonType, s.Since(at))
		} else {
			r.text(f.text, string(b))
		}
		return
	}
	d, v := s.ReadDecimal()
	if v == jsonscan.OK {
		d, v = f.scaled(d)
	}
	switch {
	case v == jsonscan.Absent || f.none && d.Coefficient == 0 && v == jsonscan.OK:
		return
	case v == jsonscan.Bad:
		if s.Err() == nil {
			r.fault(f.name, reasonType, s.Since(at))
		}
		return
	}
	value := health.Value{Metric: f.metric, Stat: f.stat, Part: f.part, Number: d}
	if f.second {
		r.later = append(r.later, latecomer{"withings_" + f.name, value})
	} else if !r.value(value) {
		r.fault(f.name, reasonConflict, s.Since(at))
	}
}

// scaled returns d in the unit of the metric.
func (f *field) scaled(d health.Decimal) (health.Decimal, jsonscan.Verdict) {
	e := int(d.Exponent) + int(f.scale)
	if e < -health.MaxExponent || e > health.MaxExponent {
		return health.Decimal{}, jsonscan.Bad
	}
	d.Exponent = int8(e)
	return d, jsonscan.OK
}

// keepUnknown keeps a member nobody told us about.
func keepUnknown(s *jsonscan.Scanner, r *row, name []byte) {
	text := textName(name)
	if text == "" {
		s.Skip()
		return
	}
	switch s.Kind() {
	case jsonscan.Number:
		if d, v := s.ReadDecimal(); v == jsonscan.OK {
			r.text(text, d.String())
		}
	case jsonscan.String:
		if b, ok := s.Identifier(); ok && len(b) <= health.MaxCode {
			r.text(text, string(b))
		}
	default:
		s.Skip()
	}
}

// textName returns the name of the text that keeps an unknown member; empty if
// its name cannot be one.
func textName(name []byte) string {
	const prefix = "withings_"
	if len(name) == 0 || len(prefix)+len(name) > health.MaxName {
		return ""
	}
	for _, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return ""
		}
	}
	return prefix + string(name)
}

// objectOr enters an object; an empty array, which stands for an empty object,
// null and, as a fault of the row, anything else are skipped.
func objectOr(s *jsonscan.Scanner, r *row, name string) bool {
	at := s.Mark()
	switch s.Kind() {
	case jsonscan.Object:
		return s.Object()
	case jsonscan.Array:
		s.Array()
		empty := !s.NextElement()
		if s.Err() != nil {
			return false
		}
		if !empty {
			s.Return(at)
			s.Skip()
			r.fault(name, reasonType, s.Since(at))
		}
	case jsonscan.Null:
		s.Skip()
	default:
		if s.Skip(); s.Err() == nil {
			r.fault(name, reasonType, s.Since(at))
		}
	}
	return false
}

// samples collects the points of one series.
type samples struct {
	times  []int64
	values []health.Decimal
}

func (p *samples) add(milli int64, d health.Decimal) {
	p.times = append(p.times, milli)
	p.values = append(p.values, d.Round(finest))
}

// finest is the smallest exponent of a series: one number with all 17 digits of
// a float64 must not keep the others out.
const finest = -12

// series returns the points in order of time, with one common exponent. Of two
// equal points one is kept; of two different ones at one time, and of one that
// does not fit the exponent of the others, lost is called.
func (p *samples) series(s health.Series, lost func()) health.Series {
	order := make([]int, len(p.times))
	for i := range order {
		order[i] = i
	}
	if !slices.IsSorted(p.times) {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.times[a], p.times[b]) })
	}
	exp := int8(math.MaxInt8)
	for _, v := range p.values {
		exp = min(exp, v.Exponent)
	}
	s.Exp = exp
	s.Times, s.Values = make([]int64, 0, len(order)), make([]int64, 0, len(order))
	for _, i := range order {
		n, ok := p.values[i].Rescale(exp)
		if !ok {
			lost()
			continue
		}
		if k := len(s.Times); k > 0 && s.Times[k-1] == p.times[i] {
			if s.Values[k-1] != n {
				lost()
			}
			continue
		}
		s.Times = append(s.Times, p.times[i])
		s.Values = append(s.Values, n)
	}
	return s
}
