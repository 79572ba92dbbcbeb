package terratest

import (
	"slices"
	"time"
)

// ModelRun is one run of a model, which the service bills also if it fails.
type ModelRun struct {
	Model, UserID string
	Status        int // of the answer
}

// ModelRuns returns the runs of models, oldest first.
func (s *Server) ModelRuns() []ModelRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.runs)
}

func (s *Server) listModels(*call) reply {
	return ok(object{"models": []object{
		{"id": "sleep_window", "name": "Sleep Window", "description": "A sleep schedule", "data_type": "sleep"},
		{"id": "cycle_phase_tracker", "name": "Menstrual Cycle Tracker", "description": "Phases of the cycle", "data_type": "sleep"},
		{"id": "graph_impute", "name": "Smart Fill", "description": "Values that a device has not recorded", "data_type": "daily"},
	}})
}

func (s *Server) runModel(c *call) reply {
	p := s.insight(c)
	s.runs = append(s.runs, ModelRun{c.query.Get("model"), c.query.Get("user_id"), p.status})
	return p
}

// insight is what a model says: next to nothing, in the documented members.
func (s *Server) insight(c *call) reply {
	var span [2]time.Time
	for i, name := range []string{"start_time", "end_time"} {
		at, err := time.Parse(time.RFC3339, c.query.Get(name))
		if err != nil {
			return invalid(name)
		}
		span[i] = at
	}
	if !span[0].Before(span[1]) {
		return invalid("end_time")
	}
	u := s.byID[c.query.Get("user_id")]
	if u == nil || u.state != StateActive {
		return notFound("invalid user id")
	}
	model, table := c.query.Get("model"), c.query.Get("table")
	night := slices.Contains(u.world.habit.kinds, KindSleep)
	switch {
	case model == "sleep_window" && !night:
		return ok(object{"data_type": "sleep_window", "unsupported": true, "unsupported_reason": "no sleep data", "supported_devices": []string{"OURA"}})
	case model == "sleep_window":
		return ok(object{
			"data_type": "sleep_window", "window": object{"recommended_bed": "23:00", "recommended_wake": "07:00", "approximate": false},
			"sleep_regularity": object{"score": 71, "band": "Good"},
		})
	case model == "cycle_phase_tracker" && !night:
		return ok(object{"data_type": model, "no_data": true, "no_data_reason": "no sleep data", "results": []object{}, "periods": []object{}, "fertile_windows": []object{}})
	case model == "cycle_phase_tracker":
		return ok(object{"data_type": model, "results": []object{}, "periods": []object{}, "fertile_windows": []object{}})
	case model == "graph_impute" && !slices.Contains([]string{"sleeps", "dailies", "activities"}, table):
		return invalid("table")
	case model == "graph_impute":
		return ok(object{"data_type": model, "table": table, "features": []string{}, "results": []object{}})
	}
	return badRequest("unknown model")
}
