package googlehealth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

// A delivery that was signed with tink-go v2.9.0.
const (
	sheetKeyset = `{"primaryKeyId":3376965125,"key":[{"keyData":{"typeUrl":"type.googleapis.com/google.crypto.tink.EcdsaPublicKey",` +
		`"value":"EgYIAxACGAIaIQAdVQicIXo6YbUwRGEt0TwoH8ddStBfwUVaZtpeg684LCIhAEYrSJZlmuUTBFDVKXgTfxeEk2M/08S1evQL9PQMy6wz",` +
		`"keyMaterialType":"ASYMMETRIC_PUBLIC"},"status":"ENABLED","keyId":3376965125,"outputPrefixType":"TINK"}]}`
	sheetBody = `[{"data":{"version":"1","clientProvidedSubscriptionName":"sub-1","healthUserId":"1234567890","operation":"UPSERT",` +
		`"dataType":"steps","intervals":[{"physicalTimeInterval":{"startTime":"2026-11-20T08:00:00Z","endTime":"2026-11-20T08:01:00Z"}}]}}]`
	sheetSignature = `AclIZgUwRAIgDyrjBWoXk62kDzrTes0FIG0UpleYTnu8o7MHeTmDZN4CIG8CARg6xAlLsiDDli4x+iP5t4JWDAMrAYRyV9iFZh/p`
)

func testProvider(tb testing.TB, cfg Config) *Provider {
	tb.Helper()
	cfg.ClientID, cfg.ClientSecret = "client", providers.NewSecret("client-secret")
	p, err := New(cfg)
	require.NoError(tb, err)
	return p
}

func delivery(header http.Header) *providers.WebhookRequest {
	return &providers.WebhookRequest{Method: http.MethodPost, Header: header, Body: []byte(sheetBody)}
}

func TestDeliveryOfTink(t *testing.T) {
	p := testProvider(t, Config{Keyset: []byte(sheetKeyset)})
	for name, header := range map[string]http.Header{
		"today": {SignatureHeader: {sheetSignature}}, "before": {OldSignatureHeader: {sheetSignature}},
		"both": {SignatureHeader: {sheetSignature}, OldSignatureHeader: {sheetSignature}},
	} {
		notes, err := p.ParseWebhook(answered, delivery(header))
		require.NoError(t, err, name)
		require.Len(t, notes, 1)
		n := notes[0]
		require.Equal(t, providers.EventData, n.Event)
		require.Equal(t, "1234567890", n.UpstreamID)
		require.Equal(t, []string{"steps", "steps_daily"}, n.Streams)
		require.Equal(t, time.Date(2026, 11, 20, 7, 59, 0, 0, time.UTC), n.Window.From)
		require.Equal(t, time.Date(2026, 11, 20, 8, 2, 0, 0, time.UTC), n.Window.To)
	}
	for name, header := range map[string]http.Header{
		"none": {}, "empty": {SignatureHeader: {""}}, "two": {SignatureHeader: {sheetSignature, sheetSignature}},
		"two that differ": {SignatureHeader: {sheetSignature}, OldSignatureHeader: {"B" + sheetSignature[1:]}},
		"not base64":      {SignatureHeader: {"%" + sheetSignature}}, "no signature": {SignatureHeader: {"AclIZgU="}},
		"another version": {SignatureHeader: {"A" + "s" + sheetSignature[2:]}}, "another key": {SignatureHeader: {"AclIZgY" + sheetSignature[7:]}},
		"long": {SignatureHeader: {strings.Repeat("A", 4096)}},
	} {
		_, err := p.ParseWebhook(answered, delivery(header))
		require.ErrorIs(t, err, providers.ErrSignature, name)
	}
	r := delivery(http.Header{SignatureHeader: {sheetSignature}})
	r.Body = append(r.Body, '\n')
	_, err := p.ParseWebhook(answered, r)
	require.ErrorIs(t, err, providers.ErrSignature)
}

