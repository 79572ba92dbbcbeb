package terra

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
)

// The calls of this file are of a product of its own, which Terra calls models:
// Terra, "Models". What they say is about well-being and no diagnosis.

// AnalysisModel is a model that can be run.
type AnalysisModel struct {
	// ID is what runs it: "sleep_window", "cycle_phase_tracker", "graph_impute",
	// or another one.
	ID          string
	Name        string
	Description string
	// DataType is the kind of data that it reads.
	DataType string
}

// AnalysisModels lists the models that can be run. The shape of the answer is
// not documented: a list, by itself or named "models" or "data", is read, and
// the id of a model as "id" or "model".
func (c *Client) AnalysisModels(ctx context.Context) ([]AnalysisModel, error) {
	const op = "models"
	type model struct {
		ID          string `json:"id"`
		Model       string `json:"model"`
		Name        string `json:"name"`
		Description string `json:"description"`
		DataType    string `json:"data_type"`
	}
	var list []AnalysisModel
	_, err := c.do(ctx, call{op: op, path: "models"}, func(r *httpx.Response) error {
		var found []model
		if isArray(r.Body) {
			if _, err := c.decodeAnswer(op, r, &found); err != nil {
				return err
			}
		} else {
			var w struct {
				trouble
				Models *[]model `json:"models"`
				Data   *[]model `json:"data"`
			}
			if err := c.readResult(op, r, &w, &w.trouble, func() bool { return w.Models != nil || w.Data != nil }); err != nil {
				return err
			}
			if found = nil; w.Models != nil {
				found = *w.Models
			} else {
				found = *w.Data
			}
		}
		list = make([]AnalysisModel, 0, len(found))
		for _, m := range found {
			if m.ID == "" {
				m.ID = m.Model
			}
			if m.ID == "" {
				return c.unreadable(op, codeShape, r)
			}
			list = append(list, AnalysisModel{m.ID, m.Name, m.Description, m.DataType})
		}
		return nil
	})
	return list, err
}

// AnalysisRequest asks for one run of a model over the data of one connection.
type AnalysisRequest struct {
	// Model is the id of the model, UserID the connection. Required.
	Model, UserID string
	// Start and End bound the data. Required, although sleep_window reads all
	// there is.
	Start, End time.Time
	// Table is what graph_impute, which requires it, works on: "sleeps",
	// "dailies" or "activities".
	Table string
	// Extra are more parameters of the query.
	Extra url.Values
}

// Analysis is what a run of a model returned.
type Analysis struct {
	DataType string
	// Unsupported says that the provider or the device of the connection cannot
	// give what the model needs, NoData that there is too little of it. There is
	// no insight then.
	Unsupported, NoData             bool
	UnsupportedReason, NoDataReason string
	// Truncated says that there was more data than one run reads.
	Truncated bool
	// Raw is the whole answer. Its shape is that of the model, and changes.
	Raw []byte
}

// authorizeOnce adds the credentials of the environment to a GET that net/http is
// not to repeat by itself: it does when a connection that was used before breaks,
// unless there is a body that it cannot read again. This one is empty.
func (c *Client) authorizeOnce(r *http.Request) error {
	r.Body = io.NopCloser(strings.NewReader(""))
	return c.authorize(r)
}

// RunAnalysis runs a model. Each run is billed, also one that fails or has no
// insight, and so it is not repeated when it fails.
func (c *Client) RunAnalysis(ctx context.Context, r AnalysisRequest) (Analysis, error) {
	const op = "run model"
	if r.Model == "" || r.UserID == "" || r.Start.IsZero() || !r.Start.Before(r.End) {
		return Analysis{}, invalid(op, "a model, a user id and a start before the end are required")
	}
	q := url.Values{
		"model": {r.Model}, "user_id": {r.UserID},
		"start_time": {r.Start.UTC().Format(time.RFC3339)}, "end_time": {r.End.UTC().Format(time.RFC3339)},
	}
	if r.Table != "" {
		q.Set("table", r.Table)
	}
	if err := addExtra(op, q, r.Extra); err != nil {
		return Analysis{}, err
	}
	var a Analysis
	k := call{op: op, path: "models/run", query: q, user: r.UserID, once: true, authorize: c.authorizeOnce}
	_, err := c.do(ctx, k, func(r *httpx.Response) error {
		var w struct {
			trouble
			DataType          string `json:"data_type"`
			Unsupported       *bool  `json:"unsupported"`
			UnsupportedReason string `json:"unsupported_reason"`
			NoData            *bool  `json:"no_data"`
			NoDataReason      string `json:"no_data_reason"`
			Truncated         *bool  `json:"truncated"`
		}
		// What an insight looks like is the model's: all that is no error is one.
		if err := c.readResult(op, r, &w, &w.trouble, func() bool { return !w.told() }); err != nil {
			return err
		}
		is := func(b *bool) bool { return b != nil && *b }
		a = Analysis{
			DataType: w.DataType, Unsupported: is(w.Unsupported), UnsupportedReason: w.UnsupportedReason, NoData: is(w.NoData),
			NoDataReason: w.NoDataReason, Truncated: is(w.Truncated), Raw: r.Body,
		}
		return nil
	})
	return a, err
}
