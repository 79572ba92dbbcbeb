package terra

import (
	"context"
	"net/http"
	"net/url"

	"github.com/vitalmux/vitalmux/internal/httpx"
)

// The calls of this file write to providers. They are in the specification of
// 2022, and all but those of planned workouts are gone from the newest one: an
// answer 404, 405 or 410 means that they have ended for the account. None is
// repeated when it fails, except deletions.

// Written is the answer to a call that wrote data.
type Written struct {
	User User `json:"user"`
	// LogIDs are the ids of what was written, in the order it was given.
	LogIDs []string `json:"log_ids"`
}

// Processed is what became of one datum that was to be deleted.
type Processed struct {
	ID string `json:"id"`
	// ResponseCode is an HTTP status.
	ResponseCode Number `json:"response_code"`
}

// WriteActivity writes workouts. The documentation names Wahoo.
func (c *Client) WriteActivity(ctx context.Context, userID string, list []Activity) (Written, error) {
	return writeData(ctx, c, "activity", userID, list)
}

// WriteBody writes body measurements.
func (c *Client) WriteBody(ctx context.Context, userID string, list []Body) (Written, error) {
	return writeData(ctx, c, "body", userID, list)
}

// WriteNutrition writes meals and drinks.
func (c *Client) WriteNutrition(ctx context.Context, userID string, list []Nutrition) (Written, error) {
	return writeData(ctx, c, "nutrition", userID, list)
}

// WritePlannedWorkouts writes planned workouts by the older surface. See
// [Client.PlanWorkout] for its successor.
func (c *Client) WritePlannedWorkouts(ctx context.Context, userID string, list []LegacyPlannedWorkout) (Written, error) {
	return writeData(ctx, c, "plannedWorkout", userID, list)
}

// DeleteBody deletes what [Client.WriteBody] wrote. Look at each result: some may
// have failed.
func (c *Client) DeleteBody(ctx context.Context, userID string, logIDs []string) ([]Processed, error) {
	return c.deleteData(ctx, "body", "log_ids", userID, logIDs)
}

// DeleteNutrition deletes what [Client.WriteNutrition] wrote, as
// [Client.DeleteBody] does.
func (c *Client) DeleteNutrition(ctx context.Context, userID string, ids []string) ([]Processed, error) {
	return c.deleteData(ctx, "nutrition", "data", userID, ids)
}

// DeleteLegacyPlannedWorkouts deletes planned workouts by the older surface, as
// [Client.DeleteBody] does.
func (c *Client) DeleteLegacyPlannedWorkouts(ctx context.Context, userID string, ids []string) ([]Processed, error) {
	return c.deleteData(ctx, "plannedWorkout", "data", userID, ids)
}

// LegacyPlannedWorkouts returns planned workouts by the older surface.
func (c *Client) LegacyPlannedWorkouts(ctx context.Context, r DataRequest) (Answer[LegacyPlannedWorkout], error) {
	return readData[LegacyPlannedWorkout](ctx, c, "plannedWorkout", withoutSamples{r})
}

// withoutSamples is a request for a type of data that has no samples.
type withoutSamples struct{ DataRequest }

func (r withoutSamples) query(op string) (url.Values, error) {
	q, err := r.DataRequest.query(op)
	q.Del("with_samples")
	return q, err
}

func writeData[T any](ctx context.Context, c *Client, kind, userID string, list []T) (Written, error) {
	op := "write " + kind
	if userID == "" || len(list) == 0 {
		return Written{}, invalid(op, "a user id and data are required")
	}
	var w struct {
		trouble
		Written
	}
	k := call{
		op: op, method: http.MethodPost, path: kind, query: url.Values{"user_id": {userID}},
		body: map[string][]T{"data": list}, once: true,
	}
	_, err := c.do(ctx, k, func(r *httpx.Response) error {
		return c.readResult(op, r, &w, &w.trouble, func() bool { return w.LogIDs != nil || r.Status == http.StatusCreated })
	})
	if err != nil {
		return Written{}, err
	}
	return w.Written, nil
}

func (c *Client) deleteData(ctx context.Context, kind, member, userID string, ids []string) ([]Processed, error) {
	op := "delete " + kind
	if userID == "" || len(ids) == 0 {
		return nil, invalid(op, "a user id and ids are required")
	}
	var list []Processed
	k := call{
		op: op, method: http.MethodDelete, path: kind, query: url.Values{"user_id": {userID}}, body: map[string][]string{member: ids},
	}
	_, err := c.do(ctx, k, func(r *httpx.Response) error {
		var w struct {
			trouble
			ProcessedData *[]Processed `json:"processed_data"`
		}
		err := c.readResult(op, r, &w, &w.trouble, func() bool { return w.ProcessedData != nil })
		if err == nil {
			list = *w.ProcessedData
		}
		return err
	})
	return list, err
}
