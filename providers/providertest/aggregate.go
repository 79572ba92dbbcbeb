package providertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

func aggregateCases() []testCase {
	return []testCase{
		{"webhook-large", "a delivery that is in a file is verified and read like one in memory", withDeliveries(checkLarge)},
		{"payload", "what a delivery points to is fetched in one request without credentials, from nowhere but the service", withDeliveries(checkPayload)},
		{"pending", "a request that is answered by deliveries has a name, which they have too, and parts that can be counted", withDeliveries(checkPending)},
		{"confirm", "a connect flow is confirmed by its reference, and one that led to nothing is ErrNotFound", checkConfirm},
		{"people", "the people that the service knows are listed, each once, to the last page", checkPeople},
	}
}

// inFile returns a delivery the way a large one is given.
func inFile(r *providers.WebhookRequest) *providers.WebhookRequest {
	c := clone(r)
	c.Large, c.Body = io.NewSectionReader(bytes.NewReader(c.Body), 0, int64(len(c.Body))), nil
	return c
}

func checkLarge(d *deliveries) error {
	verifier, ok := d.parser.(providers.WebhookVerifier)
	if !ok || !d.traits.Signed {
		return nil
	}
	now := time.Now()
	for i, genuine := range d.genuine {
		r := d.kept(genuine)
		wrong := func(what string, err error) error { return fmt.Errorf("delivery %d: %s (error %v)", i, what, err) }
		signed, err := verifier.VerifyWebhook(now, inFile(r))
		if err != nil {
			return wrong("it is refused", err)
		}
		if again, err := verifier.VerifyWebhook(now, clone(r)); err != nil || !again.Equal(signed) {
			return wrong("in memory it is verified differently", err)
		}
		if age := now.Sub(signed).Abs(); !signed.IsZero() && age > time.Hour {
			return wrong("the time that was signed is "+signed.String(), nil)
		}
		small, err := d.parser.ParseWebhook(now, clone(r))
		if err != nil {
			return wrong("it is refused", err)
		}
		if large, err := d.parser.ParseWebhook(now, inFile(r)); err != nil || !alike(small, large) {
			return wrong("it reads differently from a file", err)
		}
		for _, at := range places(len(r.Body)) {
			altered := clone(r)
			altered.Body[at] ^= 1
			if _, err := verifier.VerifyWebhook(now, inFile(altered)); err == nil {
				return wrong(fmt.Sprintf("it is taken with byte %d altered", at), nil)
			} else if _, err := d.wantError(err, providers.ErrSignature); err != nil {
				return err
			}
		}
	}
	return nil
}

// alike reports whether two readings say the same about the same people.
func alike(a, b []providers.Notification) bool {
	return slices.EqualFunc(a, b, func(a, b providers.Notification) bool {
		return a.Event == b.Event && a.UpstreamID == b.UpstreamID && len(a.Records) == len(b.Records)
	})
}

// errFull is the failure of a writer that ends.
var errFull = errors.New("full")

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, errFull }

func checkPayload(d *deliveries) error {
	fetcher, ok := d.parser.(providers.PayloadFetcher)
	if !ok || !d.traits.Signed {
		return nil
	}
	source, ok := d.sim.(Pointing)
	if !ok {
		return errors.New("the simulator is not Pointing")
	}
	good, ended, foreign := source.Pointers()
	pointer := func(r *providers.WebhookRequest) (providers.Notification, error) {
		news, err := d.parser.ParseWebhook(time.Now(), d.kept(r))
		if err != nil || len(news) != 1 || news[0].Payload == nil || news[0].Payload.Address.IsZero() {
			return providers.Notification{}, fmt.Errorf("it points to nothing (error %v)", err)
		}
		return news[0], nil
	}
	n, err := pointer(good)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	mark := d.wire.mark()
	if err := fetcher.FetchPayload(d.ctx, n, &body); err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	if sent := d.wire.mark() - mark; sent != 1 || d.wire.bearing(mark, "Authorization:")+d.wire.bearing(mark, "Cookie:") > 0 {
		return fmt.Errorf("%d requests, or one with credentials", sent)
	}
	if err := fetcher.FetchPayload(d.ctx, n, fullWriter{}); !errors.Is(err, errFull) {
		return fmt.Errorf("a writer that fails ends with %w", err)
	}
	plain := n
	plain.Payload = nil
	news, err := fetcher.ParsePayload(time.Now(), plain, &providers.WebhookRequest{Body: bytes.Clone(body.Bytes())})
	if err != nil || len(news) == 0 {
		return fmt.Errorf("what was fetched is not read: %w", err)
	}
	large, err := fetcher.ParsePayload(time.Now(), plain, inFile(&providers.WebhookRequest{Body: body.Bytes()}))
	if err != nil || !reflect.DeepEqual(news, large) {
		return fmt.Errorf("it reads differently from a file: %w", err)
	}
	if _, err := fetcher.ParsePayload(time.Now(), plain, &providers.WebhookRequest{Body: []byte("<html>")}); !errors.Is(err, providers.ErrMalformed) {
		return fmt.Errorf("a page of HTML is %w", err)
	}
	for what, r := range map[string]*providers.WebhookRequest{"that ended": ended, "of somebody else": foreign} {
		if n, err = pointer(r); err != nil {
			return err
		}
		mark := d.wire.mark()
		err := fetcher.FetchPayload(d.ctx, n, io.Discard)
		e, ok := errors.AsType[*providers.Error](err)
		switch {
		case !ok || providers.Retryable(err) || errors.Is(err, providers.ErrReauth):
			return fmt.Errorf("an address %s: %w", what, err)
		case r == foreign && d.wire.mark() > mark:
			return errors.New("a request for an address of somebody else")
		case strings.Contains(e.Error(), n.Payload.Address.Reveal()):
			return errors.New("the error tells the address")
		}
	}
	return nil
}