func TestNotices(t *testing.T) {
	p := testProvider(t, Config{})
	notice := func(members string) providers.Notification {
		return p.notice(answered, []byte(`{"data":{"healthUserId":"7",`+members+`}}`))
	}
	day := `"intervals":[{"civilDateTimeInterval":{"startDateTime":{"date":{"year":2026,"month":11,"day":19}},"endDateTime":{"date":{"year":2026,"month":11,"day":20}}}}]`
	n := notice(`"operation":"DELETE","dataType":"daily-resting-heart-rate",` + day)
	require.Equal(t, providers.EventData, n.Event, "a deletion is a reason to read")
	require.Equal(t, []string{"daily_resting_heart_rate"}, n.Streams)
	require.Equal(t, time.Date(2026, 11, 18, 9, 59, 0, 0, time.UTC), n.Window.From, "whatever the zone")
	require.Equal(t, time.Date(2026, 11, 20, 14, 1, 0, 0, time.UTC), n.Window.To)

	for members, detail := range map[string]string{
		`"operation":"UPSERT","dataType":"of-tomorrow"`: "data type", `"operation":"UPSERT"`: "data type",
		`"operation":"REBOOT","dataType":"steps"`: "operation", `"dataType":"steps"`: "operation",
		`"operation":"UPSERT","dataType":"menstrual-period"`: "data type",
	} {
		n := notice(members)
		require.Equal(t, providers.EventUnknown, n.Event, members)
		require.Equal(t, "7", n.UpstreamID)
		require.Equal(t, detail, n.Detail)
	}
	for _, raw := range []string{`7`, `{}`, `{"data":[]}`, `{"data":{"healthUserId":""}}`, `{"data":{"healthUserId":"a b"}}`, `{"data":{"healthUserId":"1","healthUserId":"2"}}`} {
		require.Equal(t, providers.Notification{Event: providers.EventUnknown, Detail: "malformed"}, p.notice(answered, []byte(raw)))
	}
	for _, intervals := range []string{
		`7`, `[]`, `[7]`, `[{}]`, `[{"physicalTimeInterval":{"startTime":"x","endTime":"y"}}]`,
		`[{"physicalTimeInterval":{"startTime":"2026-11-20T08:00:00Z","endTime":"2026-11-19T08:00:00Z"}}]`,
		`[{"physicalTimeInterval":{"startTime":"2026-11-20T08:00:00Z","endTime":"2036-11-19T08:00:00Z"}}]`,
		`[{"physicalTimeInterval":{"startTime":"1900-11-20T08:00:00Z","endTime":"1900-11-20T09:00:00Z"}}]`,
	} {
		n := notice(`"operation":"UPSERT","dataType":"steps","intervals":` + intervals)
		require.Equal(t, providers.EventData, n.Event)
		require.True(t, n.Window.IsZero(), intervals)
	}
}

