package googlehealth

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// A filter is a conjunction of bounds, the one form of AIP-160 that the service
// takes for data points: only >= and <, joined by AND, with the names in snake
// case and the literals in double quotes. It is built of these values and never
// of text that came from outside.
type filter []bound

// bound is one comparison.
type bound struct {
	member  member
	op      operator
	literal literal
}

// member is what is compared: a member of a data type.
type member struct {
	dataType *dataType
	path     memberPath
}

// memberPath is the part of a member behind the name of the data type.
type memberPath string

// The members by which data points are filtered: which of them a type has is a
// matter of its record type.
const (
	memberStart      memberPath = "interval.start_time"
	memberCivilStart memberPath = "interval.civil_start_time"
	memberCivilEnd   memberPath = "interval.civil_end_time"
	memberPhysical   memberPath = "sample_time.physical_time"
	memberCivil      memberPath = "sample_time.civil_time"
	memberDate       memberPath = "date"
)

type operator string

const (
	atLeast  operator = ">="
	lessThan operator = "<"
)

// literal is a value that something is compared with.
type literal string

// dayLiteral is a civil day. Compared with a civil time it is its midnight.
func dayLiteral(d health.Day) literal { return literal(d.String()) }

// instantLiteral is an instant, in whole seconds of UTC.
func instantLiteral(t time.Time) literal { return literal(t.UTC().Format(time.RFC3339)) }

// between is the filter for what lies in a half-open range.
func between(m member, from, to literal) filter {
	return filter{{m, atLeast, from}, {m, lessThan, to}}
}

// String returns the filter as the service reads it.
func (f filter) String() string {
	var b strings.Builder
	for i, part := range f {
		if i > 0 {
			b.WriteString(" AND ")
		}
		b.WriteString(part.member.dataType.filterName())
		b.WriteByte('.')
		b.WriteString(string(part.member.path))
		b.WriteByte(' ')
		b.WriteString(string(part.op))
		b.WriteByte(' ')
		b.WriteString(quote(string(part.literal)))
	}
	return b.String()
}

// quote returns a string literal of AIP-160: quotes and backslashes are escaped.
func quote(text string) string {
	if !strings.ContainsAny(text, "\"\\") {
		return `"` + text + `"`
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// filterOf returns the filter for the window of a query.
func (s *stream) filterOf(q providers.Query) (filter, error) {
	t, w := s.data, q.Window
	switch {
	case s.shape == shapeDense:
		from, to := q.Period()
		path := memberStart
		if t.record == recordSample {
			path = memberPhysical
		}
		return between(member{t, path}, instantLiteral(from), instantLiteral(to)), nil
	case t.record == recordECG:
		// The service takes a lower bound only; what lies behind the window is
		// left out by the mapping.
		return filter{{member{t, memberStart}, atLeast, instantLiteral(w.From)}}, nil
	}
	path, ok := map[recordType]memberPath{
		recordInterval: memberCivilStart, recordSample: memberCivil, recordDaily: memberDate,
		recordSession: memberCivilStart, recordSleep: memberCivilEnd,
	}[t.record]
	if !ok {
		return nil, errNoFilter
	}
	return between(member{t, path}, dayLiteral(w.First), dayLiteral(w.Last.Add(1))), nil
}

var errNoFilter = errors.New("the type is not listed")

// hours widens instants to whole hours of UTC downwards, so that the hours of
// neighbouring days touch and none is in two.
func hours(from, to time.Time) (time.Time, time.Time) {
	return from.Truncate(time.Hour), to.Truncate(time.Hour)
}

// windowSize is the length of a rollup's windows.
const windowSize = time.Hour

func secondsText(d time.Duration) string {
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}
