package sync

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func testKey(id string, seed byte) Key {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = seed + byte(i)
	}
	return Key{ID: id, Secret: secret}
}

func TestKeyringRefusesBadKeys(t *testing.T) {
	good := testKey("a", 1)
	for name, keys := range map[string][]Key{
		"no key":       {{}},
		"no id":        {{Secret: good.Secret}},
		"long id":      {{ID: "123456789", Secret: good.Secret}},
		"31 bytes":     {{ID: "a", Secret: good.Secret[:31]}},
		"all the same": {{ID: "a", Secret: make([]byte, 32)}},
		"repeated id":  {good, testKey("a", 9)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewKeyring(keys[0], keys[1:]...)
			require.Error(t, err)
		})
	}
}

func TestKeyringBindsAndDetects(t *testing.T) {
	ctx := t.Context()
	old, err := NewKeyring(testKey("old", 1))
	require.NoError(t, err)
	place, text := associated("credential", "withings", "ada"), []byte("a token")
	sealed, err := old.Seal(ctx, place, text)
	require.NoError(t, err)
	require.False(t, bytes.Contains(sealed, text))

	both, err := NewKeyring(testKey("new", 2), testKey("old", 1))
	require.NoError(t, err)
	opened, err := both.Open(ctx, place, sealed)
	require.NoError(t, err)
	require.Equal(t, text, opened)

	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		_, err := both.Open(ctx, place, changed)
		require.ErrorIs(t, err, ErrSealed, "byte %d", i)
		_, err = both.Open(ctx, place, sealed[:i])
		require.ErrorIs(t, err, ErrSealed, "first %d bytes", i)
	}
	_, err = both.Open(ctx, associated("credential", "withings", "bob"), sealed)
	require.ErrorIs(t, err, ErrSealed)
	_, err = both.Open(ctx, associated("credential", "withingsada"), sealed)
	require.ErrorIs(t, err, ErrSealed)

	other, err := NewKeyring(testKey("other", 3))
	require.NoError(t, err)
	_, err = other.Open(ctx, place, sealed)
	require.ErrorIs(t, err, ErrSealed)
}

func TestKeysHideTheirSecrets(t *testing.T) {
	key := randomKey("2026")
	text, err := json.Marshal(map[string]Key{"key": key})
	require.NoError(t, err)
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("key", "key", key)
	require.Error(t, gob.NewEncoder(&bytes.Buffer{}).Encode(key))
	for _, shown := range []string{
		string(text), logged.String(), fmt.Sprint(key), fmt.Sprintf("%v %+v %#v %s %q %x %d", key, key, key, key, key, key, key),
		fmt.Sprintf("%v", struct{ Inner Key }{key}),
	} {
		require.Contains(t, shown, "2026")
		require.NotContains(t, shown, string(key.Secret))
		require.NotContains(t, shown, hex.EncodeToString(key.Secret))
		require.NotContains(t, shown, fmt.Sprint(key.Secret))
	}
}
