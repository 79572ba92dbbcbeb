package googlehealth

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// answered is when the bodies of these tests came.
var answered = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// bodyName returns a name under which a stream keeps an answer.
func bodyName(st *stream) string {
	switch {
	case st.shape == shapeDense:
		day := dayAt2026(11, 20)
		from, to := providers.Query{Window: health.Window{First: day, Last: day}, Zone: berlin()}.Period()
		return st.data.path + ":reconcile/2026-11-20/" + periodText(from.UnixMilli(), to.UnixMilli()) + "/1"
	case st.shape == shapeHours:
		return st.data.path + ":rollUp/2026-11-19/2026-11-20/1"
	case st.shape == shapeDays:
		return st.data.path + ":dailyRollUp"
	case st.shape == shapeState:
		return st.path
	case st.data.record == recordECG:
		return st.data.path + ":list/" + periodText(answered.AddDate(0, -1, 0).UnixMilli(), answered.UnixMilli())
	}
	return st.data.path + ":reconcile"
}

func berlin() *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return zone
}

// mapBody maps one body as the answer of a stream.
func mapBody(name, body string) (*mapper, error) { return mapBodyAs(name, "1234567890", body) }

func mapBodyAs(name, user, body string) (*mapper, error) {
	st := streamNamed(name)
	m := newMapper(st, health.RawPage{
		Stream: name, Date: answered, Zone: "Europe/Berlin", Bodies: []health.RawBody{{Name: bodyName(st), Body: []byte(body)}},
	})
	m.user = user
	err := m.page()
	if _, told := errors.AsType[*refusedError](err); err != nil && !told {
		err = failed("test", err)
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

// weigh returns a point of weight with the members of its value.
func weigh(name, value string) string {
	return `{"dataPointName":"users/me/dataTypes/weight/dataPoints/` + name + `","weight":{` + value + `}}`
}

const (
	at       = `"sampleTime":{"physicalTime":"2026-11-20T06:00:00Z","utcOffset":"3600s"}`
	good     = `{"dataPointName":"users/me/dataTypes/weight/dataPoints/1","weight":{` + at + `,"weightGrams":72000}}`
	kilo     = at + `,"weightGrams":72000`
	physical = `"physicalTime":"2026-11-20T06:00:00Z"`
)

func TestBadPoints(t *testing.T) {
	second := func(reason string) string { return "weight/2: " + reason }
	for _, c := range []struct {
		name, point string
		key         string // "" if there is no record
		reason      string // "" if nothing is set aside
	}{
		{"duplicate keys", weigh("2", kilo+`,"weightGrams":72001`), "", "weight/#1.1: weight is " + reasonType},
		{"another case is another name", weigh("2", at+`,"WeightGrams":72000`), "", second(reasonNoValue)},
		{"a look-alike is another name", weigh("2", at+`,"we\u0131ghtGrams":72000`), "", second(reasonNoValue)},
		{"an escaped name is the name", weigh("2", at+`,"we\u0069ghtGrams":72000`), "weight/2", ""},
		{"an id beyond float64", weigh("9007199254740993", kilo), "weight/9007199254740993", ""},
		{"an id of words", weigh("a b", kilo), "weight/" + providers.KeyPart("a b", ""), ""},
		{"no point's name", `{"dataPointName":"users/me/weight/7","weight":{` + kilo + `}}`, "", "weight/#1.1: " + reasonName},
		{"half a surrogate in the name", weigh(`\ud800`, kilo), "", "weight/#1.1: " + reasonName},
		{"no name", `{"weight":{` + kilo + `}}`, "weight/2026-11-20T06:00:00.000Z", ""},
		{"number as text", weigh("2", at+`,"weightGrams":"72000"`), "weight/2", ""},
		{"12.0 and 1.2e1", weigh("2", at+`,"weightGrams":7.2e4`), "weight/2", ""},
		{"NaN", weigh("2", at+`,"weightGrams":NaN`), "", "weight/#1.1: " + reasonNotJSON},
		{"1e400", weigh("2", at+`,"weightGrams":1e400`), "", second(reasonNoValue)},
		{"minus zero", weigh("2", at+`,"weightGrams":-0`), "weight/2", ""},
		{"null", weigh("2", at+`,"weightGrams":null`), "", second(reasonNoValue)},
		{"missing", weigh("2", at), "", second(reasonNoValue)},
		{"an object", weigh("2", at+`,"weightGrams":{}`), "", second(reasonNoValue)},
		{"a negative weight is kept", weigh("2", at+`,"weightGrams":-5000`), "weight/2", ""},
		{"a point that is none", `7`, "", "weight/#1.1: " + reasonNotObject},
		{"another type", `{"height":{"heightMillimeters":"1780"}}`, "", "weight/#1.1: " + reasonOther},
		{"a type of tomorrow beside it", weigh("2", kilo+`,"aFieldOfTomorrow":[1,{}]`), "weight/2", ""},
		{"no time", weigh("2", `"weightGrams":72000`), "", second(reasonTime)},
		{"no offset", weigh("2", `"sampleTime":{`+physical+`},"weightGrams":72000`), "weight/2", ""},
		{"a day that there is not", weigh("2", `"sampleTime":{"physicalTime":"2026-02-30T06:00:00Z"},"weightGrams":72000`), "", second(reasonTime)},
		{"a time without zone", weigh("2", `"sampleTime":{"physicalTime":"2026-11-20T06:00:00"},"weightGrams":72000`), "", second(reasonTime)},
		{"a leap second", weigh("2", `"sampleTime":{"physicalTime":"2026-11-20T06:59:60Z"},"weightGrams":72000`), "weight/2", ""},
		{"an offset of a day", weigh("2", `"sampleTime":{`+physical+`,"utcOffset":"86400s"},"weightGrams":72000`), "", second(reasonTime)},
		{"an offset that is none", weigh("2", `"sampleTime":{`+physical+`,"utcOffset":"1h"},"weightGrams":72000`), "", second(reasonTime)},
		{"seconds of the epoch", weigh("2", `"sampleTime":{"physicalTime":1795240800},"weightGrams":72000`), "", second(reasonTime)},
		{"a time to come", weigh("2", `"sampleTime":{"physicalTime":"2031-11-20T06:00:00Z"},"weightGrams":72000`), "", second("span: time not plausible")},
		{"before our time", weigh("2", `"sampleTime":{"physicalTime":"1969-11-20T06:00:00Z"},"weightGrams":72000`), "", second("span: time not plausible")},
		{"a space for the T", weigh("2", `"sampleTime":{"physicalTime":"2026-11-20 06:00:00Z"},"weightGrams":72000`), "", second(reasonTime)},
		{"an instant with the offset of a day", weigh("2", `"sampleTime":{"physicalTime":"2026-11-20T06:00:00+24:00"},"weightGrams":72000`), "", second(reasonTime)},
		{"the same point twice", good, "", "weight/1: " + reasonTwin},
		{"a megabyte of notes", weigh("2", kilo+`,"notes":"`+strings.Repeat("x", 1<<20)+`"`), "weight/2", "weight/2#notes: " + reasonLong},
		{"notes of signs that turn the text", weigh("2", kilo+`,"notes":"\u202e\u0000"`), "weight/2", ""},
		{"a source of a wrong type", `{"dataSource":[],"weight":{` + kilo + `}}`, "weight/2026-11-20T06:00:00.000Z", "weight/2026-11-20T06:00:00.000Z#dataSource: " + reasonType},
		{"a platform of tomorrow", `{"dataSource":{"platform":"MARS","recordingMethod":"DREAMT"},"weight":{` + kilo + `}}`, "weight/2026-11-20T06:00:00.000Z/MARS...unknown", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := mapBody("weight", `{"dataPoints":[`+good+`,`+c.point+`]}`)
			require.NoError(t, err)
			keys := []string{"weight/1"}
			if c.key != "" {
				keys = append(keys, c.key)
			}
			require.Equal(t, keys, keysOf(m))
			if c.reason == "" {
				require.Empty(t, reasonsOf(m))
			} else {
				require.NotEmpty(t, reasonsOf(m))
				require.Equal(t, c.reason, reasonsOf(m)[len(m.quarantined)-1])
			}
		})
	}
}

func TestBadAnswers(t *testing.T) {
	for name, c := range map[string]struct{ stream, body, code string }{
		"empty":                    {"weight", ``, codeNotJSON},
		"null":                     {"weight", `null`, codeShape},
		"an array":                 {"weight", `[]`, codeShape},
		"a web page":               {"weight", `<html>`, codeNotJSON},
		"truncated":                {"weight", `{"dataPoints":[` + good, codeJSON},
		"two documents":            {"weight", `{}{}`, codeJSON},
		"a list of a wrong type":   {"weight", `{"dataPoints":{}}`, codeShape},
		"two lists":                {"weight", `{"dataPoints":[],"dataPoints":[]}`, codeDuplicate},
		"two tokens":               {"weight", `{"nextPageToken":"a","nextPageToken":"b"}`, codeDuplicate},
		"a token that is none":     {"weight", `{"nextPageToken":7}`, codePaging},
		"a token of 5 KB":          {"weight", `{"nextPageToken":"` + strings.Repeat("x", 5000) + `"}`, codePaging},
		"somebody else's points":   {"weight", `{"dataPoints":[{"name":"users/99/dataTypes/weight/dataPoints/1","weight":{` + kilo + `}}]}`, providers.CodeIdentity},
		"somebody else":            {"identity", `{"healthUserId":"99"}`, providers.CodeIdentity},
		"settings that are a list": {"settings", `[]`, codeShape},
		"settings twice":           {"settings", `{"timeZone":"a","timeZone":"b"}`, codeDuplicate},
		"nothing but rubbish":      {"weight", `{"dataPoints":[0` + strings.Repeat(",0", providers.MaxQuarantined+1) + `]}`, codeFlooded},
		"an error that is none":    {"weight", `{"error":"x"}`, codeShape},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mapBody(c.stream, c.body)
			var e *providers.Error
			require.ErrorAs(t, err, &e)
			require.ErrorIs(t, err, providers.ErrMalformed)
			require.Equal(t, c.code, e.Code)
		})
	}
	for _, body := range []string{`{}`, `{"dataPoints":[]}`, `{"dataPoints":null,"nextPageToken":null}`, `{"nextPageToken":""}`} {
		m, err := mapBody("weight", body)
		require.NoError(t, err, "the service leaves out what is empty")
		require.Empty(t, m.records)
	}
	m, err := mapBody("weight", `{"nextPageToken":"abc"}`)
	require.NoError(t, err)
	require.Equal(t, "abc", m.next)
}

