package sync

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/store"
)

// answerRow is one answer of a token endpoint and what must be in the store
// after each of three tries.
type answerRow struct {
	id, name string
	office   officeConfig
	answer   http.HandlerFunc

	state  store.State // default: active
	reason string
	// gains is how many generations each try adds: 0 for an answer that is not
	// stored.
	gains int64
	// alarms of the three tries together.
	alarms map[AlarmKind]int
	// check looks at the store after each try, n counts from 1.
	check func(t *testing.T, o *office, n int)
}

const tries = 3

// pairOf returns an answer with a pair and other members.
func pairOf(members string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o := r.Context().Value(http.ServerContextKey).(*http.Server).Handler.(*office)
		access, refresh := o.issue()
		says(200, fmt.Sprintf(`{"access_token":%q,"refresh_token":%q,%s"x":1}`, access, refresh, members))(w, r)
	}
}

// accessOf returns an answer with an access token only, and other members. $R
// stands for the refresh token that was shown.
func accessOf(members string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o := r.Context().Value(http.ServerContextKey).(*http.Server).Handler.(*office)
		access, _ := o.issue()
		members := strings.ReplaceAll(members, "$R", r.PostFormValue("refresh_token"))
		says(200, fmt.Sprintf(`{"access_token":%q,"expires_in":60%s}`, access, members))(w, r)
	}
}

// doubtful is what an answer leads to that says nothing of what happened.
func doubtful(row answerRow) answerRow {
	row.state, row.reason = store.StateDegraded, reasonDoubt
	row.alarms = map[AlarmKind]int{AlarmAmbiguous: tries}
	row.check = func(t *testing.T, o *office, n int) {
		require.Equal(t, n, o.credential().Doubts)
		require.True(t, o.credential().NextAt.After(time.Now()))
	}
	return row
}

func opaque(row answerRow) answerRow {
	row.state, row.reason = store.StateDegraded, reasonOpaque
	return row
}

func expiresIn(d time.Duration) func(*testing.T, *office, int) {
	return func(t *testing.T, o *office, _ int) {
		require.WithinDuration(t, time.Now().Add(d), o.credential().ExpiresAt, time.Second)
	}
}