func TestEndpointChecks(t *testing.T) {
	const secret = "Bearer s3cret"
	p := testProvider(t, Config{WebhookAuthorization: providers.NewSecret(secret)})
	check := func(p *Provider, authorization ...string) int {
		r := &providers.WebhookRequest{Method: http.MethodPost, Header: http.Header{}, Body: []byte(`{"type":"verification"}`)}
		if authorization != nil {
			r.Header["Authorization"] = authorization
		}
		answer, taken := p.ProbeWebhook(r)
		require.True(t, taken)
		return answer.Status
	}
	require.Equal(t, http.StatusCreated, check(p, secret))
	for _, wrong := range [][]string{nil, {""}, {"Bearer"}, {secret + "x"}, {secret, secret}} {
		require.Equal(t, http.StatusUnauthorized, check(p, wrong...))
	}
	require.Equal(t, http.StatusUnauthorized, check(testProvider(t, Config{}), ""), "without a secret nobody knows it")
	for _, body := range []string{"", "{}", sheetBody, `{"type":"other"}`, `{"type":["verification"]}`, `[{"type":"verification"}]`} {
		_, taken := p.ProbeWebhook(&providers.WebhookRequest{Method: http.MethodPost, Header: http.Header{}, Body: []byte(body)})
		require.False(t, taken, body)
	}
}

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestKeysetIsFetchedWhenItHasTo(t *testing.T) {
	asked, fails := 0, false
	p := testProvider(t, Config{MaxWait: -1, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked++
		require.Equal(t, DefaultKeysetURL, r.URL.String())
		require.Empty(t, r.Header.Get("Authorization"))
		if fails {
			return nil, errors.New("no answer")
		}
		return answerOf(http.StatusOK, sheetKeyset), nil
	})})
	known, foreign := delivery(http.Header{SignatureHeader: {sheetSignature}}), delivery(http.Header{SignatureHeader: {"AclIZgY" + sheetSignature[7:]}})
	now := answered
	keys := func(r *providers.WebhookRequest) error { return p.WebhookKeys(context.Background(), now, r) }

	require.NoError(t, keys(delivery(http.Header{})), "what has no signature needs no key")
	require.Zero(t, asked)
	fails = true
	require.ErrorIs(t, keys(known), providers.ErrUnavailable)
	for range 100 {
		require.ErrorIs(t, keys(known), providers.ErrUnavailable)
	}
	require.Equal(t, 1, asked, "an address that does not answer is not asked all the time")
	fails = false
	now = now.Add(2 * keysPause)
	require.NoError(t, keys(known))
	require.Equal(t, 2, asked)
	_, err := p.ParseWebhook(now, known)
	require.NoError(t, err)
	for range 100 {
		require.NoError(t, keys(foreign))
		require.NoError(t, keys(known))
	}
	require.Equal(t, 2, asked, "anybody can name a key")
	now = now.Add(2 * keysPause)
	require.NoError(t, keys(foreign))
	require.Equal(t, 3, asked)
	_, err = p.ParseWebhook(now, foreign)
	require.ErrorIs(t, err, providers.ErrSignature)

	fails = true
	now = now.Add(2 * day)
	require.NoError(t, keys(known), "old keys serve for a while")
	require.Equal(t, 4, asked)
	now = now.Add(6 * day)
	require.Error(t, keys(known))
}

// A key that is not published any more serves for the deliveries that wait, and
// not for ever; one that is disabled does not serve at all.
func TestKeysEnd(t *testing.T) {
	key := sheetKeyset[strings.Index(sheetKeyset, `[`)+1 : strings.LastIndex(sheetKeyset, `]`)]
	other := strings.Replace(key, "3376965125", "7", 1)
	for name, c := range map[string]struct {
		then  string // the keys a day later
		after time.Duration
		kind  error
	}{
		"published":            {key + "," + other, 30 * day, nil},
		"not published, soon":  {other, 2 * day, nil},
		"not published, later": {other, keysLast, providers.ErrSignature},
		"disabled":             {other + "," + strings.Replace(key, "ENABLED", "DISABLED", 1), day, providers.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			keys := key
			p := testProvider(t, Config{MaxWait: -1, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				return answerOf(http.StatusOK, `{"key":[`+keys+`]}`), nil
			})})
			r := delivery(http.Header{SignatureHeader: {sheetSignature}})
			require.NoError(t, p.WebhookKeys(context.Background(), answered, r))
			_, err := p.ParseWebhook(answered, r)
			require.NoError(t, err)
			keys = c.then
			for at := day; at <= c.after; at += day {
				require.NoError(t, p.WebhookKeys(context.Background(), answered.Add(at), r))
			}
			_, err = p.ParseWebhook(answered.Add(c.after), r)
			require.ErrorIs(t, err, c.kind)
		})
	}
}

