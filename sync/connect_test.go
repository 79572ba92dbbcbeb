package sync_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/faultstore"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// counted counts what the engine asks of an adapter that changes something.
type counted struct {
	*provsim.Provider
	capabilities func(*providers.Capabilities)

	exchanges, revokes, refreshes atomic.Int64
	revokeError                   atomic.Pointer[error]
}

func (c *counted) Capabilities() providers.Capabilities {
	facts := c.Provider.Capabilities()
	if c.capabilities != nil {
		c.capabilities(&facts)
	}
	return facts
}

func (c *counted) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	c.exchanges.Add(1)
	return c.Provider.Exchange(ctx, cb)
}

func (c *counted) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	c.refreshes.Add(1)
	return c.Provider.Refresh(ctx, cred)
}

func (c *counted) Revoke(ctx context.Context, cred providers.Credential) error {
	c.revokes.Add(1)
	if err := c.revokeError.Load(); err != nil {
		return *err
	}
	return c.Provider.Revoke(ctx, cred)
}

// portal is an engine over provsim with two providers of it, the host's users,
// and browsers.
type portal struct {
	*provsim.Service
	api    *counted
	store  store.Store
	cfg    healthsync.Config
	engine *healthsync.Engine

	mu     gosync.Mutex
	audits []healthsync.AuditEvent
	states []healthsync.StateEvent
	alarms []healthsync.AlarmEvent
}

const publicURL = "https://host.example.com/mux"

func newPortal(t testing.TB, s store.Store, sim provsim.Config, change func(*portal)) *portal {
	sim.RedirectURLs = []string{publicURL + "/callback/provsim", publicURL + "/callback/other", provsim.DefaultRedirectURL}
	p := &portal{Service: provsim.NewService(sim), store: s}
	adapter := func(name string) *provsim.Provider {
		a, err := provsim.New(provsim.AdapterConfig{
			Name: name, BaseURL: "https://provsim.example.com", MaxWait: -1, Rotation: sim.Rotation,
			RedirectURL: publicURL + "/callback/" + name, Transport: providertest.Transport(p.Service),
		})
		require.NoError(t, err)
		return a
	}
	p.api = &counted{Provider: adapter("provsim")}
	p.cfg = healthsync.Config{
		Providers: []providers.Provider{p.api, adapter("other")}, Store: s, Sealer: newKeyring(t), MaxWait: -1, History: -1,
		ReconcileEvery: -1, PublicURL: publicURL,
		ReturnTo: map[string]string{"done": "https://host.example.com/devices?tab=2", "app": "com.example.app://done"},
		Authenticate: func(r *http.Request) (string, error) {
			user := r.Header.Get("X-User")
			if user == "" {
				return "", http.ErrNoCookie
			}
			return user, nil
		},
		Hooks: healthsync.Hooks{
			Audit: func(_ context.Context, e healthsync.AuditEvent) {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.audits = append(p.audits, e)
			},
			StateChanged: func(_ context.Context, e healthsync.StateEvent) {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.states = append(p.states, e)
			},
			Alarm: func(_ context.Context, e healthsync.AlarmEvent) {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.alarms = append(p.alarms, e)
			},
		},
	}
	if change != nil {
		change(p)
	}
	p.engine = p.another(t)
	return p
}

// another returns a second engine on the same store, as a restart makes one.
func (p *portal) another(t testing.TB) *healthsync.Engine {
	engine, err := healthsync.New(p.cfg)
	require.NoError(t, err)
	return engine
}

// audited lists what was audited, as "action outcome".
func (p *portal) audited() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for _, e := range p.audits {
		list = append(list, e.Action+" "+e.Outcome)
	}
	return list
}

func (p *portal) alarmed(kind healthsync.AlarmKind) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, e := range p.alarms {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// browser is one person's: it keeps cookies and follows nothing.
type browser struct {
	*portal
	user string
	jar  http.CookieJar
}

func (p *portal) browser(t testing.TB, user string) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{p, user, jar}
}

func (b *browser) get(engine *healthsync.Engine, method, address string) *http.Response {
	r := httptest.NewRequest(method, address, nil)
	r.URL.Path = strings.TrimPrefix(r.URL.Path, "/mux")
	r.Header.Set("X-User", b.user)
	u := *r.URL
	for _, c := range b.jar.Cookies(&u) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	engine.Handler().ServeHTTP(w, r)
	resp := w.Result()
	b.jar.SetCookies(&u, resp.Cookies())
	return resp
}

