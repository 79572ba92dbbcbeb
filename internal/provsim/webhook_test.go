package provsim_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

func parser(t *testing.T, change func(*provsim.AdapterConfig)) *provsim.Provider {
	cfg := provsim.AdapterConfig{BaseURL: providertest.BaseURL}
	if change != nil {
		change(&cfg)
	}
	p, err := provsim.New(cfg)
	require.NoError(t, err)
	return p
}

func delivery(body []byte, signature ...string) *providers.WebhookRequest {
	return &providers.WebhookRequest{Method: http.MethodPost, Header: http.Header{provsim.SignatureHeader: signature}, Body: body}
}

var body = []byte(`{"id":"d1","version":1,"events":[{"type":"data","user":"u1","streams":["daily"]}]}`)

// TestSignatureExactness flips every bit of the MAC and of the body, and every
// byte of the header.
func TestSignatureExactness(t *testing.T) {
	p, now := parser(t, nil), time.Now()
	header := provsim.Sign(body, now, provsim.DefaultSigningSecret)
	_, err := p.ParseWebhook(now, delivery(body, header))
	require.NoError(t, err)
	refused := func(body []byte, header string) {
		t.Helper()
		_, err := p.ParseWebhook(now, delivery(body, header))
		require.ErrorIs(t, err, providers.ErrSignature)
	}
	prefix, digits, _ := strings.Cut(header, "v1=")
	mac, err := hex.DecodeString(digits)
	require.NoError(t, err)
	for bit := range 256 {
		mac[bit/8] ^= 1 << (bit % 8)
		refused(body, prefix+"v1="+hex.EncodeToString(mac))
		mac[bit/8] ^= 1 << (bit % 8)
	}
	for i := range len(header) {
		for _, other := range []byte{' ', 'g', ',', '=', 0, header[i] ^ 1} {
			odd := []byte(header)
			odd[i] = other
			if !strings.EqualFold(string(odd), header) {
				refused(body, string(odd))
			}
		}
	}
	for bit := range 8 * len(body) {
		odd := slices.Clone(body)
		odd[bit/8] ^= 1 << (bit % 8)
		refused(odd, header)
	}
	refused(append(slices.Clone(body), '\n'), header)
	refused([]byte(strings.Replace(string(body), `"id":"d1","version":1`, `"version":1,"id":"d1"`, 1)), header)
}

// TestSignatureHeader are headers that are not quite right.
func TestSignatureHeader(t *testing.T) {
	p, now := parser(t, nil), time.Now()
	good := provsim.Sign(body, now, provsim.DefaultSigningSecret)
	stamp, v1, _ := strings.Cut(good, ",")
	digits := strings.TrimPrefix(v1, "v1=")
	other := "v1=" + strings.Repeat("0", 64)
	many := func(n int) string { return strings.Repeat(","+other, n) }
	for _, c := range []struct {
		name    string
		headers []string
		genuine bool
	}{
		{"good", []string{good}, true},
		{"none", nil, false},
		{"empty", []string{""}, false},
		{"two headers", []string{good, good}, false},
		{"upper case", []string{stamp + ",v1=" + strings.ToUpper(digits)}, true},
		{"several, one right", []string{stamp + "," + other + "," + v1}, true},
		{"other scheme besides", []string{stamp + ",v0=abc," + v1}, true},
		{"other scheme only", []string{stamp + ",v0=" + digits}, false},
		{"no t", []string{v1}, false},
		{"t behind", []string{v1 + "," + stamp}, false},
		{"two t", []string{stamp + "," + stamp + "," + v1}, false},
		{"empty t", []string{"t=," + v1}, false},
		{"t no number", []string{"t=now," + v1}, false},
		{"negative t", []string{"t=-1," + v1}, false},
		{"t of 20 digits", []string{"t=99999999999999999999," + v1}, false},
		{"t with a zero in front", []string{"t=0" + strings.TrimPrefix(stamp, "t=") + "," + v1}, false},
		{"short", []string{stamp + ",v1=" + digits[:62]}, false},
		{"odd", []string{stamp + ",v1=" + digits[:63]}, false},
		{"long", []string{stamp + ",v1=" + digits + "00"}, false},
		{"not hex", []string{stamp + ",v1=" + strings.Repeat("zz", 32)}, false},
		{"space behind the comma", []string{stamp + ", " + v1}, false},
		{"space around the equals", []string{stamp + ",v1 =" + digits}, false},
		{"space in front", []string{" " + good}, false},
		{"eight, the last right", []string{stamp + many(7) + "," + v1}, true},
		{"nine", []string{stamp + many(8) + "," + v1}, false},
		{"a thousand", []string{stamp + many(1000) + "," + v1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := p.ParseWebhook(now, delivery(body, c.headers...))
			if c.genuine {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, providers.ErrSignature)
			}
		})
	}
}

