package httpx

import (
	"bytes"
	"encoding"
	"encoding/json"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep JSON may nest.
const maxDepth = 64

// JSONError is why [StrictUnmarshal] refused. Its text holds nothing of the
// input.
type JSONError struct {
	// Reason is a fixed text.
	Reason string
	// Offset is about how many bytes were read before.
	Offset int64
}

// Error returns the reason and the offset.
func (e *JSONError) Error() string {
	return "json: " + e.Reason + " at byte " + strconv.FormatInt(e.Offset, 10)
}

// StrictUnmarshal decodes one JSON document into v like encoding/json, and
// refuses what that package is lenient with: invalid UTF-8 and lone surrogates,
// duplicate keys, keys that match a field of v in all but case, nesting deeper
// than 64, a null at the top, anything behind the document. Unknown keys are
// ignored. It reads the document twice and is meant for small ones.
//
// Errors are *[JSONError].
func StrictUnmarshal(data []byte, v any) error {
	switch {
	case !utf8.Valid(data):
		return &JSONError{Reason: "invalid UTF-8"}
	case bytes.HasPrefix(data, []byte("\uFEFF")):
		return &JSONError{Reason: "byte order mark"}
	}
	if at := loneSurrogate(data); at >= 0 {
		return &JSONError{Reason: "lone surrogate", Offset: int64(at)}
	}
	w := walker{dec: json.NewDecoder(bytes.NewReader(data))}
	w.dec.UseNumber()
	first, err := w.token()
	if err != nil {
		return err
	}
	if first == nil {
		return w.fail("null")
	}
	if err := w.value(first, reflect.TypeOf(v), 1); err != nil {
		return err
	}
	if _, err := w.dec.Token(); err != io.EOF {
		return w.fail("trailing data")
	}
	if err := json.Unmarshal(data, v); err != nil {
		// The errors of encoding/json repeat values.
		return w.fail("does not fit the expected shape")
	}
	return nil
}

type walker struct{ dec *json.Decoder }

func (w walker) fail(reason string) error {
	return &JSONError{Reason: reason, Offset: w.dec.InputOffset()}
}

func (w walker) token() (json.Token, error) {
	t, err := w.dec.Token()
	if err != nil {
		return nil, w.fail("not complete JSON")
	}
	return t, nil
}

// value checks the value that begins with the token t and will be decoded into
// a value of the given type; nil is a type that is not looked into.
func (w walker) value(t json.Token, into reflect.Type, depth int) error {
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	if depth > maxDepth {
		return w.fail("nested too deep")
	}
	into = lookInto(into)
	fields := fieldsOf(into)
	seen := map[string]bool{}
	for w.dec.More() {
		t, err := w.token()
		if err != nil {
			return err
		}
		var child reflect.Type
		if open == '{' {
			key, _ := t.(string) // the decoder lets nothing else pass
			if seen[key] {
				return w.fail("duplicate key")
			}
			seen[key] = true
			if child, ok = fields[key]; !ok && foldsTo(fields, key) {
				return w.fail("key of different case")
			}
			if t, err = w.token(); err != nil {
				return err
			}
		}
		if child == nil && into != nil && into.Kind() != reflect.Struct {
			child = into.Elem()
		}
		if err := w.value(t, child, depth+1); err != nil {
			return err
		}
	}
	_, err := w.token()
	return err
}

// lookInto returns the struct, map, slice or array that encoding/json fills
// field by field or element by element for t, nil for any other type.
func lookInto(t reflect.Type) reflect.Type {
	for t != nil {
		if p := reflect.PointerTo(t); p.Implements(jsonUnmarshaler) || p.Implements(textUnmarshaler) {
			return nil
		}
		switch t.Kind() {
		case reflect.Pointer:
			t = t.Elem()
		case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
			return t
		default:
			return nil
		}
	}
	return nil
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// fieldsOf returns the JSON names of the fields of a struct type.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		embedded := f.Type
		if embedded.Kind() == reflect.Pointer {
			embedded = embedded.Elem()
		}
		switch {
		case tag == "-":
		case f.Anonymous && name == "" && embedded.Kind() == reflect.Struct:
			for n, inner := range fieldsOf(embedded) {
				if _, outer := fields[n]; !outer {
					fields[n] = inner
				}
			}
		case !f.IsExported():
		case name != "":
			fields[name] = f.Type
		default:
			fields[f.Name] = f.Type
		}
	}
	return fields
}

// foldsTo reports whether encoding/json would take key for one of the fields.
func foldsTo(fields map[string]reflect.Type, key string) bool {
	for name := range fields {
		if strings.EqualFold(name, key) {
			return true
		}
	}
	return false
}

// loneSurrogate returns where an escaped surrogate without its other half
// stands, or -1.
func loneSurrogate(data []byte) int {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		unit, ok := utf16Escape(data[i:])
		switch {
		case !ok:
			i++ // what follows the backslash is escaped
		case unit < 0xD800 || unit > 0xDFFF:
			i += 5
		default:
			low, ok := utf16Escape(data[min(i+6, len(data)):])
			if unit > 0xDBFF || !ok || low < 0xDC00 || low > 0xDFFF {
				return i
			}
			i += 11
		}
	}
	return -1
}

// utf16Escape reads \uXXXX at the beginning of data.
func utf16Escape(data []byte) (uint64, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return unit, err == nil
}
