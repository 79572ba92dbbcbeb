package googlehealthtest

import (
	"fmt"
	"slices"
	"strconv"
	"time"
	_ "time/tzdata" // users live in named zones, also on machines without a zone database
)

// UserConfig describes a user to add. The zero value is an ordinary user.
type UserConfig struct {
	ID       string // healthUserId; empty means assigned from the seed
	LegacyID string // legacyUserId; empty means assigned from the seed, "-" means none
	Timezone string // IANA name; empty means one chosen from the seed
	Days     int    // days of history; 0 means [Config].Days
	// HoldBack is how many days before now the history ends: [Server.AdvanceDay] publishes them.
	HoldBack int
	// NotLinked is a Google account that has no health data.
	NotLinked bool
	// Trips are times in other zones, in order: offsets and civil days are those of where the user was.
	Trips []Trip
}

// Trip is a time in another zone than the user's own.
type Trip struct {
	From, Until time.Time
	Timezone    string // IANA name
}

// trip is a Trip with its zone.
type trip struct {
	Trip
	zone *time.Location
}

// User is one person at the simulated service.
type User struct {
	ID       string // healthUserId
	LegacyID string // legacyUserId; empty for none
	Timezone string
	FirstDay string // first civil day with data, YYYY-MM-DD
	LastDay  string // civil day the published data ends in
}

// Source has people whose data another simulator made. All three return what there is now, in any order; the ids of
// sleeps and workouts must stay. It is asked before each answer, so that changes are made there: the Edit, Add and Delete
// methods of [Server] do not last for these people. It must not call back into the Server.
type Source interface {
	// Days returns the days of a person by the legacy id; false for nobody.
	Days(legacyID string) ([]Day, bool)
	Sleeps(legacyID string) []Sleep
	Workouts(legacyID string) []Workout
}

// Day is what a person did on one civil day. A day that is not worn has no data.
type Day struct {
	Date             string // YYYY-MM-DD
	Worn             bool
	Steps, Floors    int
	Distance         int64 // mm
	ActiveEnergy     int   // kcal
	RestingHeartRate int   // 1/min; 0 is none, as for the numbers below
	HRV, DeepHRV     float64
	SpO2             float64 // %
	RespiratoryRate  float64 // 1/min
	SkinTemperature  float64 // Cel
	VO2Max           float64
	Weight           int     // g
	BodyFat          float64 // %
	Water            int     // ml
	// WeightAt is when the weight and the body fat were taken; zero is a second past seven in the morning.
	WeightAt time.Time
}

// Stage is a period of a night. Type is AWAKE, LIGHT, DEEP, REM, ASLEEP or RESTLESS.
type Stage struct {
	Type       string
	Start, End time.Time
}

// Sleep is a night or a nap.
type Sleep struct {
	ID         string
	Start, End time.Time
	Nap        bool
	Classic    bool
	Processed  bool // false: the stages are not final
	Stages     []Stage
	ShortAwake []Stage
	Updated    time.Time
}

// Workout is an exercise.
type Workout struct {
	ID, Type, Name string
	Start, End     time.Time
	Calories       float64
	Distance       int64 // mm
	Steps          int
	HeartRate      int
	Updated        time.Time
}

// user is the state behind a User.
type user struct {
	id, legacy, tz string
	zone           *time.Location
	trips          []trip
	notLinked      bool
	seed           uint64
	first, next    int // civil days: the first of the history, and the next to make
	horizon        time.Time
	days           map[int]*Day
	sleeps         []*Sleep
	workouts       []*Workout
	gone           map[string]bool // ids of readings that were deleted
	sourced        bool
	added          int
}

var zones = [...]string{"Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Auckland"}