// A delivery whose sender does not wait says nothing about the address.
func TestASenderThatLeavesDoesNotStopOthers(t *testing.T) {
	p := testProvider(t, Config{MaxWait: -1, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return answerOf(http.StatusOK, sheetKeyset), nil
	})})
	r := delivery(http.Header{SignatureHeader: {sheetSignature}})
	gone, leave := context.WithCancel(context.Background())
	leave()
	require.Error(t, p.WebhookKeys(gone, answered, r))
	require.NoError(t, p.WebhookKeys(context.Background(), answered, r))
}

func TestKeysets(t *testing.T) {
	value := "EgYIAxACGAIaIQAdVQicIXo6YbUwRGEt0TwoH8ddStBfwUVaZtpeg684LCIhAEYrSJZlmuUTBFDVKXgTfxeEk2M/08S1evQL9PQMy6wz"
	for name, keyset := range map[string]string{
		"empty": "", "no keys": `{"key":[]}`, "disabled": strings.Replace(sheetKeyset, "ENABLED", "DISABLED", 1),
		"another prefix": strings.Replace(sheetKeyset, `"TINK"`, `"RAW"`, 1), "another type": strings.Replace(sheetKeyset, "EcdsaPublicKey", "AesKey", 1),
		"a private key":     strings.Replace(sheetKeyset, "ASYMMETRIC_PUBLIC", "ASYMMETRIC_PRIVATE", 1),
		"off the curve":     strings.Replace(sheetKeyset, "PQMy6wz", "PQMy6w0", 1),
		"not base64":        strings.Replace(sheetKeyset, value, "%"+value, 1),
		"cut":               strings.Replace(sheetKeyset, value, value[:40], 1),
		"another curve":     strings.Replace(sheetKeyset, value, "EgYIAxADGAIa"+value[12:], 1),
		"an absurd id":      strings.ReplaceAll(sheetKeyset, "3376965125", "99999999999"),
		"the same id twice": strings.Replace(sheetKeyset, `"key":[`, `"key":[`+sheetKeyset[strings.Index(sheetKeyset, `[`)+1:strings.LastIndex(sheetKeyset, `]`)]+`,`, 1),
	} {
		_, err := readKeyset([]byte(keyset))
		require.Error(t, err, name)
		_, err = New(Config{ClientID: "c", ClientSecret: providers.NewSecret("s"), Keyset: []byte(keyset + " ")})
		require.ErrorIs(t, err, providers.ErrInvalid, name)
	}
}

// A key of another curve or form beside a usable one is as if it were not there.
func TestKeysetWithKeysOfOtherKinds(t *testing.T) {
	const value = "EgYIAxACGAIaIQAdVQicIXo6YbUwRGEt0TwoH8ddStBfwUVaZtpeg684LCIhAEYrSJZlmuUTBFDVKXgTfxeEk2M/08S1evQL9PQMy6wz"
	entry := sheetKeyset[strings.Index(sheetKeyset, `[`)+1 : strings.LastIndex(sheetKeyset, `]`)]
	for name, other := range map[string]string{
		"another curve":       "EgYIAxADGAIa" + value[12:],
		"another hash":        "EgYIBBACGAIa" + value[12:],
		"another encoding":    "EgYIAxACGAEa" + value[12:],
		"longer coordinates":  base64.StdEncoding.EncodeToString(append([]byte{0x12, 6, 8, 4, 0x10, 3, 0x18, 2, 0x1a, 49}, make([]byte, 49)...)),
		"a field of tomorrow": base64.StdEncoding.EncodeToString([]byte{0x82, 0x01, 0x00}),
		"another alphabet":    strings.ReplaceAll(value, "/", "_"),
	} {
		other = strings.Replace(strings.Replace(entry, value, other, 1), "3376965125", "7", 1)
		for _, list := range []string{entry + "," + other, other + "," + entry} {
			keys, err := readKeyset([]byte(`{"primaryKeyId":3376965125,"key":[` + list + `]}`))
			require.NoError(t, err, name)
			require.Len(t, keys, 2, name)
			require.NotNil(t, keys[3376965125], name)
			require.Nil(t, keys[7], name)
		}
	}
}