// consent begins a flow at /connect and returns the address that the provider
// sends the browser of the person back to.
func (b *browser) consent(t testing.TB, account, returnTo string) string {
	address := publicURL + "/connect/provsim"
	if returnTo != "" {
		address += "?return_to=" + returnTo
	}
	resp := b.get(b.engine, http.MethodGet, address)
	require.Equal(t, http.StatusSeeOther, resp.StatusCode)
	back, err := b.Consent(account, resp.Header.Get("Location"))
	require.NoError(t, err)
	return back
}

// with returns an address with parameters set; "-" removes one, and "+x" adds
// a second one.
func with(t testing.TB, address string, pairs ...string) string {
	u, err := url.Parse(address)
	require.NoError(t, err)
	q := u.Query()
	for i := 0; i < len(pairs); i += 2 {
		switch value := pairs[i+1]; {
		case value == "-":
			q.Del(pairs[i])
		case strings.HasPrefix(value, "+"):
			q.Add(pairs[i], value[1:])
		default:
			q.Set(pairs[i], value)
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func text(t testing.TB, resp *http.Response) string {
	var b strings.Builder
	_, err := fmt.Fprint(&b, resp.Status, " ")
	require.NoError(t, err)
	buf := make([]byte, 4096)
	n, _ := resp.Body.Read(buf)
	return b.String() + string(buf[:n])
}

// TestCallbacks is the table of bad callbacks. Each row has a flow of its own
// and says how many codes were exchanged.
func TestCallbacks(t *testing.T) {
	bad := func(t *testing.T, resp *http.Response) {
		require.Equal(t, "400 Bad Request bad request\n", text(t, resp), "one answer for everything")
		require.Empty(t, resp.Header.Get("Location"))
	}
	outcome := func(word string) func(*testing.T, *http.Response) {
		return func(t *testing.T, resp *http.Response) {
			require.Equal(t, http.StatusSeeOther, resp.StatusCode)
			u, err := url.Parse(resp.Header.Get("Location"))
			require.NoError(t, err)
			require.Equal(t, "https://host.example.com/devices", u.Scheme+"://"+u.Host+u.Path)
			require.Equal(t, "2", u.Query().Get("tab"))
			require.Equal(t, word, u.Query().Get("outcome"))
			require.Equal(t, word == "connected" || word == "already_connected", u.Query().Get("connection") != "")
		}
	}
	for _, c := range []struct {
		row       string
		callback  func(t *testing.T, b *browser, back string) *http.Response
		want      func(*testing.T, *http.Response)
		exchanges int64
		// usable is set when the flow can still be ended afterwards.
		usable bool
	}{
		{"O1 no state", func(t *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", with(t, back, "state", "-"))
		}, bad, 0, true},
		{"O1 empty state", func(t *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", with(t, back, "state", ""))
		}, bad, 0, true},
		{"O1 state of 10 KB", func(t *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", with(t, back, "state", strings.Repeat("x", 10<<10)))
		}, bad, 0, true},
		{"O1 state twice", func(t *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", with(t, back, "state", "+x"))
		}, bad, 0, true},
		{"O1 query that cannot be read", func(_ *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", back+"&x=%zz")
		}, bad, 0, true},
		{"O2 and O8 state again", func(t *testing.T, b *browser, back string) *http.Response {
			outcome("connected")(t, b.get(b.engine, "GET", back))
			outcome("already_connected")(t, b.get(b.engine, "GET", back))
			return b.get(b.another(t), "GET", back)
		}, outcome("already_connected"), 1, false},
		{"O8 again in another browser", func(t *testing.T, b *browser, back string) *http.Response {
			outcome("connected")(t, b.get(b.engine, "GET", back))
			return b.browser(t, b.user).get(b.engine, "GET", back)
		}, bad, 1, false},
		{"O3 other browser", func(t *testing.T, b *browser, back string) *http.Response {
			return b.browser(t, b.user).get(b.engine, "GET", back)
		}, bad, 0, true},
		{"O3 other browser with a flow of its own", func(t *testing.T, b *browser, back string) *http.Response {
			thief := b.browser(t, "mallory")
			thief.consent(t, "u2", "")
			return thief.get(b.engine, "GET", back)
		}, bad, 0, true},
		{"O3 other provider", func(_ *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", strings.Replace(back, "/callback/provsim", "/callback/other", 1))
		}, bad, 0, true},
		{"O3 other provider in the state", func(t *testing.T, b *browser, back string) *http.Response {
			u, _ := url.Parse(back)
			return b.get(b.engine, "GET", with(t, back, "state", strings.Replace(u.Query().Get("state"), ".provsim", ".other", 1)))
		}, bad, 0, true},
		{"O3 other store", func(t *testing.T, b *browser, back string) *http.Response {
			other := newPortal(t, store.NewMemory(), provsim.Config{}, nil)
			return b.get(other.engine, "GET", back)
		}, bad, 0, true},
		{"O5 denied", func(t *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", with(t, back, "error", "access_denied", "code", "-"))
		}, outcome("denied"), 0, false},
		{"O5 refused for another reason", func(t *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", with(t, back, "error", "server_error", "code", "-"))
		}, outcome("failed"), 0, false},
		{"O6 code and error", func(t *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", with(t, back, "error", "access_denied"))
		}, outcome("denied"), 0, false},
		{"O7 two codes", func(t *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", with(t, back, "code", "+another"))
		}, bad, 0, true},
		{"O9 other issuer", func(t *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", with(t, back, "iss", "https://evil.example.com"))
		}, bad, 0, true},
		{"O9 no issuer", func(t *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", with(t, back, "iss", "-"))
		}, bad, 0, true},
		{"O11 account of another user", func(t *testing.T, b *browser, back string) *http.Response {
			other := b.browser(t, "bob")
			outcome("connected")(t, other.get(b.engine, "GET", other.consent(t, "u1", "done")))
			return b.get(b.engine, "GET", back)
		}, outcome("linked"), 2, false},
		{"HEAD spends nothing", func(_ *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "HEAD", back)
		}, func(t *testing.T, resp *http.Response) {
			require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
		}, 0, true},
		{"code that the service refuses", func(t *testing.T, b *browser, back string) *http.Response {
			return b.get(b.engine, "GET", with(t, back, "code", "guessed"))
		}, outcome("failed"), 1, false},
	} {
		t.Run(c.row, func(t *testing.T) {
			p := newPortal(t, store.NewMemory(), provsim.Config{Users: 3, Issuer: "https://provsim.example.com"}, func(p *portal) {
				p.api.capabilities = func(c *providers.Capabilities) { c.Issuer = "https://provsim.example.com" }
			})
			ada := p.browser(t, "ada")
			back := ada.consent(t, "u1", "done")
			c.want(t, c.callback(t, ada, back))
			require.Equal(t, c.exchanges, p.api.exchanges.Load())
			resp := ada.get(p.engine, "GET", back)
			if c.usable {
				outcome("connected")(t, resp)
			} else {
				require.Equal(t, c.exchanges, p.api.exchanges.Load(), "a flow that ended is not begun again")
			}
		})
	}
}

// TestExpiredState is row O4, on fake time.
func TestExpiredState(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPortal(t, store.NewMemory(), provsim.Config{CodeLife: time.Hour}, nil)
		ada := p.browser(t, "ada")
		late, early := ada.consent(t, "u1", ""), ada.consent(t, "u1", "")
		time.Sleep(10*time.Minute - time.Second)
		require.Equal(t, "200 OK connected\n", text(t, ada.get(p.engine, "GET", early)))
		time.Sleep(time.Second)
		require.Equal(t, http.StatusBadRequest, ada.get(p.engine, "GET", late).StatusCode)
		require.EqualValues(t, 1, p.api.exchanges.Load())
	})
}