// night returns a sleep with the given stages.
func night(members string) string {
	return `{"dataPoints":[{"dataPointName":"users/me/dataTypes/sleep/dataPoints/5","sleep":{"interval":{` +
		`"startTime":"2026-11-19T22:00:00Z","startUtcOffset":"3600s","endTime":"2026-11-20T06:00:00Z","endUtcOffset":"3600s"},` + members + `}}]}`
}

func stageOf(kind, from, to string) string {
	return fmt.Sprintf(`{"type":%q,"startTime":"2026-11-%sZ","startUtcOffset":"3600s","endTime":"2026-11-%sZ","endUtcOffset":"3600s"}`, kind, from, to)
}

func TestBadNights(t *testing.T) {
	for name, c := range map[string]struct {
		members string
		stages  int
		reason  string
	}{
		"in order":        {`"stages":[` + stageOf("LIGHT", "19T22:00:00", "19T23:00:00") + `,` + stageOf("DEEP", "19T23:00:00", "20T00:00:00") + `]`, 2, ""},
		"newest first":    {`"stages":[` + stageOf("DEEP", "19T23:00:00", "20T00:00:00") + `,` + stageOf("LIGHT", "19T22:00:00", "19T23:00:00") + `]`, 2, ""},
		"overlapping":     {`"stages":[` + stageOf("LIGHT", "19T22:00:00", "19T23:00:00") + `,` + stageOf("DEEP", "19T22:30:00", "20T00:00:00") + `]`, 1, reasonOverlap},
		"backwards":       {`"stages":[` + stageOf("LIGHT", "19T23:00:00", "19T22:00:00") + `]`, 0, reasonEndFirst},
		"no time":         {`"stages":[{"type":"REM"}]`, 0, reasonTime},
		"no stage":        {`"stages":[7]`, 0, reasonNotObject},
		"no list":         {`"stages":{}`, 0, reasonType},
		"of tomorrow":     {`"stages":[` + stageOf("DREAM", "19T22:00:00", "19T23:00:00") + `]`, 1, ""},
		"minutes of text": {`"summary":{"minutesAsleep":"many"}`, 0, reasonType},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mapBody("sleep", night(c.members+`,"metadata":{"mainSleep":true,"processed":true}`))
			require.NoError(t, err)
			require.Len(t, m.records, 1, "the rest is stored")
			require.Len(t, m.records[0].Segments, c.stages)
			if c.reason == "" {
				require.Empty(t, reasonsOf(m))
				return
			}
			require.Len(t, m.quarantined, 1)
			require.Equal(t, c.reason, m.quarantined[0].Reason)
		})
	}
	m, err := mapBody("sleep", strings.Replace(night(`"type":"STAGES"`), "2026-11-20T06", "2026-11-18T06", 1))
	require.NoError(t, err)
	require.Empty(t, m.records)
	require.Equal(t, []string{"sleep/5: " + reasonEndFirst}, reasonsOf(m))
}