// TestSignatureTime tries the bounds of the time window to the second.
func TestSignatureTime(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		maxAge, age time.Duration
		genuine     bool
	}{
		{0, 299 * time.Second, true}, {0, 300 * time.Second, true}, {0, 301 * time.Second, false},
		{0, -299 * time.Second, true}, {0, -300 * time.Second, true}, {0, -301 * time.Second, false},
		{26 * time.Hour, 26 * time.Hour, true}, {26 * time.Hour, 26*time.Hour + time.Second, false},
		{26 * time.Hour, -301 * time.Second, false},
	} {
		p := parser(t, func(cfg *provsim.AdapterConfig) { cfg.MaxAge = c.maxAge })
		_, err := p.ParseWebhook(now, delivery(body, provsim.Sign(body, now.Add(-c.age), provsim.DefaultSigningSecret)))
		require.Equal(t, c.genuine, err == nil, "age %v", c.age)
	}
}

// TestSecrets verifies with several secrets, and refuses weak ones.
func TestSecrets(t *testing.T) {
	now := time.Now()
	text := func(i int) string { return fmt.Sprintf("signing-secret-number-%d", i) }
	p := parser(t, func(cfg *provsim.AdapterConfig) {
		cfg.SigningSecrets = []providers.Secret{providers.NewSecret(text(1)), providers.NewSecret(text(2)), providers.NewSecret(text(3))}
	})
	for _, c := range []struct {
		signers []int
		genuine bool
	}{{[]int{1}, true}, {[]int{3}, true}, {[]int{4, 5, 2}, true}, {[]int{4}, false}, {[]int{4, 5, 6}, false}, {nil, false}} {
		var secrets []string
		for _, i := range c.signers {
			secrets = append(secrets, text(i))
		}
		_, err := p.ParseWebhook(now, delivery(body, provsim.Sign(body, now, secrets...)))
		require.Equal(t, c.genuine, err == nil, "signed by %v", c.signers)
	}
	for _, secrets := range [][]providers.Secret{
		{}, {providers.NewSecret("")}, {providers.NewSecret("fifteen bytes..")},
		{providers.NewSecret(text(1)), providers.NewSecret("short")},
	} {
		_, err := provsim.New(provsim.AdapterConfig{BaseURL: providertest.BaseURL, SigningSecrets: secrets})
		require.ErrorIs(t, err, providers.ErrInvalid)
	}
}

