package googlehealth

import (
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// point maps one point that is a record.
func (m *mapper) point(d *datum, outer object) string {
	t := m.st.data
	inner, v := outer.object(t.key)
	switch v {
	case jsonscan.Absent:
		return reasonOther
	case jsonscan.Bad:
		return t.key + " is " + reasonType
	}
	d.source(outer)
	id, ok := m.pointID(outer)
	if !ok {
		return reasonName
	}
	reason := ""
	switch t.record {
	case recordDaily:
		reason = d.daily(inner)
	case recordSample:
		reason = d.sample(inner)
	default:
		reason = d.session(inner, t.record)
	}
	if id != "" && t.record != recordDaily {
		d.key = m.raw.Stream + "/" + providers.KeyPart(id, "")
	}
	if reason != "" {
		return reason
	}
	if t.record == recordECG {
		if outside, err := m.behindWindow(d.span.Start); err != nil || outside {
			d.done = outside
			if err != nil {
				return reasonOutside
			}
			return ""
		}
	}
	d.updated(inner)
	d.numbers(inner, m.st.fields)
	if m.st.read != nil {
		m.st.read(m, d, inner)
	}
	if len(d.values)+len(d.texts)+len(d.segments)+len(d.series) == 0 && t.record != recordInterval {
		return reasonNoValue
	}
	return ""
}

// behindWindow reports whether a session is from behind the window that the
// name of the body tells: the service was given no upper bound.
func (m *mapper) behindWindow(start health.Moment) (bool, error) {
	_, period, _ := cutLast(m.raw.Bodies[len(m.raw.Bodies)-1].Name)
	_, to, ok := readPeriod(period)
	if !ok {
		return false, malformed(codeBodyName)
	}
	return start.SortMilli() >= to, nil
}

// pointID returns the id out of the name of a point, empty for one that has
// none: "users/ME/dataTypes/TYPE/dataPoints/ID". It is false for a name that is
// none.
func (m *mapper) pointID(outer object) (string, bool) {
	name, v := outer.text("name")
	if v == jsonscan.Absent {
		name, v = outer.text("dataPointName")
	}
	switch v {
	case jsonscan.Absent:
		return "", true
	case jsonscan.Bad:
		return "", false
	}
	parts := strings.Split(name, "/")
	if len(parts) != 6 || parts[0] != "users" || parts[2] != "dataTypes" || parts[4] != "dataPoints" || parts[5] == "" {
		return "", false
	}
	if user := parts[1]; user != "me" && m.user != "" && user != m.user {
		m.foreign = true
	}
	return parts[5], true
}

// source reads where a point comes from. Reconciled points do not tell.
func (d *datum) source(outer object) {
	o, v := outer.object("dataSource")
	if v != jsonscan.OK {
		if v == jsonscan.Bad {
			d.fault("dataSource", reasonType)
		}
		return
	}
	d.src.Upstream = d.short(o, "platform")
	if device, v := o.object("device"); v == jsonscan.OK {
		d.src.Device = d.short(device, "displayName")
		d.told(device, "manufacturer", health.TextDeviceManufacturer, nil)
		d.told(device, "formFactor", health.TextDeviceType, code)
	}
	if app, v := o.object("application"); v == jsonscan.OK {
		for _, name := range []string{"packageName", "webClientId", "googleWebClientId"} {
			if d.src.App == "" {
				d.src.App = d.short(app, name)
			}
		}
	}
	how, _ := o.text("recordingMethod")
	d.method = methods[how]
}

// short reads a text of a Source.
func (d *datum) short(o object, name string) string {
	text, v := o.text(name)
	if v == jsonscan.Bad || len(text) > health.MaxCode {
		d.fault(name, reasonType)
		return ""
	}
	return text
}

// methods are the recording methods of the service.
var methods = map[string]health.Method{
	"MANUAL": health.MethodSelfReported, "PASSIVELY_MEASURED": health.MethodSensed, "ACTIVELY_MEASURED": health.MethodSensed,
	"DERIVED": health.MethodDerived,
}

// sourcePart tells sources apart in keys of points without an id; empty where
// no source was told. How a point was recorded tells single ones apart, too. Not so
// dense ones: their samples belong to the source.
func (d *datum) sourcePart() string {
	parts := []string{d.src.Upstream, d.src.Device, d.src.App}
	dense := d.m.st.shape == shapeDense
	if d.src == (health.Source{}) && (dense || d.method == health.MethodUnknown) {
		return ""
	}
	if !dense {
		parts = append(parts, d.method.String())
	}
	return providers.KeyPart(strings.Join(parts, "."), "")
}

// keyed sets the key of a point that has no id: what tells its time, and its
// source.
func (d *datum) keyed(when string) {
	d.key = d.m.raw.Stream + "/" + when
	if source := d.sourcePart(); source != "" {
		d.key += "/" + source
	}
}

// daily reads the day of a point about a day.
func (d *datum) daily(inner object) string {
	date, v := inner.civilDay("date")
	if v != jsonscan.OK {
		return reasonDay
	}
	d.keyed(date.String())
	d.span = date.Span(d.m.profile, health.ZoneFromProfile)
	return ""
}

// timing is a time as the service tells it: an instant, perhaps the offset of
// then and there, and perhaps the civil time.
type timing struct {
	moment health.Moment
	day    health.Day // civil; zero where neither the offset nor the civil time is told
	flags  health.Flags
	zoned  bool
}

// timing reads an instant with the members that say what clocks showed. Civil
// times may be missing, and are then computed from the offset; where the offset
// is missing they tell it, unless they show UTC, as they do for data of which the
// service does not know it. A civil time alone is floating.
func (o object) timing(instant, offset, civil string) (timing, jsonscan.Verdict) {
	var t timing
	milli, flags, v := o.instant(instant)
	t.flags = flags
	east, vo := o.offset(offset)
	date, wall, vc := o.civil(civil)
	switch {
	case v == jsonscan.Bad || vo == jsonscan.Bad || vc == jsonscan.Bad:
		return t, jsonscan.Bad
	case v == jsonscan.Absent && vc == jsonscan.Absent:
		return t, jsonscan.Absent
	case v == jsonscan.Absent:
		t.moment, t.day = health.Floating(wall), date
		return t, jsonscan.OK
	}
	if vo == jsonscan.Absent && vc == jsonscan.OK {
		// Whole seconds: civil times may lack the fraction.
		seconds := wall/1000 - milli/1000
		if seconds != 0 && seconds%(15*60) == 0 && seconds >= -maxOffset && seconds <= maxOffset {
			east, vo = int(seconds), jsonscan.OK
		}
	}
	if vo != jsonscan.OK {
		t.moment = health.Instant(milli)
		return t, jsonscan.OK
	}
	t.moment, t.zoned, t.day = health.Zoned(milli, east), true, date
	if vc != jsonscan.OK {
		t.day = dayAt(milli, east)
	}
	return t, jsonscan.OK
}

// dayAt is the civil day that clocks showed.
func dayAt(milli int64, east int) health.Day {
	return health.DayOf(time.UnixMilli(milli + int64(east)*1000).UTC())
}

// zoneOf says how the zone of a span is known.
func zoneOf(times ...timing) health.Zone {
	zone := health.ZoneFromRecord
	for _, t := range times {
		switch {
		case t.moment.IsFloating():
			zone = min(zone, health.ZoneFloating)
		case !t.zoned:
			zone = min(zone, health.ZoneUnknown)
		}
	}
	return zone
}

// civilDay is the civil day of a time by what is known.
func (m *mapper) dayOf(t timing) health.Day {
	if !t.day.IsZero() || m.profile == nil {
		return t.day
	}
	if at, ok := t.moment.Time(); ok {
		return health.DayOf(at.In(m.profile))
	}
	return t.day
}

// whenText is the time of a point in its key: what the service printed, in
// milliseconds at most, because the number of decimals is not part of the time.
func whenText(t health.Moment) string {
	text := t.String()
	if milli, ok := t.UnixMilli(); ok {
		text = health.Instant(milli).String()
	}
	return text
}

// sample reads the time of a point that is a moment.
func (d *datum) sample(inner object) string {
	o, v := inner.object("sampleTime")
	if v != jsonscan.OK {
		return reasonTime
	}
	at, v := o.timing("physicalTime", "utcOffset", "civilTime")
	if v != jsonscan.OK {
		return reasonTime
	}
	d.keyed(whenText(at.moment))
	d.span = health.Span{Start: at.moment, Day: d.m.dayOf(at), Zone: zoneOf(at), Flags: at.flags}
	return ""
}

// session reads the time of a point that is an interval. Its day is the one by
// which the service files it: of the start, of a night the one of the end.
func (d *datum) session(inner object, record recordType) string {
	o, v := inner.object("interval")
	if v != jsonscan.OK {
		return reasonTime
	}
	start, v := o.timing("startTime", "startUtcOffset", "civilStartTime")
	if v != jsonscan.OK {
		return reasonTime
	}
	d.keyed(whenText(start.moment))
	end, v := o.timing("endTime", "endUtcOffset", "civilEndTime")
	if v != jsonscan.OK {
		return reasonTime
	}
	if end.moment.SortMilli() < start.moment.SortMilli() {
		return reasonEndFirst
	}
	filed := start
	if record == recordSleep {
		filed = end
	}
	d.span = health.Span{
		Start: start.moment, End: end.moment, Day: d.m.dayOf(filed), Zone: zoneOf(start, end), Flags: start.flags | end.flags,
	}
	return ""
}

// updated takes the time of the last change of a point that tells it. The
// time of its creation stays when it changes: it orders nothing.
func (d *datum) updated(inner object) {
	milli, _, v := inner.instant("updateTime")
	if v == jsonscan.OK && milli > 0 && (d.m.now.IsZero() || milli <= d.m.now.Add(day).UnixMilli()) {
		d.order = milli
	}
}
