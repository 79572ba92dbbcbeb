package proofs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/failpoint/failpointtest"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// modes are the ways in which services rotate refresh tokens.
func modes() []mode {
	return []mode{
		{"none", providers.RotationNone},
		{"grace", providers.RotationGrace},
		{"replay", providers.RotationReplay},
		{"single_use", providers.RotationSingleUse},
		{"single_use_revoke", providers.RotationSingleUseRevoke},
	}
}

type mode struct {
	name     string
	rotation providers.Rotation
}

// once reports whether a refresh token is accepted once only.
func (m mode) once() bool {
	return m.rotation == providers.RotationSingleUse || m.rotation == providers.RotationSingleUseRevoke
}

// points are the failpoints of a refresh, in order.
func points() []string {
	return []string{
		"after_trigger", "after_flight", "after_lease", "after_reread", "after_quarantine", "after_intent", "before_send",
		"after_send", "after_classify", "before_persist", "after_persist", "before_use", "after_use", "after_release",
	}
}

// underway reports whether at a point the attempt is written down and not
// ended, unsaved whether the service has answered then and the answer is in
// memory only.
func underway(point string) bool {
	i := slices.Index(points(), point)
	return i >= slices.Index(points(), "after_intent") && i <= slices.Index(points(), "before_persist")
}

func unsaved(point string) bool {
	return underway(point) && point != "after_intent" && point != "before_send"
}

// world is a service with its people, all connected, and the store that the
// engines of all children share. Whoever is person u1 for the service is user
// "person u1" for the host.
type world struct {
	t       *testing.T
	job     job // what all children have in common
	dir     string
	service *provsim.Service
	server  *httptest.Server
	redis   *redistest.Server // of the store, if it is there
	store   store.Store
	ring    *healthsync.Keyring
	engine  *healthsync.Engine // only for consents
	scopes  []string
	tasks   []task // one for each person
	conns   map[string]store.Connection

	firstUses, unstored atomic.Int64

	mu sync.Mutex
	// verifiers are the PKCE verifiers that the parent's engine sent.
	verifiers []string
	// waiting are the children at the barrier, by round.
	waiting map[int]*gathering
}

type gathering struct {
	there int
	open  chan struct{}
}

// worldConfig describes a world.
type worldConfig struct {
	on      backend
	service provsim.Config
	scopes  []string // nil is daily only
	// children is how many come to the barrier.
	children int
	// onRound is called when all are there, before they go on.
	onRound func(w *world)
	sealRaw bool
}

func newWorld(t *testing.T, c worldConfig) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), conns: make(map[string]store.Connection), waiting: make(map[int]*gathering)}
	c.service.GraceFor, c.service.ReplayWindow = time.Hour, time.Hour
	c.service.ClientSecret = `client+secret/ü"` + randomHex(16)
	c.service.SigningSecrets = []string{`signing+secret/ü"` + randomHex(16)}
	c.service.OnFirstUse = w.firstUse
	w.service = provsim.NewService(c.service)
	mux := http.NewServeMux()
	mux.Handle("/", w.service)
	mux.HandleFunc("POST /barrier", func(_ http.ResponseWriter, r *http.Request) {
		round, err := strconv.Atoi(r.URL.Query().Get("round"))
		if err != nil {
			panic(err)
		}
		w.gather(r, round, c)
	})
	w.server = httptest.NewServer(mux)
	t.Cleanup(w.server.Close)
	key := make([]byte, 32)
	_, err := rand.Read(key)
	require.NoError(t, err)
	var address string
	address, w.redis = c.on.serve(t, w.dir)
	w.job = job{
		Store: address, BaseURL: w.server.URL, Key: key, Rotation: c.service.Rotation,
		Spill: filepath.Join(w.dir, "spill"), SealRaw: c.sealRaw, Workers: 4, Patience: time.Minute,
		ClientSecret: c.service.ClientSecret, SigningSecret: c.service.SigningSecrets[0],
		Barrier: w.server.URL + "/barrier",
	}
	w.connect(c.scopes)
	return w
}

