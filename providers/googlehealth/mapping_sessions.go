package googlehealth

import (
	"slices"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// sleep maps a night or a nap.
func (m *mapper) sleep(d *datum, o object) {
	// Short awakenings lie over the stages, and so may the time out of bed: each
	// moment of the night is of one stage.
	awakenings := d.stages(o, "shortAwakenings", health.TrackShortAwake)
	stages := fitbitmap.Overlay(d.stages(o, "stages", health.TrackStage), awakenings)
	out := d.outOfBed(o)
	stages = slices.DeleteFunc(fitbitmap.Overlay(stages, out), func(s health.Segment) bool { return s.Label == health.StageOutOfBed })
	for _, list := range [][]health.Segment{stages, out, awakenings} {
		for _, s := range list {
			d.segment(s)
		}
	}
	if inner, v := o.object("summary"); v == jsonscan.OK {
		d.numbers(inner, sleepFields)
		d.rows(inner, "stagesSummary", func(row object) { d.stageSummary(row) })
	}
	d.told(o, "type", "googlehealth_sleep_type", code)
	meta, v := o.object("metadata")
	if v != jsonscan.OK {
		return
	}
	nap, vn := meta.truth("nap")
	main, vm := meta.truth("mainSleep")
	switch {
	case vn == jsonscan.OK && nap:
		d.text(health.TextSleepType, "nap")
	case vm == jsonscan.OK && main:
		d.text(health.TextSleepType, "main")
	}
	status, _ := meta.text("stagesStatus")
	if processed, v := meta.truth("processed"); status == "" && (v != jsonscan.OK || !processed) {
		// The stages are not final: the service leaves out what is false.
		status = "unprocessed"
	}
	d.text(health.TextSleepStatus, code(status))
	if edited, v := meta.truth("manuallyEdited"); v == jsonscan.OK && edited {
		d.text("googlehealth_manually_edited", "true")
	}
}

// stageSummary reads the minutes and the number of episodes of a stage.
func (d *datum) stageSummary(row object) {
	word, v := row.text("type")
	if v != jsonscan.OK {
		d.fault("stagesSummary", reasonType)
		return
	}
	stage := fitbitmap.Stage(word)
	metric := fitbitmap.StageMetric(stage)
	if metric == "" {
		d.text("googlehealth_stage_"+code(errorWord(row, "type")), "unknown")
		return
	}
	count := field{path: "count", metric: health.MetricSleepStageEpisodes, part: fitbitmap.StagePart(stage)}
	if stage == health.StageAwake {
		count = field{path: "count", metric: health.MetricSleepAwakenings}
	}
	d.numbers(row, []field{{path: "minutes", metric: metric, times: 60}, count})
}

// stages reads a list of stages, in order of their starts. One that runs
// backwards is set aside.
func (d *datum) stages(o object, name, track string) []health.Segment {
	var list []health.Segment
	d.rows(o, name, func(row object) {
		s, ok := d.period(row, name)
		if !ok {
			return
		}
		word, v := row.text("type")
		if v == jsonscan.Bad || len(word) > health.MaxCode {
			d.fault(name, reasonType)
			return
		}
		s.Track, s.Label, s.Code = track, fitbitmap.Stage(word), word
		list = append(list, s)
	})
	return d.inOrder(list, name)
}

// outOfBed reads when the person was out of bed.
func (d *datum) outOfBed(o object) []health.Segment {
	const name = "outOfBedSegments"
	var list []health.Segment
	d.rows(o, name, func(row object) {
		if s, ok := d.period(row, name); ok {
			s.Track, s.Label = health.TrackStage, health.StageOutOfBed
			list = append(list, s)
		}
	})
	return d.inOrder(list, name)
}

// inOrder sorts periods by their starts. One that begins before the one in front
// of it is over is set aside.
func (d *datum) inOrder(list []health.Segment, name string) []health.Segment {
	slices.SortStableFunc(list, func(a, b health.Segment) int {
		return compare(a.Start.SortMilli(), b.Start.SortMilli())
	})
	kept := list[:0]
	for _, s := range list {
		if n := len(kept); n > 0 && s.Start.SortMilli() < kept[n-1].End.SortMilli() {
			d.fault(name, reasonOverlap)
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// period reads the start and the end of a part of a session.
func (d *datum) period(row object, name string) (health.Segment, bool) {
	start, v := row.timing("startTime", "startUtcOffset", "civilStartTime")
	end, ve := row.timing("endTime", "endUtcOffset", "civilEndTime")
	if v != jsonscan.OK || ve != jsonscan.OK {
		d.fault(name, reasonTime)
		return health.Segment{}, false
	}
	if end.moment.SortMilli() < start.moment.SortMilli() {
		d.fault(name, reasonEndFirst)
		return health.Segment{}, false
	}
	return health.Segment{Start: start.moment, End: end.moment}, true
}

// exercise maps a workout.
func (m *mapper) exercise(d *datum, o object) {
	word, v := o.text("exerciseType")
	if v == jsonscan.OK {
		sport, _ := fitbitmap.Sport(word)
		d.text(health.TextSport, string(sport))
		d.text(health.TextSportCode, word)
	} else {
		d.fault("exerciseType", reasonType)
	}
	d.told(o, "displayName", health.TextTitle, nil)
	d.told(o, "notes", health.TextNotes, nil)
	d.numbers(o, []field{{path: "activeDuration", metric: health.MetricExerciseDuration, seconds: true}})
	if inner, v := o.object("metricsSummary"); v == jsonscan.OK {
		d.numbers(inner, metricsFields)
	}
	if inner, v := o.object("exerciseMetadata"); v == jsonscan.OK {
		d.numbers(inner, []field{{path: "poolLengthMillimeters", metric: health.MetricPoolLength, shift: -3}})
		if gps, v := inner.truth("hasGps"); v == jsonscan.OK && gps {
			d.text("googlehealth_has_gps", "true")
		}
	}
	d.rows(o, "exerciseEvents", d.event)
	splits := "splits"
	if !o.has(splits) {
		splits = "splitSummaries"
	}
	d.rows(o, splits, func(row object) { d.split(row, splits) })
}

// events are the labels of the moments of a workout.
var events = map[string]string{
	"START": health.EventStart, "STOP": health.EventStop, "PAUSE": health.EventPause, "RESUME": health.EventResume,
	"AUTO_PAUSE": health.EventAutoPause, "AUTO_RESUME": health.EventAutoResume,
}

func (d *datum) event(row object) {
	at, v := row.timing("eventTime", "eventUtcOffset", "civilEventTime")
	word, vw := row.text("exerciseEventType")
	if v != jsonscan.OK || vw != jsonscan.OK || len(word) > health.MaxCode {
		d.fault("exerciseEvents", reasonType)
		return
	}
	d.segment(health.Segment{Track: health.TrackEvent, Label: events[word], Code: word, Start: at.moment})
}

// split maps one part of a workout.
func (d *datum) split(row object, name string) {
	s, ok := d.period(row, name)
	if !ok {
		return
	}
	word, _ := row.text("splitType")
	if len(word) > health.MaxCode {
		word = ""
	}
	s.Track, s.Label, s.Code = health.TrackLap, code(errorWord(row, "splitType")), word
	lap := &datum{m: d.m}
	lap.numbers(row, []field{{path: "activeDuration", metric: health.MetricExerciseDuration, seconds: true}})
	if inner, v := row.object("metricsSummary"); v == jsonscan.OK {
		lap.numbers(inner, metricsFields)
	}
	s.Values = lap.values
	for _, f := range lap.faults {
		d.fault(name+"."+f.name, f.reason)
	}
	d.segments = append(d.segments, s)
}

// electrocardiogram maps a recording with its signal.
func (m *mapper) electrocardiogram(d *datum, o object) {
	d.numbers(o, []field{
		{path: "beatsPerMinuteAvg", metric: health.MetricHeartRate, stat: health.StatMean},
		{path: "samplingFrequencyHertz", metric: health.MetricECGSamplingFrequency},
		{path: "leadNumber", metric: health.MetricECGLead},
	})
	if word, v := o.text("resultClassification"); v == jsonscan.OK {
		if known := fitbitmap.Rhythm(word); known != "" {
			d.text(health.TextAFibResult, known)
		} else {
			d.text(health.TextAFibResult, health.RhythmOther)
		}
		d.text(health.TextAFibCode, word)
	}
	d.medicalDevice(o)
	if !o.has("waveformSamples") {
		return
	}
	s, ok := d.signal(o)
	if !ok {
		d.fault("waveformSamples", reasonSignal)
		return
	}
	d.series = append(d.series, s)
}

func (d *datum) medicalDevice(o object) {
	if inner, v := o.object("medicalDeviceInfo"); v == jsonscan.OK {
		d.told(inner, "deviceModel", health.TextDeviceModel, nil)
		d.told(inner, "firmwareVersion", health.TextDeviceSoftware, nil)
	}
}

// signal reads the samples of a recording. They are divided by the scaling
// factor to give millivolts; the series holds microvolts to the thousandth,
// rounded where the factor does not divide.
func (d *datum) signal(o object) (health.Series, bool) {
	factor, v := o.integer("millivoltsScalingFactor")
	hertz, vh := o.integer("samplingFrequencyHertz")
	start, ok := d.span.Start.UnixMilli()
	const most = 1 << 20 // of a factor; a signal has one point per millisecond at most
	if v != jsonscan.OK || vh != jsonscan.OK || !ok || factor < 1 || factor > most || hertz < 1 || hertz > 1000 {
		return health.Series{}, false
	}
	scan := jsonscan.New(o.raw("waveformSamples"))
	if scan.Kind() != jsonscan.Array {
		return health.Series{}, false
	}
	s := health.Series{Metric: health.MetricECGVoltage, Exp: -3, From: start}
	scan.Array()
	for i := int64(0); scan.NextElement(); i++ {
		sample, ok := scan.Int()
		const loudest = 1 << 31
		if !ok || i == health.MaxPoints || sample < -loudest || sample > loudest {
			return health.Series{}, false
		}
		s.Times = append(s.Times, start+i*1000/hertz)
		s.Values = append(s.Values, divide(sample*1_000_000, factor))
	}
	if scan.End() != nil || len(s.Times) == 0 {
		return health.Series{}, false
	}
	s.To = s.Times[len(s.Times)-1] + 1
	return s, true
}

// divide rounds half away from zero.
func divide(n, by int64) int64 {
	half := by / 2
	if n < 0 {
		half = -half
	}
	return (n + half) / by
}

// irregularRhythm maps a notification of an irregular rhythm.
func (m *mapper) irregularRhythm(d *datum, o object) {
	var beats track
	positive := false
	d.rows(o, "alertWindows", func(row object) {
		s, ok := d.period(row, "alertWindows")
		if !ok {
			return
		}
		s.Track, s.Label = health.TrackRhythm, health.RhythmNegative
		if p, v := row.truth("positive"); v == jsonscan.OK && p {
			s.Label, positive = health.RhythmPositive, true
		}
		d.segment(s)
		d.rows(row, "heartBeats", func(beat object) {
			at, _, v := beat.instant("physicalTime")
			n, vn := beat.number("beatsPerMinute")
			if v != jsonscan.OK || vn != jsonscan.OK || !beats.add(at, n) {
				d.fault("heartBeats", reasonType)
			}
		})
	})
	d.text(health.TextAFibResultPPG, map[bool]string{true: health.RhythmPositive, false: health.RhythmNegative}[positive])
	d.medicalDevice(o)
	if s, conflict, ok := beats.series(); ok {
		if conflict {
			d.fault("heartBeats", reasonConflict)
		}
		s.Metric, s.From, s.To = health.MetricHeartRate, s.Times[0], s.Times[len(s.Times)-1]+1
		d.series = append(d.series, s)
	}
}
