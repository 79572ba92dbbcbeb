package terra

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

const (
	testDevID  = "dev-testing"
	testAPIKey = "k3y-that-must-not-be-seen"
)

// reply is an answer of the service.
type reply struct {
	status int
	header map[string]string
	body   string
}

// asked is a request as the service saw it.
type asked struct {
	method, url string // with the query, sorted
	header      http.Header
	body        string
}

// service answers with the replies in turn, the last one again and again, and
// remembers what it was asked.
type service struct {
	t       testing.TB
	replies []reply
	asked   []asked
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	require.NoError(s.t, err)
	address := "https://" + r.Host + r.URL.EscapedPath()
	if q := r.URL.Query().Encode(); q != "" {
		address += "?" + q
	}
	s.asked = append(s.asked, asked{r.Method, address, r.Header, string(body)})
	answer := s.replies[min(len(s.asked), len(s.replies))-1]
	for name, value := range answer.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(answer.status)
	_, _ = io.WriteString(w, answer.body)
}

// client returns a client of a service that answers with the replies.
func client(t testing.TB, replies ...reply) (*Client, *service) {
	return clientWith(t, Config{}, replies...)
}

func clientWith(t testing.TB, cfg Config, replies ...reply) (*Client, *service) {
	s := &service{t: t, replies: replies}
	cfg.DevID, cfg.APIKey, cfg.Transport = testDevID, providers.NewSecret(testAPIKey), providertest.Transport(s)
	c, err := New(cfg)
	require.NoError(t, err)
	return c, s
}

func ok(body string) reply { return reply{status: http.StatusOK, body: body} }

// read returns a file of testdata.
func read(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return b
}

// errorOf returns the error as the type that all errors have.
func errorOf(t testing.TB, err error) *providers.Error {
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, Name, e.Provider)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, err), testAPIKey)
	}
	return e
}
