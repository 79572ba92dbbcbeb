package fitbit

import (
	"strconv"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// weights maps the weight log. Body fat is of the fat log, which has an entry of
// its own for each weighing; mapped whole, it is here as well.
func (m *mapper) weights() error {
	table := fields{
		"weight": {is: is(fitbitmap.Weight, "")},
		"bmi":    {is: is(fitbitmap.BMI, ""), none: positive},
	}
	if m.whole {
		table["fat"] = field{is: is(fitbitmap.BodyFat, ""), none: positive}
	}
	return m.bodyLog("weight", table)
}

// fats maps the fat log.
func (m *mapper) fats() error {
	return m.bodyLog("fat", fields{"fat": {is: is(fitbitmap.BodyFat, "")}})
}

// bodyLog maps a log of measurements. The id of an entry looks like the time of
// the wall clock in milliseconds: no time is read from it.
func (m *mapper) bodyLog(name string, table fields) error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	return m.list(0, name, func(s *jsonscan.Scanner) (key, reason string) {
		r := &m.row
		var (
			id, clock int64
			okID      bool
			date      health.Day
			source    string
		)
		clock = -1
		for s.NextMember() {
			member := string(s.Name())
			switch member {
			case "logId":
				id, okID = r.id(s)
			case "date":
				date = r.day(s)
			case "time":
				if b, v := s.ReadIdentifier(); v == jsonscan.OK {
					clock = clockTime(b)
				}
			case "source":
				source, _ = word(s)
			default:
				f, ok := table[member]
				switch {
				case !ok:
					s.Skip()
				case member == name: // the log of weights has a weight in each entry
					r.required(s, member, f)
				default:
					r.number(s, member, f)
				}
			}
		}
		if !okID {
			return "", reasonNoID
		}
		key = m.key(strconv.FormatInt(id, 10))
		switch {
		case date.IsZero():
			return key, reasonDay
		case clock < 0:
			return key, reasonTime
		case !asked.holds(date):
			return key, reasonOutside
		case r.empty():
			return key, ""
		}
		rec := m.emit(health.KindBody, key)
		rec.Span = m.pointSpan(health.Floating(int64(date.Number())*dayMilli+clock), health.Moment{}, 0)
		rec.Span.Day = date
		rec.Method, rec.Source.App, rec.Source.Device = bodySource(source)
		return key, ""
	}, nil)
}

// bodySource reads where a measurement came from: scales of the service's own,
// the person by hand or another application, or another service.
func bodySource(source string) (method health.Method, app, device string) {
	switch source {
	case "Aria", "Aria2", "AriaAir":
		return health.MethodSensed, "", source
	case "API", "":
		return health.MethodUnknown, source, ""
	default:
		return health.MethodUnknown, source, ""
	}
}
