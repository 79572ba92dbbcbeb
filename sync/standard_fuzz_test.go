package sync

import (
	"bytes"
	"testing"
)

// FuzzOpenSealed opens what nobody sealed: it gives an error, never a panic, and
// never a plaintext that was not sealed for the place.
func FuzzOpenSealed(f *testing.F) {
	ring := testKeyring(f)
	place, secret := []byte("place"), []byte("secret")
	sealed, err := ring.Seal(f.Context(), place, secret)
	if err != nil {
		f.Fatal(err)
	}
	for n := range len(sealed) + 1 {
		f.Add(sealed[:n], place)
	}
	f.Add(sealed, []byte("another place"))
	f.Add(append(bytes.Clone(sealed), 0), place)
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, text, at []byte) {
		ring.Current(text)
		opened, err := ring.Open(t.Context(), at, text)
		if err == nil && !(bytes.Equal(text, sealed) && bytes.Equal(at, place) && bytes.Equal(opened, secret)) {
			t.Fatal("opened what was not sealed")
		}
	})
}
