package terra_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

// signedBy is a signature header as the service makes it.
func signedBy(secret string, at time.Time, body []byte) string {
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), terratest.Sign(secret, at.Unix(), body))
}

// post hands a delivery in. Headers come in pairs; without any it is signed.
func (h *host) post(body []byte, headers ...string) int {
	h.t.Helper()
	if headers == nil {
		headers = []string{terra.SignatureHeader, signedBy(terratest.DefaultSigningSecret, time.Now(), body)}
	}
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.address, bytes.NewReader(body))
	require.NoError(h.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	require.NoError(h.t, err)
	require.NoError(h.t, resp.Body.Close())
	return resp.StatusCode
}

// TestEnvelopeRefused: what is not genuine, or is not there as a whole, is
// answered with an error and leaves nothing.
func TestEnvelopeRefused(t *testing.T) {
	h := newHost(t, terratest.Config{}, nil)
	now := time.Now()
	body := []byte(`{"type":"deauth","status":"success","user":{"user_id":"u","provider":"GARMIN"},"message":"m"}`)
	good := signedBy(terratest.DefaultSigningSecret, now, body)
	stamp, mac, _ := strings.Cut(good, ",")
	const name = terra.SignatureHeader
	signed := func(stamp string) string {
		return "t=" + stamp + "," + mac // of another time
	}
	for row, c := range map[string]struct {
		headers []string
		status  int
		body    []byte // nil is the body that was signed
	}{
		"H1 no signature":                 {[]string{"Content-Type", "application/json"}, 401, nil},
		"H1 empty":                        {[]string{name, ""}, 401, nil},
		"H2 two values":                   {[]string{name, good, name, good}, 401, nil},
		"H2 two values, one genuine":      {[]string{name, good, name, "t=1,v1=00"}, 401, nil},
		"H2 two names, different":         {[]string{name, good, terra.DeprecatedSignatureHeader, "t=1,v1=00"}, 401, nil},
		"H2 two names, the other is good": {[]string{name, "t=1,v1=00", terra.DeprecatedSignatureHeader, good}, 401, nil},
		"H3 no time":                      {[]string{name, mac}, 401, nil},
		"H3 no number":                    {[]string{name, signed("yesterday")}, 401, nil},
		"H3 negative":                     {[]string{name, signed("-5")}, 401, nil},
		"H3 20 digits":                    {[]string{name, signed("17000000000000000000")}, 401, nil},
		"H4 future":                       {[]string{name, signedBy(terratest.DefaultSigningSecret, now.Add(310*time.Second), body)}, 401, nil},
		"H5 old":                          {[]string{name, signedBy(terratest.DefaultSigningSecret, now.Add(-26*time.Hour-time.Minute), body)}, 401, nil},
		"H7 odd length":                   {[]string{name, good[:len(good)-1]}, 401, nil},
		"H7 31 bytes":                     {[]string{name, good[:len(good)-2]}, 401, nil},
		"H7 not hexadecimal":              {[]string{name, good[:len(good)-1] + "z"}, 401, nil},
		"H8 another scheme":               {[]string{name, strings.Replace(good, "v1", "v0", 1)}, 401, nil},
		"H9 a thousand":                   {[]string{name, stamp + strings.Repeat(","+mac, 1000)}, 401, nil},
		"H9 nine":                         {[]string{name, stamp + strings.Repeat(","+mac, 9)}, 401, nil},
		"H11 encoded anew":                {[]string{name, good}, 401, []byte(`{"status":"success","type":"deauth","user":{"user_id":"u","provider":"GARMIN"},"message":"m"}`)},
		"H11 a space more":                {[]string{name, good}, 401, append(slices.Clone(body), ' ')},
		"H12 another secret":              {[]string{name, signedBy("of another endpoint, long enough", now, body)}, 401, nil},
		"H15 compressed":                  {[]string{name, good, "Content-Encoding", "gzip"}, 415, nil},
	} {
		if c.body == nil {
			c.body = body
		}
		require.Equal(t, c.status, h.post(c.body, c.headers...), row)
		require.Empty(t, h.kept(""), row)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodHead} {
		r, err := http.NewRequest(method, h.address, nil)
		require.NoError(t, err)
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
	}
	for row, request := range map[string]string{
		"H16 announced":        "Content-Length: 67108865\r\n\r\n",
		"H17 shorter":          "Content-Length: 5000\r\n\r\n{}",
		"H17 an endless chunk": "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
		"H37 gone":             "Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(h.hook.URL, "http://"))
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, "POST /webhooks/terra HTTP/1.1\r\nHost: x\r\n%s: %s\r\n%s", name, good, request)
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		answer, err := io.ReadAll(conn)
		require.NoError(t, err, row)
		require.NoError(t, conn.Close())
		want := "HTTP/1.1 400 "
		if strings.HasPrefix(row, "H16") {
			want = "HTTP/1.1 413 "
		}
		require.True(t, strings.HasPrefix(string(answer), want), "%s: %.40q", row, answer)
		require.Empty(t, h.kept(""), row)
	}
}

