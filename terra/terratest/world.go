package terratest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // users live in named zones, also on machines without a zone database
)

// Kind is a kind of data, named as the type of its event.
type Kind string

// The kinds. The last three have no getter: they are sent only.
const (
	KindActivity     Kind = "activity"
	KindBody         Kind = "body"
	KindDaily        Kind = "daily"
	KindSleep        Kind = "sleep"
	KindNutrition    Kind = "nutrition"
	KindMenstruation Kind = "menstruation"
	KindAthlete      Kind = "athlete"
	KindHormone      Kind = "hormone"
	KindObservation  Kind = "health_observation"
	KindPlanned      Kind = "planned_workout"
)

// DayKinds returns the kinds that are asked for by range of days.
func DayKinds() []Kind {
	return []Kind{KindActivity, KindBody, KindDaily, KindSleep, KindNutrition, KindMenstruation}
}

// Key identifies one record of one account. ID is the summary_id of activities and nights, the civil day of daily, body,
// nutrition and menstruation data, and empty for the profile. Nights of providers that send no summary_id have one here.
type Key struct {
	Kind Kind
	ID   string
}

// Record is one published record.
type Record struct {
	Key     Key
	Day     string // YYYY-MM-DD, of its start
	Version int    // 0 until it is edited
	Start   time.Time
	Body    []byte // the element of data, with samples
}

// world is the data of one account at one provider. It is guarded by Server.mu.
type world struct {
	provider, account string
	seed              uint64
	schema            map[string][]string
	habit             habit
	person            person
	zone              string
	loc               *time.Location
	heart             int // heart-rate samples of a day

	first   int // first civil day
	asOf    time.Time
	edits   map[Key]int
	deleted map[Key]bool
	bare    map[Key]bool // enrichment scores are null
	late    map[int]int  // further activities by day
}

// person is who the account belongs to.
type person struct {
	first, last, sex, city, country string
	female                          bool
	born                            time.Time
	height, weight                  float64 // cm, kg
	resting                         float64 // 1/min
	steps                           float64 // of an ordinary day
}

func newWorld(cfg Config, schema map[string][]string, now time.Time, provider, account string, user UserConfig) *world {
	r := random(cfg.Seed, "person", provider, account)
	w := &world{
		provider: provider, account: account, seed: cfg.Seed, schema: schema, habit: habitOf(provider), zone: user.Timezone, heart: max(0, cfg.HeartRateSamples),
		edits: map[Key]int{}, deleted: map[Key]bool{}, bare: map[Key]bool{}, late: map[int]int{},
	}
	zones := []string{"Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Tokyo", "Australia/Sydney", "Asia/Kolkata"}
	chosen := zones[r.IntN(len(zones))]
	if w.zone == "" {
		w.zone = chosen
	}
	loc, err := time.LoadLocation(w.zone)
	if err != nil {
		panic("terratest: " + err.Error())
	}
	w.loc = loc
	if w.habit.stamp == stampZulu { // days of such a provider are those of UTC
		w.loc = time.UTC
	}
	female := r.IntN(2) == 0 || w.habit.tracksCycle
	w.person = person{
		first: []string{"Ada", "Grace", "Edsger", "Niklaus", "Barbara", "Ken"}[r.IntN(6)], last: []string{"Muster", "Example", "Sample"}[r.IntN(3)],
		sex: map[bool]string{true: "female", false: "male"}[female], female: female, city: []string{"Springfield", "Neustadt", "Newtown"}[r.IntN(3)],
		country: []string{"DE", "GB", "US"}[r.IntN(3)], born: dayTime(civil(time.Date(1965+r.IntN(38), 1, 1, 0, 0, 0, 0, time.UTC)) + r.IntN(365)),
		height: float64(155 + r.IntN(40)), weight: 55 + r.Float64()*40, resting: float64(48 + r.IntN(20)), steps: float64(5000 + r.IntN(8000)),
	}
	w.first = civil(now.In(w.loc)) - orDefault(user.Days, cfg.Days) + 1
	w.asOf = now.In(w.loc).AddDate(0, 0, -user.HoldBack)
	return w
}

