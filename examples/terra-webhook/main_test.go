package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
	"github.com/vitalmux/vitalmux/terra"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sevenKinds() []health.Kind {
	return []health.Kind{
		health.KindActivity, health.KindAthlete, health.KindBody, health.KindDaily,
		health.KindMenstruation, health.KindNutrition, health.KindSleep,
	}
}

// TestWalk runs the program as it is run without arguments, and looks at the
// page and into the file.
func TestWalk(t *testing.T) {
	o := options{path: filepath.Join(t.TempDir(), "health.db"), page: "127.0.0.1:0", hooks: "127.0.0.1:0"}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, o, write)
		_ = write.CloseWithError(err)
		ended <- err
	}()
	var address, text string
	lines := bufio.NewScanner(read)
	for !strings.Contains(text, "until Ctrl-C") {
		require.True(t, lines.Scan(), "%s\n%v", text, lines.Err())
		text += lines.Text() + "\n"
		if rest, ok := strings.CutPrefix(lines.Text(), "Open "); ok {
			address, _, _ = strings.Cut(rest, " ")
		}
	}
	for _, want := range []string{"auth arrived", "data arrived", "deauth arrived"} {
		require.Contains(t, text, want)
	}

	page := get(t, address)
	_, rest, _ := strings.Cut(page, "What arrived")
	deliveries, stored, _ := strings.Cut(rest, "What is stored")
	var events []string
	for _, m := range regexp.MustCompile(`<td class="([a-z]+)">`).FindAllStringSubmatch(deliveries, -1) {
		if m[1] != "id" && m[1] != "number" {
			events = append(events, m[1])
		}
	}
	requireStory(t, events)
	for _, kind := range sevenKinds() {
		require.Regexp(t, `<td>`+string(kind)+`</td><td class="number">[1-9]`, stored)
	}
	require.Contains(t, page, `<td class="revoked">revoked: consent taken back</td>`)
	require.Contains(t, page, `http-equiv="refresh"`)
	require.NotContains(t, page, "<script")

	stop()
	go func() { _, _ = io.Copy(io.Discard, read) }()
	require.NoError(t, <-ended)
	requireFile(t, o.path, 1)

	// Another run connects somebody else, in the same file.
	o.once = true
	var second bytes.Buffer
	require.NoError(t, run(t.Context(), o, &second))
	require.Contains(t, second.String(), "deauth arrived")
	requireFile(t, o.path, 2)
}

// requireStory checks that events are auth, then data of all seven kinds, then
// deauth.
func requireStory(t *testing.T, events []string) {
	require.NotEmpty(t, events)
	require.Equal(t, "auth", events[0])
	require.Equal(t, "deauth", events[len(events)-1])
	data := slices.Clone(events[1 : len(events)-1])
	slices.Sort(data)
	var want []string
	for _, kind := range sevenKinds() {
		want = append(want, string(kind))
	}
	require.Equal(t, want, slices.Compact(data))
}

// requireFile checks what is in the file after some people have come and gone.
func requireFile(t *testing.T, path string, people int) {
	db, err := sqlitestore.Open(t.Context(), path, nil)
	require.NoError(t, err)
	defer db.Close()
	notes, err := openJournal(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, notes.close()) }()

	conns, err := db.Connections(t.Context(), store.ConnectionQuery{User: user})
	require.NoError(t, err)
	require.Len(t, conns, people)
	arrivals, err := notes.arrivals(t.Context(), 1000)
	require.NoError(t, err)
	for _, c := range conns {
		require.Equal(t, terra.Name, c.Provider)
		require.Equal(t, store.StateRevoked, c.State)
		var events []string
		for _, a := range arrivals {
			if a.Person == c.UpstreamID {
				events = append(events, a.Event)
			}
		}
		requireStory(t, events)
		for _, kind := range sevenKinds() {
			page, err := db.Records(t.Context(), store.RecordQuery{User: user, Connections: []string{c.ID}, Kinds: []health.Kind{kind}})
			require.NoError(t, err)
			require.NotEmpty(t, page.Records, kind)
			source := page.Records[0].Source
			require.Equal(t, []string{terra.Name, terra.Name, "DUMMY"}, []string{source.Provider, string(source.Path), source.Upstream})
		}
	}
	for _, status := range []store.DeliveryStatus{store.DeliveryDead, store.DeliveryParked} {
		list, err := db.Deliveries(t.Context(), store.DeliveryQuery{Status: status})
		require.NoError(t, err)
		require.Empty(t, list, status)
	}
}

func get(t *testing.T, address string) string {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get(address)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(text)
}

// journalOf returns the journal of a new file.
func journalOf(t *testing.T) *journal {
	path := filepath.Join(t.TempDir(), "health.db")
	db, err := sqlitestore.Open(t.Context(), path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	j, err := openJournal(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.close()) })
	return j
}

