package main

import (
	"slices"

	"github.com/vitalmux/vitalmux/health"
)

// provider is the mapping of one provider's wire format.
type provider struct {
	name    string
	intro   string
	objects []object
}

// object is one wire object, endpoint or data type.
type object struct {
	name   string
	fields []field
}

// form is what a field becomes in a record.
type form string

const (
	formValue       form = "value"         // a Value of the record, or of the segment the object belongs to
	formSeries      form = "series"        // points of a Series
	formSegment     form = "segment value" // a Value of a Segment
	formAlternative form = "alternative"   // the same value again, for when the first is absent
	formText        form = "text"          // a Text of the record
	formLabel       form = "segment"       // a Segment of the track
	formKey         form = "key"           // says how to read its neighbours
	formUnmapped    form = "none"          // kept in the raw body only
)

// field is one field of the wire and what becomes of it. Metric, stat and part
// are set for the numeric forms; target is the name of the text or track.
type field struct {
	name   string
	form   form
	metric health.Metric
	stat   health.Stat
	part   health.Part // a part in angle brackets is chosen by a neighbouring field
	target string
	note   string
}

func (f field) numeric() bool { return f.metric != "" }

func value(name string, m health.Metric, s health.Stat, p health.Part, note string) field {
	return field{name: name, form: formValue, metric: m, stat: s, part: p, note: note}
}

func series(name string, m health.Metric, s health.Stat, p health.Part, note string) field {
	return field{name: name, form: formSeries, metric: m, stat: s, part: p, note: note}
}

func segment(name string, m health.Metric, s health.Stat, p health.Part, note string) field {
	return field{name: name, form: formSegment, metric: m, stat: s, part: p, note: note}
}

func alternative(name string, m health.Metric, s health.Stat, p health.Part, note string) field {
	return field{name: name, form: formAlternative, metric: m, stat: s, part: p, note: note}
}

func text(name, textName, note string) field {
	return field{name: name, form: formText, target: textName, note: note}
}

func label(name, track, note string) field {
	return field{name: name, form: formLabel, target: track, note: note}
}

func key(name, note string) field { return field{name: name, form: formKey, note: note} }

func unmapped(name, note string) field { return field{name: name, form: formUnmapped, note: note} }

// providers returns the mappings in the order of the document.
func providers() []provider {
	return []provider{
		{
			name: "Withings",
			intro: "The value of a measure is `value` x 10^`unit`, kept exactly. A `<position>` is the body part of the measure's " +
				"`position`. An hr field of 0 is the absence of data.",
			objects: withingsFields,
		},
		{
			name: "Fitbit Web API",
			intro: "Without an Accept-Language header distances are kilometres, elevations metres, weights kilograms. " +
				"Series values are numbers in strings.",
			objects: fitbitFields,
		},
		{
			name: "Google Health API",
			intro: "64 bit integers come as strings, durations as seconds with an s. Heart rate zones LIGHT, MODERATE, VIGOROUS " +
				"and PEAK are zone_0 to zone_3. Where a data type has list and rollup fields, the list is a series and the rollup a value.",
			objects: googleHealthFields,
		},
		{
			name: "Terra",
			intro: "Fields of the models of version 2022-03-16, with the older spellings that are still sent. Any field may be null or absent. " +
				"A `<contributor>` is the name under which the number stands in the contributors object.",
			objects: slices.Concat(terraActivityFields, terraDailyFields, terraSleepFields, terraBodyFields, terraOtherFields, terraPlannedFields),
		},
	}
}