// AddUser adds a user with a history that depends only on the seed, the user's id and the clock, or comes from
// [Config].Source. It panics if the zone is unknown or the id is taken.
func (s *Server) AddUser(c UserConfig) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := uint64(len(s.users))
	if c.ID == "" {
		c.ID = strconv.FormatUint(1_000_000_000_000_000_000+mix(s.cfg.Seed, 1, n)%8_000_000_000_000_000_000, 10)
	}
	switch c.LegacyID {
	case "":
		c.LegacyID = fmt.Sprintf("%06X", mix(s.cfg.Seed, 2, n)%0xFFFFFF)
	case "-":
		c.LegacyID = ""
	}
	for _, u := range s.users {
		if u.id == c.ID {
			panic("googlehealthtest: the user exists already")
		}
	}
	if c.Timezone == "" {
		c.Timezone = zones[mix(s.cfg.Seed, 3, n)%uint64(len(zones))]
	}
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		panic("googlehealthtest: " + err.Error())
	}
	u := &user{
		id: c.ID, legacy: c.LegacyID, tz: c.Timezone, zone: zone, notLinked: c.NotLinked, seed: mix(s.cfg.Seed, 4, text(c.ID)),
		days: map[int]*Day{}, gone: map[string]bool{},
	}
	for _, t := range c.Trips {
		zone, err := time.LoadLocation(t.Timezone)
		if err != nil {
			panic("googlehealthtest: " + err.Error())
		}
		u.trips = append(u.trips, trip{t, zone})
	}
	u.horizon = s.cfg.Now().Truncate(time.Second).AddDate(0, 0, -max(0, c.HoldBack))
	u.first = u.dayOf(u.horizon) - max(1, orDefault(c.Days, s.cfg.Days)) + 1
	u.next = u.first
	if s.cfg.Source != nil {
		_, u.sourced = s.cfg.Source.Days(u.legacy)
	}
	s.refresh(u)
	s.users = append(s.users, u)
	return u.public()
}

// Users returns the users in the order they were added.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []User
	for _, u := range s.users {
		all = append(all, u.public())
	}
	return all
}

func (u *user) public() User {
	return User{ID: u.id, LegacyID: u.legacy, Timezone: u.tz, FirstDay: dayText(u.first), LastDay: dayText(u.dayOf(u.horizon))}
}

// mustUser returns the user or panics; s.mu must be held.
func (s *Server) mustUser(id string) *user {
	for _, u := range s.users {
		if u.id == id {
			return u
		}
	}
	panic("googlehealthtest: no such user")
}

// refresh makes the data up to the user's horizon.
func (s *Server) refresh(u *user) {
	if u.sourced {
		s.readSource(u)
		return
	}
	for ; u.next <= u.dayOf(u.horizon); u.next++ {
		u.generate(u.next)
	}
}

// readSource takes over what the source has now.
func (s *Server) readSource(u *user) {
	days, _ := s.cfg.Source.Days(u.legacy)
	u.days, u.sleeps, u.workouts = map[int]*Day{}, nil, nil
	for _, d := range days {
		if n, ok := parseDay(d.Date); ok {
			u.days[n] = &d
			u.first = min(u.first, n)
		}
	}
	for _, sl := range s.cfg.Source.Sleeps(u.legacy) {
		u.sleeps = append(u.sleeps, &sl)
	}
	for _, w := range s.cfg.Source.Workouts(u.legacy) {
		u.workouts = append(u.workouts, &w)
	}
}

// generate makes one civil day.
func (u *user) generate(n int) {
	r := func(parts ...uint64) uint64 { return mix(append([]uint64{u.seed, uint64(n)}, parts...)...) }
	d := &Day{Date: dayText(n), Worn: r(1)%17 != 0}
	u.days[n] = d
	if !d.Worn {
		return
	}
	d.Steps = 3000 + int(r(2)%9000)
	d.Floors = int(r(3) % 20)
	d.Distance = int64(d.Steps) * 712
	d.ActiveEnergy = d.Steps / 20
	d.RestingHeartRate = 52 + int(r(4)%12)
	d.HRV, d.DeepHRV = 25+float64(r(5)%400)/10, 22+float64(r(6)%300)/10
	d.SpO2 = 94 + float64(r(7)%50)/10
	d.RespiratoryRate = 12 + float64(r(8)%60)/10
	d.SkinTemperature = 33 + float64(r(9)%20)/10
	d.VO2Max = 40 + float64(r(10)%80)/10
	d.Water = 250 * int(r(11)%8)
	if r(12)%3 == 0 {
		d.Weight, d.BodyFat = 70_000+int(r(13)%3000), 18.4+float64(r(14)%7)/10
	}
	u.sleeps = append(u.sleeps, u.night(n))
	if r(20)%9 == 0 {
		start := u.at(n, 14*3600+int(r(21)%1800))
		u.sleeps = append(u.sleeps, &Sleep{
			ID: u.newID(n, 2), Start: start, End: start.Add(40 * time.Minute), Nap: true, Classic: true, Processed: true,
			Stages: []Stage{{"ASLEEP", start, start.Add(40 * time.Minute)}}, Updated: start.Add(time.Hour),
		})
	}
	if r(22)%2 == 0 {
		kinds := [...]string{"RUNNING", "WALKING", "BIKING", "SWIMMING_POOL", "YOGA_HATHA"}
		kind := kinds[r(23)%uint64(len(kinds))]
		start := u.at(n, 17*3600+int(r(24)%3600))
		length := time.Duration(20+r(25)%60) * time.Minute
		u.workouts = append(u.workouts, &Workout{
			ID: u.newID(n, 3), Type: kind, Name: "Workout", Start: start, End: start.Add(length), Calories: 8 * length.Minutes(),
			Distance: int64(length.Minutes()) * 140_000, Steps: int(length.Minutes()) * 120, HeartRate: 110 + int(r(26)%50),
			Updated: start.Add(length + 10*time.Minute),
		})
	}
}

