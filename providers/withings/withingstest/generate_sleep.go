package withingstest

import (
	"cmp"
	"slices"
)

// The sleep states in use.
const (
	stateAwake = 0
	stateLight = 1
	stateDeep  = 2
	stateREM   = 3
)

// nightRow is a night as the simulator keeps it; Segments are computed from the private fields when asked for.
type nightRow struct {
	Night
	key        uint64 // of the generator of the segments
	begin, end int64  // when the segments begin and end, whatever edits do to the row
	external   bool   // from another application: no stages, no segments
}

// nightsOf makes the nights that end on a civil day, and naps.
func (u *user) nightsOf(day int) []*nightRow {
	r := u.rng(forNight, day)
	var out []*nightRow
	add := func(start, end int64, model int, dev Device, external bool) {
		n := u.newNight(day, len(out), start, end, model, dev)
		n.external = external
		n.Created = n.End + lag(r)
		n.Modified = n.Created
		u.summarize(n)
		out = append(out, n)
	}
	start := u.at(day-1, 60*r.in(22*60, 24*60+30)).Unix()
	end := u.at(day, 60*r.in(6*60, 8*60+30)).Unix()
	model, dev := 16, u.traits.watch
	if u.traits.mat != nil {
		model, dev = 32, *u.traits.mat
	}
	switch n := r.in(0, 39); {
	case n == 0: // nothing was worn
	case n == 1 && u.traits.echo:
		add(start, end, 16, Device{ModelID: 1059}, true)
	default:
		add(start, end, model, dev, false)
		if u.traits.twoNights {
			add(start+60*int64(r.in(0, 9)), end-60*int64(r.in(0, 9)), 16, u.traits.watch, false)
		}
	}
	if r.chance(8) {
		nap := u.at(day, 60*r.in(13*60, 15*60)).Unix()
		add(nap, nap+60*int64(r.in(20, 70)), 16, u.traits.watch, false)
	}
	return out
}

func (u *user) newNight(day, nth int, start, end int64, model int, dev Device) *nightRow {
	n := &nightRow{begin: start, end: end}
	n.Night = Night{
		ID: u.idBase + int64(day)*1000 + 800 + int64(nth), Timezone: u.tz, Model: model, ModelID: dev.ModelID,
		DeviceID: dev.ID, Start: start, End: end, Date: dayText(day),
	}
	n.key = mix(u.seed, forSegments, uint64(n.ID))
	return n
}

// stages computes when which state was held, in order of time and without the maps.
func (n *nightRow) stages() []SleepSegment {
	if n.external {
		return nil
	}
	r := newRNG(n.key)
	var out []SleepSegment
	at := n.begin
	hold := func(state, minutes int) {
		until := min(at+60*int64(minutes), n.end)
		for at < until {
			next := min(at+60*int64(r.in(1, 10)), until)
			out = append(out, SleepSegment{Start: at, End: next, State: state})
			at = next
		}
	}
	hold(stateAwake, r.in(3, 20))
	for cycle := 0; at < n.end-600; cycle++ {
		hold(stateLight, r.in(15, 40))
		hold(stateDeep, max(5, r.in(18, 38)-6*cycle))
		hold(stateLight, r.in(8, 25))
		hold(stateREM, r.in(5, 14)+4*cycle)
		if r.chance(35) {
			hold(stateAwake, r.in(1, 6))
		}
	}
	hold(stateAwake, int(n.end-at)/60)
	return out
}

// withSegments returns a copy of the night with its segments.
func (u *user) withSegments(n *nightRow) Night {
	c := n.Night
	c.Data = cloneFields(n.Data)
	c.Events = map[int][]int64{}
	for k, v := range n.Events {
		c.Events[k] = slices.Clone(v)
	}
	c.Segments = n.stages()
	r := newRNG(n.key, 1)
	for i := range c.Segments {
		s := &c.Segments[i]
		s.Series = map[string][]Sample{}
		put := func(name string, t int64, v float64) { s.Series[name] = append(s.Series[name], Sample{t, v}) }
		for t := s.Start; t < s.End; t += 120 {
			put("hr", t, float64(u.traits.restHR+r.in(-6, 6)))
			put("rr", t, float64(r.in(11, 18)))
			put("mvt_score", t, float64(r.in(0, 40)+120*b2i(s.State == stateAwake)))
		}
		t := s.Start
		put("snoring", t, float64(60*r.in(0, 1)))
		put("sdnn_1", t, float64(r.in(25, 95)))
		put("rmssd", t, float64(r.in(18, 80)))
		put("hrv_quality", t, float64(r.in(0, 2)))
		if n.Model == 32 {
			put("chest_movement_rate", t, float64(r.in(11, 18)))
			put("withings_index", t, float64(r.in(0, 25)))
			put("breathing_sounds", t, float64(r.in(0, 1)))
		}
	}
	return c
}

