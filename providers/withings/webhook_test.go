package withings

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

func TestNotifications(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	p := testProvider(t)
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
	date := func(text string) health.Day {
		d, err := health.ParseDay(text)
		require.NoError(t, err)
		return d
	}
	measures := []string{streamMeasures}
	for _, c := range []struct {
		row, form string
		streams   []string // nil: nothing is said
		window    health.Window
	}{
		{"weight", "userid=363&appli=1&startdate=1795262400&enddate=1795262460", measures,
			health.Window{From: at(1795262340), To: at(1795262520)}},
		{"same second twice", "userid=363&appli=1&startdate=1795262400&enddate=1795262400", measures,
			health.Window{From: at(1795262340), To: at(1795262460)}},
		{"activity by date", "userid=363&appli=16&date=2026-11-20", []string{streamActivity, streamWorkouts, streamIntraday},
			health.Window{First: date("2026-11-20"), Last: date("2026-11-20")}},
		{"activity by epoch", "userid=363&appli=16&date=1795176000", []string{streamActivity, streamWorkouts, streamIntraday},
			health.Window{First: date("2026-11-19"), Last: date("2026-11-21")}},
		{"sleep", "userid=363&appli=44", []string{streamSleepSummary, streamSleep}, health.Window{}},
		{"pressure", "userid=363&appli=4", []string{streamMeasures, streamHeart}, health.Window{}},
		{"profile", "userid=363&appli=46&action=update", []string{streamDevices, streamGoals}, health.Window{}},
		{"H29 date of zeros", "userid=363&appli=16&date=0000-00-00", []string{streamActivity, streamWorkouts, streamIntraday}, health.Window{}},
		{"H29 date of the year 9999", "userid=363&appli=16&date=9999-12-31", []string{streamActivity, streamWorkouts, streamIntraday}, health.Window{}},
		{"H29 tomorrow", "userid=363&appli=16&date=2026-11-22", []string{streamActivity, streamWorkouts, streamIntraday},
			health.Window{First: date("2026-11-22"), Last: date("2026-11-22")}},
		{"H30 backwards", "userid=363&appli=1&startdate=1795262460&enddate=1795262400", measures, health.Window{}},
		{"H30 zero", "userid=363&appli=1&startdate=0&enddate=0", measures, health.Window{}},
		{"H30 1e18", "userid=363&appli=1&startdate=1&enddate=1000000000000000000", measures, health.Window{}},
		{"H30 exponent", "userid=363&appli=1&startdate=1e9&enddate=1e18", measures, health.Window{}},
		{"H30 text", "userid=363&appli=1&startdate=soon&enddate=later", measures, health.Window{}},
		{"H30 missing", "userid=363&appli=1", measures, health.Window{}},
		{"H31 unknown kind", "userid=363&appli=999", nil, health.Window{}},
		{"H31 no kind", "userid=363", nil, health.Window{}},
		{"bed in", "userid=363&appli=50&date=2026-11-20", nil, health.Window{}},
	} {
		t.Run(c.row, func(t *testing.T) {
			notes, err := p.ParseWebhook(now, &providers.WebhookRequest{Method: http.MethodPost, Body: []byte(c.form)})
			require.NoError(t, err)
			if c.streams == nil {
				require.Empty(t, notes)
				return
			}
			require.Len(t, notes, 1)
			require.Equal(t, "363", notes[0].UpstreamID)
			require.Equal(t, providers.EventData, notes[0].Event)
			require.Equal(t, c.streams, notes[0].Streams)
			require.Equal(t, c.window, notes[0].Window)
			require.Empty(t, notes[0].Records)
		})
	}
	for _, action := range []string{"delete", "unlink"} { // H32
		notes, err := p.ParseWebhook(now, &providers.WebhookRequest{Body: []byte("userid=363&appli=46&action=" + action)})
		require.NoError(t, err)
		require.Len(t, notes, 1)
		require.Equal(t, providers.EventDeauth, notes[0].Event)
	}
	for row, form := range map[string]string{
		"no user": "appli=1", "user is text": "userid=me&appli=1", "user of 20 digits": "userid=" + strings.Repeat("1", 20),
		"negative user": "userid=-1&appli=1", "not a form": "%zz", "H33 user twice": "userid=363&userid=364&appli=1",
		"H33 a hundred thousand keys": "userid=363&appli=1" + strings.Repeat("&k=v", 100_000),
		"H33 65 keys":                 "userid=363" + strings.Repeat("&a=", 64),
	} {
		t.Run(row, func(t *testing.T) {
			_, err := p.ParseWebhook(now, &providers.WebhookRequest{Body: []byte(form)})
			require.ErrorIs(t, err, providers.ErrMalformed)
		})
	}
}

func TestAddressIsThere(t *testing.T) {
	p := testProvider(t)
	for _, r := range []*providers.WebhookRequest{{Method: "HEAD"}, {Method: "GET"}, {Method: "POST"}} {
		answer, ok := p.ProbeWebhook(r)
		require.True(t, ok)
		require.Equal(t, 200, answer.Status)
	}
	for _, r := range []*providers.WebhookRequest{{Method: "PUT"}, {Method: "POST", Body: []byte("userid=1")}} {
		_, ok := p.ProbeWebhook(r)
		require.False(t, ok)
	}
}
