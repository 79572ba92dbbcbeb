package fitbit

import (
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// sleeps maps sleep logs: by days, or the list of them.
func (m *mapper) sleeps() error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	pending := time.Duration(0)
	found := false
	err = m.object(0, func(s *jsonscan.Scanner) error {
		switch string(s.Name()) {
		case "sleep":
			if found {
				return malformed(codeDuplicate)
			}
			found = true
			return m.rows(s, func(s *jsonscan.Scanner) (key, reason string) { return m.sleep(s, asked) })
		case "meta":
			pending = pendingFor(s)
			return nil
		default:
			return m.paging(s)
		}
	})
	switch {
	case err != nil:
		return err
	case found:
		return nil
	case pending > 0:
		e := &providers.Error{Kind: providers.ErrUnavailable, Code: codePending}
		if !m.raw.Date.IsZero() {
			e.RetryAt = m.raw.Date.Add(pending)
		}
		return e
	default:
		return malformed(codeNoRows)
	}
}

// pendingFor reads whether a night is still being worked on, and for how long.
func pendingFor(s *jsonscan.Scanner) time.Duration {
	if !s.Object() {
		return 0
	}
	wait, pending := int64(0), false
	for s.NextMember() {
		switch string(s.Name()) {
		case "state":
			b, _ := s.ReadIdentifier()
			pending = string(b) == "pending"
		case "retryDuration":
			wait, _ = integer(s)
		default:
			s.Skip()
		}
	}
	switch {
	case !pending:
		return 0
	case wait <= 0:
		return pendingWait
	default:
		return min(time.Duration(min(wait, 1<<31))*time.Millisecond, longestWait)
	}
}

// sleepFields is never changed.
var sleepFields = fields{
	"minutesAsleep":       {is: is(fitbitmap.TimeAsleep, ""), unit: minutes, none: notMinus},
	"minutesAwake":        {is: is(fitbitmap.TimeAwake, ""), unit: minutes, none: notMinus},
	"minutesToFallAsleep": {is: is(fitbitmap.TimeToSleep, ""), unit: minutes, none: notMinus},
	"minutesAfterWakeup":  {is: is(fitbitmap.TimeAfterWakeup, ""), unit: minutes, none: notMinus},
	"timeInBed":           {is: is(fitbitmap.TimeInBed, ""), unit: minutes, none: notMinus},
	"efficiency":          {is: health.Value{Metric: health.MetricSleepEfficiency}, none: notMinus},
	"awakeningsCount":     {is: health.Value{Metric: health.MetricSleepAwakenings}, none: notMinus},
	// Of version 1, which tells no stages.
	"restlessDuration": {is: health.Value{Metric: health.MetricSleepRestless}, unit: minutes, none: notMinus},
	"awakeDuration":    {is: health.Value{Metric: health.MetricSleepAwake}, unit: minutes, none: notMinus},
	"restlessCount":    {is: health.Value{Metric: health.MetricSleepStageEpisodes, Part: health.PartRestless}, none: notMinus},
	"awakeCount":       {is: health.Value{Metric: health.MetricSleepStageEpisodes, Part: health.PartAwake}, none: notMinus},
}

// level is one level of a night, by the wall clock.
type level struct {
	code     string
	from, to int64
}

