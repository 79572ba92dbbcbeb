package httpx

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	minRetryAfter = time.Second
	maxRetryAfter = 15 * time.Minute
)

// RetryAfter reads the Retry-After header, as seconds or as an HTTP date, and
// returns when to try again by the clock that now is from. A date is taken
// relative to the server's Date where that is given. A time in the past counts
// as one second, one beyond 15 minutes as 15 minutes. The result is zero if the
// header is absent or unreadable.
func RetryAfter(h http.Header, now time.Time) time.Time {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return time.Time{}
	}
	if strings.Trim(text, "-.0123456789") == "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil && !math.IsInf(seconds, 0) {
			return time.Time{}
		}
		seconds = min(max(seconds, 0), maxRetryAfter.Seconds())
		return now.Add(max(time.Duration(seconds*float64(time.Second)), minRetryAfter))
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return time.Time{}
	}
	from := now
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		from = date
	}
	return now.Add(min(max(at.Sub(from), minRetryAfter), maxRetryAfter))
}
