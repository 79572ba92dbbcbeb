package health

import (
	"errors"
	"time"
)

// ErrTime is returned for text or numbers that are not a time, or not a
// plausible one.
var ErrTime = errors.New("health: not a time")

// UnixSeconds returns the instant n seconds after the Unix epoch. It must lie
// between 1990 and two days after now; a number that does so when it is taken
// for milliseconds is, and flagged [FlagScaled]. Everything else is [ErrTime].
func UnixSeconds(n int64, now time.Time) (Moment, Flags, error) {
	const first = earliestMilli
	last := now.UnixMilli() + leewayDays*milliPerDay
	switch {
	case n >= first/1000 && n <= last/1000:
		return Instant(n * 1000), 0, nil
	case n >= first && n <= last:
		return Instant(n), FlagScaled, nil
	}
	return Moment{}, 0, ErrTime
}

// ParseMoment reads a time as wearable services print it: ISO 8601 with "T" or
// a space, with or without seconds, a fraction of any length (cut to
// milliseconds), and an offset in one of the forms "Z", "+02:00", "+0200",
// "+02", "+02:00:00", perhaps after a space. The offset decides the form of the
// result: "Z", and "-00:00" as RFC 3339 has it, tell the instant alone
// ([Instant]), another offset both instant and local time ([Zoned]), no offset
// the local time alone ([Floating]).
//
// Second 60 is read as second 59 and flagged [FlagNonexistent]. [ErrTime] is
// returned for all other text, including days the calendar does not have, years
// outside 1..9999, and offsets beyond 18 hours.
func ParseMoment(text string) (Moment, Flags, error) {
	m, flags, ok := parseMoment(text)
	if !ok {
		return Moment{}, 0, ErrTime
	}
	return m, flags, nil
}

func parseMoment(text string) (m Moment, flags Flags, ok bool) {
	if len(text) < len("2006-01-02T15:04") {
		return m, 0, false
	}
	day, err := ParseDay(text[:10])
	if err != nil || text[10] != 'T' && text[10] != 't' && text[10] != ' ' {
		return m, 0, false
	}
	hour, ok1 := twoDigits(text[11:], 23)
	minute, ok2 := twoDigits(text[14:], 59)
	if !ok1 || !ok2 || text[13] != ':' {
		return m, 0, false
	}
	rest := text[16:]
	second, milli := 0, 0
	if len(rest) >= 3 && rest[0] == ':' {
		if second, ok = twoDigits(rest[1:], 60); !ok {
			return m, 0, false
		}
		if second == 60 {
			second = 59
			flags |= FlagNonexistent
		}
		rest = rest[3:]
		if len(rest) > 0 && (rest[0] == '.' || rest[0] == ',') {
			digits := 0
			for rest = rest[1:]; len(rest) > 0 && isDigit(rest[0]); rest = rest[1:] {
				if digits++; digits <= 3 {
					milli = milli*10 + int(rest[0]-'0')
				}
			}
			if digits == 0 {
				return m, 0, false
			}
			for ; digits < 3; digits++ {
				milli *= 10
			}
		}
	}
	wall := int64(day.Number())*milliPerDay + int64(hour*3600+minute*60+second)*1000 + int64(milli)
	if rest == "" {
		return Floating(wall), flags, true
	}
	if rest == "Z" || rest == "z" {
		return Instant(wall), flags, true
	}
	if rest[0] == ' ' {
		rest = rest[1:]
	}
	offset, unknown, ok := parseOffset(rest)
	switch {
	case !ok:
		return m, 0, false
	case unknown:
		return Instant(wall), flags, true
	default:
		return Zoned(wall-int64(offset)*1000, offset), flags, true
	}
}

// parseOffset reads a signed offset into seconds. Unknown is set for -00:00.
func parseOffset(text string) (offset int, unknown, ok bool) {
	if len(text) < 3 || text[0] != '+' && text[0] != '-' {
		return 0, false, false
	}
	hours, ok := twoDigits(text[1:], 18)
	if !ok {
		return 0, false, false
	}
	offset = hours * 3600
	rest := text[3:]
	colon := len(rest) > 0 && rest[0] == ':'
	for unit := 60; len(rest) > 0 && unit > 0; unit /= 60 {
		if colon {
			if rest[0] != ':' {
				return 0, false, false
			}
			rest = rest[1:]
		}
		n, ok := twoDigits(rest, 59)
		if !ok {
			return 0, false, false
		}
		offset += n * unit
		rest = rest[2:]
	}
	if rest != "" || offset > maxOffset {
		return 0, false, false
	}
	if text[0] == '-' {
		return -offset, offset == 0, true
	}
	return offset, false, true
}

// twoDigits reads the number in the first two bytes of text.
func twoDigits(text string, most int) (int, bool) {
	if len(text) < 2 || !isDigit(text[0]) || !isDigit(text[1]) {
		return 0, false
	}
	n := int(text[0]-'0')*10 + int(text[1]-'0')
	return n, n <= most
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// String returns m in the form of [Moment.MarshalText], "" for one that has no
// such form.
func (m Moment) String() string {
	b, err := m.MarshalText()
	if err != nil {
		return ""
	}
	return string(b)
}

// MarshalText writes m so that [ParseMoment] restores it: an instant of unknown
// offset as "2026-01-02T03:04:05.000Z", a zoned one with its offset
// ("+01:00", and "+00:00" for UTC), a floating one without any, and an unset
// one as the empty string. This is also its form in JSON.
//
// It returns [ErrTime] for years outside 1..9999 and offsets beyond 18 hours.
func (m Moment) MarshalText() ([]byte, error) {
	if m.form == formUnset {
		return []byte{}, nil
	}
	offset := int(m.offset)
	wall := time.UnixMilli(m.milli).UTC().Add(time.Duration(offset) * time.Second)
	if y := wall.Year(); y < 1 || y > 9999 || offset > maxOffset || offset < -maxOffset {
		return nil, ErrTime
	}
	b := make([]byte, 0, len("2006-01-02T15:04:05.000-07:00:00"))
	b = wall.AppendFormat(b, "2006-01-02T15:04:05.000")
	switch m.form {
	case formInstant:
		b = append(b, 'Z')
	case formZoned:
		sign := byte('+')
		if offset < 0 {
			sign, offset = '-', -offset
		}
		b = append(b, sign)
		b = appendTwoDigits(b, offset/3600)
		b = append(b, ':')
		b = appendTwoDigits(b, offset/60%60)
		if s := offset % 60; s != 0 {
			b = append(b, ':')
			b = appendTwoDigits(b, s)
		}
	}
	return b, nil
}

func appendTwoDigits(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// UnmarshalText reads what MarshalText writes, and whatever else [ParseMoment]
// reads without a flag.
func (m *Moment) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*m = Moment{}
		return nil
	}
	v, flags, err := ParseMoment(string(text))
	if err != nil {
		return err
	}
	if flags != 0 {
		return ErrTime
	}
	*m = v
	return nil
}
