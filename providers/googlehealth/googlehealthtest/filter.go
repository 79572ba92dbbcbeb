package googlehealthtest

import (
	"strings"
	"time"
)

// comparison is one restriction of a filter.
type comparison struct {
	path    string // behind the name of the type
	op      string
	literal string
}

// filter is a parsed filter: one of the groups must hold, and of a group all comparisons.
type filter [][]comparison

// filterError is why a filter is refused: a reason of the service.
type filterError struct{ reason, message string }

const badFilter = "INVALID_DATA_POINT_FILTER"

// token is one part of the text of a filter.
type token struct {
	kind rune // 'w' word, 's' string, 'o' operator
	text string
}

// lex divides the text of a filter.
func lex(text string) ([]token, *filterError) {
	var all []token
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ':
			i++
		case c == '"':
			var b strings.Builder
			i++
			for {
				if i >= len(text) {
					return nil, &filterError{badFilter + "_UNEXPECTED_END_OF_INPUT", "unterminated string"}
				}
				if text[i] == '"' {
					break
				}
				if text[i] == '\\' && i+1 < len(text) {
					i++
				}
				b.WriteByte(text[i])
				i++
			}
			i++
			all = append(all, token{'s', b.String()})
		case strings.IndexByte("<>=!:", c) >= 0:
			j := i
			for j < len(text) && strings.IndexByte("<>=!:", text[j]) >= 0 {
				j++
			}
			all = append(all, token{'o', text[i:j]})
			i = j
		case c == '_' || c == '.' || c == '-' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
			j := i
			for j < len(text) && (text[j] == '_' || text[j] == '.' || text[j] == '-' || text[j] == ':' ||
				text[j] >= 'a' && text[j] <= 'z' || text[j] >= 'A' && text[j] <= 'Z' || text[j] >= '0' && text[j] <= '9') {
				j++
			}
			all = append(all, token{'w', text[i:j]})
			i = j
		default:
			return nil, &filterError{badFilter + "_UNEXPECTED_TOKEN", "unexpected character"}
		}
	}
	return all, nil
}

// parseFilter reads a filter for a type.
func parseFilter(k *kind, text string) (filter, *filterError) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	tokens, failed := lex(text)
	if failed != nil {
		return nil, failed
	}
	all := filter{nil}
	for i := 0; ; {
		if len(tokens)-i < 3 {
			return nil, &filterError{badFilter + "_UNEXPECTED_END_OF_INPUT", "a restriction has a member, a comparator and a literal"}
		}
		member, op, literal := tokens[i], tokens[i+1], tokens[i+2]
		i += 3
		if member.kind != 'w' || op.kind != 'o' {
			return nil, &filterError{badFilter + "_SYNTAX", "not a restriction"}
		}
		if strings.Contains(member.text, "-") {
			return nil, &filterError{badFilter, "data types are in snake case"}
		}
		if literal.kind != 's' {
			return nil, &filterError{badFilter + "_RESTRICTION_COMPARABLE", "literals are in double quotes"}
		}
		c, failed := restrict(k, member.text, op.text, literal.text)
		if failed != nil {
			return nil, failed
		}
		all[len(all)-1] = append(all[len(all)-1], c)
		if i == len(tokens) {
			return all, nil
		}
		switch joint := tokens[i]; {
		case joint.kind == 'w' && joint.text == "AND":
		case joint.kind == 'w' && joint.text == "OR" && k.record == asleep:
			all = append(all, nil)
		case joint.kind == 'w' && joint.text == "OR":
			return nil, &filterError{badFilter + "_EXPRESSION_STRUCTURE", "OR is not supported"}
		default:
			return nil, &filterError{badFilter + "_MISSING_TOKEN", "restrictions are joined by AND"}
		}
		i++
	}
}

// members are what the sorts of types are filtered by.
var members = map[record][]string{
	interval: {"interval.start_time", "interval.civil_start_time"}, sample: {"sample_time.physical_time", "sample_time.civil_time"},
	daily: {"date"}, session: {"interval.civil_start_time"}, asleep: {"interval.end_time", "interval.civil_end_time"},
	ecg: {"interval.start_time"},
}

// restrict checks one restriction.
func restrict(k *kind, member, op, literal string) (comparison, *filterError) {
	path, ok := strings.CutPrefix(member, k.filterName()+".")
	if !ok {
		return comparison{}, &filterError{badFilter + "_DATA_TYPE_RESTRICTION", "another data type"}
	}
	known := false
	for _, m := range members[k.record] {
		known = known || m == path
	}
	if !known {
		return comparison{}, &filterError{badFilter + "_DATA_TYPE_MEMBER", "the data type is not filtered by this member"}
	}
	if op != ">=" && (op != "<" || k.record == ecg) {
		return comparison{}, &filterError{badFilter + "_RESTRICTION_COMPARABLE", "comparators are >= and <"}
	}
	c := comparison{path, op, literal}
	if _, _, ok := c.bound(); !ok {
		return comparison{}, &filterError{badFilter + "_RESTRICTION_COMPARABLE", "not a time of this member"}
	}
	return c, nil
}

// isCivil reports whether the member has a wall clock's time or a day.
func (c comparison) isCivil() bool { return strings.Contains(c.path, "civil") || c.path == "date" }

// bound reads the literal: an instant, or a civil time in milliseconds of a wall clock.
func (c comparison) bound() (at time.Time, wall int64, ok bool) {
	if !c.isCivil() {
		at, err := time.Parse(time.RFC3339Nano, c.literal)
		return at, 0, err == nil
	}
	layouts := []string{time.DateOnly, "2006-01-02T15:04:05"}
	if c.path == "date" {
		layouts = layouts[:1]
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, c.literal); err == nil {
			return t, t.UnixMilli(), true
		}
	}
	return at, 0, false
}

// holds reports whether a point passes.
func (f filter) holds(u *user, p point) bool {
	if len(f) == 0 {
		return true
	}
	for _, group := range f {
		all := true
		for _, c := range group {
			all = all && c.holds(u, p)
		}
		if all {
			return true
		}
	}
	return false
}

func (c comparison) holds(u *user, p point) bool {
	t := p.start
	if strings.Contains(c.path, "end_time") {
		t = p.end
	}
	at, wall, _ := c.bound()
	var order int
	switch {
	case c.path == "date":
		order = p.day - int(wall/86400_000)
	case c.isCivil():
		_, east := u.local(t).Zone()
		order = int(t.UnixMilli() + int64(east)*1000 - wall)
	default:
		order = t.Compare(at)
	}
	if c.op == ">=" {
		return order >= 0
	}
	return order < 0
}

// days returns the civil days within which a filter can hold.
func (f filter) days(u *user) (first, last int) {
	first, last = u.first-2, u.dayOf(u.horizon)+2
	if len(f) != 1 {
		return first, last
	}
	for _, c := range f[0] {
		at, _, _ := c.bound()
		n := int(at.Unix() / 86400)
		if c.op == ">=" {
			first = max(first, n-2)
		} else {
			last = min(last, n+2)
		}
	}
	return first, last
}
