package withingstest

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"
	_ "time/tzdata" // users live in named zones, also on machines without a zone database
)

// UserConfig describes a user to add. The zero value is an ordinary user.
type UserConfig struct {
	ID       int64  // userid; 0 means assigned from the seed
	Timezone string // IANA name; empty means one chosen from the seed
	Days     int    // days of history; 0 means [Config].Days
	// HoldBack is how many days before now the history ends. Those days are published one at a time by
	// [Server.AdvanceDay], which lets a test or a demonstration see new days without moving its clock.
	HoldBack int
	// Measures, when positive, replaces the user's ordinary measure groups by exactly this many, spread evenly over
	// the history. They are computed on demand, so a million of them costs no memory.
	Measures int
}

// User is one person at the simulated service.
type User struct {
	ID       int64
	Timezone string // IANA name of the profile
	FirstDay string // first civil day with data, YYYY-MM-DD
	LastDay  string // civil day the published data ends in
}

// Fields are numbers by the name they have on the wire, for example "steps" or "hr_average".
type Fields map[string]float64

// Measure is one value of a group: Value x 10^Unit in the unit of its Type.
type Measure struct {
	Value    int64
	Type     int
	Unit     int
	Algo     int
	FM       int
	Position *int // nil when the measure has none
}

// MeasureGroup is a row of getmeas.
type MeasureGroup struct {
	ID       int64
	Attrib   int
	Date     int64 // unix seconds, as Created and Modified
	Created  int64
	Modified int64
	Category int    // 1 real measure, 2 user objective
	DeviceID string // empty when null on the wire
	Model    string
	ModelID  int // 0 when null on the wire
	Measures []Measure
}

// Activity is a row of getactivity: one civil day from one source. Units: steps, metres, floors, seconds, kcal, 1/min.
type Activity struct {
	Date      string // YYYY-MM-DD in Timezone
	Timezone  string
	DeviceID  string
	Brand     int // 1 Withings, 18 external
	IsTracker bool
	Modified  int64
	Model     string
	ModelID   int // 0 when null on the wire
	Data      Fields
}

// IntradayPoint is one entry of the series of getintradayactivity.
type IntradayPoint struct {
	Time     int64 // unix seconds
	DeviceID string
	Model    string
	ModelID  int
	Data     Fields
}

// Workout is a row of getworkouts.
type Workout struct {
	ID         int64
	Category   int
	Timezone   string
	Model      int
	Attrib     int
	Start, End int64 // unix seconds
	Date       string
	Modified   int64
	DeviceID   string
	Data       Fields
	// BodyTemperatureStatus is the text field core_body_temperature_status; empty when absent.
	BodyTemperatureStatus string
}

// Sample is one entry of a map keyed by unix seconds.
type Sample struct {
	Time  int64
	Value float64
}

// SleepSegment is a row of the sleep service's get action.
type SleepSegment struct {
	Start, End int64 // unix seconds
	State      int   // 0 awake, 1 light, 2 deep, 3 REM
	Series     map[string][]Sample
}

// Night is a row of the sleep service's getsummary action together with its segments.
type Night struct {
	ID         int64
	Timezone   string
	Model      int // 16 tracker, 32 sleep monitor
	ModelID    int
	DeviceID   string
	Start, End int64 // unix seconds
	Date       string
	Created    int64
	Modified   int64
	Data       Fields
	// Events are the seconds from Start at which each kind of night event happened (night_events on the wire).
	Events   map[int][]int64
	Segments []SleepSegment
}

// Heart is a row of the heart service's list action; Signal is what its get action returns.
type Heart struct {
	Timestamp int64 // unix seconds
	Modified  int64
	DeviceID  string
	Model     int
	HeartRate int
	Systole   int // 0 when the row has no blood pressure
	Diastole  int
	SignalID  int64 // 0 when the row has no ECG
	AFib      int
	Frequency int // Hz
	Wear      int
	Signal    []int // microvolts
}

// Device is a row of getdevice.
type Device struct {
	ID           string
	Type         string
	Model        string
	ModelID      int
	Battery      string // high, medium, low
	Timezone     string
	FirstSession int64 // unix seconds; 0 when null on the wire
	LastSession  int64
}

// Goals is the answer of getgoals.
type Goals struct {
	Steps  int
	Sleep  int     // seconds
	Weight Measure // Value and Unit only
}

// Truth is everything the service holds for one user at one moment, edits applied and deletions gone. It is a copy.
// Slices are in order of time, then id.
type Truth struct {
	User       User
	Measures   []MeasureGroup
	Activities []Activity
	Intraday   []IntradayPoint
	Workouts   []Workout
	Nights     []Night
	Hearts     []Heart
	Devices    []Device
	Goals      *Goals // nil when the user has none
}

