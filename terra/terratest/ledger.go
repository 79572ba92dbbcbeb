package terratest

import "time"

// TokenEntry is what became of a mobile token.
type TokenEntry struct {
	Token   string
	Expires time.Time
	Used    bool
}

// SessionEntry is what became of a widget session.
type SessionEntry struct {
	ID          string
	ReferenceID string
	Expires     time.Time
	Used        bool
}

// Ledger is the account of what was issued and what became of it. It holds secrets of the simulated world.
type Ledger struct {
	Tokens     []TokenEntry   // in order of their text
	Sessions   []SessionEntry // in order of their id
	Deliveries []Delivery     // in order of the events
	// Acknowledged, GivenUp, Dropped and Pending count the deliveries by what became of them.
	Acknowledged, GivenUp, Dropped, Pending int
}

// Ledger returns what was issued so far.
func (s *Server) Ledger() Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := Ledger{Deliveries: copies(s.deliveries)}
	for _, text := range sortedKeys(s.tokens) {
		t := s.tokens[text]
		l.Tokens = append(l.Tokens, TokenEntry{t.text, t.expires, t.used})
	}
	for _, id := range sortedKeys(s.sessions) {
		w := s.sessions[id]
		l.Sessions = append(l.Sessions, SessionEntry{w.id, w.reference, w.expires, w.used})
	}
	for _, d := range l.Deliveries {
		switch d.State {
		case DeliveryAcknowledged:
			l.Acknowledged++
		case DeliveryGivenUp:
			l.GivenUp++
		case DeliveryDropped:
			l.Dropped++
		case DeliveryPending:
			l.Pending++
		}
	}
	return l
}
