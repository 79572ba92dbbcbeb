package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// RunCopy fills a store with everything there is, copies it into another one
// and on into a third with [store.Copy], and compares. open returns a new empty
// store each time.
func RunCopy(t *testing.T, from, to func() store.Store) {
	t.Helper()
	if err := CheckCopy(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
}

// CheckCopy is [RunCopy] without a test.
func CheckCopy(ctx context.Context, from, to func() store.Store) error {
	first, second, third := from(), to(), from()
	for _, s := range []store.Store{first, second, third} {
		defer func() { _ = s.Close() }()
	}
	if err := fill(ctx, first); err != nil {
		return fmt.Errorf("filling: %w", err)
	}
	want, err := describe(ctx, first)
	if err != nil {
		return err
	}
	for i, pair := range [][2]store.Store{{second, first}, {second, first}, {third, second}} {
		report, err := store.Copy(ctx, pair[0], pair[1])
		if err != nil {
			return fmt.Errorf("copy %d: %w", i, err)
		}
		if i == 1 && report.Skipped != report.Users {
			return fmt.Errorf("the second time only %d of %d users were there", report.Skipped, report.Users)
		}
		have, err := describe(ctx, pair[0])
		if err != nil {
			return err
		}
		for name, text := range want {
			if have[name] != text {
				return fmt.Errorf("copy %d: %s differs: want %s, got %s", i, name, text, have[name])
			}
		}
	}
	if err := checkErasedSince(ctx, second, first); err != nil {
		return err
	}
	// What the target has besides is told.
	more := batchOf(pageOf(bodyRecord("more", 90, 10, 1)))
	more.Copied = nil
	if _, err := second.Commit(ctx, more); err != nil {
		return err
	}
	if _, err := store.Copy(ctx, second, first); err == nil {
		return fmt.Errorf("a target that holds something else is taken for a copy")
	}
	return nil
}

// checkErasedSince erases somebody in src who was copied to dst, and copies again.
func checkErasedSince(ctx context.Context, dst, src store.Store) error {
	if _, err := src.Erase(ctx, "u2"); err != nil {
		return err
	}
	want, err := describe(ctx, src)
	if err != nil {
		return err
	}
	if _, err := store.Copy(ctx, dst, src); err != nil {
		return fmt.Errorf("copy after an erasure: %w", err)
	}
	have, err := describe(ctx, dst)
	if err != nil {
		return err
	}
	if !maps.Equal(want, have) {
		return fmt.Errorf("copy after an erasure: want %v, got %v", want, have)
	}
	users, err := dst.(store.Copyable).Users(ctx, "", 0)
	if err != nil {
		return err
	}
	if slices.Contains(users, "u2") {
		return fmt.Errorf("somebody who was erased in the source is still in the copy")
	}
	late := batchOf()
	late.User, late.Connection = "u2", "theirs"
	late.Covered = []store.Covered{{Stream: stream, Window: health.Window{From: present, To: present.Add(time.Hour)}}}
	if _, err := dst.Commit(ctx, late); !errors.Is(err, store.ErrErased) {
		return fmt.Errorf("commit for somebody who was erased in the source: %v, want %w", err, store.ErrErased)
	}
	return nil
}

// fill puts something of everything into s.
func fill(ctx context.Context, s store.Store) error {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	base := at.UnixMilli()
	for _, c := range []store.Connection{
		{ID: conn, User: user, Provider: "test", UpstreamID: "up", State: store.StateActive, Scopes: []string{"a", "b"}, CreatedAt: at},
		{ID: "second", User: user, Provider: "other", State: store.StateRetired, Reason: "ended", Predecessor: conn, CreatedAt: at},
		{ID: "gone", User: user, Provider: "third", CreatedAt: at},
		{ID: "theirs", User: "u2", Provider: "test", UpstreamID: "up2", Zone: "Asia/Kathmandu", CreatedAt: at},
	} {
		if _, err := s.PutConnection(ctx, c); err != nil {
			return err
		}
	}
	credential := store.Credential{
		Connection: conn, Grant: "g", Generation: 7, RefreshPrint: "print", Sealed: []byte("sealed"), Previous: []byte("before"),
		ExpiresAt: at.Add(time.Hour), Siblings: []store.Sibling{{Sealed: []byte("s"), RefreshPrint: "p", ParentPrint: "q"}},
		Fails: 2, FailingSince: at, NextAt: at.Add(time.Minute), Doubts: 1,
	}
	if err := s.PutGrant(ctx, "", credential); err != nil {
		return err
	}
	// Points of one owner from two records, the later over the earlier.
	series := func(key string, order int64, from, to int64, value int64) health.Record {
		r := bodyRecord(key, 0, order, 1)
		r.Kind, r.Values = health.KindSamples, nil
		x := health.Series{Metric: "heart_rate", From: base + from, To: base + to}
		for i := from; i < to; i += 1000 {
			x.Times, x.Values = append(x.Times, base+i), append(x.Values, value+i%7)
		}
		r.Series = []health.Series{x}
		return r
	}
	session := bodyRecord("run", 30, 5, 1)
	session.Kind = health.KindActivity
	session.Series = series("", 1, 1_800_000, 1_900_000, 150).Series
	deleted := bodyRecord("deleted", 3, 9, 1)
	deleted.State, deleted.Values = health.StateDeleted, nil
	// Its next version tells nothing of what the second series is about.
	early := series("early", 1, 0, 600_000, 60)
	early.Series = append(early.Series, early.Series[0])
	early.Series[1].Metric = "respiratory_rate"
	page := pageOf(bodyRecord("a", 0, 10, 70_000), bodyRecord("b", 1, 11, 71_000), deleted, session, early)
	page.Raw = &health.RawPage{Date: at, Zone: "UTC", Bodies: []health.RawBody{{Name: "list", Body: []byte(`{"a":1}`)}}}
	page.Quarantined = []store.Quarantined{{Key: "x", Reason: "bad number", Raw: []byte("1e400")}}
	b := batchOf(page)
	cursor := store.Cursor{Connection: conn, Stream: stream, Lane: store.LaneLive}
	moved := cursor
	moved.HighWater, moved.Walk = "17", &store.Walk{PageToken: "t", Candidate: "18", StartedAt: at}
	b.Cursors = []store.CursorSwap{{Old: cursor, New: moved}}
	b.Covered = []store.Covered{{Stream: stream, Window: health.Window{From: at, To: at.Add(time.Hour)}}}
	b.Due = []store.Due{{Connection: conn, Task: "sync", At: at.Add(time.Hour)}}
	if _, err := s.Commit(ctx, b); err != nil {
		return err
	}
	late := pageOf(series("early", 2, 0, 600_000, 61), series("late", 2, 300_000, 900_000, 80))
	late.Quarantined = []store.Quarantined{{Key: "y", Reason: "bad number", Raw: []byte("NaN")}}
	b = batchOf(late)
	b.Now = b.Now.Add(time.Minute)
	if _, err := s.Commit(ctx, b); err != nil {
		return err
	}
	kept := bodyRecord("kept", 2, 3, 60_000)
	kept.Connection = "gone"
	b = batchOf(pageOf(kept))
	b.Connection = "gone"
	if _, err := s.Commit(ctx, b); err != nil {
		return err
	}
	if err := s.DeleteConnection(ctx, "gone", false); err != nil {
		return err
	}
	for _, set := range []store.Setting{{Name: "store"}, {User: user, Name: "person"}, {User: "u3", Name: "person"}} {
		if err := s.SwapSetting(ctx, set.User, set.Name, nil, []byte("v"+set.User)); err != nil {
			return err
		}
	}
	for _, d := range []store.Delivery{
		{ID: "d1", Endpoint: "test", Received: at, Body: []byte("{}"), Status: store.DeliveryNew},
		{ID: "d2", Endpoint: "test", Subject: "who", Received: at, Body: []byte("{}"), Status: store.DeliveryNew},
		{ID: "d3", Endpoint: "test", Received: at, Body: []byte("?"), Meta: []byte("m"), Status: store.DeliveryNew},
	} {
		if _, err := s.PutDelivery(ctx, d); err != nil {
			return err
		}
	}
	item := store.InboxItem{ID: "d1/0", User: user, Connection: conn, Received: at, Payload: []byte("p"), Attempts: 1, NextAt: at.Add(time.Minute)}
	same, last := item, item // two people may have items of one id
	same.User, same.Connection = "u2", "theirs"
	last.ID, last.Received = "d1/1", at.Add(time.Second)
	if err := s.Assign(ctx, "d1", store.Assignment{Items: []store.InboxItem{item, same, last}}); err != nil {
		return err
	}
	if err := s.UpdateItem(ctx, item); err != nil {
		return err
	}
	dead := store.Delivery{ID: "d3", Status: store.DeliveryDead, Reason: "unreadable", Attempts: 8}
	if err := s.UpdateDelivery(ctx, dead); err != nil {
		return err
	}
	job := store.Job{ID: "j1", Provider: "test", Kind: "revoke", Sealed: []byte("x"), Receipt: "r", CreatedAt: at, NextAt: at.Add(time.Minute), Attempts: 3, Reason: "later"}
	if err := s.PutJob(ctx, job); err != nil {
		return err
	}
	if err := s.UpdateJob(ctx, job); err != nil {
		return err
	}
	if _, err := s.PutConnection(ctx, store.Connection{ID: "erased", User: "u9", Provider: "test", CreatedAt: at}); err != nil {
		return err
	}
	_, err := s.Erase(ctx, "u9")
	return err
}

// describe writes down what s holds.
func describe(ctx context.Context, s store.Store) (map[string]string, error) {
	all := make(map[string]string)
	tell := func(name string, v any, err error) error {
		all[name] = fmt.Sprintf("%+v", v)
		return err
	}
	var errs []error
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	for _, u := range []string{user, "u2", "u3"} {
		var out bytes.Buffer
		_, err := store.Export(ctx, s, store.ExportRequest{User: u, Raw: true}, &out)
		note(tell("export of "+u, out.String(), err))
		var items []store.InboxItem
		for q := (store.InboxQuery{User: u}); ; {
			page, err := s.InboxItems(ctx, q)
			note(err)
			if len(page) == 0 {
				break
			}
			items = append(items, page...)
			q.After = page[len(page)-1].ID
		}
		note(tell("inbox of "+u, items, nil))
	}
	credential, err := s.Credential(ctx, conn)
	credential.Revision = 0
	note(tell("credential", credential, err))
	cursors, err := s.Cursors(ctx, conn)
	for i := range cursors {
		if w := cursors[i].Walk; w != nil {
			note(tell("walk", *w, nil))
			cursors[i].Walk = nil
		}
	}
	note(tell("cursors", cursors, err))
	deliveries, err := s.Deliveries(ctx, store.DeliveryQuery{})
	note(tell("deliveries", deliveries, err))
	jobs, err := s.Jobs(ctx, store.JobQuery{})
	note(tell("jobs", jobs, err))
	due, err := s.Due(ctx, "", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 0)
	note(tell("due", due, err))
	for _, set := range []store.Setting{{Name: "store"}, {User: user, Name: "person"}, {User: "u3", Name: "person"}} {
		value, err := s.Setting(ctx, set.User, set.Name)
		note(tell("setting of "+set.User, string(value), err))
	}
	_, err = s.PutConnection(ctx, store.Connection{ID: "again", User: "u9", Provider: "test", CreatedAt: time.Unix(1, 0)})
	note(tell("an erased user", err != nil, nil))
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return all, nil
}