// TestEnvelopeAccepted: what is genuine is acknowledged, whatever it says, and
// kept if it cannot be read.
func TestEnvelopeAccepted(t *testing.T) {
	h := newHost(t, terratest.Config{}, nil)
	h.run()
	user := `"user":{"user_id":"u","provider":"GARMIN"}`
	deep := strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)
	for row, c := range map[string]struct {
		body   string
		reason string
	}{
		"H13 empty":                  {"", "empty"},
		"H14 null":                   {"null", "unreadable"},
		"H14 array":                  {"[]", "unreadable"},
		"H14 text":                   {`"x"`, "unreadable"},
		"H14 number":                 {"1", "unreadable"},
		"H19 not UTF-8":              {"{\"type\":\"\xff\"}", "unreadable"},
		"H20 deep":                   {`{"type":"daily",` + user + `,"data":` + deep + `}`, "unreadable"},
		"H21 unknown type":           {`{"type":"moon_phase",` + user + `}`, "unknown event"},
		"H21 a list of data":         {`{"type":"lab_report.completed","event_id":"e","data":{"session_id":"s"}}`, "unknown event"},
		"J1 the type twice":          {`{"type":"deauth","type":"auth",` + user + `}`, "unreadable"},
		"J1 the user twice":          {`{"type":"deauth",` + user + `,` + user + `}`, "unreadable"},
		"J2 another case":            {`{"TYPE":"deauth",` + user + `}`, "unreadable"},
		"J18 half a surrogate":       {`{"type":"deauth","user":{"user_id":"\ud800","provider":"GARMIN"}}`, "unreadable"},
		"J21 data without anybody":   {`{"type":"daily","data":[]}`, "unreadable"},
		"J23 data of a wrong type":   {`{"type":"daily",` + user + `,"data":7}`, "unreadable"},
		"J23 a user of a wrong type": {`{"type":"deauth","user":"u"}`, "unreadable"},
		"J29 a page":                 {"<html></html>", "unreadable"},
		"two documents":              {`{"type":"deauth",` + user + `}{}`, "unreadable"},
	} {
		require.Equal(t, http.StatusOK, h.post([]byte(c.body)), row)
		h.eventually(row, func() bool { return len(h.kept(store.DeliveryDead)) == 1 })
		letters, err := h.engine.DeadLetters(t.Context(), "", 0)
		require.NoError(t, err)
		require.Equal(t, c.reason, letters[0].Reason, row)
		require.Equal(t, c.body, string(letters[0].Body), row)
		require.NoError(t, h.store.Assign(t.Context(), letters[0].ID, store.Assignment{}))
	}
	body := []byte(`{"type":"large_request_processing","status":"processing",` + user + `,"reference":"r"}`)
	now := time.Now()
	for row, headers := range map[string][]string{
		"H5 as old as may be": {terra.SignatureHeader, signedBy(terratest.DefaultSigningSecret, now.Add(-25*time.Hour), body)},
		"H6 upper case":       {terra.SignatureHeader, strings.Replace(strings.ToUpper(signedBy(terratest.DefaultSigningSecret, now, body)), "T=", "t=", 1)},
		"H10 spaces":          {terra.SignatureHeader, strings.NewReplacer("=", " = ", ",", " , ").Replace(signedBy(terratest.DefaultSigningSecret, now.Add(-time.Second), body))},
		"both names":          {terra.SignatureHeader, signedBy(terratest.DefaultSigningSecret, now.Add(-2*time.Second), body), terra.DeprecatedSignatureHeader, signedBy(terratest.DefaultSigningSecret, now.Add(-2*time.Second), body)},
		"the old name":        {terra.DeprecatedSignatureHeader, signedBy(terratest.DefaultSigningSecret, now.Add(-3*time.Second), body)},
	} {
		if row == "H6 upper case" {
			headers[1] = strings.Replace(headers[1], "V1=", "v1=", 1)
		}
		require.Equal(t, http.StatusOK, h.post(body, headers...), row)
	}
	h.eventually("H23: filed under the unknown person", func() bool { return len(h.kept(store.DeliveryParked)) == 5 })
	require.Equal(t, http.StatusOK, h.post([]byte(`{"type":"user_reauth","old_user":{"user_id":"x"},"new_user":{"user_id":"x"}}`)), "H27")
	require.Equal(t, http.StatusOK, h.post([]byte(`{"type":"user_reauth","old_user":{"user_id":"x"},"new_user":{"user_id":"y"}}`)), "H27")
	h.eventually("H27: the unknown one waits", func() bool { return len(h.kept(store.DeliveryParked)) == 6 })
}

