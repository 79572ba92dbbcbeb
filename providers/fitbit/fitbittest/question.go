package fitbittest

import (
	"slices"
	"strconv"
	"time"
)

// question is what is asked for by date.
type question struct {
	first, last int // civil days
	ranged      bool
	period      string // 1d, 7d, ...; empty for a date or two
	detail      string // 1sec, 1min, 5min, 15min, or "all"
	from, to    int    // seconds of the day, if timed
	timed       bool
}

func (q question) days() int { return q.last - q.first + 1 }

func (q question) within(most int) *refusal {
	if q.days() > most {
		return invalid("end-date", "The maximum range is "+strconv.Itoa(most)+" days.")
	}
	return nil
}

// date reads a date, with or without leading zeros, or "today".
func (c *call) date(text string) (int, bool) {
	if text == "today" {
		return dayNumber(c.now.In(c.person.zone)), true
	}
	t, err := time.Parse("2006-1-2", text)
	return dayNumber(t), err == nil
}

// question reads what follows /date/.
func (c *call) question(rest []string) (q question, refused *refusal) {
	bad := func() (question, *refusal) { return q, invalid("date", "Invalid date or period.") }
	if at := slices.Index(rest, "time"); at >= 0 {
		if at+3 != len(rest) {
			return bad()
		}
		from, err1 := time.Parse("15:04", rest[at+1])
		to, err2 := time.Parse("15:04", rest[at+2])
		if err1 != nil || err2 != nil {
			return q, invalid("time", "Invalid time range.")
		}
		q.timed, q.from, q.to = true, from.Hour()*3600+from.Minute()*60, to.Hour()*3600+to.Minute()*60
		rest = rest[:at]
	}
	if len(rest) > 1 && rest[len(rest)-1] == "all" {
		q.detail, rest = "all", rest[:len(rest)-1]
	}
	var ok bool
	if q.first, ok = c.date(rest[0]); !ok {
		return bad()
	}
	q.last = q.first
	if len(rest) == 1 {
		return q, nil
	}
	q.ranged = true
	if n, ok := period(rest[1]); ok {
		q.first, q.period = q.last-n+1, rest[1]
	} else if q.last, ok = c.date(rest[1]); !ok {
		return bad()
	}
	if q.last < q.first {
		return q, invalid("end-date", "The end date must not be before the start date.")
	}
	switch {
	case len(rest) == 2:
	case len(rest) == 3 && slices.Contains([]string{"1sec", "1min", "5min", "15min"}, rest[2]):
		q.detail = rest[2]
		if q.last-q.first > 1 {
			return q, invalid("end-date", "The maximum range of intraday data is 24 hours.")
		}
	default:
		return bad()
	}
	return q, nil
}

// period returns the days of a period of the service.
func period(text string) (int, bool) {
	switch text {
	case "1d":
		return 1, true
	case "7d", "1w":
		return 7, true
	case "30d", "1m":
		return 30, true
	case "3m":
		return 90, true
	case "6m":
		return 180, true
	case "1y":
		return 365, true
	}
	return 0, false
}

// each calls yield with the days of a question that there are.
func (c *call) each(q question, yield func(*Day)) {
	for n := max(q.first, c.person.first); n <= q.last && n < c.person.next; n++ {
		yield(c.person.days[n])
	}
}

// every calls yield with all days of a question, also those without data.
func (c *call) every(q question, yield func(string, *Day)) {
	none := &Day{}
	for n := q.first; n <= q.last; n++ {
		d := c.person.days[n]
		if d == nil || n >= c.person.next {
			d = none
		}
		yield(dayText(n), d)
	}
}
