package fitbit

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// recordingName is what the body of a recording is called, followed by the id of
// its workout.
const recordingName = "tcx/"

// routes maps the recordings of workouts, in the Training Center format, with
// the activity log list that they were found in, as observations.
func (m *mapper) routes() error {
	if len(m.raw.Bodies) == 0 {
		return malformed(codeNoRows)
	}
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	m.recordings = map[int64]*recording{}
	for i := range m.raw.Bodies[1:] {
		b := &m.raw.Bodies[i+1]
		text, ok := strings.CutPrefix(b.Name, recordingName)
		id, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil || id <= 0 {
			return malformed(codeBodyName)
		}
		rec, err := readRecording(b.Body)
		if err != nil {
			// The workout stands without it, in its own stream.
			m.quarantined.Add(m.key(text), reasonRoute, clip(b.Body))
			continue
		}
		m.recordings[id] = rec
	}
	return m.list(0, "activities", func(s *jsonscan.Scanner) (key, reason string) {
		w, reason := m.workout(s)
		if reason != "" {
			// It may be one whose route is stored: the walk must not count as whole.
			return w.key, reason
		}
		m.reach(w.start, asked)
		if !asked.holds(w.day) {
			m.row = row{}
			return w.key, ""
		}
		if w.recorded {
			m.recorded = append(m.recorded, w.id)
		}
		rec := m.recordings[w.id]
		r := &m.row
		sport, code := "", ""
		for _, t := range r.texts {
			switch t.Name {
			case health.TextSport:
				sport = t.Value
			case health.TextSportCode:
				code = t.Value
			}
		}
		*r = row{} // the workout's values are of the stream of workouts
		if rec == nil {
			return w.key, ""
		}
		r.text(health.TextSport, sport)
		r.text(health.TextSportCode, code)
		r.text("fitbit_recording_sport", rec.sport)
		r.text(health.TextObservationType, "route")
		rec.add(m)
		// The workout itself is in the stream of workouts: a second activity
		// would count twice. A recording may change when its workout does not.
		out := m.emit(health.KindObservation, w.key)
		w.complete(out)
		out.Rev.Order = 0
		out.Span = m.pointSpan(w.start, w.end, w.flags)
		out.Span.Day = w.day
		return w.key, ""
	}, m.paging)
}

// recording is one workout in the Training Center format.
type recording struct {
	sport  string
	laps   []lap
	points []trackPoint
}

type lap struct {
	start             health.Moment
	seconds, distance health.Decimal
	calories          health.Decimal
	gotSeconds        bool
	gotDistance       bool
	gotCalories       bool
	trigger           string
	intensity         string
}

type trackPoint struct {
	at     health.Moment
	values [pointValues]health.Decimal
	got    [pointValues]bool
}

// The values of a point.
const (
	pointLatitude = iota
	pointLongitude
	pointAltitude
	pointDistance
	pointHeartRate
	pointValues
)

var errRecording = errors.New("not a recording")

// mostPoints bounds the points of one recording.
const mostPoints = 1_000_000

// readRecording reads a recording. Points and laps without a time are left out.
func readRecording(body []byte) (*recording, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict = true
	d.CharsetReader = nil // UTF-8 only
	rec := &recording{}
	var (
		path  []string
		point *trackPoint
		text  []byte
		root  bool
	)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errRecording
		}
		switch t := token.(type) {
		case xml.StartElement:
			const deepest = 32
			if len(path) == deepest {
				return nil, errRecording
			}
			path = append(path, t.Name.Local)
			text = text[:0]
			root = root || len(path) == 1 && t.Name.Local == "TrainingCenterDatabase"
			switch t.Name.Local {
			case "Activity":
				rec.sport = attribute(t, "Sport")
			case "Lap":
				l := lap{}
				if at, _, err := health.ParseMoment(attribute(t, "StartTime")); err == nil {
					l.start = at
				}
				rec.laps = append(rec.laps, l)
			case "Trackpoint":
				if len(rec.points) == mostPoints {
					return nil, errRecording
				}
				rec.points = append(rec.points, trackPoint{})
				point = &rec.points[len(rec.points)-1]
			}
		case xml.CharData:
			if len(text)+len(t) <= 256 {
				text = append(text, t...)
			}
		case xml.EndElement:
			name := path[len(path)-1]
			path = path[:len(path)-1]
			parent := ""
			if len(path) > 0 {
				parent = path[len(path)-1]
			}
			if point != nil {
				point.read(parent, name, text)
				if name == "Trackpoint" {
					point = nil
				}
			} else if parent == "Lap" && len(rec.laps) > 0 {
				rec.laps[len(rec.laps)-1].read(name, text)
			}
			text = text[:0]
		case xml.Directive:
			return nil, errRecording // no document types, no entities
		}
	}
	if !root {
		return nil, errRecording
	}
	return rec, nil
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (p *trackPoint) read(parent, name string, text []byte) {
	at := -1
	switch {
	case name == "Time" && parent == "Trackpoint":
		if m, _, err := health.ParseMoment(string(bytes.TrimSpace(text))); err == nil {
			p.at = m
		}
	case name == "LatitudeDegrees":
		at = pointLatitude
	case name == "LongitudeDegrees":
		at = pointLongitude
	case name == "AltitudeMeters":
		at = pointAltitude
	case name == "DistanceMeters":
		at = pointDistance
	case name == "Value" && parent == "HeartRateBpm":
		at = pointHeartRate
	}
	if at >= 0 {
		if d, err := health.ParseDecimal(bytes.TrimSpace(text)); err == nil {
			p.values[at], p.got[at] = d, true
		}
	}
}