// Nights and workouts of lengths that cannot be are kept and flagged; one that
// ends before it begins, or in the time to come, is set aside.
func TestLengthsThatCannotBe(t *testing.T) {
	span := func(from, to string) string {
		return fmt.Sprintf(`"interval":{"startTime":"2026-11-%sZ","startUtcOffset":"3600s","endTime":"2026-11-%sZ","endUtcOffset":"3600s"}`, from, to)
	}
	for name, c := range map[string]struct {
		stream, value, reason string
		flags                 health.Flags
	}{
		"a workout without length":   {"exercise", span("20T07:00:00", "20T07:00:00") + `,"exerciseType":"YOGA"`, "", health.FlagImplausible},
		"a workout that runs back":   {"exercise", span("20T07:00:00", "20T06:00:00") + `,"exerciseType":"YOGA"`, reasonEndFirst, 0},
		"a workout of the future":    {"exercise", span("25T07:00:00", "25T08:00:00") + `,"exerciseType":"YOGA"`, "span: time not plausible", 0},
		"a night of 40 hours":        {"sleep", span("18T14:00:00", "20T06:00:00") + `,"type":"STAGES"`, "", health.FlagImplausible},
		"a night without length":     {"sleep", span("20T06:00:00", "20T06:00:00") + `,"type":"STAGES"`, "", health.FlagImplausible},
		"a drink that runs backward": {"hydration_log", span("20T07:00:00", "20T06:00:00") + `,"amountConsumed":{"milliliters":250}`, reasonEndFirst, 0},
	} {
		key := streamNamed(c.stream).data.key
		m, err := mapBody(c.stream, `{"dataPoints":[{"dataPointName":"users/me/dataTypes/x/dataPoints/5",`+fmt.Sprintf("%q", key)+`:{`+c.value+`}}]}`)
		require.NoError(t, err, name)
		if c.reason != "" {
			require.Equal(t, []string{c.stream + "/5: " + c.reason}, reasonsOf(m), name)
			require.Empty(t, m.records, name)
			continue
		}
		require.Empty(t, reasonsOf(m), name)
		require.Equal(t, c.flags, m.records[0].Span.Flags, name)
	}
	m, err := mapBody("exercise", `{"dataPoints":[{"exercise":{`+span("20T07:00:00", "20T08:00:00")+`,"exerciseType":"YOGA","activeDuration":"-60s"}}]}`)
	require.NoError(t, err)
	require.Equal(t, health.FlagOutOfRange, m.records[0].Values[0].Flags, "a negative duration is kept, flagged")
	m, err = mapBody("sedentary_period", `{"dataPoints":[{"sedentaryPeriod":{"interval":{"startTime":"2026-11-20T07:00:00Z","endTime":"2026-11-20T06:00:00Z"}}}]}`)
	require.NoError(t, err)
	require.Equal(t, []string{"sedentary_period/#1.0: " + reasonEndFirst}, reasonsOf(m))
}