// TestParse reads bodies, all of them genuine.
func TestParse(t *testing.T) {
	const day = `{"id":"2026-03-01","at":1772323200000,"modified":1772323200001,"version":1,"value":5}`
	record := provsim.Row{ID: "2026-03-01", At: 1772323200000, Modified: 1772323200001, Version: 1, Value: 5}.Record(provsim.Name, provsim.StreamDaily)
	record.Rev.Push = true
	odd := providers.Notification{Event: providers.EventUnknown, Detail: "malformed"}
	at := time.UnixMilli(1772323200000).UTC()
	answer := func(rows string) []health.RawPage {
		return []health.RawPage{{Stream: "daily", Bodies: []health.RawBody{{Name: "daily", Body: []byte(`{"rows":[` + rows + `],"next":""}`)}}}}
	}
	for _, c := range []struct {
		name, events string
		want         []providers.Notification
	}{
		{"trigger", `{"type":"data","user":"u1","at":1772323200000,"streams":["daily","weather"],"from":1772323200000,"to":1772323200001}`,
			[]providers.Notification{{
				UpstreamID: "u1", Event: providers.EventData, Detail: "data", Streams: []string{"daily"}, At: at,
				Window: health.Window{From: at, To: at.Add(time.Millisecond)},
			}}},
		{"all streams", `{"type":"data","user":"u1"}`, []providers.Notification{{UpstreamID: "u1", Event: providers.EventData, Detail: "data"}}},
		{"from after to", `{"type":"data","user":"u1","from":5,"to":4}`, []providers.Notification{{UpstreamID: "u1", Event: providers.EventData, Detail: "data"}}},
		{"unknown stream", `{"type":"data","user":"u1","streams":["weather"]}`, []providers.Notification{{UpstreamID: "u1", Event: providers.EventUnknown, Detail: "data"}}},
		{"records", `{"type":"data","user":"u1","data":{"daily":[` + day + `]}}`, []providers.Notification{{
			UpstreamID: "u1", Event: providers.EventData, Detail: "data", Streams: []string{"daily"}, Records: []health.Record{record},
			Raw: answer(day),
		}}},
		{"one row bad", `{"type":"data","user":"u1","data":{"daily":[` + day + `,{"id":7}],"events":[{}]}}`, []providers.Notification{
			{UpstreamID: "u1", Event: providers.EventData, Detail: "data", Streams: []string{"daily"}, Records: []health.Record{record}, Raw: answer(day + `,{"id":7}`)},
			{UpstreamID: "u1", Event: providers.EventData, Detail: "data", Streams: []string{"daily", "events"}},
		}},
		{"auth", `{"type":"auth","user":"u1","reference":"r"}`, []providers.Notification{{UpstreamID: "u1", Event: providers.EventAuth, Detail: "auth", Reference: "r"}}},
		{"deauth", `{"type":"deauth","user":"u1"}`, []providers.Notification{{UpstreamID: "u1", Event: providers.EventDeauth, Detail: "deauth"}}},
		{"reauth", `{"type":"reauth","user":"u9","old_user":"u1"}`, []providers.Notification{{UpstreamID: "u9", OldUpstreamID: "u1", Event: providers.EventReauth, Detail: "reauth"}}},
		{"unknown type", `{"type":"weather","user":"u1"}`, []providers.Notification{{UpstreamID: "u1", Event: providers.EventUnknown, Detail: "weather"}}},
		{"one bad among two people", `{"type":"deauth","user":"u1"},7,{"type":"data"},{"type":"deauth","user":"u2"}`, []providers.Notification{
			{UpstreamID: "u1", Event: providers.EventDeauth, Detail: "deauth"}, odd, odd,
			{UpstreamID: "u2", Event: providers.EventDeauth, Detail: "deauth"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Now()
			body := []byte(`{"id":"d1","version":9,"events":[` + c.events + `]}`)
			got, err := parser(t, nil).ParseWebhook(now, delivery(body, provsim.Sign(body, now, provsim.DefaultSigningSecret)))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	for _, text := range []string{
		"", "null", "[]", `"x"`, "1", "{}", `{"events":[]}`, `{"events":null}`, "{", "\xff", strings.Repeat("[", 10_001), `{"events":[{}],"events":[{}]}`,
		`{"events":[` + strings.Repeat("1,", 10_000) + `1]}`,
	} {
		now := time.Now()
		_, err := parser(t, nil).ParseWebhook(now, delivery([]byte(text), provsim.Sign([]byte(text), now, provsim.DefaultSigningSecret)))
		require.ErrorIs(t, err, providers.ErrMalformed)
	}
	packed := delivery(body, provsim.Sign(body, time.Now(), provsim.DefaultSigningSecret))
	packed.Header.Set("Content-Encoding", "gzip")
	_, err := parser(t, nil).ParseWebhook(time.Now(), packed)
	require.ErrorIs(t, err, providers.ErrMalformed)
}

// TestUnsigned believes nothing but that there is a reason to read.
func TestUnsigned(t *testing.T) {
	p := parser(t, func(cfg *provsim.AdapterConfig) {
		cfg.Unsigned, cfg.Triggers, cfg.SigningSecrets = true, true, []providers.Secret{}
	})
	require.False(t, p.WebhookTraits().Signed)
	require.True(t, p.WebhookTraits().Triggers)
	s := provsim.NewService(provsim.Config{Unsigned: true})
	body := s.Compose(provsim.Event{Type: provsim.TypeData, User: "u1", Data: map[string][]provsim.Row{
		provsim.StreamEvents: {{ID: "x", At: 1, Modified: 1}},
	}})
	require.Empty(t, s.Header(body, time.Now()).Get(provsim.SignatureHeader))
	got, err := p.ParseWebhook(time.Now(), delivery(body))
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Empty(t, got[0].Records)
	require.Equal(t, []string{provsim.StreamEvents}, got[0].Streams)
}

// TestDelivery sends to a receiver that fails at random and sees every delivery
// accepted, with secrets changing on the way.
func TestDelivery(t *testing.T) {
	const people, rounds = 3, 20
	s, p, _ := serve(t, provsim.Config{Users: people, RetryAfter: time.Millisecond, Attempts: 1000})
	seed := mathrand.Uint64()
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	rng := mathrand.New(mathrand.NewPCG(seed, 1))
	accepted := map[string]int{} // by person
	retired := rand.Text()
	verify := parser(t, func(cfg *provsim.AdapterConfig) {
		cfg.SigningSecrets = []providers.Secret{providers.NewSecret(provsim.DefaultSigningSecret), providers.NewSecret(retired)}
	})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, err := r.Body.Read(body)
		_ = err // io.EOF comes with the last bytes
		mu.Lock()
		defer mu.Unlock()
		switch rng.IntN(4) {
		case 0:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case 1:
			panic(http.ErrAbortHandler)
		}
		got, err := verify.ParseWebhook(time.Now(), &providers.WebhookRequest{Method: r.Method, Header: r.Header, Body: body})
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		accepted[got[0].UpstreamID]++
	}))
	defer receiver.Close()

	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	for i := range people {
		cred, err := s.Login(fmt.Sprintf("u%d", i+1))
		require.NoError(t, err)
		made, err := p.Subscribe(t.Context(), cred, providers.Subscription{Topic: provsim.StreamDaily, CallbackURL: receiver.URL})
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(30*24*time.Hour), made.ExpiresAt, time.Minute)
		again, err := p.Subscribe(t.Context(), cred, providers.Subscription{Topic: provsim.StreamDaily, CallbackURL: receiver.URL})
		require.NoError(t, err)
		require.Equal(t, made.ID, again.ID, "a second time prolongs it")
	}
	for i := range people * rounds {
		switch i {
		case rounds:
			s.SetSigningSecrets(provsim.DefaultSigningSecret, retired)
		case 2 * rounds:
			s.SetSigningSecrets(retired)
		}
		user := fmt.Sprintf("u%d", i%people+1)
		require.Len(t, s.Notify(user, provsim.Event{Type: provsim.TypeData, Streams: []string{provsim.StreamDaily}}), 1)
		require.Empty(t, s.Notify(user, provsim.Event{Type: provsim.TypeData, Streams: []string{provsim.StreamEvents}}), "nobody ordered it")
	}
	require.Eventually(t, func() bool { return s.Pending() == 0 }, 30*time.Second, 5*time.Millisecond)
	stop()
	require.ErrorIs(t, <-ran, context.Canceled)
	require.Equal(t, map[string]int{"u1": rounds, "u2": rounds, "u3": rounds}, accepted)
	for _, d := range s.Deliveries() {
		require.True(t, d.Accepted)
		require.Equal(t, 200, d.Attempts[len(d.Attempts)-1])
		for _, status := range d.Attempts[:len(d.Attempts)-1] {
			require.Contains(t, []int{0, http.StatusServiceUnavailable}, status)
		}
	}
}

