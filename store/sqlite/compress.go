package sqlite

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// The codecs: the first byte of a packed value. See table dict.
const (
	codecRaw    = 0
	codecS2     = 1
	codecS2Dict = 2
	codecZstd   = 3
	// codecZstdDict needs no number in front: the frame names its dictionary.
	codecZstdDict = 4
)

// The dictionaries that new values are packed with.
const (
	dictSmall = 1
	dictLarge = 2
)

// Dictionaries are named "<number>.dict": gen_dict.go made them. A released
// dictionary never changes.
//
//go:embed dict/*.dict
var dictFiles embed.FS

// maxUnpacked bounds what a packed value claims to unpack to.
const maxUnpacked = 1 << 30

var errPacked = errors.New("sqlite: packed value is damaged")

// zstdMagic begins a dictionary for zstd; others are for s2.
var zstdMagic = []byte{0x37, 0xa4, 0x30, 0xec}

// packer packs and unpacks payloads. It is safe for concurrent use.
type packer struct {
	enc     *zstd.Encoder
	encDict *zstd.Encoder
	dec     *zstd.Decoder
	dicts   map[int]*s2.Dict
}

// newPacker loads the dictionaries of the database, after putting those of this
// release there that it lacks.
func newPacker(ctx context.Context, c *conn) (*packer, error) {
	names, err := fs.Glob(dictFiles, "dict/*.dict")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		id, err := strconv.Atoi(strings.TrimSuffix(path.Base(name), ".dict"))
		if err != nil {
			return nil, fmt.Errorf("sqlite: dictionary %s has no number", name)
		}
		if found, err := c.one(ctx, func(row) {}, "SELECT 1 FROM dict WHERE id = ?1", id); err != nil || found {
			if err != nil {
				return nil, err
			}
			continue
		}
		data, err := fs.ReadFile(dictFiles, name)
		if err != nil {
			return nil, err
		}
		if _, err := c.exec(ctx, "INSERT INTO dict(id, data) VALUES(?1, ?2) ON CONFLICT DO NOTHING", id, data); err != nil {
			return nil, err
		}
	}
	p := &packer{dicts: map[int]*s2.Dict{}}
	var forZstd [][]byte
	var large []byte
	if err := c.each(ctx, func(r row) error {
		id, data := int(r.int(0)), bytes.Clone(r.blob(1))
		if bytes.HasPrefix(data, zstdMagic) {
			forZstd = append(forZstd, data)
			if id == dictLarge {
				large = data
			}
		} else if p.dicts[id] = s2.NewDict(data); p.dicts[id] == nil {
			return errPacked
		}
		return nil
	}, "SELECT id, data FROM dict"); err != nil {
		return nil, err
	}
	if p.dicts[dictSmall] == nil || large == nil {
		return nil, errors.New("sqlite: a dictionary is missing")
	}
	options := []zstd.EOption{zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true),
		zstd.WithAllLitEntropyCompression(true),
	}
	if p.enc, err = zstd.NewWriter(nil, options...); err != nil {
		return nil, err
	}
	if p.encDict, err = zstd.NewWriter(nil, append(options, zstd.WithEncoderDict(large))...); err != nil {
		return nil, err
	}
	p.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxUnpacked), zstd.WithDecoderDicts(forZstd...))
	return p, err
}

func (p *packer) close() { p.dec.Close() }

// small packs the rest of a record and appends it to dst.
func (p *packer) small(dst, src []byte) []byte {
	at := len(dst)
	dst = append(dst, codecS2Dict, dictSmall)
	room := s2.MaxEncodedLen(len(src))
	if cap(dst)-len(dst) < room {
		dst = append(make([]byte, 0, len(dst)+room), dst...)
	}
	out := p.dicts[dictSmall].Encode(dst[len(dst):len(dst)+room], src)
	if len(out)+1 >= len(src) {
		return append(append(dst[:at], codecRaw), src...)
	}
	return dst[:len(dst)+len(out)]
}

// large packs the rest of a record for which entropy coding pays.
func (p *packer) large(dst, src []byte) []byte {
	return stored(p.encDict.EncodeAll(src, append(dst, codecZstdDict)), len(dst), src)
}

// bulk packs anything else.
func (p *packer) bulk(dst, src []byte) []byte {
	return stored(p.enc.EncodeAll(src, append(dst, codecZstd)), len(dst), src)
}

// stored puts src in place of what was packed from at on, if that is smaller.
func stored(packed []byte, at int, src []byte) []byte {
	if len(packed)-at > len(src)+1 {
		return append(append(packed[:at], codecRaw), src...)
	}
	return packed
}

// open appends what a packed value holds to dst.
func (p *packer) open(dst, src []byte) ([]byte, error) {
	if len(src) == 0 {
		return nil, errPacked
	}
	return p.unpack(dst, src[0], src[1:])
}

// unpack is open with the codec apart.
func (p *packer) unpack(dst []byte, codec byte, body []byte) ([]byte, error) {
	switch codec {
	case codecRaw:
		return append(dst, body...), nil
	case codecZstd, codecZstdDict:
		out, err := p.dec.DecodeAll(body, dst)
		if err != nil {
			return nil, errPacked
		}
		return out, nil
	case codecS2, codecS2Dict:
		var d *s2.Dict
		if codec == codecS2Dict {
			if len(body) == 0 {
				return nil, errPacked
			}
			if d = p.dicts[int(body[0])]; d == nil {
				return nil, fmt.Errorf("sqlite: dictionary %d is missing", body[0])
			}
			body = body[1:]
		}
		n, err := s2.DecodedLen(body)
		if err != nil || n > maxUnpacked {
			return nil, errPacked
		}
		at := len(dst)
		if cap(dst)-at < n {
			dst = append(make([]byte, 0, at+n), dst...)
		}
		var out []byte
		if d != nil {
			out, err = d.Decode(dst[at:at+n:at+n], body)
		} else {
			out, err = s2.Decode(dst[at:at+n:at+n], body)
		}
		if err != nil || len(out) != n {
			return nil, errPacked
		}
		return dst[:at+n], nil
	}
	return nil, errPacked
}
