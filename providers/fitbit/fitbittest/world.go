package fitbittest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
	_ "time/tzdata" // people live in named zones, also on machines without a zone database
)

// PersonConfig describes a person to add. The zero value is an ordinary person.
type PersonConfig struct {
	ID       string // the user id; empty means assigned from the seed
	Timezone string // IANA name; empty means one chosen from the seed
	Days     int    // days of history; 0 means [Config].Days
	// HoldBack is how many days before today the history ends. [Server.AdvanceDay] publishes them one at a time.
	HoldBack int
}

// Person is one person at the simulated service.
type Person struct {
	ID       string
	Timezone string // IANA name of the profile
	FirstDay string // first civil day with data, YYYY-MM-DD
	LastDay  string // last one
}

// Zone is one heart rate zone of a day or a workout.
type Zone struct {
	Name     string
	Min, Max int // 1/min
	Minutes  int
	Calories float64 // kcal
}

// Day is one civil day. Distances are kilometres, elevation is metres, energy is kcal, temperatures are °C.
type Day struct {
	Date string // YYYY-MM-DD
	// Worn is false for a day on which the tracker lay in a drawer: totals are 0, everything else is missing.
	Worn                                        bool
	Steps, Floors, SwimStrokes                  int
	Distance, TrackerDistance, Elevation        float64
	CaloriesOut, CaloriesBMR, ActivityCalories  int
	MarginalCalories                            int
	Sedentary, Light, Fair, Very                int // minutes
	RestingHeartRate                            int
	Zones                                       []Zone
	FatBurn, Cardio, Peak                       int // active zone minutes; cardio and peak count twice
	RMSSD, DeepRMSSD                            float64
	SpO2, SpO2Min, SpO2Max                      float64
	BreathingRate                               float64
	BreathingDeep, BreathingLight, BreathingREM float64
	SkinTemperature                             float64 // deviation
	VO2Max                                      string  // "45" or "44-48"
	CoreTemperature                             float64 // 0 is none
	Water                                       int     // ml
}

// ActiveZoneMinutes is the total of a day.
func (d *Day) ActiveZoneMinutes() int { return d.FatBurn + d.Cardio + d.Peak }

// Level is a part of a night. Start is local time, as the service prints it.
type Level struct {
	Start   string
	Level   string // deep, light, rem, wake; asleep, restless, awake
	Seconds int
}

// Sleep is one sleep log. Times are local, without an offset.
type Sleep struct {
	LogID                                                int64
	DateOfSleep                                          string
	Start, End                                           string
	Main, Classic, Manual                                bool
	Levels, Short                                        []Level
	MinutesAsleep, MinutesAwake, ToFallAsleep, AfterWake int
	Efficiency, InfoCode                                 int
	// StartInstant and EndInstant are the same times as instants. Across a change of clocks the local times of one log
	// keep the offset of the start.
	StartInstant, EndInstant time.Time
}

// TimeInBed returns the minutes of the log.
func (s *Sleep) TimeInBed() int {
	return s.ToFallAsleep + s.MinutesAsleep + s.MinutesAwake + s.AfterWake
}

// Workout is one entry of the activity log.
type Workout struct {
	LogID      int64
	TypeID     int
	Name       string
	Start      time.Time // in the person's zone
	Duration   time.Duration
	Active     time.Duration
	Calories   int
	Steps      int     // 0 is none
	Distance   float64 // kilometres; 0 is none
	Elevation  float64 // metres
	HeartRate  int
	Zones      []Zone
	Manual     bool
	GPS        bool
	Modified   time.Time
	SwimLength int // lengths of a 25 m pool
}

// Weighing is one entry of the weight log and of the fat log.
type Weighing struct {
	WeightID, FatID  int64
	Date, Time       string
	Weight, BMI, Fat float64 // kg, kg/m2, %; fat 0 is none
	Source           string
}

