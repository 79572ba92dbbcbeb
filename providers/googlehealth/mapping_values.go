package googlehealth

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// What single points and rollups hold besides numbers in fields of their own.

// maxList bounds the lists within one datum.
const maxList = 10_000

// rows reads a list of objects and calls each; what is not one is set aside.
func (d *datum) rows(o object, name string, each func(object)) {
	list, v := o.list(name, maxList)
	if v == jsonscan.Bad {
		d.fault(name, reasonType)
	}
	for _, raw := range list {
		row, reason := readObject(raw)
		if reason != "" {
			d.fault(name, reason)
			continue
		}
		each(row)
	}
}

// part adds the number of a row whose word says which part of the metric it is.
func (d *datum) part(row object, name, word string, f field, part func(string) health.Part) {
	text, v := row.text(word)
	if v != jsonscan.OK {
		d.fault(word, reasonType)
		return
	}
	if f.part = part(text); f.part == "" {
		if f.part = health.Part(code(text)); !isPart(string(f.part)) {
			d.fault(word, reasonType)
			return
		}
	}
	switch value, v := f.value(row); v {
	case jsonscan.OK:
		d.add(name, value)
	case jsonscan.Bad:
		d.fault(name, reasonType)
	}
}

// isPart reports whether a word of the service can be the name of a part.
func isPart(word string) bool {
	return word != "" && len(word) <= health.MaxName && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func zonePart(word string) health.Part  { return fitbitmap.ZonePart(word) }
func levelPart(word string) health.Part { return fitbitmap.LevelPart(word) }

func (m *mapper) activeMinutesSum(d *datum, o object) {
	d.rows(o, "activeMinutesRollupByActivityLevel", func(row object) {
		f := field{path: "activeMinutesSum", metric: fitbitmap.ActiveDuration.Metric(), times: 60}
		d.part(row, "activeMinutesSum", "activityLevel", f, levelPart)
	})
}

// zoneMinutes adds the total of active zone minutes, which the predecessor tells
// and this service does not. The minutes of each zone are weighted already.
func (m *mapper) zoneMinutes(d *datum, o object) {
	total := int64(0)
	for i := range zoneMinuteSum {
		v, state := zoneMinuteSum[i].value(o)
		n, whole := v.Number.Rescale(0)
		const most = 1 << 40
		if state == jsonscan.Bad || state == jsonscan.OK && (!whole || n < 0 || n > most) {
			return
		}
		total += n
	}
	if len(d.values) > 0 {
		sum := fitbitmap.ActiveZoneMinutes.Value(health.Int(total), "")
		sum.Flags = health.FlagInexact // computed by the mapping
		d.add("activeZoneMinutes", sum)
	}
}

func (m *mapper) zoneTimes(d *datum, o object) {
	d.rows(o, "timeInHeartRateZones", func(row object) {
		f := field{path: "duration", metric: fitbitmap.ZoneDuration.Metric(), seconds: true}
		d.part(row, "duration", "heartRateZone", f, zonePart)
	})
}

func (m *mapper) zoneCalories(d *datum, o object) {
	d.rows(o, "caloriesInHeartRateZones", func(row object) {
		f := field{path: "kcal", metric: fitbitmap.ZoneEnergy.Metric()}
		d.part(row, "kcal", "heartRateZone", f, zonePart)
	})
}

func (m *mapper) zoneBounds(d *datum, o object) {
	d.rows(o, "heartRateZones", func(row object) {
		for _, f := range [...]field{
			{path: "minBeatsPerMinute", metric: health.MetricHeartRateZoneBound, stat: health.StatMin},
			{path: "maxBeatsPerMinute", metric: health.MetricHeartRateZoneBound, stat: health.StatMax},
		} {
			d.part(row, f.path, "heartRateZoneType", f, zonePart)
		}
	})
}

// nutritionSum reads what a day's meals add up to; amounts have the suffix Sum.
func (m *mapper) nutritionSum(d *datum, o object) { d.nutrients(o, "Sum") }

// nutrients reads energy and nutrients of a meal or of a day.
func (d *datum) nutrients(o object, suffix string) {
	d.numbers(o, []field{
		{path: "energy.kcal" + suffix, metric: fitbitmap.EnergyIntake.Metric()},
		{path: "energyFromFat.kcal" + suffix, metric: health.MetricEnergyIntakeFromFat},
		{path: "totalCarbohydrate.grams" + suffix, metric: health.MetricNutrientCarbohydrates},
		{path: "totalFat.grams" + suffix, metric: health.MetricNutrientFat},
	})
	d.rows(o, "nutrients", func(row object) {
		word, v := row.text("nutrient")
		if v != jsonscan.OK {
			d.fault("nutrients", reasonType)
			return
		}
		known, ok := nutrients[word]
		f := field{path: "quantity.grams" + suffix, metric: known.metric}
		if known.milli {
			f.shift = 3
		}
		value, v := f.value(row)
		switch {
		case v == jsonscan.Absent: // a food may list what it has none of
		case v != jsonscan.OK:
			d.fault("nutrients", reasonType)
		case !ok:
			d.text("googlehealth_nutrient_"+code(errorWord(row, "nutrient")), value.Number.String()+" g")
		case known.metric == health.MetricNutrientCarbohydrates && d.has(known.metric):
			// The total is told apart.
		default:
			d.add("nutrients", value)
		}
	})
}

func (d *datum) has(metric health.Metric) bool {
	return slices.ContainsFunc(d.values, func(v health.Value) bool { return v.Metric == metric })
}

func (m *mapper) restingMethod(d *datum, o object) {
	if inner, v := o.object("dailyRestingHeartRateMetadata"); v == jsonscan.OK {
		d.told(inner, "calculationMethod", "googlehealth_calculation_method", code)
	}
}

// temperatureDeviation adds what the night was above the baseline, where both
// are told.
func (m *mapper) temperatureDeviation(d *datum, o object) {
	night, v := o.number("nightlyTemperatureCelsius")
	base, vb := o.number("baselineTemperatureCelsius")
	if v != jsonscan.OK || vb != jsonscan.OK {
		return
	}
	exponent := min(night.Exponent, base.Exponent)
	a, okA := night.Rescale(exponent)
	b, okB := base.Rescale(exponent)
	if !okA || !okB || (a-b > a) != (b < 0) {
		d.fault("baselineTemperatureCelsius", reasonFit)
		return
	}
	deviation := fitbitmap.SkinTemperature.Value(health.Decimal{Coefficient: a - b, Exponent: exponent}, "")
	deviation.Flags = health.FlagInexact // computed by the mapping
	d.add("baselineTemperatureCelsius", deviation)
}

func (m *mapper) fitnessLevel(d *datum, o object) {
	d.told(o, "cardioFitnessLevel", health.TextFitnessLevel, code)
	if estimated, v := o.truth("estimated"); v == jsonscan.OK && estimated {
		for i := range d.values {
			if d.values[i].Metric == health.MetricVO2Max {
				d.values[i].Flags |= health.FlagEstimated
			}
		}
	}
}

func (m *mapper) notes(d *datum, o object) { d.told(o, "notes", health.TextNotes, nil) }

func (m *mapper) measurementSite(d *datum, o object) {
	d.told(o, "measurementLocation", health.TextMeasurementSite, code)
}

func (m *mapper) vo2Method(d *datum, o object) {
	d.told(o, "measurementMethod", health.TextMeasurementSource, code)
}

func (m *mapper) glucose(d *datum, o object) {
	d.told(o, "specimen", health.TextSpecimen, code)
	d.told(o, "measurementTiming", health.TextMeasurementTiming, code)
	d.told(o, "measurementSource", health.TextMeasurementSource, code)
	d.told(o, "mealType", health.TextMealType, meal)
	m.notes(d, o)
}

// meal returns the type of a meal, the service's word for one that is not
// known.
func meal(word string) string {
	if known := fitbitmap.Meal(word); known != "" {
		return known
	}
	return code(word)
}

func (m *mapper) hydration(d *datum, o object) {
	d.numbers(o, []field{{path: "amountConsumed.milliliters", metric: fitbitmap.WaterIntake.Metric()}})
	if len(d.values) > 0 {
		d.segment(health.Segment{Track: health.TrackDrink, Start: d.span.Start, End: d.span.End})
	}
}

func (m *mapper) nutrition(d *datum, o object) {
	d.nutrients(o, "")
	d.told(o, "foodDisplayName", health.TextTitle, nil)
	if word, v := o.text("mealType"); v == jsonscan.OK && len(word) <= health.MaxCode {
		d.segment(health.Segment{
			Track: health.TrackMeal, Label: fitbitmap.Meal(word), Code: word, Start: d.span.Start, End: d.span.End,
		})
		d.text(health.TextMealType, meal(word))
	}
	if serving, v := o.object("serving"); v == jsonscan.OK {
		d.numbers(serving, []field{{path: "amount", metric: health.MetricFoodQuantity}})
		d.told(serving, "foodMeasurementUnitDisplayName", health.TextFoodUnit, nil)
	}
}

// segment adds a segment; one without length is left without an end.
func (d *datum) segment(s health.Segment) {
	if s.End == s.Start {
		s.End = health.Moment{}
	}
	d.segments = append(d.segments, s)
}

func (m *mapper) menstrualPeriod(d *datum, o object) {
	d.segment(health.Segment{Track: health.TrackPhase, Label: health.PhasePeriod, Start: d.span.Start, End: d.span.End})
	m.notes(d, o)
}

func (m *mapper) ovulation(d *datum, o object) { d.told(o, "result", health.TextOvulationTest, code) }

func (m *mapper) moods(d *datum, o object) {
	d.words(o, "moods", health.TrackMood)
	list, _ := o.list("valences", maxMembers)
	for _, raw := range list {
		if word, v := (object{[]string{"v"}, [][]byte{raw}}).text("v"); v == jsonscan.OK {
			d.text("googlehealth_valence", code(word))
		}
	}
}

func (m *mapper) symptoms(d *datum, o object) { d.words(o, "symptoms", health.TrackSymptom) }

// words adds a label for each word of a list.
func (d *datum) words(o object, name, track string) {
	list, v := o.list(name, maxMembers)
	if v != jsonscan.OK {
		d.fault(name, reasonType)
	}
	for _, raw := range list {
		word, v := (object{[]string{"v"}, [][]byte{raw}}).text("v")
		if v != jsonscan.OK || len(word) > health.MaxName {
			d.fault(name, reasonType)
			continue
		}
		d.segment(health.Segment{Track: track, Label: code(word), Code: word, Start: d.span.Start})
	}
}

// civilDay maps one day of a daily rollup.
func (m *mapper) civilDay(d *datum, outer object) string {
	date, wall, v := outer.civil("civilStartTime")
	if v != jsonscan.OK || wall != int64(date.Number())*86400_000 {
		return reasonDay
	}
	d.key = m.raw.Stream + "/" + date.String()
	d.span = date.Span(m.profile, health.ZoneFromProfile)
	d.method = health.MethodDerived
	return m.rollup(d, outer)
}

// rollup reads what a rollup tells of its period.
func (m *mapper) rollup(d *datum, outer object) string {
	key := m.st.key
	if key == "" {
		key = m.st.data.key
	}
	inner, v := outer.object(key)
	if v == jsonscan.Absent {
		return reasonOther
	}
	if v == jsonscan.Bad {
		return reasonType
	}
	d.numbers(inner, m.st.fields)
	if m.st.read != nil {
		m.st.read(m, d, inner)
	}
	if len(d.values) == 0 {
		return reasonNoValue
	}
	return ""
}

// hour maps one hour of a rollup: it becomes a point of each series.
func (m *mapper) hour(d *datum, outer object) string {
	from, _, v := outer.instant("startTime")
	if v != jsonscan.OK {
		return reasonTime
	}
	if reason := m.rollup(d, outer); reason != "" {
		return reason
	}
	for _, f := range d.faults {
		m.quarantined.Add(d.m.raw.Stream+"/"+health.Instant(from).String()+"#"+f.name, f.reason, d.raw)
	}
	d.done = true
	if !m.series.hour(from, d.values) {
		return reasonOutside
	}
	return ""
}

// document maps an answer that is one object.
func (m *mapper) document(body []byte) error {
	o, reason := readObject(body)
	switch {
	case reason == reasonNotJSON:
		return malformed(codeNotJSON)
	case reason == reasonTwice:
		return malformed(codeDuplicate)
	case reason != "":
		return malformed(codeShape)
	case o.has("error"):
		return refusedIn(body)
	}
	m.digest = health.Digest(body)
	d := &datum{m: m, raw: body, key: m.raw.Stream + "/me"}
	d.numbers(o, m.st.fields)
	m.st.read(m, d, o)
	if m.foreign {
		return malformed(providers.CodeIdentity)
	}
	if len(d.values)+len(d.texts) > 0 {
		m.emit(d)
	}
	return nil
}

func (m *mapper) settings(d *datum, o object) {
	zone, v := o.text("timeZone")
	if v == jsonscan.OK && providers.LoadZone(zone) != nil {
		d.text(health.TextTimezone, zone)
		m.personZone = zone
	} else if v != jsonscan.Absent {
		d.fault("timeZone", reasonType)
	}
	d.told(o, "languageLocale", health.TextLocale, nil)
	for _, name := range []string{"distanceUnit", "weightUnit", "heightUnit", "temperatureUnit", "waterUnit", "glucoseUnit", "swimUnit"} {
		d.told(o, name, "googlehealth_"+snake(name), code)
	}
}

// snake turns a name of the service into words joined by underscores.
func snake(name string) string {
	var b strings.Builder
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
			c |= 0x20
		}
		b.WriteRune(c)
	}
	return b.String()
}

