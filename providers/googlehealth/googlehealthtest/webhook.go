package googlehealthtest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The headers of signatures: of today, and of before July 2026.
const (
	SignatureHeader    = "Google-Health-Api-Signature"
	OldSignatureHeader = "X-Healthapi-Signature"
	verifierAgent      = "Google-Health-API-Webhooks-Verifier"
	keptFor            = 7 * 24 * time.Hour
)

// Subscriber is an endpoint of the project that is told of news.
type Subscriber struct {
	ID            string
	EndpointURI   string
	Authorization string // the complete header
	DataTypes     []string
	Automatic     bool // every user is subscribed; else see Subscribe
	Active        bool
}

// Notice is one notification that waits to be delivered.
type Notice struct {
	UserID, DataType, Operation string
	From, To                    time.Time
}

type pending struct {
	subscriber string
	notice     Notice
	at         time.Time
	attempts   int
	next       time.Time
}

type hooks struct {
	subscribers   []*Subscriber
	subscriptions map[string][]string // "subscriber/id": user and data types
	queue         []*pending
	sent          uint64
}

// notify queues a notice for all subscribers of the type. s.mu must be held.
func (s *Server) notify(u *user, path, operation string, from, to time.Time) {
	for _, sub := range s.hooks.subscribers {
		subscribed := sub.Automatic
		for name, what := range s.hooks.subscriptions {
			if strings.HasPrefix(name, sub.ID+"/") && what[0] == u.id && slices.Contains(what[1:], path) {
				subscribed = true
			}
		}
		if sub.Active && subscribed && slices.Contains(sub.DataTypes, path) {
			s.hooks.queue = append(s.hooks.queue, &pending{
				subscriber: sub.ID, notice: Notice{u.id, path, operation, from, to}, at: s.cfg.Now(), next: s.cfg.Now(),
			})
		}
	}
}

// NoticeBody returns notices as a delivery has them: an array, or for a single one also an object.
func (s *Server) NoticeBody(asArray bool, notices ...Notice) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.noticeBody(asArray, notices...)
}

func (s *Server) noticeBody(asArray bool, notices ...Notice) []byte {
	var list []object
	for _, n := range notices {
		u := s.mustUser(n.UserID)
		list = append(list, object{"data": object{
			"version": "1", "clientProvidedSubscriptionName": "simulated", "healthUserId": n.UserID, "operation": n.Operation,
			"dataType": n.DataType, "intervals": []object{{
				"physicalTimeInterval":  object{"startTime": instant(n.From), "endTime": instant(n.To)},
				"civilDateTimeInterval": object{"startDateTime": civil(u.local(n.From)), "endDateTime": civil(u.local(n.To))},
				"civilIso8601TimeInterval": object{
					"startTime": u.local(n.From).Format("2006-01-02T15:04:05"), "endTime": u.local(n.To).Format("2006-01-02T15:04:05"),
				},
			}},
		}})
	}
	if !asArray && len(list) == 1 {
		return encode(list[0])
	}
	return encode(list)
}

// signingKey is one key of the service.
type signingKey struct {
	id  uint32
	key *ecdsa.PrivateKey
}

func newSigningKey(seed uint64, n int) signingKey {
	for i := 0; ; i++ {
		d := sha256.Sum256(fmt.Appendf(nil, "signing key %d %d %d", seed, n, i))
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:]); err == nil {
			return signingKey{binary.BigEndian.Uint32(d[:]), key}
		}
	}
}

// RotateKeys has the service sign with a new key. The keyset has both.
func (s *Server) RotateKeys() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, newSigningKey(s.cfg.Seed, len(s.keys)))
}

