package oauth1

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// verify is a server's side, written from the text of RFC 5849 and not from the
// code it checks: it shares nothing with it, and takes URLs apart itself.
func verify(method, signedURL, consumerSecret, tokenSecret string) error {
	base, signature, err := serverBase(method, signedURL)
	if err != nil {
		return err
	}
	// 3.4.2
	mac := hmac.New(sha1.New, []byte(rfcEncode(consumerSecret)+"&"+rfcEncode(tokenSecret)))
	mac.Write([]byte(base))
	if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); want != signature {
		return fmt.Errorf("signature %s, want %s of %s", signature, want, base)
	}
	return nil
}

// serverBase returns the base string of a signed address, and its signature.
func serverBase(method, signedURL string) (base, signature string, err error) {
	address, query, ok := strings.Cut(signedURL, "?")
	if !ok {
		return "", "", errors.New("no query")
	}
	if !strings.HasSuffix(query[:strings.LastIndex(query, "=")], "&oauth_signature") {
		return "", "", errors.New("the signature is not the last parameter")
	}
	// 3.4.1.3.1: collect the parameters, without the signature.
	var names, values []string
	seen := map[string]int{}
	for _, part := range strings.Split(query, "&") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return "", "", errors.New("a parameter without =")
		}
		name, err := formDecode(name)
		if err != nil {
			return "", "", err
		}
		if value, err = formDecode(value); err != nil {
			return "", "", err
		}
		seen[name]++
		if name == "oauth_signature" {
			signature = value
			continue
		}
		names, values = append(names, name), append(values, value)
	}
	// 3.1 and 3.2: what there must be, once each.
	for _, name := range []string{"oauth_consumer_key", "oauth_signature_method", "oauth_timestamp", "oauth_nonce", "oauth_signature"} {
		if seen[name] != 1 {
			return "", "", fmt.Errorf("%s is there %d times", name, seen[name])
		}
	}
	// 3.4.1.3.2: encode, sort by name and then value, join.
	order := make([]int, len(names))
	for i := range names {
		names[i], values[i] = rfcEncode(names[i]), rfcEncode(values[i])
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool {
		a, b := order[i], order[j]
		return names[a] < names[b] || names[a] == names[b] && values[a] < values[b]
	})
	var normalized []string
	for _, i := range order {
		normalized = append(normalized, names[i]+"="+values[i])
	}
	// 3.4.1.2: the base string URI.
	scheme, rest, _ := strings.Cut(address, "://")
	host, path, _ := strings.Cut(rest, "/")
	if scheme != "http" && scheme != "https" || host != strings.ToLower(host) {
		return "", "", errors.New("scheme or host")
	}
	if scheme == "http" && strings.HasSuffix(host, ":80") || scheme == "https" && strings.HasSuffix(host, ":443") {
		return "", "", errors.New("a default port")
	}
	base = strings.ToUpper(method) + "&" + rfcEncode(scheme+"://"+host+"/"+path) + "&" + rfcEncode(strings.Join(normalized, "&"))
	return base, signature, nil
}

// rfcEncode is section 3.6.
func rfcEncode(s string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	out := ""
	for _, c := range []byte(s) {
		if strings.IndexByte(plain, c) >= 0 {
			out += string(rune(c))
		} else {
			out += fmt.Sprintf("%%%02X", c)
		}
	}
	return out
}

// formDecode reads a name or value of a form.
func formDecode(s string) (string, error) {
	var out []byte
	for len(s) > 0 {
		switch {
		case s[0] == '+':
			out, s = append(out, ' '), s[1:]
		case s[0] != '%':
			out, s = append(out, s[0]), s[1:]
		case len(s) < 3:
			return "", errors.New("a short escape")
		default:
			b, err := strconv.ParseUint(s[1:3], 16, 8)
			if err != nil {
				return "", err
			}
			out, s = append(out, byte(b)), s[3:]
		}
	}
	return string(out), nil
}
