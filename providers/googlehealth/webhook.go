package googlehealth

import (
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// The headers that a signature comes in: the one of today and the one of before
// July 2026, which was seen later too.
const (
	SignatureHeader    = "Google-Health-Api-Signature"
	OldSignatureHeader = "X-Healthapi-Signature"
)

// WebhookTraits returns the facts of the service's notifications: they are
// signed, carry no data and no time, and are answered with 204.
func (p *Provider) WebhookTraits() providers.WebhookTraits {
	return providers.WebhookTraits{
		Signed: true, Accepted: http.StatusNoContent, Header: []string{SignatureHeader, OldSignatureHeader},
		ProbeHeader: []string{"Authorization"}, Triggers: true,
	}
}

// ProbeWebhook answers the two requests by which the service checks an endpoint
// at its registration: one with the Authorization header that was registered,
// and one without, which must be refused (Google Health API, "Verify the
// endpoint").
func (p *Provider) ProbeWebhook(r *providers.WebhookRequest) (providers.ProbeAnswer, bool) {
	if r.Method != http.MethodPost || !isVerification(r.Body) {
		return providers.ProbeAnswer{}, false
	}
	told := r.Header["Authorization"]
	secret := p.cfg.WebhookAuthorization.Reveal()
	if secret == "" || len(told) != 1 || !hmac.Equal([]byte(told[0]), []byte(secret)) {
		return providers.ProbeAnswer{Status: http.StatusUnauthorized}, true
	}
	return providers.ProbeAnswer{Status: http.StatusCreated}, true
}

// maxVerification is more than the body of a check has.
const maxVerification = 1 << 10

func isVerification(body []byte) bool {
	if len(body) > maxVerification {
		return false
	}
	doc, reason := readObject(body)
	kind, _ := doc.text("type")
	return reason == "" && kind == "verification"
}

// WebhookKeys fetches the public keys of notifications, if the delivery needs
// one that is not there.
func (p *Provider) WebhookKeys(ctx context.Context, now time.Time, r *providers.WebhookRequest) error {
	s, ok := readSignature(r.Header)
	if !ok {
		return nil // it is refused without a key
	}
	return p.keys.ready(ctx, now, s.key)
}

// signature is a signature in the form of Tink: the id of the key, and the
// signature proper in DER.
type signature struct {
	key uint32
	der []byte
}

const (
	// tinkPrefix begins the signatures of keys that have the prefix type TINK: a
	// byte of version and four of the key's id.
	tinkPrefix  = 1
	tinkVersion = 0x01
	// maxSignature is more than a signature with P-256 has.
	maxSignature = 128
)

// readSignature reads the one signature of a delivery. The same signature may
// come in both headers.
func readSignature(h http.Header) (signature, bool) {
	text := ""
	for _, name := range [...]string{SignatureHeader, OldSignatureHeader} {
		values := h[name]
		switch {
		case len(values) == 0:
			continue
		case len(values) > 1, values[0] == "", text != "" && text != values[0]:
			return signature{}, false
		}
		text = values[0]
	}
	if text == "" || len(text) > 2*maxSignature {
		return signature{}, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) <= tinkPrefix+4 || len(raw) > maxSignature || raw[0] != tinkVersion {
		return signature{}, false
	}
	return signature{key: binary.BigEndian.Uint32(raw[tinkPrefix:]), der: raw[tinkPrefix+4:]}, true
}

// maxNotices is how many notices one delivery may have.
const maxNotices = 10_000

// ParseWebhook verifies a delivery and reads its notices, each on its own: one
// that cannot be read is of EventUnknown. A delivery is one notice or an array
// of them. All that a notice says is that there is a reason to read: it says
// nothing of why data was deleted, which is also told when the person takes the
// consent back.
func (p *Provider) ParseWebhook(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	const op = "webhook"
	s, ok := readSignature(r.Header)
	if !ok {
		return nil, &providers.Error{Provider: Name, Op: op, Kind: providers.ErrSignature}
	}
	key := p.keys.get(now, s.key)
	if key == nil {
		return nil, &providers.Error{Provider: Name, Op: op, Kind: providers.ErrSignature, Code: codeNoKey}
	}
	digest := sha256.Sum256(r.Body)
	if !ecdsa.VerifyASN1(key, digest[:], s.der) {
		return nil, &providers.Error{Provider: Name, Op: op, Kind: providers.ErrSignature}
	}
	list := [][]byte{r.Body}
	if first := firstByte(r.Body); first == '[' {
		var v jsonscan.Verdict
		list, v = (object{[]string{"v"}, [][]byte{r.Body}}).list("v", maxNotices)
		if v != jsonscan.OK {
			return nil, &providers.Error{Provider: Name, Op: op, Kind: providers.ErrMalformed, Code: codeNotJSON}
		}
	} else if _, reason := readObject(r.Body); reason != "" {
		return nil, &providers.Error{Provider: Name, Op: op, Kind: providers.ErrMalformed, Code: codeNotJSON}
	}
	var notes []providers.Notification
	for _, raw := range list {
		notes = append(notes, p.notice(now, raw))
	}
	return notes, nil
}

// firstByte returns the first byte that is not white space.
func firstByte(b []byte) byte {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}

// notice reads one notice.
func (p *Provider) notice(now time.Time, raw []byte) providers.Notification {
	note := providers.Notification{Event: providers.EventUnknown, Detail: "malformed"}
	outer, reason := readObject(raw)
	if reason != "" {
		return note
	}
	data, v := outer.object("data")
	if v != jsonscan.OK {
		return note
	}
	user, v := data.word("healthUserId")
	if v != jsonscan.OK || !isID(user) {
		return note
	}
	note.UpstreamID = user
	path, _ := data.text("dataType")
	operation, _ := data.text("operation")
	if operation != "UPSERT" && operation != "DELETE" {
		note.Detail = "operation"
		return note
	}
	if note.Streams = p.fedBy(path); note.Streams == nil {
		note.Detail = "data type"
		return note
	}
	note.Event, note.Detail = providers.EventData, operation
	note.Window = noticeWindow(now, data)
	return note
}

// fedBy returns the streams that read a data type.
func (p *Provider) fedBy(path string) []string {
	var names []string
	for i := range streams {
		s := &streams[i]
		if s.data != nil && s.data.path == path && p.selected[s.name] != nil {
			names = append(names, s.name)
		}
	}
	slices.Sort(names)
	return names
}

const (
	// newsMargin widens the period of a notice: an interval may be a moment.
	newsMargin = time.Minute
	// maxNewsPeriod is the longest period that a notice is believed to mean.
	maxNewsPeriod = 3 * 366 * day
)

// noticeWindow returns the period that the intervals of a notice cover; zero for
// none, or for one that data cannot be of.
func noticeWindow(now time.Time, data object) health.Window {
	list, v := data.list("intervals", maxList)
	if v != jsonscan.OK || len(list) == 0 {
		return health.Window{}
	}
	var w health.Window
	for _, raw := range list {
		interval, reason := readObject(raw)
		if reason != "" {
			return health.Window{}
		}
		from, to, ok := noticeInterval(interval)
		if !ok || from.Year() < 1990 || from.After(to) || to.Sub(from) > maxNewsPeriod || to.After(now.Add(2*day)) {
			return health.Window{}
		}
		if w.From.IsZero() || from.Before(w.From) {
			w.From = from
		}
		if to.After(w.To) {
			w.To = to
		}
	}
	w.From, w.To = w.From.Add(-newsMargin), w.To.Add(newsMargin)
	return w
}

// noticeInterval reads the instants of an interval. One that has civil times
// only may be anywhere on earth.
func noticeInterval(interval object) (from, to time.Time, ok bool) {
	physical, v := interval.object("physicalTimeInterval")
	if v == jsonscan.OK {
		start, _, v := physical.instant("startTime")
		end, _, ve := physical.instant("endTime")
		if v != jsonscan.OK {
			return from, to, false
		}
		if ve == jsonscan.Absent {
			end, ve = start, jsonscan.OK
		}
		return time.UnixMilli(start).UTC(), time.UnixMilli(end).UTC(), ve == jsonscan.OK
	}
	civil, v := interval.object("civilDateTimeInterval")
	if v != jsonscan.OK {
		return from, to, false
	}
	_, start, v := civil.civil("startDateTime")
	_, end, ve := civil.civil("endDateTime")
	if v != jsonscan.OK || ve != jsonscan.OK {
		return from, to, false
	}
	const furthest = 14 * time.Hour
	return time.UnixMilli(start).UTC().Add(-furthest), time.UnixMilli(end).UTC().Add(furthest), true
}
