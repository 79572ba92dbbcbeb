package httpx

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

func TestNextLink(t *testing.T) {
	for _, c := range []struct{ name, link, want string }{
		{"U1 longer host", "https://api.example.com.evil.io/1/x", ""},
		{"U2 host as userinfo", "https://api.example.com@evil.io/1/x", ""},
		{"U3 inherited scheme", "//evil.io/1/x", ""},
		{"inherited scheme, own host", "//api.example.com/1/x", ""},
		{"U4 http", "http://api.example.com/1/x", ""},
		{"U5 port", "https://api.example.com:8443/1/x", ""},
		{"default port", "https://api.example.com:443/1/x", testBase + "x"},
		{"U6 metadata service", "https://169.254.169.254/1/", ""},
		{"U7 mapped metadata service", "https://[::ffff:169.254.169.254]/1/", ""},
		{"U8 backslash", `https://api.example.com\@evil.io/1/`, ""},
		{"backslash in path", `https://api.example.com/1/\x`, ""},
		{"U9 upper case", "https://API.EXAMPLE.COM/1/x", testBase + "x"},
		{"upper case scheme", "HTTPS://api.example.com/1/x", testBase + "x"},
		{"U10 trailing dot", "https://api.example.com./1/x", ""},
		{"U11 dot segments", "https://api.example.com/../../oauth2/revoke", ""},
		{"dot segments from within", "https://api.example.com/1/../oauth2/revoke", ""},
		{"beside the prefix", "https://api.example.com/1evil/x", ""},
		{"outside the prefix", "https://api.example.com/oauth2/revoke", ""},
		{"U12 path", "/1/user/-/x", testBase + "user/-/x"},
		{"path outside", "/2/user/-/x", ""},
		{"the base itself", "https://api.example.com/1/", testBase},
		{"query verbatim", "https://api.example.com/1/x?b=2&a=%20+%7E&a=1", testBase + "x?b=2&a=%20+%7E&a=1"},
		{"escaped path verbatim", "https://api.example.com/1/a%20b", testBase + "a%20b"},
		{"U13 file", "file:///etc/passwd", ""},
		{"U13 gopher", "gopher://api.example.com/1/x", ""},
		{"U13 data", "data:text/plain,x", ""},
		{"javascript", "javascript:alert(1)", ""},
		{"U14 homoglyph", "https://аpi.example.com/1/x", ""},
		{"U14 punycode", "https://xn--pi-7kc.example.com/1/x", ""},
		{"U17 long", "https://api.example.com/1/x?a=" + strings.Repeat("b", 10<<10), ""},
		{"U18 escaped dots", "https://api.example.com/1/%2e%2e/oauth2/revoke", ""},
		{"U18 escaped dots, upper case", "https://api.example.com/1/%2E%2E/oauth2", ""},
		{"U18 half escaped", "https://api.example.com/1/.%2e/oauth2", ""},
		{"escaped twice", "https://api.example.com/1/%252e%252e/oauth2", ""},
		{"escaped slash", "https://api.example.com/1/x%2foauth2", ""},
		{"U18 NUL", "https://api.example.com/1/x%00", ""},
		{"U18 line break", "https://api.example.com/1/x\r\nHost: evil.io", ""},
		{"U18 escaped line break", "https://api.example.com/1/x?a=%0d%0ab", ""},
		{"double slash", "https://api.example.com//1/x", ""},
		{"fragment", "https://api.example.com/1/x#y", ""},
		{"relative", "x?a=1", ""},
		{"query only", "?a=1", ""},
		{"empty", "", ""},
		{"opaque", "https:api.example.com/1/x", ""},
		{"userinfo of our own host", "https://a:b@api.example.com/1/x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, err := url.Parse(testBase)
			require.NoError(t, err)
			got, err := NextLink(base, c.link)
			if c.want == "" {
				require.Error(t, err)
				if c.link != "" {
					require.NotContains(t, err.Error(), c.link)
				}
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got.String())
		})
	}
}

func TestNextLinkOfAnotherPerson(t *testing.T) { // U19
	c := newTestClient(t, nil, nil)
	next, err := c.NextLink("user/ABC", "https://api.example.com/1/user/ABC/sleep?offset=20")
	require.NoError(t, err)
	require.Equal(t, testBase+"user/ABC/sleep?offset=20", next.String())
	for _, link := range []string{
		"https://api.example.com/1/user/XYZ/sleep?offset=20", "/1/user/ABCD/sleep", "/1/user",
	} {
		_, err = c.NextLink("user/ABC", link)
		e := asProviderError(t, err)
		require.ErrorIs(t, e, providers.ErrMalformed)
		require.Equal(t, CodeLink, e.Code)
	}
}

