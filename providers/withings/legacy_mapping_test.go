package withings

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// legacyDate is when the answers in testdata of the OAuth 1.0 era came.
var legacyDate = time.Date(2018, 3, 28, 10, 0, 0, 0, time.UTC)

// legacyNight names the answer for the night in testdata.
const legacyNight = legacyBodies + "sleep/get/2018-03-20/1521457200-1521543600"

var legacyFixtures = []struct{ stream, name, file string }{
	{streamMeasures, legacyBodies + "getmeas", "legacy_getmeas"},
	{streamActivity, legacyBodies + "getactivity", "legacy_getactivity"},
	{streamActivity, legacyBodies + "getactivity", "legacy_getactivity_date"},
	{streamWorkouts, legacyBodies + "getworkouts", "legacy_getworkouts"},
	{streamSleepSummary, legacyBodies + "sleep/getsummary", "legacy_sleep_getsummary"},
	{streamSleep, legacyNight, "legacy_sleep_get"},
}

// TestLegacyMapping compares what testdata maps to with the records that were
// looked over by a person.
func TestLegacyMapping(t *testing.T) {
	for _, f := range legacyFixtures {
		t.Run(f.file, func(t *testing.T) {
			m := newMapper(health.RawPage{Stream: f.stream, Date: legacyDate, Zone: "Europe/Paris", Bodies: []health.RawBody{{
				Name: f.name, Body: read(t, f.file+".json"),
			}}})
			require.NoError(t, legacyStreams[f.stream].mapPage(m))
			var out strings.Builder
			for i := range m.records {
				require.NoError(t, m.records[i].Validate(legacyDate))
				require.Equal(t, legacyDate.UnixMilli(), m.records[i].Rev.Order, "as new as the answer")
				describe(&out, &m.records[i])
			}
			for _, q := range m.quarantined {
				fmt.Fprintf(&out, "QUARANTINED %s: %s\n", q.Key, q.Reason)
			}
			file := "testdata/" + f.file + ".records"
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), out.String())
		})
	}
}

