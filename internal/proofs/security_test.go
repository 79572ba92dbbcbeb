package proofs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// ear hears whatever leaves the engine: log lines, errors, events, answers.
type ear struct {
	mu    sync.Mutex
	text  bytes.Buffer
	heard map[string]int
}

func (e *ear) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count("log")
	return e.text.Write(p)
}

func (e *ear) count(what string) {
	if e.heard == nil {
		e.heard = make(map[string]int)
	}
	e.heard[what]++
}

// hear takes a value down in all ways in which a host may show it.
func (e *ear) hear(what string, v any) {
	text, failure := json.Marshal(v)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count(what)
	fmt.Fprintf(&e.text, "%s: %v\n%+v\n%#v\n%s %v\n", what, v, v, v, text, failure)
	for err, ok := v.(error); ok && err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&e.text, "%v\n%+v\n%#v\n%T\n", err, err, err, err)
	}
}

func (e *ear) err(op string, err error) {
	if err != nil {
		e.hear("error of "+op, err)
	}
}

// forms returns a secret in the forms in which it may leak in text.
func forms(secret string) map[string]string {
	all := encodings(secret)
	list := fmt.Sprint([]byte(secret))
	all["bytes"] = list[1 : len(list)-1]
	goList := fmt.Sprintf("%#v", []byte(secret))
	all["Go bytes"] = goList[len("[]byte{") : len(goList)-1]
	all["Go text"] = strings.Trim(fmt.Sprintf("%q", secret), `"`)
	return all
}

// leaksIn returns the forms of secrets that are in a text.
func leaksIn(text string, secrets map[string]string) (found []string) {
	for name, secret := range secrets {
		for form, needle := range forms(secret) {
			if at := strings.Index(text, needle); at >= 0 {
				found = append(found, fmt.Sprintf("%s as %s: ...%s", name, form, text[max(0, at-120):at]))
			}
		}
	}
	return found
}

// blabbing is an adapter with a bug: it panics with what it knows.
type blabbing struct {
	*provsim.Provider
	fetch, refresh, parse atomic.Bool
	panics                atomic.Int64
}

func (b *blabbing) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	if b.fetch.Load() {
		b.panics.Add(1)
		panic("access token " + cred.Access.Reveal() + " refused")
	}
	return b.Provider.Fetch(ctx, cred, q)
}

func (b *blabbing) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	if b.refresh.Load() {
		b.panics.Add(1)
		panic(errors.New("refresh token " + cred.Refresh.Reveal() + " refused"))
	}
	return b.Provider.Refresh(ctx, cred)
}

func (b *blabbing) ParseWebhook(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	if b.parse.Load() {
		b.panics.Add(1)
		panic(fmt.Sprintf("cannot read %s", r.Body))
	}
	return b.Provider.ParseWebhook(now, r)
}

// life is an engine over a service, with an ear on everything.
type life struct {
	*ear
	t       *testing.T
	service *provsim.Service
	adapter *blabbing
	store   *store.Memory
	engine  *healthsync.Engine
	handler http.Handler
	key     []byte
	secrets map[string]string // by what they are
	// hookPanics has every hook panic with the engine's secrets.
	hookPanics atomic.Bool
	delivered  atomic.Int64
}

const publicURL = "https://host.example.com/mux"

