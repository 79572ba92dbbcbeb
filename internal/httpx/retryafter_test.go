package httpx

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, value, date string
		want              time.Duration // 0 is not told
	}{
		{"absent", "", "", 0},
		{"seconds", "7", "", 7 * time.Second},
		{"spaces", " 7 ", "", 7 * time.Second},
		{"fraction", "1.5", "", 1500 * time.Millisecond},
		{"zero", "0", "", time.Second},
		{"negative", "-5", "", time.Second},
		{"T19 absurd", "999999999", "", 15 * time.Minute},
		{"beyond int64", "99999999999999999999999999", "", 15 * time.Minute},
		{"date", "Sun, 01 Mar 2026 12:00:30 GMT", "", 30 * time.Second},
		{"date by the server's clock", "Sun, 01 Mar 2026 13:00:30 GMT", "Sun, 01 Mar 2026 13:00:00 GMT", 30 * time.Second},
		{"T20 date in the past", "Wed, 21 Oct 2015 07:28:00 GMT", "", time.Second},
		{"date far ahead", "Wed, 21 Oct 2099 07:28:00 GMT", "", 15 * time.Minute},
		{"text", "soon", "", 0},
		{"two dots", "1.2.3", "", 0},
		{"dash", "-", "", 0},
		{"nan", "NaN", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			if c.value != "" {
				h.Set("Retry-After", c.value)
			}
			if c.date != "" {
				h.Set("Date", c.date)
			}
			at := RetryAfter(h, now)
			if c.want == 0 {
				require.True(t, at.IsZero())
				return
			}
			require.Equal(t, c.want, at.Sub(now))
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"7", "-1", "1.5", "1e9", "Wed, 21 Oct 2015 07:28:00 GMT", "+Inf", "NaN", ""} {
		f.Add(s, "")
	}
	f.Add("Sun, 01 Mar 2026 12:00:30 GMT", "Sun, 01 Mar 2026 12:00:00 GMT")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value, date string) {
		at := RetryAfter(http.Header{"Retry-After": {value}, "Date": {date}}, now)
		if d := at.Sub(now); !at.IsZero() && (d < minRetryAfter || d > maxRetryAfter) {
			t.Fatalf("%q with date %q: %v", value, date, d)
		}
	})
}
