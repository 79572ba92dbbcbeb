package providertest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

func webhookCases() []testCase {
	return []testCase{
		{"webhook-traits", "the traits are constant and make sense, and no header with a standing secret is kept", withDeliveries(checkTraits)},
		{"webhook", "a delivery reads the same each time, by the headers of the traits and no clock but the given one", withDeliveries(checkWebhook)},
		{"webhook-news", "a notification names a person or is EventUnknown, and makes sense", withDeliveries(checkNews)},
		{"webhook-unsigned", "what is not signed carries no records", withDeliveries(checkUnsigned)},
		{"webhook-forged", "a delivery with another body, another signature, none or two is ErrSignature", withDeliveries(checkForged)},
		{"webhook-time", "a signature from a month ago or of the next hour is ErrSignature", withDeliveries(checkSignedTime)},
		{"webhook-unreadable", "a genuine delivery that cannot be read is ErrMalformed", withDeliveries(checkUnreadable)},
		{"webhook-probe", "a delivery is not taken for a check of the endpoint, and a check gets the same answer each time", withDeliveries(checkProbe)},
	}
}

// deliveries is a session with a service that notifies.
type deliveries struct {
	*session
	parser          providers.WebhookParser
	traits          providers.WebhookTraits
	genuine, forged []*providers.WebhookRequest
	signing         Signing // nil if the service does not sign
}

// withDeliveries makes a case of a check that applies to a WebhookParser only.
func withDeliveries(check func(*deliveries) error) func(*session) error {
	return func(s *session) error {
		s.open(0)
		parser, ok := s.provider.(providers.WebhookParser)
		if !ok {
			return nil
		}
		source, ok := s.sim.(Delivering)
		if !ok {
			return errors.New("the simulator is not Delivering")
		}
		d := &deliveries{session: s, parser: parser, traits: parser.WebhookTraits()}
		if d.genuine, d.forged = source.Deliveries(); len(d.genuine) == 0 {
			return errors.New("the simulator has no deliveries")
		}
		if !d.traits.Signed {
			return check(d)
		}
		if d.signing, ok = s.sim.(Signing); !ok {
			return errors.New("the simulator is not Signing")
		}
		return check(d)
	}
}

func clone(r *providers.WebhookRequest) *providers.WebhookRequest {
	c := *r
	c.Header, c.Body = r.Header.Clone(), bytes.Clone(r.Body)
	if r.Query != nil {
		c.Query = http.Header(r.Query).Clone()
	}
	return &c
}

// kept returns a delivery as the engine keeps it: with the headers that the
// traits name.
func (d *deliveries) kept(r *providers.WebhookRequest) *providers.WebhookRequest {
	c := clone(r)
	c.Header = http.Header{}
	for _, name := range d.traits.Header {
		name = http.CanonicalHeaderKey(name)
		if values, ok := r.Header[name]; ok {
			c.Header[name] = slices.Clone(values)
		}
	}
	return c
}

// deliver returns a genuine delivery of any body.
func (d *deliveries) deliver(body []byte) *providers.WebhookRequest {
	if d.signing == nil {
		r := d.kept(d.genuine[0])
		r.Body = body
		return r
	}
	r, _ := d.signing.Sign(body, time.Now())
	return d.kept(r)
}

// refused wants a delivery to fail with the class, and nothing else to come.
func (d *deliveries) refused(r *providers.WebhookRequest, class error) error {
	news, err := d.parser.ParseWebhook(time.Now(), r)
	if err != nil && news != nil {
		return errors.New("notifications came with the error")
	}
	told := describe(err)
	if _, err = d.wantError(err, class); err != nil {
		return err
	}
	secrets := append(d.sim.MintedSecrets(), string(r.Body))
	for _, values := range r.Header {
		secrets = append(secrets, values...)
	}
	if slices.ContainsFunc(secrets, func(secret string) bool { return len(secret) > 8 && strings.Contains(told, secret) }) {
		return errors.New("the error holds a secret, the body or the signature")
	}
	return nil
}