// TestReturnTo is row O10: only names are taken, and only known ones.
func TestReturnTo(t *testing.T) {
	p := newPortal(t, store.NewMemory(), provsim.Config{Users: 3}, nil)
	ada := p.browser(t, "ada")
	for _, to := range []string{"//evil", "https:evil", `\evil`, "javascript:alert(1)", "https://evil.example.com", "Done", "done "} {
		resp := ada.get(p.engine, "GET", publicURL+"/connect/provsim?return_to="+url.QueryEscape(to))
		require.Equal(t, "400 Bad Request bad request\n", text(t, resp), to)
		_, err := p.engine.Connect(t.Context(), healthsync.ConnectRequest{User: "ada", Provider: "provsim", ReturnTo: to})
		require.ErrorIs(t, err, store.ErrInvalid)
	}
	// A name in the callback is not asked for.
	back := with(t, ada.consent(t, "u1", ""), "return_to", "done")
	require.Equal(t, "200 OK connected\n", text(t, ada.get(p.engine, "GET", back)))
	require.Equal(t, "200 OK already connected\n", text(t, ada.get(p.engine, "GET", back)))
	app := ada.get(p.engine, "GET", ada.consent(t, "u2", "app"))
	require.True(t, strings.HasPrefix(app.Header.Get("Location"), "com.example.app://done?connection="), app.Header.Get("Location"))
}

