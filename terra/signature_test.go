package terra

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/providers"
)

const hookSecret = "test_signing_secret"

// signedAt is the time of most signatures here.
var signedAt = time.Unix(1700000000, 0)

// v1 signs with code of its own.
func v1(secret, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s", stamp, body)
	return hex.EncodeToString(mac.Sum(nil))
}

// header is a genuine signature header.
func header(secret string, at time.Time, body []byte) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return "t=" + stamp + ",v1=" + v1(secret, stamp, body)
}

func TestVerifySignature(t *testing.T) {
	body := []byte(`{"type":"deauth","status":"success"}`)
	const known = "101280d63f0d60723210112db4fb90cb90d231443775b3748b62aa3538ccca87"
	require.Equal(t, known, v1(hookSecret, "1700000000", body), "computed with another program")
	foreign := v1("another secret", "1700000000", body)
	for name, c := range map[string]struct {
		header  string
		secrets []string // nil is hookSecret alone
		good    bool
	}{
		"genuine":                       {"t=1700000000,v1=" + known, nil, true},
		"the other way round":           {"v1=" + known + ",t=1700000000", nil, true},
		"two secrets":                   {"t=1700000000,v1=" + known, []string{"another secret", hookSecret}, true},
		"two signatures":                {"t=1700000000,v1=" + foreign + ",v1=" + known, nil, true},
		"another scheme besides":        {"t=1700000000,v0=abc,v1=" + known + ",v2=", nil, true},
		"H6 upper case":                 {"t=1700000000,v1=" + strings.ToUpper(known), nil, true},
		"H10 spaces":                    {" t = 1700000000 ,\tv1 = " + known + " ", nil, true},
		"H1 nothing":                    {"", nil, false},
		"H3 no time":                    {"v1=" + known, nil, false},
		"H3 empty time":                 {"t=,v1=" + known, nil, false},
		"H3 a word":                     {"t=now,v1=" + v1(hookSecret, "now", body), nil, false},
		"H3 negative":                   {"t=-1700000000,v1=" + v1(hookSecret, "-1700000000", body), nil, false},
		"H3 with a sign":                {"t=+1700000000,v1=" + v1(hookSecret, "+1700000000", body), nil, false},
		"H3 20 digits":                  {"t=17000000000000000000,v1=" + v1(hookSecret, "17000000000000000000", body), nil, false},
		"H3 milliseconds":               {"t=1700000000000,v1=" + v1(hookSecret, "1700000000000", body), nil, false},
		"H3 two times":                  {"t=1700000000,t=1700000000,v1=" + known, nil, false},
		"H3 another time":               {"t=1700000001,v1=" + known, nil, false},
		"H7 odd length":                 {"t=1700000000,v1=" + known[:63], nil, false},
		"H7 31 bytes":                   {"t=1700000000,v1=" + known[:62], nil, false},
		"H7 33 bytes":                   {"t=1700000000,v1=" + known + "00", nil, false},
		"H7 not hexadecimal":            {"t=1700000000,v1=" + known[:63] + "g", nil, false},
		"H7 one of two not hexadecimal": {"t=1700000000,v1=" + known + ",v1=" + known[:63] + "g", nil, false},
		"H8 another scheme alone":       {"t=1700000000,v0=" + known, nil, false},
		"H9 eight signatures":           {"t=1700000000" + strings.Repeat(",v1="+foreign, 7) + ",v1=" + known, nil, true},
		"H9 nine signatures":            {"t=1700000000" + strings.Repeat(",v1="+foreign, 8) + ",v1=" + known, nil, false},
		"H9 a thousand":                 {"t=1700000000" + strings.Repeat(",v1="+known, 1000), nil, false},
		"H12 of another endpoint":       {"t=1700000000,v1=" + foreign, nil, false},
		"a part without a name":         {"t=1700000000,=x,v1=" + known, nil, false},
		"an empty part":                 {"t=1700000000,,v1=" + known, nil, false},
		"no secrets":                    {"t=1700000000,v1=" + known, []string{}, false},
		"an empty secret":               {"t=1700000000,v1=" + v1("", "1700000000", body), []string{""}, false},
		"an empty secret besides":       {"t=1700000000,v1=" + known, []string{"", hookSecret}, true},
	} {
		secrets := c.secrets
		if secrets == nil {
			secrets = []string{hookSecret}
		}
		err := VerifySignature(secrets, c.header, body, signedAt, time.Minute)
		if c.good {
			require.NoError(t, err, name)
			continue
		}
		require.Equal(t, forged(), err, name)
		require.ErrorIs(t, err, providers.ErrSignature)
	}
	require.Equal(t, "terra: webhook: bad signature", forged().Error(), "no detail")
}