func checkTraits(d *deliveries) error {
	other, ok := d.fresh().(providers.WebhookParser)
	if !ok || !reflect.DeepEqual(d.traits, d.parser.WebhookTraits()) || !reflect.DeepEqual(d.traits, other.WebhookTraits()) {
		return errors.New("they change")
	}
	t := d.traits
	switch {
	case t.Accepted != 0 && (t.Accepted < 200 || t.Accepted > 299):
		return fmt.Errorf("the status of an accepted delivery is %d", t.Accepted)
	case t.Refused != 0 && (t.Refused < 400 || t.Refused > 499 || t.Refused == http.StatusGone):
		return fmt.Errorf("the status of a refused delivery is %d", t.Refused) // 410 ends subscriptions
	case t.Deadline < 0 || t.MaxBody < 0:
		return errors.New("a negative number")
	case t.Signed && len(t.Header) == 0:
		return errors.New("a signature and no header")
	case t.DuplicateHeader != "" && !slices.Contains(t.Header, t.DuplicateHeader):
		return fmt.Errorf("the header %q that names deliveries is not among those that are kept", t.DuplicateHeader)
	}
	for i, name := range t.Header {
		switch {
		case name == "" || name != http.CanonicalHeaderKey(name) || slices.Contains(t.Header[:i], name):
			return fmt.Errorf("the header %q is not canonical or named twice", name)
		case slices.Contains([]string{"Authorization", "Proxy-Authorization", "Cookie"}, name):
			return fmt.Errorf("the header %s would be kept with the delivery", name)
		}
	}
	for i, name := range t.ProbeHeader {
		if name == "" || name != http.CanonicalHeaderKey(name) || slices.Contains(t.ProbeHeader[:i], name) {
			return fmt.Errorf("the header %q for checks is not canonical or named twice", name)
		}
	}
	if _, ok := d.provider.(providers.WebhookProber); !ok && len(t.ProbeHeader) > 0 {
		return errors.New("headers for checks, and checks are not answered")
	}
	return nil
}

func checkWebhook(d *deliveries) error {
	now, mark := time.Now(), d.wire.mark()
	other, ok := d.fresh().(providers.WebhookParser)
	if !ok {
		return errors.New("another value does not read deliveries")
	}
	wrong := func(i int, what string, err error) error {
		return fmt.Errorf("delivery %d: %s (error %v)", i, what, err)
	}
	var firsts [][]providers.Notification
	for i, r := range d.genuine {
		before := clone(r)
		first, err := d.parser.ParseWebhook(now, r)
		if err != nil {
			return wrong(i, "it is refused", err)
		}
		if !reflect.DeepEqual(before, clone(r)) {
			return wrong(i, "it was changed", nil)
		}
		firsts = append(firsts, first)
	}
	time.Sleep(30 * 24 * time.Hour)
	for i, r := range d.genuine {
		if second, err := d.parser.ParseWebhook(now, d.kept(r)); err != nil || !reflect.DeepEqual(firsts[i], second) {
			return wrong(i, "it reads differently later, with only the headers of the traits", err)
		}
		if third, err := other.ParseWebhook(now, d.kept(r)); err != nil || !reflect.DeepEqual(firsts[i], third) {
			return wrong(i, "another value reads it differently", err)
		}
	}
	if d.wire.mark() > mark {
		return errors.New("a request was made")
	}
	return nil
}

// eachNews calls check with the notifications of the genuine deliveries.
func (d *deliveries) eachNews(check func(providers.Notification) error) error {
	for i, r := range d.genuine {
		news, err := d.parser.ParseWebhook(time.Now(), d.kept(r))
		if err != nil {
			return fmt.Errorf("delivery %d: %w", i, err)
		}
		for _, n := range news {
			if err := check(n); err != nil {
				return fmt.Errorf("delivery %d: %w", i, err)
			}
		}
	}
	return nil
}

