package withings

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// mapBody maps one body.
func mapBody(stream, name, body string) (*mapper, error) {
	m := newMapper(health.RawPage{
		Stream: stream, Date: benchDate, Zone: "Europe/Paris", Bodies: []health.RawBody{{Name: name, Body: []byte(body)}},
	})
	err := streams[stream].mapPage(m)
	if err != nil {
		err = m.failed("test", err)
	}
	return m, err
}

func keysOf(m *mapper) []string {
	keys := []string{}
	for i := range m.records {
		keys = append(keys, m.records[i].Key)
	}
	return keys
}

func reasonsOf(m *mapper) []string {
	list := []string{}
	for _, q := range m.quarantined {
		list = append(list, q.Key+": "+q.Reason)
	}
	return list
}

// good is a group that must come through whatever is wrong beside it.
const good = `{"grpid":1,"attrib":0,"date":1795240800,"modified":1795240800,"category":1,"measures":[{"value":7,"type":1,"unit":1}]}`

// groupWith returns a group that has the members besides its usual ones.
func groupWith(members string) string { return `{"attrib":0,"category":1,` + members + `}` }

const at = `"date":1795240800,"modified":1795240800`

func TestBadGroups(t *testing.T) {
	weigh := `"measures":[{"value":70,"type":1,"unit":0}]`
	for _, c := range []struct {
		name   string
		group  string
		key    string // "" if there is no record
		reason string // "" if nothing is set aside
	}{
		{"duplicate keys in one object", groupWith(`"grpid":2,"grpid":2,` + at + `,` + weigh), "", "measures/2: " + reasonTwice},
		{"a name in another case is another name", groupWith(`"GRPID":2,` + at + `,` + weigh), "", "measures/#1: " + reasonNoID},
		{"a look-alike name is another name", groupWith(`"grp\u0131d":2,` + at + `,` + weigh), "", "measures/#1: " + reasonNoID},
		{"an escaped name is the same name", groupWith(`"gr\u0070id":2,` + at + `,` + weigh), "measures/2", ""},
		{"an id beyond float64", groupWith(`"grpid":9007199254740993,` + at + `,` + weigh), "measures/9007199254740993", ""},
		{"an id beyond int64", groupWith(`"grpid":9223372036854775808,` + at + `,` + weigh), "", "measures/#1: " + reasonNoID},
		{"id 12", groupWith(`"grpid":12,` + at + `,` + weigh), "measures/12", ""},
		{"id as text", groupWith(`"grpid":"12",` + at + `,` + weigh), "measures/12", ""},
		{"id 12.0", groupWith(`"grpid":12.0,` + at + `,` + weigh), "measures/12", ""},
		{"id 1.2e1", groupWith(`"grpid":1.2e1,` + at + `,` + weigh), "measures/12", ""},
		{"id 12.5", groupWith(`"grpid":12.5,` + at + `,` + weigh), "", "measures/#1: " + reasonNoID},
		{"id 0", groupWith(`"grpid":0,` + at + `,` + weigh), "", "measures/#1: " + reasonNoID},
		{"id null", groupWith(`"grpid":null,` + at + `,` + weigh), "", "measures/#1: " + reasonNoID},
		{"id missing", groupWith(at + `,` + weigh), "", "measures/#1: " + reasonNoID},
		{"NaN", groupWith(`"grpid":2,` + at + `,"measures":[{"value":NaN,"type":1,"unit":0}]`), "", "measures/2: " + reasonNotJSON},
		{"Infinity", groupWith(`"grpid":2,` + at + `,"measures":[{"value":-Infinity,"type":1,"unit":0}]`), "", "measures/2: " + reasonNotJSON},
		{"1e400", groupWith(`"grpid":2,` + at + `,"measures":[{"value":1e400,"type":1,"unit":0}]`), "measures/2", "measures/2#measures: " + reasonValue},
		{"1e-400", groupWith(`"grpid":2,` + at + `,"measures":[{"value":1e-400,"type":1,"unit":0}]`), "measures/2", ""},
		{"minus zero is zero", groupWith(`"grpid":2,` + at + `,"measures":[{"value":-0,"type":1,"unit":0}]`), "measures/2", ""},
		{"unit 127", groupWith(`"grpid":2,` + at + `,"measures":[{"value":7,"type":1,"unit":127}]`), "measures/2", "measures/2#measures: " + reasonUnit},
		{"unit -128", groupWith(`"grpid":2,` + at + `,"measures":[{"value":7,"type":1,"unit":-128}]`), "measures/2", "measures/2#measures: " + reasonUnit},
		{"unit 13", groupWith(`"grpid":2,` + at + `,"measures":[{"value":7,"type":1,"unit":13}]`), "measures/2", "measures/2#measures: " + reasonUnit},
		{"unit -12", groupWith(`"grpid":2,` + at + `,"measures":[{"value":7,"type":1,"unit":-12}]`), "measures/2", ""},
		{"unit missing", groupWith(`"grpid":2,` + at + `,"measures":[{"value":7,"type":1}]`), "measures/2", "measures/2#measures: " + reasonUnit},
		{"unit null", groupWith(`"grpid":2,` + at + `,"measures":[{"value":7,"type":1,"unit":null}]`), "measures/2", "measures/2#measures: " + reasonUnit},
		{"measures null", groupWith(`"grpid":2,` + at + `,"measures":null`), "measures/2", ""},
		{"measures empty", groupWith(`"grpid":2,` + at + `,"measures":[]`), "measures/2", ""},
		{"measures missing", groupWith(`"grpid":2,` + at), "", "measures/2: measures are missing or " + reasonType},
		{"measures an object", groupWith(`"grpid":2,` + at + `,"measures":{}`), "", "measures/2: measures are missing or " + reasonType},
		{"a measure that is no object", groupWith(`"grpid":2,` + at + `,"measures":[7,{"value":7,"type":4,"unit":0}]`), "measures/2", "measures/2#measures: " + reasonNotObject},
		{"value null", groupWith(`"grpid":2,` + at + `,"measures":[{"value":null,"type":1,"unit":0}]`), "measures/2", "measures/2#measures: " + reasonValue},
		{"value as text", groupWith(`"grpid":2,` + at + `,"measures":[{"value":"70","type":"1","unit":"0"}]`), "measures/2", ""},
		{"value of a wrong type", groupWith(`"grpid":2,` + at + `,"measures":[{"value":[],"type":1,"unit":0}]`), "measures/2", "measures/2#measures: " + reasonValue},
		{"value twice", groupWith(`"grpid":2,` + at + `,"measures":[{"value":7,"value":8,"type":1,"unit":0}]`), "measures/2", "measures/2#measures: " + reasonTwice},
		{"one type with two values", groupWith(`"grpid":2,` + at + `,"measures":[{"value":7,"type":1,"unit":0},{"value":8,"type":1,"unit":0}]`), "measures/2", "measures/2#measures: " + reasonConflict},
		{"time 0", groupWith(`"grpid":2,"date":0,` + weigh), "", "measures/2: " + reasonTime},
		{"time -1", groupWith(`"grpid":2,"date":-1,` + weigh), "", "measures/2: " + reasonTime},
		{"a year far away", groupWith(`"grpid":2,"date":4611686018427387904,` + weigh), "", "measures/2: " + reasonTime},
		{"three days ahead", groupWith(fmt.Sprintf(`"grpid":2,"date":%d,`, benchDate.Add(72*time.Hour).Unix()) + weigh), "", "measures/2: " + reasonTime},
		{"time null", groupWith(`"grpid":2,"date":null,` + weigh), "", "measures/2: " + reasonTime},
		{"device id that is not UTF-8", groupWith(`"grpid":2,"deviceid":"` + "a\xff" + `",` + at + `,` + weigh), "", "measures/2: " + reasonDevice},
		{"device id with half a surrogate", groupWith(`"grpid":2,"deviceid":"a\ud800",` + at + `,` + weigh), "", "measures/2: " + reasonDevice},
		{"device id of a wrong type", groupWith(`"grpid":2,"deviceid":{},` + at + `,` + weigh), "", "measures/2: " + reasonDevice},
		{"model of a wrong type", groupWith(`"grpid":2,"model":{},` + at + `,` + weigh), "measures/2", "measures/2#model: " + reasonType},
		{"an unknown member", groupWith(`"grpid":2,"more_to_come":{"a":[1,null]},` + at + `,` + weigh), "measures/2", ""},
		{"an unknown attribution", `{"grpid":2,"attrib":77,` + at + `,"category":1,` + weigh + `}`, "measures/2", ""},
		{"a group that is no object", `[1,2]`, "", "measures/#1: " + reasonNotObject},
		{"a group that is null", `null`, "", "measures/#1: " + reasonNotObject},
		{"too deep", groupWith(`"grpid":2,"x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70)), "", "measures/2: " + reasonNotJSON},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := mapBody(streamMeasures, "getmeas", `{"status":0,"body":{"updatetime":1795262400,"measuregrps":[`+good+`,`+c.group+`]}}`)
			require.NoError(t, err)
			want := []string{"measures/1"}
			if c.key != "" {
				want = append(want, c.key)
			}
			require.Equal(t, want, keysOf(m), "what is good is kept")
			reasons := []string{}
			if c.reason != "" {
				reasons = append(reasons, c.reason)
				require.NotEmpty(t, m.quarantined[0].Raw)
				require.Contains(t, c.group, string(m.quarantined[0].Raw))
			}
			require.Equal(t, reasons, reasonsOf(m))
		})
	}
}

func TestUnusualValuesAreKeptAndFlagged(t *testing.T) {
	for name, measure := range map[string]string{
		"weight -5":                    `{"value":-5,"type":1,"unit":0}`,
		"weight 0":                     `{"value":0,"type":1,"unit":0}`,
		"weight 10^6":                  `{"value":1,"type":1,"unit":6}`,
		"heart rate 0":                 `{"value":0,"type":11,"unit":0}`,
		"heart rate 9999":              `{"value":9999,"type":11,"unit":0}`,
		"a mass that was not measured": `{"value":0,"type":8,"unit":-2}`,
	} {
		m, err := mapBody(streamMeasures, "getmeas", `{"status":0,"body":{"measuregrps":[`+groupWith(`"grpid":2,`+at+`,"measures":[`+measure+`]`)+`]}}`)
		require.NoError(t, err, name)
		require.Len(t, m.records, 1, name)
		require.True(t, m.records[0].Values[0].Flags.Has(health.FlagOutOfRange), name)
	}
}

func TestMillisecondsAreSeenAndFlagged(t *testing.T) {
	m, err := mapBody(streamMeasures, "getmeas", `{"status":0,"body":{"measuregrps":[`+groupWith(`"grpid":2,"date":1795240800123,"modified":1795240900,"measures":[]`)+`]}}`)
	require.NoError(t, err)
	at, ok := m.records[0].Span.Start.UnixMilli()
	require.True(t, ok)
	require.EqualValues(t, 1795240800123, at)
	require.True(t, m.records[0].Span.Flags.Has(health.FlagScaled))
}

func TestExactNumbers(t *testing.T) {
	m, err := mapBody(streamMeasures, "getmeas", `{"status":0,"body":{"measuregrps":[`+groupWith(`"grpid":2,`+at+`,"measures":[{"value":56300,"type":1,"unit":-3},{"value":9007199254740993,"type":170,"unit":-12}]`)+`]}}`)
	require.NoError(t, err)
	require.Equal(t, health.Decimal{Coefficient: 56300, Exponent: -3}, m.records[0].Values[0].Number)
	require.Equal(t, health.Decimal{Coefficient: 9007199254740993, Exponent: -12}, m.records[0].Values[1].Number)
}

func TestTheSameRowTwiceInAPage(t *testing.T) {
	older := groupWith(`"grpid":2,"date":1795240800,"modified":1795240800,"measures":[{"value":70,"type":1,"unit":0}]`)
	newer := groupWith(`"grpid":2,"date":1795240800,"modified":1795240900,"measures":[{"value":71,"type":1,"unit":0}]`)
	for _, rows := range []string{older + "," + newer, newer + "," + older} {
		m, err := mapBody(streamMeasures, "getmeas", `{"status":0,"body":{"measuregrps":[`+rows+`]}}`)
		require.NoError(t, err)
		require.Len(t, m.records, 1)
		require.Equal(t, health.Int(71), m.records[0].Values[0].Number, "the fresher one wins")
		require.Equal(t, []string{"measures/2: " + reasonTwin}, reasonsOf(m))
	}
}

func TestBadPages(t *testing.T) {
	page := func(members string) string {
		return `{"status":0,"body":{"measuregrps":[` + good + `]` + members + `}}`
	}
	for name, c := range map[string]struct{ body, code string }{
		"truncated":                      {page("")[:80], codeJSON},
		"truncated within the last row":  {page("")[:len(page(""))-4], codeJSON},
		"no bytes":                       {"", codeNotJSON},
		"top-level null":                 {"null", codeNoStatus},
		"an array":                       {"[]", codeNoStatus},
		"a web page":                     {"<html><body>Sign in</body></html>", codeNotJSON},
		"byte order mark":                {"\ufeff" + page(""), codeNotJSON},
		"two documents":                  {page("") + page(""), codeJSON},
		"no envelope":                    {"{}", codeNoStatus},
		"status null":                    {`{"status":null,"body":{"measuregrps":[]}}`, codeNoStatus},
		"status true":                    {`{"status":true,"body":{"measuregrps":[]}}`, codeNoStatus},
		"status twice":                   {`{"status":0,"status":0,"body":{"measuregrps":[]}}`, codeDuplicate},
		"body twice":                     {`{"status":0,"body":{"measuregrps":[]},"body":{}}`, codeDuplicate},
		"status 0 without body":          {`{"status":0}`, codeNoBody},
		"body null":                      {`{"status":0,"body":null}`, codeNoBody},
		"body an array":                  {`{"status":0,"body":[]}`, codeNoBody},
		"body empty":                     {`{"status":0,"body":{}}`, codeNoRows},
		"rows null":                      {`{"status":0,"body":{"measuregrps":null}}`, codeNoRows},
		"rows an object":                 {`{"status":0,"body":{"measuregrps":{}}}`, codeNoRows},
		"rows twice":                     {page(`,"measuregrps":[]`), codeDuplicate},
		"more is a word":                 {page(`,"more":"perhaps"`), codePaging},
		"more is 2":                      {page(`,"more":2`), codePaging},
		"more is an object":              {page(`,"more":{}`), codePaging},
		"more without offset":            {page(`,"more":1`), codePaging},
		"more twice":                     {page(`,"more":1,"more":1,"offset":3`), codeDuplicate},
		"a negative offset":              {page(`,"more":1,"offset":-3`), codePaging},
		"a huge offset":                  {page(`,"more":1,"offset":99999999999`), codePaging},
		"offset of a wrong type":         {page(`,"more":1,"offset":{}`), codePaging},
		"rows that are not separated":    {`{"status":0,"body":{"measuregrps":[` + good + good + `]}}`, codeJSON},
		"NaN where no row can be blamed": {page(`,"updatetime":NaN`), codeJSON},
	} {
		m, err := mapBody(streamMeasures, "getmeas", c.body)
		e, ok := errors.AsType[*providers.Error](err)
		require.True(t, ok, name)
		require.ErrorIs(t, err, providers.ErrMalformed, name)
		require.Equal(t, c.code, e.Code, name)
		require.Equal(t, Name, e.Provider, name)
		require.NotContains(t, err.Error(), "grpid", "no body in errors")
		_ = m
	}
}

func TestPagesThatAreFine(t *testing.T) {
	page := func(members string) string {
		return `{"status":0,"body":{"measuregrps":[` + good + `]` + members + `}}`
	}
	for name, c := range map[string]struct {
		body string
		more bool
	}{
		"more absent":                  {page(""), false},
		"more null":                    {page(`,"more":null`), false},
		"more 0":                       {page(`,"more":0,"offset":200`), false},
		"more false with an offset":    {page(`,"more":false,"offset":200`), false},
		"more 1":                       {page(`,"more":1,"offset":1`), true},
		"more true":                    {page(`,"more":true,"offset":"1"`), true},
		"more \"1\"":                   {page(`,"more":"1","offset":1.0`), true},
		"the body before the status":   {`{"body":{"measuregrps":[` + good + `]},"status":0}`, false},
		"the zone after the rows":      {page(`,"timezone":"Europe/Paris"`), false},
		"a zone that does not exist":   {page(`,"timezone":"Mars/Olympus"`), false},
		"a zone that is a path":        {page(`,"timezone":"../../etc/passwd"`), false},
		"a zone of another type":       {page(`,"timezone":7`), false},
		"an update time of words":      {page(`,"updatetime":"soon"`), false},
		"an unknown member everywhere": {`{"x":1,"status":0,"body":{"y":[],"measuregrps":[` + good + `],"z":{}},"w":null}`, false},
	} {
		m, err := mapBody(streamMeasures, "getmeas", c.body)
		require.NoError(t, err, name)
		require.Equal(t, []string{"measures/1"}, keysOf(m), name)
		require.Empty(t, m.quarantined, name)
		require.Equal(t, c.more, m.more, name)
		require.Equal(t, health.ZoneFromProfile, m.records[0].Span.Zone, name)
		require.Equal(t, "Europe/Paris", m.records[0].Span.Location, name)
	}
}

func TestAHugePage(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`{"status":0,"body":{"measuregrps":[` + good)
	for i := 2; b.Len() < 10<<20; i++ {
		b.WriteString("," + groupWith(fmt.Sprintf(`"grpid":%d,`, i)+at+`,"measures":[{"value":70,"type":1,"unit":0},{"value":20,"type":6,"unit":0}]`))
	}
	b.WriteString(`,` + groupWith(`"grpid":0`) + `]}}`)
	m, err := mapBody(streamMeasures, "getmeas", b.String())
	require.NoError(t, err)
	require.Greater(t, len(m.records), 50_000)
	require.Len(t, m.quarantined, 1)
}

func TestAGroupOfTooManyMeasures(t *testing.T) {
	many := strings.Repeat(`{"value":7,"type":1,"unit":0},`, 100_000)
	m, err := mapBody(streamMeasures, "getmeas", `{"status":0,"body":{"measuregrps":[`+good+`,`+groupWith(`"grpid":2,`+at+`,"measures":[`+strings.TrimSuffix(many, ",")+`]`)+`]}}`)
	require.NoError(t, err)
	require.Equal(t, []string{"measures/1", "measures/2"}, keysOf(m), "one hundred thousand times the same is one value")

	var b strings.Builder
	for i := range health.MaxValues + 2 {
		fmt.Fprintf(&b, `{"value":%d,"type":1,"unit":0,"position":%d},`, i, 100+i)
	}
	m, err = mapBody(streamMeasures, "getmeas", `{"status":0,"body":{"measuregrps":[`+good+`,`+groupWith(`"grpid":2,`+at+`,"measures":[`+strings.TrimSuffix(b.String(), ",")+`]`)+`]}}`)
	require.NoError(t, err)
	require.Equal(t, []string{"measures/1"}, keysOf(m))
	require.Equal(t, []string{"measures/2: " + reasonTooMany}, reasonsOf(m))
}

// What is set aside is listed one by one, but not without end.
func TestAFloodOfBadData(t *testing.T) {
	sevens := strings.TrimSuffix(strings.Repeat("7,", 1_000_000), ",")
	m, err := mapBody(streamMeasures, "getmeas", `{"status":0,"body":{"measuregrps":[`+good+`,`+groupWith(`"grpid":2,`+at+`,"measures":[`+sevens+`]`)+`]}}`)
	require.NoError(t, err)
	require.Equal(t, []string{"measures/1"}, keysOf(m))
	require.Equal(t, []string{"measures/2: " + reasonHopeless}, reasonsOf(m))

	var entries strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&entries, `"x%d":7,`, i)
	}
	for stream, body := range map[string]string{
		streamMeasures: `{"status":0,"body":{"measuregrps":[` + sevens + `]}}`,
		streamIntraday: `{"status":0,"body":{"series":{` + strings.TrimSuffix(entries.String(), ",") + `}}}`,
	} {
		_, err = mapBody(stream, "getintradayactivity"+dayName, body)
		e, ok := errors.AsType[*providers.Error](err)
		require.True(t, ok, stream)
		require.Equal(t, codeFlooded, e.Code, stream)
	}
}

func TestBadRowsOfTheOtherStreams(t *testing.T) {
	for name, c := range map[string]struct {
		stream, bodyName, body string
		keys, reasons          []string
	}{
		"activity of days that are none": {
			streamActivity, "getactivity",
			`{"status":0,"body":{"activities":[{"date":"2026-02-30","steps":1},{"date":"0000-01-01","steps":1},{"date":"9999-12-31","steps":1,"deviceid":"d"},{"date":20261120,"steps":1},{"date":"2026-11-20","deviceid":"d","steps":2}]}}`,
			[]string{"activity/2026-11-20/d"},
			[]string{"activity/#0: " + reasonDay, "activity/#1: " + reasonDay, "activity/#3: " + reasonDay, "activity/9999-12-31/d: span: time not plausible"},
		},
		"activity with one wrong number": {
			streamActivity, "getactivity",
			`{"status":0,"body":{"activities":[{"date":"2026-11-20","deviceid":"d","steps":{},"distance":7,"calories":1e400,"modified":[]}]}}`,
			[]string{"activity/2026-11-20/d"},
			[]string{"activity/2026-11-20/d#steps: " + reasonType, "activity/2026-11-20/d#calories: " + reasonType, "activity/2026-11-20/d#modified: " + reasonType},
		},
		"activity with a field twice": {
			streamActivity, "getactivity", `{"status":0,"body":{"activities":[{"date":"2026-11-20","deviceid":"d","steps":1,"steps":2}]}}`,
			[]string{}, []string{"activity/2026-11-20/d: " + reasonTwice},
		},
		"workouts with times the wrong way round": {
			streamWorkouts, "getworkouts",
			`{"status":0,"body":{"series":[{"id":5,"startdate":1795240800,"enddate":1795240000,"data":{}},{"id":6,"startdate":1795240800,"enddate":1795240900,"category":1,"date":"2026-13-01","data":7},{"id":7,"startdate":1795240800,"data":{}}]}}`,
			[]string{"workouts/6"},
			[]string{"workouts/5: " + reasonEndFirst, "workouts/6#data: " + reasonType, "workouts/6#date: " + reasonType, "workouts/7: " + reasonTime},
		},
		"a night with odd events": {
			streamSleepSummary, "sleep/getsummary",
			`{"status":0,"body":{"series":[{"id":5,"timezone":"Europe/Paris","startdate":1795212000,"enddate":1795239600,"date":"2026-11-21","data":{"night_events":{"1":[0,"x"],"2":7},"sleep_score":null}}]}}`,
			[]string{"sleep_summary/5"},
			[]string{"sleep_summary/5#night_events: " + reasonTime, "sleep_summary/5#night_events: " + reasonType},
		},
		"segments": {
			streamSleep, "sleep/get" + dayName,
			`{"status":0,"body":{"model":32,"series":[{"startdate":1795215600,"enddate":1795219200,"state":2,"hash_deviceid":"a","hr":{"x":1,"1795215600":"y","1795215660":50}},{"startdate":1795215600,"enddate":1795210000,"state":2},{"startdate":1795215600,"enddate":1795219200},{"startdate":NaN}]}}`,
			[]string{"sleep/2026-11-21/sleep_monitor"},
			[]string{
				"sleep/2026-11-21#1795215600#hr: " + reasonSampleTime, "sleep/2026-11-21#1795215600#hr: " + reasonType,
				"sleep/2026-11-21#1795215600: " + reasonEndFirst, "sleep/2026-11-21#1795215600: state is missing or " + reasonType,
				"sleep/#3: " + reasonNotJSON,
			},
		},
		"intraday": {
			streamIntraday, "getintradayactivity" + dayName,
			`{"status":0,"body":{"series":{"x":{"steps":1},"1795215600":{"steps":4,"deviceid":"d"},"1795215600":{"steps":5,"deviceid":"d"},"1795215660":{"steps":NaN},"1795215720":[],"1795215780":{"steps":{},"distance":3,"deviceid":"d"}}}}`,
			[]string{"intraday/2026-11-21/d"},
			[]string{
				"intraday/2026-11-21#x: " + reasonSampleTime, "intraday/2026-11-21#1795215660: " + reasonNotJSON,
				"intraday/2026-11-21#1795215720: " + reasonNotObject, "intraday/2026-11-21#1795215780: steps is " + reasonType,
				"intraday/2026-11-21/d#steps: " + reasonConflict,
			},
		},
		"intraday without any": {
			streamIntraday, "getintradayactivity" + dayName, `{"status":0,"body":{"series":[]}}`, []string{}, []string{},
		},
		"recordings": {
			streamHeart, heartListName,
			`{"status":0,"body":{"series":[{"timestamp":0,"ecg":{"signalid":1}},{"timestamp":1795215600,"ecg":{"signalid":"x"}},{"timestamp":1795215600,"ecg":{"signalid":3,"afib":[]},"bloodpressure":[],"heart_rate":61}]}}`,
			[]string{"heart/3"},
			[]string{"heart/#0: " + reasonTime, "heart/#1: " + reasonNoID, "heart/3#afib: " + reasonType},
		},
		// It may be a recording that is known by its id: it must not become another
		// datum, beside which that one looks deleted.
		"a recording whose id is hidden": {
			streamHeart, heartListName,
			`{"status":0,"body":{"series":[{"timestamp":1795215600,"deviceid":"d","ecg":"x","heart_rate":61},{"timestamp":1795215600,"deviceid":"d","ecg":[],"heart_rate":61}]}}`,
			[]string{"heart/1795215600/d"}, []string{"heart/#0: " + reasonNoID},
		},
		"devices": {
			streamDevices, "user/getdevice", `{"status":0,"body":{"devices":[{"model":"x"},{"deviceid":"d","battery":7}]}}`,
			[]string{"devices/d"}, []string{"devices/#0: " + reasonDevice, "devices/d#battery: " + reasonType},
		},
		"no goals":      {streamGoals, "user/getgoals", `{"status":0,"body":{"goals":[]}}`, []string{}, []string{}},
		"a goal's unit": {streamGoals, "user/getgoals", `{"status":0,"body":{"goals":{"steps":5,"weight":{"value":7,"unit":99}}}}`, []string{"goals/current"}, []string{"goals/current#weight: " + reasonUnit}},
		"a weight goal of null": {
			streamGoals, "user/getgoals", `{"status":0,"body":{"goals":{"steps":5,"weight":{"value":null,"unit":null}}}}`,
			[]string{"goals/current"}, []string{},
		},
		"a weight goal without its number": {
			streamGoals, "user/getgoals", `{"status":0,"body":{"goals":{"steps":5,"weight":{"value":null,"unit":-3}}}}`,
			[]string{"goals/current"}, []string{"goals/current#weight: " + reasonValue},
		},
		"a weight goal without its unit": {
			streamGoals, "user/getgoals", `{"status":0,"body":{"goals":{"steps":5,"weight":{"value":70500,"unit":null}}}}`,
			[]string{"goals/current"}, []string{"goals/current#weight: " + reasonValue},
		},
		"goals of a word": {streamGoals, "user/getgoals", `{"status":0,"body":{"goals":"none"}}`, []string{}, []string{"goals/#0: " + reasonNotObject}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mapBody(c.stream, c.bodyName, c.body)
			require.NoError(t, err)
			require.Equal(t, c.keys, keysOf(m))
			require.Equal(t, c.reasons, reasonsOf(m))
		})
	}
}

func TestRowsOfAnotherPerson(t *testing.T) {
	m := newMapper(health.RawPage{Stream: streamWorkouts, Date: benchDate, Bodies: []health.RawBody{{Name: "getworkouts", Body: []byte(
		`{"status":0,"body":{"series":[{"id":5,"userid":12,"startdate":1795240800,"enddate":1795240900,"data":{}}]}}`)}}})
	m.user = "13"
	err := m.failed("test", m.workouts())
	e, _ := errors.AsType[*providers.Error](err)
	require.Equal(t, providers.CodeIdentity, e.Code)
}

// Numbers with all digits of a float64, and such as are next to nothing, neither
// cost the day its record nor the series its other points.
func TestFineNumbersWithinADay(t *testing.T) {
	for name, c := range map[string]struct {
		number string
		values []int64
		exp    int8
	}{
		"one decimal":     {"34.5", []int64{125, 235, 345}, -1},
		"17 digits":       {"0.00072142857142857144", []int64{12_500_000_000_000, 23_500_000_000_000, 721_428_571}, -12},
		"next to nothing": {"1.1102230246251565e-16", []int64{12_500_000_000_000, 23_500_000_000_000, 0}, -12},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mapBody(streamIntraday, "getintradayactivity"+dayName, `{"status":0,"body":{"series":{`+
				`"1795215600":{"deviceid":"a","calories":12.5},"1795215660":{"deviceid":"a","calories":23.5},`+
				`"1795215720":{"deviceid":"a","calories":`+c.number+`}}}}`)
			require.NoError(t, err)
			require.Empty(t, reasonsOf(m))
			require.Equal(t, []string{"intraday/2026-11-21/a"}, keysOf(m))
			require.Len(t, m.records[0].Series, 1)
			require.Equal(t, c.values, m.records[0].Series[0].Values)
			require.Equal(t, c.exp, m.records[0].Series[0].Exp)
		})
	}
}

// A signal may be there only when the row, which was not modified, is read again.
// The row with its signal is newer, in whatever order the two come.
func TestASignalThatComesLater(t *testing.T) {
	for id := 1; id <= 40; id++ { // content, by which a tie is broken, favours either
		list := health.RawBody{Name: heartListName, Body: fmt.Appendf(nil, `{"status":0,"body":{"series":[{"deviceid":"d","model":93,"heart_rate":60,`+
			`"modified":1795170100,"timestamp":%d,"ecg":{"signalid":%d,"afib":0}}],"more":false,"offset":0}}`, 1795170000-id, id)}
		signal := health.RawBody{
			Name: heartGetName + fmt.Sprint(id), Body: []byte(`{"status":0,"body":{"signal":[1,2,3,4],"sampling_frequency":300,"wearposition":1}}`),
		}
		hearts := func(bodies ...health.RawBody) *health.Record {
			m := newMapper(health.RawPage{Stream: streamHeart, Date: benchDate, Zone: "Europe/Paris", Bodies: bodies})
			require.NoError(t, m.hearts())
			require.Len(t, m.records, 1)
			return &m.records[0]
		}
		without, with := hearts(list), hearts(list, signal)
		require.Empty(t, without.Series)
		require.Len(t, with.Series, 1)
		merged, verdict, _ := health.Merge(without, with)
		require.NotEqual(t, health.Keep, verdict)
		require.Len(t, merged.Series, 1)
		_, verdict, _ = health.Merge(with, without)
		require.Equal(t, health.Keep, verdict)
	}
}

func TestASignalThatCannotBeReadLeavesItsRow(t *testing.T) {
	for name, body := range map[string]string{
		"not JSON": `<html>`, "no signal": `{"status":0,"body":{"sampling_frequency":300}}`, "a word in it": `{"status":0,"body":{"signal":[1,"x"],"sampling_frequency":300}}`,
		"no frequency": `{"status":0,"body":{"signal":[1,2]}}`, "absurd frequency": `{"status":0,"body":{"signal":[1,2],"sampling_frequency":0}}`,
	} {
		m := newMapper(health.RawPage{Stream: streamHeart, Date: benchDate, Bodies: []health.RawBody{
			{Name: heartListName, Body: read(t, "heart_list.json")}, {Name: heartGetName + "901", Body: []byte(body)},
		}})
		require.NoError(t, m.hearts(), name)
		require.Len(t, m.records, 3, name)
		require.Equal(t, []string{"heart/901#signal: " + reasonBadSignal}, reasonsOf(m), name)
	}
}

func TestWhatTheMappingComputesIsMarked(t *testing.T) {
	p := testProvider(t)
	at := fmt.Sprintf(`"date":%d`, benchDate.Add(-time.Hour).Unix())
	remap := func(group string) health.Record {
		body := []byte(`{"status":0,"body":{"updatetime":1795262400,"timezone":"Europe/Paris","measuregrps":[{` + group + `}]}}`)
		records, err := p.Remap(health.RawPage{Stream: streamMeasures, Date: benchDate, Bodies: []health.RawBody{{Name: "getmeas", Body: body}}})
		require.NoError(t, err)
		require.Len(t, records, 1)
		return records[0]
	}
	tiny := remap(`"grpid":2,` + at + `,"measures":[{"value":1e-400,"type":77,"unit":0}]`)
	require.Len(t, tiny.Values, 1)
	require.Zero(t, tiny.Values[0].Number.Coefficient)
	require.True(t, tiny.Values[0].Flags.Has(health.FlagInexact))

	both := remap(`"grpid":3,` + at + `,"measures":[{"value":72500,"type":1,"unit":-3},{"value":181,"type":4,"unit":-2}]`)
	require.Len(t, both.Values, 3)
	for _, v := range both.Values {
		if v.Metric == health.MetricBMI {
			require.Equal(t, "22.13", v.Number.String())
			require.Equal(t, health.FlagInexact, v.Flags)
		}
	}
	alone := remap(`"grpid":4,` + at + `,"measures":[{"value":72500,"type":1,"unit":-3}]`)
	require.Len(t, alone.Values, 1)
}