// civil is the number of the civil day that t shows.
func civil(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

func dayTime(day int) time.Time { return time.Unix(int64(day)*86400, 0).UTC() }
func dayText(day int) string    { return dayTime(day).Format(time.DateOnly) }

func (w *world) today() int { return civil(w.asOf.In(w.loc)) }

// at is a time of a civil day, in minutes since its midnight.
func (w *world) at(day, minutes int) time.Time {
	y, m, d := dayTime(day).Date()
	return time.Date(y, m, d, 0, minutes, 0, 0, w.loc)
}

// rec is a record before its body is made.
type rec struct {
	key        Key
	day, n     int // n counts the activities of a day
	start, end time.Time
}

const lateIndex = 100 // n of the first late activity of a day

func (w *world) random(kind Kind, day, n int) *gen {
	id := fmt.Sprint(kind, " ", day, " ", n)
	return &gen{w: w, id: id, r: random(w.seed, "data", w.provider, w.account, id)}
}

func (w *world) id(kind Kind, day, n int) string {
	return uuidOf(hexOf(random(w.seed, "id", w.provider, w.account, kind, day, n), 16))
}

// list returns the published records whose start is in the civil days from to to, to excluded, in order of time.
func (w *world) list(kind Kind, from, to int) (recs []rec) {
	from, to = max(from, w.first), min(to, w.today()+1)
	for day := from; day <= to; day++ { // one more: a night starts on the day before the one it belongs to
		for _, r := range w.day(kind, day) {
			if start := civil(r.start); start >= from && start < to && !w.deleted[r.key] {
				recs = append(recs, r)
			}
		}
	}
	slices.SortStableFunc(recs, func(a, b rec) int { return a.start.Compare(b.start) })
	return recs
}

// day returns the records of a day that exist at asOf.
func (w *world) day(kind Kind, day int) (recs []rec) {
	if day < w.first {
		return nil
	}
	published := func(r rec, from time.Time) {
		if !from.After(w.asOf) {
			recs = append(recs, r)
		}
	}
	whole := rec{key: Key{kind, dayText(day)}, day: day, start: w.at(day, 0), end: w.at(day+1, 0)}
	switch kind {
	case KindDaily:
		published(whole, whole.start)
	case KindBody:
		published(whole, w.at(day, 7*60+30))
	case KindNutrition:
		published(whole, w.at(day, 8*60+30))
	case KindMenstruation:
		if w.habit.tracksCycle || w.person.female {
			published(whole, w.at(day, 6*60))
		}
	case KindActivity:
		n := w.random("activities", day, 0).r.IntN(3)
		for i := range n + w.late[day] {
			if i >= n {
				i += lateIndex - n
			}
			r := w.random("start", day, i).r
			start := w.at(day, 7*60+(i%lateIndex)*5*60+r.IntN(120))
			a := rec{Key{kind, w.id(kind, day, i)}, day, i, start, start.Add(time.Duration(20+r.IntN(70)) * time.Minute)}
			published(a, a.end)
		}
	case KindSleep:
		r := w.random("night", day, 0).r
		night := rec{key: Key{kind, w.id(kind, day, 0)}, day: day, start: w.at(day-1, 22*60+r.IntN(150)), end: w.at(day, 5*60+30+r.IntN(150))}
		if day > w.first {
			published(night, night.end)
		}
		if r.IntN(6) == 0 {
			start := w.at(day, 14*60+r.IntN(60))
			nap := rec{Key{kind, w.id(kind, day, 1)}, day, 1, start, start.Add(time.Duration(15+r.IntN(30)) * time.Minute)}
			published(nap, nap.end)
		}
	}
	return recs
}

// find returns the record of a key.
func (w *world) find(key Key) rec {
	if key.Kind == KindAthlete {
		return rec{key: key}
	}
	for _, r := range w.list(key.Kind, w.first, w.today()+1) {
		if r.key == key {
			return r
		}
	}
	panic(fmt.Sprintf("terratest: %s/%s has no record %s %s", w.provider, w.account, key.Kind, key.ID))
}

// Records returns what is published of a user, of the given kinds or of all that the provider has, in order of time.
func (s *Server) Records(userID string, kinds ...Kind) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.must(userID).world
	if len(kinds) == 0 {
		kinds = w.habit.kinds
	}
	var list []Record
	for _, kind := range kinds {
		if kind == KindAthlete {
			list = append(list, Record{Key: Key{Kind: kind}, Body: marshal(w.athlete())})
			continue
		}
		for _, r := range w.list(kind, w.first, w.today()+1) {
			list = append(list, Record{r.key, dayText(civil(r.start)), w.edits[r.key], r.start, marshal(w.body(r, true))})
		}
	}
	return list
}

