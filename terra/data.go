package terra

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
)

// Bound is one end of the time that data is asked for: a civil day or an
// instant. The zero Bound is not set.
type Bound struct{ text string }

// OnDay returns the beginning of a civil day, as the person has it.
func OnDay(d health.Day) Bound { return Bound{d.String()} }

// AtTime returns an instant, cut to the second. The service reads ten digits:
// instants before September 2001 cannot be asked for.
func AtTime(t time.Time) Bound {
	if t.IsZero() {
		return Bound{}
	}
	return Bound{strconv.FormatInt(t.Unix(), 10)}
}

// String returns the day, or the seconds since the Unix epoch, as they are sent.
func (b Bound) String() string { return b.text }

// IsZero reports whether b is not set.
func (b Bound) IsZero() bool { return b == Bound{} }

func (b Bound) valid() bool {
	return len(b.text) == len("2006-01-02") && b.text[0] != '-' // or ten digits
}

// DataRequest asks for the data of one connection in a span of time.
type DataRequest struct {
	// UserID is the connection. Required.
	UserID string
	// Start and End bound the time asked for; End is exclusive. Required:
	// the service documents different defaults for End.
	Start, End Bound
	// ToWebhook asks for the data at the webhook instead of in the answer. It
	// is always sent, because the service's own default is true.
	ToWebhook bool
	// WithSamples asks for dense samples too. It is always sent.
	WithSamples bool
	// Extra are more parameters of the query, such as retry_if_rate_limited.
	Extra url.Values
}

func (r DataRequest) query(op string) (url.Values, error) {
	switch {
	case r.UserID == "":
		return nil, invalid(op, "a user id is required")
	case !r.Start.valid() || !r.End.valid():
		return nil, invalid(op, "start and end are required, from the day 0001-01-01 or the second 1000000000 on")
	case strings.Contains(r.Start.text, "-") == strings.Contains(r.End.text, "-") && r.End.text <= r.Start.text:
		return nil, invalid(op, "the end is not after the start")
	}
	q := url.Values{
		"user_id": {r.UserID}, "start_date": {r.Start.text}, "end_date": {r.End.text},
		"to_webhook": {strconv.FormatBool(r.ToWebhook)}, "with_samples": {strconv.FormatBool(r.WithSamples)},
	}
	return q, addExtra(op, q, r.Extra)
}

// AthleteRequest asks for the profile of one connection.
type AthleteRequest struct {
	// UserID is the connection. Required.
	UserID string
	// ToWebhook asks for the data at the webhook instead of in the answer. It
	// is always sent.
	ToWebhook bool
	// Extra are more parameters of the query.
	Extra url.Values
}

func (r AthleteRequest) query(op string) (url.Values, error) {
	if r.UserID == "" {
		return nil, invalid(op, "a user id is required")
	}
	q := url.Values{"user_id": {r.UserID}, "to_webhook": {strconv.FormatBool(r.ToWebhook)}}
	return q, addExtra(op, q, r.Extra)
}

// Outcome says what an answer to a request for data is.
type Outcome uint8

// The outcomes.
const (
	// OutcomeData: the data is in the answer. No data means that there is
	// none yet, as just after connecting.
	OutcomeData Outcome = iota
	// OutcomeSent: the data is sent to the webhook.
	OutcomeSent
	// OutcomeLarge: a large request is under way; the webhook gets
	// large_request_processing, large_request_sending and the data in parts.
	OutcomeLarge
	// OutcomeProcessing: the provider is slow; ask again after RetryAfter.
	OutcomeProcessing
	// OutcomeNone: the service says that it has no data.
	OutcomeNone
)

// String returns the name of the outcome in lower case.
func (o Outcome) String() string {
	names := [...]string{"data", "sent", "large", "processing", "none"}
	if int(o) < len(names) {
		return names[o]
	}
	return "unknown"
}

// Answer is an answer to a request for data of type T.
type Answer[T any] struct {
	Outcome Outcome
	// Type is the kind of data in Terra's words, or of the answer.
	Type string
	// User is the connection as Terra knows it.
	User User
	// Data is the data in no particular order.
	Data []T
	// Faults are members of the answer that could not be read.
	Faults []Fault
	// Reference ties what arrives at the webhook to this request.
	Reference string
	// RetryAfter is how long to wait with [OutcomeProcessing]; 0 is not told.
	RetryAfter time.Duration
	// Days are the requested days that the user has left.
	Days DaysLeft
	// Date is the server's Date of the answer; zero if it sent none.
	Date time.Time
	// Raw is the answer as it came. Samples in Data share its memory.
	Raw []byte
}

// DaysLeft is the state of the limit on requested days of one user, which is
// 6000 in an hour. All fields are zero if the answer does not tell it.
type DaysLeft struct {
	Limit, Remaining int64
	// ResetAfter is when the limit is whole again.
	ResetAfter time.Duration
}

