// Package health defines the normalized record: one shape that carries every
// kind of wearable and health data from every provider without loss.
//
// A [Record] is exact (numbers are decimals, not floats), idempotent (it has
// an identity, a version and a fingerprint) and honest about time (a [Moment]
// says whether it is an instant, a wall clock reading, or both).
//
// # Encoding
//
// [AppendValues] and [AppendRest] are the canonical, versioned encoding of what
// a record says, in two halves: its scalar values as readable JSON, the rest
// packed. [Fingerprint] is the digest of both. [AppendPoints] packs the points
// of a [Series], [AppendRecord] a whole record. All types also marshal with
// encoding/json, losslessly in both directions.
//
// # Versions
//
// [Decide] and [Merge] say which of two versions of a record counts. The
// outcome does not depend on the order in which versions arrive.
//
// # Errors
//
// [ErrDay], [ErrDecimal], [ErrTime] and [ErrName] refuse text and numbers,
// [ErrCorrupt] and [ErrVersion] encodings, and an [*InvalidError] a record.
// Errors never contain what they refuse: it may be a health value.
//
// # Concurrency
//
// All types are plain values. Reading one from several goroutines is safe;
// changing one while another goroutine reads it is not.
//
// # Limits
//
// Times have a resolution of one millisecond. Numbers have 63 bits of
// coefficient and a decimal exponent of -128..127, of which a valid record uses
// -30..30. See [Record.Validate] for the limits of a record.
package health