func checkPending(d *deliveries) error {
	source, ok := d.sim.(Deferring)
	if !ok || !d.traits.Signed {
		return nil
	}
	page, err := d.fetch(d.provider, source.Defer())
	if err != nil {
		return err
	}
	p := page.Pending
	switch {
	case p == nil || p.Reference == "" || len(p.Reference) > 512 || p.Expected < 0 || p.Expected > providers.MaxParts:
		return fmt.Errorf("the page is not pending, or not in the right way: %+v", p)
	case page.More:
		return errors.New("the page is pending and not the last")
	}
	parts, expected, records := make(map[int]bool), p.Expected, 0
	for i, r := range source.Deferred(p.Reference) {
		news, err := d.parser.ParseWebhook(time.Now(), d.kept(r))
		if err != nil {
			return fmt.Errorf("delivery %d: %w", i, err)
		}
		for _, n := range news {
			if n.Reference != p.Reference {
				continue
			}
			expected = max(expected, n.Expected)
			if n.Event == providers.EventData {
				parts[n.Part] = true
				records += len(n.Records)
			}
		}
	}
	if len(parts) == 0 || len(parts) != expected || records == 0 {
		return fmt.Errorf("%d parts of %d with %d records", len(parts), expected, records)
	}
	return nil
}

func checkConfirm(s *session) error {
	s.open(0)
	confirmer, ok := s.provider.(providers.Confirmer)
	if !ok {
		return nil
	}
	source, ok := s.sim.(Confirming)
	if !ok {
		return errors.New("the simulator is not Confirming")
	}
	reference, want := source.Confirmed()
	// What the browser says is somebody else's.
	cb := providers.Callback{Query: map[string][]string{"user_id": {"somebody"}, "user": {"somebody"}, "reference_id": {"other"}}}
	got, err := confirmer.Confirm(s.ctx, reference, cb)
	if err != nil || got != want {
		return fmt.Errorf("the person is %q, want %q (error %w)", got, want, err)
	}
	got, err = confirmer.Confirm(s.ctx, "nobody-began-this", cb)
	if got != "" {
		return fmt.Errorf("a flow that nobody began led to %q", got)
	}
	_, err = s.wantError(err, providers.ErrNotFound)
	return err
}

func checkPeople(s *session) error {
	s.open(2)
	lister, ok := s.provider.(providers.Lister)
	if !ok {
		return nil
	}
	source, ok := s.sim.(Peopled)
	if !ok {
		return errors.New("the simulator is not Peopled")
	}
	want := source.People()
	var got []string
	for token, pages := "", 0; ; pages++ {
		page, err := lister.UpstreamUsers(s.ctx, token)
		if err != nil {
			return err
		}
		for _, u := range page.Users {
			got = append(got, u.ID)
		}
		if page.Next == "" {
			break
		}
		if page.Next == token || pages > 1000 {
			return errors.New("the list does not end")
		}
		token = page.Next
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%d people, want %d", len(got), len(want))
	}
	return nil
}
