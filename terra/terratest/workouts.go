package terratest

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// template is a workout of the surface of 2026.
type template struct {
	id   int
	body object
}

// plannedWorkout is a workout in a person's calendar, of either surface.
type plannedWorkout struct {
	id, provider, warnings string
	template               string
	user                   *user
	date                   string
	metrics, details       object
	created, updated       time.Time
	old                    object // as it was posted to /plannedWorkout, with metadata.id set; nil otherwise
}

func (p *plannedWorkout) json() object {
	return object{
		"planned_workout_id": p.id, "workout_id": textOrNull(p.template), "planned_date": p.date, "provider_workout_id": p.provider,
		"coercion_warnings": textOrNull(p.warnings), "created_at": timeOrNull(p.created), "last_updated_at": timeOrNull(p.updated), "is_external": p.template == "",
		"athlete_metrics": p.metrics, "details": p.details,
	}
}

// targets are the providers that take planned workouts.
func targets() []string {
	return []string{"DUMMY", "GARMIN", "COROS", "WAHOO", "SUUNTO", "TRAININGPEAKS", "HUAWEI", "ZEPP", "HEVY", "APPLE"}
}

// planner finds the user of a planned-workout request and checks that the provider takes them.
func (s *Server) planner(c *call) (*user, *reply) {
	u, refused := s.subject(c, "")
	if refused == nil && !slices.Contains(targets(), u.provider) {
		p := badRequest("connection does not support planned workouts")
		refused = &p
	}
	return u, refused
}

func (s *Server) samplePlan(u *user) *plannedWorkout {
	date := dayText(u.world.today() + 2)
	return &plannedWorkout{
		id: s.uuid(), provider: s.secret(6), user: u, date: date, created: s.now(), updated: s.now(), metrics: object{"ftp": 250, "max_heart_rate": 187},
		details: object{
			"metadata": object{"id": "1", "provider": u.provider, "name": "Intervals", "type": 8, "planned_date": date, "estimated_duration_seconds": 3600},
			"steps": []object{{
				"order": 0, "name": "Warm up", "intensity": 1, "type": 0, "durations": []object{{"duration_type": 0, "seconds": 600}},
				"targets": []object{{"target_type": 1, "hr_bpm_low": 110, "hr_bpm_high": 130}},
			}},
		},
	}
}

// The old surface.

func (s *Server) postPlannedWorkout(c *call) reply {
	u, refused := s.planner(c)
	if refused != nil {
		return *refused
	}
	var body struct {
		Data []object `json:"data"`
	}
	if refused := c.decode(&body, false); refused != nil {
		return *refused
	}
	if len(body.Data) == 0 {
		return badRequest("data is required")
	}
	for _, w := range body.Data {
		meta, _ := w["metadata"].(object)
		date, _ := meta["planned_date"].(string)
		if _, _, good := parseBound(date[:min(len(date), 10)]); !good || w["steps"] == nil {
			return badRequest("metadata.planned_date and steps are required")
		}
	}
	ids := []string{}
	for _, w := range body.Data {
		meta := w["metadata"].(object)
		p := &plannedWorkout{id: s.uuid(), provider: s.secret(6), user: u, date: meta["planned_date"].(string)[:10], created: c.now, updated: c.now, old: w}
		meta["id"], meta["provider"] = p.id, u.provider
		p.details = w
		s.planned = append(s.planned, p)
		ids = append(ids, p.id)
	}
	return reply{status: http.StatusCreated, body: object{"user": u.json(), "log_ids": ids, "message": "workouts planned"}}
}

// plansOf are a user's planned workouts from one day to another, the last one included.
func (s *Server) plansOf(u *user, from, to int) (list []*plannedWorkout) {
	for _, p := range s.planned {
		if p.user.world == u.world && p.date >= dayText(from) && p.date <= dayText(to) {
			list = append(list, p)
		}
	}
	return list
}

func (s *Server) getPlannedWorkout(c *call) reply {
	u, refused := s.planner(c)
	if refused != nil {
		return *refused
	}
	span, refused := c.period()
	if refused != nil {
		return *refused
	}
	push, refused := s.wantsWebhook(c)
	if refused != nil {
		return *refused
	}
	data := []object{}
	for _, p := range s.plansOf(u, span.from, span.to-1) {
		if p.old != nil {
			data = append(data, p.old)
		}
	}
	ev := about("planned_workout", u)
	ev["data"] = data
	if !push {
		return ok(ev)
	}
	ev["version"] = DataVersion
	reference := s.uuid()
	s.emit(emission{kind: "planned_workout", user: u, body: ev, reference: reference, trace: reference})
	return reply{status: http.StatusOK, header: map[string]string{"terra-reference": reference}, body: object{
		"status": "success", "type": "planned_workout", "reference": reference, "trace_id": reference, "user": u.json(),
	}}
}

func (s *Server) deletePlannedWorkout(c *call) reply {
	u, refused := s.planner(c)
	if refused != nil {
		return *refused
	}
	var body struct {
		Data []string `json:"data"`
	}
	if refused := c.decode(&body, false); refused != nil {
		return *refused
	}
	if len(body.Data) == 0 {
		return badRequest("data is required")
	}
	return processed(u, body.Data, func(id string) bool {
		before := len(s.planned)
		s.planned = slices.DeleteFunc(s.planned, func(p *plannedWorkout) bool { return p.id == id && p.user.world == u.world })
		return len(s.planned) < before
	})
}

// The surface of 2026.