func answerRows(t *testing.T) []answerRow {
	modes := []providers.Rotation{
		providers.RotationNone, providers.RotationGrace, providers.RotationReplay, providers.RotationSingleUse,
	}
	single := officeConfig{rotation: providers.RotationSingleUse}
	long := strings.Repeat("a", 64<<10)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(bytes.Repeat([]byte(" "), 8<<20))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	kept := answerRow{state: store.StateDegraded, reason: reasonRotation, gains: 1, alarms: map[AlarmKind]int{AlarmRotation: tries},
		check: func(t *testing.T, o *office, _ int) { require.Equal(t, "refresh-1", o.pair().Refresh.Reveal()) }}
	notRotated := func(id, name, members string) answerRow {
		row := kept
		row.id, row.name, row.office, row.answer = id, name, single, accessOf(members)
		return row
	}
	lifetime := func(id, told string, want time.Duration, alarms int) answerRow {
		row := answerRow{
			id: id, name: "expires_in " + told, office: single, answer: pairOf(`"expires_in":` + told + `,`), gains: 1,
			alarms: map[AlarmKind]int{}, check: expiresIn(want),
		}
		if told == "absent" {
			row.answer = pairOf("")
		}
		if alarms > 0 {
			row.alarms[AlarmLifetime] = alarms
		}
		return row
	}
	clocked := func(id, name string, status int, retryAfter string, want time.Duration) answerRow {
		return answerRow{
			id: id, name: name, office: single, answer: says(status, "", "Retry-After", retryAfter),
			check: func(t *testing.T, o *office, _ int) {
				require.Equal(t, want, time.Until(o.credential().NextAt).Round(time.Second))
				require.Zero(t, o.credential().Fails)
			},
		}
	}
	redirect := func(id string, status int, to string) answerRow {
		row := opaque(answerRow{id: id, name: fmt.Sprint(status, " to ", to), office: single, answer: says(status, "", "Location", to)})
		row.alarms = map[AlarmKind]int{AlarmRedirect: tries}
		row.check = func(t *testing.T, o *office, n int) {
			require.Len(t, o.presented(), n, "the token goes to the service once and nowhere else")
			for _, place := range o.reached {
				require.True(t, strings.HasPrefix(place, "127.0.0.1/"), place)
			}
		}
		return row
	}
	refused := answerRow{
		state: store.StateReauthRequired, reason: reasonRefused,
		check: func(t *testing.T, o *office, _ int) {
			require.False(t, o.credential().RefusedAt.IsZero())
			require.Equal(t, "refresh-1", o.pair().Refresh.Reveal(), "kept for a late successor")
			require.Len(t, o.presented(), 1)
		},
	}
	as := func(row answerRow, id, name string, c officeConfig, answer http.HandlerFunc) answerRow {
		row.id, row.name, row.office, row.answer = id, name, c, answer
		return row
	}
	withWithings := func(answer string) officeConfig {
		return officeConfig{scopes: []string{"user.info"}, provider: func(o *office) providers.Provider {
			p, err := withings.New(withings.Config{
				ClientID: "client", ClientSecret: providers.NewSecret("a secret of the client"), BaseURL: "http://127.0.0.1/", MaxWait: -1,
				Transport: &http.Transport{DialContext: o.network.dial, DisableKeepAlives: true},
			})
			require.NoError(o.t, err)
			return p
		}}
	}

	rows := []answerRow{
		doubtful(answerRow{id: "T1", name: "an empty object", office: single, answer: says(200, `{}`)}),
		notRotated("T2", "no refresh token", ""),
		notRotated("T3", "the refresh token that was sent", `,"refresh_token":"$R"`),
		notRotated("T4", "refresh token empty", `,"refresh_token":""`),
		notRotated("T4", "refresh token null", `,"refresh_token":null`),
		{id: "T2", name: "no refresh token, which does not rotate", office: officeConfig{rotation: providers.RotationNone}, answer: accessOf(""), gains: 1, check: kept.check},
		doubtful(answerRow{id: "T5", name: "access token empty", office: single, answer: says(200, `{"access_token":"","refresh_token":"rt"}`)}),
		lifetime("T6", "0", time.Minute, tries),
		lifetime("T7", "-1", time.Minute, tries),
		lifetime("T7", "-28800", time.Minute, tries),
		lifetime("T8", "1e12", 30*24*time.Hour, tries),
		lifetime("T8", "9223372036854775807", 30*24*time.Hour, tries),
		lifetime("T9", `"28800"`, 8*time.Hour, 0),
		lifetime("T10", "28800.0", 8*time.Hour, 0),
		lifetime("T10", "2.88e4", 8*time.Hour, 0),
		lifetime("T11", "null", time.Hour, 0),
		lifetime("T11", "absent", time.Hour, 0),
		lifetime("T11", `"soon"`, time.Hour, tries),
		as(refused, "T12", "error in 200", single, says(200, `{"error":"invalid_grant"}`)),
		{
			id: "T13", name: "another process has rotated", office: single, gains: 1,
			answer: func(w http.ResponseWriter, r *http.Request) {
				o := r.Context().Value(http.ServerContextKey).(*http.Server).Handler.(*office)
				access, refresh := o.issue()
				c, err := o.store.Credential(context.Background(), o.conn.ID)
				require.NoError(o.t, err)
				next, err := o.engine.sealInto(context.Background(), o.conn, c, providers.Credential{
					Access: providers.NewSecret(access), Refresh: providers.NewSecret(refresh), ExpiresAt: time.Now().Add(time.Minute),
				})
				require.NoError(o.t, err)
				next.Generation, next.Attempt = next.Generation+1, nil
				require.NoError(o.t, o.store.SwapCredential(context.Background(), c.Grant, c.RefreshPrint, next))
				says(400, `{"error":"invalid_grant"}`)(w, r)
			},
			check: func(t *testing.T, o *office, n int) {
				require.Equal(t, fmt.Sprint("refresh-", n+1), o.pair().Refresh.Reveal())
			},
		},
		as(refused, "T14", "nothing newer", single, says(400, `{"error":"invalid_grant"}`)),
		{
			id: "T15", name: "invalid client", office: single, answer: says(401, `{"error":"invalid_client"}`),
			alarms: map[AlarmKind]int{AlarmClient: 1},
			check:  func(t *testing.T, o *office, _ int) { require.Zero(t, o.credential().Fails) },
		},
		opaque(answerRow{id: "T16", name: "text", office: single, answer: says(400, "Bad Request")}),
		opaque(answerRow{id: "T17", name: "HTML", office: single, answer: says(400, "<html>no</html>", "Content-Type", "text/html")}),
		clocked("T19", "503 with an endless pause", 503, "999999999", 15*time.Minute),
		clocked("T20", "429 with a time in the past", 429, "Wed, 21 Oct 1998 07:28:00 GMT", firstBackoff),
		{
			id: "T21", name: "the envelope", office: withWithings(""), gains: 1,
			answer: func(w http.ResponseWriter, r *http.Request) {
				o := r.Context().Value(http.ServerContextKey).(*http.Server).Handler.(*office)
				access, refresh := o.issue()
				says(200, fmt.Sprintf(`{"status":0,"body":{"userid":"account-1","access_token":%q,"refresh_token":%q,"expires_in":10800,"scope":"user.info"}}`, access, refresh))(w, r)
			},
			check: expiresIn(3 * time.Hour),
		},
		as(refused, "T22", "status 401", withWithings(""), says(200, `{"status":401,"body":{}}`)),
		as(refused, "T22", "status 503", withWithings(""), says(200, `{"status":503,"body":{},"error":"Invalid Params: invalid refresh_token"}`)),
		{id: "T22", name: "status 503 for the application", office: withWithings(""), alarms: map[AlarmKind]int{AlarmClient: 1},
			answer: says(200, `{"status":503,"body":{},"error":"Invalid Params: invalid client_secret"}`)},
		{id: "T22", name: "status 601", office: withWithings(""), answer: says(200, `{"status":601,"body":{"wait_seconds":8}}`)},
		doubtful(answerRow{id: "T22", name: "unknown status", office: withWithings(""), answer: says(200, `{"status":98765,"body":{}}`)}),
		doubtful(answerRow{id: "T23", name: "no body", office: withWithings(""), answer: says(200, `{"status":0}`)}),
		doubtful(answerRow{id: "T23", name: "an array as body", office: withWithings(""), answer: says(200, `{"status":0,"body":[]}`)}),
		doubtful(answerRow{id: "T24", name: "a form where none is told", office: single,
			answer: says(200, "access_token=a&refresh_token=b", "Content-Type", "application/x-www-form-urlencoded")}),
		{id: "T24", name: "a form where the adapter says so", office: officeConfig{rotation: providers.RotationSingleUse, format: httpx.TokenFormat{AllowForm: true}},
			gains: 1, answer: func(w http.ResponseWriter, r *http.Request) {
				o := r.Context().Value(http.ServerContextKey).(*http.Server).Handler.(*office)
				access, refresh := o.issue()
				says(200, "access_token="+access+"&refresh_token="+refresh+"&expires_in=60", "Content-Type", "application/x-www-form-urlencoded")(w, r)
			}},
		doubtful(answerRow{id: "T25", name: "byte order mark", office: single, answer: says(200, "\ufeff"+`{"access_token":"a","refresh_token":"b"}`)}),
		doubtful(answerRow{id: "T26", name: "truncated", office: single, answer: says(200, `{"access_token":"a","refresh_`)}),
		doubtful(answerRow{id: "T26", name: "reset in the body", office: single, answer: says(200, `{"access_token":"a","refresh_token":"b"}`, "Content-Length", "4000")}),
		doubtful(answerRow{id: "T27", name: "two documents", office: single, answer: says(200, `{"access_token":"a","refresh_token":"b"}{"access_token":"c","refresh_token":"d"}`)}),
		{id: "T29", name: "a member of another case", office: single, gains: 1, answer: pairOf(`"expires_in":60,"Refresh_Token":"other",`),
			check: func(t *testing.T, o *office, n int) {
				require.Equal(t, fmt.Sprint("refresh-", n+1), o.pair().Refresh.Reveal())
			}},
		doubtful(answerRow{id: "T30", name: "70 KiB", office: single, answer: says(200, `{"access_token":"a","refresh_token":"b","x":"`+long+long[:6<<10]+`"}`)}),
		doubtful(answerRow{id: "T31", name: "gzip bomb", office: single, answer: says(200, zipped.String(), "Content-Encoding", "gzip")}),
		redirect("T32", 307, "https://evil.example.com/token"),
		redirect("T32", 308, "https://evil.example.com/token"),
		redirect("T33", 301, "http://127.0.0.1/token"),
		redirect("T33", 302, "http://127.0.0.1/token"),
		doubtful(answerRow{id: "T34", name: "line break", office: single, answer: says(200, `{"access_token":"a\nb","refresh_token":"c"}`)}),
		doubtful(answerRow{id: "T34", name: "NUL", office: single, answer: says(200, `{"access_token":"a","refresh_token":"b\u0000"}`)}),
		doubtful(answerRow{id: "T34", name: "not ASCII", office: single, answer: says(200, `{"access_token":"ä","refresh_token":"b"}`)}),
		doubtful(answerRow{id: "T35", name: "64 KiB", office: single, answer: says(200, `{"access_token":"a","refresh_token":"`+long[:63<<10]+`"}`)}),
		doubtful(answerRow{id: "T36", name: "mac", office: single, answer: says(200, `{"access_token":"a","refresh_token":"b","token_type":"mac"}`)}),
		{
			id: "T37", name: "fewer scopes", office: officeConfig{rotation: providers.RotationSingleUse, scopes: []string{"profile", "sleep"}},
			answer: pairOf(`"expires_in":60,"scope":"profile",`), gains: 1, alarms: map[AlarmKind]int{AlarmScopes: 1},
			check: func(t *testing.T, o *office, _ int) {
				require.Equal(t, []string{"profile"}, o.state().Scopes)
				report, err := o.engine.Sync(t.Context(), o.conn.ID)
				require.NoError(t, err)
				for _, s := range report.Streams {
					require.Equal(t, s.Stream == "sleep", s.Skipped, s.Stream)
				}
			},
		},
		{
			id: "T38", name: "another person", office: officeConfig{rotation: providers.RotationSingleUse, format: httpx.TokenFormat{UserIDs: []string{"user_id"}}},
			answer: pairOf(`"user_id":"account-2",`), state: store.StateDegraded, reason: reasonIdentity, alarms: map[AlarmKind]int{AlarmIdentity: tries},
		},
		{
			id: "T39", name: "after an erasure", office: single, state: "gone",
			answer: func(w http.ResponseWriter, r *http.Request) {
				o := r.Context().Value(http.ServerContextKey).(*http.Server).Handler.(*office)
				_, err := o.store.Erase(context.Background(), o.conn.User)
				require.NoError(o.t, err)
				o.grant(w, r)
			},
		},
	}
	for _, status := range []int{500, 502, 504} {
		for _, mode := range modes {
			rows = append(rows, doubtful(answerRow{
				id: "T18", name: fmt.Sprint(status, " in mode ", mode), office: officeConfig{rotation: mode}, answer: says(status, `{"error":"invalid_grant"}`),
			}))
		}
	}
	return rows
}