// owner returns the active user of a world, nil if nobody has it any more.
func (s *Server) owner(w *world) *user {
	for _, u := range s.users {
		if u.world == w && u.state == StateActive {
			return u
		}
	}
	return nil
}

// announce sends one event per record to the destinations. s.mu is held.
func (s *Server) announce(w *world, recs ...rec) {
	u := s.owner(w)
	if u == nil || len(s.destinations) == 0 {
		return
	}
	for _, r := range recs {
		s.sendData(u, r.key.Kind, []rec{r})
	}
}

// AdvanceDay publishes the next 24 hours of a user whose history was held back, and sends what is new or changed: the
// complete day, the current one so far, activities, nights, measurements. It returns the keys; none if the data has
// reached the present.
func (s *Server) AdvanceDay(userID string) []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.must(userID).world
	return s.grow(w, w.asOf.AddDate(0, 0, 1))
}

// CatchUp publishes everything up to the present and sends what is new or changed. It returns the keys.
func (s *Server) CatchUp(userID string) []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grow(s.must(userID).world, s.now())
}

func (s *Server) grow(w *world, to time.Time) (keys []Key) {
	if now := s.now(); to.After(now) {
		to = now
	}
	before := w.asOf
	if !to.After(before) {
		return nil
	}
	from := w.today()
	w.asOf = to
	for _, kind := range w.habit.kinds {
		if kind == KindAthlete {
			continue
		}
		for _, r := range w.list(kind, from-1, w.today()+1) {
			// A record that had come to rest before does not change. Two-pass nights come to rest two hours late.
			rest := r.end
			if kind == KindSleep && w.habit.twoPasses {
				rest = rest.Add(secondPass)
			}
			if !rest.After(before) {
				continue
			}
			keys = append(keys, r.key)
			s.announce(w, r)
		}
	}
	return keys
}

// AddLate adds an activity to one of the last days before yesterday, as a device does that was not connected for a
// while, and sends it.
func (s *Server) AddLate(userID string) Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addLate(s.must(userID).world)
}

func (s *Server) addLate(w *world) Key {
	day := max(w.first, w.today()-2-random(w.seed, "late", w.account, len(w.late)).IntN(7))
	w.late[day]++
	r := w.day(KindActivity, day)
	added := r[len(r)-1]
	s.announce(w, added)
	return added.key
}

// Edit changes a record, as the provider does when it has computed again, and sends it: totals grow.
func (s *Server) Edit(userID string, key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.must(userID).world
	r := w.find(key)
	w.edits[key]++
	s.announce(w, r)
}

// ClearEnrichment makes the enrichment scores of a record null from now on, and sends it. Receivers keep what they had.
func (s *Server) ClearEnrichment(userID string, key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.must(userID).world
	r := w.find(key)
	w.bare[key] = true
	s.announce(w, r)
}

// DeleteActivity removes an activity. It is sent once more with upload_type 4, and no longer part of answers.
func (s *Server) DeleteActivity(userID, summaryID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleteActivity(s.must(userID).world, Key{KindActivity, summaryID})
}

func (s *Server) deleteActivity(w *world, key Key) {
	r := w.find(key)
	w.deleted[key] = true
	s.announce(w, r)
}

// Evolution is what one [Server.Evolve] did.
type Evolution struct {
	Grown   []Key // published for the first time, or grown
	Late    []Key
	Edited  []Key
	Cleared []Key // enrichment scores became null
	Deleted []Key
}

