package terra

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// The data of an answer is mapped before the rest of it is known, which must not
// be seen: not in whose the data is, and not where the rest is broken.
func TestAnswerInAnyOrder(t *testing.T) {
	const (
		user = `"user":{"user_id":"u1","provider":" OURA "}`
		data = `"data":[{"metadata":{"start_time":"2026-07-02T00:00:00+01:00","upload_type":1},"distance_data":{"steps":7}}]`
		kind = `"type":"daily"`
	)
	date := time.Date(2026, 7, 3, 0, 0, 0, 0, time.UTC)
	var first string
	for _, order := range [][]string{{kind, user, data}, {data, user, kind}, {user, data}, {data, user}, {" " + data + " ", user}} {
		body := "{" + strings.Join(order, ",") + "}"
		w, m, err := mapAnswer(kindDaily, []byte(body), date)
		require.NoError(t, err, body)
		require.Len(t, m.records, 1, body)
		require.Equal(t, "OURA", m.records[0].Source.Upstream, body)
		told := fmt.Sprint(m.records[0].Fingerprint(), w.digest())
		if first == "" {
			first = told
		}
		require.Equal(t, first, told, body)
	}
	for body, good := range map[string]bool{
		`{` + user + `,"data":null}`:                    true,
		`{` + user + `,"data":[]}`:                      true,
		`{` + user + `}`:                                false,
		`{` + user + `,"data":5}`:                       false,
		`{` + user + `,"data":"no"}`:                    false,
		`{` + data + `,` + user + `,` + data + `}`:      false,
		`{` + data + `,"status":"a","status":"a"}`:      false,
		`{` + data + `,` + user:                         false,
		`{` + data + `,` + user + `,"next":01}`:         false,
		`{` + data + `,` + user + `}{}`:                 false,
		`{` + user + `,"data":[{"metadata":{"a":01}]}`:  false,
		`{` + user + `,"data":[{"metadata":{"a":1,}}]}`: false,
	} {
		_, m, err := mapAnswer(kindDaily, []byte(body), date)
		if good {
			require.NoError(t, err, body)
			require.Empty(t, m.records, body)
			continue
		}
		require.Error(t, err, body)
		require.Empty(t, m.records, body)
	}
	_, m, err := mapAnswer(kindAthlete, []byte(`{"athlete":{"city":"Neustadt"},`+user+`,"data":null}`), date)
	require.NoError(t, err)
	require.Len(t, m.records, 1)
	require.Equal(t, "OURA", m.records[0].Source.Upstream)
}

// A member that is there twice is seen in every model, as far as it has names.
func TestEveryModelSeesAMemberTwice(t *testing.T) {
	for typ, p := range knownPlans() {
		require.LessOrEqual(t, len(p.members), maxMembers, typ)
		for name := range p.members {
			for text, twice := range map[string]bool{
				`{"` + name + `":null}`: false, `{"` + name + `":null,"zz":1,"zz":2}`: false,
				`{"` + name + `":null,"` + name + `":null}`: true, `{"` + name + `":[],"x":1,"` + name + `":null}`: true,
			} {
				v := reflect.New(typ)
				s := jsonscan.New([]byte(text))
				d := decoder{s: &s}
				d.into(v.Interface())
				require.Equal(t, twice, d.twice, "%s %s", typ, text)
			}
		}
	}
}