// A wall clock reading alone, on a day on which clocks change, is flagged and
// not moved silently; with an instant beside it there is no doubt.
func TestTimesOnADayOnWhichClocksChange(t *testing.T) {
	civil := func(month, day, hour int) string {
		return fmt.Sprintf(`"civilTime":{"date":{"year":2026,"month":%d,"day":%d},"time":{"hours":%d,"minutes":30}}`, month, day, hour)
	}
	for name, c := range map[string]struct {
		time  string
		flags health.Flags
	}{
		"that the clock skips":       {civil(3, 29, 2), health.FlagNonexistent},
		"that the clock shows twice": {civil(10, 25, 2), health.FlagAmbiguous},
		"the second of the two":      {`"physicalTime":"2026-10-25T01:30:00Z","utcOffset":"3600s",` + civil(10, 25, 2), 0},
		"an ordinary one":            {civil(10, 24, 2), 0},
	} {
		m, err := mapBody("weight", `{"dataPoints":[{"weight":{"sampleTime":{`+c.time+`},"weightGrams":72000}}]}`)
		require.NoError(t, err, name)
		require.Len(t, m.records, 1, name)
		require.Equal(t, c.flags, m.records[0].Span.Flags, name)
	}
}

// Of a point that is there twice the one that changed last counts.
func TestTheFresherOfTwoCounts(t *testing.T) {
	point := func(updated, kind string) string {
		return `{"dataPointName":"users/me/dataTypes/exercise/dataPoints/5","exercise":{"interval":{"startTime":"2026-11-20T07:00:00Z","endTime":"2026-11-20T08:00:00Z"},` +
			`"exerciseType":"` + kind + `","updateTime":"2026-11-` + updated + `T09:00:00Z"}}`
	}
	old, fresh := point("20", "YOGA"), point("21", "RUNNING")
	for _, rows := range []string{old + "," + fresh, fresh + "," + old} {
		m, err := mapBody("exercise", `{"dataPoints":[`+rows+`]}`)
		require.NoError(t, err)
		require.Len(t, m.records, 1)
		require.Contains(t, m.records[0].Texts, health.Text{Name: health.TextSportCode, Value: "RUNNING"})
		require.Equal(t, []string{"exercise/5: " + reasonTwin}, reasonsOf(m))
	}
}

// Names of zones that are none, or that are files, count as not told.
func TestZonesThatAreNone(t *testing.T) {
	for _, name := range []string{"", "Local", "Mars/Phobos", "GMT+25", "../../etc/passwd", "/etc/localtime", strings.Repeat("x", 100)} {
		m, err := mapBody("settings", fmt.Sprintf(`{"languageLocale":"en","timeZone":%q}`, name))
		require.NoError(t, err)
		require.Empty(t, m.personZone, name)
	}
	m, err := mapBody("settings", `{"timeZone":"Asia/Calcutta"}`)
	require.NoError(t, err)
	require.Equal(t, "Asia/Calcutta", m.personZone)
}

// A series with holes, and sums with holes, tell nothing for what is not there.
func TestSeriesWithHoles(t *testing.T) {
	m, err := mapBody("heart_rate", `{"dataPoints":[`+beat("09:00:05", `"64"`)+`,`+beat("07:00:05", `"60"`)+`]}`)
	require.NoError(t, err)
	require.Equal(t, []int64{60, 64}, m.records[0].Series[0].Values)
	m, err = mapBody("steps_daily", `{"rollupDataPoints":[{"civilStartTime":{"date":{"year":2026,"month":11,"day":20}},"steps":{"countSum":"5"}},`+
		`{"civilStartTime":{"date":{"year":2026,"month":11,"day":17}},"steps":{"countSum":7}},{"civilStartTime":{"date":{"year":2026,"month":11,"day":16}},"steps":{"countSum":"x"}}]}`)
	require.NoError(t, err)
	require.Equal(t, []string{"steps_daily/2026-11-20", "steps_daily/2026-11-17"}, keysOf(m))
	require.Len(t, m.quarantined, 1)
}