// Food is one entry of the food log.
type Food struct {
	LogID                      int64
	Date, Name, Brand          string
	Meal                       int
	Amount                     float64
	Unit                       string
	Calories                   int
	Carbs, Fat, Fiber, Protein float64 // g
	Sodium                     float64 // mg
}

// Drink is one entry of the water log.
type Drink struct {
	LogID  int64
	Date   string
	Amount int // ml
}

// Electrocardiogram is one recording. Samples are in units of which ScalingFactor are a millivolt.
type Electrocardiogram struct {
	Start         string
	HeartRate     int
	Result        string
	Samples       []int
	Frequency     int
	ScalingFactor int
}

// Alert is one irregular rhythm notification.
type Alert struct {
	Alert, Detected string
	Beats           []Beat
}

// Beat is a heart rate behind an alert.
type Beat struct {
	Time string
	BPM  int
}

// person is the state behind a Person.
type person struct {
	id, tz      string
	zone        *time.Location
	seed        uint64
	first, next int // civil days since 1970: the first, and the first not yet there
	days        map[int]*Day
	sleeps      []*Sleep
	workouts    []*Workout
	weighings   []*Weighing
	foods       []*Food
	drinks      []*Drink
	ecgs        []*Electrocardiogram
	alerts      []*Alert
	height      float64 // cm
	dense       int     // for how many of the last days there are series within the day
	pendingOnce map[string]bool
	added       int64
}

func zones() []string {
	return []string{"America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland", "America/Los_Angeles"}
}

