package jsonscan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
)

func TestWalk(t *testing.T) {
	s := New([]byte(` { "id" : 7, "ok":true, "name":"a\u0062c" , "list":[ 1 , 2.50, -3e2 ], "none":null, "rest":{"x":[[]]} } `))
	var got []string
	require.True(t, s.Object())
	for s.NextMember() {
		switch name := string(s.Name()); name {
		case "id":
			n, ok := s.Int()
			got = append(got, fmt.Sprint(name, n, ok))
		case "ok":
			b, ok := s.Bool()
			got = append(got, fmt.Sprint(name, b, ok))
		case "name":
			b, ok := s.Identifier()
			got = append(got, fmt.Sprint(name, string(b), ok))
		case "list":
			require.True(t, s.Array())
			for s.NextElement() {
				d, ok := s.Decimal()
				got = append(got, fmt.Sprint(d, ok))
			}
		case "none":
			require.Equal(t, Null, s.Kind())
			s.Skip()
		default:
			got = append(got, name+string(s.Raw()))
		}
	}
	require.NoError(t, s.End())
	require.Equal(t, []string{"id7 true", "oktrue true", "nameabctrue", "1 true", "2.50 true", "-3e2 true", `rest{"x":[[]]}`}, got)
}

// members walks an object and tells what ReadInt makes of its members, with
// NextInt in front or without it.
func members(data []byte, short bool) (told []string, err error) {
	s := New(data)
	if !s.Object() {
		return nil, s.Err()
	}
	for {
		if short {
			if name, n, ok := s.NextInt(); ok {
				told = append(told, fmt.Sprintf("%q %d %d", name, n, OK))
				continue
			}
		}
		if !s.NextMember() {
			return told, s.End()
		}
		name := string(s.Name())
		n, v := s.ReadInt()
		told = append(told, fmt.Sprintf("%q %d %d", name, n, v))
	}
}

func TestNextInt(t *testing.T) {
	s := New([]byte(`{"value":-72500,"type":1,"positions":2,"unit":-3, "a":1,"b":1.0,"c" :1,"":7}  `))
	require.True(t, s.Object())
	var got []string
	for {
		if name, n, ok := s.NextInt(); ok {
			got = append(got, fmt.Sprintf("%s=%d", name, n))
			continue
		}
		if !s.NextMember() {
			break
		}
		got = append(got, string(s.Name()))
		s.Skip()
	}
	require.NoError(t, s.End())
	require.Equal(t, []string{"value=-72500", "type=1", "positions", "unit=-3", "a", "b", "c", ""}, got, "the last one is too near to the end")
	data := []byte(`{"value":-72500,"type":1}`)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		s := New(data)
		s.Object()
		s.NextInt()
	}))

	// Every member of these, alone, first and after another one.
	names := []string{"value", "", "1234567", "12345678", "a longer name", "123456789", `\u0061`, "é", "\x01", "a\x01:b", `\":b`, `a\:7,`}
	colons := []string{":", " :", ": ", "", "::"}
	values := []string{
		"0", "7", "-3", "-0", "01", "-01", "-", "", "123456789012345678", "-123456789012345678", "1234567890123456789", "9223372036854775808",
		"1.5", "2e1", "null", `"5"`, "[1,2]", `{"b":2}`, "7x", "7:",
	}
	ends := []string{"", "}", "]", " }", "}                    ", `,"type":1}`, `, "type":1}      `, `,"type":1,"unit":-3}`, `"type":1}`}
	for _, begin := range []string{"{", "{,", `{"a":1,`, `{"a":1 ,`, `{"a":1`, `{"a":1:`} {
		for _, name := range names {
			for _, colon := range colons {
				for _, value := range values {
					for _, end := range ends {
						text := begin + `"` + name + `"` + colon + value + end
						told, err := members([]byte(text), false)
						short, shortErr := members([]byte(text), true)
						if !slices.Equal(told, short) || !reflect.DeepEqual(err, shortErr) {
							t.Fatalf("%q: %v %v, with NextInt %v %v", text, told, err, short, shortErr)
						}
					}
				}
			}
		}
	}
}

func TestNamesAreUnescapedAndExact(t *testing.T) {
	s := New([]byte(`{"gr\u0070id":1,"GRPID":2,"u\u017fer":3}`))
	var names []string
	require.True(t, s.Object())
	for s.NextMember() {
		names = append(names, string(s.Name()))
		s.Skip()
	}
	require.NoError(t, s.End())
	require.Equal(t, []string{"grpid", "GRPID", "uſer"}, names)
}

