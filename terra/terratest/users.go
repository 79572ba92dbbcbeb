package terratest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// UserState is where a connection stands.
type UserState string

// The states of a connection. A user who is deauthenticated, or whose consent was refused, no longer exists.
const (
	StatePending UserState = "pending" // minted by authenticateUser, consent outstanding
	StateActive  UserState = "active"
	StateRevoked UserState = "revoked" // access was revoked at the provider
)

// UserConfig describes a user to add. The zero value is an active user of DUMMY, which has every kind of data.
type UserConfig struct {
	ID          string // empty means assigned from the seed
	Provider    string // such as GARMIN; empty means DUMMY
	ReferenceID string
	// Account is the person's account at the provider. Users of the same provider and account have the same data; a
	// second consent of an account is a reauthentication. Empty means an account nobody else has.
	Account  string
	Timezone string // IANA name; empty means one chosen from the seed
	Days     int    // days of history; 0 means [Config].Days
	// HoldBack is how many days before now the history ends; they are published by [Server.AdvanceDay].
	HoldBack int
	// Announce sends the auth event.
	Announce bool
}

// User is one connection: one person at one provider.
type User struct {
	ID          string
	Provider    string
	ReferenceID string
	Account     string
	Scopes      string // joined with commas
	State       UserState
	CreatedAt   time.Time
	Timezone    string
	FirstDay    string    // first civil day with data, YYYY-MM-DD
	Published   time.Time // data exists up to this moment
}

type user struct {
	id, provider, reference, account string
	scopes                           string
	state                            UserState
	created                          time.Time
	lastWebhook                      time.Time
	world                            *world
}

func (u *user) public() User {
	v := User{ID: u.id, Provider: u.provider, ReferenceID: u.reference, Account: u.account, Scopes: u.scopes, State: u.state, CreatedAt: u.created}
	if u.world != nil {
		v.Timezone, v.FirstDay, v.Published = u.world.zone, dayText(u.world.first), u.world.asOf
	}
	return v
}

// json is the TerraUser object.
func (u *user) json() object {
	return object{
		"user_id": u.id, "provider": u.provider, "created_at": u.created.UTC().Format(time.RFC3339), "scopes": textOrNull(u.scopes),
		"last_webhook_update": timeOrNull(u.lastWebhook), "reference_id": textOrNull(u.reference), "active": u.state == StateActive,
	}
}

func textOrNull(v string) any {
	if v == "" {
		return nil
	}
	return v
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000+00:00")
}

// random returns a generator that depends on the seed and on parts.
func random(seed uint64, parts ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, parts...)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// secret returns the next unguessed text: n bytes in hexadecimal that depend on the seed and on how many came before.
func (s *Server) secret(n int) string {
	s.issued++
	return hexOf(random(s.cfg.Seed, "secret", s.issued), n)
}

func hexOf(r *rand.Rand, n int) string {
	b := make([]byte, (n+7)/8*8)
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], r.Uint64())
	}
	return hex.EncodeToString(b[:n])
}

// uuid returns the next identifier.
func (s *Server) uuid() string { return uuidOf(s.secret(16)) }

func uuidOf(h string) string {
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
}

// AddUser adds an active user as if the whole flow had been walked.
func (s *Server) AddUser(cfg UserConfig) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cfg.Provider == "" {
		cfg.Provider = "DUMMY"
	}
	u := s.mint(cfg.Provider, cfg.ReferenceID)
	if cfg.ID != "" {
		delete(s.byID, u.id)
		if s.byID[cfg.ID] != nil {
			panic("terratest: a user " + cfg.ID + " exists")
		}
		u.id = cfg.ID
		s.byID[u.id] = u
	}
	s.activate(u, cfg)
	if cfg.Announce {
		s.emit(emission{kind: "auth", user: u, body: s.authEvent(u, nil)})
	}
	return u.public()
}

// mint adds a pending user. s.mu is held.
func (s *Server) mint(provider, reference string) *user {
	u := &user{id: s.uuid(), provider: provider, reference: reference, state: StatePending, created: s.now()}
	s.users = append(s.users, u)
	s.byID[u.id] = u
	return u
}

// activate makes a pending user an active one with a world. s.mu is held.
func (s *Server) activate(u *user, cfg UserConfig) {
	u.account = cfg.Account
	if u.account == "" {
		u.account = "account-" + u.id
	}
	u.state = StateActive
	u.scopes = habitOf(u.provider).scopes
	key := u.provider + "/" + u.account
	if s.worlds[key] == nil {
		s.worlds[key] = newWorld(s.cfg, s.schema, s.now(), u.provider, u.account, cfg)
	}
	u.world = s.worlds[key]
}

// remove deletes a user. s.mu is held.
func (s *Server) remove(u *user) {
	delete(s.byID, u.id)
	s.users = slices.DeleteFunc(s.users, func(other *user) bool { return other == u })
}

// must returns a user that a test names.
func (s *Server) must(id string) *user {
	u := s.byID[id]
	if u == nil {
		panic("terratest: no user " + id)
	}
	return u
}

// Users returns all users in order of creation, pending and revoked ones too.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []User
	for _, u := range s.users {
		list = append(list, u.public())
	}
	return list
}

// User returns a user; false if there is none with the id.
func (s *Server) User(id string) (User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.byID[id]
	if u == nil {
		return User{}, false
	}
	return u.public(), true
}

func (s *Server) active() (n int) {
	for _, u := range s.users {
		if u.state == StateActive {
			n++
		}
	}
	return n
}