// Kind names a kind of row in a [Key].
type Kind string

// The kinds of row, and what identifies one of its rows.
const (
	KindMeasure  Kind = "measure"  // grpid
	KindActivity Kind = "activity" // date/modelid
	KindIntraday Kind = "intraday" // unix seconds
	KindWorkout  Kind = "workout"  // id
	KindNight    Kind = "night"    // id
	KindHeart    Kind = "heart"    // timestamp/model
	KindDevice   Kind = "device"   // deviceid
)

// Key identifies one row of one user.
type Key struct {
	Kind Kind
	ID   string
}

func idKey(k Kind, id int64) Key { return Key{k, strconv.FormatInt(id, 10)} }

// Key returns the identity of the group.
func (g MeasureGroup) Key() Key { return idKey(KindMeasure, g.ID) }

// Key returns the identity of the row.
func (a Activity) Key() Key { return Key{KindActivity, fmt.Sprintf("%s/%d", a.Date, a.ModelID)} }

// Key returns the identity of the point.
func (p IntradayPoint) Key() Key { return idKey(KindIntraday, p.Time) }

// Key returns the identity of the workout.
func (w Workout) Key() Key { return idKey(KindWorkout, w.ID) }

// Key returns the identity of the night.
func (n Night) Key() Key { return idKey(KindNight, n.ID) }

// Key returns the identity of the recording.
func (h Heart) Key() Key { return Key{KindHeart, fmt.Sprintf("%d/%d", h.Timestamp, h.Model)} }

// Key returns the identity of the device.
func (d Device) Key() Key { return Key{KindDevice, d.ID} }

// user is the state behind a User. All of it is guarded by Server.mu.
type user struct {
	id      int64
	zone    *time.Location
	tz      string
	seed    uint64 // of this user's history
	idBase  int64  // row ids of this user start here
	added   int64  // rows that were added by hand so far
	traits  traits
	first   int       // first civil day of history
	from    int       // first civil day with intraday points
	horizon time.Time // data up to here is published
	next    int       // next civil day to generate
	pending []item    // generated, not yet published
	listens bool      // whether changes are noted in news
	news    []news    // changes that nobody was told of yet

	groups   groupStore
	days     map[int][]*Activity // by civil day
	boost    map[int]int         // extra steps of a day, by civil day
	pinned   map[int]bool        // days edited by hand: growth leaves them alone
	workouts []*Workout
	nights   []*nightRow
	hearts   []*Heart
}

// item is one generated row and the moment the service learns of it. Exactly one pointer is set.
type item struct {
	at      int64
	day     int // civil day it belongs to
	group   *MeasureGroup
	night   *nightRow
	workout *Workout
	heart   *Heart
}

// AddUser adds a user with a history that depends only on the seed, the user's id and the clock. It panics if the
// zone is unknown or the id is taken.
func (s *Server) AddUser(c UserConfig) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := c.ID
	if id == 0 {
		id = 10_000_000 + int64(mix(s.cfg.Seed, 1)%80_000_000)
		for s.byID[id] != nil {
			id++
		}
	}
	if s.byID[id] != nil {
		panic(fmt.Sprintf("withingstest: user %d exists already", id))
	}
	tz := c.Timezone
	if tz == "" {
		tz = zones[(mix(s.cfg.Seed, 2)+uint64(id))%uint64(len(zones))]
	}
	loc, err := time.LoadLocation(tz)
	if err != nil {
		panic("withingstest: " + err.Error())
	}
	u := &user{
		id: id, zone: loc, tz: tz, seed: mix(s.cfg.Seed, 3, uint64(id)),
		days: map[int][]*Activity{}, boost: map[int]int{}, pinned: map[int]bool{},
	}
	u.idBase = 1_000_000_000 * (1 + int64(mix(u.seed, 4)%4000))
	u.groups.init()
	u.horizon = s.cfg.Now().Truncate(time.Second).AddDate(0, 0, -max(0, c.HoldBack))
	last := u.dayOf(u.horizon)
	days := max(1, orDefault(c.Days, s.cfg.Days))
	u.first = last - days + 1
	u.next = u.first
	u.from = last - max(0, s.cfg.IntradayDays) + 1
	if s.cfg.IntradayDays < 0 {
		u.from = 1 << 30
	}
	u.traits = newTraits(u)
	if c.Measures > 0 {
		u.groups.bulk = newBulk(u, c.Measures, u.midnight(u.first).Unix(), u.horizon.Unix())
	}
	u.publish(u.horizon, 0, nil)
	u.listens = s.cfg.Callbacks != nil
	s.users = append(s.users, u)
	s.byID[id] = u
	return u.public()
}

