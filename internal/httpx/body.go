package httpx

import (
	"bytes"
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
	var (
		buf   bytes.Buffer
		chunk int64 = 32 << 10
	)
	if resp.ContentLength > 0 {
		buf.Grow(int(min(resp.ContentLength, ratioFrom)) + bytes.MinRead)
	}
	for {
		n, err := io.CopyN(&buf, src, chunk)
		size := int64(buf.Len())
		switch {
		case limit >= 0 && size > limit:
			return nil, bodyError{CodeBodyTooLarge}
		case src != io.Reader(wire) && size > ratioFrom && size > maxRatio*wire.n:
			return nil, bodyError{CodeBodyRatio}
		case errors.Is(err, io.EOF):
			return buf.Bytes(), nil
		case err != nil:
			return nil, decodeError(err)
		case n == chunk && chunk < 256<<10:
			chunk *= 2
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
