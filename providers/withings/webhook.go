package withings

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

const (
	// maxFormKeys is how many parameters a notification may have; the service
	// sends at most a handful.
	maxFormKeys = 64
	// maxUserID is the longest user id, in digits.
	maxUserID = 19
	// newsMargin widens the period of a notification: both ends are often the
	// same second.
	newsMargin = time.Minute
)

// profileChange is the kind of notification about the account itself.
const profileChange = "46"

// newsStreams returns which of the era's streams a kind of notification has news
// of.
func (s *service) newsStreams(appli string) []string {
	var list []string
	for _, name := range newsStreams(appli) {
		if _, ok := s.streams[name]; ok {
			list = append(list, name)
		}
	}
	return list
}

// newsStreams says which streams a kind of notification (appli) has news of:
// Withings, "Notification content". Getting in and out of bed (50 to 52) has no
// data of its own.
func newsStreams(appli string) []string {
	switch appli {
	case "1", "2", "58": // weight, temperature, glucose
		return []string{streamMeasures}
	case "4": // blood pressure, heart rate, oxygen saturation
		return []string{streamMeasures, streamHeart}
	case "16":
		return []string{streamActivity, streamWorkouts, streamIntraday}
	case "44":
		return []string{streamSleepSummary, streamSleep}
	case "54", "55": // an electrocardiogram, and one that failed
		return []string{streamHeart}
	case profileChange:
		return []string{streamDevices, streamGoals}
	}
	return nil
}

// WebhookTraits returns the facts of Withings' notifications: they carry no
// signature and no data, and are answered within two seconds.
func (s *service) WebhookTraits() providers.WebhookTraits {
	return providers.WebhookTraits{Deadline: 2 * time.Second, MaxBody: 1 << 20, Triggers: true}
}

// ProbeWebhook answers the requests by which the service checks an address
// before it accepts a subscription: HEAD, and by report GET or an empty POST.
func (s *service) ProbeWebhook(r *providers.WebhookRequest) (providers.ProbeAnswer, bool) {
	switch r.Method {
	case http.MethodHead, http.MethodGet:
	case http.MethodPost:
		if len(r.Body) > 0 {
			return providers.ProbeAnswer{}, false
		}
	default:
		return providers.ProbeAnswer{}, false
	}
	return providers.ProbeAnswer{Status: http.StatusOK}, true
}

// ParseWebhook reads a notification: a form with userid, appli, and startdate
// and enddate or date. A kind that is not known says nothing. A period that
// cannot be is left out. A form that no such service sends, with more than 64
// parameters, one of them twice or no user, is ErrMalformed.
func (s *service) ParseWebhook(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	malformed := &providers.Error{Provider: Name, Op: "webhook", Kind: providers.ErrMalformed, Detail: "not a notification"}
	text := string(r.Body)
	if strings.Count(text, "&") >= maxFormKeys {
		return nil, malformed
	}
	form, err := url.ParseQuery(text)
	if err != nil {
		return nil, malformed
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, malformed
		}
	}
	user := form.Get("userid")
	if user == "" || len(user) > maxUserID || strings.Trim(user, "0123456789") != "" {
		return nil, malformed
	}
	note := providers.Notification{
		UpstreamID: user, Event: providers.EventData, Streams: s.newsStreams(form.Get("appli")), Window: newsWindow(now, form),
		Detail: "appli",
	}
	if action := form.Get("action"); form.Get("appli") == profileChange && (action == "delete" || action == "unlink") {
		note.Event, note.Streams = providers.EventDeauth, nil
		return []providers.Notification{note}, nil
	}
	if note.Streams == nil {
		return nil, nil
	}
	return []providers.Notification{note}, nil
}

// newsWindow returns the period that a notification names; zero for one that
// has none, or none that data can be of.
func newsWindow(now time.Time, form url.Values) health.Window {
	from, fromOK := instant(now, form.Get("startdate"))
	to, toOK := instant(now, form.Get("enddate"))
	if fromOK && toOK && !to.Before(from) {
		return health.Window{From: from.Add(-newsMargin), To: to.Add(newsMargin)}
	}
	date := form.Get("date")
	if at, ok := instant(now, date); ok {
		day := health.DayOf(at)
		return health.Window{First: day.Add(-1), Last: day.Add(1)} // whatever the zone
	}
	if at, err := time.Parse(time.DateOnly, date); err == nil && plausible(now, at) {
		return health.Window{First: health.DayOf(at), Last: health.DayOf(at)}
	}
	return health.Window{}
}

// instant reads seconds since the Unix epoch.
func instant(now time.Time, text string) (time.Time, bool) {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return time.Time{}, false
	}
	at := time.Unix(seconds, 0).UTC()
	return at, plausible(now, at)
}

// plausible reports whether there may be data of a time: the company is of
// 2008, and clocks differ by less than two days.
func plausible(now, at time.Time) bool {
	return at.Year() >= 2008 && at.Before(now.Add(2*day))
}