// mix returns a number that looks random and depends on all of its arguments.
func mix(parts ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, p := range parts {
		h ^= p + 0x9e3779b97f4a7c15 + h<<6 + h>>2
		h ^= h >> 30
		h *= 0xbf58476d1ce4e5b9
		h ^= h >> 27
		h *= 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

func textSeed(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// civil days are counted from 1970-01-01.
func dayNumber(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

func dayText(n int) string { return midnight(n).Format(time.DateOnly) }

func midnight(n int) time.Time { return time.Unix(int64(n)*86400, 0).UTC() }

// AddPerson adds a person with a history that depends only on the seed, the person's id and the clock. It panics if the
// zone is unknown or the id is taken.
func (s *Server) AddPerson(c PersonConfig) Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := uint64(len(s.people))
	if c.ID == "" {
		c.ID = fmt.Sprintf("%06X", mix(s.cfg.Seed, 1, n)%0xFFFFFF)
	}
	if c.Timezone == "" {
		c.Timezone = zones()[mix(s.cfg.Seed, 2, n)%uint64(len(zones()))]
	}
	if c.Days == 0 {
		c.Days = s.cfg.Days
	}
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil || s.byID[c.ID] != nil {
		panic(fmt.Sprintf("fitbittest: no zone %q, or the id %q is taken", c.Timezone, c.ID))
	}
	p := &person{
		id: c.ID, tz: c.Timezone, zone: zone, seed: mix(s.cfg.Seed, 3, textSeed(c.ID)), days: map[int]*Day{}, pendingOnce: map[string]bool{}, dense: max(0, s.cfg.IntradayDays),
	}
	p.height = 160 + float64(p.seed%30)
	last := dayNumber(s.cfg.Now().In(zone)) - c.HoldBack
	p.first = last - c.Days + 1
	p.next = p.first
	s.people = append(s.people, p)
	s.byID[c.ID] = p
	p.publish(last)
	return p.about()
}

func (p *person) about() Person {
	return Person{ID: p.id, Timezone: p.tz, FirstDay: dayText(p.first), LastDay: dayText(p.next - 1)}
}

// publish makes the days up to last.
func (p *person) publish(last int) (made []int) {
	for ; p.next <= last; p.next++ {
		p.make(p.next)
		made = append(made, p.next)
	}
	return made
}

func round(v float64, places int) float64 {
	k := math.Pow10(places)
	return math.Round(v*k) / k
}

// rng returns the random numbers of one day.
func (p *person) rng(n int, topic uint64) *rand.Rand {
	return rand.New(rand.NewPCG(p.seed, mix(uint64(int64(n)), topic)))
}

// id returns the id of the k-th log of a kind on a day: beyond what a float64 holds exactly.
func (p *person) logID(n, k int) int64 { return 9_007_199_254_740_993 + int64(n)*64 + int64(k) }

// make adds all data of one day.
func (p *person) make(n int) {
	r := p.rng(n, 1)
	date := dayText(n)
	d := &Day{Date: date, Worn: r.IntN(20) != 0}
	p.days[n] = d
	if d.Worn {
		p.fill(d, r)
		p.night(n, p.rng(n, 2))
		if r.IntN(3) == 0 {
			p.workout(n, p.rng(n, 3))
		}
		if r.IntN(9) == 0 {
			p.nap(n, p.rng(n, 4))
		}
	}
	if r.IntN(4) == 0 {
		p.weigh(n, p.rng(n, 5))
	}
	if r.IntN(2) == 0 {
		p.eat(n, p.rng(n, 6))
	}
	if r.IntN(10) == 0 {
		p.record(n, p.rng(n, 7))
	}
	if r.IntN(20) == 0 {
		p.alert(n, p.rng(n, 8))
	}
}

func (p *person) fill(d *Day, r *rand.Rand) {
	d.Steps = 2000 + r.IntN(14000)
	d.Distance = round(float64(d.Steps)*0.00072, 5)
	d.TrackerDistance = round(d.Distance*0.97, 5)
	d.Floors = r.IntN(25)
	d.Elevation = round(float64(d.Floors)*3.048, 3)
	d.CaloriesBMR = 1400 + int(p.seed%400)
	d.ActivityCalories = d.Steps / 12
	d.MarginalCalories = d.ActivityCalories * 2 / 3
	d.CaloriesOut = d.CaloriesBMR + d.ActivityCalories
	d.Very, d.Fair, d.Light = r.IntN(60), r.IntN(50), 60+r.IntN(180)
	d.Sedentary = 1440 - 480 - d.Very - d.Fair - d.Light
	d.RestingHeartRate = 52 + int(p.seed%12) + r.IntN(6)
	fat, cardio, peak := r.IntN(60), r.IntN(25), r.IntN(8)
	d.FatBurn, d.Cardio, d.Peak = fat, cardio*2, peak*2
	d.Zones = []Zone{
		{"Out of Range", 30, 94, 1440 - fat - cardio - peak, round(float64(d.CaloriesOut)*0.8, 2)},
		{"Fat Burn", 94, 132, fat, round(float64(fat)*5.31, 2)},
		{"Cardio", 132, 160, cardio, round(float64(cardio)*8.07, 2)},
		{"Peak", 160, 220, peak, round(float64(peak)*11.9, 2)},
	}
	d.RMSSD = round(20+r.Float64()*50, 3)
	d.DeepRMSSD = round(d.RMSSD*0.93, 3)
	d.SpO2 = round(95+r.Float64()*3, 1)
	d.SpO2Min, d.SpO2Max = round(d.SpO2-3.2, 1), min(100, round(d.SpO2+2.1, 1))
	d.BreathingRate = round(12+r.Float64()*6, 1)
	d.BreathingDeep, d.BreathingLight, d.BreathingREM = round(d.BreathingRate-0.6, 1), round(d.BreathingRate+0.2, 1), round(d.BreathingRate+1.1, 1)
	d.SkinTemperature = round(r.Float64()*2-1, 1)
	low := 40 + int(p.seed%10)
	if d.VO2Max = fmt.Sprint(low); r.IntN(2) == 0 {
		d.VO2Max = fmt.Sprintf("%d-%d", low, low+4)
	}
	if r.IntN(10) == 0 {
		d.CoreTemperature = round(36.3+r.Float64(), 1)
	}
	if r.IntN(15) == 0 {
		d.SwimStrokes = 400 + r.IntN(600)
	}
}

// localText is how the service prints a local time.
const localText = "2006-01-02T15:04:05.000"

// running returns the local time at an instant by a clock that has kept the offset it had at start.
func running(start, at time.Time) string {
	_, offset := start.Zone()
	return at.UTC().Add(time.Duration(offset) * time.Second).Format(localText)
}

// night adds the main sleep that ends on day n.
func (p *person) night(n int, r *rand.Rand) {
	before := midnight(n - 1)
	start := time.Date(before.Year(), before.Month(), before.Day(), 22, 30+r.IntN(80), 30*r.IntN(2), 0, p.zone)
	s := &Sleep{LogID: p.logID(n, 0), DateOfSleep: dayText(n), Main: true, StartInstant: start, Start: running(start, start)}
	if r.IntN(12) == 0 {
		p.classic(s, start, 300+r.IntN(180), r)
		s.InfoCode = 2
	} else {
		p.stages(s, start, 780+r.IntN(260), r)
	}
	p.sleeps = append(p.sleeps, s)
}

// stages fills a night of that many half minutes.
func (p *person) stages(s *Sleep, start time.Time, halves int, r *rand.Rand) {
	names := [...]string{"light", "deep", "light", "rem", "light", "wake"}
	at, k := start, 0
	counted := map[string]int{}
	for halves > 0 {
		length := min(halves, 10+r.IntN(90))
		name := names[k%len(names)]
		if name == "wake" {
			length = min(length, 12)
		}
		s.Levels = append(s.Levels, Level{running(start, at), name, length * 30})
		counted[name] += length
		if length > 20 && r.IntN(3) == 0 {
			s.Short = append(s.Short, Level{running(start, at.Add(time.Duration(5+r.IntN(8))*30*time.Second)), "wake", 30 * (1 + r.IntN(5))})
		}
		at = at.Add(time.Duration(length) * 30 * time.Second)
		halves -= length
		k++
	}
	short := 0
	for _, l := range s.Short {
		short += l.Seconds
	}
	s.finish(start, at, (counted["wake"]*30+short)/60, r)
}

// classic fills a sleep of that many minutes without stages.
func (p *person) classic(s *Sleep, start time.Time, minutes int, r *rand.Rand) {
	s.Classic = true
	at, awake, k := start, 0, 0
	names := [...]string{"asleep", "restless", "asleep", "awake"}
	for minutes > 0 {
		length := min(minutes, 5+r.IntN(60))
		if k%2 == 1 {
			length = min(length, 4)
		}
		s.Levels = append(s.Levels, Level{running(start, at), names[k%len(names)], length * 60})
		if names[k%len(names)] != "asleep" {
			awake += length
		}
		at = at.Add(time.Duration(length) * time.Minute)
		minutes -= length
		k++
	}
	s.finish(start, at, awake, r)
}

func (s *Sleep) finish(start, end time.Time, awake int, r *rand.Rand) {
	total := int(end.Sub(start) / time.Minute)
	s.End, s.EndInstant = running(start, end), end
	s.AfterWake = r.IntN(3)
	s.MinutesAwake = awake
	s.MinutesAsleep = total - awake - s.AfterWake
	s.Efficiency = 85 + r.IntN(14)
}

// nap adds a sleep by day.
func (p *person) nap(n int, r *rand.Rand) {
	d := midnight(n)
	start := time.Date(d.Year(), d.Month(), d.Day(), 14, r.IntN(50), 0, 0, p.zone)
	s := &Sleep{LogID: p.logID(n, 1), DateOfSleep: dayText(n), StartInstant: start, Start: running(start, start), InfoCode: 2, Manual: r.IntN(4) == 0}
	p.classic(s, start, 20+r.IntN(50), r)
	p.sleeps = append(p.sleeps, s)
}

func (p *person) workout(n int, r *rand.Rand) {
	d := midnight(n)
	start := time.Date(d.Year(), d.Month(), d.Day(), 7+r.IntN(3), r.IntN(60), 12, 0, p.zone)
	kinds := []struct {
		id    int
		name  string
		speed float64 // km/h
		gps   bool
	}{{90009, "Run", 10, true}, {90013, "Walk", 5, false}, {90001, "Bike", 20, true}, {90024, "Swim", 2, false}, {2131, "Weights", 0, false}, {15000, "Sport", 0, false}}
	kind := kinds[r.IntN(len(kinds))]
	w := &Workout{
		LogID: p.logID(n, 2), TypeID: kind.id, Name: kind.name, Start: start, Duration: time.Duration(20+r.IntN(70))*time.Minute + 345*time.Millisecond,
		HeartRate: 110 + r.IntN(40), GPS: kind.gps && r.IntN(3) != 0, Manual: r.IntN(10) == 0,
	}
	w.Active = w.Duration - time.Duration(r.IntN(5))*time.Minute
	w.Modified = start.Add(w.Duration + 7*time.Minute).UTC().Truncate(time.Second)
	w.Calories = int(w.Duration.Minutes() * 9)
	w.Distance = round(kind.speed*w.Duration.Hours(), 6)
	switch kind.id {
	case 90009, 90013:
		w.Steps = int(w.Distance * 1300)
		w.Elevation = round(r.Float64()*120, 3)
	case 90024:
		w.SwimLength = int(w.Distance * 40)
	}
	minutes := int(w.Duration / time.Minute)
	w.Zones = []Zone{
		{"Out of Range", 30, 94, minutes / 4, 21.5}, {"Fat Burn", 94, 132, minutes / 4, 60.25}, {"Cardio", 132, 160, minutes / 4, 90}, {"Peak", 160, 220, minutes / 8, 30.5},
	}
	if w.Manual {
		w.GPS, w.HeartRate, w.Zones = false, 0, nil
	}
	p.workouts = append(p.workouts, w)
}

func (p *person) weigh(n int, r *rand.Rand) {
	at := midnight(n).Add(6*time.Hour + time.Duration(r.IntN(7200))*time.Second)
	w := &Weighing{
		WeightID: at.UnixMilli(), FatID: at.UnixMilli() + 1, Date: dayText(n), Time: at.Format(time.TimeOnly),
		Weight: round(60+float64(p.seed%30)+r.Float64()*2, 2), Source: [...]string{"Aria", "Aria2", "API", "Withings"}[r.IntN(4)],
	}
	w.BMI = round(w.Weight/(p.height/100)/(p.height/100), 2)
	if w.Source != "API" {
		w.Fat = round(18+r.Float64()*4, 3)
	}
	p.weighings = append(p.weighings, w)
}

func (p *person) eat(n int, r *rand.Rand) {
	names := [...]string{"Oatmeal", "Apple", "Rice & beans", "Café au lait", "Soup"}
	for k := range 2 + r.IntN(3) {
		f := &Food{
			LogID: p.logID(n, 8+k), Date: dayText(n), Name: names[r.IntN(len(names))], Meal: [...]int{1, 2, 3, 4, 5, 7}[r.IntN(6)],
			Amount: float64(1 + r.IntN(3)), Unit: [...]string{"serving", "gram", "cup"}[r.IntN(3)], Calories: 80 + r.IntN(500),
			Carbs: round(r.Float64()*60, 2), Fat: round(r.Float64()*20, 2), Fiber: round(r.Float64()*8, 2), Protein: round(r.Float64()*30, 2),
			Sodium: float64(r.IntN(600)),
		}
		p.foods = append(p.foods, f)
	}
	for k := range 1 + r.IntN(4) {
		drink := &Drink{LogID: p.logID(n, 20+k), Date: dayText(n), Amount: 100 * (1 + r.IntN(6))}
		p.drinks = append(p.drinks, drink)
		p.days[n].Water += drink.Amount
	}
}

func (p *person) record(n int, r *rand.Rand) {
	at := midnight(n).Add(19*time.Hour + time.Duration(r.IntN(7200))*time.Second)
	e := &Electrocardiogram{
		Start: at.Format(localText), HeartRate: 58 + r.IntN(30), Frequency: 250, ScalingFactor: 10922,
		Result: [...]string{"Normal Sinus Rhythm", "Normal Sinus Rhythm", "Inconclusive: High heart rate", "Atrial Fibrillation"}[r.IntN(4)],
	}
	for i := range 7500 {
		v := 400 * math.Sin(float64(i)/12)
		if i%210 < 6 {
			v += 9000
		}
		e.Samples = append(e.Samples, int(v)+r.IntN(80)-40)
	}
	p.ecgs = append(p.ecgs, e)
}

func (p *person) alert(n int, r *rand.Rand) {
	at := midnight(n).Add(9*time.Hour + time.Duration(r.IntN(3600))*time.Second)
	a := &Alert{Alert: at.Format(localText), Detected: at.Add(-4 * time.Hour).Format(localText)}
	for i := range 30 {
		a.Beats = append(a.Beats, Beat{at.Add(-4*time.Hour + time.Duration(i)*time.Minute).Format(localText), 60 + r.IntN(50)})
	}
	p.alerts = append(p.alerts, a)
}

// mustPerson returns the state of a person; the mutex must be held.
func (s *Server) mustPerson(id string) *person {
	p := s.byID[id]
	if p == nil {
		panic("fitbittest: there is no person " + id)
	}
	return p
}

// People returns all people in the order in which they were added.
func (s *Server) People() []Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Person
	for _, p := range s.people {
		all = append(all, p.about())
	}
	return all
}

// Days returns the days of a person, oldest first.
func (s *Server) Days(id string) []Day {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustPerson(id)
	var all []Day
	for n := p.first; n < p.next; n++ {
		d := *p.days[n]
		d.Zones = slices.Clone(d.Zones)
		all = append(all, d)
	}
	return all
}

// copies returns what the pointers point to.
func copies[T any](list []*T) []T {
	all := make([]T, 0, len(list))
	for _, v := range list {
		all = append(all, *v)
	}
	return all
}

// Sleeps returns the sleep logs of a person, oldest first. The slices in them are shared and must not be changed.
func (s *Server) Sleeps(id string) []Sleep {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := copies(s.mustPerson(id).sleeps)
	slices.SortStableFunc(all, func(a, b Sleep) int { return a.StartInstant.Compare(b.StartInstant) })
	return all
}

// Workouts returns the activity log of a person, oldest first.
func (s *Server) Workouts(id string) []Workout {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := copies(s.mustPerson(id).workouts)
	slices.SortStableFunc(all, func(a, b Workout) int { return a.Start.Compare(b.Start) })
	return all
}

// Weighings returns the weight log of a person.
func (s *Server) Weighings(id string) []Weighing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copies(s.mustPerson(id).weighings)
}

// Foods returns the food log of a person.
func (s *Server) Foods(id string) []Food {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copies(s.mustPerson(id).foods)
}

// Drinks returns the water log of a person.
func (s *Server) Drinks(id string) []Drink {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copies(s.mustPerson(id).drinks)
}

// Electrocardiograms returns the recordings of a person.
func (s *Server) Electrocardiograms(id string) []Electrocardiogram {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copies(s.mustPerson(id).ecgs)
}

// Alerts returns the irregular rhythm notifications of a person.
func (s *Server) Alerts(id string) []Alert {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copies(s.mustPerson(id).alerts)
}

// Devices returns the ids of a person's tracker and scale.
func (s *Server) Devices(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	tracker, scale := s.mustPerson(id).devices()
	return []string{tracker, scale}
}

func (p *person) devices() (tracker, scale string) {
	return strconv.FormatUint(p.seed%1_000_000_000, 10), strconv.FormatUint(p.seed%999_999_937, 10)
}