// A number that no record may hold, such as what float arithmetic leaves over,
// costs no other number of its record.
func TestNumbersThatNoRecordHolds(t *testing.T) {
	for _, number := range []string{"5.551115123125783e-17", "1e40"} {
		m, err := mapBody("exercise", `{"dataPoints":[{"name":"users/1234567890/dataTypes/exercise/dataPoints/7","exercise":{`+
			`"interval":{"startTime":"2026-11-20T07:00:00Z","startUtcOffset":"3600s","endTime":"2026-11-20T08:00:00Z","endUtcOffset":"3600s"},`+
			`"exerciseType":"RUNNING","metricsSummary":{"steps":"9000","elevationGainMillimeters":`+number+`}}}]}`)
		require.NoError(t, err)
		require.Equal(t, []string{"exercise/7"}, keysOf(m), number)
		require.Equal(t, []string{"exercise/7#elevationGainMillimeters: " + reasonType}, reasonsOf(m), number)
		require.Contains(t, m.records[0].Values, health.Value{Metric: health.MetricSteps, Number: health.Int(9000)}, number)
	}
}

// beat returns a heart rate.
func beat(at, bpm string) string {
	return `{"heartRate":{"sampleTime":{"physicalTime":"2026-11-20T` + at + `Z","utcOffset":"3600s"},"beatsPerMinute":` + bpm + `}}`
}

func TestBadDensePoints(t *testing.T) {
	const fine = `{"heartRate":{"sampleTime":{"physicalTime":"2026-11-20T07:00:05Z","utcOffset":"3600s"},"beatsPerMinute":"64"}}`
	for name, c := range map[string]struct {
		point  string
		values []int64
		reason string
	}{
		"a number":           {beat("07:00:06", `65`), []int64{64, 65}, ""},
		"a decimal":          {beat("07:00:06", `"65.5"`), []int64{640, 655}, ""},
		"0 is a heart rate":  {beat("07:00:06", `"0"`), []int64{64, 0}, ""},
		"17 digits":          {beat("07:00:06", `65.123456789012345`), []int64{64_000_000_000_000, 65_123_456_789_012}, ""},
		"value that changes": {beat("07:00:06", `{"avg":65}`), []int64{64}, reasonFit},
		"a word":             {beat("07:00:06", `"fast"`), []int64{64}, reasonFit},
		"1e400":              {beat("07:00:06", `1e400`), []int64{64}, reasonFit},
		"1e30":               {beat("07:00:06", `1e30`), []int64{64}, reasonFit},
		"null":               {beat("07:00:06", `null`), []int64{64}, reasonNoValue},
		"NaN":                {beat("07:00:06", `NaN`), []int64{64}, reasonNotJSON},
		"twice":              {`{"heartRate":{"sampleTime":{"physicalTime":"2026-11-20T07:00:06Z"},"beatsPerMinute":1,"beatsPerMinute":2}}`, []int64{64}, reasonTwice},
		"two values":         {`{"heartRate":{"sampleTime":{"physicalTime":"2026-11-20T07:00:06Z"},"beatsPerMinute":1},"heartRate":{}}`, []int64{64}, reasonTwice},
		"no time":            {`{"heartRate":{"beatsPerMinute":"64"}}`, []int64{64}, reasonTime},
		"a broken time":      {beat("25:00:06", `65`), []int64{64}, reasonTime},
		"of another day":     {strings.Replace(beat("07:00:06", `65`), "11-20", "11-21", 1), []int64{64}, reasonOutside},
		"of another type":    {`{"steps":{"count":"7"}}`, []int64{64}, reasonOther},
		"no point":           {`7`, []int64{64}, reasonNotObject},
		"the same again":     {fine, []int64{64}, ""},
		"another at that":    {beat("07:00:05", `70`), []int64{64}, reasonConflict},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mapBody("heart_rate", `{"dataPoints":[`+fine+`,`+c.point+`]}`)
			require.NoError(t, err)
			require.Equal(t, []string{"heart_rate/2026-11-20"}, keysOf(m))
			require.Equal(t, c.values, m.records[0].Series[0].Values)
			if c.reason == "" {
				require.Empty(t, reasonsOf(m))
			} else {
				require.Len(t, m.quarantined, 1)
				require.Equal(t, c.reason, m.quarantined[0].Reason)
			}
		})
	}
}

