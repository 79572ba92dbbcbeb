package withings

import (
	"strconv"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// sleepSummaries maps getsummary.
func (m *mapper) sleepSummaries() error { return m.list("series", m.summary) }

// The members of a night besides its data.
const (
	summaryID = iota
	summaryTimezone
	summaryModel
	summaryModelID
	summaryModelID2
	summaryHash
	summaryDevice
	summaryStart
	summaryEnd
	summaryDate
	summaryCreated
	summaryModified
	summaryCompleted
	summaryData
)

var summaryNames = []string{
	"id", "timezone", "model", "modelid", "model_id", "hash_deviceid", "deviceid", "startdate", "enddate", "date", "created", "modified",
	"completed", "data",
}

func (m *mapper) summary(s *jsonscan.Scanner) (key, reason string) {
	var (
		r                 = &m.row
		id, start, end    int64
		created, modified int64
		completed         bool
		date              health.Day
		zone              string
		dev               device
		events            []nightEvent
	)
	for s.NextMember() {
		switch string(s.Name()) {
		case "id":
			id = r.integer(s, summaryID)
		case "timezone":
			zone = r.identifier(s, summaryTimezone, &m.in)
		case "model":
			dev.model = r.word(s, summaryModel, &m.in)
		case "model_id", "modelid":
			dev.modelID = r.modelID(s, summaryModelID, dev.modelID)
		case "hash_deviceid":
			dev.hash = r.identifier(s, summaryHash, &m.in)
		case "deviceid":
			dev.id = r.identifier(s, summaryDevice, &m.in)
		case "startdate":
			start = r.integer(s, summaryStart)
		case "enddate":
			end = r.integer(s, summaryEnd)
		case "date":
			date = r.day(s, summaryDate)
		case "created":
			created = r.integer(s, summaryCreated)
		case "modified":
			modified = r.integer(s, summaryModified)
		case "completed":
			completed = r.truth(s, summaryCompleted)
		case "data":
			r.meet(summaryData)
			if objectOr(s, r, "data") {
				for s.NextMember() {
					if string(s.Name()) == "night_events" {
						events = m.nightEvents(s, events)
					} else {
						summaryTable.read(s, r)
					}
				}
			}
		default:
			s.Skip()
		}
	}
	if r.bad&(1<<summaryID) != 0 || id <= 0 {
		return "", reasonNoID
	}
	key = m.idKey(id)
	switch {
	case r.bad&(1<<summaryDevice|1<<summaryHash) != 0:
		return key, reasonDevice
	case r.bad&(1<<summaryStart|1<<summaryEnd) != 0 || end == 0:
		return key, reasonTime
	}
	span, reason := m.span(start, end, zone)
	if reason != "" {
		return key, reason
	}
	span.Day = date
	m.learnZone(date, zone)
	r.optional(summaryNames)
	if r.has(summaryCompleted) {
		r.text("withings_completed", strconv.FormatBool(completed))
	}
	rec := m.emit(health.KindSleep, key, m.order(modified, created, end), r.describe(dev))
	rec.Span, rec.Method = span, health.MethodSensed
	rec.Segments = m.eventSegments(events, span, zone)
	return key, ""
}

// nightEvent is something that happened at a second of the night.
type nightEvent struct {
	code    string
	seconds int64
}

// eventLabels holds the kinds of night events.
var eventLabels = map[string]string{
	"1": health.EventInBed, "2": health.EventAsleep, "3": health.EventAwake, "4": health.EventOutOfBed,
	"5": health.EventStart, "6": health.EventStop, // of sleep that was typed in
}

// nightEvents reads a map from kinds of events to the seconds since the start
// at which they happened.
func (m *mapper) nightEvents(s *jsonscan.Scanner, events []nightEvent) []nightEvent {
	const name = "night_events"
	r := &m.row
	bit := summaryTable[name].bit
	r.twice = r.twice || r.fields&(1<<bit) != 0
	r.fields |= 1 << bit
	if !objectOr(s, r, name) {
		return events
	}
	for s.NextMember() {
		code := m.in.text(s.Name())
		at := s.Mark()
		if !s.Array() {
			if s.Err() == nil {
				r.fault(name, reasonType, s.Since(at))
			}
			continue
		}
		for s.NextElement() {
			at := s.Mark()
			seconds, v := s.ReadInt()
			switch {
			case s.Err() != nil:
				return events
			case v == jsonscan.OK && seconds > -daySeconds && seconds < 7*daySeconds:
				events = append(events, nightEvent{code, seconds})
			default:
				r.fault(name, reasonTime, s.Since(at))
			}
		}
	}
	return events
}

const daySeconds = 24 * 60 * 60

// eventSegments returns the events of a night as moments.
func (m *mapper) eventSegments(events []nightEvent, night health.Span, zone string) []health.Segment {
	if len(events) == 0 {
		return nil
	}
	list := make([]health.Segment, 0, len(events))
	start := night.Start.SortMilli()
	loc := m.zone(zone)
	for _, e := range events {
		at := health.Instant(start + e.seconds*1000)
		if loc != nil {
			at, _ = health.Resolve(at, loc)
		}
		list = append(list, health.Segment{Track: health.TrackEvent, Label: eventLabels[e.code], Code: e.code, Start: at})
	}
	return list
}