func TestConnectRoute(t *testing.T) {
	p := newPortal(t, store.NewMemory(), provsim.Config{}, nil)
	ada := p.browser(t, "ada")
	for _, c := range []struct {
		user, method, path string
		status             int
	}{
		{"", "GET", "/connect/provsim", 401}, {"ada", "GET", "/connect/unknown", 404}, {"ada", "PUT", "/connect/provsim", 405},
		{"ada", "GET", "/connect/Provsim", 404}, {"ada", "GET", "/callback/unknown", 404}, {"ada", "POST", "/callback/provsim", 405},
		{"ada", "POST", "/connect/provsim", 303},
	} {
		ada.user = c.user
		resp := ada.get(p.engine, c.method, publicURL+c.path)
		require.Equal(t, c.status, resp.StatusCode, "%s %s", c.method, c.path)
		if c.status == 303 {
			require.Len(t, resp.Cookies(), 1)
			cookie := resp.Cookies()[0]
			require.True(t, strings.HasPrefix(cookie.Name, "__Host-"))
			require.True(t, cookie.Secure && cookie.HttpOnly && cookie.Path == "/" && cookie.Domain == "")
			require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
			require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
		}
	}
	ada.user = "ada"
	_, err := p.engine.Erase(t.Context(), "ada")
	require.NoError(t, err)
	require.Equal(t, 403, ada.get(p.engine, "GET", publicURL+"/connect/provsim").StatusCode)

	p.cfg.Authenticate = nil
	require.Equal(t, 404, ada.get(p.another(t), "GET", publicURL+"/connect/provsim").StatusCode)
	p.cfg.PublicURL = "http://127.0.0.1:8080"
	p.cfg.Authenticate = func(*http.Request) (string, error) { return "bob", nil }
	cookie := ada.get(p.another(t), "GET", "http://127.0.0.1:8080/connect/provsim").Cookies()[0]
	require.False(t, cookie.Secure)
	require.True(t, strings.HasPrefix(cookie.Name, "vitalmux-"))
}

// TestStateIsUsedOnce is X8: of 64 callbacks with one state at once, among them
// some in other browsers and at other addresses, one connects.
func TestStateIsUsedOnce(t *testing.T) {
	const parallel = 64
	rounds := map[string]int{"memory": proof.N(60, 500), "sqlite": proof.N(60, 500), "redis": proof.N(15, 500)}
	counts := proof.Counts{"callbacks of each": parallel}
	proof.Row(t, "X8", counts)
	for name, open := range stores(t) {
		counts["states in "+name] = rounds[name]
		t.Run(name, func(t *testing.T) {
			s, _ := open(t)
			p := newPortal(t, s, provsim.Config{Users: 1, CodeLife: time.Hour}, nil)
			engines := []*healthsync.Engine{p.engine, p.another(t)}
			for round := range rounds[name] {
				ada, other := p.browser(t, "ada"), p.browser(t, "ada")
				back := ada.consent(t, "u1", "done")
				before := p.api.exchanges.Load()
				if round%5 == 0 {
					engines[1] = p.another(t) // after a restart
				}
				var connected, again, refused atomic.Int64
				var working gosync.WaitGroup
				for i := range parallel {
					working.Go(func() {
						b, address := ada, back
						switch i % 8 {
						case 1:
							b = other
						case 2:
							address = strings.Replace(back, "/callback/provsim", "/callback/other", 1)
						}
						resp := b.get(engines[i%2], "GET", address)
						location := resp.Header.Get("Location")
						switch {
						case strings.Contains(location, "outcome=connected"):
							connected.Add(1)
						case strings.Contains(location, "outcome=already_connected"):
							again.Add(1)
						case resp.StatusCode == http.StatusBadRequest:
							refused.Add(1)
						}
					})
				}
				working.Wait()
				require.EqualValues(t, 1, connected.Load())
				require.EqualValues(t, parallel, connected.Load()+again.Load()+refused.Load())
				require.GreaterOrEqual(t, refused.Load(), int64(parallel/4), "other browsers and addresses")
				require.EqualValues(t, 1, p.api.exchanges.Load()-before)
			}
			conns, err := p.engine.Connections(t.Context(), "ada")
			require.NoError(t, err)
			require.Len(t, conns, 1, "the same account is the same connection")
		})
	}
}