const resetHeader = "X-Terra-RateLimit-Reset-After"

func daysLeft(h http.Header) DaysLeft {
	number := func(name string) int64 {
		n, err := strconv.ParseInt(strings.TrimSpace(h.Get(name)), 10, 64)
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	return DaysLeft{
		Limit:      number("X-Terra-RateLimit-Limit"),
		Remaining:  number("X-Terra-RateLimit-Remaining"),
		ResetAfter: time.Duration(min(number(resetHeader), 1<<20)) * time.Second,
	}
}

// Activity returns workouts.
func (c *Client) Activity(ctx context.Context, r DataRequest) (Answer[Activity], error) {
	return readData[Activity](ctx, c, "activity", r)
}

// Body returns body measurements, by day.
func (c *Client) Body(ctx context.Context, r DataRequest) (Answer[Body], error) {
	return readData[Body](ctx, c, "body", r)
}

// Daily returns summaries of days.
func (c *Client) Daily(ctx context.Context, r DataRequest) (Answer[Daily], error) {
	return readData[Daily](ctx, c, "daily", r)
}

// Sleep returns nights and naps.
func (c *Client) Sleep(ctx context.Context, r DataRequest) (Answer[Sleep], error) {
	return readData[Sleep](ctx, c, "sleep", r)
}

// Nutrition returns what was eaten and drunk, by day.
func (c *Client) Nutrition(ctx context.Context, r DataRequest) (Answer[Nutrition], error) {
	return readData[Nutrition](ctx, c, "nutrition", r)
}

// Menstruation returns cycles, by day.
func (c *Client) Menstruation(ctx context.Context, r DataRequest) (Answer[Menstruation], error) {
	return readData[Menstruation](ctx, c, "menstruation", r)
}

// Athlete returns the profile of a person: one element of Data.
func (c *Client) Athlete(ctx context.Context, r AthleteRequest) (Answer[Athlete], error) {
	return readData[Athlete](ctx, c, "athlete", r)
}

// dataAnswer is any answer to a request for data, as in section Data of Terra's
// reference. They are told apart by their members.
type dataAnswer[T any] struct {
	trouble
	User       User   `json:"user"`
	Data       *[]T   `json:"data"`
	Athlete    *T     `json:"athlete"`
	Reference  string `json:"reference"`
	TraceID    string `json:"trace_id"`
	RetryAfter Number `json:"retry_after_seconds"`
}

// readData asks for one type of data. T is a model, or [rawValue].
func readData[T any](ctx context.Context, c *Client, kind string, request interface {
	query(op string) (url.Values, error)
}) (Answer[T], error) {
	op := "read " + kind
	q, err := request.query(op)
	if err != nil {
		return Answer[T]{}, err
	}
	var answer Answer[T]
	_, err = c.do(ctx, call{op: op, path: kind, query: q, user: q.Get("user_id")}, func(r *httpx.Response) error {
		var err error
		answer, err = answerOf[T](c, op, r)
		return err
	})
	if err != nil {
		return Answer[T]{}, err
	}
	return answer, nil
}

// answerOf reads a 2xx answer to a request for data.
func answerOf[T any](c *Client, op string, r *httpx.Response) (Answer[T], error) {
	var w dataAnswer[T]
	faults, err := c.decodeAnswer(op, r, &w)
	if err != nil {
		return Answer[T]{}, err
	}
	a := Answer[T]{
		Type: w.Type, User: w.User, Faults: faults, Reference: w.Reference, Days: daysLeft(r.Header), Date: r.Date, Raw: r.Body,
	}
	if a.Reference == "" {
		a.Reference = w.TraceID
	}
	if n, ok := w.RetryAfter.Int(); ok && n > 0 {
		a.RetryAfter = time.Duration(min(n, 1<<20)) * time.Second
	}
	switch {
	case w.Data != nil && len(*w.Data) > 0:
		a.Data = *w.Data
	case w.Athlete != nil:
		a.Data = []T{*w.Athlete}
	case w.told():
		return Answer[T]{}, c.errorInside(op, r, w.trouble)
	case w.Data != nil:
	case w.Type == "large_request_processing" || w.Type == "request_processing":
		a.Outcome = OutcomeLarge
	case w.Type == "processing":
		a.Outcome = OutcomeProcessing
	case a.Reference != "":
		a.Outcome = OutcomeSent
	case w.Status != "" || w.Message != "" && w.User.UserID != "":
		a.Outcome = OutcomeNone
	default: // an empty list may be null
		if e, err := scanEvent(r.Body, nil); err != nil || string(e.content()) != "[]" {
			return Answer[T]{}, c.unreadable(op, codeShape, r)
		}
	}
	return a, nil
}
