package provsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

const (
	minSecret = 16 // bytes of a signing secret
	// maxSkew is how far a signature may be from the future.
	maxSkew = 5 * time.Minute
	// maxSignatures is how many v1 a header may have.
	maxSignatures = 8
	maxEvents     = 10_000 // in one delivery
)

// WebhookTraits returns the facts of the service's deliveries.
func (p *Provider) WebhookTraits() providers.WebhookTraits {
	return providers.WebhookTraits{
		Signed: !p.cfg.Unsigned, Triggers: p.cfg.Triggers, Header: []string{SignatureHeader, "Content-Encoding"},
		MaxBody: p.cfg.MaxBody,
	}
}

// ParseWebhook verifies a delivery and reads its events, each on its own: one
// that cannot be read is a notification of EventUnknown with the Detail
// "malformed". Rows that cannot be mapped become a reason to read their stream.
func (p *Provider) ParseWebhook(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	const op = "webhook"
	if !p.cfg.Unsigned && !p.genuine(now, r) {
		return nil, p.fail(op, providers.ErrSignature, "")
	}
	return p.read(now, r)
}

// VerifyWebhook verifies a delivery in a fixed amount of memory.
func (p *Provider) VerifyWebhook(now time.Time, r *providers.WebhookRequest) (time.Time, error) {
	if p.cfg.Unsigned || !p.genuine(now, r) {
		return time.Time{}, p.fail("webhook", providers.ErrSignature, "")
	}
	sig, _ := parseSignature(r.Header.Values(SignatureHeader))
	return sig.at, nil
}

// read reads the events of a delivery.
func (p *Provider) read(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	const op = "webhook"
	content, err := io.ReadAll(r.Open())
	if err != nil {
		return nil, err
	}
	malformed := func(code string) error {
		e := p.fail(op, providers.ErrMalformed, "")
		e.Code = code
		return e
	}
	var body struct {
		Events []json.RawMessage `json:"events"`
	}
	switch {
	case r.Header.Get("Content-Encoding") != "":
		return nil, malformed("encoding")
	case len(content) == 0:
		return nil, malformed("empty")
	case httpx.StrictUnmarshal(content, &body) != nil || len(body.Events) == 0 || len(body.Events) > maxEvents:
		return nil, malformed("json")
	}
	var all []providers.Notification
	for _, raw := range body.Events {
		all = append(all, p.notifications(now, raw)...)
	}
	return all, nil
}

// notifications reads one event.
func (p *Provider) notifications(now time.Time, raw json.RawMessage) []providers.Notification {
	var e struct {
		Event
		Data map[string][]json.RawMessage `json:"data"`
	}
	n := providers.Notification{Event: providers.EventUnknown, Detail: "malformed"}
	if httpx.StrictUnmarshal(raw, &e) != nil || e.User == "" && e.Type != TypePayload || len(e.User) > 256 {
		return []providers.Notification{n}
	}
	n.UpstreamID, n.Detail, n.Reference = e.User, e.Type, e.Reference
	if e.At > 0 {
		n.At = time.UnixMilli(e.At).UTC()
	}
	switch e.Type {
	case TypeAuth:
		n.Event = providers.EventAuth
	case TypeDeauth:
		n.Event = providers.EventDeauth
	case TypeReauth:
		n.Event, n.OldUpstreamID = providers.EventReauth, e.OldUser
	case TypeData:
		return p.news(n, e.Event, e.Data)
	case TypeRequest:
		n.Event, n.Expected = providers.EventRequest, max(0, e.Expected)
	case TypePayload:
		if p.cfg.Unsigned || e.URL == "" {
			return []providers.Notification{n}
		}
		told := p.news(n, Event{Streams: e.Streams, From: e.From, To: e.To}, nil)
		told[0].Reference = ""
		told[0].Payload = &providers.Payload{
			Address: providers.NewSecret(e.URL), ExpiresAt: now.Add(time.Duration(min(max(e.ExpiresIn, 0), 86_400)) * time.Second),
		}
		return told
	}
	return []providers.Notification{n}
}