// TestEventTypes: what becomes of an event of each type that is not data. All are
// acknowledged. What asks for nothing is done; what waits for its person is kept
// for them; only what is not known, or says nothing that it should, is kept for
// somebody to look at.
func TestEventTypes(t *testing.T) {
	h := newHost(t, terratest.Config{}, nil)
	h.run()
	const done, user = "", `"user":{"user_id":"u","provider":"GARMIN"}`
	for body, want := range map[string]store.DeliveryStatus{
		`{"type":"auth","status":"success",` + user + `}`:                                                               done,
		`{"type":"auth","status":"error","reason":"access_denied",` + user + `}`:                                        done,
		`{"type":"auth_cancelled","status":"error","flow_id":"f","reason":"access_denied","reference_id":"r"}`:          done,
		`{"type":"healthcheck","status":"success","trend_percentage":1,"sent_webhooks_last_hour":5}`:                    done,
		`{"type":"processing","status":"success",` + user + `,"retry_after_seconds":60}`:                                done,
		`{"type":"rate_limit_hit",` + user + `,"start_date":"2026-01-01","retrying_at":"2026-01-02"}`:                   done,
		`{"type":"google_no_datasource","status":"warning",` + user + `}`:                                               done,
		`{"type":"user_reauth","status":"warning","new_user":{"user_id":"n","provider":"GARMIN"}}`:                      done,
		`{"type":"user_reauth","old_user":{"user_id":"u"},"new_user":{"user_id":"n"}}`:                                  store.DeliveryParked,
		`{"type":"deauth","status":"success",` + user + `}`:                                                             store.DeliveryParked,
		`{"type":"access_revoked","status":"warning",` + user + `}`:                                                     store.DeliveryParked,
		`{"type":"connection_error","status":"warning",` + user + `}`:                                                   store.DeliveryParked,
		`{"type":"connexion_error","status":"warning",` + user + `}`:                                                    store.DeliveryParked,
		`{"type":"permission_change","status":"warning",` + user + `,"scopes_added":"A","scopes_removed":""}`:           store.DeliveryParked,
		`{"type":"large_request_processing","status":"processing",` + user + `,"reference":"r"}`:                        store.DeliveryParked,
		`{"type":"request_processing","status":"processing",` + user + `,"reference":"r"}`:                              store.DeliveryParked,
		`{"type":"large_request_sending",` + user + `,"reference":"r","expected_payloads":2}`:                           store.DeliveryParked,
		`{"type":"request_completed",` + user + `,"reference":"r"}`:                                                     store.DeliveryParked,
		`{"type":"large_request_sending",` + user + `,"expected_payloads":2}`:                                           store.DeliveryDead,
		`{"type":"route",` + user + `,"data":[]}`:                                                                       store.DeliveryDead,
		`{"type":"lab_report.completed","event_id":"e","occurred_at":"2026-01-01T00:00:00Z","data":{"session_id":"s"}}`: store.DeliveryDead,
		`{"type":"lab_report.failed","event_id":"e","occurred_at":"2026-01-01T00:00:00Z","data":{"session_id":"s"}}`:    store.DeliveryDead,
		`{"type":"moon_phase",` + user + `}`:                                                                            store.DeliveryDead,
	} {
		require.Equal(t, http.StatusOK, h.post([]byte(body)), body)
		h.eventually(body, func() bool { return len(h.kept(store.DeliveryNew))+len(h.kept(store.DeliveryUrgent)) == 0 })
		left := h.kept("")
		if want == done {
			require.Empty(t, left, body)
			continue
		}
		require.Len(t, left, 1, body)
		require.Equal(t, want, left[0].Status, body)
		require.NoError(t, h.store.Assign(t.Context(), left[0].ID, store.Assignment{}))
	}
}

