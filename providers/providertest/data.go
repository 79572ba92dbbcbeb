package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

func dataCases() []testCase {
	return []testCase{
		{"name", "the name is lower-case letters, digits and underscores, and always the same", checkName},
		{"capabilities", "the capabilities are constant and make sense", checkCapabilities},
		{"paging", "a walk gives every record once, whatever the size of the pages", checkPaging},
		{"cursor", "a page token continues the walk in another process", checkCursor},
		{"windows", "windows that touch lose nothing, and a window holds nothing from after it", checkWindows},
		{"records", "records are valid, named after their stream, versioned, and leave the engine's fields empty", checkRecords},
		{"stable", "the same data gives the same records", checkStable},
		{"raw", "a page has the answers its records come from, and they map to the same records again", checkRaw},
		{"digest", "the digest of a page changes if and only if the answer does", checkDigest},
		{"changes", "a walk from a high-water mark misses no change, also one made during the walk before", checkChanges},
		{"unsupported", "a stream the adapter does not have is errors.ErrUnsupported, without a request", checkUnsupported},
		{"concurrent", "one adapter serves several people at once", checkConcurrent},
	}
}

// isName reports whether s is a name as they are stored and logged.
func isName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func checkName(s *session) error {
	s.open(0)
	name := s.provider.Name()
	if !isName(name) {
		return fmt.Errorf("the name is %q", name)
	}
	if other := s.fresh().Name(); s.provider.Name() != name || other != name {
		return errors.New("the name changes")
	}
	return nil
}

func checkCapabilities(s *session) error {
	s.open(0)
	caps := s.provider.Capabilities()
	if !reflect.DeepEqual(caps, s.provider.Capabilities()) || !reflect.DeepEqual(caps, s.fresh().Capabilities()) {
		return errors.New("they change")
	}
	if len(caps.Streams) == 0 {
		return errors.New("no streams")
	}
	if caps.Rotation > providers.RotationSingleUseRevoke || caps.MaxHistory < 0 || caps.AuthLifetime < 0 {
		return errors.New("rotation, history or lifetime out of range")
	}
	for _, l := range caps.Limits {
		if l.Requests <= 0 || l.Per <= 0 || l.Scope > providers.LimitPerUser {
			return errors.New("a rate limit is not positive")
		}
	}
	_, subscriber := s.provider.(providers.Subscriber)
	webhooks, parser := s.provider.(providers.WebhookParser)
	if caps.Push && !subscriber && !parser {
		return errors.New("push without a Subscriber or a WebhookParser")
	}
	if len(caps.Topics) > 0 && !subscriber || slices.Contains(caps.Topics, "") || len(unique(caps.Topics)) != len(caps.Topics) {
		return errors.New("topics without a Subscriber, an empty one, or one twice")
	}
	if caps.ConnectByDelivery && (!parser || !webhooks.WebhookTraits().Signed) {
		return errors.New("a connect flow ends by a delivery, and deliveries are not signed")
	}
	seen := map[string]bool{}
	for _, st := range caps.Streams {
		wrong := func(what string) error { return fmt.Errorf("stream %q: %s", st.Name, what) }
		switch {
		case !isName(st.Name):
			return wrong("the name")
		case seen[st.Name]:
			return wrong("two of this name")
		case len(st.Kinds) == 0 || slices.ContainsFunc(st.Kinds, func(k health.Kind) bool { return !slices.Contains(health.Kinds(), k) }):
			return wrong("kinds")
		case slices.Contains(st.Scopes, ""):
			return wrong("an empty scope")
		case st.Grain > providers.GrainNone:
			return wrong("grain")
		case st.MaxWindow < 0 || st.Lookback < 0 || st.WalkTTL < 0 || st.CallsPerPage < 0 || st.Interval < 0:
			return wrong("a negative number")
		case st.Grain == providers.GrainDay && st.MaxWindow%(24*time.Hour) != 0:
			return wrong("a window of days that is not whole days")
		case st.Grain == providers.GrainNone && (st.MaxWindow != 0 || st.Lookback != 0):
			return wrong("a window where there are none")
		}
		seen[st.Name] = true
	}
	return nil
}

func checkPaging(s *session) error {
	for _, size := range []int{0, 1, 3} {
		s.open(size)
		if len(s.streams()) == 0 {
			return errors.New("the simulator has no data")
		}
		for _, st := range s.streams() {
			pages, err := s.walkAll(st, nil)
			if err == nil {
				err = s.wantAll(st.Name, pages)
			}
			if err != nil {
				return fmt.Errorf("page size %d: %w", size, err)
			}
		}
	}
	return nil
}

