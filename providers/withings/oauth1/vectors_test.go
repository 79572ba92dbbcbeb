package oauth1

import (
	"encoding/json"
	"net/url"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
)

// vector is one signature with all of its steps. The parameters are decoded.
type vector struct {
	ID             string      `json:"id"`
	Method         string      `json:"method"`
	Endpoint       string      `json:"endpoint"`
	ConsumerSecret string      `json:"consumer_secret"`
	TokenSecret    string      `json:"token_secret"`
	Params         []Parameter `json:"params"`
	// Expect is empty, or what a server makes of the request.
	Expect string `json:"expect"`
	RFC    *steps `json:"rfc5849"`
	// URL is what a server rejects, where Expect says so; RFC is then how it
	// would have been right.
	URL string `json:"url"`
	// Class is what a script of 2018 made of the same; ClassEqual says that it
	// is the same. Nothing here follows it where it is not.
	Class      *steps `json:"class2018"`
	ClassEqual bool   `json:"class_equals_rfc"`
}

type steps struct {
	Normalized string `json:"normalized_params"`
	Base       string `json:"base_string"`
	Key        string `json:"signing_key"`
	Signature  string `json:"signature"`
	URL        string `json:"url"`
}

func readVectors(t testing.TB, path string) []vector {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var file struct {
		OAuth1 []vector `json:"oauth1"`
	}
	require.NoError(t, json.Unmarshal(text, &file))
	return file.OAuth1
}

// param returns the value of a parameter that is there once, or "".
func (v vector) param(name string) string {
	i := slices.IndexFunc(v.Params, func(p Parameter) bool { return p.Name == name })
	if i < 0 {
		return ""
	}
	return v.Params[i].Value
}

// signer returns the signer with the values of the vector, and the parameters
// that it does not set.
func (v vector) signer(t testing.TB) (Signer, url.Values) {
	t.Helper()
	timestamp, err := strconv.ParseInt(v.param(paramTimestamp), 10, 64)
	require.NoError(t, err)
	params := url.Values{}
	for _, p := range v.Params {
		switch p.Name {
		case paramKey, paramNonce, paramMethod, paramTimestamp, paramToken, paramVersion:
		default:
			params.Add(p.Name, p.Value)
		}
	}
	return Signer{
		ConsumerKey: v.param(paramKey), ConsumerSecret: v.ConsumerSecret, Token: v.param(paramToken), TokenSecret: v.TokenSecret,
		Nonce: func() string { return v.param(paramNonce) }, Now: func() time.Time { return time.Unix(timestamp, 0) },
	}, params
}

// check holds every step against the vector: by the public methods where the
// parameters are those that the signer sets, and by what they are made of in any
// case, since the examples of the RFC carry no oauth_version.
func (v vector) check(t *testing.T) {
	u, err := url.Parse(v.Endpoint)
	require.NoError(t, err)
	at, err := targetOf(u, u.Host)
	require.NoError(t, err)
	r := request{method: v.Method, at: at}
	for _, p := range v.Params {
		r.pairs = append(r.pairs, pair{encode(p.Name), encode(p.Value)})
	}
	slices.SortFunc(r.pairs, comparePairs)
	c := r.compose()
	s, params := v.signer(t)
	require.Equal(t, v.RFC.Base, string(c.base()))
	require.Equal(t, v.RFC.Normalized, string(c.parameters()))
	require.Equal(t, v.RFC.Key, string(appendKey(nil, v.ConsumerSecret, v.TokenSecret)))
	require.Equal(t, encode(v.RFC.Signature), string(s.signature(nil, &c)))
	require.Equal(t, v.RFC.URL, string(c.address())+signaturePrefix+encode(v.RFC.Signature))
	require.NoError(t, verify(v.Method, v.RFC.URL, v.ConsumerSecret, v.TokenSecret))
	if v.param(paramVersion) == "" {
		return
	}
	base, err := s.BaseString(v.Method, v.Endpoint, params)
	require.NoError(t, err)
	require.Equal(t, v.RFC.Base, base)
	address, err := s.SignedURL(v.Method, v.Endpoint, params)
	require.NoError(t, err)
	require.Equal(t, v.RFC.URL, address)
	trace, err := s.Trace(v.Method, v.Endpoint, params)
	require.NoError(t, err)
	require.Equal(t, v.RFC.Base, trace.BaseString)
	require.Equal(t, v.RFC.Normalized, trace.Normalized)
	require.Equal(t, v.RFC.Signature, trace.Signature)
	require.Equal(t, v.RFC.URL, trace.URL)
	// Parameters that are given again, or stand in the query, change nothing.
	for _, p := range v.Params {
		if _, ok := params[p.Name]; !ok {
			params.Add(p.Name, "another")
		}
	}
	again, err := s.SignedURL(v.Method, v.RFC.URL, nil)
	require.NoError(t, err)
	require.Equal(t, v.RFC.URL, again)
	if s.Token != "" {
		again, err = s.SignedURL(v.Method, v.Endpoint, params)
		require.NoError(t, err)
		require.Equal(t, v.RFC.URL, again)
	}
}

// TestVectors checks the vectors of this package and those of the file that
// VITALMUX_WITHINGS_VECTORS names, if it is set.
func TestVectors(t *testing.T) {
	counts := proof.Counts{}
	proof.Row(t, "R18", counts)
	files := map[string]int{"testdata/vectors.json": 24}
	if more := os.Getenv("VITALMUX_WITHINGS_VECTORS"); more != "" {
		files[more] = 32
	}
	for file, count := range files {
		checked := 0
		vectors := readVectors(t, file)
		require.Len(t, vectors, count, file)
		for _, v := range vectors {
			if v.param(paramMethod) != signatureMethod {
				require.Equal(t, "PLAINTEXT", v.param(paramMethod))
				continue
			}
			checked++
			t.Run(v.ID, func(t *testing.T) {
				v.check(t)
				if v.Expect == "reject-342" {
					require.NotEqual(t, v.RFC.URL, v.URL)
					require.Error(t, verify(v.Method, v.URL, v.ConsumerSecret, v.TokenSecret))
				}
				if v.ClassEqual {
					// The script escaped less. Where it did not need to, it did
					// what check expects of us.
					require.Equal(t, v.RFC, v.Class)
				}
			})
		}
		require.GreaterOrEqual(t, checked, count-1, "one has no signature by HMAC")
		counts["vectors"] += checked
	}
}