// TestLabReportEvents: an event about a lab report is kept once, whatever else a
// delivery of it says, and is still there after it was tried again.
func TestLabReportEvents(t *testing.T) {
	h := newHost(t, terratest.Config{}, nil)
	h.run()
	for i, c := range []struct {
		kind, event string
		kept        int
	}{
		{"completed", "e1", 1}, {"completed", "e1", 1}, {"completed", "e2", 2}, {"failed", "e3", 3}, {"completed", "e1", 3},
	} {
		body := fmt.Sprintf(`{"type":"lab_report.%s","event_id":"%s","occurred_at":"2026-01-01T00:00:00Z","data":{"session_id":"s%d"}}`, c.kind, c.event, i)
		require.Equal(t, http.StatusOK, h.post([]byte(body)))
		h.eventually(body, func() bool { return len(h.kept(store.DeliveryNew)) == 0 })
		require.Len(t, h.kept(store.DeliveryDead), c.kept, body)
	}
	again := h.kept(store.DeliveryDead)[0]
	require.NoError(t, h.engine.Redrive(t.Context(), again.ID))
	h.eventually("tried again", func() bool { return len(h.kept(store.DeliveryDead)) == 3 })
	list, err := h.store.Deliveries(t.Context(), store.DeliveryQuery{ID: again.ID})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, again.Body, list[0].Body)
}

// TestTraceID: a delivery is a repetition by its trace id too, and not by the
// reference that the parts of a request share.
func TestTraceID(t *testing.T) {
	h := newHost(t, terratest.Config{}, nil)
	now := time.Now()
	send := func(n int, trace string) {
		body := fmt.Appendf(nil, `{"type":"moon_phase","user":{"user_id":"u","provider":"GARMIN"},"n":%d}`, n)
		headers := []string{terra.SignatureHeader, signedBy(terratest.DefaultSigningSecret, now, body), terra.ReferenceHeader, "shared"}
		if trace != "" {
			headers = append(headers, terra.TraceHeader, trace)
		}
		require.Equal(t, http.StatusOK, h.post(body, headers...))
	}
	for i, c := range []struct {
		n     int
		trace string
		kept  int
	}{
		{1, "", 1}, {2, "", 2}, // the reference is no name
		{3, "a", 3}, {3, "a", 3}, {4, "a", 3}, // a name that came, with whatever signature
		{3, "b", 3}, {5, "b", 4}, // what came before gives no name away
		{6, "c:chunk:0", 5}, {7, "c:chunk:1", 6},
		{1, "c:chunk:2", 6}, {8, strings.Repeat("x", 4000), 7}, {9, strings.Repeat("x", 4000) + "y", 8},
	} {
		send(c.n, c.trace)
		require.Len(t, h.kept(store.DeliveryNew), c.kept, "delivery %d", i)
	}
	body := []byte(`{"type":"moon_phase","n":10}`)
	require.Equal(t, http.StatusUnauthorized, h.post(body, terra.SignatureHeader, "t=1,v1=00", terra.TraceHeader, "z"))
	send(10, "z")
	require.Len(t, h.kept(store.DeliveryNew), 9, "a forged delivery names nothing")
	h.run()
	h.eventually("settled", func() bool { return len(h.kept(store.DeliveryNew)) == 0 })
	dead := len(h.kept(store.DeliveryDead))
	send(11, "a")
	h.eventually("settled", func() bool { return len(h.kept(store.DeliveryNew)) == 0 })
	require.Len(t, h.kept(store.DeliveryDead), dead, "remembered after it was worked on")
}