// TestNextLinkOfServiceWithoutPath: a base URL may end with its host.
func TestNextLinkOfServiceWithoutPath(t *testing.T) {
	for _, base := range []string{"https://api.example.com", "https://api.example.com/"} {
		c := newTestClient(t, nil, func(cfg *Config) { cfg.BaseURL = base })
		for under, paths := range map[string]struct{ own, other string }{
			"":          {"/any/path", ""},
			"user/ABC":  {"/user/ABC/sleep", "/user/XYZ/sleep"},
			"/user/ABC": {"/user/ABC/sleep", "/user/ABCD/sleep"},
		} {
			for _, link := range []string{paths.own + "?offset=20", "https://api.example.com" + paths.own + "?offset=20"} {
				next, err := c.NextLink(under, link)
				require.NoError(t, err, "%s under %q of %s", link, under, base)
				require.Equal(t, "https://api.example.com"+paths.own+"?offset=20", next.String())
			}
			if paths.other != "" {
				_, err := c.NextLink(under, paths.other)
				require.ErrorIs(t, err, providers.ErrMalformed)
			}
		}
		_, err := c.NextLink("user/ABC", "https://api.example.com.evil.io/user/ABC/sleep")
		require.ErrorIs(t, err, providers.ErrMalformed)
	}
}

func TestLoopGuard(t *testing.T) { // U15, U16
	var g LoopGuard
	require.True(t, g.Visit("a"))
	require.False(t, g.Visit("a"))
	require.True(t, g.Visit("b"))
	require.True(t, g.Visit(""))
	require.False(t, g.Visit("a"))
	require.False(t, g.Visit(""))
}

func TestGuardDial(t *testing.T) { // U20
	for _, refused := range []string{
		"127.0.0.1:443", "127.9.9.9:443", "10.1.2.3:443", "172.16.0.1:443", "192.168.1.1:443", "169.254.169.254:80",
		"0.0.0.0:443", "100.64.0.1:443", "198.18.0.1:443", "224.0.0.1:443", "255.255.255.255:443", "192.0.2.1:443",
		"[::1]:443", "[::]:443", "[fc00::1]:443", "[fd12::1]:443", "[fe80::1%eth0]:443", "[ff02::1]:443",
		"[::ffff:10.0.0.1]:443", "[::ffff:127.0.0.1]:443", "[64:ff9b::7f00:1]:443", "[64:ff9b::a00:1]:443",
		"[2002:7f00:1::]:443", "[2001:db8::1]:443", "example.com:443", "1.1.1.1", "",
	} {
		require.Error(t, GuardDial("tcp4", refused, nil), refused)
	}
	for _, allowed := range []string{"8.8.8.8:443", "[2606:4700::1111]:443", "[64:ff9b::808:808]:443", "[::ffff:8.8.8.8]:443"} {
		require.NoError(t, GuardDial("tcp6", allowed, nil), allowed)
	}
	require.Error(t, GuardDial("udp4", "8.8.8.8:53", nil))
	require.Error(t, GuardDial("unix", "/run/x.sock", nil))
}

func FuzzNextLink(f *testing.F) {
	for _, s := range []string{
		testBase + "x?a=1", "/1/x", "//evil.io", `https://api.example.com\@evil.io/`, "/1/%2e%2e/x", "https://API.example.com:443/1/",
		"/1/" + strings.Repeat("<", maxLink/2),
	} {
		f.Add(s)
	}
	base, _ := url.Parse(testBase)
	f.Fuzz(func(t *testing.T, raw string) {
		next, err := NextLink(base, raw)
		if err != nil {
			return
		}
		again, err := url.Parse(next.String())
		if err != nil {
			t.Fatalf("%q gave %q, which does not parse", raw, next)
		}
		if again.Scheme != "https" || again.Host != "api.example.com" || again.User != nil ||
			!strings.HasPrefix(again.Path+"/", "/1/") || strings.Contains(again.Path, "..") && hasDotSegment(again.Path) {
			t.Fatalf("%q gave %q", raw, next)
		}
		if twice, err := NextLink(base, next.String()); err != nil || twice.String() != next.String() {
			t.Fatalf("%q gave %q, which gave %v, %v", raw, next, twice, err)
		}
	})
}
