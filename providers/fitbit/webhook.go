package fitbit

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

var (
	_ providers.WebhookParser = (*Provider)(nil)
	_ providers.WebhookProber = (*Provider)(nil)
)

const (
	// signatureHeader carries the signature of a notification.
	signatureHeader = "X-Fitbit-Signature"
	// maxUserID is the longest user id; the service's have six characters.
	maxUserID = 32
	// maxDelivery holds the notifications of some ten thousand people.
	maxDelivery = 4 << 20
	// revokedAccess is the collection of people who took their consent back.
	revokedAccess = "userRevokedAccess"
)

// newsStreams says which streams a collection has news of: Fitbit, "Using
// Subscriptions". There is none for heart rate, oxygen and the like: they are
// synced with the activities and the sleep of the same tracker.
func newsStreams(collection string) []string {
	switch collection {
	case "activities":
		return []string{
			streamDaily, streamActivity, streamActiveEnergy, streamTracker, streamZoneMinutes, streamWorkouts, streamHeart, streamCardioFitness,
			streamHeartIntraday, streamZoneIntraday, streamActivityIntraday, streamDevices,
		}
	case "sleep":
		return []string{
			streamSleep, streamHRV, streamSpO2, streamBreathing, streamSkinTemperature, streamHRVIntraday, streamSpO2Intraday, streamBreathingStages,
			streamHeart,
		}
	case "body":
		return []string{streamWeight, streamFat, streamBodyBMI, streamBodyWeight, streamBodyFat}
	case "foods":
		return []string{streamFood, streamWater, streamFoodTotals}
	}
	return nil
}

// WebhookTraits returns the facts of Fitbit's notifications: signed, without
// data, and answered with 204 within five seconds. What fails verification is
// answered with 404.
func (p *Provider) WebhookTraits() providers.WebhookTraits {
	return providers.WebhookTraits{
		Signed: true, Deadline: 5 * time.Second, MaxBody: maxDelivery, Accepted: http.StatusNoContent, Refused: http.StatusNotFound,
		Header: []string{signatureHeader}, Triggers: true,
	}
}

// ProbeWebhook answers the requests by which the service verifies an address:
// GET with a code, once with the right one and once with a wrong one.
func (p *Provider) ProbeWebhook(r *providers.WebhookRequest) (providers.ProbeAnswer, bool) {
	if r.Method != http.MethodGet {
		return providers.ProbeAnswer{}, false
	}
	answer := providers.ProbeAnswer{Status: http.StatusNotFound}
	codes := r.Query["verify"]
	want := p.cfg.VerificationCode.Reveal()
	if len(codes) == 1 && want != "" && hmac.Equal([]byte(codes[0]), []byte(want)) {
		answer.Status = http.StatusNoContent
	}
	return answer, true
}

// signature returns what the service signs a body with: HMAC-SHA1 under the
// client secret and an ampersand, in base64.
func (p *Provider) signature(body []byte) []byte {
	mac := hmac.New(sha1.New, []byte(p.cfg.ClientSecret.Reveal()+"&"))
	mac.Write(body)
	return base64.StdEncoding.AppendEncode(nil, mac.Sum(nil))
}

// notification is one element of a delivery.
type notification struct {
	Collection     string `json:"collectionType"`
	Date           string `json:"date"`
	OwnerID        string `json:"ownerId"`
	OwnerType      string `json:"ownerType"`
	SubscriptionID string `json:"subscriptionId"`
}

// ParseWebhook reads a delivery: an array of notifications, of many people at
// once. Each only hints at news of one day, except for a person who took the
// consent back. An element that cannot be read does not take the others with
// it: it is an EventUnknown. A date that cannot be is left out.
func (p *Provider) ParseWebhook(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	fault := func(kind error, detail string) error {
		return &providers.Error{Provider: Name, Op: "webhook", Kind: kind, Detail: detail}
	}
	signatures := r.Header[signatureHeader]
	switch {
	case len(signatures) != 1:
		return nil, fault(providers.ErrSignature, "not one signature")
	case !hmac.Equal([]byte(signatures[0]), p.signature(r.Body)):
		return nil, fault(providers.ErrSignature, "the signature is of another body or secret")
	}
	s := jsonscan.New(r.Body)
	if !s.Array() {
		return nil, fault(providers.ErrMalformed, "not an array")
	}
	var notes []providers.Notification
	for s.NextElement() {
		notes = append(notes, readNotification(now, s.Raw()))
	}
	if s.End() != nil {
		return nil, fault(providers.ErrMalformed, "not an array")
	}
	return notes, nil
}

func readNotification(now time.Time, element []byte) providers.Notification {
	var n notification
	unknown := providers.Notification{Event: providers.EventUnknown, Detail: "unreadable"}
	if httpx.StrictUnmarshal(element, &n) != nil || n.OwnerType != "user" || !userID(n.OwnerID) {
		return unknown
	}
	note := providers.Notification{UpstreamID: n.OwnerID, Event: providers.EventData, Detail: n.Collection, Streams: newsStreams(n.Collection)}
	switch {
	case n.Collection == revokedAccess:
		note.Event = providers.EventDeauth
		return note
	case note.Streams == nil:
		note.Event, note.Detail = providers.EventUnknown, "collection"
		return note
	}
	d, err := health.ParseDay(n.Date)
	if err != nil || d.Year < 2007 || d.Compare(health.DayOf(now.Add(2*day))) > 0 { // the company is of 2007
		return note
	}
	note.Window = health.Window{First: d, Last: d}
	if n.Collection == "sleep" {
		note.Window.Last = d.Add(1) // a night may be filed under the day after
	}
	return note
}

// userID reports whether text can be the id of a person.
func userID(text string) bool {
	if text == "" || len(text) > maxUserID || text == "-" {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