// TestSecretIsReplaced: while two secrets sign, and with either alone.
func TestSecretIsReplaced(t *testing.T) {
	const next = "the next signing secret"
	h := newHost(t, terratest.Config{}, nil)
	h.secrets = append(h.secrets, providers.NewSecret(next+"\n"))
	h.engine = h.newEngine(nil)
	h.hook.Config.Handler = h.engine.Handler()
	h.destination(terratest.Destination{})
	id := h.Destinations()[0].ID
	user := h.AddUser(terratest.UserConfig{Announce: true}).ID
	h.RotateSecret(id, next)
	h.Push(user, terratest.KindDaily)
	require.NoError(t, h.Settle(t.Context()))
	h.DropOldSecrets(id)
	h.Push(user, terratest.KindSleep)
	require.NoError(t, h.Settle(t.Context()))
	require.Equal(t, 3, h.Ledger().Acknowledged)
}

// TestRepeatedDelivery: H25, and the same when the service signs each try anew.
func TestRepeatedDelivery(t *testing.T) {
	h := newHost(t, terratest.Config{RestampRetries: true}, nil)
	h.destination(terratest.Destination{})
	h.run()
	h.consent("u1", "DUMMY", "a")
	conn := h.connected("u1")
	day := yesterday()
	h.Hold()
	since := len(h.Deliveries())
	h.Edit(conn.UpstreamID, terratest.Key{Kind: terratest.KindDaily, ID: day})
	d := h.Deliveries()[since]
	changes := func() (n int) {
		list, err := h.store.Changes(t.Context(), "test", 1000)
		require.NoError(t, err)
		var at []store.Position
		for _, c := range list {
			at = append(at, c.Position)
			if c.Key == "daily/"+day {
				n++
			}
		}
		require.NoError(t, h.store.Ack(t.Context(), "test", at...))
		return n
	}
	changes()
	for range proof.N(40, 1000) {
		require.True(t, h.Deliver(t.Context(), d.ID)[0].Acknowledged)
	}
	h.Advance(3 * time.Second)
	require.True(t, h.Deliver(t.Context(), d.ID)[0].Acknowledged, "signed at another time")
	h.settled(conn)
	require.Equal(t, h.truth(conn.UpstreamID, day), h.steps("u1", day))
	require.Equal(t, 1, changes())
}

// TestPushedDataIsMappedAgain: what a delivery brought is kept as it came, and
// gives the records that are stored when it is mapped again.
func TestPushedDataIsMappedAgain(t *testing.T) {
	var adapter providers.Remapper
	h := newHost(t, terratest.Config{}, func(c *healthsync.Config) { adapter = c.Providers[0].(providers.Remapper) })
	h.destination(terratest.Destination{})
	h.run()
	h.consent("u1", "DUMMY", "a")
	conn := h.connected("u1")
	day := yesterday()
	h.Hold()
	since := len(h.Deliveries())
	h.Edit(conn.UpstreamID, terratest.Key{Kind: terratest.KindDaily, ID: day})
	d := h.Deliveries()[since]
	require.True(t, h.Deliver(t.Context(), d.ID)[0].Acknowledged)
	h.settled(conn)
	stored := func() health.Record {
		page, err := h.store.Records(t.Context(), store.RecordQuery{User: "u1", Connections: []string{conn.ID}, Kinds: []health.Kind{health.KindDaily}, Keys: []string{"daily/" + day}})
		require.NoError(t, err)
		require.Len(t, page.Records, 1)
		return page.Records[0]
	}()
	raw, err := h.engine.RawPages(t.Context(), store.RawQuery{Connection: conn.ID})
	require.NoError(t, err)
	again := 0
	for _, page := range raw.Pages {
		records, err := adapter.Remap(page)
		require.NoError(t, err)
		for _, r := range records {
			if r.Key == stored.Key && r.Rev.Order == stored.Rev.Order {
				require.Equal(t, stored.Values, r.Values)
				require.Equal(t, stored.Texts, r.Texts)
				require.Equal(t, stored.Span, r.Span)
				again++
			}
		}
	}
	require.Equal(t, 1, again)
}

