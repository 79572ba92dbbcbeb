package health

// Metric is the one stable name of a measured quantity, such as "body_weight"
// or "steps". Names are lower case ASCII words joined by underscores and never
// change their meaning or their unit.
//
// The names this package knows, with unit, code and plausible range, are the
// catalogue: see [Lookup] and [Catalogue]. A metric outside the catalogue is
// legal (hosts may import their own), it only has no unit and no range.
type Metric string

// Definition states what a [Metric] means. Values are always stored in Unit.
type Definition struct {
	Metric Metric
	// Unit is the UCUM code of the stored values (https://ucum.org), "1" for
	// a dimensionless number.
	Unit string
	// LOINC is the LOINC code of the metric, empty where no code is safe.
	LOINC string
	// Additive reports whether values of disjoint periods may be summed, as
	// with steps, and not with heart rate.
	Additive bool
	// Min and Max bound the plausible range, inclusive. Both zero means the
	// metric has no range. A value outside is stored as it is and carries
	// [FlagOutOfRange].
	Min, Max float64
	// Doc is one sentence for people.
	Doc string
}

// Stat tells how a value summarises the time it stands for.
type Stat uint8

// The statistics. The zero value is a plain reading or a total, whichever is
// natural for the metric.
const (
	StatValue  Stat = iota // a reading, or the total of an additive metric
	StatMean               // arithmetic mean over the span
	StatMin                // smallest value in the span
	StatMax                // largest value in the span
	StatStart              // at the start of the span
	StatEnd                // at the end of the span
	StatGoal               // a target the person set, not a measurement
	StatMedian             // median over the span
	StatStdDev             // standard deviation over the span
	statCount
)

var statNames = [statCount]string{"value", "mean", "min", "max", "start", "end", "goal", "median", "stddev"}

// String returns the lower-case name of s, such as "mean".
func (s Stat) String() string {
	if s < statCount {
		return statNames[s]
	}
	return "unknown"
}

// ParseStat is the inverse of [Stat.String]. The second result is false for a
// name that is not one of the statistics.
func ParseStat(name string) (Stat, bool) { return parseStat(name) }

func parseStat[T []byte | string](name T) (Stat, bool) {
	for i, n := range statNames {
		if n == string(name) {
			return Stat(i), true
		}
	}
	return 0, false
}