// news completes a notification of data. Rows are believed only where
// deliveries are signed; elsewhere they are a reason to read.
func (p *Provider) news(n providers.Notification, e Event, data map[string][]json.RawMessage) []providers.Notification {
	told := slices.Concat(e.Streams, slices.Sorted(maps.Keys(data)))
	known := slices.DeleteFunc(slices.Clone(told), func(name string) bool { return !isStream(name) })
	if len(told) > 0 && len(known) == 0 {
		return []providers.Notification{n} // about something the adapter does not have
	}
	n.Event, n.Streams = providers.EventData, known
	if 0 < e.From && e.From < e.To {
		n.Window = health.Window{From: time.UnixMilli(e.From).UTC(), To: time.UnixMilli(e.To).UTC()}
	}
	if len(data) == 0 || p.cfg.Unsigned {
		n.Reference = ""
		return []providers.Notification{n}
	}
	again := n // for what has to be read
	again.Streams = nil
	n.Streams = nil
	for _, stream := range known {
		rows, carried := data[stream]
		records, aside := p.records(stream, rows)
		for i := range records {
			records[i].Rev.Push = true
		}
		n.Records = append(n.Records, records...)
		if len(records) > 0 {
			n.Streams = append(n.Streams, stream)
			n.Raw = append(n.Raw, answerOf(stream, rows))
		}
		if !carried || len(aside) > 0 {
			again.Streams = append(again.Streams, stream)
		}
	}
	var all []providers.Notification
	if e.Reference != "" && 0 < e.Part && e.Part <= providers.MaxParts {
		n.Part, n.Expected = e.Part, max(0, e.Expected)
	} else {
		n.Reference = ""
	}
	again.Reference = ""
	if len(n.Records) > 0 || n.Part > 0 {
		all = append(all, n)
	}
	if len(again.Streams) > 0 {
		all = append(all, again)
	}
	return all
}

// answerOf returns rows as the service answers with them.
func answerOf(stream string, rows []json.RawMessage) health.RawPage {
	body := []byte(`{"rows":[`)
	for i, row := range rows {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, row...)
	}
	return health.RawPage{Stream: stream, Bodies: []health.RawBody{{Name: stream, Body: append(body, `],"next":""}`...)}}}
}

// genuine reports whether one of the secrets signed the delivery and its time
// is right. The number of MACs and of comparisons depends on the configuration
// alone.
func (p *Provider) genuine(now time.Time, r *providers.WebhookRequest) bool {
	sig, ok := parseSignature(r.Header.Values(SignatureHeader))
	matched := false
	for _, secret := range p.cfg.SigningSecrets {
		mac, err := p.macOf(secret.Reveal(), sig.stamp, r)
		if err != nil {
			return false
		}
		for i := range sig.macs {
			equal := hmac.Equal(mac, sig.macs[i][:])
			matched = matched || equal && i < sig.count
		}
	}
	age := now.Sub(sig.at)
	return ok && matched && age <= p.cfg.MaxAge && age >= -maxSkew
}

func (p *Provider) macOf(secret, stamp string, r *providers.WebhookRequest) ([]byte, error) {
	if r.Large == nil {
		return p.mac(secret, stamp, r.Body), nil
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "."))
	_, err := io.Copy(mac, r.Open())
	return mac.Sum(nil), err
}

// signature is what a signature header says.
type signature struct {
	stamp string // as it was signed
	at    time.Time
	macs  [maxSignatures][sha256.Size]byte
	count int // of macs
}

// parseSignature reads "t=<Unix seconds>,v1=<hex>[,v1=<hex>]..." strictly: one
// header, one t in front, at most 8 v1 of 64 hexadecimal digits. Other schemes
// are skipped.
func parseSignature(headers []string) (sig signature, ok bool) {
	if len(headers) != 1 || len(headers[0]) > 1<<10 {
		return sig, false
	}
	parts := strings.Split(headers[0], ",")
	stamp, found := strings.CutPrefix(parts[0], "t=")
	if !found || stamp == "" || len(stamp) > 12 || strings.Trim(stamp, "0123456789") != "" {
		return sig, false
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return sig, false
	}
	sig.stamp, sig.at = stamp, time.Unix(seconds, 0)
	for _, part := range parts[1:] {
		scheme, text, found := strings.Cut(part, "=")
		switch {
		case !found || scheme == "t" || scheme == "" || strings.ContainsAny(part, " \t"):
			return sig, false
		case scheme != "v1":
			continue
		case sig.count == maxSignatures || len(text) != 2*sha256.Size:
			return sig, false
		}
		if _, err := hex.Decode(sig.macs[sig.count][:], []byte(text)); err != nil {
			return sig, false
		}
		sig.count++
	}
	return sig, sig.count > 0
}

var _ http.Handler = (*Service)(nil)
