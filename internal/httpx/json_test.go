package httpx

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type inner struct {
	Number json.Number `json:"number"`
}

type embedded struct {
	Shared string `json:"shared"`
}

type shape struct {
	embedded
	ID     string           `json:"id"`
	UserID string           `json:"user_id"`
	Body   *inner           `json:"body"`
	List   []inner          `json:"list"`
	ByName map[string]inner `json:"by_name"`
	Raw    json.RawMessage  `json:"raw"`
	Time   *time.Time       `json:"time"`
	Any    any              `json:"any"`
	Plain  int
	hidden int
}

func TestStrictUnmarshal(t *testing.T) {
	deep := func(n int) string { return `{"raw":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}` }
	for _, c := range []struct{ name, in, reason string }{
		{"object", `{"id":"a","body":{"number":1},"list":[{"number":2}],"shared":"s","Plain":1}`, ""},
		{"spaces around", " \n{}\t ", ""},
		{"unknown key", `{"other":1}`, ""},
		{"T25 byte order mark", "\ufeff{}", "byte order mark"},
		{"T26 truncated", `{"id":"a"`, "not complete JSON"},
		{"T26 truncated string", `{"id":"a`, "not complete JSON"},
		{"T27 two documents", `{"id":"a"}{"id":"b"}`, "trailing data"},
		{"T27 two lines", "{}\n{}", "trailing data"},
		{"text behind", `{} x`, "trailing data"},
		{"bracket behind", `{}]`, "trailing data"},
		{"empty", "", "not complete JSON"},
		{"spaces", "  ", "not complete JSON"},
		{"J21 null", "null", "null"},
		{"J1 duplicate", `{"id":"a","id":"b"}`, "duplicate key"},
		{"J1 duplicate, equal", `{"id":"a","id":"a"}`, "duplicate key"},
		{"J1 duplicate, escaped", `{"id":"a","\u0069d":"b"}`, "duplicate key"},
		{"J1 duplicate inside", `{"body":{"number":1,"number":2}}`, "duplicate key"},
		{"J1 duplicate in a list", `{"list":[{"number":1,"number":2}]}`, "duplicate key"},
		{"J1 duplicate in an unknown", `{"other":{"a":1,"a":2}}`, "duplicate key"},
		{"J1 duplicate in raw", `{"raw":{"a":1,"a":2}}`, "duplicate key"},
		{"J2 case", `{"ID":"a"}`, "key of different case"},
		{"J2 case, both", `{"id":"a","Id":"b"}`, "key of different case"},
		{"J2 case inside", `{"body":{"Number":1}}`, "key of different case"},
		{"J2 case in a list", `{"list":[{"Number":1}]}`, "key of different case"},
		{"J2 case in a map's value", `{"by_name":{"a":{"Number":1}}}`, "key of different case"},
		{"J2 case in an embedded struct", `{"SHARED":"a"}`, "key of different case"},
		{"J2 field without tag", `{"plain":1}`, "key of different case"},
		{"J2 case in a map is no concern", `{"by_name":{"a":{},"A":{}}}`, ""},
		{"J2 case in raw is no concern", `{"raw":{"ID":1,"id":2}}`, ""},
		{"J2 case in any is no concern", `{"any":{"ID":1,"id":2}}`, ""},
		{"J3 long s", `{"uſer_id":"a"}`, "key of different case"},
		{"hidden field is unknown", `{"Hidden":1}`, ""},
		{"J7 NaN", `{"body":{"number":NaN}}`, "not complete JSON"},
		{"J18 invalid UTF-8", "{\"id\":\"a\xff\"}", "invalid UTF-8"},
		{"J18 lone high surrogate", `{"id":"\ud800"}`, "lone surrogate"},
		{"J18 lone low surrogate", `{"id":"\udc00x"}`, "lone surrogate"},
		{"J18 two high", `{"id":"\ud800\ud800"}`, "lone surrogate"},
		{"J18 high at the end", `"\ud800`, "lone surrogate"},
		{"pair", `{"id":"\ud83d\ude00"}`, ""},
		{"escaped backslash", `{"id":"\\ud800"}`, ""},
		{"replacement character told", `{"id":"\ufffd"}`, ""},
		{"J20 H20 depth at the limit", deep(64), ""},
		{"depth over the limit", deep(65), "nested too deep"},
		{"depth far over the limit", deep(100_000), "nested too deep"},
		{"J23 wrong type", `{"id":7}`, "does not fit the expected shape"},
		{"J23 array for object", `{"body":[]}`, "does not fit the expected shape"},
		{"array at the top", `[]`, "does not fit the expected shape"},
		{"colon missing", `{"id" "a"}`, "not complete JSON"},
		{"comma at the end", `{"id":"a",}`, "not complete JSON"},
		{"number with a leading zero", `{"other":01}`, "not complete JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v shape
			err := StrictUnmarshal([]byte(c.in), &v)
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			var e *JSONError
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.reason, e.Reason)
		})
	}
	require.Zero(t, shape{}.hidden)
}

func TestStrictUnmarshalErrorsHoldNoInput(t *testing.T) {
	for _, in := range []string{
		`{"id":72501}`, `{"canary":1,"canary":2}`, `{"id":"canary`, `canary`, `{"body":"canary"}`, `{"time":"canary"}`, `{"body":{"number":"canary"}}`,
	} {
		var v shape
		err := StrictUnmarshal([]byte(in), &v)
		require.Error(t, err, in)
		require.NotContains(t, err.Error(), "canary")
		require.NotContains(t, err.Error(), "72501")
	}
}

func FuzzStrictUnmarshal(f *testing.F) {
	for _, s := range []string{`{"id":"a","body":{"number":1}}`, `{"ID":1}`, `{"list":[{}],"by_name":{"a":{}}}`, `[1,2]`, `"\ud800"`, `{} {}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var strict, lenient shape
		if err := StrictUnmarshal([]byte(in), &strict); err != nil {
			return
		}
		if err := json.Unmarshal([]byte(in), &lenient); err != nil {
			t.Fatalf("%q: accepted, encoding/json says %v", in, err)
		}
		var keys map[string]json.RawMessage
		if err := json.Unmarshal([]byte(in), &keys); err != nil {
			t.Fatal(err)
		}
		for key := range keys {
			if strings.EqualFold(key, "id") && key != "id" {
				t.Fatalf("%q: key %q accepted", in, key)
			}
		}
	})
}