func TestTruth(t *testing.T) {
	value := func(m *mapper, metric health.Metric, stat health.Stat, part health.Part) string {
		for _, v := range m.records[0].Values {
			if v.Metric == metric && v.Stat == stat && v.Part == part {
				return v.Number.String()
			}
		}
		return "none"
	}
	text := func(m *mapper, name string) string {
		for _, tx := range m.records[0].Texts {
			if tx.Name == name {
				return tx.Value
			}
		}
		return ""
	}
	t.Run("exercise", func(t *testing.T) {
		m, err := mapBodyAs("exercise", "", `{"dataPoints":[{"name":"users/2515055256096816351/dataTypes/exercise/dataPoints/8896720705097069096",
 "dataSource":{"recordingMethod":"MANUAL","platform":"FITBIT"},
 "exercise":{"interval":{"startTime":"2026-02-23T13:10:00Z","startUtcOffset":"-18000s","endTime":"2026-02-23T13:25:00Z","endUtcOffset":"-18000s"},
  "exerciseType":"WALKING","metricsSummary":{"caloriesKcal":16,"distanceMillimeters":1609344,"steps":"2038","averagePaceSecondsPerMeter":0.5592,"activeZoneMinutes":"0"},
  "exerciseMetadata":{},"displayName":"Walk","activeDuration":"900s",
  "exerciseEvents":[{"eventTime":"2026-02-23T13:10:00Z","eventUtcOffset":"-18000s","exerciseEventType":"START"}]}}],"nextPageToken":""}`)
		require.NoError(t, err)
		require.Empty(t, reasonsOf(m))
		r := m.records[0]
		require.Equal(t, "exercise/8896720705097069096", r.Key)
		require.Equal(t, "1609.344", value(m, health.MetricDistance, health.StatValue, ""))
		require.Equal(t, "559.2", value(m, health.MetricPace, health.StatMean, ""))
		require.Equal(t, "900", value(m, health.MetricExerciseDuration, health.StatValue, ""))
		require.Equal(t, "walking", text(m, health.TextSport))
		require.Equal(t, "WALKING", text(m, health.TextSportCode))
		require.Equal(t, health.MethodSelfReported, r.Method)
		require.Equal(t, "FITBIT", r.Source.Upstream)
		require.Equal(t, "2026-02-23T08:10:00.000-05:00", r.Span.Start.String())
		require.Equal(t, health.ZoneFromRecord, r.Span.Zone)
		require.Equal(t, health.EventStart, r.Segments[0].Label)
	})
	t.Run("sleep is filed by its end", func(t *testing.T) {
		m, err := mapBody("sleep", `{"dataPoints":[{"dataPointName":"users/me/dataTypes/sleep/dataPoints/5","sleep":{"interval":{`+
			`"startTime":"2026-11-18T16:00:00Z","startUtcOffset":"3600s","endTime":"2026-11-18T23:30:00Z","endUtcOffset":"3600s"},`+
			`"summary":{"minutesAsleep":"412","stagesSummary":[{"type":"DEEP","minutes":"104","count":"5"}]},"metadata":{"mainSleep":true},"updateTime":"2026-11-19T05:00:00.123456789Z"}}]}`)
		require.NoError(t, err)
		require.Equal(t, "2026-11-19", m.records[0].Span.Day.String())
		require.Equal(t, "24720", value(m, health.MetricSleepDuration, health.StatValue, ""))
		require.Equal(t, "6240", value(m, health.MetricSleepDeep, health.StatValue, ""))
		require.Equal(t, time.Date(2026, 11, 19, 5, 0, 0, 123_000_000, time.UTC).UnixMilli(), m.records[0].Rev.Order)
		require.Equal(t, "unprocessed", text(m, health.TextSleepStatus))
	})
	t.Run("short awakenings lie over the stages", func(t *testing.T) {
		m, err := mapBody("sleep", night(`"stages":[`+stageOf("LIGHT", "19T22:00:00", "19T23:00:00")+`,`+stageOf("DEEP", "19T23:00:00", "20T06:00:00")+
			`],"shortAwakenings":[`+stageOf("AWAKE", "19T22:30:00", "19T22:32:00")+`,`+stageOf("AWAKE", "19T22:59:00", "19T23:01:00")+
			`],"outOfBedSegments":[`+stageOf("", "19T22:30:00", "19T22:31:00")+`],"metadata":{"processed":true}`))
		require.NoError(t, err)
		require.Empty(t, reasonsOf(m))
		minutes, tracks := map[string]int64{}, map[string]int64{}
		for _, s := range m.records[0].Segments {
			length := (s.End.SortMilli() - s.Start.SortMilli()) / 60_000
			tracks[s.Track] += length
			if s.Track == health.TrackStage {
				minutes[s.Label] += length
			}
		}
		require.Equal(t, map[string]int64{health.StageLight: 57, health.StageDeep: 419, health.StageAwake: 3, health.StageOutOfBed: 1}, minutes)
		require.Equal(t, map[string]int64{health.TrackStage: 480, health.TrackShortAwake: 4}, tracks, "the stages tile the night")
	})
	t.Run("the number of times awake", func(t *testing.T) {
		m, err := mapBody("sleep", night(`"summary":{"stagesSummary":[{"type":"AWAKE","minutes":"50","count":"12"},{"type":"REM","minutes":"70","count":"4"}]}`))
		require.NoError(t, err)
		require.Equal(t, "12", value(m, health.MetricSleepAwakenings, health.StatValue, ""))
		require.Equal(t, "4", value(m, health.MetricSleepStageEpisodes, health.StatValue, health.PartREM))
	})
	t.Run("a creation is no change", func(t *testing.T) {
		m, err := mapBody("sleep", night(`"createTime":"2026-11-20T06:05:00Z","type":"STAGES"`))
		require.NoError(t, err)
		require.Equal(t, answered.UnixMilli(), m.records[0].Rev.Order, "or what changes later would be as old")
	})
	t.Run("active zone minutes have a total", func(t *testing.T) {
		const day = `{"rollupDataPoints":[{"civilStartTime":{"date":{"year":2026,"month":11,"day":20}},"activeZoneMinutes":{`
		m, err := mapBody("active_zone_minutes_daily", day+`"sumInFatBurnHeartZone":"12","sumInCardioHeartZone":"20","sumInPeakHeartZone":"0"}}]}`)
		require.NoError(t, err)
		require.Equal(t, "32", value(m, health.MetricActiveZoneMinutes, health.StatValue, ""))
		require.Equal(t, "20", value(m, health.MetricActiveZoneMinutes, health.StatValue, health.PartZone2))
		m, err = mapBody("active_zone_minutes_daily", day+`"sumInFatBurnHeartZone":"12","sumInPeakHeartZone":"x"}}]}`)
		require.NoError(t, err)
		require.Equal(t, "none", value(m, health.MetricActiveZoneMinutes, health.StatValue, ""), "a part of it is not known")
		require.Len(t, m.quarantined, 1)
	})
	t.Run("what a day adds up to is of the day", func(t *testing.T) {
		for i := range streams {
			if streams[i].shape == shapeDays {
				require.Equal(t, health.KindDaily, streams[i].kind, streams[i].name)
			}
		}
	})
	t.Run("a true zero", func(t *testing.T) {
		interval := `"interval":{"startTime":"2026-11-20T07:0%d:00Z","startUtcOffset":"3600s","endTime":"2026-11-20T07:0%d:59Z","endUtcOffset":"3600s"}`
		m, err := mapBody("steps", `{"dataPoints":[{"steps":{`+fmt.Sprintf(interval, 1, 1)+`}},{"steps":{`+fmt.Sprintf(interval, 0, 0)+`,"count":"57"}}]}`)
		require.NoError(t, err)
		s := m.records[0].Series[0]
		require.Equal(t, []int64{57, 0}, s.Values)
		require.Equal(t, time.Date(2026, 11, 19, 23, 0, 0, 0, time.UTC).UnixMilli(), s.From, "complete for the day in Berlin")
		require.Equal(t, int64(24*3600*1000), s.To-s.From)
	})
	t.Run("civil times", func(t *testing.T) {
		civil := `"civilTime":{"date":{"year":2026,"month":11,"day":20},"time":{"hours":8}}`
		for times, want := range map[string]string{
			`{"physicalTime":"2026-11-20T07:00:00Z","utcOffset":"0s"}`:  "2026-11-20T07:00:00.000+00:00",
			`{"physicalTime":"2026-11-20T07:00:00Z",` + civil + `}`:     "2026-11-20T08:00:00.000+01:00",
			`{"physicalTime":"2026-11-20T02:30:00Z",` + civil + `}`:     "2026-11-20T08:00:00.000+05:30",
			`{"physicalTime":"2026-11-20T08:00:00Z",` + civil + `}`:     "2026-11-20T08:00:00.000Z",
			`{"physicalTime":"2026-11-20T07:00:00.250Z",` + civil + `}`: "2026-11-20T08:00:00.250+01:00",
			`{"physicalTime":"2026-11-20T13:00:00.250Z",` + civil + `}`: "2026-11-20T08:00:00.250-05:00",
			`{"physicalTime":"2026-11-20T08:00:00.250Z",` + civil + `}`: "2026-11-20T08:00:00.250Z",
			`{` + civil + `}`: "2026-11-20T08:00:00.000",
			`{"civilTime":{"date":{"year":2026,"month":11,"day":20}}}`: "2026-11-20T00:00:00.000",
		} {
			st := streamNamed("weight")
			m := newMapper(st, health.RawPage{Stream: "weight", Date: answered, Bodies: []health.RawBody{{Name: "weight:list", Body: []byte(
				`{"dataPoints":[{"weight":{"sampleTime":` + times + `,"weightGrams":1}}]}`)}}})
			require.NoError(t, m.page())
			require.Len(t, m.records, 1, times)
			require.Equal(t, want, m.records[0].Span.Start.String())
		}
	})
	t.Run("night above baseline", func(t *testing.T) {
		m, err := mapBody("daily_sleep_temperature_derivations", `{"dataPoints":[{"dailySleepTemperatureDerivations":{"date":{"year":2026,"month":11,"day":20},`+
			`"nightlyTemperatureCelsius":34.2,"baselineTemperatureCelsius":34.35}}]}`)
		require.NoError(t, err)
		require.Equal(t, "-0.15", value(m, health.MetricSkinTemperatureDeviation, health.StatValue, ""))
	})
	t.Run("daily sums", func(t *testing.T) {
		m, err := mapBody("distance_daily", `{"rollupDataPoints":[{"civilStartTime":{"date":{"year":2026,"month":11,"day":20}},`+
			`"civilEndTime":{"date":{"year":2026,"month":11,"day":21}},"distance":{"millimetersSum":"8560123"}}]}`)
		require.NoError(t, err)
		require.Equal(t, "distance_daily/2026-11-20", m.records[0].Key)
		require.Equal(t, "8560.123", value(m, health.MetricDistance, health.StatValue, ""))
		require.Equal(t, "2026-11-20", m.records[0].Span.Day.String())
	})
	t.Run("hours", func(t *testing.T) {
		m, err := mapBody("steps_hourly", `{"rollupDataPoints":[`+
			`{"startTime":"2026-11-20T10:00:00Z","endTime":"2026-11-20T11:00:00Z","steps":{"countSum":"7"}},`+
			`{"startTime":"2026-11-19T23:00:00Z","endTime":"2026-11-20T00:00:00Z","steps":{"countSum":"5"}},`+
			`{"startTime":"2026-11-19T22:00:00Z","endTime":"2026-11-19T23:00:00Z","steps":{"countSum":"3"}},`+
			`{"startTime":"2026-11-21T22:00:00Z","endTime":"2026-11-21T23:00:00Z","steps":{"countSum":"9"}}]}`)
		require.NoError(t, err)
		require.Equal(t, []string{"steps_hourly/2026-11-19", "steps_hourly/2026-11-20"}, keysOf(m))
		require.Equal(t, []int64{5, 7}, m.records[1].Series[0].Values)
		require.Equal(t, []string{"steps_hourly/#1.3: " + reasonOutside}, reasonsOf(m))
	})
	t.Run("electrocardiogram", func(t *testing.T) {
		m, err := mapBody("electrocardiogram", `{"dataPoints":[{"electrocardiogram":{"interval":{"startTime":"2026-11-20T07:00:00Z","endTime":"2026-11-20T07:00:01Z"},`+
			`"resultClassification":"ATRIAL_FIBRILLATION","samplingFrequencyHertz":250,"millivoltsScalingFactor":1000,"waveformSamples":[1,-2,3]}},`+
			`{"electrocardiogram":{"interval":{"startTime":"2026-11-21T13:00:00Z","endTime":"2026-11-21T13:00:01Z"},"leadNumber":1}}]}`)
		require.NoError(t, err)
		require.Len(t, m.records, 1, "what is behind the window is left out")
		s := m.records[0].Series[0]
		require.Equal(t, []int64{1000, -2000, 3000}, s.Values)
		require.Equal(t, int8(-3), s.Exp)
		require.Equal(t, int64(8), s.Times[2]-s.Times[0])
		require.Equal(t, health.RhythmPositive, text(m, health.TextAFibResult))
	})
}

