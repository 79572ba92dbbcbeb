package health_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

func ExampleDecimal() {
	weight, err := health.ParseDecimal("56.300")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(weight.Coefficient, weight.Exponent)
	fmt.Println(weight, weight.Float())
	fmt.Println(weight.Equal(health.Decimal{Coefficient: 563, Exponent: -1}))
	grams, exact := weight.Rescale(-3)
	fmt.Println(grams, exact)
	// Output:
	// 56300 -3
	// 56.300 56.3
	// true
	// 56300 true
}

func ExampleResolve() {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, text := range []string{
		"2026-07-01T12:00:00",
		"2026-11-01 01:30:00", // clocks are set back: happens twice
		"2026-03-08T02:30:00", // clocks are set forward: does not happen
		"2026-07-01T12:00:00Z",
	} {
		told, _, err := health.ParseMoment(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		m, flags := health.Resolve(told, newYork)
		fmt.Printf("%v %v %q\n", told.IsFloating(), m, flags)
	}
	// Output:
	// true 2026-07-01T12:00:00.000-04:00 ""
	// true 2026-11-01T01:30:00.000-04:00 "ambiguous"
	// true 2026-03-08T03:30:00.000-04:00 "nonexistent"
	// false 2026-07-01T08:00:00.000-04:00 ""
}

func ExampleMerge() {
	morning := health.Record{
		Kind: health.KindDaily, Key: "daily/2026-01-02", Rev: health.Rev{Order: 1000},
		Values: []health.Value{
			{Metric: "sleep_score", Number: health.Int(81), Flags: health.FlagSticky},
			{Metric: "steps", Number: health.Int(900)},
		},
	}
	evening := health.Record{
		Kind: health.KindDaily, Key: "daily/2026-01-02", Rev: health.Rev{Order: 2000},
		Values: []health.Value{{Metric: "steps", Number: health.Int(9500)}},
	}
	stored, verdict, _ := health.Merge(&morning, &evening)
	fmt.Println(verdict, string(health.AppendValues(nil, &stored)))

	// The morning's version is delivered once more.
	stored, verdict, _ = health.Merge(&stored, &morning)
	fmt.Println(verdict, string(health.AppendValues(nil, &stored)))
	// Output:
	// replace {"sleep_score":81,"steps":9500}
	// keep {"sleep_score":81,"steps":9500}
}

func ExampleDay_Bounds() {
	for _, c := range []struct {
		zone string
		day  health.Day
	}{
		{"Europe/Berlin", health.Day{Year: 2026, Month: 10, Dom: 25}},
		{"America/Sao_Paulo", health.Day{Year: 2018, Month: 11, Dom: 4}},
		{"Pacific/Apia", health.Day{Year: 2011, Month: 12, Dom: 30}},
	} {
		loc, err := time.LoadLocation(c.zone)
		if err != nil {
			fmt.Println(err)
			return
		}
		start, end, exists := c.day.Bounds(loc)
		fmt.Println(c.zone, start.Format("02 15:04"), end.Sub(start), exists)
	}
	// Output:
	// Europe/Berlin 25 00:00 25h0m0s true
	// America/Sao_Paulo 04 01:00 23h0m0s true
	// Pacific/Apia 31 00:00 0s false
}

func ExampleRecord() {
	r := health.Record{
		Kind: health.KindBody, Key: "measures/42", Method: health.MethodSensed,
		Source: health.Source{Provider: "withings", Path: health.PathDirect},
		Span:   health.Span{Start: health.Zoned(1767308400000, 3600), Zone: health.ZoneFromRecord},
		Values: []health.Value{{Metric: "body_weight", Number: health.Decimal{Coefficient: 56300, Exponent: -3}}},
	}
	r.Normalize()
	if err := r.Validate(time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)); err != nil {
		fmt.Println(err)
		return
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(text))
	// Output:
	// {
	//   "kind": "body",
	//   "key": "measures/42",
	//   "span": {
	//     "start": "2026-01-02T00:00:00.000+01:00",
	//     "zone": "record"
	//   },
	//   "source": {
	//     "provider": "withings",
	//     "path": "direct"
	//   },
	//   "state": "live",
	//   "method": "sensed",
	//   "values": [
	//     {
	//       "metric": "body_weight",
	//       "number": 56.300,
	//       "stat": "value"
	//     }
	//   ]
	// }
}
