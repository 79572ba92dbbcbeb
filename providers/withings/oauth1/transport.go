package oauth1

import (
	"errors"
	"net/http"
	"net/url"
)

// Transport signs each request that passes it, as [Signer.Sign] does, with a
// nonce and a timestamp of its own. A layer that tries again belongs above it.
//
// It sends a clone, so the request keeps its unsigned URL, also in the answer's
// Request and in the errors of http.Client. A request that it refuses is not
// sent. It does not follow an http.Client through a redirect: what the service
// names there is not signed for.
type Transport struct {
	// Signer signs. Required. It is a pointer because package fmt prints a
	// struct past its methods where the verb does not fit.
	Signer *Signer
	// Base sends the signed requests. Required.
	Base http.RoundTripper
	// Trace, if set, gets the steps of each signature before the request is
	// sent, from the goroutine that sends it.
	Trace func(Trace)
}

// RoundTrip signs and sends one request.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.Signer == nil || t.Base == nil {
		closeBody(req)
		return nil, unsignable("a transport without a signer or a base")
	}
	signed := req.Clone(req.Context())
	if err := t.Signer.sign(signed, t.Trace); err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := t.Base.RoundTrip(signed)
	if resp != nil {
		resp.Request = req
	}
	// Of a base that is a client of its own: its text names the signed URL.
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return resp, err
}

// CloseIdleConnections closes those of the base transport, if it can.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.Base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