func checkNews(d *deliveries) error {
	caps := d.provider.Capabilities()
	events := []providers.Event{
		providers.EventData, providers.EventAuth, providers.EventDeauth, providers.EventReauth, providers.EventRequest,
		providers.EventIgnored, providers.EventUnknown,
	}
	connected := false
	err := d.eachNews(func(n providers.Notification) error {
		connected = connected || n.Event == providers.EventAuth && n.Reference != ""
		w := n.Window
		switch {
		case !slices.Contains(events, n.Event):
			return fmt.Errorf("there is no event %q", n.Event)
		case n.UpstreamID == "" && n.Event != providers.EventUnknown && n.Event != providers.EventIgnored && n.Payload == nil:
			return errors.New("a notification about nobody")
		case n.Event == providers.EventReauth && n.OldUpstreamID == "":
			return errors.New("a new upstream id without the old one")
		case w.Days() && (w.Last.Compare(w.First) < 0 || !w.From.IsZero() || !w.To.IsZero()),
			!w.Days() && w != health.Window{} && !w.From.Before(w.To):
			return errors.New("a window that is none")
		case len(n.Records) > 0 && n.Event != providers.EventData:
			return errors.New("records without EventData")
		case n.Payload != nil && (n.Event != providers.EventData || len(n.Records) > 0 || n.Payload.Address.IsZero()):
			return errors.New("a payload without EventData or an address, or with records")
		case n.Event == providers.EventRequest && n.Reference == "",
			n.Event == providers.EventData && (n.Reference == "") != (n.Part == 0),
			n.Event != providers.EventData && n.Part != 0,
			n.Part < 0 || n.Part > providers.MaxParts || n.Expected < 0 || n.Expected > providers.MaxParts:
			return fmt.Errorf("part %d of %d of a request, or its name, is wrong", n.Part, n.Expected)
		}
		for _, name := range n.Streams {
			if _, ok := caps.StreamNamed(name); !ok {
				return fmt.Errorf("there is no stream %q", name)
			}
		}
		for i := range n.Records {
			st, ok := caps.StreamNamed(n.Records[i].Stream())
			if !ok {
				return fmt.Errorf("record %s: there is no such stream", n.Records[i].Key)
			}
			if err := d.checkRecord(st, &n.Records[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && caps.ConnectByDelivery && !connected {
		err = errors.New("a connect flow ends by a delivery, and none is an EventAuth with a Reference")
	}
	return err
}

func checkUnsigned(d *deliveries) error {
	switch {
	case d.traits.Signed:
		return nil
	case len(d.forged) > 0:
		return errors.New("the simulator has forged deliveries, and nothing is signed")
	}
	return d.eachNews(func(n providers.Notification) error {
		if len(n.Records) > 0 || n.Payload != nil {
			return errors.New("records, or a payload, that nobody vouches for")
		}
		return nil
	})
}

// places returns at most 64 places in a text, the first and the last among
// them.
func places(length int) []int {
	var all []int
	for i := 0; i < length; i += max(1, length/62) {
		all = append(all, i)
	}
	if length > 0 && all[len(all)-1] != length-1 {
		all = append(all, length-1)
	}
	return all
}

func checkForged(d *deliveries) error {
	for i, r := range d.forged {
		if err := d.refused(r, providers.ErrSignature); err != nil {
			return fmt.Errorf("forged delivery %d: %w", i, err)
		}
	}
	if d.signing == nil {
		return nil
	}
	for i, genuine := range d.genuine {
		r := d.kept(genuine)
		try := func(what string, change func(*providers.WebhookRequest)) error {
			altered := clone(r)
			change(altered)
			if err := d.refused(altered, providers.ErrSignature); err != nil {
				return fmt.Errorf("delivery %d, %s: %w", i, what, err)
			}
			return nil
		}
		err := errors.Join(d.otherBodies(r, try), d.otherSignatures(r, try))
		if err != nil {
			return err
		}
	}
	return nil
}

// otherBodies tries the signature of r with bodies that are not its own.
func (d *deliveries) otherBodies(r *providers.WebhookRequest, try func(string, func(*providers.WebhookRequest)) error) error {
	for _, at := range places(len(r.Body)) {
		if err := try(fmt.Sprintf("byte %d of the body altered", at), func(r *providers.WebhookRequest) { r.Body[at] ^= 1 }); err != nil {
			return err
		}
		if err := try(fmt.Sprintf("body cut at %d", at), func(r *providers.WebhookRequest) { r.Body = r.Body[:at] }); err != nil {
			return err
		}
	}
	for _, more := range []string{" ", "\n", "\x00"} {
		err := errors.Join(
			try(fmt.Sprintf("%q before the body", more), func(r *providers.WebhookRequest) { r.Body = append([]byte(more), r.Body...) }),
			try(fmt.Sprintf("%q after the body", more), func(r *providers.WebhookRequest) { r.Body = append(r.Body, more...) }))
		if err != nil {
			return err
		}
	}
	return nil
}

// otherSignatures tries the body of r with signatures that are not its own.
func (d *deliveries) otherSignatures(r *providers.WebhookRequest, try func(string, func(*providers.WebhookRequest)) error) error {
	other := d.deliver(append([]byte("x"), r.Body...))
	// What depends on the body is the signature.
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if !slices.Equal(r.Header[name], other.Header[name]) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return errors.New("no header of the traits depends on the body")
	}
	if err := try("no header", func(r *providers.WebhookRequest) { r.Header = nil }); err != nil {
		return err
	}
	for _, name := range names {
		value, foreign := r.Header.Get(name), other.Header.Get(name)
		for what, values := range map[string][]string{
			"none": nil, "empty": {""}, "of another body": {foreign},
			"genuine and foreign": {value, foreign}, "foreign and genuine": {foreign, value},
		} {
			if err := try(name+": "+what, func(r *providers.WebhookRequest) { r.Header[name] = values }); err != nil {
				return err
			}
		}
		// The last character is left: in base64 it may have bits without
		// meaning.
		for at := range len(strings.TrimRight(value, "=")) - 1 {
			altered := []byte(value)
			if altered[at] = alter(altered[at]); string(altered) == value {
				continue
			}
			if err := try(fmt.Sprintf("%s: character %d altered", name, at), func(r *providers.WebhookRequest) {
				r.Header[name] = []string{string(altered)}
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// alter returns another character of the same class, which is also another one
// of hexadecimal digits of either case; itself for what is neither letter nor
// digit.
func alter(c byte) byte {
	for _, class := range []string{"0123456789", "abcdef", "ghijklmnopqrstuvwxyz", "ABCDEF", "GHIJKLMNOPQRSTUVWXYZ"} {
		if i := strings.IndexByte(class, c); i >= 0 {
			return class[(i+len(class)/2)%len(class)]
		}
	}
	return c
}

func checkSignedTime(d *deliveries) error {
	if d.signing == nil {
		return nil
	}
	for what, at := range map[string]time.Time{
		"a month old": time.Now().Add(-30 * 24 * time.Hour), "of the next hour": time.Now().Add(time.Hour),
		"of 1970": time.Unix(0, 0),
	} {
		r, dated := d.signing.Sign(d.genuine[0].Body, at)
		if !dated {
			return nil
		}
		if err := d.refused(d.kept(r), providers.ErrSignature); err != nil {
			return fmt.Errorf("a signature %s: %w", what, err)
		}
	}
	return nil
}

func checkUnreadable(d *deliveries) error {
	const depth = 100_000
	for _, body := range []string{
		"", "null", "{", "\xff\xfe\x00", "a=%zz&&=;", strings.Repeat("[", depth), strings.Repeat("[", depth) + strings.Repeat("]", depth),
	} {
		if err := d.refused(d.deliver([]byte(body)), providers.ErrMalformed); err != nil {
			return fmt.Errorf("body %.16q: %w", body, err)
		}
	}
	// These may say something, or nothing; they must not do harm.
	odd := [][]byte{[]byte("[]"), []byte("{}"), []byte("0"), []byte(`""`)}
	for _, genuine := range d.genuine {
		for _, at := range places(len(genuine.Body)) {
			odd = append(odd, genuine.Body[:at], slices.Concat(genuine.Body[:at], []byte{0xff}, genuine.Body[at:]))
		}
	}
	for _, body := range odd {
		news, err := d.parser.ParseWebhook(time.Now(), d.deliver(body))
		if err == nil {
			continue
		}
		if news != nil || !errors.Is(err, providers.ErrMalformed) {
			return fmt.Errorf("body %.64q: the error is %v", body, err)
		}
	}
	class := providers.ErrMalformed
	if d.signing != nil {
		class = providers.ErrSignature
	}
	return d.refused(&providers.WebhookRequest{}, class)
}

func checkProbe(d *deliveries) error {
	prober, ok := d.provider.(providers.WebhookProber)
	if !ok {
		return nil
	}
	mark := d.wire.mark()
	for i, genuine := range d.genuine {
		r := d.kept(genuine)
		before := clone(r)
		if _, taken := prober.ProbeWebhook(r); taken {
			return fmt.Errorf("delivery %d is taken for a check", i)
		}
		if !reflect.DeepEqual(before, r) {
			return fmt.Errorf("delivery %d was changed", i)
		}
	}
	for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, ""} {
		for _, query := range []map[string][]string{nil, {"verify": {"x"}, "challenge": {"<script>"}}} {
			r := &providers.WebhookRequest{Method: method, Query: query, Header: http.Header{}}
			before := clone(r)
			first, taken := prober.ProbeWebhook(r)
			second, again := prober.ProbeWebhook(r)
			wrong := func(what string) error { return fmt.Errorf("%s with the query %v: %s", method, query, what) }
			switch {
			case taken != again || !reflect.DeepEqual(first, second):
				return wrong("another answer the second time")
			case !reflect.DeepEqual(before, r):
				return wrong("it was changed")
			case !taken:
			case first.Status < 200 || first.Status > 499 || first.Status/100 == 3 || first.Status == http.StatusGone:
				return wrong(fmt.Sprintf("the status is %d", first.Status))
			case len(first.Body) > 0 && first.ContentType == "":
				return wrong("a body without a content type")
			}
		}
	}
	if d.wire.mark() > mark {
		return errors.New("a request was made")
	}
	return nil
}