func (l *lap) read(name string, text []byte) {
	text = bytes.TrimSpace(text)
	d, err := health.ParseDecimal(text)
	switch name {
	case "TotalTimeSeconds":
		l.seconds, l.gotSeconds = d, err == nil
	case "DistanceMeters":
		l.distance, l.gotDistance = d, err == nil
	case "Calories":
		l.calories, l.gotCalories = d, err == nil
	case "TriggerMethod":
		l.trigger = string(text)
	case "Intensity":
		l.intensity = string(text)
	}
}

// add adds series and laps to the row. Times without an offset float as long as
// the zone is not known; a recording must not mix both kinds.
func (rec *recording) add(m *mapper) {
	r := &m.row
	metrics := [pointValues]health.Metric{
		health.MetricLatitude, health.MetricLongitude, health.MetricAltitude, health.MetricDistance, health.MetricHeartRate,
	}
	var columns [pointValues]*column
	for i, metric := range metrics {
		columns[i] = &column{series: health.Series{Metric: metric}}
	}
	columns[pointHeartRate].none = positive
	// A recording counts the distance from its start; the metric is additive, so a
	// point has what was run since the one before.
	run := health.Decimal{}
	first, last := int64(0), int64(0)
	floating, some, odd := false, false, 0
	for i := range rec.points {
		p := &rec.points[i]
		at := p.at
		if at.IsFloating() && m.profile != nil {
			at, _ = health.Resolve(at, m.profile)
		}
		switch {
		case at.IsZero(), some && at.IsFloating() != floating, some && at.SortMilli() <= last:
			odd++
			continue
		case !some:
			first, floating, some = at.SortMilli(), at.IsFloating(), true
		}
		last = at.SortMilli()
		for j, c := range columns {
			if !p.got[j] || c.none == positive && p.values[j].Coefficient <= 0 {
				continue
			}
			v := p.values[j]
			if j == pointDistance {
				total := v.Round(finest)
				step, ok := minus(total, run)
				run = total
				if !ok || step.Coefficient < 0 {
					c.faults[faultValue]++
					continue
				}
				v = step
			}
			c.point(last, v)
		}
	}
	if odd > 0 {
		r.fault("trackpoints", reasonBackwards, nil)
	}
	for _, c := range columns {
		c.series.From, c.series.To, c.series.Floating = first, last+1, floating
	}
	r.finishSeries(columns[:]...)
	for _, l := range rec.laps {
		rec.lapSegment(m, l)
	}
}

// minus returns a - b; false if that does not fit.
func minus(a, b health.Decimal) (health.Decimal, bool) {
	e := min(a.Exponent, b.Exponent)
	x, okX := a.Rescale(e)
	y, okY := b.Rescale(e)
	difference := x - y
	if overflow := (x < y) != (difference < 0); overflow || !okX || !okY {
		return health.Decimal{}, false
	}
	return health.Decimal{Coefficient: difference, Exponent: e}, true
}

func (rec *recording) lapSegment(m *mapper, l lap) {
	r := &m.row
	if l.start.IsZero() {
		r.fault("lap", reasonTime, nil)
		return
	}
	seg := health.Segment{Track: health.TrackLap, Label: textName(l.trigger), Code: l.trigger, Start: l.start}
	if seg.Start.IsFloating() && m.profile != nil {
		seg.Start, _ = health.Resolve(seg.Start, m.profile)
	}
	if l.gotSeconds {
		milli := l.seconds
		milli.Exponent = min(milli.Exponent, 120) + 3
		f := milli.Float() // a length, cut to the millisecond
		if f < 0 || f > 31*dayMilli {
			r.fault("lap", reasonDuration, nil)
			return
		}
		seg.End = after(seg.Start, int64(f))
		seg.Values = append(seg.Values, health.Value{Metric: health.MetricExerciseDuration, Number: l.seconds})
	}
	if l.gotDistance {
		seg.Values = append(seg.Values, health.Value{Metric: health.MetricDistance, Number: l.distance})
	}
	if l.gotCalories {
		seg.Values = append(seg.Values, health.Value{Metric: health.MetricEnergyTotal, Number: l.calories})
	}
	r.segments = append(r.segments, seg)
}