func TestRedirectAddresses(t *testing.T) {
	p := newPortal(t, store.NewMemory(), provsim.Config{}, nil)
	for _, address := range []string{ // row C4
		"http://host.example.com/cb", "https://host.example.com/cb#x", "https://*.example.com/cb", "//host/cb", "https://u@host/cb",
		"javascript:alert(1)", "myapp:cb", `https:\\host`, "https://host.example.com/c b", "http://192.168.1.1/cb", "cb",
	} {
		_, err := p.engine.Connect(t.Context(), healthsync.ConnectRequest{User: "ada", Provider: "provsim", RedirectURL: address})
		require.ErrorIs(t, err, store.ErrInvalid, address)
	}
	for _, address := range []string{"http://127.0.0.1:1/cb", "http://localhost/cb", "http://[::1]/cb", "com.example.app:/cb", provsim.DefaultRedirectURL} {
		_, err := p.engine.Connect(t.Context(), healthsync.ConnectRequest{User: "ada", Provider: "provsim", RedirectURL: address})
		require.NoError(t, err, address)
		// Row C5: one address is of one provider.
		_, err = p.engine.Connect(t.Context(), healthsync.ConnectRequest{User: "ada", Provider: "other", RedirectURL: address})
		require.ErrorIs(t, err, store.ErrInvalid, address)
	}
	_, err := p.engine.Connect(t.Context(), healthsync.ConnectRequest{
		User: "ada", Provider: "other", RedirectURL: publicURL + "/callback/provsim",
	})
	require.ErrorIs(t, err, store.ErrInvalid)
	for _, provider := range []string{"unknown", "../provsim", "Provsim", ""} { // row C17
		_, err := p.engine.Connect(t.Context(), healthsync.ConnectRequest{User: "ada", Provider: provider})
		require.ErrorIs(t, err, store.ErrInvalid, provider)
	}
}

func TestCompleteFor(t *testing.T) {
	p := newPortal(t, store.NewMemory(), provsim.Config{}, nil)
	address, err := p.engine.Connect(t.Context(), healthsync.ConnectRequest{User: "ada", Provider: "provsim"})
	require.NoError(t, err)
	back, err := p.Consent("u1", address)
	require.NoError(t, err)
	u, err := url.Parse(back)
	require.NoError(t, err)
	for _, provider := range []string{"other", "", "unknown"} {
		_, err = p.engine.CompleteFor(t.Context(), provider, u.Query())
		require.ErrorIs(t, err, healthsync.ErrFlow)
	}
	conn, err := p.engine.CompleteFor(t.Context(), "provsim", u.Query())
	require.NoError(t, err)
	require.Equal(t, "u1", conn.UpstreamID)
}

// oauth1 is an adapter whose flow begins with a temporary secret.
type oauth1 struct{ *clinic }

const temporary = "temporary-secret-canary"

func (o *oauth1) Authorize(_ context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	return providers.AuthStart{
		URL: "https://clinic.example.com/allow?state=" + r.State, Secret: providers.NewSecret("token&" + temporary),
	}, nil
}