// connect has every person consent, by the flow.
func (w *world) connect(scopes []string) {
	ctx, base := w.t.Context(), &http.Transport{}
	w.t.Cleanup(base.CloseIdleConnections)
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/oauth/token" && r.GetBody != nil {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			var text bytes.Buffer
			if _, err := text.ReadFrom(body); err != nil {
				return nil, err
			}
			form, err := url.ParseQuery(text.String())
			if err != nil {
				return nil, err
			}
			w.mu.Lock()
			w.verifiers = append(w.verifiers, form.Get("code_verifier"))
			w.mu.Unlock()
		}
		return base.RoundTrip(r)
	})
	kept, engine, err := w.job.engine(ctx, transport, nil)
	require.NoError(w.t, err)
	w.ring, err = healthsync.NewKeyring(w.job.key())
	require.NoError(w.t, err)
	w.store = kept
	w.t.Cleanup(func() { require.NoError(w.t, kept.Close()) })
	if scopes == nil {
		scopes = []string{provsim.StreamDaily}
	}
	w.engine, w.scopes = engine, scopes
	for _, user := range w.service.Users() {
		conn := w.consent(user)
		w.mu.Lock()
		w.conns[user] = conn
		w.mu.Unlock()
		w.tasks = append(w.tasks, task{User: user, Connection: conn.ID, Times: 1})
	}
}

// consent has a person consent, or do so again.
func (w *world) consent(user string) store.Connection {
	w.t.Helper()
	address, err := w.engine.Connect(w.t.Context(), healthsync.ConnectRequest{
		User: "person " + user, Provider: provsim.Name, RedirectURL: provsim.DefaultRedirectURL, Scopes: w.scopes,
	})
	require.NoError(w.t, err)
	back, err := w.service.Consent(user, address)
	require.NoError(w.t, err)
	u, err := url.Parse(back)
	require.NoError(w.t, err)
	conn, err := w.engine.Complete(w.t.Context(), u.Query())
	require.NoError(w.t, err)
	return conn
}

// gather holds a child until all are there.
func (w *world) gather(r *http.Request, round int, c worldConfig) {
	w.mu.Lock()
	g := w.waiting[round]
	if g == nil {
		g = &gathering{open: make(chan struct{})}
		w.waiting[round] = g
	}
	g.there++
	if g.there == c.children {
		c.onRound(w)
		close(g.open)
	}
	w.mu.Unlock()
	select {
	case <-g.open:
	case <-r.Context().Done():
	}
}

// firstUse looks whether the pair of an access token that arrives is stored:
// the refresh token that came with it is the one in the store.
func (w *world) firstUse(u provsim.FirstUse) {
	w.firstUses.Add(1)
	w.mu.Lock()
	conn, ok := w.conns[u.User]
	w.mu.Unlock()
	if !ok {
		return // the flow has not ended yet
	}
	c, err := w.store.Credential(context.Background(), conn.ID)
	if err == nil {
		var text string
		if text, err = w.open(conn, c); text == u.Refresh {
			return
		}
	}
	w.unstored.Add(1)
	w.t.Logf("an access token of %s arrived before its pair was stored (%v)", u.User, err)
}

// open returns the refresh token in a stored credential. How the engine seals
// is written here again, so that the parent looks into the store itself.
func (w *world) open(conn store.Connection, c store.Credential) (string, error) {
	id, err := w.store.Setting(context.Background(), "", "store_id")
	if err != nil {
		return "", err
	}
	var place []byte
	for _, field := range []string{"vitalmux v1", string(id), "credential", conn.Provider, conn.User, conn.ID, c.Grant} {
		place = append(binary.AppendUvarint(place, uint64(len(field))), field...)
	}
	text, err := w.ring.Open(context.Background(), place, c.Sealed)
	if err != nil {
		return "", err
	}
	var pair struct{ Refresh string }
	return pair.Refresh, json.Unmarshal(text, &pair)
}

// stored returns a person's connection and credential, and the refresh token in
// it.
func (w *world) stored(user string) (store.Connection, store.Credential, string) {
	w.t.Helper()
	conn, err := w.store.Connection(w.t.Context(), w.conns[user].ID)
	require.NoError(w.t, err)
	c, err := w.store.Credential(w.t.Context(), conn.ID)
	require.NoError(w.t, err)
	text, err := w.open(conn, c)
	require.NoError(w.t, err)
	return conn, c, text
}

// start starts a child with the world's job, changed as wanted.
func (w *world) start(entry, failpoint string, clock time.Duration, change func(*job)) *failpointtest.Process {
	w.t.Helper()
	j := w.job
	j.Tasks = w.tasks
	if change != nil {
		change(&j)
	}
	text, err := json.Marshal(j)
	require.NoError(w.t, err)
	temp := filepath.Join(w.dir, "tmp")
	require.NoError(w.t, os.MkdirAll(temp, 0o700))
	return failpointtest.Start(w.t, failpointtest.Config{
		Entry: entry, Failpoint: failpoint, Timeout: time.Duration(proof.N(2, 120)) * time.Minute,
		Env: []string{
			jobVariable + "=" + string(text), clockVariable + "=" + clock.String(), "TMPDIR=" + temp, "SQLITE_TMPDIR=" + temp,
			"GOMAXPROCS=2",
		},
	})
}

