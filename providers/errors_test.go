package providers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

func TestError(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	e := &providers.Error{
		Provider: "acme", Op: "fetch", Kind: providers.ErrRateLimited, Status: 429, Code: "slow", RetryAt: at, RequestID: "r-1",
		Detail: "budget used up", Err: io.ErrUnexpectedEOF,
	}
	wrapped := fmt.Errorf("page 3: %w", e)
	require.Equal(t, "acme: fetch: rate limited: http 429: code slow: budget used up: unexpected EOF", e.Error())
	require.ErrorIs(t, wrapped, providers.ErrRateLimited)
	require.ErrorIs(t, wrapped, io.ErrUnexpectedEOF)
	require.NotErrorIs(t, wrapped, providers.ErrUnavailable)
	got, ok := errors.AsType[*providers.Error](wrapped)
	require.True(t, ok)
	require.Same(t, e, got)

	bare := &providers.Error{Provider: "acme"}
	require.Equal(t, "acme", bare.Error())
	for _, class := range providers.Classes() {
		require.NotErrorIs(t, bare, class)
	}
}

func TestRetryableAndRetryAt(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	for _, class := range providers.Classes() {
		err := fmt.Errorf("x: %w", &providers.Error{Kind: class})
		require.Equal(t, class == providers.ErrRateLimited || class == providers.ErrUnavailable, providers.Retryable(err), class)
		_, told := providers.RetryAt(err)
		require.False(t, told)
		got, told := providers.RetryAt(fmt.Errorf("x: %w", &providers.Error{Kind: class, RetryAt: at}))
		require.True(t, told)
		require.Equal(t, at, got)
	}
	for _, err := range []error{nil, io.EOF, context.Canceled} {
		require.False(t, providers.Retryable(err))
		_, told := providers.RetryAt(err)
		require.False(t, told)
	}
}

func TestNoSuchStream(t *testing.T) {
	err := providers.NoSuchStream("acme", "fetch")
	require.ErrorIs(t, err, providers.ErrInvalid)
	require.ErrorIs(t, err, errors.ErrUnsupported, "the contract of Fetch")
	require.Equal(t, "acme: fetch: invalid request: no such stream: unsupported operation", err.Error())
}

func TestUnmapped(t *testing.T) {
	told := &providers.Error{Kind: providers.ErrUnavailable, Code: "pending", RetryAt: time.Unix(1, 0)}
	got := providers.Unmapped("acme", "fetch x", "bad_json", fmt.Errorf("row 3: %w", told))
	require.Equal(t, &providers.Error{Provider: "acme", Op: "fetch x", Kind: providers.ErrUnavailable, Code: "pending", RetryAt: time.Unix(1, 0)}, got)
	require.Equal(t, &providers.Error{Kind: providers.ErrUnavailable, Code: "pending", RetryAt: time.Unix(1, 0)}, told, "it is a copy")
	got = providers.Unmapped("acme", "fetch x", "bad_json", io.ErrUnexpectedEOF)
	require.Equal(t, &providers.Error{Provider: "acme", Op: "fetch x", Kind: providers.ErrMalformed, Code: "bad_json", Err: io.ErrUnexpectedEOF}, got)
}

func TestScopes(t *testing.T) {
	require.Nil(t, (&book{}).Capabilities().Scopes())
	caps := providers.Capabilities{Streams: []providers.Stream{{Scopes: []string{"b", "a"}}, {}, {Scopes: []string{"a", "c", "b"}}}}
	require.Equal(t, []string{"b", "a", "c"}, caps.Scopes())
}

func TestClassesAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, class := range providers.Classes() {
		require.False(t, seen[class.Error()])
		seen[class.Error()] = true
	}
	classes := providers.Classes()
	classes[0] = nil
	require.NotNil(t, providers.Classes()[0], "the caller's slice is its own")
}

// book is a provider whose pages are written down.
type book struct {
	pages map[string]providers.Page
	asked []string
}

var errPage = &providers.Error{Provider: "book", Kind: providers.ErrUnavailable}

