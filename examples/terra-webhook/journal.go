package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/vitalmux/vitalmux/terra"
)

// journal is a table of this service, in the file that vitalmux keeps its own
// tables in: what arrived at the webhook, one row per delivery, and nothing of
// what it says about the person. The page reads it, and the views of vitalmux.
type journal struct{ db *sql.DB }

// openJournal opens the file, which vitalmux has made before.
func openJournal(ctx context.Context, path string) (*journal, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: "_pragma=busy_timeout(10000)&_txlock=immediate"}
	db, err := sql.Open("sqlite", address.String())
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS arrived(
		id       TEXT PRIMARY KEY, -- of the delivery: one that is sent again is one row
		at       TEXT NOT NULL,
		event    TEXT NOT NULL,    -- in Terra's words
		upstream TEXT NOT NULL,    -- the provider behind Terra
		person   TEXT NOT NULL,    -- the Terra user
		data     INTEGER NOT NULL  -- how many data it brings
	)`)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return &journal{db}, nil
}

func (j *journal) close() error { return j.db.Close() }

// maxNoted is up to which length a delivery is looked into.
const maxNoted = 1 << 20

// record returns a handler that notes the deliveries that next takes. The note
// is made before Terra gets the answer: if it fails, or the process ends, Terra
// sends the delivery again, which next recognises.
func (j *journal) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/webhooks/") {
			next.ServeHTTP(w, r)
			return
		}
		seen := &glance{ReadCloser: r.Body}
		r.Body = seen
		held := &heldAnswer{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(held, r)
		if held.status/100 == 2 {
			if err := j.note(r.Context(), r.Header.Get(terra.SignatureHeader), seen.kept.Bytes()); err != nil {
				http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
				return
			}
		}
		w.WriteHeader(held.status)
		_, _ = w.Write(held.body.Bytes())
	})
}

// note notes a delivery that was verified and stored.
func (j *journal) note(ctx context.Context, signature string, body []byte) error {
	var event struct {
		Type string
		User struct {
			ID       string `json:"user_id"`
			Provider string
		}
		Data    []json.RawMessage
		Athlete json.RawMessage
	}
	if err := json.Unmarshal(body, &event); err != nil || event.Type == "" {
		event.Type = "unreadable"
		if len(body) == maxNoted {
			event.Type = "longer than 1 MiB"
		}
	}
	if len(event.Athlete) > 0 {
		event.Data = append(event.Data, event.Athlete)
	}
	id := sha256.Sum256(append([]byte(signature+"\n"), body...))
	_, err := j.db.ExecContext(ctx, `INSERT OR IGNORE INTO arrived VALUES(?, ?, ?, ?, ?, ?)`,
		hex.EncodeToString(id[:]), time.Now().UTC().Format(time.RFC3339), event.Type, event.User.Provider, event.User.ID, len(event.Data))
	return err
}

// glance keeps the beginning of a body that is read.
type glance struct {
	io.ReadCloser
	kept bytes.Buffer
}

func (g *glance) Read(p []byte) (int, error) {
	n, err := g.ReadCloser.Read(p)
	g.kept.Write(p[:min(n, maxNoted-g.kept.Len())])
	return n, err
}

// heldAnswer holds an answer back. The headers go through.
type heldAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) WriteHeader(status int)      { a.status = status }
func (a *heldAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }
func (a *heldAnswer) FlushError() error           { return nil }
func (a *heldAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// arrival is a row of the journal.
type arrival struct {
	At, Event, Upstream, Person string
	Data                        int
}

// arrivals returns the last deliveries, in the order in which they arrived.
func (j *journal) arrivals(ctx context.Context, limit int) ([]arrival, error) {
	list, err := query(ctx, j.db, func(rows *sql.Rows) (a arrival, err error) {
		return a, rows.Scan(&a.At, &a.Event, &a.Upstream, &a.Person, &a.Data)
	}, `SELECT at, event, upstream, person, data FROM arrived ORDER BY rowid DESC LIMIT ?`, limit)
	slices.Reverse(list)
	return list, err
}

// events returns the events of one Terra user.
func (j *journal) events(ctx context.Context, person string) ([]string, error) {
	return query(ctx, j.db, func(rows *sql.Rows) (event string, err error) { return event, rows.Scan(&event) },
		`SELECT DISTINCT event FROM arrived WHERE person = ?`, person)
}

// link is a connection as the file has it.
type link struct{ User, Person, State, Reason, Created string }

func (j *journal) links(ctx context.Context) ([]link, error) {
	return query(ctx, j.db, func(rows *sql.Rows) (l link, err error) {
		return l, rows.Scan(&l.User, &l.Person, &l.State, &l.Reason, &l.Created)
	}, `SELECT user, upstream, state, reason, created FROM v_connections WHERE provider = ? ORDER BY created, connection`, terra.Name)
}

// stock is what the file has of one kind of data.
type stock struct {
	Stream, Newest, Values string
	Records                int
}

func (j *journal) stocks(ctx context.Context) ([]stock, error) {
	return query(ctx, j.db, func(rows *sql.Rows) (s stock, err error) {
		var values string
		err = rows.Scan(&s.Stream, &s.Records, &s.Newest, &values)
		s.Values = few(values)
		return s, err
		// In SQLite the other columns are of the row that max found.
	}, `SELECT stream, count(*), max(coalesce(start, day, '')), vals FROM v_records
		WHERE provider = ? AND state = 'live' GROUP BY stream ORDER BY stream`, terra.Name)
}

// streams returns the kinds of data that a connection has records of.
func (j *journal) streams(ctx context.Context, connection string) ([]string, error) {
	return query(ctx, j.db, func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) },
		`SELECT DISTINCT stream FROM v_records WHERE connection = ?`, connection)
}

// few returns some of the values of a record, which are a JSON object: those that
// tell most, then wholes before parts and means.
func few(values string) string {
	telling := []string{
		"steps", "distance", "sleep_duration", "sleep_deep", "sleep_rem", "body_weight", "heart_rate_resting", "heart_rate.mean",
		"energy_total", "energy_intake", "nutrient_protein", "menstrual_cycle_day",
	}
	place := func(name string) int {
		if i := slices.Index(telling, name); i >= 0 {
			return i
		}
		return len(telling) + strings.Count(name, "@") + strings.Count(name, ".")
	}
	var named map[string]json.Number
	if json.Unmarshal([]byte(values), &named) != nil {
		return ""
	}
	var list []string
	for _, name := range slices.SortedFunc(maps.Keys(named), func(a, b string) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
	}) {
		if list = append(list, fmt.Sprintf("%s %s", name, named[name])); len(list) == 4 {
			break
		}
	}
	return strings.Join(list, ", ")
}

func query[T any](ctx context.Context, db *sql.DB, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}