// TestTokenAnswers is the catalogue of answers of a token endpoint, each three
// times over HTTP, with what must be in the store afterwards.
func TestTokenAnswers(t *testing.T) {
	rows := answerRows(t)
	seen := map[string]bool{"T28": true, "T40": true} // these have tests of their own
	for _, row := range rows {
		seen[row.id] = true
	}
	for n := 1; n <= 40; n++ {
		require.True(t, seen[fmt.Sprint("T", n)], n)
	}
	proof.Row(t, "R7", proof.Counts{"rows": len(seen), "vectors": len(rows), "tries": tries})
	for _, row := range rows {
		t.Run(row.id+" "+row.name, func(t *testing.T) {
			bubbled(t, func(t *testing.T) { tryAnswer(t, row) })
		})
	}
}

func tryAnswer(t *testing.T, row answerRow) {
	o := newOffice(t, row.office)
	o.setAnswer(row.answer)
	if row.state == "" {
		row.state = store.StateActive
	}
	first := o.credential()
	for n := 1; n <= tries; n++ {
		// Until the access token has ended, and any pause is over.
		time.Sleep(max(time.Until(o.credential().ExpiresAt), 16*time.Minute))
		_ = o.sync()
		if row.state == "gone" {
			_, err := o.store.Connection(t.Context(), o.conn.ID)
			require.ErrorIs(t, err, store.ErrNotFound)
			_, err = o.store.Credential(t.Context(), o.conn.ID)
			require.ErrorIs(t, err, store.ErrNotFound)
			require.ErrorIs(t, o.sync(), store.ErrNotFound, "erased stays erased")
			break
		}
		conn, c := o.state(), o.credential()
		require.Equal(t, row.state, conn.State, "try %d: %s", n, conn.Reason)
		require.Equal(t, row.reason, conn.Reason)
		require.Equal(t, first.Generation+int64(n)*row.gains, c.Generation)
		require.Equal(t, first.Grant, c.Grant)
		require.Nil(t, c.Attempt)
		pair := o.pair()
		require.NotEmpty(t, pair.Refresh.Reveal())
		require.NotEmpty(t, pair.Access.Reveal())
		if row.gains == 0 {
			require.Equal(t, first.RefreshPrint, c.RefreshPrint, "the old pair is kept")
			require.Equal(t, "refresh-1", pair.Refresh.Reveal())
			require.Equal(t, "access-1", pair.Access.Reveal())
		}
		if row.check != nil {
			row.check(t, o, n)
		}
	}
	got := map[AlarmKind]int{}
	for _, kind := range o.alarms {
		got[kind]++
	}
	if row.alarms == nil {
		row.alarms = map[AlarmKind]int{}
	}
	require.Equal(t, row.alarms, got)
	require.NotContains(t, fmt.Sprint(o.states), "revoked")
}

