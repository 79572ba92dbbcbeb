package httpx

import (
	"errors"
	"hash/maphash"
	"net/url"
	"strings"

	"github.com/vitalmux/vitalmux/providers"
)

// maxLink is the longest next-page link, the longest page token too.
const maxLink = 4 << 10

var errLink = errors.New("link leaves the service")

// NextLink reads a link to the next page that came in an answer: a complete
// URL, or one without scheme and host that begins with a slash. It must have
// the scheme, host and port of the base URL and stay below its path and below
// under, a path relative to the base URL ("" for all of it). The result is the
// base URL with the link's path and its query as it came. Any other link is
// providers.ErrMalformed.
func (c *Client) NextLink(under, raw string) (*url.URL, error) {
	base := *c.base
	if base.Path == "" {
		base.Path = "/" // JoinPath gives a relative path without it
	}
	if under != "" {
		base = *base.JoinPath(under)
	}
	return c.checkLink(NextLink(&base, raw))
}

func (c *Client) checkLink(u *url.URL, err error) (*url.URL, error) {
	if err != nil {
		return nil, &providers.Error{
			Provider: c.provider, Op: "next page", Kind: providers.ErrMalformed, Code: CodeLink, Err: err,
		}
	}
	return u, nil
}

// NextLink is [Client.NextLink] for a base URL of its own. Its error does not
// hold the link.
func NextLink(base *url.URL, raw string) (*url.URL, error) {
	if raw == "" || len(raw) > maxLink || !isVisible(raw) || strings.ContainsAny(raw, `\`) {
		return nil, errLink
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.User != nil || u.Fragment != "" {
		return nil, errLink
	}
	switch {
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(raw, "/") && !strings.HasPrefix(raw, "//"):
		u.Scheme, u.Host = base.Scheme, base.Host
	case u.Scheme == "" || u.Host == "":
		return nil, errLink
	}
	if err := sameService(base, u); err != nil {
		return nil, err
	}
	next := *base
	next.Path, next.RawPath, next.RawQuery = u.Path, u.RawPath, u.RawQuery
	if len(next.String()) > maxLink { // characters that had to be escaped made it longer
		return nil, errLink
	}
	return &next, nil
}

// sameService reports whether u has the scheme, host and port of base and a
// path below it that is in its plain form.
func sameService(base, u *url.URL) error {
	escaped := strings.ToLower(u.EscapedPath())
	for _, odd := range []string{"%2e", "%2f", "%5c", "%25", "%00", "%0a", "%0d", "//"} {
		if strings.Contains(escaped, odd) {
			return errLink
		}
	}
	query := strings.ToLower(u.RawQuery)
	for _, odd := range []string{"%00", "%0a", "%0d"} {
		if strings.Contains(query, odd) {
			return errLink
		}
	}
	if u.User != nil || !strings.EqualFold(u.Scheme, base.Scheme) || authority(u) != authority(base) || hasDotSegment(u.Path) {
		return errLink
	}
	prefix := strings.TrimSuffix(base.Path, "/")
	if u.Path != prefix && !strings.HasPrefix(u.Path, prefix+"/") {
		return errLink
	}
	return nil
}

// authority returns host and port in lower case, the default port left out.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "443" && strings.EqualFold(u.Scheme, "https") || port == "80" && strings.EqualFold(u.Scheme, "http") {
		port = ""
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// hasDotSegment reports whether a path has a segment "." or "..".
func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// LoopGuard notices a walk that comes back to a page. The zero LoopGuard is
// ready for use. It takes a few bytes per page, whatever the tokens' length.
type LoopGuard struct {
	seed maphash.Seed
	seen map[uint64]struct{}
}

// Visit notes a page by its token and reports whether it is a new one. False
// means that the walk does not end: providers.ErrMalformed with
// providers.CodePageLoop.
func (g *LoopGuard) Visit(token string) bool {
	if g.seen == nil {
		g.seed, g.seen = maphash.MakeSeed(), map[uint64]struct{}{}
	}
	h := maphash.String(g.seed, token)
	if _, again := g.seen[h]; again {
		return false
	}
	g.seen[h] = struct{}{}
	return true
}
