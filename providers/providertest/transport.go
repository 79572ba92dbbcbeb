package providertest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Transport returns a RoundTripper that serves requests by h in the same
// process, without a network: it works in the bubbles of package
// testing/synctest. Answers are handed over whole. A handler that panics with
// http.ErrAbortHandler breaks the connection: before the first byte there is no
// answer, after it the body ends early. A handler must return when the context
// of its request ends.
func Transport(h http.Handler) http.RoundTripper { return transport{h} }

type transport struct{ handler http.Handler }

var errReset = errors.New("connection reset by peer")

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	w := &answer{header: http.Header{}}
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		if req.Body != nil {
			defer func() { _ = req.Body.Close() }()
		}
		t.handler.ServeHTTP(w, asServed(req))
	}()
	select {
	case <-req.Context().Done():
		<-done
		return nil, req.Context().Err()
	case broken := <-done:
		switch {
		case broken == nil:
		case broken != http.ErrAbortHandler:
			panic(broken)
		case w.sent == nil:
			return nil, errReset
		default:
			w.aborted = true
		}
	}
	return w.response(req), nil
}

// asServed returns req as a server sees it.
func asServed(req *http.Request) *http.Request {
	r := req.Clone(req.Context())
	r.RequestURI = req.URL.RequestURI()
	r.RemoteAddr = "192.0.2.1:1234"
	if r.Host == "" {
		r.Host = req.URL.Host
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	return r
}

// answer is the ResponseWriter of a transport.
type answer struct {
	header  http.Header
	sent    http.Header // the header as it was when the status was written
	status  int
	body    bytes.Buffer
	aborted bool
	more    io.Reader // follows body
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.sent == nil {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// Flush does nothing: answers are handed over whole.
func (a *answer) Flush() {}

func (a *answer) response(req *http.Request) *http.Response {
	a.WriteHeader(http.StatusOK)
	length := int64(a.body.Len())
	body := io.Reader(&a.body)
	if told, err := strconv.ParseInt(a.sent.Get("Content-Length"), 10, 64); err == nil {
		a.aborted = a.aborted || told > length
		length = told
	}
	if a.more != nil {
		body, length = io.MultiReader(body, a.more), -1
	}
	if a.aborted {
		body = io.MultiReader(body, brokenReader{})
	}
	if req.Method == http.MethodHead {
		body = strings.NewReader("")
	}
	return &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, Body: io.NopCloser(body), ContentLength: length, Request: req,
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