// Users returns the users in the order they were added.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]User, 0, len(s.users))
	for _, u := range s.users {
		out = append(out, u.public())
	}
	return out
}

func (u *user) public() User {
	return User{ID: u.id, Timezone: u.tz, FirstDay: dayText(u.first), LastDay: dayText(u.dayOf(u.horizon))}
}

// mustUser returns the user or panics; s.mu must be held.
func (s *Server) mustUser(id int64) *user {
	u := s.byID[id]
	if u == nil {
		panic(fmt.Sprintf("withingstest: no user %d", id))
	}
	return u
}

// Truth returns what the service holds for the user right now. For a user with [UserConfig].Measures it holds all of
// them in memory; [Server.MeasureGroups] streams them instead.
func (s *Server) Truth(userID int64) Truth {
	groups := slices.Collect(s.MeasureGroups(userID))
	slices.SortFunc(groups, func(a, b MeasureGroup) int {
		return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(a.ID, b.ID))
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.mustUser(userID)
	t := Truth{User: u.public(), Measures: groups, Devices: u.devices(), Goals: u.traits.goals}
	if t.Goals != nil {
		g := *t.Goals
		t.Goals = &g
	}
	for _, a := range u.activities() {
		t.Activities = append(t.Activities, a.clone())
	}
	if day := u.dayOf(u.horizon); u.from <= day {
		t.Intraday = u.intraday(u.midnight(u.from).Unix(), u.horizon.Unix()+1)
	}
	for _, w := range u.workouts {
		c := *w
		c.Data = cloneFields(w.Data)
		t.Workouts = append(t.Workouts, c)
	}
	for _, n := range u.nights {
		t.Nights = append(t.Nights, u.withSegments(n))
	}
	for _, h := range u.hearts {
		c := *h
		c.Signal = u.signal(h)
		t.Hearts = append(t.Hearts, c)
	}
	slices.SortFunc(t.Workouts, func(a, b Workout) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(t.Nights, func(a, b Night) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(t.Hearts, func(a, b Heart) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return t
}

// MeasureGroups streams the measure groups the service holds for the user, in no particular order and without
// holding them in memory together. Changes made during the iteration may or may not be seen.
func (s *Server) MeasureGroups(userID int64) iter.Seq[MeasureGroup] {
	return func(yield func(MeasureGroup) bool) {
		for pos := 0; ; {
			var chunk []MeasureGroup
			chunk, pos = s.scanGroups(userID, pos)
			for _, g := range chunk {
				if !yield(g) {
					return
				}
			}
			if pos < 0 {
				return
			}
		}
	}
}

func (s *Server) scanGroups(userID int64, pos int) ([]MeasureGroup, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mustUser(userID).groups.scan(pos, 512)
}

// activities returns the rows in order of day, then source.
func (u *user) activities() []*Activity {
	var out []*Activity
	for day := u.first; day < u.next; day++ {
		out = append(out, u.days[day]...)
	}
	return out
}

func (u *user) devices() []Device {
	out := slices.Clone(u.traits.devices)
	for i := range out {
		out[i].LastSession = u.horizon.Unix()
	}
	return out
}

func (a *Activity) clone() Activity {
	c := *a
	c.Data = cloneFields(a.Data)
	return c
}

func cloneFields(f Fields) Fields {
	c := make(Fields, len(f))
	for k, v := range f {
		c[k] = v
	}
	return c
}

func (g MeasureGroup) clone() MeasureGroup {
	g.Measures = slices.Clone(g.Measures)
	for i, m := range g.Measures {
		if m.Position != nil {
			p := *m.Position
			g.Measures[i].Position = &p
		}
	}
	return g
}

// Civil days are counted from 1970-01-01.

func (u *user) dayOf(t time.Time) int {
	y, m, d := t.In(u.zone).Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

func (u *user) midnight(day int) time.Time { return u.at(day, 0) }

// at returns the instant when the wall clock of the user's zone shows sec seconds after midnight of the day.
func (u *user) at(day, sec int) time.Time {
	y, m, d := time.Unix(int64(day)*86400, 0).UTC().Date()
	return time.Date(y, m, d, 0, 0, sec, 0, u.zone)
}

func dayText(day int) string { return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly) }

func parseDay(s string) (int, bool) {
	t, err := time.Parse(time.DateOnly, s)
	return int(t.Unix() / 86400), err == nil
}