// night makes the night that ends on a day.
func (u *user) night(n int) *Sleep {
	start := u.at(n-1, 22*3600+1800+int(mix(u.seed, uint64(n), 30)%5400))
	s := &Sleep{ID: u.newID(n, 1), Start: start, Processed: true}
	at := start
	for i := range 16 {
		kind := [...]string{"LIGHT", "DEEP", "LIGHT", "REM", "AWAKE"}[(uint64(i)+mix(u.seed, uint64(n), 31))%5]
		length := time.Duration(10+mix(u.seed, uint64(n), 32, uint64(i))%40) * time.Minute
		if kind == "AWAKE" {
			length = 5 * time.Minute
		}
		s.Stages = append(s.Stages, Stage{kind, at, at.Add(length)})
		if i%5 == 1 {
			s.ShortAwake = append(s.ShortAwake, Stage{"AWAKE", at.Add(2 * time.Minute), at.Add(3 * time.Minute)})
		}
		at = at.Add(length)
	}
	s.End, s.Updated = at, at.Add(15*time.Minute)
	return s
}

func (u *user) newID(n int, what uint64) string {
	return strconv.FormatUint(1_000_000_000_000_000_000+mix(u.seed, uint64(n), what, 99)%8_000_000_000_000_000_000, 10)
}

// AdvanceDay publishes one more day of a user, or moves to the same time of the next day.
func (s *Server) AdvanceDay(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.mustUser(userID)
	s.move(u, u.horizon.AddDate(0, 0, 1))
}

// CatchUp publishes all data of a user up to now.
func (s *Server) CatchUp(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.move(s.mustUser(userID), s.cfg.Now().Truncate(time.Second))
}

func (s *Server) move(u *user, to time.Time) {
	if !to.After(u.horizon) {
		return
	}
	from := u.horizon
	u.horizon = to
	s.refresh(u)
	for _, path := range []string{"steps", "heart-rate", "sleep", "exercise", "daily-resting-heart-rate"} {
		s.notify(u, path, "UPSERT", from, to)
	}
}

// EditDay changes a day, also one in the past. The date stays.
func (s *Server) EditDay(userID, date string, edit func(*Day)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.mustUser(userID)
	n, _ := parseDay(date)
	d := u.days[n]
	if d == nil {
		panic("googlehealthtest: no such day")
	}
	edit(d)
	d.Date = date
	for _, path := range []string{"steps", "daily-resting-heart-rate"} {
		s.notify(u, path, "UPSERT", u.at(n, 0), u.at(n+1, 0))
	}
}

// EditSleep changes a night, for instance when its stages become final.
func (s *Server) EditSleep(userID, id string, edit func(*Sleep)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.mustUser(userID)
	sl := u.sleeps[mustIndex(slices.IndexFunc(u.sleeps, func(sl *Sleep) bool { return sl.ID == id }))]
	edit(sl)
	sl.ID, sl.Updated = id, s.cfg.Now()
	s.notify(u, "sleep", "UPSERT", sl.Start, sl.End)
}

// EditWorkout changes a workout.
func (s *Server) EditWorkout(userID, id string, edit func(*Workout)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.mustUser(userID)
	w := u.workouts[mustIndex(slices.IndexFunc(u.workouts, func(w *Workout) bool { return w.ID == id }))]
	edit(w)
	w.ID, w.Updated = id, s.cfg.Now()
	s.notify(u, "exercise", "UPSERT", w.Start, w.End)
}