func newLife(t *testing.T) *life {
	l := &life{ear: &ear{}, t: t, store: store.NewMemory(), key: make([]byte, 32), secrets: map[string]string{
		"text in a body": "body+canary/ü" + randomHex(16),
		"client secret":  `client+secret/ü"` + randomHex(16),
		"signing secret": `signing+secret/ü"` + randomHex(16),
	}}
	l.service = provsim.NewService(provsim.Config{
		Users: 3, Days: 2, Rotation: providers.RotationSingleUse,
		ClientSecret: l.secrets["client secret"], SigningSecrets: []string{l.secrets["signing secret"]},
		RedirectURLs: []string{publicURL + "/callback/" + provsim.Name}, SubscriptionLife: -1,
	})
	server := httptest.NewServer(l.service)
	t.Cleanup(server.Close)
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	watching := roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.GetBody != nil {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			text, err := io.ReadAll(body)
			if err != nil {
				return nil, err
			}
			form, _ := url.ParseQuery(string(text))
			l.mu.Lock()
			for _, name := range []string{"code_verifier", "code"} {
				if secret := form.Get(name); secret != "" {
					l.secrets[fmt.Sprint(name, " ", len(l.secrets))] = secret
				}
			}
			l.mu.Unlock()
		}
		return base.RoundTrip(r)
	})
	plain, err := provsim.New(provsim.AdapterConfig{
		BaseURL: server.URL, Rotation: providers.RotationSingleUse, Transport: watching, MaxWait: -1, MaxAge: time.Hour,
		ClientSecret:   providers.NewSecret(l.secrets["client secret"]),
		SigningSecrets: []providers.Secret{providers.NewSecret(l.secrets["signing secret"])},
	})
	require.NoError(t, err)
	l.adapter = &blabbing{Provider: plain}
	_, err = rand.Read(l.key)
	require.NoError(t, err)
	l.secrets["sealing key"] = string(l.key)
	l.engine, err = healthsync.New(healthsync.Config{
		Providers: []providers.Provider{l.adapter}, Store: l.store, Sealer: l.ring(t), PublicURL: publicURL, MaxWait: -1,
		Interval: 100 * time.Millisecond, History: -1, ReconcileEvery: -1, SpillDir: t.TempDir(), SealRaw: true,
		Authenticate: func(r *http.Request) (string, error) { return r.Header.Get("X-User"), nil },
		ReturnTo:     map[string]string{"home": "https://host.example.com/home"},
		Logger:       slog.New(slog.NewTextHandler(l.ear, &slog.HandlerOptions{Level: slog.LevelDebug - 8, AddSource: true})),
		Hooks: healthsync.Hooks{
			PageCommitted:    hook[healthsync.PageEvent](l, "page"),
			StreamDone:       hook[healthsync.StreamEvent](l, "stream"),
			BackfillProgress: hook[healthsync.BackfillEvent](l, "backfill"),
			StateChanged:     hook[healthsync.StateEvent](l, "state"),
			Quarantined:      hook[healthsync.QuarantineEvent](l, "quarantined"),
			Refreshed:        hook[healthsync.RefreshEvent](l, "refreshed"),
			RateLimited:      hook[healthsync.RateLimitEvent](l, "rate limited"),
			Alarm:            hook[healthsync.AlarmEvent](l, "alarm"),
			Audit:            hook[healthsync.AuditEvent](l, "audit"),
			Delivered:        hook[healthsync.DeliveryEvent](l, "delivered"),
		},
	})
	require.NoError(t, err)
	l.handler = l.engine.Handler()
	return l
}

func hook[E any](l *life, what string) func(context.Context, E) {
	return func(_ context.Context, e E) {
		l.hear(what, e)
		if what == "delivered" {
			l.delivered.Add(1)
		}
		if l.hookPanics.Load() {
			panic("a hook that knows " + strings.Join(l.service.MintedSecrets(), " "))
		}
	}
}

// get requests a path of the engine's handler, and hears the answer.
func (l *life) get(method, path, user string, header http.Header, body []byte) *http.Response {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	maps.Copy(r.Header, header)
	r.Header.Set("X-User", user)
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, r)
	resp := w.Result()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(l.t, err)
	l.hear("answer", fmt.Sprint(resp.Status, " ", string(answer)))
	return resp
}

// connect has a person consent, with a bad callback before the good one.
func (l *life) connect(user, upstream string) store.Connection {
	ctx := l.t.Context()
	callback := publicURL + "/callback/" + provsim.Name
	address, err := l.engine.Connect(ctx, healthsync.ConnectRequest{User: user, Provider: provsim.Name, RedirectURL: callback})
	require.NoError(l.t, err)
	back, err := l.service.Consent(upstream, address)
	require.NoError(l.t, err)
	u, err := url.Parse(back)
	require.NoError(l.t, err)
	query := u.Query()
	l.secrets["code of "+user] = query.Get("code")
	for name, value := range map[string]string{"state": "a state that nobody gave", "iss": "https://evil.example.com"} {
		bad := maps.Clone(query)
		bad.Set(name, value)
		_, err = l.engine.Complete(ctx, bad)
		l.err("complete", err)
		l.get(http.MethodGet, "/callback/"+provsim.Name+"?"+bad.Encode(), user, nil, nil)
	}
	// The wrong issuer has used the flow up.
	address, err = l.engine.Connect(ctx, healthsync.ConnectRequest{User: user, Provider: provsim.Name, RedirectURL: callback})
	require.NoError(l.t, err)
	back, err = l.service.Consent(upstream, address)
	require.NoError(l.t, err)
	u, err = url.Parse(back)
	require.NoError(l.t, err)
	l.secrets["second code of "+user] = u.Query().Get("code")
	conn, err := l.engine.Complete(ctx, u.Query())
	require.NoError(l.t, err)
	_, err = l.engine.Complete(ctx, u.Query())
	l.err("complete", err)
	l.hear("connection", conn)
	return conn
}

