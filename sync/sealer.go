package sync

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// Sealer encrypts secrets before they reach a store. The associated data binds
// a ciphertext to its place, so that it cannot be moved to another user, field
// or grant. Implementations are safe for concurrent use.
type Sealer interface {
	// Seal encrypts plaintext and authenticates it together with associated.
	Seal(ctx context.Context, associated, plaintext []byte) ([]byte, error)
	// Open is the inverse; [ErrSealed] when the ciphertext was changed, moved
	// or sealed with a key that is not there.
	Open(ctx context.Context, associated, sealed []byte) ([]byte, error)
}

// ErrSealed is returned when a sealed secret cannot be opened.
var ErrSealed = errors.New("sync: a sealed secret cannot be opened")

// Key is one 256-bit key of a [Keyring].
type Key struct {
	// ID names the key in what it seals; 1 to 8 bytes, never used for
	// another key.
	ID string
	// Secret is 32 random bytes.
	Secret []byte
}

// String returns the key's ID: the secret does not print.
func (k Key) String() string { return "key " + k.ID }

// GoString returns the key's ID.
func (k Key) GoString() string { return k.String() }

// Format writes the key's ID for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue returns the key's ID.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns the key's ID.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// GobEncode refuses: a key does not travel by gob.
func (k Key) GobEncode() ([]byte, error) { return nil, errors.New("sync: a key cannot be encoded") }

// keyIDSize is the room for a key's name in an envelope.
const keyIDSize = 8

// envelopeVersion is the first byte of everything a Keyring seals.
const envelopeVersion = 1

// Keyring seals with AES-256-GCM. The first key seals; all keys open.
type Keyring struct {
	primary [keyIDSize]byte
	aeads   map[[keyIDSize]byte]cipher.AEAD
}

// NewKeyring returns a Keyring whose first key seals. A key that is missing,
// of another length than 32 bytes, all zero, readable text, or of a repeated
// ID is an error.
func NewKeyring(primary Key, others ...Key) (*Keyring, error) {
	ring := &Keyring{aeads: make(map[[keyIDSize]byte]cipher.AEAD)}
	for i, key := range append([]Key{primary}, others...) {
		if len(key.ID) == 0 || len(key.ID) > keyIDSize {
			return nil, fmt.Errorf("sync: key %d: ID must have 1 to %d bytes", i, keyIDSize)
		}
		if len(key.Secret) != 32 {
			return nil, fmt.Errorf("sync: key %q: want 32 bytes, have %d", key.ID, len(key.Secret))
		}
		if !slices.ContainsFunc(key.Secret, func(b byte) bool { return b != key.Secret[0] }) {
			return nil, fmt.Errorf("sync: key %q: all bytes are the same", key.ID)
		}
		if !slices.ContainsFunc(key.Secret, func(b byte) bool { return b < ' ' || b > '~' }) {
			return nil, fmt.Errorf("sync: key %q: is text; want 32 random bytes", key.ID)
		}
		var id [keyIDSize]byte
		copy(id[:], key.ID)
		if _, taken := ring.aeads[id]; taken {
			return nil, fmt.Errorf("sync: key %q: ID used twice", key.ID)
		}
		block, err := aes.NewCipher(key.Secret)
		if err != nil {
			return nil, fmt.Errorf("sync: key %q: %w", key.ID, err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("sync: key %q: %w", key.ID, err)
		}
		ring.aeads[id] = aead
		if i == 0 {
			ring.primary = id
		}
	}
	return ring, nil
}

// Seal implements [Sealer]. The envelope is version, key ID, nonce,
// ciphertext and tag; version and key ID are authenticated.
func (k *Keyring) Seal(_ context.Context, associated, plaintext []byte) ([]byte, error) {
	aead := k.aeads[k.primary]
	sealed := make([]byte, 0, 1+keyIDSize+aead.NonceSize()+len(plaintext)+aead.Overhead())
	sealed = append(sealed, envelopeVersion)
	sealed = append(sealed, k.primary[:]...)
	header := len(sealed)
	sealed = sealed[:header+aead.NonceSize()]
	if _, err := rand.Read(sealed[header:]); err != nil {
		return nil, fmt.Errorf("sync: seal: %w", err)
	}
	return aead.Seal(sealed, sealed[header:], plaintext, bind(sealed[:header], associated)), nil
}

// Open implements [Sealer].
func (k *Keyring) Open(_ context.Context, associated, sealed []byte) ([]byte, error) {
	const header = 1 + keyIDSize
	if len(sealed) < header || sealed[0] != envelopeVersion {
		return nil, ErrSealed
	}
	aead, ok := k.aeads[[keyIDSize]byte(sealed[1:header])]
	if !ok || len(sealed) < header+aead.NonceSize() {
		return nil, ErrSealed
	}
	body := sealed[header+aead.NonceSize():]
	plaintext, err := aead.Open(nil, sealed[header:header+aead.NonceSize()], body, bind(sealed[:header], associated))
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// Current implements [Rotator].
func (k *Keyring) Current(sealed []byte) bool {
	return len(sealed) > keyIDSize && sealed[0] == envelopeVersion && [keyIDSize]byte(sealed[1:1+keyIDSize]) == k.primary
}

// bind joins the envelope's header and the caller's associated data.
func bind(header, associated []byte) []byte {
	return append(append(make([]byte, 0, len(header)+len(associated)), header...), associated...)
}

// associated encodes fields so that no two lists of fields have the same
// encoding.
func associated(fields ...string) []byte {
	size := 0
	for _, f := range fields {
		size += binary.MaxVarintLen16 + len(f)
	}
	b := make([]byte, 0, size)
	for _, f := range fields {
		b = binary.AppendUvarint(b, uint64(len(f)))
		b = append(b, f...)
	}
	return b
}
