package fitbitmap

import (
	"slices"

	"github.com/vitalmux/vitalmux/health"
)

// Stage returns the sleep stage, a Stage constant of package health, for a
// level or type of either service; "" if the word is not known.
func Stage[T []byte | string](word T) string {
	// Nights have hundreds of these: no folding for the usual forms.
	switch string(word) {
	case "wake", "awake", "AWAKE":
		return health.StageAwake
	case "light", "LIGHT":
		return health.StageLight
	case "deep", "DEEP":
		return health.StageDeep
	case "rem", "REM":
		return health.StageREM
	case "asleep", "ASLEEP":
		return health.StageAsleep
	case "restless", "RESTLESS":
		return health.StageRestless
	}
	return ""
}

// StageMetric returns the metric of the time spent in a stage; "" for a stage
// without one.
func StageMetric(stage string) health.Metric {
	switch stage {
	case health.StageAwake:
		return health.MetricSleepAwake
	case health.StageLight:
		return health.MetricSleepLight
	case health.StageDeep:
		return health.MetricSleepDeep
	case health.StageREM:
		return health.MetricSleepREM
	case health.StageAsleep:
		return health.MetricSleepAsleep
	case health.StageRestless:
		return health.MetricSleepRestless
	}
	return ""
}

// StagePart returns the part that a stage is of other metrics, such as the
// number of episodes; "" for a stage without one.
func StagePart(stage string) health.Part {
	switch stage {
	case health.StageAwake:
		return health.PartAwake
	case health.StageLight:
		return health.PartLight
	case health.StageDeep:
		return health.PartDeep
	case health.StageREM:
		return health.PartREM
	case health.StageAsleep:
		return health.PartAsleep
	case health.StageRestless:
		return health.PartRestless
	}
	return ""
}

// Overlay returns the stages of a night with the short awakenings laid over
// them: where one is, it takes the place of the stage below, which is cut. Both
// services send awakenings of up to three minutes apart from the stages, over
// which they lie.
//
// Both lists must have starts and ends of one clock, in order of their starts
// and not overlapping within themselves; awakenings take the track of the
// stages. An awakening where no stage is stays out: it says nothing about the
// night's stages. Neither list is changed.
func Overlay(stages, awakenings []health.Segment) []health.Segment {
	if len(awakenings) == 0 {
		return slices.Clone(stages)
	}
	out := make([]health.Segment, 0, len(stages)+2*len(awakenings))
	next := 0
	for _, stage := range stages {
		rest := stage
		for i := next; i < len(awakenings); i++ {
			a := awakenings[i]
			if a.Start.SortMilli() >= stage.End.SortMilli() {
				break
			}
			if a.End.SortMilli() <= rest.Start.SortMilli() {
				next = i + 1
				continue
			}
			if a.Start.SortMilli() > rest.Start.SortMilli() {
				before := rest
				before.End = a.Start
				out = append(out, before)
			} else {
				a.Start = rest.Start
			}
			if a.End.SortMilli() > rest.End.SortMilli() {
				a.End = rest.End // the part behind belongs to the next stage
			}
			a.Track = stage.Track
			out = appendStage(out, a)
			rest.Start = a.End
		}
		if rest.Start.SortMilli() < rest.End.SortMilli() {
			out = append(out, rest)
		}
	}
	return out
}

// appendStage adds an awakening, joined to the one before where an awakening
// was divided by a change of stages.
func appendStage(list []health.Segment, s health.Segment) []health.Segment {
	if n := len(list); n > 0 {
		last := &list[n-1]
		if last.Label == s.Label && last.Code == s.Code && last.End == s.Start && len(last.Values) == 0 && len(s.Values) == 0 {
			last.End = s.End
			return list
		}
	}
	return append(list, s)
}