func (l *life) sync(conn store.Connection) error {
	report, err := l.engine.Sync(l.t.Context(), conn.ID)
	l.hear("report", report)
	l.err("sync", err)
	return err
}

// TestNoSecretLeaves takes a person through a whole life, with everything that
// may go wrong on the way, and searches all that was logged, returned, told to
// hooks and answered for each secret, in every form.
func TestNoSecretLeaves(t *testing.T) {
	counts := proof.Counts{}
	proof.Row(t, "X1", counts)
	l := newLife(t)
	ctx := t.Context()
	conn := l.connect("ada", "u1")
	require.NoError(t, l.sync(conn))

	l.service.ExpireAccess("u1")
	require.NoError(t, l.sync(conn))
	// Data that comes with the token in it.
	for _, f := range []provsim.Fault{
		{On: "data", Status: 401, Body: `{"error":"invalid_token","error_description":"$ACCESS"}`},
		{On: "data", Status: 500, Body: l.secrets["client secret"]}, {On: "data", Status: 200, Body: "not JSON: " + l.secrets["client secret"]},
		{On: "data", Status: 302, Header: map[string]string{"Location": "https://evil.example.com/" + l.secrets["text in a body"]}},
	} {
		f.Count = 3
		l.service.Inject(f)
		_ = l.sync(conn)
		l.service.ClearFaults()
		counts["faults"]++
	}

	l.hookPanics.Store(true)
	_ = l.sync(conn)
	l.hookPanics.Store(false)

	// Deliveries, worked on by Run.
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- l.engine.Run(running) }()
	event := provsim.Event{Type: provsim.TypeData, User: "u1", Streams: []string{provsim.StreamDaily}}
	body := l.service.Compose(event)
	now := time.Now()
	path := "/webhooks/" + provsim.Name
	require.Equal(t, 200, l.get(http.MethodPost, path, "", l.service.Header(body, now), body).StatusCode)
	for _, bad := range []http.Header{
		nil, {provsim.SignatureHeader: {"t=1,v1=" + l.secrets["signing secret"]}}, l.service.Header(body, now.Add(-100*time.Hour)),
		{provsim.SignatureHeader: {provsim.Sign(body, now, l.secrets["client secret"])}},
	} {
		require.Equal(t, 401, l.get(http.MethodPost, path, "", bad, body).StatusCode)
	}
	for _, odd := range []string{"{", `{"events":[{"type":"data","user":"` + l.secrets["text in a body"] + `"}]}`, "null", ""} {
		l.get(http.MethodPost, path, "", l.service.Header([]byte(odd), now), []byte(odd))
	}
	l.adapter.parse.Store(true)
	secretBody := []byte(`{"version":1,"secret":"` + l.secrets["text in a body"] + `"}`)
	l.get(http.MethodPost, path, "", l.service.Header(secretBody, now), secretBody)
	l.adapter.parse.Store(false)
	require.Eventually(t, func() bool { return l.delivered.Load() > 0 }, 20*time.Second, 10*time.Millisecond)
	// People of their own for what panics: their work is put off then.
	bob := store.Connection{}
	for upstream, bug := range map[string]*atomic.Bool{"u2": &l.adapter.fetch, "u3": &l.adapter.refresh} {
		before := l.adapter.panics.Load()
		bob = l.connect("person "+upstream, upstream)
		if bug == &l.adapter.refresh {
			l.service.ExpireAccess(upstream)
		}
		bug.Store(true)
		require.Eventually(t, func() bool { return l.adapter.panics.Load() > before }, 20*time.Second, time.Millisecond, upstream)
		bug.Store(false)
	}
	l.get(http.MethodGet, "/connect/"+provsim.Name, "cyd", nil, nil)
	l.get(http.MethodGet, "/nothing/"+l.secrets["client secret"][:6], "", nil, nil)
	stop()
	require.NoError(t, <-ended)

	var export bytes.Buffer
	manifest, err := l.engine.Export(ctx, "ada", &export)
	require.NoError(t, err)
	l.hear("manifest", manifest)
	l.hear("export", export.String())
	dead, err := l.engine.DeadLetters(ctx, "", 100)
	require.NoError(t, err)
	l.hear("dead letters", len(dead))
	l.err("disconnect", l.engine.Disconnect(ctx, bob.ID, true))
	receipt, err := l.engine.Erase(ctx, "ada")
	l.err("erase", err)
	l.hear("receipt", receipt)
	l.err("sync", l.sync(conn))
	l.hear("engine", fmt.Sprintf("%v %+v", l.engine, l.engine))

	l.keptSecrets()
	l.mu.Lock()
	defer l.mu.Unlock()
	counts["secrets"], counts["bytes searched"] = len(l.secrets), l.text.Len()
	counts["forms of each"] = len(forms("a secret"))
	for _, what := range []string{"log", "error of sync", "error of complete", "audit", "alarm", "refreshed", "delivered", "state", "answer"} {
		require.NotZero(t, l.heard[what], "no %s was heard", what)
	}
	// The search finds what is there.
	require.NotEmpty(t, leaksIn("x"+url.QueryEscape(l.secrets["client secret"])+"y", l.secrets))
}

