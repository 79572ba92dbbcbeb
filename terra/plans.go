package terra

import (
	"context"
	"net/http"
	"net/url"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// CreateWorkout stores a template and returns its id. It is not repeated when it
// fails.
func (c *Client) CreateWorkout(ctx context.Context, t WorkoutTemplate) (string, error) {
	const op = "create workout"
	if t.Name == "" || t.Sport == "" || len(t.StepBlocks) == 0 {
		return "", invalid(op, "a workout has a name, a sport and steps")
	}
	var w struct {
		trouble
		WorkoutID string `json:"workout_id"`
	}
	_, err := c.do(ctx, call{op: op, method: http.MethodPost, path: "workouts", body: t, once: true}, func(r *httpx.Response) error {
		return c.readResult(op, r, &w, &w.trouble, func() bool { return w.WorkoutID != "" })
	})
	if err != nil {
		return "", err
	}
	return w.WorkoutID, nil
}

// Workouts returns all templates.
func (c *Client) Workouts(ctx context.Context) (list []WorkoutTemplate, err error) {
	const op = "workouts"
	_, err = c.do(ctx, call{op: op, path: "workouts"}, func(r *httpx.Response) error {
		list = nil
		return c.readList(op, r, &list)
	})
	return list, err
}

// Workout returns one template.
func (c *Client) Workout(ctx context.Context, workoutID string) (t WorkoutTemplate, err error) {
	const op = "workout"
	if !pathPart(workoutID) {
		return t, invalid(op, "a workout id is required")
	}
	_, err = c.do(ctx, call{op: op, path: "workouts/" + url.PathEscape(workoutID)}, func(r *httpx.Response) error {
		return c.readOne(op, r, &t, func() bool { return t.Name != "" })
	})
	return t, err
}

// DeleteWorkout deletes a template. If the provider refused some of the
// deletions, the template stays and the error has the code [CodePartial]: call
// again.
func (c *Client) DeleteWorkout(ctx context.Context, workoutID string) error {
	const op = "delete workout"
	if !pathPart(workoutID) {
		return invalid(op, "a workout id is required")
	}
	k := call{op: op, method: http.MethodDelete, path: "workouts/" + url.PathEscape(workoutID), removes: true}
	_, err := c.do(ctx, k, func(r *httpx.Response) error {
		if r.Status == http.StatusMultiStatus {
			return &providers.Error{
				Provider: Name, Op: op, Kind: providers.ErrUnavailable, Code: CodePartial, Status: r.Status,
				RequestID: requestID(r), Detail: detailPartial,
			}
		}
		return c.noBody(op)(r)
	})
	return err
}

// PlanRequest plans a template for a person.
type PlanRequest struct {
	// PlannedDate is required.
	PlannedDate health.Day
	// Metrics are what relative targets of the template refer to.
	Metrics AthleteMetrics
}

// Planned is a workout that was planned for a person.
type Planned struct {
	PlannedWorkoutID  string `json:"planned_workout_id"`
	ProviderWorkoutID string `json:"provider_workout_id"`
	// CoercionWarnings says what the provider could not take as it was.
	CoercionWarnings string `json:"coercion_warnings"`
}

// PlanWorkout plans a template for a connection. It is not repeated when it
// fails.
func (c *Client) PlanWorkout(ctx context.Context, workoutID, userID string, p PlanRequest) (Planned, error) {
	const op = "plan workout"
	if !pathPart(workoutID) || userID == "" || p.PlannedDate.IsZero() {
		return Planned{}, invalid(op, "a workout id, a user id and a date are required")
	}
	body := struct {
		PlannedDate health.Day `json:"planned_date"`
		AthleteMetrics
	}{p.PlannedDate, p.Metrics}
	var w struct {
		trouble
		Planned
	}
	k := call{
		op: op, method: http.MethodPost, path: "workouts/" + url.PathEscape(workoutID) + "/plan",
		query: url.Values{"user_id": {userID}}, body: body, once: true,
	}
	_, err := c.do(ctx, k, func(r *httpx.Response) error {
		return c.readResult(op, r, &w, &w.trouble, func() bool { return w.PlannedWorkoutID != "" })
	})
	if err != nil {
		return Planned{}, err
	}
	return w.Planned, nil
}

// PlannedWorkoutsRequest asks for planned workouts.
type PlannedWorkoutsRequest struct {
	// UserID is the connection. Required.
	UserID string
	// Start and End bound the days; both are inclusive here. Both unset means
	// the last 30 days.
	Start, End health.Day
	// Extra are more parameters of the query.
	Extra url.Values
}

// PlannedWorkouts returns the planned workouts of a connection.
func (c *Client) PlannedWorkouts(ctx context.Context, r PlannedWorkoutsRequest) (list []PlannedWorkout, err error) {
	const op = "planned workouts"
	if r.UserID == "" {
		return nil, invalid(op, "a user id is required")
	}
	q := url.Values{"user_id": {r.UserID}}
	if !r.Start.IsZero() {
		q.Set("start_date", r.Start.String())
	}
	if !r.End.IsZero() {
		q.Set("end_date", r.End.String())
	}
	if err := addExtra(op, q, r.Extra); err != nil {
		return nil, err
	}
	_, err = c.do(ctx, call{op: op, path: "plannedWorkouts", query: q}, func(r *httpx.Response) error {
		list = nil
		return c.readList(op, r, &list)
	})
	return list, err
}

// PlannedWorkout returns one planned workout of a connection.
func (c *Client) PlannedWorkout(ctx context.Context, userID, plannedWorkoutID string) (w PlannedWorkout, err error) {
	const op = "planned workout"
	k, err := plannedCall(op, http.MethodGet, userID, plannedWorkoutID)
	if err != nil {
		return w, err
	}
	_, err = c.do(ctx, k, func(r *httpx.Response) error {
		return c.readOne(op, r, &w, func() bool { return w.PlannedWorkoutID != "" })
	})
	return w, err
}

// MovePlannedWorkout moves a planned workout to another day. It is not repeated
// when it fails.
func (c *Client) MovePlannedWorkout(ctx context.Context, userID, plannedWorkoutID string, to health.Day) error {
	const op = "move planned workout"
	k, err := plannedCall(op, http.MethodPatch, userID, plannedWorkoutID)
	if err != nil {
		return err
	}
	if to.IsZero() {
		return invalid(op, "a date is required")
	}
	k.body, k.once = map[string]string{"planned_date": to.String()}, true
	_, err = c.do(ctx, k, c.noBody(op))
	return err
}

// DeletePlannedWorkout deletes a planned workout.
func (c *Client) DeletePlannedWorkout(ctx context.Context, userID, plannedWorkoutID string) error {
	const op = "delete planned workout"
	k, err := plannedCall(op, http.MethodDelete, userID, plannedWorkoutID)
	if err != nil {
		return err
	}
	k.removes = true
	_, err = c.do(ctx, k, c.noBody(op))
	return err
}

func plannedCall(op, method, userID, plannedWorkoutID string) (call, error) {
	if userID == "" || !pathPart(plannedWorkoutID) {
		return call{}, invalid(op, "a user id and a planned workout id are required")
	}
	path := "plannedWorkouts/" + url.PathEscape(plannedWorkoutID)
	return call{op: op, method: method, path: path, query: url.Values{"user_id": {userID}}}, nil
}

// readList reads an answer that is an array into the slice that list points to.
func (c *Client) readList(op string, r *httpx.Response, list any) error {
	if !isArray(r.Body) {
		var said trouble
		return c.readResult(op, r, &said, &said, func() bool { return false })
	}
	_, err := c.decodeAnswer(op, r, list)
	return err
}

// readOne reads an answer that is one object into v.
func (c *Client) readOne(op string, r *httpx.Response, v any, complete func() bool) error {
	if _, err := c.decodeAnswer(op, r, v); err != nil {
		return err
	}
	if complete() {
		return nil
	}
	var said trouble
	return c.readResult(op, r, &said, &said, func() bool { return false })
}
