package withingstest

// Measure types, as far as the generator needs their names.
const (
	typeWeight = 1
	typeHeight = 4
	typeFFM    = 5
	typeFat    = 6
	typeFatKG  = 8
	typeDia    = 9
	typeSys    = 10
	typePulse  = 11
	typeTemp   = 12
	typeOdd    = 18 // undocumented; turns up now and then
	typeSpO2   = 54
	typeBody   = 71
	typeSkin   = 73
	typeMuscle = 76
	typeWater  = 77
	typeBone   = 88
	typePWV    = 91
)

// triangle goes from 0 up to amp and back once per period.
func triangle(day, period int, amp int64) int64 {
	p := int64(day % period)
	half := int64(period / 2)
	if p > half {
		p = int64(period) - p
	}
	return amp * p / half
}

// grams is the user's weight on a day, before the noise of a single weigh-in.
func (u *user) grams(day int) int64 {
	return u.traits.weight + triangle(day, 180, 2_600) - triangle(day, 14, 500)
}

// scaled returns the measure of a quantity given in thousandths, written with the exponent unit.
func scaled(kind int, thousandths int64, unit int) Measure {
	v := thousandths
	for e := -3; e > unit; e-- {
		v *= 10
	}
	for e := -3; e < unit; e++ {
		v = (v + 5) / 10
	}
	return Measure{Value: v, Type: kind, Unit: unit}
}

func position(m Measure, p int) Measure {
	m.Position = &p
	return m
}

// dayGroups collects the groups of one day and numbers them.
type dayGroups struct {
	u     *user
	r     rng
	day   int
	items []item
}

// add appends a group that was measured at date; dev nil means typed in by hand.
func (d *dayGroups) add(date int64, attrib int, dev *Device, measures ...Measure) *MeasureGroup {
	g := &MeasureGroup{
		ID: d.u.idBase + int64(d.day)*1000 + int64(len(d.items)), Attrib: attrib, Date: date, Category: 1, Measures: measures,
	}
	g.Created = date + lag(d.r)
	g.Modified = g.Created
	if attrib == 7 { // the user settled whose measure it is
		g.Modified += int64(d.r.in(60, 7_200))
	}
	if dev != nil {
		g.DeviceID, g.Model, g.ModelID = dev.ID, dev.Model, dev.ModelID
	}
	d.items = append(d.items, item{at: g.Modified, day: d.day, group: g})
	return g
}

// measuresOf makes the measure groups of a day and the heart recordings that go with them.
func (u *user) measuresOf(day int) []item {
	d := &dayGroups{u: u, r: u.rng(forMeasures, day), day: day}
	var hearts []item
	r := d.r
	if day == u.first { // profile data from the creation of the account
		at := u.at(day, 600).Unix()
		d.add(at, 4, nil, scaled(typeHeight, u.traits.heightMM, -2))
		d.add(at, 2, nil, scaled(typeWeight, u.traits.weight-3_000, -1)).Category = 2
	}
	weighIns := [...]int{0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3}[r.IntN(12)]
	for i := range weighIns {
		from := [...]int{6 * 3600, 12 * 3600, 19 * 3600}[i]
		d.weighIn(u.at(day, r.in(from, from+9_000)).Unix())
	}
	if r.chance(60) {
		at := u.at(day, r.in(8*3600, 21*3600)).Unix()
		unit := -2 * r.in(0, 1)
		sys, dia, pulse := int64(r.in(105, 142)), int64(r.in(62, 92)), int64(u.traits.restHR+r.in(2, 25))
		attrib, dev := 2, u.traits.bpm
		if dev != nil {
			attrib = [...]int{0, 0, 0, 5, 15, 17}[r.IntN(6)]
		}
		d.add(at, attrib, dev, scaled(typeDia, dia*1000, unit), scaled(typeSys, sys*1000, unit), scaled(typePulse, pulse*1000, unit))
		if dev != nil {
			h := &Heart{
				Timestamp: at, Modified: at + lag(r), DeviceID: dev.ID, Model: dev.ModelID, HeartRate: int(pulse),
				Systole: int(sys), Diastole: int(dia),
			}
			if day%14 == 5 { // 20 seconds at 500 Hz
				h.SignalID, h.AFib, h.Frequency, h.Wear = u.idBase+int64(day)*1000+950, afib(r), 500, 3
			}
			hearts = append(hearts, item{at: h.Modified, day: day, heart: h})
		}
	}
	watch := &u.traits.watch
	if r.chance(20) {
		d.add(u.at(day, r.in(9*3600, 20*3600)).Unix(), 0, watch, scaled(typeSpO2, int64(r.in(94, 99))*1000, 0))
	}
	switch r.in(0, 19) {
	case 0:
		d.add(u.at(day, r.in(7*3600, 22*3600)).Unix(), 2, nil, scaled(typeTemp, int64(r.in(36_100, 38_400)), -3))
	case 1:
		d.add(u.at(day, r.in(7*3600, 22*3600)).Unix(), 0, watch,
			scaled(typeBody, int64(r.in(36_100, 38_400)), -1), scaled(typeSkin, int64(r.in(32_000, 35_500)), -2))
	}
	if day%7 == 2 {
		d.add(u.at(day, r.in(10*3600, 18*3600)).Unix(), 0, watch, scaled(123, int64(r.in(30, 52))*1000, 0))
	}
	if day%14 == int(u.seed%14) && u.traits.bpm == nil { // 30 seconds at 300 Hz from the watch
		at := u.at(day, r.in(8*3600, 22*3600)).Unix()
		h := &Heart{
			Timestamp: at, Modified: at + lag(r), DeviceID: watch.ID, Model: watch.ModelID, HeartRate: u.traits.restHR + r.in(0, 30),
			SignalID: u.idBase + int64(day)*1000 + 950, AFib: afib(r), Frequency: 300, Wear: 1,
		}
		hearts = append(hearts, item{at: h.Modified, day: day, heart: h})
		d.add(at, 0, watch, scaled(130, int64(h.AFib)*1000, 0), scaled(typePulse, int64(h.HeartRate)*1000, 0),
			scaled(135, int64(r.in(80, 110))*1000, 0), scaled(136, int64(r.in(130, 195))*1000, 0),
			scaled(137, int64(r.in(350, 420))*1000, 0), scaled(138, int64(r.in(380, 440))*1000, 0))
	}
	if u.groups.bulk != nil && day <= u.groups.bulk.lastDay {
		return hearts
	}
	return append(d.items, hearts...)
}

