package withings

import (
	"testing"

	"github.com/stretchr/testify/require"
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

// A day of Withings' own is one record; of two rows that claim to be it the
// fresher one counts, and the other is set aside and not lost.
func TestOneDayOfWithings(t *testing.T) {
	m, err := mapBody(streamActivity, "getactivity", `{"status":0,"body":{"activities":[
		{"date":"2026-11-20","brand":1,"deviceid":"a","modified":1795200000,"steps":1},
		{"date":"2026-11-20","brand":18,"modelid":1055,"modified":1795200000,"steps":3},
		{"date":"2026-11-20","brand":1,"deviceid":"b","modified":1795210000,"steps":2}]}}`)
	require.NoError(t, err)
	require.Equal(t, []string{"activity/2026-11-20/withings", "activity/2026-11-20/brand_18.model_1055"}, keysOf(m))
	require.Equal(t, "b", m.records[0].Source.Device)
	require.Equal(t, []string{"activity/2026-11-20/withings: " + reasonTwin}, reasonsOf(m))
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