func (o *oauth1) Exchange(_ context.Context, cb providers.Callback) (providers.Grant, error) {
	if cb.Secret.Reveal() != "token&"+temporary || cb.Query["oauth_verifier"][0] != "7" {
		return providers.Grant{}, &providers.Error{Provider: "clinic", Op: "exchange", Kind: providers.ErrInvalid}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return providers.Grant{UpstreamID: "account-1", Credential: o.issue()}, nil
}

// TestTemporarySecretsAreSealed looks for the temporary secret, the state and
// the return address of a flow in the bytes of the store.
func TestTemporarySecretsAreSealed(t *testing.T) {
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			db, files := open(t)
			engine, err := healthsync.New(healthsync.Config{
				Providers: []providers.Provider{&oauth1{newClinic(weightWindows)}}, Store: db, Sealer: newKeyring(t), PublicURL: publicURL,
				ReturnTo: map[string]string{"return_canary": "https://host.example.com/"},
			})
			require.NoError(t, err)
			address, err := engine.Connect(t.Context(), healthsync.ConnectRequest{User: "ada", Provider: "clinic", ReturnTo: "return_canary"})
			require.NoError(t, err)
			state := address[strings.Index(address, "state=")+len("state="):]
			if files != nil {
				all := files()
				require.Empty(t, bytesIn(t, all, temporary, "return_canary", state, strings.TrimSuffix(state, ".clinic")))
				require.NotEmpty(t, bytesIn(t, all, "ada"), "the flow is in the file")
			}
			conn, err := engine.Complete(t.Context(), url.Values{"state": {state}, "oauth_token": {"token"}, "oauth_verifier": {"7"}})
			require.NoError(t, err)
			require.Equal(t, "account-1", conn.UpstreamID)
			_, err = engine.Complete(t.Context(), url.Values{"state": {state}, "oauth_verifier": {"7", "8"}})
			require.ErrorIs(t, err, healthsync.ErrFlow)
		})
	}
}

// TestFlowEndedByDelivery covers services that tell the outcome of a flow by a
// signed delivery: the browser proves nothing there.
func TestFlowEndedByDelivery(t *testing.T) {
	p := newPortal(t, store.NewMemory(), provsim.Config{}, func(p *portal) {
		p.api.capabilities = func(c *providers.Capabilities) { c.ConnectByDelivery = true }
	})
	ada := p.browser(t, "ada")
	resp := ada.get(p.engine, "GET", publicURL+"/connect/provsim?return_to=done")
	u, err := url.Parse(resp.Header.Get("Location"))
	require.NoError(t, err)
	state := u.Query().Get("state")
	back := publicURL + "/callback/provsim?return_to=done&code=x&state=" + state
	resp = ada.get(p.engine, "GET", back)
	require.Equal(t, "https://host.example.com/devices?outcome=pending&provider=provsim&tab=2", resp.Header.Get("Location"))
	_, err = p.engine.Complete(t.Context(), url.Values{"state": {state}, "code": {"x"}})
	require.ErrorIs(t, err, healthsync.ErrPending)
	require.Zero(t, p.api.exchanges.Load())

	for _, bad := range []string{"", "guess", state + "x", strings.Replace(state, ".provsim", ".other", 1)} {
		_, err = healthsync.CompleteByReference(t.Context(), p.engine, "provsim", bad, "account-9")
		require.ErrorIs(t, err, healthsync.ErrFlow)
	}
	conn, err := healthsync.CompleteByReference(t.Context(), p.engine, "provsim", state, "account-9")
	require.NoError(t, err)
	require.Equal(t, "ada", conn.User)
	require.Equal(t, store.StateActive, conn.State)
	again, err := healthsync.CompleteByReference(t.Context(), p.engine, "provsim", state, "account-9")
	require.NoError(t, err)
	require.Equal(t, conn.ID, again.ID)
	_, err = healthsync.CompleteByReference(t.Context(), p.engine, "provsim", state, "account-10")
	require.ErrorIs(t, err, healthsync.ErrFlow)
	require.Equal(t, []string{"connect ok", "complete ok"}, p.audited())
}

