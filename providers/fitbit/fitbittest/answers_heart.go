package fitbittest

import (
	"encoding/json"
	"strconv"
	"time"
)

// heart is the heart rate by days, or within a day.
func (c *call) heart(q question) (any, *refusal) {
	if refused := q.within(366); refused != nil {
		return nil, refused
	}
	list := []any{}
	c.each(q, func(d *Day) {
		if q.timed {
			// Of a part of a day the value is a text, and the zones are beside it.
			list = append(list, object{
				"dateTime": d.Date, "value": "64.2", "customHeartRateZones": []any{}, "heartRateZones": zoneList(d.Zones),
			})
			return
		}
		value := object{"customHeartRateZones": []any{}, "heartRateZones": zoneList(d.Zones)}
		if d.Worn {
			value["restingHeartRate"] = d.RestingHeartRate
		}
		list = append(list, object{"dateTime": d.Date, "value": value})
	})
	answer := object{"activities-heart": list}
	if q.detail == "" {
		return answer, nil
	}
	kind, step := "minute", 1
	switch q.detail {
	case "1sec":
		kind = "second"
	case "5min":
		step = 5
	case "15min":
		step = 15
	}
	var b []byte
	b = append(b, `{"dataset":[`...)
	first := true
	for _, p := range c.person.beats(q.first, q.detail) {
		if q.timed && (p.Second < q.from || p.Second > q.to) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, `{"time":"`...)
		b = append(b, clock(p.Second)...)
		b = append(b, `","value":`...)
		b = strconv.AppendInt(b, int64(p.BPM), 10)
		b = append(b, '}')
	}
	b = append(b, `],"datasetInterval":`...)
	b = strconv.AppendInt(b, int64(step), 10)
	b = append(b, `,"datasetType":"`...)
	b = append(append(b, kind...), `"}`...)
	answer["activities-heart-intraday"] = json.RawMessage(b)
	return answer, nil
}

// Reading is one heart rate within a day.
type Reading struct {
	Second int // of the clock of the day, which may show an hour twice or leave one out
	BPM    int
	At     time.Time
}

// HeartRate returns the heart rate within a day, in the detail 1sec, 1min, 5min or 15min.
func (s *Server) HeartRate(id, date, detail string) []Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		panic("fitbittest: " + err.Error())
	}
	return s.mustPerson(id).beats(dayNumber(t), detail)
}

func (p *person) beats(n int, detail string) []Reading {
	d := p.days[n]
	if d == nil || !d.Worn || !p.intraday(n) {
		return nil
	}
	r := p.rng(n, 30)
	day := midnight(n)
	start := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, p.zone)
	end := time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, p.zone)
	step := map[string]time.Duration{"1min": time.Minute, "5min": 5 * time.Minute, "15min": 15 * time.Minute}[detail]
	var list []Reading
	bpm := d.RestingHeartRate + 8
	for at := start; at.Before(end); {
		bpm = max(45, min(180, bpm+r.IntN(7)-3))
		list = append(list, Reading{Second: at.Hour()*3600 + at.Minute()*60 + at.Second(), BPM: bpm, At: at})
		if step > 0 {
			at = at.Add(step)
		} else {
			at = at.Add(time.Duration(1+r.IntN(15)) * time.Second)
		}
	}
	return list
}