// TestRepeatedRefreshToken (T28): an answer that names two refresh tokens.
func TestRepeatedRefreshToken(t *testing.T) {
	for _, mode := range []providers.Rotation{providers.RotationSingleUse, providers.RotationSingleUseRevoke, providers.RotationGrace} {
		t.Run(fmt.Sprint("mode ", mode), func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				o := newOffice(t, officeConfig{rotation: mode})
				o.expire()
				o.setAnswer(says(200, `{"access_token":"a","refresh_token":"one","expires_in":60,"refresh_token":"two"}`))
				require.Error(t, o.sync())
				require.Equal(t, store.StateDegraded, o.state().State)
				require.Equal(t, 1, o.alarmed(AlarmAmbiguous))
				c := o.credential()
				require.Equal(t, "refresh-1", o.pair().Refresh.Reveal())
				var kept []string
				for _, s := range c.Siblings {
					require.Equal(t, c.RefreshPrint, s.ParentPrint)
					opened := c
					opened.Sealed = s.Sealed
					pair, _, err := o.engine.openCredential(t.Context(), o.conn, opened)
					require.NoError(t, err)
					kept = append(kept, pair.Refresh.Reveal())
				}
				require.Equal(t, []string{"one", "two"}, kept)

				time.Sleep(2 * time.Minute)
				o.setAnswer(func(w http.ResponseWriter, r *http.Request) {
					if r.PostFormValue("refresh_token") != "one" && mode != providers.RotationGrace {
						says(400, `{"error":"invalid_grant"}`)(w, r)
						return
					}
					o.grant(w, r)
				})
				require.NoError(t, o.sync())
				want := []string{"refresh-1", "two", "one"}
				if mode == providers.RotationGrace {
					want = []string{"refresh-1", "refresh-1"} // harmless there
				}
				require.Equal(t, want, o.presented())
				require.Equal(t, store.StateActive, o.state().State)
				require.Empty(t, o.credential().Siblings)
			})
		})
	}
}