// TestDeliveredConsent: the delivery that ends a flow was acknowledged, so that a
// store that fails does not lose it; and a person who is known may consent anew.
func TestDeliveredConsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, s := newTampered(t, func(c *mailConfig) {
			c.wrap = func(p *provsim.Provider) providers.Provider { return delivering{p} }
		})
		consent := func(user string) (reference string) {
			address, err := m.engine.Connect(t.Context(), healthsync.ConnectRequest{
				User: user, Provider: "provsim", RedirectURL: provsim.DefaultRedirectURL,
			})
			require.NoError(t, err)
			u, err := url.Parse(address)
			require.NoError(t, err)
			return u.Query().Get("state")
		}
		activated := func() (n int) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, e := range m.states {
				if e.New == store.StateActive {
					n++
				}
			}
			return n
		}
		known := func() []store.Connection {
			conns, err := m.store.Connections(t.Context(), store.ConnectionQuery{})
			require.NoError(t, err)
			return conns
		}
		s.grant = func(context.Context, string, store.Credential) error { return errFlaky }
		m.send(t, provsim.Event{Type: provsim.TypeAuth, User: "u1", Reference: consent("ada")})
		m.work(t, 2*time.Minute)
		s.grant = nil
		m.work(t, time.Hour)
		require.Len(t, known(), 1)
		require.Equal(t, 1, activated())
		require.Equal(t, 1, m.audited("complete"))

		conn := known()[0]
		conn.State = store.StateRevoked
		_, err := m.store.PutConnection(t.Context(), conn)
		require.NoError(t, err)
		m.send(t, provsim.Event{Type: provsim.TypeAuth, User: "u1", Reference: consent("ada")})
		m.work(t, time.Minute)
		require.Equal(t, 2, activated())
		require.Equal(t, 2, m.audited("complete"))

		m.send(t, provsim.Event{Type: provsim.TypeAuth, User: "u1", Reference: consent("bob")})
		m.work(t, time.Minute)
		require.Len(t, known(), 1)
		require.Equal(t, "ada", known()[0].User)
		require.Equal(t, 3, m.audited("complete"), "that it is linked is told")
		m.nothingLeft(t)
	})
}

// delivering is a service that reports the end of a flow by a delivery.
type delivering struct{ *provsim.Provider }

func (d delivering) Capabilities() providers.Capabilities {
	caps := d.Provider.Capabilities()
	caps.ConnectByDelivery = true
	return caps
}

// TestNewConsentKeepsTheConnection: what was read stays, and so do cursors and
// the connection that it continues.
func TestNewConsentKeepsTheConnection(t *testing.T) {
	p := newPortal(t, store.NewMemory(), provsim.Config{}, nil)
	ada := p.browser(t, "ada")
	ada.get(p.engine, "GET", ada.consent(t, "u1", ""))
	conns, err := p.engine.Connections(t.Context(), "ada")
	require.NoError(t, err)
	conn := conns[0]
	conn.Predecessor = "earlier"
	_, err = p.store.PutConnection(t.Context(), conn)
	require.NoError(t, err)
	_, err = p.engine.Sync(t.Context(), conn.ID)
	require.NoError(t, err)
	cursors, err := p.store.Cursors(t.Context(), conn.ID)
	require.NoError(t, err)
	records, err := p.store.Records(t.Context(), store.RecordQuery{User: "ada"})
	require.NoError(t, err)
	require.NotEmpty(t, records.Records)

	require.NoError(t, p.Deauthorize("u1"))
	_, err = p.engine.Sync(t.Context(), conn.ID)
	require.ErrorIs(t, err, providers.ErrReauth)
	require.Equal(t, http.StatusOK, ada.get(p.engine, "GET", ada.consent(t, "u1", "")).StatusCode)
	again, err := p.store.Connection(t.Context(), conn.ID)
	require.NoError(t, err)
	require.Equal(t, store.StateActive, again.State)
	require.Equal(t, "earlier", again.Predecessor)
	kept, err := p.store.Cursors(t.Context(), conn.ID)
	require.NoError(t, err)
	require.Equal(t, cursors, kept)
	_, err = p.engine.Sync(t.Context(), conn.ID)
	require.NoError(t, err)
}

// ending is the store of a process that ends while it links a connection.
type ending struct {
	*store.Memory
	at   string
	over atomic.Bool
}

// reached ends the process, if this is where it ends.
func (s *ending) reached(place string) error {
	if s.at == place {
		s.over.Store(true)
	}
	if s.over.Load() {
		return store.ErrClosed
	}
	return nil
}

func (s *ending) PutGrant(ctx context.Context, replaces string, c store.Credential) error {
	if err := s.reached("before the grant"); err != nil {
		return err
	}
	return s.Memory.PutGrant(ctx, replaces, c)
}

func (s *ending) SwapSetting(ctx context.Context, user, name string, old, value []byte) error {
	if err := s.reached(""); err != nil {
		return err
	}
	return s.Memory.SwapSetting(ctx, user, name, old, value)
}

