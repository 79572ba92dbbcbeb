package withings

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
)

// Two devices of one class in one night are two records, whichever comes first;
// the one key without a name is always the same one's.
func TestNightsOfSeveralDevices(t *testing.T) {
	row := func(device, model string) string {
		return `{"startdate":1795215600,"enddate":1795219200,"state":1,"hash_deviceid":"` + device + `","model":"` + model + `"}`
	}
	night := func(rows string) []string {
		m, err := mapBody(streamSleep, "sleep/get"+dayName, `{"status":0,"body":{"series":[`+rows+`],"model":32}}`)
		require.NoError(t, err)
		require.Empty(t, m.quarantined)
		return keysOf(m)
	}
	mat, watch, other := row("m", "Sleep Monitor"), row("w", "Activity Tracker"), row("a", "Activity Tracker")
	require.Equal(t, []string{"sleep/2026-11-21/sleep_monitor", "sleep/2026-11-21/activity_tracker"}, night(mat+","+watch))
	want := []string{"sleep/2026-11-21/activity_tracker", "sleep/2026-11-21/activity_tracker.w"}
	require.ElementsMatch(t, want, night(watch+","+other))
	require.ElementsMatch(t, want, night(other+","+watch))
	require.Equal(t, []string{"sleep/2026-11-21/x"}, night(row("x", "Something New")))
}

// What a watch and what a telephone counted of one date are two records, and so
// is what another application told.
func TestWatchAndTelephone(t *testing.T) {
	watch := `{"date":"2026-11-20","brand":1,"is_tracker":true,"deviceid":"a","modelid":93,"modified":1795200000,"steps":9000}`
	phone := `{"date":"2026-11-20","brand":1,"is_tracker":false,"modelid":1051,"modified":1795210000,"steps":4000}`
	other := `{"date":"2026-11-20","brand":18,"is_tracker":false,"modelid":1055,"modified":1795200000,"steps":3}`
	want := []string{"activity/2026-11-20/withings", "activity/2026-11-20/withings_app", "activity/2026-11-20/brand_18.model_1055"}
	for _, rows := range []string{watch + "," + phone + "," + other, other + "," + phone + "," + watch} {
		m, err := mapBody(streamActivity, "getactivity", `{"status":0,"body":{"activities":[`+rows+`]}}`)
		require.NoError(t, err)
		require.Empty(t, m.quarantined)
		require.ElementsMatch(t, want, keysOf(m))
	}
}

// Of two watches of one date the row that was modified last is the day, in
// whichever order they come and whether in one page or in two. What is set aside
// is the other row, whole.
func TestTwoWatches(t *testing.T) {
	row := func(device, steps, modified string) string {
		return `{"date":"2026-11-20","brand":1,"is_tracker":true,"deviceid":"` + device + `","modified":` + modified + `,"steps":` + steps + `}`
	}
	for name, c := range map[string]struct{ wins, loses string }{
		"modified last":      {row("b", "2", "1795210000"), row("a", "1", "1795200000")},
		"in the same second": {row("b", "2", "1795210000"), row("a", "1", "1795210000")},
	} {
		t.Run(name, func(t *testing.T) {
			page := func(rows string) *mapper {
				m, err := mapBody(streamActivity, "getactivity", `{"status":0,"body":{"activities":[`+rows+`]}}`)
				require.NoError(t, err)
				require.Equal(t, []string{"activity/2026-11-20/withings"}, keysOf(m))
				return m
			}
			alone := func(row string) health.Record {
				r := page(row).records[0]
				r.Rev.Fingerprint = r.Fingerprint()
				return r
			}
			first, second := alone(c.wins), alone(c.loses)
			if verdict, _ := health.Decide(first.Rev, second.Rev); verdict == health.Replace {
				require.Equal(t, "in the same second", name)
				c.wins, c.loses, first = c.loses, c.wins, second
			}
			for _, rows := range []string{c.wins + "," + c.loses, c.loses + "," + c.wins} {
				m := page(rows)
				require.Equal(t, first.Source.Device, m.records[0].Source.Device, "as if they came in two pages")
				require.Equal(t, []string{"activity/2026-11-20/withings: " + reasonTwin}, reasonsOf(m))
				require.Equal(t, c.loses, string(m.quarantined[0].Raw))
			}
		})
	}
}