// Keyset returns the public keyset in the JSON of Tink.
func (s *Server) Keyset() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []object
	for _, k := range s.keys {
		point, err := k.key.PublicKey.Bytes()
		if err != nil {
			panic("googlehealthtest: " + err.Error())
		}
		// EcdsaPublicKey: params{SHA256, NIST_P256, DER}, x and y with a zero in front.
		value := []byte{0x12, 0x06, 0x08, 0x03, 0x10, 0x02, 0x18, 0x02, 0x1a, 0x21, 0x00}
		value = append(append(value, point[1:33]...), 0x22, 0x21, 0x00)
		value = append(value, point[33:]...)
		list = append(list, object{
			"keyData": object{
				"typeUrl": "type.googleapis.com/google.crypto.tink.EcdsaPublicKey", "keyMaterialType": "ASYMMETRIC_PUBLIC",
				"value": base64.StdEncoding.EncodeToString(value),
			},
			"status": "ENABLED", "keyId": k.id, "outputPrefixType": "TINK",
		})
	}
	return encode(object{"primaryKeyId": s.keys[len(s.keys)-1].id, "key": list})
}

// Sign returns the value of the signature header for a body.
func (s *Server) Sign(body []byte) string {
	s.mu.Lock()
	k := s.keys[len(s.keys)-1]
	s.mu.Unlock()
	digest := sha256.Sum256(body)
	der, err := ecdsa.SignASN1(rand.Reader, k.key, digest[:])
	if err != nil {
		panic("googlehealthtest: " + err.Error())
	}
	return base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint32([]byte{0x01}, k.id), der...))
}

// Delivered tells what became of one delivery.
type Delivered struct {
	Notices []Notice
	Status  int // of the answer; 0 if there was none
}