func TestJournalNotesWhatWasTaken(t *testing.T) {
	j := journalOf(t)
	const daily = `{"type":"daily","user":{"user_id":"u1","provider":"GARMIN"},"data":[{},{}]}`
	long := `{"type":"daily","data":["` + strings.Repeat("x", 2<<20) + `"]}`
	handler := j.record(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.Header.Get(terra.SignatureHeader) == "forged" {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusOK)
	}))
	for _, step := range []struct {
		method, path, signature, body string
		status, rows                  int
	}{
		{http.MethodPost, "/webhooks/terra", "forged", daily, http.StatusUnauthorized, 0},
		{http.MethodPost, "/webhooks/terra", "one", daily, http.StatusOK, 1},
		{http.MethodPost, "/webhooks/terra", "one", daily, http.StatusOK, 1},
		{http.MethodPost, "/webhooks/terra", "two", daily, http.StatusOK, 2},
		{http.MethodGet, "/callback/terra", "", "", http.StatusOK, 2},
		{http.MethodPost, "/webhooks/terra", "three", "no JSON", http.StatusOK, 3},
		{http.MethodPost, "/webhooks/terra", "four", long, http.StatusOK, 4},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(step.method, step.path, strings.NewReader(step.body))
		r.Header.Set(terra.SignatureHeader, step.signature)
		handler.ServeHTTP(w, r)
		require.Equal(t, step.status, w.Code)
		list, err := j.arrivals(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, list, step.rows, "%+v", step.signature)
	}
	list, err := j.arrivals(t.Context(), 10)
	require.NoError(t, err)
	list[0].At = ""
	require.Equal(t, arrival{Event: "daily", Upstream: "GARMIN", Person: "u1", Data: 2}, list[0])
	require.Equal(t, "unreadable", list[2].Event)
	require.Equal(t, "longer than 1 MiB", list[3].Event)

	require.NoError(t, j.close())
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/webhooks/terra", strings.NewReader(daily))
	handler.ServeHTTP(w, r)
	require.Equal(t, http.StatusServiceUnavailable, w.Code, "what is not noted is sent again")
}

func TestPageEscapes(t *testing.T) {
	s := &service{journal: journalOf(t)}
	const evil = `{"type":"\"><script>alert(1)</script>","user":{"provider":"<img src=x>","user_id":"</td>"}}`
	require.NoError(t, s.journal.note(t.Context(), "one", []byte(evil)))
	w := httptest.NewRecorder()
	s.pages().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), "&lt;script&gt;")
	require.NotContains(t, w.Body.String(), "<script")
	require.NotContains(t, w.Body.String(), "<img")

	foreign := httptest.NewRequest(http.MethodPost, "/connect", nil)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	w = httptest.NewRecorder()
	s.pages().ServeHTTP(w, foreign)
	require.Equal(t, http.StatusForbidden, w.Code)
}

func TestRealServiceNeeds(t *testing.T) {
	t.Chdir(t.TempDir())
	const key, secret = "k3y-that-must-not-be-seen", "s3cret-that-must-not-be-seen"
	for _, c := range []struct {
		o    options
		want string
	}{
		{options{env: "testing"}, "TERRA_DEV_ID"},
		{options{env: "elsewhere"}, "no such environment"},
		{options{devID: "dev", apiKey: key, publicURL: "https://host.example.com"}, "TERRA_SIGNING_SECRET"},
		{options{devID: "dev", apiKey: key, signingSecret: secret}, "-public-url"},
		{options{devID: "dev", apiKey: key, signingSecret: secret, publicURL: "https://host.example.com", once: true}, "-once"},
	} {
		_, _, err := openTerra(c.o, "", io.Discard)
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "must-not-be-seen")
	}
	t.Setenv(terra.EnvDevID, "dev")
	t.Setenv(terra.EnvAPIKey, key)
	t.Setenv(terra.EnvSigningSecret, secret)
	var out bytes.Buffer
	account, sim, err := openTerra(options{env: "testing", publicURL: "https://host.example.com/terra"}, "", &out)
	require.NoError(t, err)
	require.Nil(t, sim)
	require.Contains(t, out.String(), "https://host.example.com/terra/webhooks/terra")
	require.NotContains(t, out.String(), "must-not-be-seen")
	require.Empty(t, account.BaseURL, "the real one")
	_, err = terra.NewProvider(account)
	require.NoError(t, err)
}

// TestPersonGoesStraightToAProvider connects without the widget, at a provider
// that has some of the kinds only.
func TestPersonGoesStraightToAProvider(t *testing.T) {
	o := options{path: filepath.Join(t.TempDir(), "health.db"), page: "127.0.0.1:0", hooks: "127.0.0.1:0", provider: "OURA", once: true}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), o, &out))
	require.Contains(t, out.String(), "chooses OURA")
	require.Contains(t, out.String(), "data arrived: activity, daily, sleep, athlete.")
}
