package googlehealth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

const (
	// keysFresh is how long a keyset is used without looking, and keysLast how
	// long if the address does not answer (Google Health API, "Verify the
	// signature": keys change about every 30 days).
	keysFresh = day
	keysLast  = 7 * day
	// keysPause is the least time between two looks: a forged delivery can name
	// any key.
	keysPause = time.Minute
	// maxKeyset bounds the keyset.
	maxKeyset = 1 << 20
	maxKeys   = 1000
)

// keyring is the public keys of notifications. It is shared by all goroutines.
type keyring struct {
	literal map[uint32]*ecdsa.PublicKey // of the configuration; never changed
	client  *httpx.Client               // nil if there is no address
	path    string
	query   url.Values

	// looking is held by the one that asks the address.
	looking chan struct{}

	mu      sync.Mutex
	fetched map[uint32]published
	at      time.Time // when fetched was got
	tried   time.Time // when it was last asked for
	failed  error     // what became of that; nil for success
}

// published is a key, and when it was last seen at the address.
type published struct {
	key  *ecdsa.PublicKey
	seen time.Time
}

func newKeyring(cfg Config, base httpx.Config) (*keyring, error) {
	k := &keyring{looking: make(chan struct{}, 1)}
	address := cfg.KeysetURL
	if len(cfg.Keyset) > 0 {
		keys, err := readKeyset(cfg.Keyset)
		if err != nil {
			return nil, err
		}
		k.literal = keys
	} else if address == "" {
		address = DefaultKeysetURL
	}
	if address == "" {
		return k, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.Fragment != "" {
		return nil, errKeysetURL
	}
	k.path, k.query = strings.TrimPrefix(u.EscapedPath(), "/"), u.Query()
	u.Path, u.RawPath, u.RawQuery = "", "", ""
	base.BaseURL, base.MaxBody = u.String(), maxKeyset
	k.client, err = httpx.New(base)
	return k, err
}

var (
	errKeysetURL = errors.New("not an address")
	errKeyset    = errors.New("not a keyset with a usable key")
)

// get returns a key, nil if there is none of the id that is not too old.
func (k *keyring) get(now time.Time, id uint32) *ecdsa.PublicKey {
	if key := k.literal[id]; key != nil {
		return key
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last(now, id)
}

// last is get among the fetched keys. k.mu must be held.
func (k *keyring) last(now time.Time, id uint32) *ecdsa.PublicKey {
	if p := k.fetched[id]; now.Sub(p.seen) < keysLast {
		return p.key
	}
	return nil
}

// ready makes sure that a key is there, as far as that can be.
func (k *keyring) ready(ctx context.Context, now time.Time, id uint32) error {
	if k.literal[id] != nil || k.client == nil {
		return nil
	}
	if known, err := k.known(now, id); known {
		return err
	}
	select {
	case k.looking <- struct{}{}:
		defer func() { <-k.looking }()
	case <-ctx.Done():
		return &providers.Error{Provider: Name, Op: "keyset", Kind: providers.ErrUnavailable, Code: codeNoKeys, Err: context.Cause(ctx)}
	}
	if known, err := k.known(now, id); known {
		return err // somebody else has looked meanwhile
	}
	keys, err := k.fetch(ctx)
	if err != nil && ctx.Err() != nil {
		return err // of this delivery, and not of the address
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried, k.failed = now, err
	if err == nil {
		k.publish(now, keys)
		return nil
	}
	if k.last(now, id) != nil {
		return nil
	}
	return err
}

// known reports whether there is nothing to look for, and what to tell then: the
// key is there and not old, or the last look was a moment ago. Anybody can name
// a key: the address is not asked for each.
func (k *keyring) known(now time.Time, id uint32) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := k.last(now, id)
	switch {
	case key != nil && now.Sub(k.at) < keysFresh:
		return true, nil
	case now.Sub(k.tried) >= keysPause:
		return false, nil
	case key != nil:
		return true, nil
	}
	return true, k.failed
}

// publish takes the keys that the address has. Those that it has no more stay a
// while for deliveries that wait, unless it says that they are not to be used
// (nil). k.mu must be held.
func (k *keyring) publish(now time.Time, keys map[uint32]*ecdsa.PublicKey) {
	next := make(map[uint32]published, len(keys))
	for id, p := range k.fetched {
		if now.Sub(p.seen) < keysLast && len(next)+len(keys) < maxKeys {
			next[id] = p
		}
	}
	for id, key := range keys {
		next[id] = published{key, now}
	}
	k.fetched, k.at = next, now
}

func (k *keyring) fetch(ctx context.Context) (map[uint32]*ecdsa.PublicKey, error) {
	const op = "keyset"
	resp, err := k.client.Send(ctx, httpx.Request{Op: op, Path: k.path, Query: k.query})
	if err != nil {
		return nil, err
	}
	if e := k.client.StatusError(op, resp); e != nil {
		e.Kind = providers.ErrUnavailable
		return nil, e
	}
	keys, err := readKeyset(resp.Body)
	if err != nil {
		return nil, k.client.Malformed(op, codeNoKeys, resp)
	}
	return keys, nil
}

// The words of a keyset (Tink, tink.proto and ecdsa.proto).
const (
	keyType        = "type.googleapis.com/google.crypto.tink.EcdsaPublicKey"
	hashSHA256     = 3
	curveP256      = 2
	encodingDER    = 2
	coordinate     = 32 // bytes
	uncompressed   = 4
	publicMaterial = "ASYMMETRIC_PUBLIC"
)

// readKeyset reads a public keyset in the JSON of Tink. Keys that are not to be
// used, of other kinds, or cannot be read, are nil; no key besides is an error.
func readKeyset(data []byte) (map[uint32]*ecdsa.PublicKey, error) {
	doc, reason := readObject(bytes.TrimSpace(data))
	list, v := doc.list("key", maxKeys)
	if reason != "" || v != jsonscan.OK {
		return nil, errKeyset
	}
	keys, usable := make(map[uint32]*ecdsa.PublicKey), 0
	for _, raw := range list {
		entry, reason := readObject(raw)
		if reason != "" {
			return nil, errKeyset
		}
		id, v := entry.integer("keyId")
		if v != jsonscan.OK || id < 0 || id > 1<<32-1 {
			return nil, errKeyset
		}
		if keys[uint32(id)] != nil {
			return nil, errKeyset
		}
		keys[uint32(id)] = nil
		status, _ := entry.text("status")
		prefix, _ := entry.text("outputPrefixType")
		if status != "ENABLED" || prefix != "TINK" {
			continue
		}
		material, _ := entry.object("keyData")
		kind, _ := material.text("typeUrl")
		class, _ := material.text("keyMaterialType")
		value, _ := material.text("value")
		if kind != keyType || class != publicMaterial {
			continue
		}
		bytes, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			continue
		}
		key, err := readPublicKey(bytes)
		if err != nil {
			continue // of another curve, hash or encoding
		}
		keys[uint32(id)] = key
		usable++
	}
	if usable == 0 {
		return nil, errKeyset
	}
	return keys, nil
}

// readPublicKey reads an EcdsaPublicKey: version 1, params 2 (hash 1, curve 2,
// encoding 3), x 3, y 4.
func readPublicKey(data []byte) (*ecdsa.PublicKey, error) {
	m, err := readMessage(data)
	if err != nil {
		return nil, err
	}
	params, err := readMessage(m.bytes[2])
	if err != nil {
		return nil, err
	}
	if m.numbers[1] != 0 || params.numbers[1] != hashSHA256 || params.numbers[2] != curveP256 || params.numbers[3] != encodingDER {
		return nil, errKeyset
	}
	point := []byte{uncompressed}
	for _, c := range [][]byte{m.bytes[3], m.bytes[4]} {
		c = bytes.TrimLeft(c, "\x00") // big-endian, with zeros in front or without
		if len(c) > coordinate {
			return nil, errKeyset
		}
		point = append(append(point, make([]byte, coordinate-len(c))...), c...)
	}
	// The point must be on the curve.
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, errKeyset
	}
	return key, nil
}

// message is a message of protocol buffers as far as keys need it: the last
// value of each of the fields 1 to 15.
type message struct {
	numbers [16]uint64
	bytes   [16][]byte
}

func readMessage(data []byte) (message, error) {
	var m message
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 {
			return m, errKeyset
		}
		data = data[n:]
		field := tag >> 3
		value, n := binary.Uvarint(data)
		if n <= 0 || field == 0 || field > 15 {
			return m, errKeyset
		}
		data = data[n:]
		switch tag & 7 {
		case 0:
			m.numbers[field] = value
		case 2:
			if value > uint64(len(data)) {
				return m, errKeyset
			}
			m.bytes[field], data = data[:value], data[value:]
		default:
			return m, errKeyset
		}
	}
	return m, nil
}