// summarize fills Data and Events from the segments, so that both actions of the service tell the same story.
func (u *user) summarize(n *nightRow) {
	inBed := n.End - n.Start
	r := newRNG(n.key, 2)
	if n.external {
		n.Data = Fields{"total_timeinbed": float64(inBed), "asleepduration": float64(inBed * 93 / 100)}
		return
	}
	var total [4]int64
	var latency, wakeup, waso int64
	var woke, rems int
	segs := n.stages()
	asleep := slices.IndexFunc(segs, func(s SleepSegment) bool { return s.State != stateAwake })
	if asleep < 0 {
		asleep = len(segs)
	}
	n.Events = map[int][]int64{1: {0}, 4: {inBed}}
	for i, s := range segs {
		d := s.End - s.Start
		total[s.State] += d
		changed := i == 0 || segs[i-1].State != s.State
		switch {
		case s.State == stateAwake && i < asleep:
			latency += d
		case s.State == stateAwake:
			if changed {
				woke++
				wakeup = 0
				n.Events[3] = append(n.Events[3], s.Start-n.Start)
			}
			wakeup += d
			waso += d
		case changed && (i == asleep || segs[i-1].State == stateAwake):
			n.Events[2] = append(n.Events[2], s.Start-n.Start)
		}
		if s.State == stateREM && changed {
			rems++
		}
		if s.State != stateAwake {
			wakeup = 0
		}
	}
	slept := total[stateLight] + total[stateDeep] + total[stateREM]
	hr := u.traits.restHR
	n.Data = Fields{
		"total_timeinbed": float64(inBed), "total_sleep_time": float64(slept),
		"lightsleepduration": float64(total[stateLight]), "deepsleepduration": float64(total[stateDeep]),
		"remsleepduration": float64(total[stateREM]), "wakeupduration": float64(total[stateAwake]),
		"sleep_efficiency": float64(100*slept/max(1, inBed)) / 100, "sleep_latency": float64(latency), "wakeup_latency": float64(wakeup),
		"wakeupcount": float64(woke), "waso": float64(waso - wakeup), "nb_rem_episodes": float64(rems),
		"durationtosleep": float64(latency), "durationtowakeup": float64(wakeup), "out_of_bed_count": float64(r.in(0, 2)),
		"hr_average": float64(hr + r.in(0, 4)), "hr_min": float64(hr - r.in(3, 8)), "hr_max": float64(hr + r.in(12, 35)),
		"rr_average": float64(r.in(13, 16)), "rr_min": float64(r.in(9, 12)), "rr_max": float64(r.in(17, 22)),
		"sleep_score": float64(r.in(45, 96)), "mvt_score_avg": float64(r.in(4, 20)), "mvt_active_duration": float64(60 * r.in(5, 50)),
		"rmssd_start_avg": float64(r.in(20, 60)), "rmssd_end_avg": float64(r.in(25, 80)),
	}
	if n.Model == 32 {
		for name, v := range map[string]int{
			"breathing_disturbances_intensity": r.in(2, 70), "breathing_quality_assessment": r.in(1, 3),
			"snoring": 60 * r.in(0, 90), "snoringepisodecount": r.in(0, 12), "apnea_hypopnea_index": r.in(0, 24),
			"withings_index": r.in(0, 24), "chest_movement_rate_average": r.in(13, 16), "chest_movement_rate_min": r.in(9, 12),
			"chest_movement_rate_max": r.in(17, 22), "breathing_sounds": r.in(0, 1), "breathing_sounds_episode_count": r.in(0, 5),
		} {
			n.Data[name] = float64(v)
		}
	}
}

// segment is a SleepSegment with the night it comes from, as the sleep service lists them.
type segment struct {
	SleepSegment
	night *nightRow
}

// segmentsIn returns the segments that start in [from, to), deliberately not in order of time.
func (u *user) segmentsIn(from, to int64) []segment {
	var out []segment
	for _, n := range u.nights {
		if n.end <= from || n.begin >= to {
			continue
		}
		for _, s := range u.withSegments(n).Segments {
			if s.Start >= from && s.Start < to {
				out = append(out, segment{s, n})
			}
		}
	}
	order := func(s segment) uint64 { return mix(s.night.key, uint64(s.Start)) }
	slices.SortFunc(out, func(a, b segment) int { return cmp.Compare(order(a), order(b)) })
	return out
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
