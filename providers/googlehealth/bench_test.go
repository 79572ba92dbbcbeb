package googlehealth

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
)

// denseDay is a day of heart rates, one each second, newest first as the service
// lists them.
func denseDay(points int) []byte {
	var b strings.Builder
	b.WriteString(`{"dataPoints":[`)
	last := time.Date(2026, 11, 20, 22, 59, 59, 0, time.UTC)
	for i := range points {
		if i > 0 {
			b.WriteByte(',')
		}
		at := last.Add(-time.Duration(i) * time.Second)
		fmt.Fprintf(&b, `{"heartRate":{"sampleTime":{"physicalTime":%q,"utcOffset":"3600s","civilTime":{"date":{"year":2026,"month":11,"day":20},"time":{"hours":8}}},`+
			`"beatsPerMinute":"%d"}}`, at.Format(time.RFC3339), 60+i%40)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func mapDense(tb testing.TB, body []byte) *mapper {
	st := streamNamed("heart_rate")
	m := newMapper(st, health.RawPage{Stream: st.name, Date: answered, Zone: "Europe/Berlin", Bodies: []health.RawBody{{Name: bodyName(st), Body: body}}})
	require.NoError(tb, m.page())
	return m
}

// TestDenseDay reads a whole day: nothing is lost, nothing is built per point.
func TestDenseDay(t *testing.T) {
	const points = 86_400
	body := denseDay(points)
	m := mapDense(t, body)
	require.Len(t, m.records, 1)
	s := m.records[0].Series[0]
	require.Len(t, s.Times, points)
	require.Equal(t, s.From, s.Times[0])
	require.Equal(t, s.To, s.Times[points-1]+1000)
	require.Equal(t, int64(60), s.Values[points-1])
	small := denseDay(100)
	few := testing.AllocsPerRun(5, func() { mapDense(t, small) })
	many := testing.AllocsPerRun(2, func() { mapDense(t, body) })
	require.Less(t, many, few+100, "allocations do not grow with the points")
}

func BenchmarkDenseHeartRate(b *testing.B) {
	body := denseDay(86_400)
	b.Run("mapper", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			mapDense(b, body)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var answer struct {
				DataPoints []struct {
					HeartRate struct {
						SampleTime     struct{ PhysicalTime time.Time }
						BeatsPerMinute int64 `json:",string"`
					}
				}
			}
			if err := json.Unmarshal(body, &answer); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestSharedQuantities: what the predecessor tells too has one metric and one
// statistic in both.
func TestSharedQuantities(t *testing.T) {
	for _, c := range []struct {
		fields []field
		path   string
		q      fitbitmap.Quantity
	}{
		{stepsSum, "countSum", fitbitmap.Steps}, {distanceSum, "millimetersSum", fitbitmap.Distance}, {totalSum, "kcalSum", fitbitmap.EnergyTotal},
		{energySum, "kcalSum", fitbitmap.EnergyActive}, {floorsSum, "countSum", fitbitmap.Floors}, {altitudeSum, "gainMillimetersSum", fitbitmap.ElevationGain},
		{sedentarySum, "durationSum", fitbitmap.SedentaryDuration}, {zoneMinuteSum, "sumInPeakHeartZone", fitbitmap.ActiveZoneMinutes},
		{strokesSum, "strokeCountSum", fitbitmap.SwimStrokes}, {dailyRestingFields, "beatsPerMinute", fitbitmap.RestingHeartRate},
		{dailyHRVFields, "averageHeartRateVariabilityMilliseconds", fitbitmap.NightRMSSD}, {dailySpO2Fields, "averagePercentage", fitbitmap.NightSpO2},
		{dailyBreathFields, "breathsPerMinute", fitbitmap.NightRespiratoryRate}, {tempFields, "temperatureCelsius", fitbitmap.BodyTemperature},
		{dailyVO2Fields, "vo2Max", fitbitmap.OxygenUptake}, {weightFields, "weightGrams", fitbitmap.Weight}, {bodyFatFields, "percentage", fitbitmap.BodyFat},
		{heightFields, "heightMillimeters", fitbitmap.Height}, {hydrationSum, "amountConsumed.millilitersSum", fitbitmap.WaterIntake},
		{metricsFields, "averageHeartRateBeatsPerMinute", fitbitmap.MeanHeartRate}, {sleepFields, "minutesAsleep", fitbitmap.TimeAsleep},
		{sleepFields, "minutesAwake", fitbitmap.TimeAwake}, {sleepFields, "minutesToFallAsleep", fitbitmap.TimeToSleep},
		{sleepFields, "minutesAfterWakeUp", fitbitmap.TimeAfterWakeup},
	} {
		found := false
		for _, f := range c.fields {
			if f.path == c.path {
				v := c.q.Value(health.Decimal{}, f.part)
				require.Equal(t, [2]any{v.Metric, v.Stat}, [2]any{f.metric, f.stat}, f.path)
				found = true
			}
		}
		require.True(t, found, c.path)
	}
}
