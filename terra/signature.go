package terra

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

// The headers of a delivery: Terra, "Webhooks". All but the signature are
// unsigned.
const (
	// SignatureHeader has the signature; DeprecatedSignatureHeader repeats it,
	// and older deliveries have it alone.
	SignatureHeader           = "X-Terra-Signature"
	DeprecatedSignatureHeader = "Terra-Signature"
	// ReferenceHeader ties deliveries to a request. All parts of a large request
	// have one, so that it does not tell deliveries apart.
	ReferenceHeader = "Terra-Reference"
	// TraceHeader names a delivery, and stays the same when it is tried again.
	TraceHeader = "X-Terra-Trace-Id"
	// OrderingHeader is when the event was emitted, in Unix milliseconds.
	OrderingHeader = "X-Terra-Ordering-Timestamp"
)

const (
	// DefaultTolerance is how old a signature may be. Terra tries again for a
	// day and a little more, and does not document whether it signs each try
	// anew.
	DefaultTolerance = 26 * time.Hour
	// maxFuture is how far a signature may be from the future.
	maxFuture = 5 * time.Minute
	// maxSignatures is how many v1 a header may have: a destination signs with
	// two secrets while one is replaced.
	maxSignatures = 8
	// maxSignatureHeader is the longest header in bytes.
	maxSignatureHeader = 2 << 10
	// maxStamp is the longest time in digits.
	maxStamp = 12
)

// VerifySignature verifies the body of a delivery, exactly as it came, by the
// value of its header X-Terra-Signature: "t=<Unix seconds>,v1=<hexadecimal>",
// where v1 is the HMAC-SHA256 over t, a dot and the body. There may be several
// v1, and several secrets; one that matches suffices. Other schemes are skipped,
// and spaces around the parts are tolerated.
//
// The tolerance is how old the signature may be; 0 means [DefaultTolerance]. It
// may be from the future by as much, and by 5 minutes at most.
//
// Every failure is one and the same error of class ErrSignature: a delivery that
// is not genuine, a tolerance that is negative, no secret. The time it takes
// depends on the number of secrets and on the length of the body, not on what
// matches.
func VerifySignature(secrets []string, header string, body []byte, now time.Time, tolerance time.Duration) error {
	keys := make([]*signingKey, len(secrets))
	for i, secret := range secrets {
		keys[i] = &signingKey{secret: secret}
	}
	sig, ok := parseSignature([]string{header})
	matched, _ := sig.match(keys, func(mac hash.Hash) error {
		_, _ = mac.Write(body)
		return nil
	})
	if !ok || !matched || !sig.fresh(now, tolerance) {
		return forged()
	}
	return nil
}

// forged is the error for everything that is not genuine. It says no more, so
// that nobody learns from it.
func forged() error {
	return &providers.Error{Provider: Name, Op: opWebhook, Kind: providers.ErrSignature}
}

const opWebhook = "webhook"

// signature is what a signature header says.
type signature struct {
	stamp string // as it was signed
	at    time.Time
	macs  [maxSignatures][sha256.Size]byte
	count int // of macs
}

// parseSignature reads the values of a signature header, of which there is one.
// What it cannot read is refused as a whole: a time that is missing, twice, or
// not of digits alone, a v1 that is not of 64 hexadecimal digits, none or more
// than 8 of them, a part without a name.
func parseSignature(headers []string) (sig signature, ok bool) {
	if len(headers) != 1 || len(headers[0]) > maxSignatureHeader {
		return signature{}, false
	}
	for part := range strings.SplitSeq(headers[0], ",") {
		scheme, text, found := strings.Cut(part, "=")
		scheme, text = strings.Trim(scheme, " \t"), strings.Trim(text, " \t")
		switch {
		case !found || scheme == "":
			return signature{}, false
		case scheme == "t":
			if sig.stamp != "" || text == "" || len(text) > maxStamp || strings.Trim(text, "0123456789") != "" {
				return signature{}, false
			}
			seconds, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return signature{}, false
			}
			sig.stamp, sig.at = text, time.Unix(seconds, 0).UTC()
		case scheme == "v1":
			if sig.count == maxSignatures || len(text) != 2*sha256.Size {
				return signature{}, false
			}
			if _, err := hex.Decode(sig.macs[sig.count][:], []byte(text)); err != nil {
				return signature{}, false
			}
			sig.count++
		}
	}
	if sig.stamp == "" || sig.count == 0 {
		return signature{}, false
	}
	return sig, true
}

// signingKey is a signing secret, with states of HMAC that began with it.
type signingKey struct {
	secret string
	macs   sync.Pool // of hash.Hash
}

// mac returns a state that nobody else uses until it is put back.
func (k *signingKey) mac() hash.Hash {
	if mac, ok := k.macs.Get().(hash.Hash); ok {
		mac.Reset()
		return mac
	}
	return hmac.New(sha256.New, []byte(k.secret))
}

// match reports whether one of the keys signed what write writes. All of them
// are tried with all signatures, whatever matches.
func (sig *signature) match(keys []*signingKey, write func(hash.Hash) error) (matched bool, err error) {
	for _, key := range keys {
		if key.secret == "" {
			continue // anybody can sign with it
		}
		mac := key.mac()
		_, _ = io.WriteString(mac, sig.stamp+".")
		if err := write(mac); err != nil {
			return false, err
		}
		var room [sha256.Size]byte
		sum := mac.Sum(room[:0])
		key.macs.Put(mac)
		for i := range sig.macs {
			equal := hmac.Equal(sum, sig.macs[i][:])
			matched = matched || equal && i < sig.count
		}
	}
	return matched, nil
}

// fresh reports whether the signature is of a time that is tolerated.
func (sig *signature) fresh(now time.Time, tolerance time.Duration) bool {
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	return tolerance > 0 && now.Sub(sig.at) <= tolerance && sig.at.Sub(now) <= min(tolerance, maxFuture)
}

// signatureValues returns the values of the header that is to be verified: the
// new name comes first. Two names that say different things are refused.
func signatureValues(h http.Header) ([]string, bool) {
	current, deprecated := h.Values(SignatureHeader), h.Values(DeprecatedSignatureHeader)
	switch {
	case len(current) == 0:
		return deprecated, len(deprecated) == 1
	case len(deprecated) == 0:
		return current, len(current) == 1
	}
	return current, len(current) == 1 && len(deprecated) == 1 && strings.TrimSpace(current[0]) == strings.TrimSpace(deprecated[0])
}