// The number of a model under either name, or both.
func TestModelIDs(t *testing.T) {
	for _, members := range []string{`"modelid":93`, `"model_id":93`, `"modelid":93,"model_id":93`, `"model_id":93,"modelid":null`} {
		m, err := mapBody(streamActivity, "getactivity", `{"status":0,"body":{"activities":[{"date":"2026-11-20","brand":1,`+members+`}]}}`)
		require.NoError(t, err)
		require.Empty(t, m.quarantined, members)
		require.Equal(t, "ScanWatch", m.records[0].Texts[0].Value, members)
	}
	m, err := mapBody(streamActivity, "getactivity", `{"status":0,"body":{"activities":[{"date":"2026-11-20","brand":1,"modelid":93,"modelid":93}]}}`)
	require.NoError(t, err)
	require.Len(t, m.quarantined, 1)
}

// The night in which clocks go back is longer than a day, and is in two answers.
// Neither names a device in the OAuth 1.0 era: it is one night of one device.
func TestLegacyNightInTwoAnswers(t *testing.T) {
	body := func(start, end, model string) []byte {
		return []byte(`{"status":0,"body":{"series":[{"startdate":` + start + `,"enddate":` + end + `,"state":1}],"model":` + model + `}}`)
	}
	night := func(second string) *mapper {
		const name = legacyBodies + "sleep/get/2018-10-28/"
		m := newMapper(health.RawPage{Stream: streamSleep, Date: legacyDate.AddDate(1, 0, 0), Zone: "Europe/Paris", Bodies: []health.RawBody{
			{Name: name + "1540634400-1540720800", Body: body("1540684800", "1540690000", "16")},
			{Name: name + "1540720800-1540724400", Body: body("1540720900", "1540721000", second)},
		}})
		require.NoError(t, legacyStreams[streamSleep].mapPage(m))
		require.Empty(t, m.quarantined)
		return m
	}
	one := night("16")
	require.Equal(t, []string{"sleep/2018-10-28/activity_tracker"}, keysOf(one))
	require.Len(t, one.records[0].Segments, 2)
	require.ElementsMatch(t, []string{"sleep/2018-10-28/activity_tracker", "sleep/2018-10-28/sleep_monitor"}, keysOf(night("32")))
}

// Rows that tell the number of a model, and not all of them its name, are of one
// device: none of them is set aside.
func TestRowsThatNameAModelInDifferentWays(t *testing.T) {
	for _, rows := range [][3]string{
		{`"model":"ScanWatch","model_id":93`, `"model_id":93`, `"model":93`},
		{`"model":93`, `"model":null,"model_id":93`, `"model":"ScanWatch","model_id":93`},
	} {
		m, err := mapBody(streamIntraday, "getintradayactivity"+dayName, `{"status":0,"body":{"series":{`+
			`"1795215600":{"steps":4,`+rows[0]+`},"1795215660":{"steps":5,`+rows[1]+`},"1795215720":{"steps":6,`+rows[2]+`}}}}`)
		require.NoError(t, err)
		require.Empty(t, reasonsOf(m))
		require.Equal(t, []string{"intraday/2026-11-21/model_93"}, keysOf(m))
		require.Len(t, m.records[0].Series, 1)
		require.Equal(t, []int64{4, 5, 6}, m.records[0].Series[0].Values)

		m, err = mapBody(streamSleep, "sleep/get"+dayName, `{"status":0,"body":{"model":16,"series":[`+
			`{"startdate":1795215600,"enddate":1795219200,"state":2,`+rows[0]+`},`+
			`{"startdate":1795219200,"enddate":1795222800,"state":1,`+rows[1]+`},`+
			`{"startdate":1795222800,"enddate":1795226400,"state":2,`+rows[2]+`}]}}`)
		require.NoError(t, err)
		require.Empty(t, reasonsOf(m))
		require.Equal(t, []string{"sleep/2026-11-21/activity_tracker"}, keysOf(m))
		require.Len(t, m.records[0].Segments, 3)
	}
}
