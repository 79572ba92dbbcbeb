package providers

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// MaxQuarantined is how many data of a page may be set aside. A page with more of
// them is not what it should be.
const MaxQuarantined = 10_000

// Quarantine collects the data of one page that could not be mapped, for
// [Page].Quarantined.
type Quarantine []Quarantined

// Add sets a datum aside. What comes after [Quarantine.Flooded] is true is
// dropped.
func (q *Quarantine) Add(key, reason string, raw []byte) {
	if !q.Flooded() {
		*q = append(*q, Quarantined{Key: key, Reason: reason, Raw: raw})
	}
}

// Flooded reports whether more than [MaxQuarantined] data were set aside: the page
// is to be refused.
func (q *Quarantine) Flooded() bool { return len(*q) > MaxQuarantined }

// InvalidReason returns why a record is not valid, of an error of
// [health.Record.Validate], without the record's values.
func InvalidReason(err error) string {
	if e, ok := errors.AsType[*health.InvalidError](err); ok {
		return e.Field + ": " + e.Reason
	}
	return "not valid"
}

// AddText adds a text to those of a record, which has one of each name; an empty
// text is none. It is false if there is another text of the name, which stays.
func AddText(texts *[]health.Text, name, text string) bool {
	if text == "" {
		return true
	}
	for i := range *texts {
		if t := &(*texts)[i]; t.Name == name {
			return t.Value == text
		}
	}
	*texts = append(*texts, health.Text{Name: name, Value: text})
	return true
}

// AddValue adds a value to those of a record, which has one of each metric, part
// and statistic. It is false if there is one with another number, which stays.
func AddValue(values *[]health.Value, v health.Value) bool {
	for i := range *values {
		if o := &(*values)[i]; o.Metric == v.Metric && o.Part == v.Part && o.Stat == v.Stat {
			return o.Number.Equal(v.Number)
		}
	}
	*values = append(*values, v)
	return true
}

// maxKeyPart is the longest text that is part of a key as it is, in bytes.
const maxKeyPart = 128

// KeyPart returns text of a service if it can be part of a record's key as it is,
// else its [KeyDigest]. It can if it is 1 to 128 ASCII letters, digits, "-", "_",
// ".", ":" and characters of also. An adapter never changes what it passes as
// also: its keys would change.
func KeyPart(text, also string) string {
	plain := text != "" && len(text) <= maxKeyPart
	for i := 0; plain && i < len(text); i++ {
		plain = isAlphanumeric(text[i]) || strings.IndexByte("-_.:", text[i]) >= 0 || strings.IndexByte(also, text[i]) >= 0
	}
	if plain {
		return text
	}
	return KeyDigest(text)
}

// KeyDigest returns what stands in a key for text that cannot: "x" and up to 16
// hexadecimal digits.
func KeyDigest(text string) string {
	return "x" + strconv.FormatUint(health.Digest([]byte(text)), 16)
}

// IsZoneName reports whether a name that a service told may be looked up as a
// time zone. It keeps names that are paths, or this machine's own zone, away from
// the zone database.
func IsZoneName(name string) bool {
	if name == "" || len(name) > health.MaxName || name == "Local" || name[0] == '/' || strings.Contains(name, "..") {
		return false
	}
	for i := range len(name) {
		if !isAlphanumeric(name[i]) && strings.IndexByte("/_+-", name[i]) < 0 {
			return false
		}
	}
	return true
}

// LoadZone returns the time zone of a name that a service told; nil if there is
// none, or if [IsZoneName] refuses it.
func LoadZone(name string) *time.Location {
	if !IsZoneName(name) {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return zone
}

// isAlphanumeric reports whether c is a letter or a digit of ASCII.
func isAlphanumeric(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}