func checkCursor(s *session) error {
	s.open(2)
	for _, st := range s.streams() {
		pages, err := s.walkAll(st, s.fresh)
		if err == nil {
			err = s.wantAll(st.Name, pages)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkWindows(s *session) error {
	s.open(0)
	for _, st := range s.streams() {
		if st.Grain == providers.GrainNone {
			continue
		}
		pages, err := s.walkAll(st, nil)
		if err != nil {
			return err
		}
		whole := s.sim.Window(st.Name)
		before, after, ok := cut(st, whole, pages)
		if !ok {
			continue
		}
		var both []providers.Page
		for _, w := range []health.Window{before, after} {
			for _, q := range s.split(st, w) {
				pages, err := s.walk(q, nil)
				if err != nil {
					return err
				}
				for r := range recordsOf(pages) {
					if outside(r, q.Window) {
						return fmt.Errorf("stream %s: the record %s is from after the window", st.Name, r.Key)
					}
				}
				both = append(both, pages...)
			}
		}
		if err := s.wantAll(st.Name, both); err != nil {
			return fmt.Errorf("two windows: %w", err)
		}
	}
	return nil
}

// cut divides a window at the beginning of a record in its middle, where a
// wrong bound loses it.
func cut(st providers.Stream, w health.Window, pages []providers.Page) (before, after health.Window, ok bool) {
	if st.Grain == providers.GrainDay {
		middle := w.First.Add((w.Last.Number() - w.First.Number()) / 2)
		return health.Window{First: w.First, Last: middle}, health.Window{First: middle.Add(1), Last: w.Last}, w.First != w.Last
	}
	var starts []time.Time
	for r := range recordsOf(pages) {
		if t, ok := r.Span.Start.Time(); ok && t.After(w.From) && t.Before(w.To) {
			starts = append(starts, t)
		}
	}
	if len(starts) == 0 {
		return before, after, false
	}
	slices.SortFunc(starts, time.Time.Compare)
	middle := starts[len(starts)/2]
	return health.Window{From: w.From, To: middle}, health.Window{From: middle, To: w.To}, true
}

// outside reports whether a record lies behind the end of the window it came in.
// One that begins right at the end does no harm.
func outside(r *health.Record, w health.Window) bool {
	if w.Days() {
		return !r.Span.Day.IsZero() && r.Span.Day.Compare(w.Last) > 0
	}
	start, ok := r.Span.Start.Time()
	return ok && start.After(w.To)
}

func checkRecords(s *session) error {
	s.open(0)
	for _, st := range s.streams() {
		pages, err := s.walkAll(st, nil)
		if err != nil {
			return err
		}
		for r := range recordsOf(pages) {
			if err := s.checkRecord(st, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkRecord checks a record of a stream as an adapter may return it.
func (s *session) checkRecord(st providers.Stream, r *health.Record) error {
	wrong := func(what string) error { return fmt.Errorf("record %s: %s", r.Key, what) }
	switch {
	case r.Stream() != st.Name || r.Key == st.Name+"/":
		return wrong("the key is not <stream>/<id>, stream " + st.Name)
	case !slices.Contains(st.Kinds, r.Kind):
		return wrong("the stream does not announce the kind " + string(r.Kind))
	case r.Connection != "" || r.Rev.Fingerprint != 0:
		return wrong("connection and fingerprint are the engine's to set")
	case r.Rev.Order <= 0 || r.Rev.Mapping == 0:
		return wrong("no Rev.Order or no Rev.Mapping")
	case r.Rev.Order > time.Now().Add(24*time.Hour).UnixMilli():
		return wrong("Rev.Order is in the future")
	case r.Source.Provider != s.provider.Name() || r.Source.Path == "":
		return wrong("the source does not tell provider and path")
	}
	checked := *r
	checked.Normalize()
	if err := checked.Validate(time.Now()); err != nil {
		return wrong(err.Error())
	}
	return nil
}

func checkStable(s *session) error {
	s.open(0)
	for _, st := range s.streams() {
		var prints [2]map[string]uint64
		for i := range prints {
			pages, err := s.walkAll(st, nil)
			if err != nil {
				return err
			}
			prints[i] = map[string]uint64{}
			for r := range recordsOf(pages) {
				r.Normalize()
				prints[i][string(r.Kind)+" "+r.Key] = r.Fingerprint()
			}
			time.Sleep(time.Minute)
		}
		for key, print := range prints[0] {
			if prints[1][key] != print {
				return fmt.Errorf("record %s differs the second time", key)
			}
		}
	}
	return nil
}

func checkRaw(s *session) error {
	s.open(3)
	remapper, _ := s.provider.(providers.Remapper)
	zone := ""
	if s.h.Zone != nil {
		zone = s.h.Zone.String()
	}
	for _, st := range s.streams() {
		pages, err := s.walkAll(st, nil)
		if err != nil {
			return err
		}
		for _, q := range s.journeys(st) {
			more, err := s.walk(q, nil)
			if err != nil {
				return fmt.Errorf("after a journey: %w", err)
			}
			pages = append(pages, more...)
		}
		for _, page := range pages {
			for _, raw := range page.Raw {
				if raw.Name == "" || len(raw.Body) == 0 {
					return fmt.Errorf("stream %s: a raw answer without name or body", st.Name)
				}
				for _, secret := range s.sim.MintedSecrets() {
					if strings.Contains(raw.Name, secret) || bytes.Contains(raw.Body, []byte(secret)) {
						return fmt.Errorf("stream %s: a raw answer holds a secret", st.Name)
					}
				}
			}
			if len(page.Records) > 0 && len(page.Raw) == 0 {
				return fmt.Errorf("stream %s: records without a raw answer", st.Name)
			}
			if remapper == nil || len(page.Raw) == 0 {
				continue
			}
			again, err := remapper.Remap(health.RawPage{Stream: st.Name, Date: page.Date, Zone: zone, Bodies: page.Raw})
			if err != nil {
				return fmt.Errorf("stream %s: Remap: %w", st.Name, err)
			}
			if len(again) != len(page.Records) {
				return fmt.Errorf("stream %s: Remap gives %d records where the page has %d", st.Name, len(again), len(page.Records))
			}
			for i := range again {
				if !reflect.DeepEqual(again[i], page.Records[i]) {
					return fmt.Errorf("record %s: Remap gives another one", page.Records[i].Key)
				}
			}
		}
	}
	return nil
}

func checkDigest(s *session) error {
	s.open(3)
	for _, st := range s.streams() {
		digests := func() ([]uint64, error) {
			pages, err := s.walkAll(st, nil)
			var all []uint64
			for _, p := range pages {
				all = append(all, p.Digest)
			}
			time.Sleep(time.Minute)
			return all, err
		}
		first, err := digests()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(first, func(d uint64) bool { return d != 0 }) {
			continue // the adapter cannot tell
		}
		second, err := digests()
		if err != nil {
			return err
		}
		if !slices.Equal(first, second) {
			return fmt.Errorf("stream %s: unchanged answers, changed digests", st.Name)
		}
		if s.sim.Change(st.Name) == "" {
			continue
		}
		third, err := digests()
		if err != nil {
			return err
		}
		if slices.Equal(first, third) {
			return fmt.Errorf("stream %s: a changed answer, the same digests", st.Name)
		}
	}
	return nil
}

func checkChanges(s *session) error {
	s.open(2)
	for _, st := range s.streams() {
		if !st.Changes {
			continue
		}
		resume := func(mark string) ([]providers.Page, error) {
			if mark == "" {
				return nil, fmt.Errorf("stream %s: the first page of a walk has no Candidate", st.Name)
			}
			return s.walk(providers.Query{Stream: st.Name, Zone: s.h.Zone, HighWater: mark}, nil)
		}
		want := func(pages []providers.Page, key, when string) error {
			if !slices.Contains(keysOf(pages), key) {
				return fmt.Errorf("stream %s: a change made %s is missing", st.Name, when)
			}
			return nil
		}
		pages, err := s.walkAll(st, nil)
		if err != nil {
			return err
		}
		s.later(2 * time.Hour)
		key := s.sim.Change(st.Name)
		if key == "" {
			continue
		}
		news, err := resume(pages[0].Candidate)
		if err == nil {
			err = want(news, key, "after the walk")
		}
		if err != nil {
			return err
		}
		// The mark of a walk must be from its beginning: a page that was read
		// may change while the others are.
		pause := 2 * time.Hour
		if st.WalkTTL > 0 {
			pause = min(pause, st.WalkTTL/3)
		}
		key = ""
		var walked []providers.Page
		for _, q := range s.queries(st) {
			walked, err = s.walk(q, func() providers.Provider {
				if key == "" {
					s.later(pause)
					key = s.sim.Change(st.Name)
					s.later(pause)
				}
				return s.provider
			})
			if err != nil {
				return err
			}
			if key != "" {
				break
			}
		}
		if key == "" {
			continue // nowhere two pages
		}
		news, err = resume(walked[0].Candidate)
		if err == nil {
			err = want(news, key, "during the walk")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// later lets time pass and logs in anew.
func (s *session) later(d time.Duration) {
	time.Sleep(d)
	s.cred = s.sim.Login()
}

func checkUnsupported(s *session) error {
	s.open(0)
	page, err := s.provider.Fetch(s.ctx, s.cred, providers.Query{Stream: "no_such_stream"})
	switch {
	case !errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("the error is %v", err)
	case !reflect.DeepEqual(page, providers.Page{}):
		return errors.New("a page came with the error")
	case s.wire.mark() > 0:
		return errors.New("a request was made")
	}
	return nil
}

func checkConcurrent(s *session) error {
	s.open(3)
	streams := s.streams()
	const people = 8
	results := make(chan error, people)
	for i := range people {
		// Every other one is canceled before it begins: that must not touch
		// the others.
		one := *s
		one.cred = s.sim.Login()
		go func() {
			if i%2 == 1 {
				ctx, cancel := context.WithCancel(s.ctx)
				cancel()
				q, err := one.query()
				if err == nil {
					_, _ = one.provider.Fetch(ctx, one.cred, q)
				}
			}
			for j := range min(len(streams), 2) {
				st := streams[(i+j)%len(streams)]
				pages, err := one.walkAll(st, nil)
				if err == nil {
					err = one.wantAll(st.Name, pages)
				}
				if err != nil {
					results <- err
					return
				}
			}
			results <- nil
		}()
	}
	var failures []error
	for range people {
		failures = append(failures, <-results)
	}
	return errors.Join(failures...)
}