// A day of more changes than a record has room for keeps what fits, and says so.
func TestTooManyLabels(t *testing.T) {
	var c collected
	for i := range int64(health.MaxSegments + 1) {
		at := health.Instant(answered.UnixMilli() + i)
		c.labels = append(c.labels, labelled{word: []string{"ACTIVE", "SEDENTARY"}[i%2], from: at, to: at})
	}
	list, whole := c.segments("heartRate")
	require.False(t, whole)
	require.Len(t, list, health.MaxSegments)
	c.labels = c.labels[1:]
	list, whole = c.segments("heartRate")
	require.True(t, whole)
	require.Len(t, list, health.MaxSegments)
}

// Each data type is read by each operation that it has, of list and reconcile by
// one stream.
func TestEachOperationIsRead(t *testing.T) {
	shapes := map[string]map[shape]bool{}
	for i := range streams {
		if s := &streams[i]; s.data != nil {
			if shapes[s.data.path] == nil {
				shapes[s.data.path] = map[shape]bool{}
			}
			shapes[s.data.path][s.shape] = true
		}
	}
	for i := range dataTypes {
		d := &dataTypes[i]
		got := shapes[d.path]
		require.Equal(t, d.can(points), got[shapeRecords] || got[shapeDense], "points of %s", d.path)
		require.Equal(t, d.can(canDailyRollUp), got[shapeDays], "days of %s", d.path)
		require.Equal(t, d.can(canRollUp), got[shapeHours], "hours of %s", d.path)
	}
}

