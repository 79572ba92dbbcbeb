package sync

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// settingRawKey is the setting of a user that holds the sealed key of the
// user's raw data. Erase destroys it.
const settingRawKey = "raw_key"

// rawMagic begins raw data that is sealed. No answer of a service begins so.
var rawMagic = [4]byte{0, 'v', 'x', 1}

// maxRaw bounds raw data that is opened.
const maxRaw = 128 << 20

// rawSealer seals the raw data of one user.
//
// Equal data of one stream is equal when it is sealed, because a store keeps
// raw data once per content: the nonce is a keyed digest of the data. Who has
// the file sees that two answers are the same, and nothing else.
type rawSealer struct {
	aead   cipher.AEAD
	digest []byte // the key of the nonces
}

// rawSealer returns the sealer of a user's raw data, with the key that is
// there or else a new one.
func (e *Engine) rawSealer(ctx context.Context, user string) (*rawSealer, error) {
	place := e.place("raw key", user)
	sealed, err := e.setting(ctx, user, settingRawKey, func() ([]byte, error) {
		var key [32]byte
		_, _ = rand.Read(key[:])
		return e.cfg.Sealer.Seal(ctx, place, key[:])
	})
	if err != nil {
		return nil, fmt.Errorf("sync: key of raw data: %w", err)
	}
	key, err := e.cfg.Sealer.Open(ctx, place, sealed)
	if err != nil {
		return nil, fmt.Errorf("sync: key of raw data: %w", err)
	}
	return newRawSealer(key)
}

func newRawSealer(key []byte) (*rawSealer, error) {
	content, err := hkdf.Key(sha256.New, key, nil, "vitalmux raw content", 32)
	if err != nil {
		return nil, fmt.Errorf("sync: key of raw data: %w", err)
	}
	digest, err := hkdf.Key(sha256.New, key, nil, "vitalmux raw nonce", 32)
	if err != nil {
		return nil, fmt.Errorf("sync: key of raw data: %w", err)
	}
	block, err := aes.NewCipher(content)
	if err != nil {
		return nil, fmt.Errorf("sync: key of raw data: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("sync: key of raw data: %w", err)
	}
	return &rawSealer{aead, digest}, nil
}

// seal compresses and seals data; place binds it.
func (s *rawSealer) seal(place, data []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, s.digest)
	_, _ = mac.Write(place)
	_, _ = mac.Write(packed.Bytes())
	nonce := mac.Sum(nil)[:s.aead.NonceSize()]
	out := make([]byte, 0, len(rawMagic)+len(nonce)+packed.Len()+s.aead.Overhead())
	out = append(append(out, rawMagic[:]...), nonce...)
	return s.aead.Seal(out, nonce, packed.Bytes(), place), nil
}

// open is the inverse of seal. Data that is not sealed is returned as it is.
func (s *rawSealer) open(place, sealed []byte) ([]byte, error) {
	if !isSealedRaw(sealed) {
		return sealed, nil
	}
	body := sealed[len(rawMagic):]
	if len(body) < s.aead.NonceSize() {
		return nil, ErrSealed
	}
	packed, err := s.aead.Open(nil, body[:s.aead.NonceSize()], body[s.aead.NonceSize():], place)
	if err != nil {
		return nil, ErrSealed
	}
	r := flate.NewReader(bytes.NewReader(packed))
	data, err := io.ReadAll(io.LimitReader(r, maxRaw+1))
	if err != nil || len(data) > maxRaw {
		return nil, ErrSealed
	}
	return data, nil
}

func isSealedRaw(data []byte) bool { return bytes.HasPrefix(data, rawMagic[:]) }

// rawPlace binds raw data to a stream of a connection.
func (e *Engine) rawPlace(user, connection, stream string) []byte {
	return e.place("raw", user, connection, stream)
}

// sealRaw seals the bodies of a page and the raw data that is set aside with
// it, where Config.SealRaw asks for it.
func (s *session) sealRaw(ctx context.Context, page *store.Page) error {
	if !s.cfg.SealRaw || page.Raw == nil && len(page.Quarantined) == 0 {
		return nil
	}
	if s.rawKey == nil {
		key, err := s.rawSealer(ctx, s.conn.User)
		if err != nil {
			return err
		}
		s.rawKey = key
	}
	place := s.rawPlace(s.conn.User, s.conn.ID, page.Stream)
	seal := func(data *[]byte) error {
		if len(*data) == 0 {
			return nil
		}
		sealed, err := s.rawKey.seal(place, *data)
		*data = sealed
		return err
	}
	if page.Raw != nil {
		raw := *page.Raw
		raw.Bodies = slices.Clone(raw.Bodies)
		for i := range raw.Bodies {
			if err := seal(&raw.Bodies[i].Body); err != nil {
				return fmt.Errorf("sync: seal raw data: %w", err)
			}
		}
		page.Raw = &raw
	}
	for i := range page.Quarantined {
		if err := seal(&page.Quarantined[i].Raw); err != nil {
			return fmt.Errorf("sync: seal raw data: %w", err)
		}
	}
	return nil
}

// RawPages returns one page of the stored raw answers of a connection, opened
// where they are sealed: see [store.Reader].
func (e *Engine) RawPages(ctx context.Context, q store.RawQuery) (store.RawPageList, error) {
	list, err := e.cfg.Store.RawPages(ctx, q)
	if err != nil {
		return list, err
	}
	open := e.rawOpener(q.Connection)
	for i := range list.Pages {
		if err := open(ctx, list.Pages[i].Stream, bodies(&list.Pages[i])...); err != nil {
			return store.RawPageList{}, err
		}
	}
	return list, nil
}

// Quarantine lists data that was set aside, opened where it is sealed: see
// [store.Reader].
func (e *Engine) Quarantine(ctx context.Context, connection string, limit int) ([]store.Quarantined, error) {
	list, err := e.cfg.Store.Quarantine(ctx, connection, limit)
	if err != nil {
		return nil, err
	}
	open := e.rawOpener(connection)
	for i := range list {
		if err := open(ctx, list[i].Stream, &list[i].Raw); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func bodies(page *health.RawPage) []*[]byte {
	list := make([]*[]byte, len(page.Bodies))
	for i := range page.Bodies {
		list[i] = &page.Bodies[i].Body
	}
	return list
}

// rawOpener returns what opens raw data of a connection in place. It asks for
// the key when it meets sealed data, and never makes one.
func (e *Engine) rawOpener(connection string) func(ctx context.Context, stream string, data ...*[]byte) error {
	var key *rawSealer
	var user string
	return func(ctx context.Context, stream string, data ...*[]byte) error {
		for _, d := range data {
			if !isSealedRaw(*d) {
				continue
			}
			if key == nil {
				conn, err := e.cfg.Store.Connection(ctx, connection)
				if err != nil {
					return err
				}
				user = conn.User
				if _, err := e.cfg.Store.Setting(ctx, user, settingRawKey); errors.Is(err, store.ErrNotFound) {
					return ErrSealed
				}
				if key, err = e.rawSealer(ctx, user); err != nil {
					return err
				}
			}
			opened, err := key.open(e.rawPlace(user, connection, stream), *d)
			if err != nil {
				return fmt.Errorf("sync: raw data of connection %s: %w", connection, err)
			}
			*d = opened
		}
		return nil
	}
}
