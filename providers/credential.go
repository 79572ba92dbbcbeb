package providers

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
	"unique"
)

// redacted is what a secret prints as.
const redacted = "[redacted]"

// Secret is a text that must not be seen. It prints as "[redacted]" under
// every verb of package fmt, in log/slog, JSON and text encodings; gob refuses
// it. [Secret.Reveal] is the only way to the text.
//
// Secrets are equal with == if their texts are.
type Secret struct {
	// The text is behind a pointer that is the same for equal texts: package
	// fmt prints fields by reflection, past all methods, when a Secret is in
	// an unexported field or the verb does not fit.
	text unique.Handle[string]
}

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: unique.Make(text)}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.text.Value()
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s == Secret{} }

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (s Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[redacted]".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// GobEncode refuses: a secret does not travel by gob.
func (s Secret) GobEncode() ([]byte, error) {
	return nil, errors.New("providers: a secret cannot be encoded")
}

// Credential is what an adapter needs to act for one person. It is a value;
// nothing in it changes under the holder. It prints redacted.
type Credential struct {
	// UpstreamID is the person's id at the service, for services that want
	// it with each call.
	UpstreamID string
	// Access is the access token, or the OAuth 1.0 token.
	Access Secret
	// Refresh is the refresh token; empty where there is none.
	Refresh Secret
	// TokenSecret is the OAuth 1.0 token secret.
	TokenSecret Secret
	// ExpiresAt is when Access ends; zero means it does not.
	ExpiresAt time.Time
	// Scopes that were granted; nil means not told.
	Scopes []string
	// OddLifetime is set in the result of a refresh when the service told a
	// lifetime that cannot be right, so that ExpiresAt is the adapter's guess.
	OddLifetime bool
}

// String returns "[redacted]".
func (c Credential) String() string { return redacted }

// GoString returns "[redacted]".
func (c Credential) GoString() string { return redacted }

// Format writes "[redacted]" for every verb.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (c Credential) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns "[redacted]".
func (c Credential) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns "[redacted]".
func (c Credential) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// GobEncode refuses: a credential does not travel by gob.
func (c Credential) GobEncode() ([]byte, error) {
	return nil, errors.New("providers: a credential cannot be encoded")
}
