package health

// Series is a run of dense samples of one metric in columns.
//
// A series is owned by (connection, stream, metric, stat, part, source) and,
// when the record is a session (any kind but samples), by the record's key as well.
// It arrives with the window it is complete for: points of the same owner
// inside the window are replaced, points outside are untouched, and a
// tombstone of the record removes them.
//
// Times and Values have equal length; Times rise strictly. A gap is the
// absence of a point. The number of point i is Values[i] * 10^Exp.
type Series struct {
	Metric Metric `json:"metric"`
	Part   Part   `json:"part,omitempty"`
	Stat   Stat   `json:"stat"`
	// Exp is the common decimal exponent of all values.
	Exp int8 `json:"exponent"`
	// Floating is set when the times are wall clock readings without a known
	// offset; they are then milliseconds of the wall clock since
	// 1970-01-01T00:00, and not instants.
	Floating bool `json:"floating,omitempty"`
	// From and To bound the half-open window the series is complete for, in
	// the same clock as Times.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// Times are milliseconds since the Unix epoch.
	Times []int64 `json:"times,omitempty"`
	// Values are the scaled numbers.
	Values []int64 `json:"values,omitempty"`
	// Count and Digest describe the points of a series that is without them,
	// as in a record read from a store. They are ignored, and normally zero,
	// when the points are there. See [Series.Describe].
	Count  int    `json:"count,omitempty"`
	Digest uint64 `json:"digest,omitempty,string"`
}

// Len returns the number of points.
func (s *Series) Len() int { return len(s.Times) }

// Number returns the exact value of point i.
func (s *Series) Number(i int) Decimal { return Decimal{Coefficient: s.Values[i], Exponent: s.Exp} }

// Float returns point i as a float64.
func (s *Series) Float(i int) float64 { return s.Number(i).Float() }