// Deliver sends what waits and is due, each delivery once and every seventh twice, and returns what became of it. What
// is not answered with 204 waits for the next Deliver after a pause that doubles, for seven days. Half of the deliveries
// use the old header, half of the single notices are objects, and neighbouring notices may change places.
func (s *Server) Deliver(ctx context.Context) []Delivered {
	s.mu.Lock()
	now := s.cfg.Now()
	var due []*pending
	s.hooks.queue = slices.DeleteFunc(s.hooks.queue, func(p *pending) bool {
		if now.Sub(p.at) > keptFor {
			return true
		}
		if p.next.After(now) {
			return false
		}
		due = append(due, p)
		return true
	})
	s.mu.Unlock()
	if len(due) > 1 {
		due[0], due[1] = due[1], due[0] // out of order
	}
	var out []Delivered
	for _, p := range due {
		s.mu.Lock()
		s.hooks.sent++
		n := s.hooks.sent
		i := slices.IndexFunc(s.hooks.subscribers, func(sub *Subscriber) bool { return sub.ID == p.subscriber })
		if i < 0 {
			s.mu.Unlock()
			continue
		}
		sub := *s.hooks.subscribers[i]
		body := s.noticeBody(n%2 == 0, p.notice)
		s.mu.Unlock()
		header := SignatureHeader
		if n%4 < 2 {
			header = OldSignatureHeader
		}
		status := 0
		for range 1 + b2i(n%7 == 0) {
			status = s.post(ctx, sub, body, header)
		}
		out = append(out, Delivered{[]Notice{p.notice}, status})
		if status != http.StatusNoContent {
			p.attempts++
			p.next = now.Add(time.Minute << min(p.attempts, 10))
			s.mu.Lock()
			s.hooks.queue = append(s.hooks.queue, p)
			s.mu.Unlock()
		}
	}
	return out
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// post sends a delivery and returns the status of the answer.
func (s *Server) post(ctx context.Context, sub Subscriber, body []byte, header string) int {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, sub.EndpointURI, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", sub.Authorization)
	r.Header.Set(header, s.Sign(body))
	return s.send(r)
}

func (s *Server) send(r *http.Request) int {
	resp, err := s.cfg.Client.Do(r)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// verify checks an endpoint in the two steps of the service.
func (s *Server) verify(ctx context.Context, sub Subscriber) bool {
	ask := func(authorization string) int {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, sub.EndpointURI, strings.NewReader(`{"type":"verification"}`))
		if err != nil {
			return 0
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("User-Agent", verifierAgent)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		return s.send(r)
	}
	with, without := ask(sub.Authorization), ask("")
	return (with == http.StatusCreated || with == http.StatusOK) &&
		(without == http.StatusUnauthorized || without == http.StatusForbidden)
}

var subscriberID = regexp.MustCompile(`^[a-z][a-z0-9-]{2,34}[a-z0-9]$`)

// subscriberBody is the body of creating and changing a subscriber.
type subscriberBody struct {
	EndpointURI       string
	SubscriberConfigs []struct {
		DataTypes                []string
		SubscriptionCreatePolicy string
	}
	EndpointAuthorization struct{ Secret string }
}

// serveProjects answers the management of subscribers.
func (s *Server) serveProjects(r *http.Request, path string, body []byte) (int, []byte) {
	answer, refused := s.projects(r, strings.Split(path, "/"), body)
	if refused != nil {
		return refused.code, refused.body()
	}
	return http.StatusOK, encode(answer)
}

func (s *Server) projects(r *http.Request, parts []string, body []byte) (any, *refusal) {
	if r.Header.Get("Authorization") != "Bearer "+s.cfg.ServiceToken {
		return nil, refuse(http.StatusUnauthorized, "UNAUTHENTICATED", "CREDENTIALS_MISSING", "a service account is needed")
	}
	if len(parts) < 3 || parts[1] != s.cfg.Project || parts[2] != "subscribers" {
		return nil, notFound()
	}
	q := r.URL.Query()
	switch {
	case len(parts) == 3 && r.Method == http.MethodPost:
		return s.putSubscriber(r.Context(), q.Get("subscriberId"), nil, body)
	case len(parts) == 3 && r.Method == http.MethodGet:
		s.mu.Lock()
		defer s.mu.Unlock()
		var list []object
		for _, sub := range s.hooks.subscribers {
			list = append(list, s.subscriberObject(sub))
		}
		if len(list) == 0 {
			return object{}, nil
		}
		return object{"subscribers": list, "totalSize": len(list)}, nil
	}
	s.mu.Lock()
	i := slices.IndexFunc(s.hooks.subscribers, func(sub *Subscriber) bool { return len(parts) > 3 && sub.ID == parts[3] })
	var known *Subscriber
	if i >= 0 {
		known = s.hooks.subscribers[i]
	}
	s.mu.Unlock()
	switch {
	case known == nil:
		return nil, notFound()
	case len(parts) == 4 && r.Method == http.MethodPatch:
		return s.putSubscriber(r.Context(), known.ID, known, body)
	case len(parts) == 4 && r.Method == http.MethodDelete:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hooks.subscribers = slices.DeleteFunc(s.hooks.subscribers, func(sub *Subscriber) bool { return sub == known })
		return object{"name": "operations/delete", "done": true, "response": object{}}, nil
	case len(parts) >= 5 && parts[4] == "subscriptions":
		return s.subscriptions(r.Method, known, parts[5:], q, body)
	}
	return nil, notFound()
}

func (s *Server) subscriberObject(sub *Subscriber) object {
	state, policy := "UNVERIFIED", "MANUAL"
	if sub.Active {
		state = "ACTIVE"
	}
	if sub.Automatic {
		policy = "AUTOMATIC"
	}
	return object{
		"name": "projects/" + s.cfg.Project + "/subscribers/" + sub.ID, "endpointUri": sub.EndpointURI, "state": state,
		"endpointAuthorization": object{"secretSet": true},
		"subscriberConfigs":     []object{{"dataTypes": sub.DataTypes, "subscriptionCreatePolicy": policy}},
	}
}

// putSubscriber creates or changes a subscriber, after checking its endpoint.
func (s *Server) putSubscriber(ctx context.Context, id string, known *Subscriber, body []byte) (any, *refusal) {
	var b subscriberBody
	if json.Unmarshal(body, &b) != nil || !subscriberID.MatchString(id) || len(b.SubscriberConfigs) == 0 {
		return nil, invalid("", "not a subscriber")
	}
	if u, err := url.Parse(b.EndpointURI); err != nil || u.Host == "" || b.EndpointAuthorization.Secret == "" {
		return nil, invalid("", "endpoint and authorization are needed")
	}
	sub := Subscriber{ID: id, EndpointURI: b.EndpointURI, Authorization: b.EndpointAuthorization.Secret}
	for _, c := range b.SubscriberConfigs {
		for _, path := range c.DataTypes {
			if kindOf(path) == nil {
				return nil, invalid("", "no such data type")
			}
		}
		sub.DataTypes = append(sub.DataTypes, c.DataTypes...)
		sub.Automatic = sub.Automatic || c.SubscriptionCreatePolicy == "AUTOMATIC"
	}
	if !s.verify(ctx, sub) {
		return nil, refuse(http.StatusBadRequest, "FAILED_PRECONDITION", "", "endpoint verification failed")
	}
	sub.Active = true
	s.mu.Lock()
	defer s.mu.Unlock()
	if known != nil {
		*known = sub
	} else {
		if slices.ContainsFunc(s.hooks.subscribers, func(o *Subscriber) bool { return o.ID == id }) {
			return nil, refuse(http.StatusConflict, "ALREADY_EXISTS", "", "the subscriber exists")
		}
		s.hooks.subscribers = append(s.hooks.subscribers, &sub)
		known = &sub
	}
	return object{"name": "operations/subscriber", "done": true, "response": s.subscriberObject(known)}, nil
}

// subscriptions answers the management of single subscriptions, of subscribers with the policy MANUAL.
func (s *Server) subscriptions(method string, sub *Subscriber, rest []string, q url.Values, body []byte) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hooks.subscriptions == nil {
		s.hooks.subscriptions = map[string][]string{}
	}
	shown := func(name string, what []string) object {
		var types []string
		for _, path := range what[1:] {
			types = append(types, "users/"+what[0]+"/dataTypes/"+path)
		}
		_, id, _ := strings.Cut(name, "/")
		return object{
			"name": "projects/" + s.cfg.Project + "/subscribers/" + sub.ID + "/subscriptions/" + id, "user": "users/" + what[0], "dataTypes": types,
		}
	}
	switch {
	case method == http.MethodPost && len(rest) == 0:
		var b struct {
			User      string
			DataTypes []string
		}
		id := ""
		if json.Unmarshal(body, &b) == nil {
			id, _ = strings.CutPrefix(b.User, "users/")
		}
		if sub.Automatic || id == "" || !slices.ContainsFunc(s.users, func(u *user) bool { return u.id == id }) {
			return nil, invalid("", "not a subscription")
		}
		what := []string{id}
		for _, name := range b.DataTypes {
			path, ok := strings.CutPrefix(name, "users/"+id+"/dataTypes/")
			if !ok || kindOf(path) == nil {
				return nil, invalid("", "no such data type")
			}
			what = append(what, path)
		}
		name := q.Get("subscriptionId")
		if name == "" {
			name = fmt.Sprintf("sub-%d", len(s.hooks.subscriptions)+1)
		}
		name = sub.ID + "/" + name
		if _, taken := s.hooks.subscriptions[name]; taken {
			return nil, refuse(http.StatusConflict, "ALREADY_EXISTS", "", "the subscription exists")
		}
		s.hooks.subscriptions[name] = what
		return shown(name, what), nil
	case method == http.MethodGet && len(rest) == 0:
		var list []object
		for name, what := range s.hooks.subscriptions {
			if strings.HasPrefix(name, sub.ID+"/") {
				list = append(list, shown(name, what))
			}
		}
		if len(list) == 0 {
			return object{}, nil
		}
		return object{"subscriptions": list}, nil
	case method == http.MethodDelete && len(rest) == 1:
		name := sub.ID + "/" + rest[0]
		if _, ok := s.hooks.subscriptions[name]; !ok {
			return nil, notFound()
		}
		delete(s.hooks.subscriptions, name)
		return object{}, nil
	}
	return nil, notFound()
}