func (s *Server) userInfo(c *call) reply {
	id, reference := c.query.Get("user_id"), c.query.Get("reference_id")
	switch {
	case (id == "") == (reference == ""):
		return badRequest("exactly one of user_id and reference_id is required")
	case id != "":
		u := s.byID[id]
		if u == nil {
			return notFound("user not found")
		}
		v := u.json()
		v["last_polled_at"], v["most_recent_data_at"] = nil, nil
		if u.world != nil {
			v["most_recent_data_at"] = timeOrNull(u.world.asOf)
		}
		return ok(object{"user": v, "status": "success", "is_authenticated": u.state == StateActive})
	}
	list := []object{}
	for _, u := range s.users {
		if u.reference == reference && u.state != StatePending {
			list = append(list, u.json())
		}
	}
	if s.cfg.UserInfo == UserInfoObject {
		return ok(object{"users": list})
	}
	return ok(list)
}

func (s *Server) subscriptions(c *call) reply {
	list := []object{}
	for _, u := range s.users {
		if u.state != StatePending {
			list = append(list, u.json())
		}
	}
	if !c.query.Has("page") {
		answer := object{"users": list}
		if c.legacy {
			answer["status"] = "success"
		}
		return ok(answer)
	}
	page, refused := c.whole("page", 0, 0)
	if refused != nil {
		return *refused
	}
	size, refused := c.whole("per_page", 500, 1)
	if refused != nil {
		return *refused
	}
	last := max(0, (len(list)-1)/size)
	lo := min(page*size, len(list))
	data := object{"next": nil, "max_page": last, "results": list[lo:min(lo+size, len(list))]}
	if page < last {
		data["next"] = page + 1
	}
	return ok(object{"data": data})
}

func (s *Server) bulkUserInfo(c *call) reply {
	var ids []string
	if refused := c.decode(&ids, false); refused != nil {
		return *refused
	}
	if len(ids) == 0 {
		return badRequest("user ids are required")
	}
	list := []object{}
	for _, id := range ids {
		if u := s.byID[id]; u != nil && u.state != StatePending {
			list = append(list, u.json())
		}
	}
	if len(list) == 0 {
		return notFound("user not found")
	}
	return ok(list)
}

func (s *Server) patchUser(c *call) reply {
	var change struct {
		ReferenceID *string `json:"reference_id"`
		Active      *bool   `json:"active"`
	}
	u := s.byID[c.vars[0]]
	if u == nil || u.state == StatePending {
		return badRequest("user not found")
	}
	if refused := c.decode(&change, false); refused != nil {
		return *refused
	}
	if change.ReferenceID != nil {
		u.reference = *change.ReferenceID
	}
	if change.Active != nil {
		u.state = StateRevoked
		if *change.Active {
			u.state = StateActive
		}
	}
	return ok(object{"user": u.json(), "status": "success"})
}

func (s *Server) deauthenticateUser(c *call) reply {
	id := c.query.Get("user_id")
	if id == "" {
		return badRequest("user_id is required")
	}
	u := s.byID[id]
	if u == nil || u.state == StatePending {
		return notFound("user not found")
	}
	s.deauthenticate(u)
	return ok(object{"status": "success"})
}

func (s *Server) deauthenticate(u *user) {
	u.state = StateRevoked
	s.remove(u)
	s.emit(emission{kind: "deauth", user: u, body: object{
		"type": "deauth", "status": "success", "message": "User has deauthenticated", "user": u.json(), "version": DataVersion,
	}})
}

// setup tells how the keys of a provider are managed, as far as it is public.
func setup(provider string) string {
	switch provider {
	case "GARMIN", "WHOOP", "STRAVA", "HUAWEI", "DEXCOM", "DEXCOM_EU", "DEXCOM_JP", "INBODY", "VIRTUAGYM":
		return "API_KEYS_REQUIRED"
	}
	return "API_KEYS_MANAGED"
}

// enabled are the providers that GET /integrations lists for a request.
func (s *Server) enabled(c *call, all []string) ([]string, *reply) {
	devID := c.r.Header.Get("dev-id")
	switch {
	case devID == "":
		return all, nil
	case !same(devID, s.cfg.DevID):
		p := refuse(http.StatusUnauthorized, "unauthorized")
		return nil, &p
	case s.cfg.Providers == nil:
		return all, nil
	}
	list := []string{}
	for _, p := range all {
		if slices.Contains(s.cfg.Providers, p) {
			list = append(list, p)
		}
	}
	return list, nil
}

func (s *Server) getIntegrations(c *call) reply {
	web, refused := s.enabled(c, s.providers)
	if refused != nil {
		return *refused
	}
	sdk, _ := s.enabled(c, s.sdk)
	return ok(object{"status": "success", "providers": web, "sdk_providers": sdk})
}

func (s *Server) getIntegrationsDetailed(c *call) reply {
	withSDK, refused := c.flag("sdk", false)
	if refused != nil {
		return *refused
	}
	all := s.providers
	if withSDK {
		all = slices.Concat(s.providers, s.sdk)
	}
	all, refused = s.enabled(c, all)
	if refused != nil {
		return *refused
	}
	list := []object{}
	for _, p := range all {
		types := object{}
		for _, k := range DayKinds() {
			types[string(k)] = slices.Contains(habitOf(p).kinds, k)
		}
		list = append(list, object{
			"provider": p, "name": strings.ToUpper(p[:1]) + strings.ToLower(p[1:]), "icon": "https://icons.example.com/" + strings.ToLower(p) + ".png",
			"setup": setup(p), "enabled": s.cfg.Providers == nil || slices.Contains(s.cfg.Providers, p), "types": types,
		})
	}
	return ok(object{"status": "success", "providers": list})
}

// known reports whether the service has the provider.
func (s *Server) known(provider string) bool {
	return slices.Contains(s.providers, provider) || slices.Contains(s.sdk, provider)
}