func TestWrongTypeIsSkipped(t *testing.T) {
	s := New([]byte(`[{"a":1},"12",12,null,true,[1]]`))
	require.True(t, s.Array())
	require.True(t, s.NextElement())
	require.False(t, s.Array(), "an object is no array")
	require.True(t, s.NextElement())
	_, ok := s.Int()
	require.False(t, ok, "a string is no number")
	require.True(t, s.NextElement())
	_, ok = s.Text()
	require.False(t, ok, "a number is no string")
	require.True(t, s.NextElement())
	_, ok = s.Bool()
	require.False(t, ok, "null is no bool")
	require.True(t, s.NextElement())
	require.False(t, s.Object(), "a bool is no object")
	require.True(t, s.NextElement())
	_, ok = s.Decimal()
	require.False(t, ok, "an array is no number")
	require.False(t, s.NextElement())
	require.NoError(t, s.End())
}

func TestIntegers(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"-0", 0, true}, {"12", 12, true}, {"12.0", 12, true}, {"1.2e1", 12, true}, {"120E-1", 12, true},
		{"9007199254740993", 9007199254740993, true},
		{"999999999999999999", 999999999999999999, true},
		{"9223372036854775807", 9223372036854775807, true},
		{"-9223372036854775808", -9223372036854775808, true},
		{"9223372036854775808", 0, false}, {"-9223372036854775809", 0, false},
		{"18446744073709551616", 0, false}, {"1e19", 0, false}, {"1e400", 0, false}, {"1.5", 0, false}, {"1e-400", 0, false},
	} {
		s := New([]byte(c.text))
		n, ok := s.Int()
		require.Equal(t, c.ok, ok, c.text)
		require.NoError(t, s.End(), c.text)
		if ok {
			require.Equal(t, c.want, n, c.text)
		}
	}
}