func afib(r rng) int { return [...]int{0, 0, 0, 0, 0, 1, 2}[r.IntN(7)] }

// weighIn adds the groups one step on the scale yields; they share their date.
func (d *dayGroups) weighIn(at int64) {
	r, t, scale := d.r, &d.u.traits, &d.u.traits.scale
	grams := d.u.grams(d.day) + int64(r.in(-400, 400))
	attrib := [...]int{0, 0, 0, 0, 0, 0, 8, 1, 7, 2}[r.IntN(10)]
	weight := scaled(typeWeight, grams, -4+r.in(0, 3))
	if attrib == 2 {
		d.add(at, attrib, nil, weight)
		return
	}
	fat := grams * t.fat / 1000
	if r.chance(8) { // with shoes on nothing but weight is measured: zeros
		d.add(at, attrib, scale, weight, scaled(typeFat, 0, -3), scaled(typeFatKG, 0, -2), scaled(typeMuscle, 0, -2))
		return
	}
	fm := [...]int{3, 131}[r.in(0, 1)]
	weight.FM = fm
	first := []Measure{weight, scaled(typeFatKG, fat, -2-r.in(0, 1)), scaled(typeFat, t.fat*100+int64(r.in(0, 99)), -3), scaled(typeFFM, grams-fat, -2)}
	if t.bodyScan { // the same values once more for the whole body
		first = append(first, position(first[3], 7), position(first[1], 7))
	}
	if r.chance(3) {
		first = append(first, Measure{Value: -1000, Type: typeOdd, Unit: -3})
	}
	d.add(at, attrib, scale, first...)
	d.add(at, attrib, scale, scaled(typeMuscle, (grams-fat)*95/100, -2), scaled(typeWater, grams*55/100, -2), scaled(typeBone, grams*4/100, -2))
	if !t.bodyScan {
		if r.chance(40) {
			d.add(at, attrib, scale, scaled(typePulse, int64(t.restHR+r.in(5, 25))*1000, 0))
		}
		return
	}
	var segments []Measure
	for i, p := range [...]int{2, 3, 10, 11, 12} { // arms, legs, torso
		share := [...]int64{6, 6, 18, 18, 52}[i]
		segments = append(segments,
			position(scaled(173, (grams-fat)*share/100, -2), p),
			position(scaled(174, fat*share/100, -2), p),
			position(scaled(175, (grams-fat)*share/105, -2), p))
	}
	d.add(at, attrib, scale, segments...)
	d.add(at, attrib, scale, scaled(typePulse, int64(t.restHR+r.in(5, 25))*1000, 0), scaled(typePWV, int64(r.in(5_800, 8_900)), -3),
		scaled(155, int64(r.in(25, 60))*1000, 0), scaled(168, grams*22/100, -2), scaled(169, grams*33/100, -2),
		scaled(170, int64(r.in(10, 120))*100, -1), scaled(226, grams*22, 0), scaled(227, int64(r.in(25, 60))*1000, 0),
		scaled(229, int64(r.in(55, 85))*1000, 0))
}

// signal computes the ECG of a recording in microvolts: a regular beat from straight pieces, and noise.
func (u *user) signal(h *Heart) []int {
	if h.SignalID == 0 {
		return nil
	}
	seconds := 30
	if h.Frequency == 500 {
		seconds = 20
	}
	r := newRNG(u.seed, forSignal, uint64(h.SignalID))
	beat := 60 * h.Frequency / max(30, h.HeartRate)
	out := make([]int, seconds*h.Frequency)
	for i := range out {
		phase := i % beat * 1000 / beat // per mille of the beat
		v := r.in(-12, 12)
		switch {
		case phase >= 120 && phase < 200: // P wave
			v += 110 - 110*abs(phase-160)/40
		case phase >= 270 && phase < 290: // Q
			v -= 90
		case phase >= 290 && phase < 330: // R
			v += 1100 - 1100*abs(phase-310)/20
		case phase >= 330 && phase < 350: // S
			v -= 220
		case phase >= 480 && phase < 640: // T wave
			v += 260 - 260*abs(phase-560)/80
		}
		out[i] = v
	}
	return out
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}