// What stands in a person's logs is summed up by the hour, too.
func TestHoursOfLogs(t *testing.T) {
	for stream, c := range map[string]struct {
		body   string
		metric health.Metric
		stat   health.Stat
		value  float64
	}{
		"weight_hourly":                {`"weight":{"weightGramsAvg":70532}`, health.MetricBodyWeight, health.StatMean, 70.532},
		"body_fat_hourly":              {`"bodyFat":{"bodyFatPercentageAvg":18.5}`, health.MetricBodyFatPercentage, health.StatMean, 18.5},
		"blood_glucose_hourly":         {`"bloodGlucose":{"bloodGlucoseMilligramsPerDeciliterAvg":95.5}`, health.MetricBloodGlucose, health.StatMean, 95.5},
		"core_body_temperature_hourly": {`"coreBodyTemperature":{"temperatureCelsiusAvg":36.7}`, health.MetricBodyTemperature, health.StatMean, 36.7},
		"run_vo2_max_hourly":           {`"runVo2Max":{"rateAvg":43.8}`, health.MetricVO2Max, health.StatMean, 43.8},
		"swim_lengths_data_hourly":     {`"swimLengthsData":{"strokeCountSum":"12"}`, health.MetricSwimStrokes, health.StatValue, 12},
		"hydration_log_hourly":         {`"hydrationLog":{"amountConsumed":{"millilitersSum":1250}}`, health.MetricWaterIntake, health.StatValue, 1250},
		"nutrition_log_hourly":         {`"nutritionLog":{"energy":{"kcalSum":640}}`, health.MetricEnergyIntake, health.StatValue, 640},
	} {
		m, err := mapBody(stream, `{"rollupDataPoints":[{"startTime":"2026-11-19T07:00:00Z","endTime":"2026-11-19T08:00:00Z",`+c.body+`}]}`)
		require.NoError(t, err, stream)
		require.Empty(t, reasonsOf(m), stream)
		require.Equal(t, []string{stream + "/2026-11-19"}, keysOf(m))
		require.Len(t, m.records[0].Series, 1, stream)
		s := m.records[0].Series[0]
		require.Equal(t, c.metric, s.Metric)
		require.Equal(t, c.stat, s.Stat)
		require.InDelta(t, c.value, health.Decimal{Coefficient: s.Values[0], Exponent: s.Exp}.Float(), 1e-9)
	}
}