func (m *mapper) sleep(s *jsonscan.Scanner, asked period) (key, reason string) {
	var (
		r              = &m.row
		id             int64
		okID           bool
		start, end     health.Moment
		flags          health.Flags
		okStart, okEnd bool
		duration       = int64(-1)
		gotDuration    = jsonscan.Absent
		date           health.Day
		manual         bool
		detected       bool
		stages, short  []level
		minuteStages   []minuteStage
	)
	for s.NextMember() {
		member := string(s.Name())
		switch member {
		case "logId":
			id, okID = r.id(s)
		case "startTime":
			_, start, flags, okStart = r.moment(s)
		case "endTime":
			_, end, _, okEnd = r.moment(s)
		case "duration":
			duration, gotDuration = integer(s)
		case "dateOfSleep":
			date = r.day(s)
		case "levels":
			r.each(s, member, func(s *jsonscan.Scanner) {
				switch string(s.Name()) {
				case "data":
					stages = r.levels(s, "data")
				case "shortData":
					short = r.levels(s, "shortData")
				case "summary":
					r.stageSummary(s)
				default:
					s.Skip()
				}
			})
		case "minuteData":
			minuteStages = r.minuteStages(s)
		case "isMainSleep":
			if b, v := s.ReadBool(); v == jsonscan.OK {
				r.text(health.TextSleepType, map[bool]string{true: "main", false: "nap"}[b])
			}
		case "type":
			r.word(s, "fitbit_sleep_type")
		case "infoCode":
			r.word(s, "fitbit_info_code")
		case "logType":
			kind := r.word(s, "fitbit_log_type")
			manual, detected = kind == "manual", kind == "auto_detected"
		default:
			if f, ok := sleepFields[member]; ok {
				r.number(s, member, f)
			} else {
				s.Skip()
			}
		}
	}
	if !okID {
		return "", reasonNoID
	}
	key = m.key(strconv.FormatInt(id, 10))
	from, local := start.WallMilli()
	switch {
	case !okStart || !local:
		return key, reasonTime
	case date.IsZero():
		return key, reasonDay
	case gotDuration == jsonscan.Bad, gotDuration == jsonscan.OK && (duration < 0 || duration > 31*dayMilli):
		return key, reasonDuration
	}
	to, told := end.WallMilli()
	switch {
	case okEnd && told && to < from:
		return key, reasonDuration
	case !okEnd || !told:
		if duration < 0 {
			return key, reasonTime
		}
		to = from + duration
	}
	m.reach(start, asked)
	if !asked.holds(date) {
		return key, ""
	}
	at, startFlags := m.elapsed(from)
	if gotDuration == jsonscan.OK && to-from != duration {
		// The clock of a night keeps running, so that the two must agree.
		startFlags |= health.FlagImplausible
	}
	if minuteStages != nil && stages == nil {
		stages = minuteLevels(minuteStages, from)
	}
	data := segments(health.TrackStage, r.inOrder(stages, "data"), at)
	awakenings := segments(health.TrackShortAwake, r.inOrder(short, "shortData"), at)
	r.segments = append(fitbitmap.Overlay(data, awakenings), awakenings...)
	rec := m.emit(health.KindSleep, key)
	rec.Span = health.Span{Start: at(from), End: at(to), Day: date, Flags: flags | startFlags, Zone: health.ZoneFloating}
	if m.profile != nil {
		rec.Span.Zone, rec.Span.Location = health.ZoneFromProfile, m.profile.String()
	}
	switch {
	case manual:
		rec.Method = health.MethodSelfReported
	case detected:
		rec.Method = health.MethodSensed
	}
	return key, ""
}

// levels reads an array of levels. One that cannot be read is set aside.
func (r *row) levels(s *jsonscan.Scanner, member string) []level {
	var list []level
	r.elements(s, member, func(s *jsonscan.Scanner) {
		at := s.Mark()
		var (
			l       level
			start   health.Moment
			ok      bool
			seconds = int64(-1)
			seen    members
		)
		if s.Kind() != jsonscan.Object {
			if s.Skip(); s.Err() == nil {
				r.fault(member, reasonNotObject, s.Since(at))
			}
			return
		}
		s.Object()
		for s.NextMember() {
			switch string(s.Name()) {
			case "dateTime":
				seen.meet(0)
				_, start, _, ok = r.moment(s)
			case "level":
				seen.meet(1)
				b, _ := s.ReadIdentifier()
				l.code = string(b)
			case "seconds":
				seen.meet(2)
				if n, v := integer(s); v == jsonscan.OK {
					seconds = n
				}
			default:
				s.Skip()
			}
		}
		wall, local := start.WallMilli()
		switch {
		case s.Err() != nil:
		case seen.twice:
			r.fault(member, reasonTwice, s.Since(at))
		case !ok || !local:
			r.fault(member, reasonTime, s.Since(at))
		case seconds < 0 || seconds > daySeconds:
			r.fault(member, reasonDuration, s.Since(at))
		case l.code == "":
			r.fault(member, reasonType, s.Since(at))
		case seconds > 0:
			l.from, l.to = wall, wall+seconds*1000
			list = append(list, l)
		}
	})
	return list
}