func TestGrammar(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	for _, text := range []string{
		"null", " true ", "false", `""`, `"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, "[]", "{}", "[[],{}]", `{"":{}}`, "-1.5E+3", deep,
		"[" + strings.Repeat("1234567,", 20) + "0]", `{"a":1,"a":2}`, "\t\r\n 1",
	} {
		s := New([]byte(text))
		s.Skip()
		require.NoError(t, s.End(), text)
	}
	for text, want := range map[string]Error{
		"":                       {0, reasonEnd},
		"   ":                    {3, reasonEnd},
		"\ufeff1":                {0, reasonCharacter},
		"NaN":                    {0, reasonCharacter},
		"nul":                    {3, reasonEnd},
		"nulL":                   {3, reasonCharacter},
		"Infinity":               {0, reasonCharacter},
		"-Infinity":              {1, reasonCharacter},
		"+1":                     {0, reasonCharacter},
		"01":                     {1, reasonTrailing},
		"1.":                     {2, reasonEnd},
		".5":                     {0, reasonCharacter},
		"1e":                     {2, reasonEnd},
		"0x10":                   {1, reasonTrailing},
		`"abc`:                   {4, reasonEnd},
		"\"a\nb\"":               {2, reasonControl},
		`"\q"`:                   {2, reasonEscape},
		`"\u12g4"`:               {5, reasonEscape},
		`"\u12`:                  {5, reasonEnd},
		`"\`:                     {2, reasonEnd},
		"[1,]":                   {3, reasonCharacter},
		"[1 2]":                  {3, reasonCharacter},
		"[1":                     {2, reasonEnd},
		"[":                      {1, reasonEnd},
		"[}":                     {1, reasonCharacter},
		"[1}":                    {2, reasonCharacter},
		`{"a":1]`:                {6, reasonCharacter},
		`{"a"}`:                  {4, reasonCharacter},
		`{"a"`:                   {4, reasonEnd},
		`{a:1}`:                  {1, reasonCharacter},
		`{"a":1,}`:               {7, reasonCharacter},
		`{"a":1,`:                {7, reasonEnd},
		"// x\n1":                {0, reasonCharacter},
		"[1]//":                  {3, reasonTrailing},
		"{}{}":                   {2, reasonTrailing},
		"[" + deep + "]":         {MaxDepth, reasonDepth},
		`{"a":` + deep + "}":     {MaxDepth + 4, reasonDepth},
		"[NaN,1]":                {1, reasonCharacter},
		`["` + "\x00" + `"]`:     {2, reasonControl},
		`{"long name here":tru}`: {21, reasonCharacter},
	} {
		s := New([]byte(text))
		s.Skip()
		err := s.End()
		require.Equal(t, &want, err, "%q", text)
		require.Equal(t, Invalid, s.Kind(), "nothing is read after a failure")
	}
}

func TestDepthOfTheWalkCounts(t *testing.T) {
	data := []byte(strings.Repeat("[", MaxDepth+1))
	s := New(data)
	for range MaxDepth {
		require.True(t, s.Array())
		require.True(t, s.NextElement())
	}
	require.False(t, s.Array())
	require.Equal(t, &Error{MaxDepth, reasonDepth}, s.Err())
}

func TestIdentifierRefusesLookalikes(t *testing.T) {
	for text, ok := range map[string]bool{
		`"abc"`: true, `"é"`: true, `"\u00e9"`: true, `"\ud83d\ude00"`: true, `"\ufffd"`: true, `""`: true,
		"\"\xff\"": false, "\"\xc3\"": false, `"\ud83d"`: false, `"\ude00\ud83d"`: false, `"\ud83dx"`: false, `12`: false,
	} {
		s := New([]byte(text))
		_, got := s.Identifier()
		require.Equal(t, ok, got, text)
		require.NoError(t, s.End(), text)
	}
}

func TestResync(t *testing.T) {
	s := New([]byte(`[{"v":1},{"v":NaN,"w":["}",{}]},{"v":3},[1}`))
	require.True(t, s.Array())
	var good []int64
	var lost []string
	for s.NextElement() {
		m := s.Mark()
		s.Object()
		for s.NextMember() {
			if n, ok := s.Int(); ok {
				good = append(good, n)
			}
		}
		if s.Err() != nil {
			if !s.Resync(m) {
				break
			}
			lost = append(lost, string(s.Since(m)))
		}
	}
	require.Equal(t, []int64{1, 3}, good)
	require.Equal(t, []string{`{"v":NaN,"w":["}",{}]}`, "[1}"}, lost, "brackets balance, whatever they hold")
	require.Error(t, s.End(), "the array never ends")

	for _, text := range []string{`{"v":NaN`, `{"v":"}`, "NaN", "", `"x`} {
		s := New([]byte(text))
		m := s.Mark()
		s.Skip()
		err := s.Err()
		require.Error(t, err)
		require.False(t, s.Resync(m), text)
		require.Equal(t, err, s.Err(), "the failure stays")
	}
}

func TestErrorsHoldNothingOfTheDocument(t *testing.T) {
	s := New([]byte(`{"secret":tru}`))
	s.Skip()
	require.EqualError(t, s.Err(), "json: unexpected character at byte 13")
}

// tree rebuilds a value with the scanner as encoding/json does with UseNumber.
func tree(s *Scanner) any {
	switch s.Kind() {
	case Object:
		m := map[string]any{}
		s.Object()
		for s.NextMember() {
			name := string(bytes.ToValidUTF8(s.Name(), []byte("\ufffd")))
			m[name] = tree(s)
		}
		return m
	case Array:
		a := []any{}
		s.Array()
		for s.NextElement() {
			a = append(a, tree(s))
		}
		return a
	case String:
		b, _ := s.Text()
		return string(b)
	case Number:
		return json.Number(s.Raw())
	case Bool:
		b, _ := s.Bool()
		return b
	default:
		s.Skip()
		return nil
	}
}

func nesting(data []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}

// check compares the scanner with encoding/json on any bytes.
func check(t interface {
	require.TestingT
	Helper()
}, data []byte) {
	t.Helper()
	want := json.Valid(data)
	if nesting(data) > MaxDepth {
		want = false
	}
	s := New(data)
	s.Skip()
	require.Equal(t, want, s.End() == nil, "skipping %q: %v", data, s.Err())

	s = New(data)
	got := tree(&s)
	require.Equal(t, want, s.End() == nil, "walking %q: %v", data, s.Err())
	if !want || !utf8.Valid(data) {
		return
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var tree any
	require.NoError(t, d.Decode(&tree))
	require.Equal(t, tree, got, "%q", data)
	if number, ok := tree.(json.Number); ok {
		checkNumber(t, string(number), data)
	}
}

func checkNumber(t require.TestingT, text string, data []byte) {
	s := New(data)
	d, ok := s.Decimal()
	exact, err := health.ParseDecimal(text)
	require.Equal(t, err == nil, ok, text)
	require.Equal(t, exact, d, text)
	s = New(data)
	n, ok := s.Int()
	if !ok {
		return
	}
	rational, parsed := new(big.Rat).SetString(text)
	require.True(t, parsed)
	require.Zero(t, rational.Cmp(new(big.Rat).SetInt64(n)), text)
}

func FuzzAgainstEncodingJSON(f *testing.F) {
	for _, seed := range []string{
		`{"status":0,"body":{"measuregrps":[{"grpid":12,"measures":[{"value":71234,"type":1,"unit":-3}]}],"more":1}}`,
		`["a\u0062",1.5e-7,-0,null,true,false,{"x":{}},[[]]]`, `"\ud83d\ude00\ud83d"`, "[NaN]", "01", "9223372036854775808",
		`{"a":1,"a":2}`, "\"\xff\"", " [1 , 2 ] ", "1e400", "-", "[1,]", `{"a" 1}`, strings.Repeat("[", 70),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		told, err := members(data, false)
		short, shortErr := members(data, true)
		require.Equal(t, told, short)
		require.Equal(t, err, shortErr)
	})
}

func TestAgainstEncodingJSON(t *testing.T) {
	token := rapid.SampledFrom([]string{
		"{", "}", "[", "]", ",", ":", " ", "\n", `"a"`, `"\u00e9b"`, `"\ud800"`, `"`, `\`, "0", "1", "-12.50", "3e5", "1.", "true",
		"false", "null", "nul", "NaN", `"long enough to take eight bytes at a time"`, "\"\x01\"", "\"\xff\"",
	})
	rapid.Check(t, func(t *rapid.T) {
		check(t, []byte(strings.Join(rapid.SliceOfN(token, 0, 12).Draw(t, "tokens"), "")))
	})
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaf := rapid.OneOf(
			rapid.Map(rapid.Int64(), func(n int64) any { return n }),
			rapid.Map(rapid.Float64Range(-1e9, 1e9), func(n float64) any { return n }),
			rapid.Map(rapid.String(), func(s string) any { return s }),
			rapid.Map(rapid.Bool(), func(b bool) any { return b }),
			rapid.Just[any](nil),
		)
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(leaf,
			rapid.Map(rapid.SliceOfN(value(depth-1), 0, 4), func(a []any) any { return a }),
			rapid.Map(rapid.MapOfN(rapid.String(), value(depth-1), 0, 4), func(m map[string]any) any { return m }),
		)
	}
	rapid.Check(t, func(t *rapid.T) {
		data, err := json.Marshal(value(3).Draw(t, "value"))
		require.NoError(t, err)
		check(t, data)
		if n := len(data); n > 1 {
			cut := rapid.IntRange(1, n-1).Draw(t, "cut")
			check(t, data[:cut])
		}
	})
}

// page is an answer of 2,000 measure groups.
func page() []byte {
	var b bytes.Buffer
	b.WriteString(`{"status":0,"body":{"updatetime":1700000000,"timezone":"Europe/Paris","measuregrps":[`)
	for i := range 2000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"grpid":%d,"attrib":0,"date":%d,"created":%d,"modified":%d,"category":1,"deviceid":"892359876fd8805ac45bab078c4828692f0276b1","hash_deviceid":"892359876fd8805ac45bab078c4828692f0276b1","measures":[`,
			4000000000+i, 1600000000+i*4000, 1600000010+i*4000, 1600000010+i*4000)
		for j, m := range []string{`71234,"type":1,"unit":-3`, `15212,"type":8,"unit":-3`, `2134,"type":6,"unit":-2`} {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"value":%s,"algo":0,"fm":3}`, m)
		}
		b.WriteString(`],"modelid":5,"model":"Body+","comment":null}`)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

func TestWalkingDoesNotAllocate(t *testing.T) {
	data := page()
	allocs := testing.AllocsPerRun(5, func() {
		s := New(data)
		if walk(&s); s.End() != nil {
			panic(s.Err())
		}
		s = New(data)
		if s.Skip(); s.End() != nil {
			panic(s.Err())
		}
	})
	require.Zero(t, allocs)
}

// walk reads every number and string of a document.
func walk(s *Scanner) (sum int64) {
	switch s.Kind() {
	case Object:
		s.Object()
		for s.NextMember() {
			sum += int64(len(s.Name())) + walk(s)
		}
	case Array:
		s.Array()
		for s.NextElement() {
			sum += walk(s)
		}
	case Number:
		d, _ := s.Decimal()
		sum += d.Coefficient
	case String:
		b, _ := s.Identifier()
		sum += int64(len(b))
	default:
		s.Skip()
	}
	return sum
}

func BenchmarkSkip(b *testing.B) {
	data := page()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		s := New(data)
		s.Skip()
		if s.End() != nil {
			b.Fatal(s.Err())
		}
	}
}

func BenchmarkWalk(b *testing.B) {
	data := page()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		s := New(data)
		walk(&s)
		if s.End() != nil {
			b.Fatal(s.Err())
		}
	}
}

func BenchmarkEncodingJSONValid(b *testing.B) {
	data := page()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if !json.Valid(data) {
			b.Fatal("invalid")
		}
	}
}