// Evolve does a bit of everything to a user's data and sends it: a day passes where days are held back, a late activity
// arrives, a day and a night are computed again, scores become null, an activity is deleted.
func (s *Server) Evolve(userID string) Evolution {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.must(userID).world
	ev := Evolution{Grown: s.grow(w, w.asOf.AddDate(0, 0, 1))}
	r := random(w.seed, "evolve", w.account, w.asOf.Unix(), len(w.edits))
	pick := func(kind Kind) *rec {
		if !slices.Contains(w.habit.kinds, kind) {
			return nil
		}
		recs := w.list(kind, w.today()-14, w.today())
		if len(recs) == 0 {
			return nil
		}
		return &recs[r.IntN(len(recs))]
	}
	for _, kind := range []Kind{KindDaily, KindSleep, KindBody} {
		if at := pick(kind); at != nil {
			w.edits[at.key]++
			s.announce(w, *at)
			ev.Edited = append(ev.Edited, at.key)
		}
	}
	if at := pick(KindDaily); at != nil {
		w.bare[at.key] = true
		s.announce(w, *at)
		ev.Cleared = append(ev.Cleared, at.key)
	}
	if at := pick(KindActivity); at != nil {
		s.deleteActivity(w, at.key)
		ev.Deleted = append(ev.Deleted, at.key)
	}
	if slices.Contains(w.habit.kinds, KindActivity) {
		ev.Late = append(ev.Late, s.addLate(w))
	}
	return ev
}

// gen makes the body of one record.
type gen struct {
	w       *world
	id      string // of the record
	r       *rand.Rand
	samples bool
	growth  float64 // of totals, by version
	bare    bool
	until   time.Time // no sample after it
}

// model fills the members that the model has and fields has not with null.
func (g *gen) model(name string, fields object) object {
	members := g.w.schema[name]
	if members == nil {
		panic("terratest: no model " + name)
	}
	for k := range fields {
		if !slices.Contains(members, k) {
			panic("terratest: " + name + " has no member " + k)
		}
	}
	for _, m := range members {
		if _, set := fields[m]; !set {
			fields[m] = nil
		}
	}
	return fields
}

func round(v float64, decimals int) float64 {
	p := math.Pow10(decimals)
	return math.Round(v*p) / p
}

// whole writes a whole number as the provider does.
func (g *gen) whole(v float64) any {
	if g.w.habit.floats {
		return encoded(fmt.Sprintf("%.1f", math.Round(v)))
	}
	return int(math.Round(v))
}

func (g *gen) between(lo, hi float64) float64 { return lo + g.r.Float64()*(hi-lo) }

// appendStamp writes a timestamp as the provider does.
func (w *world) appendStamp(b []byte, t time.Time) []byte {
	t = t.In(w.loc)
	switch w.habit.stamp {
	case stampNoColon:
		return t.AppendFormat(b, "2006-01-02T15:04:05.000000-0700")
	case stampZulu:
		return t.UTC().AppendFormat(b, "2006-01-02T15:04:05Z")
	case stampBare:
		return t.AppendFormat(b, "2006-01-02T15:04:05.000000")
	case stampFalse:
		return t.AppendFormat(b, "2006-01-02T15:04:05.000000+00:00")
	}
	return t.AppendFormat(b, "2006-01-02T15:04:05.000000-07:00")
}

func (g *gen) stamp(t time.Time) string { return string(g.w.appendStamp(nil, t)) }

// localization is the member timestamp_localization.
func (g *gen) localization() any {
	switch g.w.habit.stamp {
	case stampZulu:
		return 0
	case stampBare:
		return nil
	}
	return 1
}

// series writes samples of a model between two times; names and what values returns go together. Without samples it is empty.
func (g *gen) series(model string, from, to time.Time, every time.Duration, names []string, values func(i int, t time.Time) []float64) encoded {
	if !g.samples {
		return encoded("[]")
	}
	// Its own generator: the rest of the record is the same with and without samples.
	former := g.r
	defer func() { g.r = former }()
	g.r = random(g.w.seed, "series", g.w.provider, g.w.account, g.id, model, names)
	rest := slices.DeleteFunc(slices.Clone(g.w.schema[model]), func(m string) bool { return m == "timestamp" || slices.Contains(names, m) })
	var tail strings.Builder
	for _, m := range rest {
		fmt.Fprintf(&tail, `,"%s":null`, m)
	}
	tail.WriteByte('}')
	b := []byte{'['}
	for i := 0; ; i++ {
		t := from.Add(time.Duration(i) * every)
		if !t.Before(to) || t.After(g.until) {
			break
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"timestamp":"`...)
		b = g.w.appendStamp(b, t)
		b = append(b, '"')
		for j, v := range values(i, t) {
			b = append(b, ',', '"')
			b = append(b, names[j]...)
			b = append(b, '"', ':')
			b = appendNumber(b, v)
		}
		b = append(b, tail.String()...)
	}
	return append(b, ']')
}
