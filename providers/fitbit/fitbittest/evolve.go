package fitbittest

import (
	"slices"
	"time"
)

// CatchUp makes the days of a person up to today, as the tracker syncs them, and queues the notifications. After the
// service has ended the days still come, for who asks [Server.Days].
func (s *Server) CatchUp(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustPerson(id)
	return s.grow(p, dayNumber(s.cfg.Now().In(p.zone)))
}

// AdvanceDay makes the next day of a person, also one after today: see [PersonConfig].HoldBack.
func (s *Server) AdvanceDay(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustPerson(id)
	return s.grow(p, p.next)[0]
}

func (s *Server) grow(p *person, last int) []string {
	var dates []string
	for _, n := range p.publish(last) {
		date := dayText(n)
		dates = append(dates, date)
		s.news(p.id, date)
	}
	return dates
}

func (s *Server) news(id, date string) {
	for _, collection := range []string{"activities", "body", "foods", "sleep"} {
		s.notify(id, collection, date)
	}
}

// EditDay changes a day. It panics if the person has no such day.
func (s *Server) EditDay(id, date string, edit func(*Day)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustPerson(id)
	t, err := time.Parse(time.DateOnly, date)
	if err != nil || p.days[dayNumber(t)] == nil {
		panic("fitbittest: there is no day " + date)
	}
	edit(p.days[dayNumber(t)])
	s.notify(id, "activities", date)
}

// EditSleep changes a sleep log. It panics if there is none of that id.
func (s *Server) EditSleep(id string, logID int64, edit func(*Sleep)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustPerson(id)
	at := slices.IndexFunc(p.sleeps, func(sl *Sleep) bool { return sl.LogID == logID })
	if at < 0 {
		panic("fitbittest: there is no such sleep")
	}
	edit(p.sleeps[at])
	s.notify(id, "sleep", p.sleeps[at].DateOfSleep)
}

// DeleteSleep removes a sleep log: it is missing from then on, and nothing tells that it was there.
func (s *Server) DeleteSleep(id string, logID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustPerson(id)
	p.sleeps = slices.DeleteFunc(p.sleeps, func(sl *Sleep) bool {
		if sl.LogID == logID {
			s.notify(id, "sleep", sl.DateOfSleep)
		}
		return sl.LogID == logID
	})
}

// EditWorkout changes an entry of the activity log. It panics if there is none of that id.
func (s *Server) EditWorkout(id string, logID int64, edit func(*Workout)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustPerson(id)
	at := slices.IndexFunc(p.workouts, func(w *Workout) bool { return w.LogID == logID })
	if at < 0 {
		panic("fitbittest: there is no such workout")
	}
	edit(p.workouts[at])
	p.workouts[at].Modified = s.cfg.Now().UTC()
	s.notify(id, "activities", p.workouts[at].Start.Format(time.DateOnly))
}

// DeleteWorkout removes an entry of the activity log.
func (s *Server) DeleteWorkout(id string, logID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustPerson(id)
	p.workouts = slices.DeleteFunc(p.workouts, func(w *Workout) bool {
		if w.LogID == logID {
			s.notify(id, "activities", w.Start.Format(time.DateOnly))
		}
		return w.LogID == logID
	})
}

// AddWorkout adds an entry to the activity log and returns its id; the id of w is not used.
func (s *Server) AddWorkout(id string, w Workout) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustPerson(id)
	p.added++
	w.LogID = p.logID(p.next, 0) + 1_000_000_000 + p.added
	w.Start = w.Start.In(p.zone)
	w.Modified = s.cfg.Now().UTC()
	p.workouts = append(p.workouts, &w)
	s.notify(id, "activities", w.Start.Format(time.DateOnly))
	return w.LogID
}

// AddWeighing adds an entry to the weight and fat logs.
func (s *Server) AddWeighing(id string, w Weighing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustPerson(id)
	p.weighings = append(p.weighings, &w)
	slices.SortStableFunc(p.weighings, func(a, b *Weighing) int {
		switch {
		case a.Date+a.Time < b.Date+b.Time:
			return -1
		case a.Date+a.Time > b.Date+b.Time:
			return 1
		}
		return 0
	})
	s.notify(id, "body", w.Date)
}

// LateSync changes the last days of a person as a tracker does that was out of reach: all of them have more steps than
// before. It returns their dates.
func (s *Server) LateSync(id string, days int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustPerson(id)
	var dates []string
	for n := max(p.first, p.next-days); n < p.next; n++ {
		d := p.days[n]
		d.Steps += 137
		d.Distance = round(d.Distance+0.1, 5)
		dates = append(dates, d.Date)
		s.news(id, d.Date)
	}
	return dates
}