func (s *Server) postTemplate(c *call) reply {
	var body object
	if refused := c.decode(&body, false); refused != nil {
		return *refused
	}
	name, _ := body["name"].(string)
	sport, _ := body["sport"].(string)
	blocks, _ := body["step_blocks"].([]any)
	sports := []string{
		"running", "cycling", "swimming", "strength", "rowing", "yoga", "pilates", "cardio", "trail_running", "mountain_biking", "backcountry_skiing", "hiking",
		"walking", "elliptical", "stair_climbing",
	}
	switch {
	case name == "":
		return badRequest("name is required")
	case !slices.Contains(sports, sport):
		return invalid("sport")
	case len(blocks) == 0:
		return badRequest("step_blocks is required")
	}
	id := 1
	if n := len(s.templates); n > 0 {
		id = s.templates[n-1].id + 1
	}
	body["workout_id"] = strconv.Itoa(id)
	s.templates = append(s.templates, &template{id, body})
	return ok(object{"status": "success", "workout_id": strconv.Itoa(id)})
}

func (s *Server) listTemplates(*call) reply {
	list := []object{}
	for _, t := range s.templates {
		list = append(list, t.body)
	}
	return ok(list)
}

func (s *Server) template(c *call) (*template, *reply) {
	id, err := strconv.Atoi(c.vars[0])
	for _, t := range s.templates {
		if err == nil && t.id == id {
			return t, nil
		}
	}
	p := notFound("workout not found")
	return nil, &p
}

func (s *Server) getTemplate(c *call) reply {
	t, refused := s.template(c)
	if refused != nil {
		return *refused
	}
	return ok(t.body)
}

func (s *Server) deleteTemplate(c *call) reply {
	t, refused := s.template(c)
	if refused != nil {
		return *refused
	}
	id := strconv.Itoa(t.id)
	for _, p := range s.planned {
		if p.template == id && p.user.state == StateRevoked {
			return reply{status: http.StatusMultiStatus, body: object{"message": "some deletions at providers failed, call again"}}
		}
	}
	s.planned = slices.DeleteFunc(s.planned, func(p *plannedWorkout) bool { return p.template == id })
	s.templates = slices.DeleteFunc(s.templates, func(other *template) bool { return other == t })
	return reply{status: http.StatusNoContent}
}

// planDate is the body of the requests that put a workout on a day.
type planDate struct {
	Date      string   `json:"planned_date"`
	FTP       *float64 `json:"ftp"`
	MaxHeart  *float64 `json:"max_heart_rate"`
	Threshold *float64 `json:"threshold_heart_rate"`
	Speed     *float64 `json:"threshold_speed"`
	Pool      *float64 `json:"pool_length_meters"`
}

func (c *call) planDate() (d planDate, refused *reply) {
	if refused := c.decode(&d, false); refused != nil {
		return d, refused
	}
	if _, err := time.Parse(time.DateOnly, d.Date); err != nil {
		p := invalid("planned_date")
		return d, &p
	}
	return d, nil
}

func (s *Server) planTemplate(c *call) reply {
	t, refused := s.template(c)
	if refused != nil {
		return *refused
	}
	u, refused := s.planner(c)
	if refused != nil {
		return *refused
	}
	d, refused := c.planDate()
	if refused != nil {
		return *refused
	}
	p := &plannedWorkout{
		id: s.uuid(), provider: s.secret(6), template: strconv.Itoa(t.id), user: u, date: d.Date, created: c.now, updated: c.now,
		metrics: object{"ftp": d.FTP, "max_heart_rate": d.MaxHeart, "threshold_heart_rate": d.Threshold, "threshold_speed": d.Speed, "pool_length_meters": d.Pool},
		details: object{"metadata": object{"name": t.body["name"], "provider": u.provider, "planned_date": d.Date}, "steps": []object{}},
	}
	s.planned = append(s.planned, p)
	return reply{status: http.StatusCreated, body: object{
		"status": "success", "planned_workout_id": p.id, "provider_workout_id": p.provider, "coercion_warnings": nil,
	}}
}

func (s *Server) listPlanned(c *call) reply {
	u, refused := s.planner(c)
	if refused != nil {
		return *refused
	}
	today := civil(c.now)
	from, to := today-30, today+365
	for name, bound := range map[string]*int{"start_date": &from, "end_date": &to} {
		if text := c.query.Get(name); text != "" {
			day, _, good := parseBound(text)
			if !good {
				return invalid(name)
			}
			*bound = day
		}
	}
	if !c.query.Has("start_date") && !c.query.Has("end_date") {
		to = today
	}
	list := []object{}
	for _, p := range s.plansOf(u, from, to) {
		list = append(list, p.json())
	}
	return ok(list)
}

func (s *Server) plan(c *call) (*plannedWorkout, *reply) {
	u, refused := s.planner(c)
	if refused != nil {
		return nil, refused
	}
	for _, p := range s.planned {
		if p.id == c.vars[0] && p.user.world == u.world {
			return p, nil
		}
	}
	p := notFound("planned workout not found")
	return nil, &p
}

func (s *Server) getPlanned(c *call) reply {
	p, refused := s.plan(c)
	if refused != nil {
		return *refused
	}
	return ok(p.json())
}

func (s *Server) patchPlanned(c *call) reply {
	p, refused := s.plan(c)
	if refused != nil {
		return *refused
	}
	d, refused := c.planDate()
	if refused != nil {
		return *refused
	}
	p.date, p.updated = d.Date, c.now
	return ok(p.json())
}

func (s *Server) deletePlanned(c *call) reply {
	p, refused := s.plan(c)
	if refused != nil {
		return *refused
	}
	s.planned = slices.DeleteFunc(s.planned, func(other *plannedWorkout) bool { return other == p })
	return reply{status: http.StatusNoContent}
}