// The same datum, as both eras write it, becomes a record of one key, metric and
// unit. The elevation alone is another quantity: metres then, floors now.
func TestBothErasAreOneRecord(t *testing.T) {
	for _, c := range []struct {
		stream, name string
		then, now    string
		elevation    bool
	}{
		{
			streamMeasures, "getmeas",
			`{"measuregrps":[{"grpid":7,"attrib":0,"date":1521525600,"category":1,"measures":[{"value":72150,"type":1,"unit":-3},{"value":61,"type":11,"unit":0}]}]}`,
			`{"measuregrps":[{"grpid":7,"attrib":0,"date":1521525600,"created":1521525700,"modified":1521525700,"category":1,"deviceid":"d","hash_deviceid":"d","measures":[{"value":72150,"type":1,"unit":-3,"algo":0,"fm":3},{"value":61,"type":11,"unit":0,"algo":0,"fm":3}],"modelid":6,"model":"Body Cardio","comment":null}],"timezone":"Europe/Paris"}`,
			false,
		},
		{
			streamActivity, "getactivity",
			`{"activities":[{"date":"2018-03-20","timezone":"Europe/Paris","steps":9,"distance":7.5,"calories":3.1,"totalcalories":22,"elevation":3.048,"soft":4,"moderate":3,"intense":2}]}`,
			`{"activities":[{"date":"2018-03-20","timezone":"Europe/Paris","deviceid":"d","hash_deviceid":"d","brand":1,"is_tracker":true,"modified":1521590000,"model":"Steel HR","modelid":55,"steps":9,"distance":7.5,"calories":3.1,"totalcalories":22,"elevation":1,"soft":4,"moderate":3,"intense":2}],"more":false,"offset":0}`,
			true,
		},
		{
			streamActivity, "getactivity",
			`{"date":"2018-03-20","timezone":"Europe/Paris","steps":9}`,
			`{"activities":[{"date":"2018-03-20","timezone":"Europe/Paris","deviceid":null,"brand":1,"modified":1521590000,"steps":9}],"more":false,"offset":0}`,
			false,
		},
		{
			streamWorkouts, "getworkouts",
			`{"series":[{"id":5,"userid":363,"category":2,"timezone":"Europe/Paris","model":55,"attrib":0,"startdate":1521565200,"enddate":1521568800,"date":"2018-03-20","modified":1521569100,"data":{"calories":412,"steps":8011,"elevation":3.048}}]}`,
			`{"series":[{"id":5,"category":2,"timezone":"Europe/Paris","model":55,"attrib":0,"startdate":1521565200,"enddate":1521568800,"date":"2018-03-20","modified":1521569100,"deviceid":"d","data":{"calories":412,"steps":8011,"elevation":1}}],"more":false,"offset":0}`,
			true,
		},
		{
			streamSleepSummary, "sleep/getsummary",
			`{"more":false,"series":[{"id":5,"timezone":"Europe/Paris","model":32,"startdate":1521498600,"enddate":1521525900,"date":"2018-03-20","modified":1521526800,"data":{"lightsleepduration":16500,"remsleepduration":1,"durationtosleep":600}}]}`,
			`{"series":[{"id":5,"timezone":"Europe/Paris","model":32,"model_id":63,"hash_deviceid":"d","startdate":1521498600,"enddate":1521525900,"date":"2018-03-20","created":1521526800,"modified":1521526800,"data":{"lightsleepduration":16500,"remsleepduration":1,"sleep_latency":600}}],"more":false,"offset":0}`,
			false,
		},
		{
			streamSleep, strings.TrimPrefix(legacyNight, legacyBodies),
			`{"series":[{"startdate":1521498600,"enddate":1521500400,"state":1}],"model":16}`,
			`{"series":[{"startdate":1521498600,"enddate":1521500400,"state":1,"model":"Activity Tracker","model_id":55,"hash_deviceid":"d"}],"model":16}`,
			false,
		},
	} {
		t.Run(c.stream, func(t *testing.T) {
			record := func(name, body string) health.Record {
				m := newMapper(health.RawPage{Stream: c.stream, Date: legacyDate, Zone: "Europe/Paris", Bodies: []health.RawBody{{
					Name: name, Body: []byte(`{"status":0,"body":` + body + `}`),
				}}})
				require.NoError(t, streams[c.stream].mapPage(m))
				require.Empty(t, m.quarantined)
				require.Len(t, m.records, 1)
				return m.records[0]
			}
			then, now := record(legacyBodies+c.name, c.then), record(c.name, c.now)
			require.Equal(t, now.Key, then.Key)
			require.Equal(t, now.Kind, then.Kind)
			require.Equal(t, now.Segments, then.Segments)
			require.Equal(t, now.Span.Start, then.Span.Start)
			require.Equal(t, now.Span.End, then.Span.End)
			require.Equal(t, now.Span.Day, then.Span.Day)
			values := func(r health.Record) map[string]string {
				all := map[string]string{}
				for _, v := range r.Values {
					all[fmt.Sprint(v.Metric, v.Stat, v.Part)] = v.Number.String()
				}
				return all
			}
			old, fresh := values(then), values(now)
			if c.elevation {
				metres, floors := fmt.Sprint(health.MetricElevationGain, health.StatValue, ""), fmt.Sprint(health.MetricFloorsClimbed, health.StatValue, "")
				require.Equal(t, "3.048", old[metres])
				require.Equal(t, "1", fresh[floors])
				delete(old, metres)
				delete(fresh, floors)
			}
			require.Equal(t, fresh, old)
			if c.stream == streamSleep {
				return
			}
			// What was not modified since the answer of then is not news.
			then.Rev.Fingerprint, now.Rev.Fingerprint = then.Fingerprint(), now.Fingerprint()
			verdict, conflict := health.Decide(then.Rev, now.Rev)
			require.Equal(t, health.Keep, verdict)
			require.False(t, conflict)
			// What was modified in the very second of the answer is.
			now.Rev.Order = then.Rev.Order
			verdict, conflict = health.Decide(then.Rev, now.Rev)
			require.Equal(t, health.Replace, verdict)
			require.False(t, conflict)
		})
	}
}