// keptSecrets requires that nothing that was heard has a secret in it.
func (l *life) keptSecrets() {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, secret := range l.service.MintedSecrets() {
		l.secrets[fmt.Sprint("token ", i)] = secret
	}
	require.Empty(l.t, leaksIn(l.text.String(), l.secrets))
}

// TestNoSecretLeavesARefresh has the service answer refreshes with whatever a
// client must survive, and with what it was sent.
func TestNoSecretLeavesARefresh(t *testing.T) {
	var faults []provsim.Fault
	for _, reply := range provsim.TokenReplies() {
		if reply.Fault.Before+reply.Fault.After == 0 { // others are only slow
			faults = append(faults, reply.Fault)
		}
	}
	faults = append(faults, []provsim.Fault{
		{Status: 400, Body: `{"error":"invalid_grant","error_description":"the token $OLD was replaced by $REFRESH and $ACCESS"}`, Work: provsim.WorkPair},
		{Status: 400, Body: `{"error":"$OLD","error_description":"$OLD"}`},
		{Status: 307, Header: map[string]string{"Location": "https://evil.example.com/?token=$OLD"}, Body: "$OLD"},
		{Status: 500, Body: "<html>$OLD $ACCESS $REFRESH</html>", Work: provsim.WorkPair},
		{Status: 200, Body: `{"access_token":{"$ACCESS":"$REFRESH"}}`, Work: provsim.WorkPair},
		{Status: 200, Body: `{"access_token":"$ACCESS","refresh_token":"$REFRESH","token_type":"$OLD","expires_in":"$OLD","scope":"$OLD"}`, Work: provsim.WorkPair},
		{Status: 401, Body: `{"error":"invalid_client","error_description":"$OLD"}`},
		{Break: provsim.BreakHalf}, {Break: provsim.BreakAfter},
	}...)
	proof.Row(t, "X1", proof.Counts{"token answers": len(faults)})
	for i, f := range faults {
		l := newLife(t)
		conn := l.connect("ada", "u1")
		l.service.ExpireAccess("u1")
		f.On, f.Grant = "token", "refresh_token"
		l.service.Inject(f)
		_ = l.sync(conn)
		_ = l.sync(conn)
		require.Positive(t, l.heard["refreshed"], "answer %d", i)
		l.keptSecrets()
	}
}

// TestValuesHideTheirSecrets prints, encodes and logs every exported value that
// holds a secret, in every way.
func TestValuesHideTheirSecrets(t *testing.T) {
	l := newLife(t)
	conn := l.connect("ada", "u1")
	text := "canary+secret/ü\"" + randomHex(16)
	secret := providers.NewSecret(text)
	credential := providers.Credential{Access: secret, Refresh: secret, TokenSecret: secret}
	sealed, err := l.store.Credential(t.Context(), conn.ID)
	require.NoError(t, err)
	key := make([]byte, 32)
	_, err = rand.Read(key)
	require.NoError(t, err)
	ring, err := healthsync.NewKeyring(healthsync.Key{ID: "k", Secret: key})
	require.NoError(t, err)
	scale, err := withings.New(withings.Config{ClientID: "id", ClientSecret: secret})
	require.NoError(t, err)
	values := map[string]any{
		"Secret": secret, "Credential": credential, "*Credential": &credential, "Grant": providers.Grant{Credential: credential},
		"AuthStart": providers.AuthStart{Secret: secret}, "Callback": providers.Callback{Secret: secret},
		"withings.Config": withings.Config{ClientSecret: secret}, "*withings.Provider": scale,
		"provsim.AdapterConfig": provsim.AdapterConfig{ClientSecret: secret, SigningSecrets: []providers.Secret{secret}},
		"*provsim.Provider":     l.adapter.Provider, "*Keyring": ring, "Keyring": *ring,
		"sync.Config": healthsync.Config{Sealer: ring, Providers: []providers.Provider{scale, l.adapter}},
		"*Engine":     l.engine, "store.Credential": sealed,
	}
	verbs := 0
	hidden := maps.Clone(l.secrets)
	hidden["canary"], hidden["key"] = text, string(key)
	for i, token := range l.service.MintedSecrets() {
		hidden[fmt.Sprint("token ", i)] = token
	}
	for name, v := range values {
		var out bytes.Buffer
		for verb := 'A'; verb <= 'z'; verb++ {
			for _, flags := range []string{"", "+", "#", " ", "10", ".3"} {
				fmt.Fprintf(&out, "%"+flags+string(verb)+"\n", v)
				verbs++
			}
		}
		encoded, err := json.Marshal(v)
		fmt.Fprintln(&out, string(encoded), err)
		encoded, err = xml.Marshal(v)
		fmt.Fprintln(&out, string(encoded), err)
		fmt.Fprintln(&out, gob.NewEncoder(&out).Encode(v))
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).With("with", v).Info("message", "value", v, slog.Group("group", "value", v), "list", []any{v})
		}
		log.New(&out, "", 0).Println(v)
		fmt.Fprintln(&out, fmt.Errorf("with %v", v))
		func() {
			defer func() { fmt.Fprint(&out, recover()) }()
			panic(v)
		}()
		require.Empty(t, leaksIn(out.String(), hidden), name)
	}
	proof.Row(t, "X1", proof.Counts{"values": len(values), "formats of each": verbs / len(values)})
}

