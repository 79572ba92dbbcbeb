package redis

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// The codecs: the first byte of a packed value.
const (
	codecRaw    = 0
	codecS2Dict = 1 // the number of the dictionary follows
	codecZstd   = 2
	codecS2     = 3
)

// A dictionary pays where there is little else to refer to. Without one s2 is
// faster, above all to unpack.
const dictionaryMost = 2 << 10

// dictionary is what new values are packed with.
const dictionary = 1

// Dictionaries are named "<number>.dict". A released one never changes and is
// never removed: values in databases need it. Number 1 is that of package
// store/sqlite, made from encoded records.
//
//go:embed dict/*.dict
var dictFiles embed.FS

// maxUnpacked bounds what a packed value claims to unpack to.
const maxUnpacked = 1 << 30

// packer packs and unpacks payloads. It is safe for concurrent use.
type packer struct {
	dicts map[byte]*s2.Dict
	enc   *zstd.Encoder
	dec   *zstd.Decoder
	pool  sync.Pool // of *scratch
	heads sync.Pool // of *[]entry, empty ones
}

// entries returns memory for the head of a chunk.
func (p *packer) entries() []entry {
	if list, ok := p.heads.Get().(*[]entry); ok {
		return *list
	}
	return nil
}

// keep takes back memory that nobody uses any more, unless it is much.
func (p *packer) keep(lists [][]entry) {
	for _, list := range lists {
		if list = list[:cap(list)]; len(list) <= 4*chunkMost {
			clear(list)
			list = list[:0]
			p.heads.Put(&list)
		}
	}
}

// scratch is memory to make packed values in.
type scratch struct{ body, packed []byte }

func (p *packer) scratch() *scratch {
	if s, ok := p.pool.Get().(*scratch); ok {
		return s
	}
	return &scratch{}
}

// done gives scratch back. It keeps none that is large.
func (p *packer) done(s *scratch) {
	if cap(s.body)+cap(s.packed) <= 1<<20 {
		p.pool.Put(s)
	}
}

func newPacker() (*packer, error) {
	p := &packer{dicts: map[byte]*s2.Dict{}}
	names, err := fs.Glob(dictFiles, "dict/*.dict")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		id, err := strconv.ParseUint(strings.TrimSuffix(path.Base(name), ".dict"), 10, 8)
		if err != nil {
			return nil, fmt.Errorf("redis: dictionary %s has no number", name)
		}
		data, err := fs.ReadFile(dictFiles, name)
		if err != nil {
			return nil, err
		}
		if p.dicts[byte(id)] = s2.NewDict(data); p.dicts[byte(id)] == nil {
			return nil, fmt.Errorf("redis: dictionary %s is damaged", name)
		}
	}
	if p.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false),
		zstd.WithSingleSegment(true)); err != nil {
		return nil, err
	}
	p.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxUnpacked))
	return p, err
}

func (p *packer) close() { p.dec.Close() }

// quick packs with s2, and the dictionary if there is little to pack: for
// records, which are packed anew with each change of their chunk.
func (p *packer) quick(src []byte) []byte {
	scratch := p.scratch()
	defer p.done(scratch)
	scratch.packed = slices.Grow(scratch.packed[:0], s2.MaxEncodedLen(len(src)))
	codec, dst := []byte{codecS2}, scratch.packed[:cap(scratch.packed)]
	var out []byte
	if len(src) > dictionaryMost {
		out = s2.Encode(dst, src)
	} else {
		codec, out = []byte{codecS2Dict, dictionary}, p.dicts[dictionary].Encode(dst, src)
	}
	if len(out)+1 >= len(src) {
		codec, out = []byte{codecRaw}, src
	}
	return slices.Concat(codec, out)
}

// tight packs with zstd: for samples and raw answers.
func (p *packer) tight(src []byte) []byte {
	out := p.enc.EncodeAll(src, append(make([]byte, 0, len(src)/2+64), codecZstd))
	if len(out) > len(src)+1 {
		return append([]byte{codecRaw}, src...)
	}
	return out
}

// open returns what a packed value holds.
func (p *packer) open(packed string) ([]byte, error) {
	if packed == "" {
		return nil, ErrDamaged
	}
	codec, body := packed[0], []byte(packed[1:])
	switch codec {
	case codecRaw:
		return body, nil
	case codecZstd:
		out, err := p.dec.DecodeAll(body, nil)
		if err != nil {
			return nil, ErrDamaged
		}
		return out, nil
	case codecS2, codecS2Dict:
		decode := s2.Decode
		if codec == codecS2Dict {
			if len(body) == 0 {
				return nil, ErrDamaged
			}
			d := p.dicts[body[0]]
			if d == nil {
				return nil, fmt.Errorf("redis: dictionary %d is missing: %w", body[0], ErrDamaged)
			}
			decode, body = d.Decode, body[1:]
		}
		n, err := s2.DecodedLen(body)
		if err != nil || n > maxUnpacked {
			return nil, ErrDamaged
		}
		out, err := decode(make([]byte, n), body)
		if err != nil || len(out) != n {
			return nil, ErrDamaged
		}
		return out, nil
	}
	return nil, ErrDamaged
}