// inOrder returns the levels that do not begin before the end of the one before;
// the others are set aside.
func (r *row) inOrder(list []level, member string) []level {
	kept := list[:0]
	for _, l := range list {
		if n := len(kept); n > 0 && l.from < kept[n-1].to {
			r.fault(member, reasonOverlap, nil)
			continue
		}
		kept = append(kept, l)
	}
	return kept
}

// segments returns levels as segments of a track.
func segments(track string, list []level, at func(int64) health.Moment) []health.Segment {
	if len(list) == 0 {
		return nil
	}
	out := make([]health.Segment, 0, len(list))
	for _, l := range list {
		out = append(out, health.Segment{Track: track, Label: fitbitmap.Stage(l.code), Code: l.code, Start: at(l.from), End: at(l.to)})
	}
	return out
}

// stageSummary reads the times and numbers of episodes of the stages.
func (r *row) stageSummary(s *jsonscan.Scanner) {
	r.each(s, "summary", func(s *jsonscan.Scanner) {
		word := string(s.Name())
		stage := fitbitmap.Stage(word)
		if stage == "" {
			if s.Kind() == jsonscan.Object {
				r.unknownStage(s, word)
			} else {
				s.Skip()
			}
			return
		}
		part := fitbitmap.StagePart(stage)
		count := health.Value{Metric: health.MetricSleepStageEpisodes, Part: part}
		if stage == health.StageAwake {
			count = health.Value{Metric: health.MetricSleepAwakenings}
		}
		r.object(s, word, fields{
			"minutes":             {is: health.Value{Metric: fitbitmap.StageMetric(stage)}, unit: minutes, none: notMinus},
			"count":               {is: count, none: notMinus},
			"thirtyDayAvgMinutes": {is: health.Value{Metric: health.MetricSleepStageMean30d, Part: part}, unit: minutes, none: notMinus},
		})
	})
}

// unknownStage keeps the minutes of a stage that is not known.
func (r *row) unknownStage(s *jsonscan.Scanner, word string) {
	r.each(s, word, func(s *jsonscan.Scanner) {
		if string(s.Name()) != "minutes" {
			s.Skip()
			return
		}
		if d, v := number(s); v == jsonscan.OK {
			r.text("fitbit_minutes_"+textName(word), d.String())
		}
	})
}

// minuteStage is one minute of a night as version 1 of the service tells it.
type minuteStage struct {
	clock int64 // milliseconds since midnight
	code  string
}

// minuteStages reads the minutes of a night of version 1. The result is not nil
// if there are some.
func (r *row) minuteStages(s *jsonscan.Scanner) []minuteStage {
	var list []minuteStage
	r.elements(s, "minuteData", func(s *jsonscan.Scanner) {
		at := s.Mark()
		p := minuteStage{clock: -1}
		r.each(s, "minuteData", func(s *jsonscan.Scanner) {
			switch string(s.Name()) {
			case "dateTime":
				if b, v := s.ReadIdentifier(); v == jsonscan.OK {
					p.clock = clockTime(b)
				}
			case "value":
				p.code, _ = word(s)
			default:
				s.Skip()
			}
		})
		switch {
		case s.Err() != nil:
		case p.clock < 0 || p.code == "":
			r.fault("minuteData", reasonTime, s.Since(at))
		default:
			list = append(list, p)
		}
	})
	return list
}

// minuteLevels returns minutes as levels. The clock passes midnight where it
// goes back.
func minuteLevels(list []minuteStage, start int64) []level {
	midnight := start - start%dayMilli
	last := start % dayMilli
	var out []level
	for _, p := range list {
		if p.clock < last-12*60*minuteMilli {
			midnight += dayMilli
		}
		last = p.clock
		// 1 asleep, 2 restless, 3 awake: "Get Sleep Logs", version 1.
		code := p.code
		switch code {
		case "1":
			code = "asleep"
		case "2":
			code = "restless"
		case "3":
			code = "awake"
		}
		from := midnight + p.clock
		if n := len(out); n > 0 && out[n-1].code == code && out[n-1].to == from {
			out[n-1].to = from + minuteMilli
			continue
		}
		out = append(out, level{code, from, from + minuteMilli})
	}
	return out
}