// reach waits until a child is at its failpoint.
func (w *world) reach(p *failpointtest.Process, point, action string) {
	w.t.Helper()
	told, ok := w.reaches(p, point, action)
	if !ok {
		require.Fail(w.t, "the child did not come to its failpoint", "%s: %q, %s", point, told, p.Wait().Stderr)
	}
}

// reaches waits until a child is at its failpoint, or returns false and what it
// told if it ends before.
func (w *world) reaches(p *failpointtest.Process, point, action string) (told []string, ok bool) {
	w.t.Helper()
	for {
		line, ok := p.Line()
		if !ok {
			return told, false
		}
		if line == "failpoint "+point+" "+action || strings.HasPrefix(line, "failpoint "+point+" "+action+":") {
			return told, true
		}
		told = append(told, line)
	}
}

// outcome is what a child told of one Sync.
type outcome struct{ word, detail string }

func (o outcome) String() string { return o.word + " " + o.detail }

// outcomes lets a child end, which it must do well, and returns what it told,
// by person and number.
func (w *world) outcomes(p *failpointtest.Process) map[string][]outcome {
	w.t.Helper()
	all := make(map[string][]outcome)
	for {
		line, ok := p.Line()
		if !ok {
			break
		}
		rest, ok := strings.CutPrefix(line, "outcome ")
		if !ok {
			continue
		}
		parts := strings.SplitN(rest+" ", " ", 4)
		require.Equal(w.t, strconv.Itoa(len(all[parts[0]])), parts[1])
		all[parts[0]] = append(all[parts[0]], outcome{parts[2], strings.TrimSpace(parts[3])})
	}
	w.ended(p)
	return all
}

// ended requires that a child ended well.
func (w *world) ended(p *failpointtest.Process) {
	w.t.Helper()
	exit := p.Wait()
	require.Zero(w.t, exit.Status, "signal %d: %s", exit.Signal, exit.Stderr)
}

// killed requires that a child was killed.
func (w *world) killed(p *failpointtest.Process) {
	w.t.Helper()
	exit := p.Wait()
	require.Equal(w.t, syscall.SIGKILL, exit.Signal, "status %d: %s", exit.Status, exit.Stderr)
}

// settle has a child sync all people once, and then, without their access
// tokens, more times.
func (w *world) settle(clock time.Duration, more int) map[string][]outcome {
	w.t.Helper()
	return w.outcomes(w.start("settle", "", clock, func(j *job) {
		j.LeaseTTL, j.Tasks = unhurried, slices.Clone(j.Tasks)
		for i := range j.Tasks {
			j.Tasks[i].Times, j.Tasks[i].ExpireFrom = 1+more, 1
		}
	}))
}

// nobodyUnstored requires that no access token was used before its pair was
// stored.
func (w *world) nobodyUnstored() {
	w.t.Helper()
	require.Zero(w.t, w.unstored.Load(), "access tokens that arrived before their pair was stored")
}

// eventually waits for a condition.
func (w *world) eventually(within time.Duration, what string, condition func() bool) {
	w.t.Helper()
	require.Eventually(w.t, condition, within, 20*time.Millisecond, what)
}

func randomHex(n int) string {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return hex.EncodeToString(b)
}

// leaks returns which files below a folder hold a secret, as it is or encoded.
func leaks(t *testing.T, dir string, secrets []string) []string {
	t.Helper()
	needles := make(map[string]string)
	for _, secret := range secrets {
		for form, text := range encodings(secret) {
			needles[text] = form
		}
	}
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		// In another process: closing a file would give up the locks that
		// SQLite holds on it in this one (https://sqlite.org/howtocorrupt.html).
		content, err := exec.Command("cat", path).Output()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for text, form := range needles {
			if bytes.Contains(content, []byte(text)) {
				found = append(found, fmt.Sprintf("%s (%s)", filepath.Base(path), form))
			}
		}
		return nil
	})
	require.NoError(t, err)
	return found
}

// encodings returns a secret in the forms in which it may leak.
func encodings(secret string) map[string]string {
	quoted, err := json.Marshal(secret)
	if err != nil {
		panic(err)
	}
	all := map[string]string{
		"raw": secret, "hex": hex.EncodeToString([]byte(secret)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "json": string(quoted[1 : len(quoted)-1]),
	}
	// In the middle of something else base64 looks different by where it begins.
	for shift := range 3 {
		text := append(make([]byte, shift), secret...)
		text = text[:len(text)/3*3]
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.StdEncoding, "base64url": base64.URLEncoding} {
			all[name+strconv.Itoa(shift)] = encoding.EncodeToString(text)[(shift*8+5)/6:]
		}
	}
	return all
}