// The window of time is exact on both sides.
func TestVerifySignatureTime(t *testing.T) {
	body := []byte("{}")
	for _, c := range []struct {
		tolerance, age time.Duration
		good           bool
	}{
		{0, DefaultTolerance, true}, {0, DefaultTolerance + time.Second, false},
		{0, -5 * time.Minute, true}, {0, -5*time.Minute - time.Second, false},
		{5 * time.Minute, 5 * time.Minute, true}, {5 * time.Minute, 301 * time.Second, false}, {5 * time.Minute, -301 * time.Second, false},
		{time.Minute, time.Minute, true}, {time.Minute, time.Minute + time.Nanosecond, false},
		{time.Minute, -time.Minute, true}, {time.Minute, -time.Minute - time.Nanosecond, false},
		{time.Hour, -5 * time.Minute, true}, {time.Hour, -5*time.Minute - time.Nanosecond, false},
		{-time.Second, 0, false}, {-time.Hour, -time.Hour, false},
	} {
		err := VerifySignature([]string{hookSecret}, header(hookSecret, signedAt, body), body, signedAt.Add(c.age), c.tolerance)
		require.Equal(t, c.good, err == nil, "%+v", c)
	}
}

// A stamp that is further away than a duration reaches is no fresher for that.
func TestVerifySignatureFarAway(t *testing.T) {
	body := []byte("{}")
	for _, stamp := range []string{"0", "99999999999", "999999999999"} {
		err := VerifySignature([]string{hookSecret}, "t="+stamp+",v1="+v1(hookSecret, stamp, body), body, signedAt, 0)
		require.ErrorIs(t, err, providers.ErrSignature, stamp)
	}
}

// One changed bit of the body, or one changed character of what was signed, is
// refused, whatever it is.
func TestVerifySignatureBites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "body")
		secret := rapid.StringN(1, 60, -1).Draw(t, "secret")
		value := header(secret, signedAt, body)
		require.NoError(t, VerifySignature([]string{secret}, value, body, signedAt, 0))
		other := append([]byte(nil), body...)
		other[rapid.IntRange(0, len(body)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		require.Error(t, VerifySignature([]string{secret}, value, other, signedAt, 0))
		digits := []byte(value)
		at := rapid.IntRange(len("t="), len(value)-1).Draw(t, "digit")
		for _, c := range []byte("0123456789abcdef") {
			digits[at] = c
			if string(digits) != value {
				require.Error(t, VerifySignature([]string{secret}, string(digits), body, signedAt, 100*365*24*time.Hour))
			}
		}
	})
}

// Of the two names of the header the new one counts. Two values are refused,
// whether under one name or under both.
func TestSignatureNames(t *testing.T) {
	for name, c := range map[string]struct {
		current, deprecated []string
		want                []string
		good                bool
	}{
		"new name":            {[]string{"a"}, nil, []string{"a"}, true},
		"old name":            {nil, []string{"a"}, []string{"a"}, true},
		"both":                {[]string{"a"}, []string{" a"}, []string{"a"}, true},
		"both, different":     {[]string{"a"}, []string{"b"}, nil, false},
		"H1 none":             {nil, nil, nil, false},
		"H2 new name twice":   {[]string{"a", "a"}, nil, nil, false},
		"H2 old name twice":   {nil, []string{"a", "b"}, nil, false},
		"H2 twice, and again": {[]string{"a", "b"}, []string{"a"}, nil, false},
	} {
		h := http.Header{}
		for _, v := range c.current {
			h.Add("x-terra-signature", v)
		}
		for _, v := range c.deprecated {
			h.Add("terra-signature", v)
		}
		got, good := signatureValues(h)
		require.Equal(t, c.good, good, name)
		if good {
			require.Equal(t, c.want, got, name)
		}
	}
}

func FuzzSignatureHeader(f *testing.F) {
	body := []byte(`{"type":"deauth"}`)
	for _, seed := range []string{
		"", "t=1700000000,v1=" + v1(hookSecret, "1700000000", body), " t = 1 , v1 = x", "t=1,v1=", "t=1,,v0=a,=b", "v1=00,t=9", strings.Repeat("v1=a,", 20),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		sig, ok := parseSignature([]string{value})
		if !ok {
			require.Equal(t, signature{}, sig)
		} else {
			require.True(t, 1 <= sig.count && sig.count <= maxSignatures)
			require.Equal(t, sig.at.Unix(), must(strconv.ParseInt(sig.stamp, 10, 64)))
		}
		err := VerifySignature([]string{hookSecret}, value, body, signedAt, 0)
		if err == nil {
			require.Contains(t, strings.ToLower(value), v1(hookSecret, sig.stamp, body))
		} else if !errors.Is(err, providers.ErrSignature) {
			t.Fatal(err)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