func (b *book) Name() string { return "book" }
func (b *book) Capabilities() providers.Capabilities {
	return providers.Capabilities{Streams: []providers.Stream{{Name: "a"}, {Name: "b"}}}
}
func (b *book) Fetch(_ context.Context, _ providers.Credential, q providers.Query) (providers.Page, error) {
	b.asked = append(b.asked, q.PageToken)
	page, ok := b.pages[q.PageToken]
	if !ok {
		return providers.Page{}, errPage
	}
	return page, nil
}

func records(keys ...string) []health.Record {
	var all []health.Record
	for _, key := range keys {
		all = append(all, health.Record{Key: key})
	}
	return all
}

// read ranges over all records of a query until stop records came.
func read(t *testing.T, b *book, q providers.Query, stop int) (keys []string, err error) {
	t.Helper()
	for r, e := range providers.Records(t.Context(), b, providers.Credential{}, q) {
		if e != nil {
			require.NoError(t, err, "an error comes once")
			require.Empty(t, r.Key)
			err = e
			continue
		}
		require.NoError(t, err, "nothing comes after an error")
		keys = append(keys, r.Key)
		if len(keys) == stop {
			break
		}
	}
	return keys, err
}

func TestPages(t *testing.T) {
	whole := map[string]providers.Page{
		"":  {Records: records("a/1", "a/2"), More: true, PageToken: "2"},
		"2": {More: true, PageToken: "3"}, // an empty page with more behind it
		"3": {Records: records("a/3")},
	}
	b := &book{pages: whole}
	for range 2 { // ranging again starts again
		keys, err := read(t, b, providers.Query{Stream: "a"}, -1)
		require.NoError(t, err)
		require.Equal(t, []string{"a/1", "a/2", "a/3"}, keys)
	}
	require.Equal(t, []string{"", "2", "3", "", "2", "3"}, b.asked)

	b.asked = nil
	keys, err := read(t, b, providers.Query{Stream: "a", PageToken: "2"}, -1)
	require.NoError(t, err)
	require.Equal(t, []string{"a/3"}, keys)

	b.asked = nil
	keys, err = read(t, b, providers.Query{Stream: "a"}, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"a/1", "a/2"}, keys)
	require.Equal(t, []string{""}, b.asked, "breaking asks for nothing more")
}

func TestPagesFail(t *testing.T) {
	for _, c := range []struct {
		name  string
		pages map[string]providers.Page
		from  string
		keys  []string
		class error
		code  string
	}{
		{"first", nil, "", nil, providers.ErrUnavailable, ""},
		{"second", map[string]providers.Page{"": {Records: records("a/1"), More: true, PageToken: "2"}}, "", []string{"a/1"}, providers.ErrUnavailable, ""},
		{"same page", map[string]providers.Page{"2": {Records: records("a/1"), More: true, PageToken: "2"}}, "2", []string{"a/1"}, providers.ErrMalformed, providers.CodePageLoop},
		{"no token", map[string]providers.Page{"": {Records: records("a/1"), More: true}}, "", []string{"a/1"}, providers.ErrMalformed, providers.CodePageLoop},
		{"there and back", map[string]providers.Page{
			"":  {Records: records("a/1"), More: true, PageToken: "2"},
			"2": {Records: records("a/2"), More: true, PageToken: "3"},
			"3": {Records: records("a/3"), More: true, PageToken: "2"},
		}, "", []string{"a/1", "a/2", "a/3"}, providers.ErrMalformed, providers.CodePageLoop},
		{"back to where it began", map[string]providers.Page{
			"1": {Records: records("a/1"), More: true, PageToken: "2"},
			"2": {Records: records("a/2"), More: true, PageToken: "1"},
		}, "1", []string{"a/1", "a/2"}, providers.ErrMalformed, providers.CodePageLoop},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys, err := read(t, &book{pages: c.pages}, providers.Query{Stream: "a", PageToken: c.from}, -1)
			require.Equal(t, c.keys, keys)
			require.ErrorIs(t, err, c.class)
			e, ok := errors.AsType[*providers.Error](err)
			require.True(t, ok)
			require.Equal(t, c.code, e.Code)
			require.Equal(t, "book", e.Provider)
		})
	}
}

func TestStreamNamed(t *testing.T) {
	caps := (&book{}).Capabilities()
	st, ok := caps.StreamNamed("b")
	require.True(t, ok)
	require.Equal(t, "b", st.Name)
	_, ok = caps.StreamNamed("c")
	require.False(t, ok)
}
