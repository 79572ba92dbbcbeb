package withingstest

import (
	"cmp"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"time"
)

// zones are given to users without one: far apart, with and without daylight saving, one with a half-hour offset.
var zones = [...]string{
	"Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "Europe/London", "America/Sao_Paulo",
}

// mix folds its arguments into one well distributed number (splitmix64).
func mix(parts ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, p := range parts {
		h ^= p
		h += 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// rng is a generator for one purpose. All arithmetic on what it yields is done in integers, so that every machine
// makes the same world.
type rng struct{ *rand.Rand }

func newRNG(parts ...uint64) rng {
	h := mix(parts...)
	return rng{rand.New(rand.NewPCG(h, mix(h, 1)))}
}

func (r rng) in(lo, hi int) int       { return lo + r.IntN(hi-lo+1) }
func (r rng) chance(percent int) bool { return r.IntN(100) < percent }

func (r rng) hex(bytes int) string {
	b := make([]byte, bytes)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return hex.EncodeToString(b)
}

// The purposes a user's history draws random numbers for.
const (
	forTraits = 100 + iota
	forMeasures
	forActivity
	forIntraday
	forWorkout
	forNight
	forSegments
	forHeart
	forSignal
	forEvolution
	forBulk
	forLag
	forProfile
)

// rng returns the generator for one purpose on one civil day; a day's data does not depend on when it is generated.
func (u *user) rng(purpose uint64, day int) rng { return newRNG(u.seed, purpose, uint64(day)) }

// traits are what stays the same about a user.
type traits struct {
	heightMM   int64
	weight     int64 // grams
	fat        int64 // per mille
	steps      int
	restHR     int
	bodyScan   bool // the scale measures segments
	aggregated bool // activity rows name no device
	echo       bool // a phone app reports some days as well
	twoNights  bool // watch and mat both see the night
	scale      Device
	watch      Device
	mat        *Device
	bpm        *Device
	devices    []Device
	goals      *Goals
}

func newTraits(u *user) traits {
	r := newRNG(u.seed, forTraits)
	variant := int(mix(u.seed) % 2)
	t := traits{
		heightMM:   int64(r.in(1520, 1960)),
		weight:     int64(r.in(55_000, 98_000)),
		fat:        int64(r.in(140, 330)),
		steps:      r.in(4_000, 12_000),
		restHR:     r.in(48, 68),
		bodyScan:   u.id%3 == 1,
		aggregated: u.id%2 == 0,
		echo:       u.id%3 == 2,
	}
	device := func(kind, model string, id int) Device {
		d := Device{
			ID: r.hex(20), Type: kind, Model: model, ModelID: id, Timezone: u.tz,
			Battery:      []string{"high", "medium", "low"}[r.in(0, 2)],
			FirstSession: u.midnight(u.first - r.in(1, 400)).Unix(),
		}
		if r.chance(25) {
			d.FirstSession = 0
		}
		t.devices = append(t.devices, d)
		return d
	}
	if t.bodyScan {
		t.scale = device("Scale", "Body Scan", 10)
	} else {
		t.scale = device("Scale", "Body+", 5)
	}
	t.watch = device("Activity Tracker", "ScanWatch", 93)
	if u.id%3 != 0 {
		d := device("Sleep Monitor", "Aura Sensor V2", 63)
		t.mat = &d
		t.twoNights = variant == 1
	} else {
		d := device("Blood Pressure Monitor", "BPM Core", 44)
		t.bpm = &d
	}
	if u.id%4 != 3 {
		t.goals = &Goals{Steps: 1000 * r.in(5, 12), Sleep: 900 * r.in(28, 34), Weight: Measure{Value: t.weight/1000 - 3, Unit: 0}}
	}
	return t
}

// generate makes everything that belongs to one civil day, also what the service learns of only later.
func (u *user) generate(day int) []item {
	items := u.measuresOf(day)
	for _, n := range u.nightsOf(day) {
		items = append(items, item{at: n.Modified, day: day, night: n})
	}
	if w := u.workoutOf(day); w != nil {
		items = append(items, item{at: w.Modified, day: day, workout: w})
	}
	return items
}

// lag is how long after a measurement the device reaches the service: seconds as a rule, hours or days at times.
func lag(r rng) int64 {
	switch n := r.in(0, 99); {
	case n < 90:
		return int64(r.in(4, 90))
	case n < 98:
		return int64(r.in(1_800, 21_600))
	default:
		return int64(r.in(86_400, 172_800))
	}
}

// publish lets time pass up to the instant and records what became visible. Rows that appear read as modified no
// earlier than stamp: a client that asked before with lastupdate must find them when it asks again.
func (u *user) publish(to time.Time, stamp int64, ev *Evolution) {
	from := u.horizon
	firstDay := max(u.first, min(u.dayOf(from)-1, u.next))
	u.horizon = to
	lastDay := u.dayOf(to)
	for ; u.next <= lastDay; u.next++ {
		u.pending = append(u.pending, u.generate(u.next)...)
	}
	slices.SortStableFunc(u.pending, func(a, b item) int { return cmp.Compare(a.at, b.at) })
	n := 0
	for n < len(u.pending) && u.pending[n].at <= to.Unix() {
		it := u.pending[n]
		ev.appeared(u.show(it, stamp), it.day < u.dayOf(from))
		n++
	}
	u.pending = slices.Delete(u.pending, 0, n)
	for day := firstDay; day <= lastDay; day++ {
		u.refreshActivity(day, stamp, ev)
	}
	if ev == nil || !to.After(from) {
		return
	}
	for _, p := range u.intraday(from.Unix()+1, to.Unix()+1) {
		ev.appeared(p.Key(), false)
	}
	for _, d := range u.traits.devices {
		ev.changed(d.Key())
	}
}

func (u *user) show(it item, stamp int64) Key {
	late := func(created, modified *int64) {
		*created, *modified = max(*created, stamp), max(*modified, stamp)
	}
	switch {
	case it.group != nil:
		late(&it.group.Created, &it.group.Modified)
		u.groups.put(*it.group)
		u.heardGroup(it.group)
		return it.group.Key()
	case it.night != nil:
		late(&it.night.Created, &it.night.Modified)
		u.nights = append(u.nights, it.night)
		u.heardNight(&it.night.Night)
		return it.night.Key()
	case it.workout != nil:
		it.workout.Modified = max(it.workout.Modified, stamp)
		u.workouts = append(u.workouts, it.workout)
		u.heardDay(it.workout.Date)
		return it.workout.Key()
	default:
		it.heart.Modified = max(it.heart.Modified, stamp)
		u.hearts = append(u.hearts, it.heart)
		u.heardHeart(it.heart)
		return it.heart.Key()
	}
}

// refreshActivity brings the rows of a day up to the horizon. Rows whose numbers do not change keep their modified.
func (u *user) refreshActivity(day int, stamp int64, ev *Evolution) {
	if u.pinned[day] {
		return
	}
	fresh := u.activityOf(day)
	rows := u.days[day]
	for i, a := range fresh {
		a.Modified = max(a.Modified, stamp)
		switch {
		case i >= len(rows):
			u.days[day] = append(u.days[day], a)
			ev.appeared(a.Key(), false)
			u.heardDay(a.Date)
		case !equalFields(rows[i].Data, a.Data):
			a.Modified = max(a.Modified, rows[i].Modified+1)
			u.days[day][i] = a
			ev.changed(a.Key())
			u.heardDay(a.Date)
		}
	}
}

func equalFields(a, b Fields) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// activityOf computes the rows of a day as they are at the horizon. People move between 7 and 22 o'clock.
func (u *user) activityOf(day int) []*Activity {
	r := u.rng(forActivity, day)
	begin, end := u.midnight(day), u.midnight(day+1)
	elapsed := min(u.horizon.Sub(begin), end.Sub(begin))
	awake := min(max(int64(elapsed/time.Second)-7*3600, 0), 15*3600)
	part := awake * 1000 / (15 * 3600)      // per mille of the day's movement
	burnt := int64(elapsed/time.Minute) + 1 // minutes of basal metabolism
	of := func(v int64) int64 { return v * part / 1000 }

	steps := int64(u.traits.steps) * int64(r.in(40, 160)) / 100
	floors, soft := int64(r.in(0, 25)), int64(r.in(3_600, 14_400))
	moderate, intense := int64(r.in(0, 5_400)), int64(r.in(0, 2_400))
	stride := u.traits.heightMM * 43 / 100 // millimetres
	hr, peak := u.traits.restHR+r.in(8, 22), u.traits.restHR+r.in(50, 110)

	walked := of(steps) + int64(u.boost[day])
	kcal := walked*u.traits.weight/1_800_000 + of(intense)*u.traits.weight/700_000
	data := Fields{
		"steps":         float64(walked),
		"distance":      float64(walked*stride) / 1000,
		"elevation":     float64(of(floors)),
		"soft":          float64(of(soft)),
		"moderate":      float64(of(moderate)),
		"intense":       float64(of(intense)),
		"active":        float64(of(moderate) + of(intense)),
		"calories":      float64(kcal*1000+int64(r.in(0, 999))) / 1000,
		"totalcalories": float64(kcal*1000+burnt*u.traits.weight*15/1000) / 1000,
		"hr_average":    float64(hr), "hr_min": float64(u.traits.restHR), "hr_max": float64(peak),
		"hr_zone_0": float64(of(soft) + burnt*20), "hr_zone_1": float64(of(moderate)),
		"hr_zone_2": float64(of(intense)), "hr_zone_3": float64(of(intense) / 7),
	}
	if part == 0 { // the watch is on the night stand
		for _, f := range []string{"hr_average", "hr_min", "hr_max"} {
			data[f] = 0
		}
	}
	modified := min(end.Unix()+int64(r.in(60, 7_200)), u.horizon.Unix())
	a := &Activity{
		Date: dayText(day), Timezone: u.tz, Brand: 1, IsTracker: true, Modified: modified, Data: data,
		DeviceID: u.traits.watch.ID, Model: u.traits.watch.Model, ModelID: u.traits.watch.ModelID,
	}
	if u.traits.aggregated {
		a.DeviceID, a.Model, a.ModelID = "", "", 0
	}
	rows := []*Activity{a}
	if u.traits.echo && day%8 == 3 {
		echoed := walked * 96 / 100
		rows = append(rows, &Activity{
			Date: a.Date, Timezone: u.tz, Brand: 18, Modified: modified, Model: "HealthKit Watch", ModelID: 1058,
			Data: Fields{
				"steps": float64(echoed), "distance": float64(echoed*stride) / 1000, "elevation": 0,
				"soft": 0, "moderate": 0, "intense": 0, "active": 0,
				"calories": float64(kcal * 9 / 10), "totalcalories": float64(kcal * 9 / 10),
				"hr_average": 0, "hr_min": 0, "hr_max": 0,
				"hr_zone_0": 0, "hr_zone_1": 0, "hr_zone_2": 0, "hr_zone_3": 0,
			},
		})
	}
	return rows
}

// intradayStep is the distance between intraday points.
const intradayStep = 300

// intraday computes the published points with from <= time < to.
func (u *user) intraday(from, to int64) []IntradayPoint {
	to = min(to, u.horizon.Unix()+1)
	if u.from > u.dayOf(u.horizon) {
		return nil
	}
	from = max(from, u.midnight(u.from).Unix())
	var out []IntradayPoint
	for day := u.dayOf(time.Unix(from, 0)); from < to && u.midnight(day).Unix() < to; day++ {
		r := u.rng(forIntraday, day)
		begin, end := u.midnight(day).Unix(), u.midnight(day+1).Unix()
		for t := begin; t < end; t += intradayStep {
			p := u.intradayPoint(r, t, int(t-begin))
			if t >= from && t < to {
				out = append(out, p)
			}
		}
	}
	return out
}

func (u *user) intradayPoint(r rng, t int64, sec int) IntradayPoint {
	p := IntradayPoint{
		Time: t, DeviceID: u.traits.watch.ID, Model: u.traits.watch.Model, ModelID: u.traits.watch.ModelID, Data: Fields{},
	}
	asleep := sec < 7*3600 || sec >= 22*3600+1800
	steps := int64(r.in(0, 240))
	noise := r.in(0, 99)
	switch {
	case asleep || noise < 40:
		p.Data["duration"] = intradayStep
	case noise < 43:
		p.Data["stroke"], p.Data["pool_lap"] = float64(r.in(10, 60)), float64(r.in(1, 4))
		p.Data["duration"] = intradayStep
	default:
		p.Data["steps"] = float64(steps)
		p.Data["elevation"] = float64(noise % 3)
		p.Data["distance"] = float64(steps*u.traits.heightMM*43/100) / 1000
		p.Data["calories"] = float64(steps*u.traits.weight/1800) / 1000
		p.Data["duration"] = float64(60 * r.in(1, 5))
	}
	rate := u.traits.restHR + r.in(-3, 6)
	if !asleep {
		rate += int(steps) / 4
	}
	if sec/intradayStep%2 == 0 {
		p.Data["heart_rate"] = float64(rate)
	}
	if asleep && sec/intradayStep%6 == 0 {
		p.Data["spo2_auto"] = float64(r.in(93, 99))
		p.Data["rmssd"] = float64(r.in(18, 80))
		p.Data["sdnn1"] = float64(r.in(25, 95))
		p.Data["hrv_quality"] = float64(r.in(0, 2))
		p.Data["rr"] = float64(r.in(11, 19))
		p.Data["chest_movement_rate"] = float64(r.in(11, 19))
	}
	if sec/intradayStep%12 == 0 {
		p.Data["core_body_temperature"] = float64(r.in(3_610, 3_725)) / 100
	}
	return p
}

// workoutCategories are mostly common ones; 533 is unassigned and 9001 unknown, as happens without notice.
var workoutCategories = [...]int{1, 1, 2, 2, 3, 6, 6, 7, 16, 28, 187, 272, 307, 550, 533, 9001}

func (u *user) workoutOf(day int) *Workout {
	r := u.rng(forWorkout, day)
	if !r.chance(45) {
		return nil
	}
	start := u.at(day, r.in(9*3600, 19*3600)).Unix()
	length := int64(60 * r.in(10, 110))
	w := &Workout{
		ID: u.idBase + int64(day)*1000 + 900, Category: workoutCategories[r.IntN(len(workoutCategories))],
		Timezone: u.tz, Model: u.traits.watch.ModelID, Start: start, End: start + length, Date: dayText(day),
		DeviceID: u.traits.watch.ID, Attrib: 0,
	}
	w.Modified = w.End + lag(r)
	minutes := length / 60
	rate := int64(u.traits.restHR + r.in(35, 75))
	kcal := minutes * (rate - 50) * u.traits.weight / 700_000
	w.Data = Fields{
		"calories": float64(kcal*10+int64(r.in(0, 9))) / 10, "intensity": float64(r.in(20, 100)),
		"hr_average": float64(rate), "hr_min": float64(rate - int64(r.in(10, 30))), "hr_max": float64(rate + int64(r.in(10, 40))),
		"hr_zone_0": float64(length / 2), "hr_zone_1": float64(length / 4), "hr_zone_2": float64(length / 6), "hr_zone_3": float64(length / 12),
		"pause_duration": float64(30 * r.in(0, 10)),
	}
	switch w.Category {
	case 7:
		laps := r.in(4, 80)
		w.Data["pool_laps"], w.Data["pool_length"], w.Data["strokes"] = float64(laps), 25, float64(laps*r.in(9, 24))
		w.Data["algo_pause_duration"], w.Data["distance"] = float64(10*r.in(0, 30)), float64(25*laps)
	case 1, 2, 3, 307:
		steps := minutes * int64(r.in(90, 175))
		w.Data["steps"], w.Data["distance"] = float64(steps), float64(steps*u.traits.heightMM*43/100)/1000
		w.Data["elevation"] = float64(r.in(0, 30))
	case 6:
		w.Data["distance"], w.Data["elevation"] = float64(minutes*int64(r.in(280, 520))), float64(r.in(0, 60))
	}
	switch r.in(0, 9) {
	case 0: // typed in by the user
		w.Attrib, w.DeviceID, w.Model = 2, "", 1059
		w.Data = Fields{
			"manual_calories": float64(kcal), "manual_distance": float64(minutes * 90), "manual_intensity": float64(r.in(1, 3)),
			"calories": float64(kcal), "hr_average": 0, "hr_min": 0, "hr_max": 0,
		}
	case 1, 2, 3:
		w.Data["spo2_average"] = float64(r.in(94, 99))
		low := r.in(3_660, 3_710)
		w.Data["core_body_temperature_min"] = float64(low) / 100
		w.Data["core_body_temperature_avg"] = float64(low+25) / 100
		w.Data["core_body_temperature_max"] = float64(low+70) / 100
		w.BodyTemperatureStatus = []string{"unknown", "usual", "elevated"}[r.in(0, 2)]
	}
	return w
}
