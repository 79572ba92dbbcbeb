package withings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
)

// The size of the page that the benchmarks normalise.
const (
	benchGroups = 2000
	benchValues = 6500
)

// benchDate is the server's Date of made-up answers.
var benchDate = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// measurePage makes an answer of getmeas: weigh-ins of several groups, blood
// pressure, temperature and targets, with the members the service sends.
func measurePage(groups, values int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteString(`{"status":0,"body":{"updatetime":1795262400,"timezone":"Europe\/Paris","measuregrps":[`)
	at := int64(1600000000)
	for i := range groups {
		if i > 0 {
			b.WriteByte(',')
		}
		n := values * (i + 1) / groups
		n -= values * i / groups
		at += 3600 + rng.Int64N(90000)
		fmt.Fprintf(&b, `{"grpid":%d,"attrib":0,"date":%d,"created":%d,"modified":%d,"category":1,`,
			4000000000+i*17, at, at+30, at+40)
		b.WriteString(`"deviceid":"892359876fd8805ac45bab078c4828692f0276b1","hash_deviceid":"892359876fd8805ac45bab078c4828692f0276b1","measures":[`)
		weight := 71000 + rng.IntN(4000)
		for j, m := range []string{
			fmt.Sprintf(`{"value":%d,"type":1,"unit":-3`, weight), fmt.Sprintf(`{"value":%d,"type":8,"unit":-2`, weight/50),
			fmt.Sprintf(`{"value":%d,"type":76,"unit":-2`, weight/13), fmt.Sprintf(`{"value":%d,"type":88,"unit":-2`, weight/250),
		}[:n] {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteString(m + `,"algo":3425,"fm":131}`)
		}
		b.WriteString(`],"modelid":13,"model":"Body+","comment":null}`)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

func TestTheBenchmarkedPage(t *testing.T) {
	p := testProvider(t)
	body := measurePage(benchGroups, benchValues)
	require.InDelta(t, 900_000, len(body), 100_000)
	records, err := p.Remap(health.RawPage{Stream: streamMeasures, Date: benchDate, Bodies: []health.RawBody{{Name: "getmeas", Body: body}}})
	require.NoError(t, err)
	require.Len(t, records, benchGroups)
	values := 0
	for _, r := range records {
		values += len(r.Values)
	}
	require.Equal(t, benchValues, values)

	allocs := testing.AllocsPerRun(3, func() {
		_, _ = p.Remap(health.RawPage{Stream: streamMeasures, Date: benchDate, Bodies: []health.RawBody{{Name: "getmeas", Body: body}}})
	})
	require.Less(t, allocs, float64(values), "at most one allocation per value")
}

func BenchmarkNormalizeMeasures(b *testing.B) {
	p := testProvider(b)
	body := measurePage(benchGroups, benchValues)
	page := health.RawPage{Stream: streamMeasures, Date: benchDate, Bodies: []health.RawBody{{Name: "getmeas", Body: body}}}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		records, err := p.Remap(page)
		if err != nil || len(records) != benchGroups {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(benchValues)*float64(b.N)/b.Elapsed().Seconds(), "values/s")
}

// BenchmarkEncodingJSON is the anchor: the same bytes into plain structs.
func BenchmarkEncodingJSON(b *testing.B) {
	type measure struct {
		Value int64 `json:"value"`
		Type  int   `json:"type"`
		Unit  int   `json:"unit"`
	}
	type group struct {
		ID       int64     `json:"grpid"`
		Attrib   int       `json:"attrib"`
		Date     int64     `json:"date"`
		Created  int64     `json:"created"`
		Modified int64     `json:"modified"`
		Category int       `json:"category"`
		DeviceID string    `json:"deviceid"`
		Model    string    `json:"model"`
		ModelID  int       `json:"modelid"`
		Measures []measure `json:"measures"`
	}
	type answer struct {
		Status int `json:"status"`
		Body   struct {
			UpdateTime int64   `json:"updatetime"`
			Timezone   string  `json:"timezone"`
			Groups     []group `json:"measuregrps"`
		} `json:"body"`
	}
	body := measurePage(benchGroups, benchValues)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var a answer
		if err := json.Unmarshal(body, &a); err != nil || len(a.Body.Groups) != benchGroups {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(benchValues)*float64(b.N)/b.Elapsed().Seconds(), "values/s")
}
