package provsim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Command is what /control/{command} and [Service.Control] are given. Which
// fields count depends on the command:
//
//	accepts    Refresh            whether it would be accepted: true or false
//	adduser    User
//	clear                         ends all faults
//	consent    User, URL          the redirect address
//	deauth     User
//	delete     User, Stream, ID
//	deliveries                    []Delivery
//	expire     User, or all
//	fault      Fault
//	ledger                        Ledger
//	login      User               Tokens
//	lost       Held               ids of people
//	notify     User, Event        ids of deliveries
//	pending                       a number
//	put        User, Stream, Row  the Row as it is now
//	reauth     User, ID
//	signing    Secrets
//	truth      User               map of stream to []Row
//	users                         ids
type Command struct {
	User    string   `json:"user,omitempty"`
	Stream  string   `json:"stream,omitempty"`
	ID      string   `json:"id,omitempty"`
	URL     string   `json:"url,omitempty"`
	Refresh string   `json:"refresh,omitempty"`
	Held    []string `json:"held,omitempty"`
	Secrets []string `json:"secrets,omitempty"`
	Row     Row      `json:"row,omitzero"`
	Event   Event    `json:"event,omitzero"`
	Fault   Fault    `json:"fault,omitzero"`
}

// Tokens are ready-made credentials, with their secrets.
type Tokens struct {
	User    string    `json:"user"`
	Access  string    `json:"access"`
	Refresh string    `json:"refresh"`
	Expires time.Time `json:"expires"`
}

// Control runs a command.
func (s *Service) Control(name string, in Command) (any, error) {
	switch name {
	case "accepts":
		return s.Accepts(in.Refresh), nil
	case "adduser":
		return nil, s.AddUser(in.User)
	case "clear":
		s.ClearFaults()
		return nil, nil
	case "consent":
		return s.Consent(in.User, in.URL)
	case "deauth":
		return nil, s.Deauthorize(in.User)
	case "delete":
		return nil, s.Delete(in.User, in.Stream, in.ID)
	case "deliveries":
		return s.Deliveries(), nil
	case "expire":
		s.ExpireAccess(in.User)
		return nil, nil
	case "fault":
		s.Inject(in.Fault)
		return nil, nil
	case "ledger":
		return s.Ledger(), nil
	case "login":
		cred, err := s.Login(in.User)
		return Tokens{cred.UpstreamID, cred.Access.Reveal(), cred.Refresh.Reveal(), cred.ExpiresAt}, err
	case "lost":
		return s.Lost(in.Held...), nil
	case "notify":
		return s.Notify(in.User, in.Event), nil
	case "pending":
		return s.Pending(), nil
	case "put":
		return s.Put(in.User, in.Stream, in.Row)
	case "reauth":
		return nil, s.Reauthorize(in.User, in.ID)
	case "signing":
		s.SetSigningSecrets(in.Secrets...)
		return nil, nil
	case "truth":
		return s.Truth(in.User)
	case "users":
		return s.Users(), nil
	default:
		return nil, errors.New("provsim: no such command")
	}
}

// control is Control over HTTP.
func (s *Service) control(w http.ResponseWriter, r *http.Request) {
	var in Command
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(&in)
	var out any
	if err == nil {
		out, err = s.Control(r.PathValue("command"), in)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

// Control runs the commands of a service in another process.
type Control struct {
	// BaseURL is the address of the service.
	BaseURL string
	// Client sends the requests.
	Client *http.Client
}

// Do runs a command and decodes what it gives into out, which may be nil.
func (c Control) Do(ctx context.Context, name string, in Command, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("provsim: control %s: %w", name, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BaseURL+"/control/"+name, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("provsim: control %s: %w", name, err)
	}
	resp, err := c.Client.Do(req)
	if err != nil {
		return fmt.Errorf("provsim: control %s: %w", name, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("provsim: control %s: http %d: %s", name, resp.StatusCode, bytes.TrimSpace(answer))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
