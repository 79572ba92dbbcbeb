package store

import (
	"context"
	"iter"

	"github.com/vitalmux/vitalmux/health"
)

// AllRecords walks all records of a query, page by page. On failure it yields
// a zero record with the error once and stops. Breaking out of the loop is
// always safe, and ranging again starts again.
func AllRecords(ctx context.Context, r Reader, q RecordQuery) iter.Seq2[health.Record, error] {
	return func(yield func(health.Record, error) bool) {
		for q := q; ; {
			page, err := r.Records(ctx, q)
			if err != nil {
				yield(health.Record{}, err)
				return
			}
			for _, record := range page.Records {
				if !yield(record, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			q.After = page.Next
		}
	}
}
