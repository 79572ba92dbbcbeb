package redis

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
)

// scope is the common beginning of keys that are in one hash slot: the prefix
// and the hash tag. The tag is a keyed digest, so that keys do not name anyone.
type scope string

// scopeOf returns the scope for something of a kind.
func (s *Store) scopeOf(kind, name string) scope {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(kind))
	mac.Write([]byte{0})
	mac.Write([]byte(name))
	return scope(s.prefix + "{" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16]) + "}")
}

// user returns the scope of a user.
func (s *Store) user(name string) scope { return s.scopeOf("user", name) }

// tag returns what tells the scope from others of the store.
func (sc scope) tag(s *Store) string { return string(sc)[len(s.prefix):] }

func (s *Store) scopeOfTag(tag string) scope { return scope(s.prefix + tag) }

// key returns the key of the head.
func (sc scope) key() string { return string(sc) }

// part returns a key of the scope.
func (sc scope) part(letter string) string { return string(sc) + ":" + letter }

// of returns a key of the scope for one connection, or one metric.
func (sc scope) of(letter, name string) string { return string(sc) + ":" + letter + ":" + name }

// lease returns the key of a lease.
func (sc scope) lease(connection, name string) string {
	return string(sc) + ":l:" + strconv.Itoa(len(connection)) + ":" + connection + name
}

// indexKey returns a key of the endpoint scope that holds indexes.
func (s *Store) indexKey(name string) string { return s.prefix + "{index}:" + name }

// inboxKey returns a key of the endpoint scope that holds deliveries.
func (s *Store) inboxKey(name string) string { return s.prefix + "{inbox}:" + name }

// dueKey returns a key of the endpoint scope that holds due times.
func (s *Store) dueKey(name string) string { return s.prefix + "{due}:" + name }

// jobKey returns a key of the endpoint scope that holds jobs.
func (s *Store) jobKey(name string) string { return s.prefix + "{jobs}:" + name }

// feedKey returns a key of the endpoint scope that says whose feed changed.
func (s *Store) feedKey(name string) string { return s.prefix + "{feed}:" + name }

// settingKey returns a key of the endpoint scope that holds settings.
func (s *Store) settingKey(name string) string { return s.prefix + "{settings}:" + name }

// head is what each change of a scope reads and writes.
type head struct {
	user    string
	erased  bool
	last    int64 // the position of the newest change
	trimmed int64 // the position of the newest change that was dropped
	next    int64 // the number that was given last
	nonces  string
}

// A change is recognised for as long as this many later ones of the scope.
const (
	nonceSize  = 8
	nonceCount = 16
)

func newNonce() string {
	var b [nonceSize]byte
	rand.Read(b[:])
	return string(b[:])
}

func headFields() []string { return []string{"user", "erased", "last", "trimmed", "next", "v"} }

func (h *head) read(values []any) error {
	if len(values) != len(headFields()) {
		return ErrDamaged
	}
	number := func(v any) int64 {
		text, ok := v.(string)
		if !ok {
			return 0
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	h.user, _ = values[0].(string)
	h.erased = values[1] != nil
	h.last, h.trimmed, h.next = number(values[2]), number(values[3]), number(values[4])
	h.nonces, _ = values[5].(string)
	return nil
}

func (h *head) has(nonce string) bool {
	for i := 0; i+nonceSize <= len(h.nonces); i += nonceSize {
		if h.nonces[i:i+nonceSize] == nonce {
			return true
		}
	}
	return false
}

// sign puts a nonce in front of the others.
func (h *head) sign(nonce string) {
	all := nonce + h.nonces
	h.nonces = all[:min(len(all), nonceSize*nonceCount)]
}

// write returns the command that stores the head.
func (h *head) write(sc scope) []any {
	args := []any{"hset", sc.key(), "v", h.nonces}
	if h.erased {
		return slices.Concat(args, []any{"erased", "1"})
	}
	return slices.Concat(args, []any{"user", h.user, "last", h.last, "trimmed", h.trimmed, "next", h.next})
}