// TestHostIsLeftAlone: an engine at work changes nothing in the process that is
// not its own, and outlives hooks that panic and hooks that block.
func TestHostIsLeftAlone(t *testing.T) {
	proof.Row(t, "X13", proof.Counts{"hooks": 10, "ways to misbehave": 2})
	before := hostState()

	l := newLife(t)
	ada, bob := l.connect("ada", "u1"), l.connect("bob", "u2")
	l.hookPanics.Store(true)
	for range 3 {
		require.NoError(t, l.sync(ada), "a hook that panics does not stop the work")
		l.service.ExpireAccess("u1")
	}
	l.hookPanics.Store(false)
	records := 0
	for _, err := range store.AllRecords(t.Context(), l.store, store.RecordQuery{User: "ada"}) {
		require.NoError(t, err)
		records++
	}
	require.NotZero(t, records)

	// A hook that blocks on one connection delays that one, and nobody else.
	release, blocked := make(chan struct{}), make(chan struct{})
	var once sync.Once
	engine, err := healthsync.New(healthsync.Config{
		Providers: []providers.Provider{l.adapter}, Store: l.store, Sealer: l.ring(t), History: -1, ReconcileEvery: -1, MaxWait: -1,
		Hooks: healthsync.Hooks{PageCommitted: func(_ context.Context, e healthsync.PageEvent) {
			if e.Connection == ada.ID {
				once.Do(func() { close(blocked) })
				<-release
			}
		}},
	})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := engine.Sync(t.Context(), ada.ID)
		done <- err
	}()
	<-blocked
	_, err = engine.Sync(t.Context(), bob.ID)
	require.NoError(t, err, "while the other one's hook blocks")
	select {
	case err := <-done:
		require.Fail(t, "the hook did not block", "%v", err)
	default:
	}
	close(release)
	require.NoError(t, <-done)
	require.Equal(t, before, hostState())
}

// ring returns the keyring of the life's engine.
func (l *life) ring(t *testing.T) *healthsync.Keyring {
	ring, err := healthsync.NewKeyring(healthsync.Key{ID: "k1", Secret: l.key})
	require.NoError(t, err)
	return ring
}

// hostState describes what belongs to the process.
func hostState() map[string]any {
	var flags []string
	flag.VisitAll(func(f *flag.Flag) { flags = append(flags, f.Name+"="+f.Value.String()) })
	folder, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	env := os.Environ()
	slices.Sort(env)
	_, pattern := http.DefaultServeMux.Handler(httptest.NewRequest(http.MethodGet, "/webhooks/provsim", nil))
	_, connect := http.DefaultServeMux.Handler(httptest.NewRequest(http.MethodGet, "/connect/provsim", nil))
	return map[string]any{
		"flags": flags, "folder": folder, "environment": env, "default mux": pattern + connect,
		"default client":    fmt.Sprintf("%p %+v", http.DefaultClient, *http.DefaultClient),
		"default transport": fmt.Sprintf("%p", http.DefaultTransport), "default log": fmt.Sprintf("%p %d %q", log.Default(), log.Flags(), log.Prefix()),
		"default logger": fmt.Sprintf("%p", slog.Default()), "log's writer": fmt.Sprintf("%p", log.Writer()),
		"processors": runtime.GOMAXPROCS(0), "local zone": time.Local.String(),
	}
}
