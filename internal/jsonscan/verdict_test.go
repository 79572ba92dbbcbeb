package jsonscan

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
)

// told is what the readers with a verdict make of one document.
type told struct{ decimal, integer, boolean, identifier, word string }

func read(data []byte) (t told) {
	show := func(v Verdict, value any) string {
		if v == OK {
			return fmt.Sprint(value)
		}
		return [...]string{Bad: "bad", Absent: "absent", Vanished: "vanished"}[v]
	}
	s := New(data)
	d, v := s.ReadDecimal()
	t.decimal = show(v, d)
	s = New(data)
	n, v := s.ReadInt()
	t.integer = show(v, n)
	s = New(data)
	is, v := s.ReadBool()
	t.boolean = show(v, is)
	s = New(data)
	b, v := s.ReadIdentifier()
	t.identifier = show(v, string(b))
	s = New(data)
	b, v = s.ReadWord()
	t.word = show(v, string(b))
	return t
}

func TestVerdicts(t *testing.T) {
	for text, want := range map[string]told{
		"12":                  {"12", "12", "bad", "bad", "12"},
		" -7 ":                {"-7", "-7", "bad", "bad", "-7"},
		"-0":                  {"0", "0", "bad", "bad", "0"},
		"12.0":                {"12.0", "12", "bad", "bad", "12"},
		"1.2e1":               {"12", "12", "bad", "bad", "12"},
		"12.5":                {"12.5", "bad", "bad", "bad", "bad"},
		`"12"`:                {"12", "12", "bad", "12", "12"},
		`"12.0"`:              {"12.0", "12", "bad", "12.0", "12.0"},
		`"\u0031\u0032"`:      {"12", "12", "bad", "12", "12"},
		`"12 "`:               {"bad", "bad", "bad", "12 ", "12 "},
		`"twelve"`:            {"bad", "bad", "bad", "twelve", "twelve"},
		`""`:                  {"bad", "bad", "bad", "absent", "absent"},
		`"\ud800"`:            {"bad", "bad", "bad", "bad", "bad"},
		"\"\xff\"":            {"bad", "bad", "bad", "bad", "bad"},
		"9223372036854775807": {"9223372036854775807", "9223372036854775807", "bad", "bad", "9223372036854775807"},
		"9223372036854775808": {"bad", "bad", "bad", "bad", "bad"},
		"9e18":                {"9e18", "9000000000000000000", "bad", "bad", "9000000000000000000"},
		"9e19":                {"9e19", "bad", "bad", "bad", "bad"},
		"1e400":               {"bad", "bad", "bad", "bad", "bad"},
		"1e-400":              {"vanished", "vanished", "bad", "bad", "vanished"},
		"-1e-400":             {"vanished", "vanished", "bad", "bad", "vanished"},
		`"1e-400"`:            {"bad", "bad", "bad", "1e-400", "1e-400"},
		"null":                {"absent", "absent", "absent", "absent", "absent"},
		"true":                {"bad", "bad", "true", "bad", "bad"},
		"false":               {"bad", "bad", "false", "bad", "bad"},
		`[12]`:                {"bad", "bad", "bad", "bad", "bad"},
		`{"a":12}`:            {"bad", "bad", "bad", "bad", "bad"},
		"":                    {"bad", "bad", "bad", "bad", "bad"},
		"NaN":                 {"bad", "bad", "bad", "bad", "bad"},
		"0.":                  {"bad", "bad", "bad", "bad", "bad"},
		"-":                   {"bad", "bad", "bad", "bad", "bad"},
		`"12`:                 {"bad", "bad", "bad", "bad", "bad"},
		"truth":               {"bad", "bad", "bad", "bad", "bad"},
	} {
		require.Equal(t, want, read([]byte(text)), text)
	}
}

// A value that is not what was asked for is skipped whole, and the walk goes on.
func TestVerdictsSkipWhatTheyRefuse(t *testing.T) {
	values := []string{"12", `"12"`, `"x"`, `""`, "null", "true", `[1,{"a":[]}]`, `{"a":1}`, "1e400", "1e-400"}
	for name, read := range map[string]func(*Scanner){
		"decimal":    func(s *Scanner) { s.ReadDecimal() },
		"int":        func(s *Scanner) { s.ReadInt() },
		"bool":       func(s *Scanner) { s.ReadBool() },
		"identifier": func(s *Scanner) { s.ReadIdentifier() },
		"word":       func(s *Scanner) { s.ReadWord() },
	} {
		s := New([]byte("[ " + strings.Join(values, " , ") + " ]"))
		require.True(t, s.Array())
		n := 0
		for s.NextElement() {
			read(&s)
			n++
		}
		require.NoError(t, s.End(), name)
		require.Len(t, values, n, name)
	}
}

func TestVerdictsDoNotAllocate(t *testing.T) {
	data := []byte(`[12,-7.5,"12",null,"a word",true,1e3,"",4000000000]`)
	require.Zero(t, testing.AllocsPerRun(20, func() {
		s := New(data)
		for s.Array(); s.NextElement(); {
			m := s.Mark()
			s.ReadDecimal()
			s.Return(m)
			s.ReadInt()
			s.Return(m)
			s.ReadBool()
			s.Return(m)
			s.ReadIdentifier()
		}
	}))
}

// FuzzVerdicts: the readers agree with each other and with the plain ones,
// whatever comes.
func FuzzVerdicts(f *testing.F) {
	for _, seed := range []string{"12", `"12"`, "1e-400", "1e400", "null", "true", `""`, `"a\ud800"`, "[1,{}]", "0. ", "-", ` "1.2e1"`, "\"\xff\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := New(data)
		d, v := s.ReadDecimal()
		end := s.End()
		plain := New(data)
		plain.Skip()
		require.Equal(t, plain.End() == nil, end == nil, "what is read and what is skipped is the same")
		if end != nil {
			return
		}
		n, vn := reader(data).ReadInt()
		b, vi := reader(data).ReadIdentifier()
		_, vb := reader(data).ReadBool()
		word, vw := reader(data).ReadWord()
		require.True(t, v == OK || d == health.Decimal{})
		switch kind := reader(data).Kind(); kind {
		case Null:
			require.Equal(t, [...]Verdict{Absent, Absent, Absent, Absent, Absent}, [...]Verdict{v, vn, vi, vb, vw})
		case Number:
			require.Equal(t, [...]Verdict{Bad, Bad}, [...]Verdict{vi, vb})
			_, fits := reader(data).Decimal()
			require.Equal(t, fits, v == OK)
			if vn == OK {
				require.Equal(t, fmt.Sprint(n), string(word))
			} else {
				require.Equal(t, vn, vw)
			}
		case String:
			require.Equal(t, string(b), string(word))
			require.True(t, utf8.Valid(b))
			require.Equal(t, vi, vw)
			require.NotEqual(t, Vanished, v)
			require.False(t, v == OK && vi != OK)
		default:
			require.Equal(t, [...]Verdict{Bad, Bad, Bad, Bad}, [...]Verdict{v, vn, vi, vw})
			require.Equal(t, kind == Bool, vb == OK)
		}
		if rescaled, whole := d.Rescale(0); v == OK {
			require.Equal(t, whole, vn == OK)
			require.True(t, !whole || rescaled == n)
		}
	})
}

func reader(data []byte) *Scanner {
	s := New(data)
	return &s
}