// AddWorkout adds a workout, also one that was held back for days, and returns its id.
func (s *Server) AddWorkout(userID string, w Workout) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.mustUser(userID)
	u.added++
	if w.ID == "" {
		w.ID = u.newID(-u.added, 4)
	}
	w.Updated = s.cfg.Now()
	u.workouts = append(u.workouts, &w)
	s.notify(u, "exercise", "UPSERT", w.Start, w.End)
	return w.ID
}

// DeleteSleep removes a night.
func (s *Server) DeleteSleep(userID, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.mustUser(userID)
	i := mustIndex(slices.IndexFunc(u.sleeps, func(sl *Sleep) bool { return sl.ID == id }))
	s.notify(u, "sleep", "DELETE", u.sleeps[i].Start, u.sleeps[i].End)
	u.sleeps = slices.Delete(u.sleeps, i, i+1)
}

// DeleteWorkout removes a workout.
func (s *Server) DeleteWorkout(userID, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.mustUser(userID)
	i := mustIndex(slices.IndexFunc(u.workouts, func(w *Workout) bool { return w.ID == id }))
	s.notify(u, "exercise", "DELETE", u.workouts[i].Start, u.workouts[i].End)
	u.workouts = slices.Delete(u.workouts, i, i+1)
}

// DeleteReading removes a weight or another reading by its id.
func (s *Server) DeleteReading(userID, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustUser(userID).gone[id] = true
}

func mustIndex(i int) int {
	if i < 0 {
		panic("googlehealthtest: there is nothing of that id")
	}
	return i
}

// Truth is what the service holds for a user at one moment. It is a copy, in order of time.
type Truth struct {
	User     User
	Days     []Day
	Sleeps   []Sleep
	Workouts []Workout
}

// Truth returns what the service holds for the user right now.
func (s *Server) Truth(userID string) Truth {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.mustUser(userID)
	s.refresh(u)
	t := Truth{User: u.public()}
	for n := u.first; n <= u.dayOf(u.horizon); n++ {
		if d := u.days[n]; d != nil {
			t.Days = append(t.Days, *d)
		}
	}
	for _, sl := range u.sleeps {
		if !sl.End.After(u.horizon) {
			c := *sl
			c.Stages, c.ShortAwake = slices.Clone(sl.Stages), slices.Clone(sl.ShortAwake)
			t.Sleeps = append(t.Sleeps, c)
		}
	}
	for _, w := range u.workouts {
		if !w.End.After(u.horizon) {
			t.Workouts = append(t.Workouts, *w)
		}
	}
	slices.SortFunc(t.Sleeps, func(a, b Sleep) int { return a.Start.Compare(b.Start) })
	slices.SortFunc(t.Workouts, func(a, b Workout) int { return a.Start.Compare(b.Start) })
	return t
}

// Civil days are counted from 1970-01-01.

func (u *user) dayOf(t time.Time) int { return civilDay(u.local(t)) }

// local returns t by the clocks where the user was.
func (u *user) local(t time.Time) time.Time { return t.In(u.zoneAt(t)) }

func (u *user) zoneAt(t time.Time) *time.Location {
	for _, trip := range u.trips {
		if !t.Before(trip.From) && t.Before(trip.Until) {
			return trip.zone
		}
	}
	return u.zone
}

func civilDay(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// at returns the instant when the clocks where the user was showed sec seconds after midnight of the day.
func (u *user) at(day, sec int) time.Time {
	y, m, d := time.Unix(int64(day)*86400, 0).UTC().Date()
	for _, trip := range u.trips {
		if t := time.Date(y, m, d, 0, 0, sec, 0, trip.zone); u.zoneAt(t) == trip.zone {
			return t
		}
	}
	return time.Date(y, m, d, 0, 0, sec, 0, u.zone)
}

func dayText(day int) string { return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly) }

func parseDay(s string) (int, bool) {
	t, err := time.Parse(time.DateOnly, s)
	return int(t.Unix() / 86400), err == nil
}

// mix makes one number of several (splitmix64).
func mix(parts ...uint64) uint64 {
	h := uint64(0x9E3779B97F4A7C15)
	for _, p := range parts {
		h += p + 0x9E3779B97F4A7C15
		h = (h ^ h>>30) * 0xBF58476D1CE4E5B9
		h = (h ^ h>>27) * 0x94D049BB133111EB
		h ^= h >> 31
	}
	return h
}

func text(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
