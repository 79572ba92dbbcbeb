package health

import (
	"slices"
	"strings"
)

// Kind is the closed set of record kinds.
type Kind string

// The kinds. The first seven are the ones every aggregator speaks of.
const (
	KindDaily          Kind = "daily"           // totals and summaries of one civil day
	KindSleep          Kind = "sleep"           // one night or nap
	KindActivity       Kind = "activity"        // one workout
	KindBody           Kind = "body"            // one body measurement (weight, blood pressure, ...)
	KindNutrition      Kind = "nutrition"       // meals, drinks, a day's intake
	KindMenstruation   Kind = "menstruation"    // cycle data
	KindAthlete        Kind = "athlete"         // the profile of the person
	KindSamples        Kind = "samples"         // dense series outside of a session
	KindDevice         Kind = "device"          // a device and its state
	KindPlannedWorkout Kind = "planned_workout" // a workout that is planned, not done
	KindECG            Kind = "ecg"             // one electrocardiogram
	KindObservation    Kind = "observation"     // hormones, laboratory values, symptoms
)

var kinds = [...]Kind{
	KindDaily, KindSleep, KindActivity, KindBody, KindNutrition, KindMenstruation,
	KindAthlete, KindSamples, KindDevice, KindPlannedWorkout, KindECG, KindObservation,
}

// Kinds returns all kinds in the order of their constants. The slice is the
// caller's.
func Kinds() []Kind { return slices.Clone(kinds[:]) }

// Record is one datum of one person in the one shape that carries every kind
// from every provider.
//
// Identity is (Connection, Kind, Key). A provider adapter leaves Connection
// empty; the engine sets it.
type Record struct {
	// Connection is the host's own id of the connection, stable across
	// re-consent and upstream id changes.
	Connection string `json:"connection,omitempty"`
	Kind       Kind   `json:"kind"`
	// Key begins with the stream that produced the record, then a slash,
	// then what makes it unique within (Connection, Kind, stream):
	// the provider's own id where it guarantees one, else the civil day as
	// the provider printed it, else the local start text and the source.
	// It never contains a computed UTC instant, so that a corrected zone
	// cannot create a second row.
	Key    string `json:"key"`
	Span   Span   `json:"span,omitzero"`
	Source Source `json:"source,omitzero"`
	Rev    Rev    `json:"rev,omitzero"`
	State  State  `json:"state"`
	Method Method `json:"method"`
	// Values are the scalar measurements, at most one per
	// (Metric, Stat, Part). [Record.Normalize] sorts them by it.
	Values []Value `json:"values,omitempty"`
	// Texts are facts that are not numbers, and provider codes we do not
	// know, at most one per Name.
	Texts []Text `json:"texts,omitempty"`
	// Segments are labelled parts of the span: sleep stages, laps, meals.
	Segments []Segment `json:"segments,omitempty"`
	// Series are dense samples. A store keeps their points apart from the
	// record: a record read from a store has its series without points.
	Series []Series `json:"series,omitempty"`
	// Origins are the versions other than Rev that [Merge] carried sticky
	// values from, newest first: see [Value.Origin]. Nil in a record that
	// comes from a provider.
	Origins []Rev `json:"origins,omitempty"`
	// Erased is the newest tombstone this record has outlived, set by
	// [Merge]; sticky values of versions before it are not carried. Zero when
	// there was none.
	Erased Rev `json:"erased,omitzero"`
}

// Stream returns the part of the key in front of the first slash: the name of
// the provider stream that produced the record.
func (r *Record) Stream() string {
	stream, _, _ := strings.Cut(r.Key, "/")
	return stream
}

// State says whether a record is there or was removed.
type State uint8

// The states of a record.
const (
	StateLive    State = iota
	StateDeleted       // a tombstone: the provider removed the datum
)

// String returns "live" or "deleted".
func (s State) String() string {
	if s == StateDeleted {
		return "deleted"
	}
	return "live"
}

// Method says how a record came to be.
type Method uint8

// The methods. Ambiguous is a sensed value whose owner the provider is not
// sure of, as with a scale that several people use.
const (
	MethodUnknown      Method = iota
	MethodSensed              // measured by a device
	MethodSelfReported        // typed in by the person
	MethodAmbiguous           // sensed, but perhaps another person
	MethodDerived             // computed by the provider from other data
	methodCount
)

