package withings

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// fuzz feeds a decoder: whatever comes, it does not panic, its records are
// valid and its errors of the one class, and it maps the same to the same.
func fuzz(f *testing.F, stream string, names ...string) {
	for _, fixture := range fixtures {
		if fixture.stream == stream {
			for _, b := range fixture.bodies {
				f.Add(read(f, b[1]))
			}
		}
	}
	for _, seed := range []string{
		"", "null", "{}", `{"status":0}`, `{"status":0,"body":[]}`, `{"body":{"series":[{},[],null,{"id":1}]},"status":0}`,
		`{"status":0,"body":{"series":{"1795215600":{"steps":1e9},"x":[]}}}`, `{"status":0,"body":{"measuregrps":[{"grpid":NaN}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		page := health.RawPage{Stream: stream, Date: benchDate, Zone: "Europe/Paris"}
		for _, name := range names {
			page.Bodies = append(page.Bodies, health.RawBody{Name: name, Body: body})
		}
		m := mapTwice(t, page, streams[stream].mapPage)
		if m == nil {
			return
		}
		for i := range m.records {
			r := &m.records[i]
			require.NoError(t, r.Validate(benchDate))
			require.Equal(t, stream, r.Stream())
			require.NotZero(t, r.Rev.Order)
			for _, other := range m.records[:i] {
				require.NotEqual(t, other.Key, r.Key)
			}
			if i > 50 {
				break
			}
		}
	})
}

// mapTwice maps a page twice, to the same, without changing it. It returns nil
// for a page that is refused, with an error of the one class.
func mapTwice(t *testing.T, page health.RawPage, mapPage func(*mapper) error) *mapper {
	run := func() *mapper {
		m := newMapper(page)
		if err := mapPage(m); err != nil {
			err = m.failed("test", err)
			if _, ok := errors.AsType[*providers.Error](err); !ok || !errors.Is(err, providers.ErrMalformed) {
				t.Fatalf("the error is %v", err)
			}
			return nil
		}
		return m
	}
	before := make([][]byte, len(page.Bodies))
	for i, b := range page.Bodies {
		before[i] = bytes.Clone(b.Body)
	}
	m := run()
	for i, b := range page.Bodies {
		require.Equal(t, before[i], b.Body, "the body is not changed")
	}
	if m == nil {
		return nil
	}
	require.NotZero(t, m.pageDigest())
	again := run()
	require.NotNil(t, again)
	require.Equal(t, m.records, again.records)
	require.Equal(t, m.quarantined, again.quarantined)
	return m
}

func FuzzDecodeMeasures(f *testing.F)     { fuzz(f, streamMeasures, "getmeas") }
func FuzzDecodeActivity(f *testing.F)     { fuzz(f, streamActivity, "getactivity") }
func FuzzDecodeWorkouts(f *testing.F)     { fuzz(f, streamWorkouts, "getworkouts") }
func FuzzDecodeSleepSummary(f *testing.F) { fuzz(f, streamSleepSummary, "sleep/getsummary") }
func FuzzDecodeSleep(f *testing.F)        { fuzz(f, streamSleep, "sleep/get"+dayName) }
func FuzzDecodeIntraday(f *testing.F)     { fuzz(f, streamIntraday, "getintradayactivity"+dayName) }
func FuzzDecodeDevices(f *testing.F)      { fuzz(f, streamDevices, "user/getdevice") }
func FuzzDecodeGoals(f *testing.F)        { fuzz(f, streamGoals, "user/getgoals") }

// The same bytes as the list and as a signal.
func FuzzDecodeHeart(f *testing.F) { fuzz(f, streamHeart, heartListName, "heart/get/901") }

func FuzzPageTokens(f *testing.F) {
	f.Add("300.9f3a")
	f.Add("1795000000-1795100000.20.ab")
	f.Fuzz(func(t *testing.T, token string) {
		if at, err := parsePosition(token); err == nil && token != "" {
			again, err := parsePosition(at.token())
			require.NoError(t, err)
			require.Equal(t, at, again)
		}
		window := health.Window{From: benchDate.AddDate(0, 0, -30), To: benchDate}
		if at, err := parseHeartWalk(token, window); err == nil {
			again, err := parseHeartWalk(at.token(), window)
			require.NoError(t, err)
			require.Equal(t, at, again)
		}
	})
}
