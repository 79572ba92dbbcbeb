package store

import (
	"slices"

	"github.com/vitalmux/vitalmux/health"
)

// MovesClock reports whether a version of a record of the kind may have its
// points on another clock than the version that it replaces: one of them floats,
// and the other one knows the zone. [LeftBehind] then says what goes with the
// old version. It looks at the highest bits of the fingerprints: see
// [health.Fingerprint].
func MovesClock(kind health.Kind, old, next health.Rev) bool {
	return kind == health.KindSamples && (old.Fingerprint^next.Fingerprint)>>62 != 0
}

// LeftBehind returns the series of old, a record of kind samples, that next,
// which replaces it, has on the other clock: emptied, so that a store that makes
// their points those of their windows removes them. A series of which next brings
// no points stays where it is.
func LeftBehind(old, next *health.Record) []health.Series {
	var gone []health.Series
	if old.Kind != health.KindSamples {
		return nil // a session sheds what it does not have any more
	}
	for _, s := range old.Series {
		has := func(floating bool) bool {
			return slices.ContainsFunc(next.Series, func(n health.Series) bool {
				return n.Metric == s.Metric && n.Stat == s.Stat && n.Part == s.Part && n.Floating == floating && (n.Len() > 0 || n.Count == 0)
			})
		}
		if s.To > s.From && has(!s.Floating) && !has(s.Floating) {
			s.Times, s.Values, s.Count, s.Digest = nil, nil, 0, 0
			gone = append(gone, s)
		}
	}
	return gone
}