// certificates returns what a server shows, and a client that trusts only an
// authority. The server's certificate is for the host and ends at the time;
// with trusted false another authority made it.
func certificates(t *testing.T, host string, ends time.Time, trusted bool) (server, client *tls.Config) {
	authority := func() (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(100 * 24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		return cert, key
	}
	known, signer := authority()
	roots := x509.NewCertPool()
	roots.AddCert(known)
	issuer := known
	if !trusted {
		issuer, signer = authority()
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: ends,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, signer)
	require.NoError(t, err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}

// TestTokenEndpointWithABadCertificate (T40): nothing is sent, and nothing is
// lost.
func TestTokenEndpointWithABadCertificate(t *testing.T) {
	for _, c := range []struct {
		name    string
		host    string
		life    time.Duration
		trusted bool
		works   bool
	}{
		{"good", "127.0.0.1", 90 * 24 * time.Hour, true, true},
		{"expired", "127.0.0.1", time.Hour, true, false},
		{"for another host", "other.example.com", 90 * 24 * time.Hour, true, false},
		{"of an unknown authority", "127.0.0.1", 90 * 24 * time.Hour, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				server, client := certificates(t, c.host, time.Now().Add(c.life), c.trusted)
				o := newOffice(t, officeConfig{rotation: providers.RotationSingleUseRevoke, tls: server, roots: client})
				first := o.credential()
				o.expire()
				for range tries {
					err := o.sync()
					if c.works {
						require.NoError(t, err)
						continue
					}
					require.ErrorIs(t, err, providers.ErrUnavailable)
					require.Empty(t, o.presented())
					require.Equal(t, store.StateDegraded, o.state().State)
					require.Equal(t, reasonFailing, o.state().Reason)
					require.Zero(t, o.credential().Fails+o.credential().Doubts)
					require.Equal(t, first.RefreshPrint, o.credential().RefreshPrint)
					require.Empty(t, o.alarms)
					time.Sleep(2 * time.Minute)
				}
			})
		})
	}
}