func (m *mapper) aboutPerson(d *datum, o object) {
	if since, v := o.civilDay("membershipStartDate"); v == jsonscan.OK {
		d.text(health.TextMemberSince, since.String())
	}
}

// rhythmProfile maps whether the person takes part in notifications of irregular
// rhythm. The service leaves out what is false.
func (m *mapper) rhythmProfile(d *datum, o object) {
	if !o.has("name") {
		return
	}
	for _, name := range []string{"onboardingStatus", "enrollmentStatus"} {
		is, v := o.truth(name)
		if v == jsonscan.Bad {
			d.fault(name, reasonType)
			continue
		}
		d.text("googlehealth_irn_"+snake(name), strconv.FormatBool(is))
	}
	d.updated(o)
}

func (m *mapper) identity(d *datum, o object) {
	who, ok := readIdentity(o)
	if !ok {
		d.fault("healthUserId", reasonType)
		return
	}
	if m.user != "" && who.health != m.user {
		m.foreign = true
	}
	d.text(health.TextUpstreamUserID, who.health)
	d.text("googlehealth_legacy_user_id", who.legacy)
}

// single maps one element of a list that is not of data points.
func (m *mapper) single(d *datum, outer object) string {
	name, v := outer.text("name")
	if v != jsonscan.OK || !strings.Contains(name, "/pairedDevices/") {
		return reasonName
	}
	_, id, _ := cutLast(name)
	d.key = m.raw.Stream + "/" + providers.KeyPart(id, "")
	d.src.Device = id
	m.st.read(m, d, outer)
	return ""
}

func (m *mapper) device(d *datum, o object) {
	d.numbers(o, []field{{path: "batteryLevel", metric: health.MetricDeviceBatteryLevel}})
	d.told(o, "batteryStatus", health.TextBattery, code)
	d.told(o, "deviceType", health.TextDeviceType, code)
	d.told(o, "deviceVersion", health.TextDeviceModel, nil)
	d.told(o, "lastSyncTime", health.TextDeviceLastSync, nil)
	list, _ := o.list("features", maxMembers)
	var features []string
	for _, raw := range list {
		if word, v := (object{[]string{"v"}, [][]byte{raw}}).text("v"); v == jsonscan.OK {
			features = append(features, code(word))
		}
	}
	d.text(health.TextDeviceFeatures, strings.Join(features, ","))
}
