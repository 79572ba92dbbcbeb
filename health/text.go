package health

import (
	"errors"
	"slices"
	"strings"
)

// ErrName is returned for text that is not the name of one of the constants of
// a type.
var ErrName = errors.New("health: not a known name")

// MarshalText writes the name of s.
func (s Stat) MarshalText() ([]byte, error) { return marshalName(statNames[:], int(s)) }

// UnmarshalText reads the name of a statistic; others are [ErrName].
func (s *Stat) UnmarshalText(text []byte) error { return unmarshalName(statNames[:], s, text) }

// MarshalText writes the name of m.
func (m Method) MarshalText() ([]byte, error) { return marshalName(methodNames[:], int(m)) }

// UnmarshalText reads the name of a method; others are [ErrName].
func (m *Method) UnmarshalText(text []byte) error { return unmarshalName(methodNames[:], m, text) }

// MarshalText writes the name of z.
func (z Zone) MarshalText() ([]byte, error) { return marshalName(zoneNames[:], int(z)) }

// UnmarshalText reads the name of a zone state; others are [ErrName].
func (z *Zone) UnmarshalText(text []byte) error { return unmarshalName(zoneNames[:], z, text) }

var stateNames = [...]string{"live", "deleted"}

// MarshalText writes the name of s.
func (s State) MarshalText() ([]byte, error) { return marshalName(stateNames[:], int(s)) }

// UnmarshalText reads the name of a state; others are [ErrName].
func (s *State) UnmarshalText(text []byte) error { return unmarshalName(stateNames[:], s, text) }

var flagNames = [...]string{"out_of_range", "estimated", "sticky", "ambiguous", "nonexistent", "scaled", "implausible", "inexact"}

// String returns the names of the set flags joined by commas.
func (f Flags) String() string {
	var names []string
	for i, name := range flagNames {
		if f.Has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// MarshalText writes the form of [Flags.String].
func (f Flags) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads the form of [Flags.String].
func (f *Flags) UnmarshalText(text []byte) error {
	var set Flags
	for name := range strings.SplitSeq(string(text), ",") {
		if name == "" && len(text) == 0 {
			break
		}
		i := slices.Index(flagNames[:], name)
		if i < 0 {
			return ErrName
		}
		set |= 1 << i
	}
	*f = set
	return nil
}

func marshalName(names []string, i int) ([]byte, error) {
	if i >= len(names) {
		return nil, ErrName
	}
	return []byte(names[i]), nil
}

func unmarshalName[T ~uint8](names []string, to *T, text []byte) error {
	i := slices.Index(names, string(text))
	if i < 0 {
		return ErrName
	}
	*to = T(i)
	return nil
}