// TestGiveUp ends after the configured attempts.
func TestGiveUp(t *testing.T) {
	s := provsim.NewService(provsim.Config{RetryAfter: time.Millisecond, Attempts: 3})
	gone := httptest.NewServer(http.NotFoundHandler())
	defer gone.Close()
	id := s.Queue(gone.URL, []byte("{}"))
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	require.Eventually(t, func() bool { return s.Pending() == 0 }, 30*time.Second, time.Millisecond)
	stop()
	<-ran
	all := s.Deliveries()
	require.Len(t, all, 1)
	require.Equal(t, id, all[0].ID)
	require.Equal(t, []int{404, 404, 404}, all[0].Attempts)
	require.True(t, all[0].GivenUp)
}

// TestPeopleChange takes back a consent and changes an id, and looks who is
// told.
func TestPeopleChange(t *testing.T) {
	s, p := inProcess(t, provsim.Config{WebhookURL: "https://app.example.com/all", SubscriptionLife: -1})
	cred := login(t, s)
	made, err := p.Subscribe(t.Context(), cred, providers.Subscription{Topic: "all", CallbackURL: "https://app.example.com/one"})
	require.NoError(t, err)
	require.True(t, made.ExpiresAt.IsZero())
	_, err = p.Subscribe(t.Context(), cred, providers.Subscription{Topic: provsim.StreamDaily, CallbackURL: "https://app.example.com/one"})
	require.NoError(t, err)
	require.NoError(t, s.Reauthorize("u1", "u77"))
	require.Error(t, s.Reauthorize("u1", "u78"))
	require.Equal(t, []string{"u77"}, s.Users())
	require.NoError(t, use(t, p, cred), "grants live on")
	require.NoError(t, s.Deauthorize("u77"))
	all := s.Deliveries()
	require.Len(t, all, 4, "each to two addresses")
	now := time.Now()
	for i, want := range []providers.Notification{
		{UpstreamID: "u77", OldUpstreamID: "u1", Event: providers.EventReauth}, {UpstreamID: "u77", Event: providers.EventDeauth},
	} {
		body := all[2*i].Body
		got, err := parser(t, nil).ParseWebhook(now, &providers.WebhookRequest{Header: s.Header(body, now), Body: body})
		require.NoError(t, err)
		require.WithinDuration(t, now, got[0].At, time.Minute)
		got[0].At, got[0].Detail = time.Time{}, ""
		require.Equal(t, []providers.Notification{want}, got)
	}
	require.Len(t, s.Notify("u77", provsim.Event{Type: provsim.TypeData}), 1, "the subscription ended with the consent")
}
