package terratest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Admin returns a handler that controls the Server over HTTP, for programs that do not link it. Requests and answers
// are JSON; it asks for no credentials. Everything is a POST, except the three lists:
//
//	/users          {"provider","reference_id","account","timezone","days","announce"}    adds a user
//	/destinations   {"url","secret","types","ping"}                                       adds a webhook address
//	/send           {"provider","kind"}                                                   sends test data
//	/push           {"user_id","kinds"}                                                   sends the latest data of a user
//	/event          {"type","user_id","message","added","removed"}                        makes an event about a user happen
//	/labs           {"session_id","results"} or {"session_id","error","message"}          ends the work on a lab report
//	/evolve         {"user_id"}                                                           changes a user's data
//	/advance        {"seconds"}                                                           moves the clock
//	/catchup        {}                                                                    publishes data up to now for all users
//	/faults         {"fault","path","count","status"}                                      arms a fault
//	GET /users, GET /deliveries, GET /labs                                                what there is
//
// A name in a request that does not exist is answered with 400.
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	post := func(path string, serve func(a adminRequest) any) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			var a adminRequest
			if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&a); err != nil {
				http.Error(w, "not JSON", http.StatusBadRequest)
				return
			}
			defer func() { // methods panic when a name does not exist
				if wrong := recover(); wrong != nil {
					http.Error(w, fmt.Sprint(wrong), http.StatusBadRequest)
				}
			}()
			answerJSON(w, serve(a))
		})
	}
	post("/users", func(a adminRequest) any {
		if !s.known(a.Provider) {
			panic("no provider " + a.Provider)
		}
		return s.AddUser(UserConfig{Provider: a.Provider, ReferenceID: a.ReferenceID, Account: a.Account, Timezone: a.Timezone, Days: a.Days, Announce: a.Announce})
	})
	post("/destinations", func(a adminRequest) any {
		return object{"id": s.AddDestination(Destination{URL: a.URL, Secret: a.Secret, Types: a.Types, Ping: a.Ping})}
	})
	post("/send", func(a adminRequest) any {
		if !s.known(a.Provider) {
			panic("no provider " + a.Provider)
		}
		return s.SendTest(a.Provider, a.Kind)
	})
	post("/push", func(a adminRequest) any { return object{"deliveries": s.Push(a.UserID, a.Kinds...)} })
	post("/event", func(a adminRequest) any {
		switch a.Type {
		case "deauth":
			s.Deauthenticate(a.UserID)
		case "access_revoked":
			s.RevokeAccess(a.UserID)
		case "connection_error":
			s.ConnectionError(a.UserID, a.Message)
		case "permission_change":
			s.ChangePermissions(a.UserID, a.Added, a.Removed)
		case "user_reauth":
			return s.Reauthenticate(a.UserID)
		case "healthcheck":
			s.Healthcheck()
		default:
			panic("no event " + a.Type)
		}
		return object{}
	})
	post("/labs", func(a adminRequest) any {
		if a.Error != "" {
			return object{"deliveries": s.FailLabReport(a.SessionID, a.Error, a.Message, false)}
		}
		return object{"deliveries": s.FinishLabReport(a.SessionID, a.Results)}
	})
	post("/evolve", func(a adminRequest) any { return s.Evolve(a.UserID) })
	post("/advance", func(a adminRequest) any {
		s.Advance(time.Duration(a.Seconds * float64(time.Second)))
		return object{"now": s.Now()}
	})
	post("/catchup", func(adminRequest) any {
		s.CatchUpAll()
		return object{}
	})
	post("/faults", func(a adminRequest) any {
		s.Fault(Fault{Kind: a.Fault, Path: a.Path, Count: a.Count, Status: a.Status})
		return object{}
	})
	mux.HandleFunc("GET /users", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, s.Users()) })
	mux.HandleFunc("GET /labs", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, s.LabReports()) })
	mux.HandleFunc("GET /deliveries", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, s.Deliveries()) })
	return mux
}

type adminRequest struct {
	UserID      string    `json:"user_id"`
	Provider    string    `json:"provider"`
	ReferenceID string    `json:"reference_id"`
	Account     string    `json:"account"`
	Timezone    string    `json:"timezone"`
	Days        int       `json:"days"`
	Announce    bool      `json:"announce"`
	URL         string    `json:"url"`
	Secret      string    `json:"secret"`
	Types       []string  `json:"types"`
	Ping        bool      `json:"ping"`
	Kind        Kind      `json:"kind"`
	Kinds       []Kind    `json:"kinds"`
	Type        string    `json:"type"`
	Message     string    `json:"message"`
	Added       string    `json:"added"`
	Removed     string    `json:"removed"`
	Seconds     float64   `json:"seconds"`
	Fault       FaultKind `json:"fault"`
	Path        string    `json:"path"`
	Count       int       `json:"count"`
	Status      int       `json:"status"`
	SessionID   string    `json:"session_id"`
	Error       string    `json:"error"`

	Results json.RawMessage `json:"results"`
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(marshal(v))
}

// CatchUpAll publishes everything up to the present for all active users, and sends what is new or changed.
func (s *Server) CatchUpAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		if u.state == StateActive {
			s.grow(u.world, s.now())
		}
	}
}