// TestDeauthBeforeAuth: H26, the service's answer decides and not the order.
func TestDeauthBeforeAuth(t *testing.T) {
	h := newHost(t, terratest.Config{}, nil)
	h.destination(terratest.Destination{})
	h.Hold()
	h.run()
	back := h.consent("u1", "DUMMY", "a")
	h.Deauthenticate(back.Get("user_id"))
	sent := h.Deliveries()
	require.True(t, h.Deliver(t.Context(), sent[1].ID)[0].Acknowledged)
	h.eventually("parked", func() bool { return len(h.kept(store.DeliveryParked)) == 1 })
	require.True(t, h.Deliver(t.Context(), sent[0].ID)[0].Acknowledged)
	h.eventually("revoked", func() bool {
		list := h.connections("u1")
		return len(list) == 1 && (list[0].State == store.StateRevoked || list[0].State == store.StateReauthRequired)
	})
}

// TestPayloadAddresses: H34, H35: no request goes where none should, and what
// cannot be had is read from the service.
func TestPayloadAddresses(t *testing.T) {
	touched := make(chan string, 10)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { touched <- r.URL.Path }))
	defer elsewhere.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html></html>") }))
	defer page.Close()
	port := elsewhere.URL[strings.LastIndexByte(elsewhere.URL, ':'):]
	alarms := make(chan healthsync.AlarmEvent, 100)
	h := newHost(t, terratest.Config{}, func(c *healthsync.Config) {
		c.Hooks.Alarm = func(_ context.Context, e healthsync.AlarmEvent) { alarms <- e }
	})
	h.run()
	for row, address := range map[string]string{
		"H34 another host": "http://localhost" + port + "/x", "H34 no TLS": "http://terra.s3.amazonaws.com/x", "H34 an address of the metadata": "https://169.254.169.254/x",
		"H34 a user": "http://u:p@127.0.0.1" + port + "/x", "H34 below the host": "http://127.0.0.1.example.com" + port + "/x", "H34 none": "ftp://127.0.0.1/x",
	} {
		require.Equal(t, http.StatusOK, h.post(fmt.Appendf(nil, `{"type":"s3_payload","status":"success","url":%q,"expires_in":300}`, address)), row)
		h.eventually(row, func() bool { return len(h.kept(store.DeliveryUrgent)) == 0 })
	}
	require.Equal(t, healthsync.AlarmPayload, (<-alarms).Kind)
	require.Empty(t, touched)
	require.Empty(t, h.kept(store.DeliveryDead))
	require.Equal(t, http.StatusOK, h.post(fmt.Appendf(nil, `{"type":"s3_payload","status":"success","url":%q,"expires_in":300}`, page.URL)))
	h.eventually("H35", func() bool { return len(h.kept(store.DeliveryDead)) == 1 })
}

// TestStoreDown: H38.
func TestStoreDown(t *testing.T) {
	h := newHost(t, terratest.Config{}, nil)
	require.NoError(t, h.store.Close())
	require.Equal(t, http.StatusServiceUnavailable, h.post([]byte(`{"type":"deauth","user":{"user_id":"u"}}`)))
}

// TestHandler: the handler for people without the engine.
func TestHandler(t *testing.T) {
	sim := terratest.New(terratest.Config{Now: simNow})
	p := newProvider(t, sim, nil)
	var got []providers.Notification
	var refuse error
	handler := p.Handler(func(_ context.Context, n providers.Notification) error {
		got = append(got, n)
		return refuse
	})
	post := func(method string, body []byte, signature string) int {
		r := httptest.NewRequest(method, "/hook", bytes.NewReader(body))
		r.Header.Set(terra.SignatureHeader, signature)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	genuine := func(body []byte) int {
		got = nil
		return post(http.MethodPost, body, signedBy(terratest.DefaultSigningSecret, time.Now(), body))
	}
	body := []byte(`{"type":"deauth","user":{"user_id":"u"}}`)
	require.Equal(t, 200, genuine(body))
	require.Equal(t, []string{"u", "deauth"}, []string{got[0].UpstreamID, got[0].Detail})
	require.Equal(t, 200, genuine([]byte("{")))
	require.Equal(t, []providers.Notification{{Event: providers.EventUnknown, Detail: "malformed"}}, got)
	got = nil
	require.Equal(t, 401, post(http.MethodPost, body, "t=1,v1=00"))
	require.Equal(t, 405, post(http.MethodGet, nil, ""))
	require.Empty(t, got)
	refuse = errors.New("full")
	require.Equal(t, 503, genuine(body))
	refuse = nil

	// From 1 MiB on the body is in a file.
	day := string(largeDay(yesterdayDay()))
	large := []byte(`{"data":[` + strings.Repeat(day+",", 29) + day + `],"type":"daily","user":{"user_id":"u","provider":"GARMIN"}}`)
	require.Greater(t, len(large), 2<<20)
	require.Equal(t, 200, genuine(large))
	require.Greater(t, len(got), 1, "in bounded parts")
	require.Len(t, got[0].Records[0].Series[0].Values, 1440)
	r := httptest.NewRequest(http.MethodPost, "/hook", &zeros{left: 64<<20 + 1})
	r.ContentLength = -1
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	require.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
}

type zeros struct{ left int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), z.left)
	z.left -= n
	clear(p[:n])
	return n, nil
}

