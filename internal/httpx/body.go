package httpx

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
)

const (
	maxHeader = 64 << 10
	// maxRatio bounds how much larger than on the wire a body may be, from
	// ratioFrom bytes on.
	maxRatio  = 200
	ratioFrom = 1 << 20
	// firstRoom is the size of the first buffer for a body of unknown length.
	firstRoom int64 = 32 << 10
)

// bodyError is a body that breaks a bound.
type bodyError struct{ code string }

func (e bodyError) Error() string { return e.code }

// readBody reads the body of resp, decompressed, up to limit bytes; a negative
// limit is none. It returns a bodyError for a body that breaks a bound, and the
// error of the connection for one that did not come whole.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	wire := &countingReader{r: resp.Body}
	var src io.Reader = wire
	switch encoding := strings.ToLower(strings.Join(resp.Header.Values("Content-Encoding"), ",")); encoding {
	case "", "identity":
		if limit >= 0 && resp.ContentLength > limit {
			return nil, bodyError{CodeBodyTooLarge}
		}
	case "gzip", "x-gzip":
		unzip, err := gzip.NewReader(wire)
		if errors.Is(err, io.EOF) {
			return nil, nil // an empty body needs no compression
		}
		if err != nil {
			return nil, decodeError(err)
		}
		src = unzip
	default:
		return nil, bodyError{CodeBadEncoding}
	}
	// One byte beyond the limit tells that a body is too long, so that the
	// buffer never has to be larger.
	room := firstRoom
	if resp.ContentLength > 0 {
		room = min(resp.ContentLength, ratioFrom) + 1
	}
	var body []byte
	for {
		if len(body) == cap(body) {
			if limit >= 0 {
				room = min(room, limit+1)
			}
			body = append(make([]byte, 0, room), body...)
			room *= 2
		}
		n, err := src.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		size := int64(len(body))
		switch {
		case limit >= 0 && size > limit:
			return nil, bodyError{CodeBodyTooLarge}
		case src != io.Reader(wire) && size > ratioFrom && size > maxRatio*wire.n:
			return nil, bodyError{CodeBodyRatio}
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, decodeError(err)
		}
	}
}

// decodeError tells a body that is not gzip from one that did not come whole.
func decodeError(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt) {
		return bodyError{CodeBadEncoding}
	}
	return err
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