func (s *ending) PutConnection(ctx context.Context, c store.Connection) (store.Connection, error) {
	if c.State == store.StateActive {
		if err := s.reached("before it is in order"); err != nil {
			return c, err
		}
	}
	c, err := s.Memory.PutConnection(ctx, c)
	if err == nil && c.State == store.StateActive {
		_ = s.reached("in order")
	}
	return c, err
}

func (s *ending) SetDue(ctx context.Context, d store.Due) error {
	if err := s.reached(""); err != nil {
		return err
	}
	return s.Memory.SetDue(ctx, d)
}

// TestLinkedByAProcessThatEnds: a connection whose grant is stored is read, also
// when the process that linked it said nothing more. Without the grant its person
// has to consent again, and it does not hold the account against another user.
func TestLinkedByAProcessThatEnds(t *testing.T) {
	for at, kept := range map[string]bool{"before the grant": false, "before it is in order": true, "in order": true} {
		t.Run(at, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newClinic(weightWindows)
				c.fill(3)
				w := &ward{clinic: c, store: store.NewMemory()}
				first := w.another(t, func(cfg *healthsync.Config) { cfg.Store = &ending{Memory: w.store, at: at} })
				address, err := first.Connect(t.Context(), healthsync.ConnectRequest{
					User: "ada", Provider: "clinic", RedirectURL: "https://host.example.com/callback",
				})
				require.NoError(t, err)
				u, err := url.Parse(address)
				require.NoError(t, err)
				_, err = first.Complete(t.Context(), url.Values{"state": {u.Query().Get("state")}, "code": {"account-1"}})
				require.ErrorIs(t, err, store.ErrClosed)
				stored := func(user string) store.Connection {
					conns, err := w.store.Connections(t.Context(), store.ConnectionQuery{User: user})
					require.NoError(t, err)
					require.Len(t, conns, 1)
					return conns[0]
				}
				linked := stored("ada")
				// News that makes it due does not disturb who may be linking it.
				require.NoError(t, w.store.SetDue(t.Context(), store.Due{Connection: linked.ID, Task: "sync", At: time.Now()}))
				w.engine = w.another(t, nil)
				stop := running(t, w.engine)
				time.Sleep(time.Minute)
				require.Equal(t, linked.State, stored("ada").State)
				time.Sleep(time.Hour)
				stop()
				if kept {
					require.Equal(t, store.StateActive, stored("ada").State)
					require.NotEmpty(t, w.asked())
					return
				}
				require.Equal(t, store.StateReauthRequired, stored("ada").State)
				require.NotEmpty(t, stored("ada").Reason)
				require.Equal(t, store.StateActive, w.connect(t, "bob", "account-1").State)
				none, err := w.store.Connections(t.Context(), store.ConnectionQuery{User: "ada"})
				require.NoError(t, err)
				require.Empty(t, none)
			})
		})
	}
}

// TestFlowStaysUntilItsConnectionIsThere: the delivery that ends a connect flow
// was acknowledged. The store is away for some seconds after the flow was read, or
// the process ends there.
func TestFlowStaysUntilItsConnectionIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		failures int
		works    time.Duration // this process; then another one
		linked   int           // by this one
	}{"the store is away": {6, 5 * time.Minute, 1}, "the process ends": {1000, time.Second, 0}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var faults *faultstore.Store
				m := newMailroom(t, func(c *mailConfig) {
					faults = faultstore.New(c.engine.Store, faultstore.Config{})
					c.engine.Store = faults
					c.wrap = func(p *provsim.Provider) providers.Provider { return delivering{p} }
				})
				state := m.begin(t, "ada")
				faults.Fail("PutConnection", c.failures, faultstore.Unavailable)
				m.send(t, provsim.Event{Type: provsim.TypeAuth, User: "u1", Reference: state})
				m.work(t, c.works)
				require.Len(t, m.all(t), c.linked)
				cfg := m.cfg
				cfg.Store = m.store
				next, err := healthsync.New(cfg)
				require.NoError(t, err)
				stop := running(t, next)
				time.Sleep(5 * time.Minute)
				stop()
				m.nothingLeft(t)
				require.Len(t, m.all(t), 1)
			})
		})
	}
}
