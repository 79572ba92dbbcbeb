package withingstest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// signedRequest is a request with its signature, and what the service makes of it.
type signedRequest struct {
	ID             string
	Kind           string // request_token, authorize, access_token, data
	Expect         string
	Method         string
	Endpoint       string
	ConsumerSecret string `json:"consumer_secret"`
	TokenSecret    string `json:"token_secret"`
	Params         []struct{ Name, Value string }
	Transport      string
	// URL is the address with a wrong signature, and RFC the right way where there is one.
	URL string
	RFC *struct {
		Signature, URL string
		Sorted         string `json:"url_sorted"`
	} `json:"rfc5849"`
	Signature string // where there is no RFC
}

func (v *signedRequest) param(name string) string {
	for _, p := range v.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// server returns a service that knows the credentials of the request and lives at its time.
func (v *signedRequest) server(t *testing.T) *Server {
	at, err := strconv.ParseInt(v.param("oauth_timestamp"), 10, 64)
	require.NoError(t, err)
	id, err := strconv.ParseInt(v.param("userid"), 10, 64)
	if err != nil {
		id = 1000231
	}
	s := New(Config{
		Days: 3, Now: func() time.Time { return time.Unix(at, 0) },
		Legacy: LegacyConfig{ConsumerKey: v.param("oauth_consumer_key"), ConsumerSecret: v.ConsumerSecret},
	})
	s.AddUser(UserConfig{ID: id})
	callback := v.param("oauth_callback")
	if callback == "" {
		callback = "https://app.example.com/cb"
	}
	request := &legacyRequest{
		text: v.param("oauth_token"), secret: v.TokenSecret, callback: callback, verifier: v.param("oauth_verifier"),
	}
	switch v.Kind {
	case "access_token":
		request.userID = id
		fallthrough
	case "authorize":
		s.legacy.requests[request.text] = request
	case "data":
		s.AddLegacyToken(LegacyToken{UserID: id, Token: v.param("oauth_token"), Secret: v.TokenSecret})
	}
	return s
}

// ask makes the request of an address and returns the status of the answer.
func (v *signedRequest) ask(t *testing.T, address string) int {
	u, err := url.Parse(address)
	require.NoError(t, err)
	endpoint, err := url.Parse(v.Endpoint)
	require.NoError(t, err)
	r := httptest.NewRequest(v.Method, u.RequestURI(), nil)
	r.Host = endpoint.Host
	r.Header.Set("X-Forwarded-Proto", endpoint.Scheme)
	if v.Transport == "header" {
		var parts []string
		for name, values := range u.Query() {
			require.True(t, strings.HasPrefix(name, "oauth_"))
			parts = append(parts, percentEncode(name)+`="`+percentEncode(values[0])+`"`)
		}
		r = httptest.NewRequest(v.Method, u.EscapedPath(), nil)
		r.Host = endpoint.Host
		r.Header.Set("X-Forwarded-Proto", endpoint.Scheme)
		r.Header.Set("Authorization", "OAuth "+strings.Join(parts, ", "))
	}
	rec := httptest.NewRecorder()
	v.server(t).ServeHTTP(rec, r)
	body := rec.Body.String()
	switch {
	case v.Kind == "authorize":
		require.Equal(t, http.StatusOK, rec.Code, body)
		require.Contains(t, body, "<form")
		return StatusOK
	case strings.HasPrefix(body, "oauth_token="):
		form, err := url.ParseQuery(body)
		require.NoError(t, err)
		require.NotEmpty(t, form.Get("oauth_token_secret"))
		require.Equal(t, v.Kind == "access_token", form.Has("userid"))
		return StatusOK
	}
	var answer struct{ Status int }
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &answer), body)
	require.False(t, answer.Status == StatusOK && v.Kind != "data", body)
	return answer.Status
}

// plain composes the address of a request whose signature is not a matter of its parameters.
func (v *signedRequest) plain() string {
	q := url.Values{"oauth_signature": {v.Signature}}
	for _, p := range v.Params {
		q.Add(p.Name, p.Value)
	}
	return v.Endpoint + "?" + q.Encode()
}

// TestSignedRequests has the service judge signed requests: those of this package and those of the file that
// VITALMUX_WITHINGS_VECTORS names, if it is set.
func TestSignedRequests(t *testing.T) {
	files := map[string]int{"testdata/vectors.json": 21}
	if more := os.Getenv("VITALMUX_WITHINGS_VECTORS"); more != "" {
		files[more] = 32
	}
	for file, count := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var doc struct{ OAuth1 []signedRequest }
		require.NoError(t, json.Unmarshal(text, &doc))
		require.Len(t, doc.OAuth1, count)
		expected := map[string]int{}
		for _, v := range doc.OAuth1 {
			expected[v.Expect]++
			t.Run(v.ID, func(t *testing.T) {
				var right []string
				if v.RFC != nil {
					right = append(right, v.RFC.URL)
					if v.RFC.Sorted != "" {
						right = append(right, v.RFC.Sorted)
					}
				} else {
					require.NotEmpty(t, v.Signature)
					right = append(right, v.plain())
				}
				want := StatusOK
				switch v.Expect {
				case "accept":
				case "signature-ok-but-status-247":
					want = StatusLegacyUser
				case "reject-342":
					require.Equal(t, StatusSignature, v.ask(t, v.URL))
				default:
					require.Fail(t, "unknown expectation", v.Expect)
				}
				for _, address := range right {
					require.Equal(t, want, v.ask(t, address))
				}
				// The signature is all that opens the door.
				if v.Kind != "authorize" {
					u, err := url.Parse(right[0])
					require.NoError(t, err)
					q := u.Query()
					signature := []byte(q.Get("oauth_signature"))
					slices.Reverse(signature)
					q.Set("oauth_signature", string(signature))
					u.RawQuery = q.Encode()
					require.Equal(t, StatusSignature, v.ask(t, u.String()))
				}
			})
		}
		for _, expect := range []string{"accept", "reject-342", "signature-ok-but-status-247"} {
			require.Positive(t, expected[expect], expect)
		}
	}
}
