package withingstest

import (
	"slices"
	"time"
)

// Evolution says what a change did to a user's data. A key stands in at most one of the lists.
type Evolution struct {
	Added   []Key // data of the time that passed
	Late    []Key // data of a day that was over before the change
	Edited  []Key // rows that exist already and now read differently
	Deleted []Key
}

func (ev *Evolution) appeared(k Key, late bool) {
	switch {
	case ev == nil:
	case late:
		ev.Late = append(ev.Late, k)
	default:
		ev.Added = append(ev.Added, k)
	}
}

func (ev *Evolution) changed(k Key) {
	if ev == nil || slices.Contains(ev.Added, k) || slices.Contains(ev.Late, k) || slices.Contains(ev.Edited, k) {
		return
	}
	ev.Edited = append(ev.Edited, k)
}

// now is the time of the service in whole seconds; s.mu must be held.
func (s *Server) now() time.Time { return s.cfg.Now().Truncate(time.Second) }

// CatchUp lets time pass for the user up to now: everything that was measured meanwhile appears, and the row of the
// current day grows.
func (s *Server) CatchUp(userID int64) Evolution {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce(userID)
	u, ev := s.mustUser(userID), &Evolution{}
	if now := s.now(); now.After(u.horizon) {
		u.publish(now, now.Unix(), ev)
	}
	return *ev
}

// AdvanceDay lets one day pass for the user, at most up to now: the data of the service is never in the future. When
// there is no time left to pass, a weigh-in of this moment appears and the current activity row grows, so that every
// call adds something.
func (s *Server) AdvanceDay(userID int64) Evolution {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce(userID)
	ev := &Evolution{}
	s.advance(s.mustUser(userID), ev)
	return *ev
}

func (s *Server) advance(u *user, ev *Evolution) {
	to := u.horizon.In(u.zone).AddDate(0, 0, 1)
	if now := s.now(); to.After(now) {
		to = now
	}
	if to.After(u.horizon) {
		u.publish(to, s.now().Unix(), ev)
	}
	if !slices.ContainsFunc(ev.Added, func(k Key) bool { return k.Kind == KindMeasure }) {
		s.weigh(u, u.horizon, ev, false)
	}
	day := u.dayOf(u.horizon)
	u.boost[day] += 137
	u.refreshActivity(day, s.now().Unix(), ev)
}

// weigh adds a weigh-in that was made at some time and is uploaded now.
func (s *Server) weigh(u *user, made time.Time, ev *Evolution, late bool) {
	day := u.dayOf(made)
	grams := u.grams(day) + int64(mix(u.seed, uint64(u.added))%600)
	g := u.addGroup(MeasureGroup{
		Date: made.Unix(), Created: s.now().Unix(), Modified: s.now().Unix(), Category: 1,
		DeviceID: u.traits.scale.ID, Model: u.traits.scale.Model, ModelID: u.traits.scale.ModelID,
		Measures: []Measure{scaled(typeWeight, grams, -3), scaled(typeFatKG, grams*u.traits.fat/1000, -2)},
	})
	ev.appeared(g.Key(), late)
}

func (u *user) addedID() int64 {
	u.added++
	return u.idBase + 500_000_000 + u.added
}

func (u *user) addGroup(g MeasureGroup) MeasureGroup {
	g.ID = u.addedID()
	u.groups.put(g.clone())
	u.heardGroup(&g)
	return g
}

// AddMeasure adds a measure group and returns it with its id and, where they were zero, Date, Created and Modified set
// to now and Category to 1.
func (s *Server) AddMeasure(userID int64, g MeasureGroup) MeasureGroup {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce(userID)
	u, now := s.mustUser(userID), s.now().Unix()
	if g.Date == 0 {
		g.Date = now
	}
	if g.Created == 0 {
		g.Created = now
	}
	if g.Modified == 0 {
		g.Modified = now
	}
	if g.Category == 0 {
		g.Category = 1
	}
	return u.addGroup(g)
}

// AddLate adds data of a past day that reaches the service now: a weigh-in, and more steps on that day's activity
// row. daysAgo counts civil days back from the day the published data ends in, and is at least 1.
func (s *Server) AddLate(userID int64, daysAgo int) Evolution {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce(userID)
	ev := &Evolution{}
	s.late(s.mustUser(userID), max(1, daysAgo), ev)
	return *ev
}

func (s *Server) late(u *user, daysAgo int, ev *Evolution) {
	day := max(u.first, u.dayOf(u.horizon)-daysAgo)
	s.weigh(u, u.at(day, 10*3600+int(u.added%3600)), ev, true)
	u.boost[day] += 211
	u.refreshActivity(day, s.now().Unix(), ev)
}

// AddSleep adds a night that ends at the given instant and reaches the service now. Model is 16 for a tracker, 32 for
// a sleep monitor. Instants are cut to whole minutes.
func (s *Server) AddSleep(userID int64, start, end time.Time, model int) Night {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce(userID)
	u := s.mustUser(userID)
	dev := u.traits.watch
	if model == 32 && u.traits.mat != nil {
		dev = *u.traits.mat
	}
	minute := func(t time.Time) int64 { return t.Truncate(time.Minute).Unix() }
	n := u.newNight(u.dayOf(end), 0, minute(start), minute(end), model, dev)
	n.ID = u.addedID()
	n.key = mix(u.seed, forSegments, uint64(n.ID))
	n.Created, n.Modified = s.now().Unix(), s.now().Unix()
	u.summarize(n)
	u.nights = append(u.nights, n)
	u.heardNight(&n.Night)
	return u.withSegments(n)
}

