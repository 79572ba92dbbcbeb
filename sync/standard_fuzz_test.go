package sync

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// FuzzOpenSealed opens what nobody sealed: it gives an error, never a panic, and
// never a plaintext that was not sealed for the place.
func FuzzOpenSealed(f *testing.F) {
	ring := testKeyring(f)
	place, secret := []byte("place"), []byte("secret")
	// Fixed, since each process that fuzzes would seal with a nonce of its own.
	sealed, err := hex.DecodeString("01746573740000000085e80857b733b89724f18c6bd4c13474a0675018a2c3a4942b54c95da97d8c248092")
	if err != nil {
		f.Fatal(err)
	}
	if opened, err := ring.Open(f.Context(), place, sealed); err != nil || !bytes.Equal(opened, secret) {
		f.Fatal("does not open what was sealed", err)
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