// The zone of the latest day is the person's.
func TestLegacyZone(t *testing.T) {
	m, err := mapBody(streamActivity, legacyBodies+"getactivity", `{"status":0,"body":{"activities":[
		{"date":"2018-03-21","timezone":"America/New_York","steps":1},{"date":"2018-03-22","timezone":"Mars/Olympus","steps":1},
		{"date":"2018-03-20","timezone":"Europe/Paris","steps":1}]}}`)
	require.NoError(t, err)
	require.Equal(t, "America/New_York", m.personZone)
	m, err = mapBody(streamActivity, "getactivity", `{"status":0,"body":{"activities":[{"date":"2018-03-21","timezone":"America/New_York","steps":1}]}}`)
	require.NoError(t, err)
	require.Empty(t, m.personZone, "now the profile tells it")
}

func TestLegacyBadBodies(t *testing.T) {
	for name, c := range map[string]struct {
		body          string
		keys, reasons []string
		code          string
	}{
		"a date without data":      {`{"status":0,"body":[]}`, []string{}, []string{}, ""},
		"an empty body":            {`{"status":0,"body":{}}`, []string{}, []string{}, ""},
		"no activities":            {`{"status":0,"body":{"activities":[]}}`, []string{}, []string{}, ""},
		"status behind the body":   {`{"body":{"date":"2018-03-20","steps":4},"status":0}`, []string{"activity/2018-03-20/withings"}, []string{}, ""},
		"no date":                  {`{"status":0,"body":{"steps":4}}`, []string{}, []string{"activity/#0: " + reasonDay}, ""},
		"a date that is none":      {`{"status":0,"body":{"date":"2018-02-30","steps":4}}`, []string{}, []string{"activity/#0: " + reasonDay}, ""},
		"steps twice":              {`{"status":0,"body":{"date":"2018-03-20","steps":4,"steps":5}}`, []string{}, []string{"activity/2018-03-20/withings: " + reasonTwice}, ""},
		"steps of a wrong type":    {`{"status":0,"body":{"date":"2018-03-20","steps":{},"calories":3}}`, []string{"activity/2018-03-20/withings"}, []string{"activity/2018-03-20/withings#steps: " + reasonType}, ""},
		"an array with something":  {`{"status":0,"body":[1]}`, nil, nil, codeNoBody},
		"a body that is null":      {`{"status":0,"body":null}`, nil, nil, codeNoBody},
		"a body that is a number":  {`{"status":0,"body":7}`, nil, nil, codeNoBody},
		"activities of wrong type": {`{"status":0,"body":{"activities":{}}}`, nil, nil, codeNoRows},
		"cut":                      {`{"status":0,"body":{"date":"2018-03-20","steps":4`, nil, nil, codeJSON},
		"two lists":                {`{"status":0,"body":{"activities":[],"activities":[]}}`, nil, nil, codeDuplicate},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mapBody(streamActivity, legacyBodies+"getactivity", c.body)
			if c.code != "" {
				require.ErrorContains(t, err, c.code)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.keys, keysOf(m))
			require.Equal(t, c.reasons, reasonsOf(m))
		})
	}
}

func TestLegacyStatuses(t *testing.T) {
	for status := int64(1); status < 3000; status++ {
		c := legacyClassOf(status)
		require.False(t, c.expired, "nothing can be refreshed")
		if _, documented := legacyStatuses[status]; !documented {
			require.NotEqual(t, providers.ErrReauth, c.kind, status)
		}
	}
	for status, want := range legacyStatuses {
		require.Equal(t, want, legacyClassOf(status))
	}
	require.Equal(t, transient, legacyClassOf(424242))
}