// edited returns the modified time of a row that changes now: it always grows.
func (s *Server) edited(modified int64) int64 { return max(s.now().Unix(), modified+1) }

// EditMeasure lets edit change a measure group and raises its Modified; the id stays. It reports whether the group
// exists.
func (s *Server) EditMeasure(userID, groupID int64, edit func(*MeasureGroup)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce(userID)
	return s.editMeasure(s.mustUser(userID), groupID, edit)
}

func (s *Server) editMeasure(u *user, id int64, edit func(*MeasureGroup)) bool {
	row := u.groups.row(id)
	if row == nil {
		return false
	}
	g := row.clone()
	edit(&g)
	g.ID, g.Modified = id, s.edited(row.Modified)
	row.MeasureGroup = g.clone()
	u.heardGroup(&g)
	return true
}

// EditActivity lets edit change the main activity row of a day (YYYY-MM-DD) and raises its Modified. From then on the
// row no longer grows by itself. It reports whether the row exists.
func (s *Server) EditActivity(userID int64, date string, edit func(*Activity)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce(userID)
	u := s.mustUser(userID)
	day, ok := parseDay(date)
	if !ok || len(u.days[day]) == 0 {
		return false
	}
	a := u.days[day][0]
	c := a.clone()
	edit(&c)
	c.Date, c.ModelID, c.Modified = a.Date, a.ModelID, s.edited(a.Modified)
	*a = c.clone()
	u.pinned[day] = true
	u.heardDay(a.Date)
	return true
}

// EditNight lets edit change the summary of a night and raises its Modified. Segments cannot be changed. It reports
// whether the night exists.
func (s *Server) EditNight(userID, nightID int64, edit func(*Night)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce(userID)
	u := s.mustUser(userID)
	i := slices.IndexFunc(u.nights, func(n *nightRow) bool { return n.ID == nightID })
	if i < 0 {
		return false
	}
	n := u.nights[i]
	c := u.withSegments(n)
	edit(&c)
	c.ID, c.Modified, c.Segments = nightID, s.edited(n.Modified), nil
	n.Night = c
	u.heardNight(&n.Night)
	return true
}

// DeleteMeasure deletes a measure group and reports whether it existed. As at the real service getmeas does not tell:
// the group is just no longer there.
func (s *Server) DeleteMeasure(userID, groupID int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce(userID)
	return s.deleteMeasure(s.mustUser(userID), groupID)
}

func (s *Server) deleteMeasure(u *user, id int64) bool {
	row := u.groups.row(id)
	if row == nil {
		return false
	}
	row.deleted = true
	u.heardGroup(&row.MeasureGroup)
	return true
}

// DeleteNight deletes a night with its segments and reports whether it existed.
func (s *Server) DeleteNight(userID, nightID int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce(userID)
	u := s.mustUser(userID)
	i := slices.IndexFunc(u.nights, func(n *nightRow) bool { return n.ID == nightID })
	if i < 0 {
		return false
	}
	u.heardNight(&u.nights[i].Night)
	u.nights = slices.Delete(u.nights, i, i+1)
	return true
}

// DeleteWorkout deletes a workout and reports whether it existed.
func (s *Server) DeleteWorkout(userID, workoutID int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce(userID)
	u := s.mustUser(userID)
	i := slices.IndexFunc(u.workouts, func(w *Workout) bool { return w.ID == workoutID })
	if i < 0 {
		return false
	}
	u.heardDay(u.workouts[i].Date)
	u.workouts = slices.Delete(u.workouts, i, i+1)
	return true
}

// Evolve makes one of each: a day passes as in [Server.AdvanceDay], data of an earlier day arrives late, a group of
// the last weeks is edited, and one of the last days is deleted. Which ones depends on the seed and on how many
// changes there were before.
func (s *Server) Evolve(userID int64) Evolution {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce(userID)
	u, ev := s.mustUser(userID), &Evolution{}
	s.advance(u, ev)
	r := newRNG(u.seed, forEvolution, uint64(u.added), uint64(u.horizon.Unix()))
	s.late(u, r.in(2, 6), ev)

	old := u.recentGroups(21, ev)
	if len(old) > 0 {
		id := old[r.IntN(len(old))]
		s.editMeasure(u, id, func(g *MeasureGroup) {
			g.Measures[0].Value += int64(r.in(1, 9))
			if g.Attrib == 1 {
				g.Attrib = 7
			}
		})
		ev.changed(idKey(KindMeasure, id))
	}
	recent := slices.DeleteFunc(u.recentGroups(8, ev), func(id int64) bool {
		return slices.Contains(ev.Edited, idKey(KindMeasure, id))
	})
	if len(recent) > 0 {
		id := recent[r.IntN(len(recent))]
		s.deleteMeasure(u, id)
		ev.Deleted = append(ev.Deleted, idKey(KindMeasure, id))
	}
	return *ev
}

// recentGroups returns the ids of the groups of the last days that ev has not touched.
func (u *user) recentGroups(days int, ev *Evolution) []int64 {
	f := &groupFilter{ranged: true, from: u.horizon.AddDate(0, 0, -days).Unix(), to: u.horizon.Unix(), category: 1}
	rows, _ := u.groups.page(f, 0, 1000)
	var ids []int64
	for _, g := range rows {
		if k := g.Key(); !slices.Contains(ev.Added, k) && !slices.Contains(ev.Late, k) {
			ids = append(ids, g.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
