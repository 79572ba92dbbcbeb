package httpx

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

func zipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestBodies(t *testing.T) {
	noise := make([]byte, 3<<20)
	_, err := rand.Read(noise)
	require.NoError(t, err)
	plain := []byte(`{"a":1}`)
	whole := zipped(t, plain)
	corrupt := bytes.Clone(zipped(t, noise[:1000]))
	corrupt[len(corrupt)-6] ^= 0xff // in the checksum
	for _, c := range []struct {
		name     string
		encoding string
		body     []byte
		limit    int64
		want     []byte
		code     string
	}{
		{"plain", "", plain, 0, plain, ""},
		{"identity", "identity", plain, 0, plain, ""},
		{"empty", "", nil, 0, nil, ""},
		{"gzip", "gzip", whole, 0, plain, ""},
		{"gzip in capitals", "GZIP", whole, 0, plain, ""},
		{"gzip, empty", "gzip", nil, 0, nil, ""},
		{"large", "", noise, 0, noise, ""},
		{"large, gzip", "gzip", zipped(t, noise), 0, noise, ""},
		{"as long as allowed", "", noise[:100], 100, noise[:100], ""},
		{"a byte longer", "", noise[:101], 100, nil, CodeBodyTooLarge},
		{"a byte longer when unzipped", "gzip", zipped(t, noise[:101]), 100, nil, CodeBodyTooLarge},
		{"longer when unzipped", "gzip", zipped(t, make([]byte, 101)), 100, nil, CodeBodyTooLarge},
		{"over the default", "", make([]byte, DefaultMaxBody+1), 0, nil, CodeBodyTooLarge},
		{"zeros up to 1 MiB", "gzip", zipped(t, make([]byte, 1<<20)), 0, make([]byte, 1<<20), ""},
		{"zeros", "gzip", zipped(t, make([]byte, 2<<20)), 0, nil, CodeBodyRatio},
		{"no limit but the ratio", "gzip", zipped(t, make([]byte, 8<<20)), -1, nil, CodeBodyRatio},
		{"no limit", "", make([]byte, DefaultMaxBody+1), -1, make([]byte, DefaultMaxBody+1), ""},
		{"not gzip", "gzip", []byte(`{"measures":[1,2,3]}`), 0, nil, CodeBadEncoding},
		{"gzip with a bad checksum", "gzip", corrupt, 0, nil, CodeBadEncoding},
		{"gzip cut short", "gzip", whole[:len(whole)-3], 0, nil, CodeTruncated},
		{"gzip with something behind", "gzip", append(bytes.Clone(whole), "more"...), 0, nil, CodeTruncated},
		{"unknown encoding", "br", plain, 0, nil, CodeBadEncoding},
		{"two encodings", "gzip, gzip", zipped(t, whole), 0, nil, CodeBadEncoding},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
				if c.encoding != "" {
					w.Header().Set("Content-Encoding", c.encoding)
				}
				_, _ = w.Write(c.body)
			}, nil)
			resp, err := client.Send(t.Context(), Request{Op: "fetch", MaxBody: c.limit})
			if c.code == "" {
				require.NoError(t, err)
				require.True(t, bytes.Equal(c.want, resp.Body))
				return
			}
			e := asProviderError(t, err)
			require.Equal(t, c.code, e.Code)
			if c.code == CodeTruncated {
				require.ErrorIs(t, e, providers.ErrUnavailable)
			} else {
				require.ErrorIs(t, e, providers.ErrMalformed)
			}
		})
	}
}

// TestBombsTakeLittleMemory reads an endless body and a gzip bomb over real
// connections.
func TestBombsTakeLittleMemory(t *testing.T) {
	bomb := zipped(t, make([]byte, 64<<20))
	for name, answer := range map[string]func(http.ResponseWriter){
		"endless": func(w http.ResponseWriter) {
			for chunk := bytes.Repeat([]byte("a"), 64<<10); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		},
		"bomb": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w) }))
			defer server.Close()
			client, err := New(Config{Provider: "acme", BaseURL: server.URL, MaxBody: 1 << 20})
			require.NoError(t, err)
			defer closeIdle(client)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = client.Send(t.Context(), Request{Op: "fetch"})
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, providers.ErrMalformed)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
		})
	}
}

func TestReadBodyReadsOneByteAtATime(t *testing.T) {
	body, err := readBody(&http.Response{
		Header: http.Header{"Content-Encoding": {"gzip"}}, ContentLength: -1,
		Body: io.NopCloser(oneByteReader{bytes.NewReader(zipped(t, bytes.Repeat([]byte("ab"), 70_000)))}),
	}, -1)
	require.NoError(t, err)
	require.Len(t, body, 140_000)
}

type oneByteReader struct{ r io.Reader }

func (o oneByteReader) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }
