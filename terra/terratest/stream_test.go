package terratest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/terra/terratest"
)

type frame struct {
	Op  int             `json:"op"`
	D   json.RawMessage `json:"d,omitempty"`
	T   string          `json:"t,omitempty"`
	UID string          `json:"uid,omitempty"`
	Seq int64           `json:"seq,omitempty"`
}

// streamClient talks to the stream with the library alone.
type streamClient struct {
	*websocket.Conn
	t *testing.T
}

func dial(t *testing.T, server *httptest.Server) streamClient {
	t.Helper()
	conn, resp, err := websocket.Dial(t.Context(), server.URL+terratest.StreamPath, nil)
	require.NoError(t, err)
	if resp.Body != nil {
		resp.Body.Close()
	}
	t.Cleanup(func() { conn.CloseNow() })
	c := streamClient{conn, t}
	hello := c.read()
	require.Equal(t, 2, hello.Op)
	return c
}

func (c streamClient) read() (f frame) {
	c.t.Helper()
	require.NoError(c.t, wsjson.Read(c.t.Context(), c.Conn, &f))
	return f
}

func (c streamClient) send(text string) {
	c.t.Helper()
	require.NoError(c.t, c.Write(c.t.Context(), websocket.MessageText, []byte(text)))
}

// closed returns the code the simulator closes with.
func (c streamClient) closed() websocket.StatusCode {
	_, _, err := c.Read(c.t.Context())
	return websocket.CloseStatus(err)
}

func streamToken(t *testing.T, s *terratest.Server, path string) string {
	t.Helper()
	a := ask(t, s, "POST", path, "")
	require.Equal(t, 200, a.Code, a.Text)
	return a.Body["token"].(string)
}

func TestStream(t *testing.T) {
	s := newServer(t, terratest.Config{MaxConsumers: 1})
	server := httptest.NewServer(s)
	defer server.Close()
	u := s.AddUser(terratest.UserConfig{})
	require.EqualValues(t, 1, s.Stream(u.ID, "heart_rate", []byte(`{"val":60}`)))
	require.EqualValues(t, 2, s.Stream(u.ID, "heart_rate", []byte(`{"val":61}`)))

	token := streamToken(t, s, terratest.ConsumerPath)
	consumer := dial(t, server)
	consumer.send(`{"op":3,"d":{"token":"` + token + `","type":1}}`)
	require.Equal(t, 4, consumer.read().Op)
	consumer.send(`{"op":0}`)
	require.Equal(t, 1, consumer.read().Op)
	consumer.send(`{"op":7,"d":{"after":0,"before":3}}`)
	for seq := range int64(2) {
		f := consumer.read()
		require.Equal(t, frame{5, json.RawMessage(`{"val":6` + string(rune('0'+seq)) + `}`), "heart_rate", u.ID, seq + 1}, f)
	}

	producer := dial(t, server)
	producer.send(`{"op":3,"d":{"token":"` + streamToken(t, s, terratest.ProducerPath+"?id="+u.ID) + `","type":0}}`)
	require.Equal(t, 4, producer.read().Op)
	producer.send(`{"op":6,"t":"steps","d":{"val":5}}`)
	f := consumer.read()
	require.Equal(t, "steps", f.T)
	require.EqualValues(t, 3, f.Seq)
	consumer.send(`{"op":7,"d":{"after":2,"before":1000}}`)
	require.EqualValues(t, 3, consumer.read().Seq)

	second := dial(t, server)
	second.send(`{"op":3,"d":{"token":"` + streamToken(t, s, terratest.ConsumerPath) + `","type":1}}`)
	require.EqualValues(t, terratest.CloseTooManyConsumers, second.closed())
	used := dial(t, server)
	used.send(`{"op":3,"d":{"token":"` + token + `","type":1}}`)
	require.EqualValues(t, terratest.CloseInvalidToken, used.closed())
	role := dial(t, server)
	role.send(`{"op":3,"d":{"token":"` + streamToken(t, s, terratest.ConsumerPath) + `","type":0}}`)
	require.EqualValues(t, terratest.CloseInvalidToken, role.closed())
	producer.send(`{"op":7,"d":{}}`)
	require.EqualValues(t, websocket.StatusUnsupportedData, producer.closed())

	s.DropStreams()
	require.EqualValues(t, -1, consumer.closed(), "no closing handshake")
	require.Equal(t, 400, ask(t, s, "POST", terratest.ProducerPath+"?id=none", "").Code)
	require.NotEmpty(t, s.StreamLog())
}

func TestStreamRefusals(t *testing.T) {
	s := newServer(t, terratest.Config{})
	server := httptest.NewServer(s)
	defer server.Close()
	hurried := httptest.NewServer(newServer(t, terratest.Config{IdentifyWithin: 30 * time.Millisecond}))
	defer hurried.Close()
	identified := func() streamClient {
		c := dial(t, server)
		c.send(`{"op":3,"d":{"token":"` + streamToken(t, s, terratest.ConsumerPath) + `","type":1}}`)
		require.Equal(t, 4, c.read().Op)
		return c
	}
	require.EqualValues(t, terratest.CloseNotIdentified, dial(t, hurried).closed())
	for text, code := range map[string]websocket.StatusCode{
		`{"op":3,"d":{}}`:                 terratest.CloseIdentifiedTwice,
		`{"op":42}`:                       terratest.CloseUnknownOperation,
		`{"op":6,"t":"steps","d":{}}`:     websocket.StatusUnsupportedData,
		`[]`:                              websocket.StatusUnsupportedData,
		`{"op":7,"d":{"after":"a word"}}`: websocket.StatusUnsupportedData,
		`{"op":7,"d":{"after":0}}`:        websocket.StatusUnsupportedData, // the service wants both bounds
	} {
		c := identified()
		c.send(text)
		require.Equal(t, code, c.closed(), text)
	}
	hasty := dial(t, server)
	hasty.send(`{"op":0}`)
	require.EqualValues(t, terratest.CloseNotIdentified, hasty.closed())

	impatient := newServer(t, terratest.Config{Heartbeat: 20 * time.Millisecond})
	other := httptest.NewServer(impatient)
	defer other.Close()
	c := dial(t, other)
	c.send(`{"op":3,"d":{"token":"` + streamToken(t, impatient, terratest.ConsumerPath) + `","type":1}}`)
	require.Equal(t, 4, c.read().Op)
	require.EqualValues(t, terratest.CloseNoHeartbeat, c.closed())

	// Basic authentication is accepted for tokens.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+terratest.ConsumerPath, nil)
	require.NoError(t, err)
	r.SetBasicAuth(terratest.DefaultDevID, terratest.DefaultAPIKey)
	resp, err := server.Client().Do(r)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
}

// Closing the simulator ends its streams.
func TestCloseEndsStreams(t *testing.T) {
	s := terratest.New(terratest.Config{})
	server := httptest.NewServer(s)
	defer server.Close()
	c := dial(t, server)
	s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, _, err := c.Read(ctx)
	require.Error(t, err)
	require.NoError(t, ctx.Err())
	resp, err := server.Client().Get(server.URL + terratest.StreamPath)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
}
