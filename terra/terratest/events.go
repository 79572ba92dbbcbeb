package terratest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// about starts an event about a user.
func about(kind string, u *user) object { return object{"type": kind, "user": u.json()} }

// send emits an event about a user. s.mu is held.
func (s *Server) send(u *user, ev object) []string {
	return s.emit(emission{kind: ev["type"].(string), user: u, body: ev})
}

// Deauthenticate removes a user as the widget's disconnect button does, and sends deauth.
func (s *Server) Deauthenticate(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deauthenticate(s.must(userID))
}

// RevokeAccess makes the person withdraw consent at the provider: the user is kept but inactive, data requests answer
// 424, and access_revoked is sent.
func (s *Server) RevokeAccess(userID string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.must(userID)
	u.state = StateRevoked
	ev := about("access_revoked", u)
	ev["status"], ev["message"], ev["version"] = "warning", "User revoked access", DataVersion
	return s.send(u, ev)
}

// ConnectionError sends connection_error: the provider refused Terra once. It does not end the connection.
func (s *Server) ConnectionError(userID, message string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.must(userID)
	ev := about("connection_error", u)
	ev["status"], ev["message"], ev["version"] = "warning", message, DataVersion
	return s.send(u, ev)
}

// ChangePermissions changes the scopes of a user and sends permission_change. Both arguments are joined with commas.
func (s *Server) ChangePermissions(userID, added, removed string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.must(userID)
	scopes := strings.FieldsFunc(u.scopes+","+added, func(r rune) bool { return r == ',' })
	gone := strings.Split(removed, ",")
	u.scopes = strings.Join(slices.DeleteFunc(scopes, func(v string) bool { return slices.Contains(gone, v) }), ",")
	ev := about("permission_change", u)
	ev["status"], ev["message"], ev["version"] = "warning", "User permissions have been modified", DataVersion
	ev["scopes_added"], ev["scopes_removed"] = added, removed
	return s.send(u, ev)
}

// Reauthenticate connects the account of a user once more, as when the person walks the flow again: user_reauth and auth
// are sent, in this order, and the new user replaces the old one. The data is the same.
func (s *Server) Reauthenticate(userID string) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.must(userID)
	u := s.mint(old.provider, old.reference)
	s.connect(u, nil, UserConfig{Account: old.account})
	return u.public()
}

// RateLimitHit sends rate_limit_hit: the provider's limit was reached, and Terra goes on later.
func (s *Server) RateLimitHit(userID, startDate, endDate string, retryAt time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.must(userID)
	ev := about("rate_limit_hit", u)
	ev["start_date"], ev["end_date"], ev["retrying_at"] = startDate, endDate, retryAt.UTC().Format(time.RFC3339)
	ev["message"] = "Rate limit of the provider reached"
	return s.send(u, ev)
}

// Processing sends processing: the provider answers later.
func (s *Server) Processing(userID string, retryAfter time.Duration) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.must(userID)
	ev := about("processing", u)
	ev["status"], ev["message"], ev["retry_after_seconds"] = "success", "Request is being processed", int(retryAfter/time.Second)
	return s.send(u, ev)
}

// NoDatasource sends google_no_datasource.
func (s *Server) NoDatasource(userID string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.must(userID)
	ev := about("google_no_datasource", u)
	ev["status"], ev["message"] = "warning", "User has no data source"
	return s.send(u, ev)
}

// Healthcheck sends healthcheck, which is about no user.
func (s *Server) Healthcheck() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	hour := s.now().Add(-time.Hour)
	sent := 0
	for _, d := range s.deliveries {
		for _, a := range d.Attempts {
			if a.Time.After(hour) {
				sent++
			}
		}
	}
	return s.emit(emission{kind: "healthcheck", body: object{
		"type": "healthcheck", "status": "healthy", "creation_timestamp": s.now().UTC().Format(time.RFC3339),
		"trend_percentage": 0, "sent_webhooks_last_hour": sent,
	}})
}

// Raw is an event of any content. Zero fields get what an ordinary event has.
type Raw struct {
	Type      string // for filters and the ledger only
	UserID    string // for the ledger only
	Body      []byte // posted as it is, with a valid signature
	Reference string
	TraceID   string
	Ordering  int64 // unix milliseconds
	// Headers changes what the POST is sent with, after signing: spoil the signature, take away a header. It must not
	// call back into the Server.
	Headers func(http.Header)
}

// EmitRaw sends an event that the simulator did not make: unknown types, bodies that are no JSON, wrong signatures.
func (s *Server) EmitRaw(r Raw) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := emission{kind: r.Type, user: s.byID[r.UserID], body: r.Body, reference: r.Reference, trace: r.TraceID, ordering: r.Ordering, headers: r.Headers}
	if r.Body == nil {
		e.body = []byte{}
	}
	return s.emit(e)
}

// Push sends the latest published data of a user, one event per kind: the current day of the daily kinds, the latest
// activity and night, the profile. Without kinds it sends what the user's provider has.
func (s *Server) Push(userID string, kinds ...Kind) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.push(s.must(userID), kinds)
}

func (s *Server) push(u *user, kinds []Kind) (ids []string) {
	w := u.world
	if len(kinds) == 0 {
		kinds = w.habit.kinds
	}
	for _, kind := range kinds {
		recs := w.list(kind, w.today()-7, w.today()+1)
		if kind == KindAthlete || len(recs) == 0 {
			ids = append(ids, s.sendData(u, kind, nil)...)
			continue
		}
		ids = append(ids, s.sendData(u, kind, recs[len(recs)-1:])...)
	}
	return ids
}

// PushRecord sends one record as it is now.
func (s *Server) PushRecord(userID string, key Key) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.must(userID)
	return s.sendData(u, key.Kind, []rec{u.world.find(key)})
}

// sendData emits a data event with samples. s.mu is held.
func (s *Server) sendData(u *user, kind Kind, recs []rec) []string {
	return s.emit(emission{kind: string(kind), user: u, body: s.dataEvent(u, kind, recs, true)})
}

// dataEvent is a data event, which is also what a getter answers.
func (s *Server) dataEvent(u *user, kind Kind, recs []rec, samples bool) object {
	ev := about(string(kind), u)
	ev["version"] = DataVersion
	if kind == KindAthlete {
		ev["athlete"] = u.world.athlete()
		return ev
	}
	data := []object{}
	for _, r := range recs {
		data = append(data, u.world.body(r, samples))
	}
	ev["data"] = data
	return ev
}

// SendTest is the dashboard's "send test data": it makes a user of the provider if there is none with the reference id
// "test", and sends it an event of the kind, whether or not the provider has such data. It returns the user.
func (s *Server) SendTest(provider string, kind Kind) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var u *user
	for _, other := range s.users {
		if other.provider == provider && other.reference == "test" && other.state == StateActive {
			u = other
		}
	}
	if u == nil {
		u = s.mint(provider, "test")
		s.activate(u, UserConfig{Account: "test"})
	}
	switch kind {
	case KindHormone, KindObservation, KindPlanned:
		s.extra(u, kind)
	default:
		s.push(u, []Kind{kind})
	}
	return u.public()
}
