package withingstest

import (
	"encoding/json"
	"slices"
	"strconv"
)

// writer appends JSON text. Commas are derived from the last byte written, so callers only name keys and values.
type writer struct{ b []byte }

func (w *writer) sep() {
	if n := len(w.b); n > 0 {
		switch w.b[n-1] {
		case '{', '[', ':':
		default:
			w.b = append(w.b, ',')
		}
	}
}

func (w *writer) open(c byte)  { w.sep(); w.b = append(w.b, c) }
func (w *writer) close(c byte) { w.b = append(w.b, c) }

func (w *writer) key(k string) *writer {
	w.str(k)
	w.b = append(w.b, ':')
	return w
}

func (w *writer) int(v int64)     { w.sep(); w.b = strconv.AppendInt(w.b, v, 10) }
func (w *writer) float(v float64) { w.sep(); w.b = strconv.AppendFloat(w.b, v, 'f', -1, 64) }
func (w *writer) bool(v bool)     { w.sep(); w.b = strconv.AppendBool(w.b, v) }
func (w *writer) null()           { w.sep(); w.b = append(w.b, "null"...) }
func (w *writer) raw(v string)    { w.sep(); w.b = append(w.b, v...) }

func (w *writer) str(v string) {
	w.sep()
	for i := range len(v) {
		if c := v[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			q, _ := json.Marshal(v) // cannot fail for a string
			w.b = append(w.b, q...)
			return
		}
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, v...)
	w.b = append(w.b, '"')
}

// strOrNull writes null for the empty string, as the service does for rows without a device.
func (w *writer) strOrNull(v string) {
	if v == "" {
		w.null()
		return
	}
	w.str(v)
}

func (w *writer) intOrNull(v int) {
	if v == 0 {
		w.null()
		return
	}
	w.int(int64(v))
}

// fields writes the wanted members of f as `"name":number` pairs in name order and reports how many there were.
func (w *writer) fields(f Fields, want fieldSet) int {
	names := make([]string, 0, len(f))
	for name := range f {
		if want.has(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		w.key(name).float(f[name])
	}
	return len(names)
}

// emptyObjectAsArray turns a just closed empty object into [], which is how the service (PHP) encodes an empty map.
func (w *writer) emptyObjectAsArray() {
	if n := len(w.b); n >= 2 && w.b[n-1] == '}' && w.b[n-2] == '{' {
		w.b = append(w.b[:n-2], '[', ']')
	}
}
