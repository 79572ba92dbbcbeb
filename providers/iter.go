package providers

import (
	"context"
	"iter"
	"slices"

	"github.com/vitalmux/vitalmux/health"
)

// Pages walks all pages of a query, from q.PageToken on. On failure it yields
// a zero Page with the error once and stops; a page token that repeats is
// [ErrMalformed]. Breaking out of the loop is always safe, and ranging again
// starts again. It does not retry and it does not checkpoint: that is the
// engine's work.
func Pages(ctx context.Context, p Provider, cred Credential, q Query) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		q, seen := q, map[string]bool{q.PageToken: true}
		for {
			page, err := p.Fetch(ctx, cred, q)
			if err != nil {
				yield(Page{}, err)
				return
			}
			if !yield(page, nil) || !page.More {
				return
			}
			if seen[page.PageToken] {
				yield(Page{}, &Error{
					Provider: p.Name(), Op: "fetch " + q.Stream, Kind: ErrMalformed, Code: CodePageLoop,
				})
				return
			}
			seen[page.PageToken] = true
			q.PageToken = page.PageToken
		}
	}
}

// CodePageLoop is the [Error] code of a walk whose pages do not come to an end.
const CodePageLoop = "page_loop"

// Records walks all records of a query, under the rules of [Pages].
func Records(ctx context.Context, p Provider, cred Credential, q Query) iter.Seq2[health.Record, error] {
	return func(yield func(health.Record, error) bool) {
		for page, err := range Pages(ctx, p, cred, q) {
			if err != nil {
				yield(health.Record{}, err)
				return
			}
			for _, r := range page.Records {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// StreamNamed returns the stream of c with the given name.
func (c Capabilities) StreamNamed(name string) (Stream, bool) {
	for _, s := range c.Streams {
		if s.Name == name {
			return s, true
		}
	}
	return Stream{}, false
}

// Scopes returns the scopes that the streams of c need, once each, in the order
// of the streams.
func (c Capabilities) Scopes() []string {
	var all []string
	for _, s := range c.Streams {
		for _, scope := range s.Scopes {
			if !slices.Contains(all, scope) {
				all = append(all, scope)
			}
		}
	}
	return all
}
