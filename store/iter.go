package store

import (
	"context"
	"iter"

	"github.com/vitalmux/vitalmux/health"
)

// The iterators of this file read page by page. When a page fails they give the
// zero value with the error, once, and end. Breaking off is always safe, and
// ranging again starts again. They start no goroutines. Between two pages other
// commits may happen: what is written then is seen if it lies ahead.

// AllConnections iterates over the connections that q selects, by ID. q.Limit
// is the size of a page.
func AllConnections(ctx context.Context, s Connections, q ConnectionQuery) iter.Seq2[Connection, error] {
	return paged(q.After, func(after string) ([]Connection, string, error) {
		q := q
		q.After = after
		list, err := s.Connections(ctx, q)
		if err != nil || len(list) == 0 {
			return nil, "", err
		}
		return list, list[len(list)-1].ID, nil
	})
}

// AllRecords iterates over the records that q selects, in the order of
// [Reader].Records. q.Limit is the size of a page.
func AllRecords(ctx context.Context, s Reader, q RecordQuery) iter.Seq2[health.Record, error] {
	return paged(q.After, func(after string) ([]health.Record, string, error) {
		q := q
		q.After = after
		page, err := s.Records(ctx, q)
		return page.Records, page.Next, err
	})
}

// AllSamples iterates over the runs of samples that q selects. q.Limit is the
// size of a page in points.
func AllSamples(ctx context.Context, s Reader, q SampleQuery) iter.Seq2[SampleRun, error] {
	return paged(q.After, func(after string) ([]SampleRun, string, error) {
		q := q
		q.After = after
		page, err := s.Samples(ctx, q)
		return page.Runs, page.Next, err
	})
}

// AllRawPages iterates over the stored raw answers that q selects, in the order
// in which they were first stored. q.Limit is the size of a page.
func AllRawPages(ctx context.Context, s Reader, q RawQuery) iter.Seq2[health.RawPage, error] {
	return paged(q.After, func(after string) ([]health.RawPage, string, error) {
		q := q
		q.After = after
		list, err := s.RawPages(ctx, q)
		return list.Pages, list.Next, err
	})
}

// paged iterates over the elements of pages, from the token after on until
// there is no next one.
func paged[T any](after string, read func(after string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for token := after; ; {
			list, next, err := read(token)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, v := range list {
				if !yield(v, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			token = next
		}
	}
}