var methodNames = [methodCount]string{"unknown", "sensed", "self_reported", "ambiguous", "derived"}

// String returns the lower-case name of m.
func (m Method) String() string {
	if m < methodCount {
		return methodNames[m]
	}
	return "unknown"
}

// Source says where a record came from. All fields are the provider's own
// words, trimmed; empty means not told.
type Source struct {
	Provider string `json:"provider,omitempty"` // the adapter's name, such as "withings"
	Path     Path   `json:"path,omitempty"`     // how it reached us
	Upstream string `json:"upstream,omitempty"` // behind an aggregator: the service that measured, such as "GARMIN"
	Device   string `json:"device,omitempty"`   // the device's id or name as the provider gives it
	App      string `json:"app,omitempty"`      // the application that wrote it, where told
}

// Path is the way a record took to reach us.
type Path string

// The paths.
const (
	PathDirect Path = "direct" // from the service that collected it
	PathTerra  Path = "terra"  // through the Terra aggregator
	PathImport Path = "import" // from an archive
)

// Rev orders the versions of one record.
type Rev struct {
	// Order is the provider's modification or ordering time in
	// milliseconds since the Unix epoch, or, where it has none, the server's
	// Date of the answer. It is never read from our own clock.
	Order int64 `json:"order"`
	// Mapping is the version of the mapping code that produced the record.
	// It is not part of the fingerprint.
	Mapping uint16 `json:"mapping"`
	// Push is set when the version arrived by webhook rather than by a pull.
	Push bool `json:"push,omitempty"`
	// Absent is set on a tombstone that a store made because a complete walk
	// no longer held the record. It has the Order and Mapping of the version
	// it removed, and a pull that finds the record again, with an Order not
	// lower, restores it.
	Absent bool `json:"absent,omitempty"`
	// Fingerprint is the digest of what this version itself said: see
	// [Record.Fingerprint]. Values that [Merge] carried over from other
	// versions are not in it, so that the same version is recognised when it
	// arrives again.
	Fingerprint uint64 `json:"fingerprint,string"`
}

// Value is one scalar measurement in the unit of its metric.
type Value struct {
	Metric Metric  `json:"metric"`
	Part   Part    `json:"part,omitempty"`
	Number Decimal `json:"number"`
	Stat   Stat    `json:"stat"`
	Flags  Flags   `json:"flags,omitzero"`
	// Origin is 0 for a value of the version the record is at. [Merge] sets
	// it to 1 + the index in Record.Origins of the version that reported a
	// sticky value which the record's own version lacks.
	Origin uint16 `json:"origin,omitempty"`
	// AsOf is the Order of that origin, zero for a value of the record's own
	// version.
	AsOf int64 `json:"as_of,omitempty"`
}

// Part narrows a metric to a part of the body, a heart-rate zone, an ear or
// whatever else a provider splits it by, in lower-case words: "left_arm",
// "zone_2". Empty is the whole.
type Part string

// Flags mark a value or a span without changing it.
type Flags uint8

// The flags.
const (
	FlagOutOfRange  Flags = 1 << iota // outside the plausible range of the metric; kept out of aggregates
	FlagEstimated                     // the provider calls it an estimate
	FlagSticky                        // not erased when a later version lacks it
	FlagAmbiguous                     // a local time that happens twice
	FlagNonexistent                   // a local time that does not happen
	FlagScaled                        // a timestamp in the wrong unit was corrected
	FlagImplausible                   // a span whose length or date is not plausible
	FlagInexact                       // rounded, or computed from other values of the record, by the mapping
)

// Has reports whether all flags of f are set.
func (f Flags) Has(flag Flags) bool { return f&flag == flag }

// Text is a fact that is not a number.
type Text struct {
	Name  string `json:"name"` // lower-case words, such as "device_model"
	Value string `json:"value"`
}

// Segment is a labelled part of a record's span. Segments of different tracks
// may overlap.
type Segment struct {
	Track string `json:"track"` // what is being labelled: "stage", "lap", "zone", "meal", "phase"
	// Label is the normalized label, such as "deep". Empty when the
	// provider's code is not known to us.
	Label string `json:"label,omitempty"`
	Code  string `json:"code,omitempty"` // the provider's own code, always kept
	Start Moment `json:"start,omitzero"`
	End   Moment `json:"end,omitzero"`
	// Values are measurements of the segment alone.
	Values []Value `json:"values,omitempty"`
}