// TestOrderingTime: it is not signed, and so bounded by what is.
func TestOrderingTime(t *testing.T) {
	p := newProvider(t, terratest.New(terratest.Config{Now: simNow}), nil)
	at := time.Now().Truncate(time.Second)
	body := []byte(`{"type":"daily","user":{"user_id":"u","provider":"GARMIN"},"data":[{"metadata":{"start_time":"2026-01-02T00:00:00+01:00","end_time":"2026-01-03T00:00:00+01:00","upload_type":0},"distance_data":{"steps":1}}]}`)
	limit := at.Add(5 * time.Minute).UnixMilli()
	end := at.UnixMilli() + 999
	for name, c := range map[string]struct {
		values []string
		want   int64
	}{
		"none": {nil, end}, "before": {[]string{"1700000000123"}, 1700000000123}, "a little later": {[]string{strconv.FormatInt(limit-1, 10)}, limit - 1},
		"far later": {[]string{"9999999999999"}, limit}, "zero": {[]string{"0"}, end}, "negative": {[]string{"-5"}, end}, "a word": {[]string{"now"}, end},
		"20 digits": {[]string{"17000000000000000000"}, end}, "two": {[]string{"1700000000123", "1700000000124"}, end},
	} {
		r := &providers.WebhookRequest{Header: http.Header{}, Body: body}
		r.Header.Set(terra.SignatureHeader, signedBy(terratest.DefaultSigningSecret, at, body))
		for _, v := range c.values {
			r.Header.Add(terra.OrderingHeader, v)
		}
		notes, err := p.ParseWebhook(at, r)
		require.NoError(t, err)
		require.Equal(t, c.want, notes[0].Records[0].Rev.Order, name)
		require.True(t, notes[0].Records[0].Rev.Push)
		require.Equal(t, at.UTC(), notes[0].At)
		e, err := terra.ParseWebhook([]string{terratest.DefaultSigningSecret}, r.Header, body, at, 0)
		require.NoError(t, err)
		require.Equal(t, c.want, e.OrderedAt.UnixMilli(), name)
	}
}

// TestOrderOfAPointer: what a pointer leads to is as old as the event, however
// late the pointer came.
func TestOrderOfAPointer(t *testing.T) {
	p := newProvider(t, terratest.New(terratest.Config{Now: simNow}), nil)
	emitted := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	late := emitted.Add(10 * time.Hour)
	body := []byte(`{"type":"s3_payload","status":"success","url":"https://b.s3.amazonaws.com/x","expires_in":300}`)
	data := []byte(`{"type":"daily","user":{"user_id":"u","provider":"GARMIN"},"data":[{"metadata":{"start_time":"2026-11-20T00:00:00+01:00","end_time":"2026-11-21T00:00:00+01:00","upload_type":1},"distance_data":{"steps":1}}]}`)
	for name, c := range map[string]struct {
		header string
		want   int64
	}{"told": {strconv.FormatInt(emitted.UnixMilli(), 10), emitted.UnixMilli()}, "not told": {"", late.UnixMilli() + 999}} {
		r := &providers.WebhookRequest{Header: http.Header{terra.SignatureHeader: {signedBy(terratest.DefaultSigningSecret, late, body)}}, Body: body}
		if c.header != "" {
			r.Header.Set(terra.OrderingHeader, c.header)
		}
		notes, err := p.ParseWebhook(late, r)
		require.NoError(t, err)
		require.NotNil(t, notes[0].Payload)
		notes[0].Payload = nil
		kept, err := json.Marshal(notes[0]) // as the engine keeps it until it was fetched
		require.NoError(t, err)
		var pointer providers.Notification
		require.NoError(t, json.Unmarshal(kept, &pointer))
		led, err := p.ParsePayload(late, pointer, &providers.WebhookRequest{Body: data})
		require.NoError(t, err)
		require.Equal(t, c.want, led[0].Records[0].Rev.Order, name)
	}
}

// TestLongEvents tell the same from a file as from memory, whatever their data is.
func TestLongEvents(t *testing.T) {
	p := newProvider(t, terratest.New(terratest.Config{Now: simNow}), nil)
	at := time.Now().Truncate(time.Second)
	for _, body := range []string{
		`{"type":"lab_report.completed","event_id":"e","data":{"session_id":"s","x":[[1,{"a":[]}],"` + strings.Repeat("x", 1<<20) + `"]},"version":"1"}`,
		`{"type":"route","data":{"points":"` + strings.Repeat("x", 1<<20) + `"}}`,
		`{"type":"route","data":5}`, `{"type":"route","data":[{"a":[1,2]},[3]],"user":{"user_id":"u"}}`, `{"type":"route","data":null}`,
	} {
		header := http.Header{terra.SignatureHeader: {signedBy(terratest.DefaultSigningSecret, at, []byte(body))}}
		small, err := p.ParseWebhook(at, &providers.WebhookRequest{Header: header, Body: []byte(body)})
		require.NoError(t, err)
		large, err := p.ParseWebhook(at, &providers.WebhookRequest{Header: header, Large: io.NewSectionReader(strings.NewReader(body), 0, int64(len(body)))})
		require.NoError(t, err)
		require.Equal(t, small, large)
	}
}

// TestParts: how the parts of a request are told apart, whichever header says
// it, and that nothing else is taken for one.
func TestParts(t *testing.T) {
	p := newProvider(t, terratest.New(terratest.Config{Now: simNow}), nil)
	now := time.Now()
	parse := func(body string, headers ...string) []providers.Notification {
		r := &providers.WebhookRequest{Header: http.Header{}, Body: []byte(body)}
		r.Header.Set(terra.SignatureHeader, signedBy(terratest.DefaultSigningSecret, now, r.Body))
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		notes, err := p.ParseWebhook(now, r)
		require.NoError(t, err)
		return notes
	}
	const data = `{"type":"daily","user":{"user_id":"u","provider":"GARMIN"},"data":[]}`
	part := func(headers ...string) int {
		notes := parse(data, headers...)
		require.Len(t, notes, 1)
		require.Equal(t, "ref", notes[0].Reference)
		return notes[0].Part
	}
	require.Equal(t, 4, part(terra.ReferenceHeader, "ref", terra.TraceHeader, "x:chunk:3"))
	require.Equal(t, 1, part(terra.ReferenceHeader, "ref:chunk:0", terra.TraceHeader, "x:chunk:0"))
	require.Equal(t, 4, part(terra.ReferenceHeader, "ref:chunk:3"))
	one := part(terra.ReferenceHeader, "ref", terra.TraceHeader, "a")
	require.Equal(t, one, part(terra.ReferenceHeader, "ref", terra.TraceHeader, "a"), "the same when it is tried again")
	require.NotEqual(t, one, part(terra.ReferenceHeader, "ref", terra.TraceHeader, "b"))
	require.Positive(t, part(terra.ReferenceHeader, "ref"))
	require.Positive(t, part(terra.ReferenceHeader, "ref", terra.TraceHeader, "x:chunk:99999999"))
	for _, reference := range []string{"", "with space", strings.Repeat("x", 600)} {
		notes := parse(data, terra.ReferenceHeader, reference)
		require.Empty(t, notes[0].Reference)
		require.Equal(t, []string{"daily"}, notes[0].Streams, "a reason to read")
	}
	announced := parse(`{"type":"large_request_sending","user":{"user_id":"u"},"reference":"ref","expected_payloads":37}`)
	require.Equal(t, []any{providers.EventRequest, "ref", 37}, []any{announced[0].Event, announced[0].Reference, announced[0].Expected})
	none := parse(`{"type":"request_completed","user":{"user_id":"u"},"reference":"ref","expected_payloads":0}`)
	require.Equal(t, []any{providers.EventData, 1, 1}, []any{none[0].Event, none[0].Part, none[0].Expected}, "a request without parts is complete")
}
