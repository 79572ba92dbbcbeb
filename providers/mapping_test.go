package providers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

func TestQuarantine(t *testing.T) {
	var q providers.Quarantine
	require.False(t, q.Flooded())
	for i := range providers.MaxQuarantined {
		q.Add(fmt.Sprint("a/", i), "why", []byte{1})
		require.False(t, q.Flooded())
	}
	require.Equal(t, providers.Quarantined{Key: "a/7", Reason: "why", Raw: []byte{1}}, q[7])
	for range 3 {
		q.Add("a/more", "why", nil)
		require.True(t, q.Flooded())
		require.Len(t, q, providers.MaxQuarantined+1, "it does not grow on")
	}
}

func TestInvalidReason(t *testing.T) {
	err := (&health.Record{}).Validate(time.Unix(1_700_000_000, 0))
	var invalid *health.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, invalid.Field+": "+invalid.Reason, providers.InvalidReason(fmt.Errorf("record 3: %w", err)))
	require.Equal(t, "not valid", providers.InvalidReason(errors.New("weight 71.5")), "a text that nobody knows is not repeated")
}

func TestAddText(t *testing.T) {
	var texts []health.Text
	for _, c := range []struct {
		name, text string
		want       bool
		n          int
	}{
		{"a", "", true, 0}, {"a", "1", true, 1}, {"b", "1", true, 2}, {"a", "1", true, 2}, {"a", "2", false, 2}, {"a", "", true, 2}, {"A", "2", true, 3},
	} {
		require.Equal(t, c.want, providers.AddText(&texts, c.name, c.text), c)
		require.Len(t, texts, c.n, c)
	}
	require.Equal(t, []health.Text{{Name: "a", Value: "1"}, {Name: "b", Value: "1"}, {Name: "A", Value: "2"}}, texts, "the first stays")
}

func TestAddValue(t *testing.T) {
	var values []health.Value
	steps := health.Value{Metric: health.MetricSteps, Number: health.Int(120)}
	goal, tracker := steps, steps
	goal.Stat, tracker.Part = health.StatGoal, health.PartTracker
	same, other := steps, steps
	same.Number, other.Number = health.Decimal{Coefficient: 12, Exponent: 1}, health.Int(121)
	for _, c := range []struct {
		v    health.Value
		want bool
		n    int
	}{{steps, true, 1}, {goal, true, 2}, {tracker, true, 3}, {same, true, 3}, {other, false, 3}} {
		require.Equal(t, c.want, providers.AddValue(&values, c.v))
		require.Len(t, values, c.n)
	}
	require.Equal(t, []health.Value{steps, goal, tracker}, values, "the first stays")
}

// The digests are part of stored keys: they never change.
func TestKeyPart(t *testing.T) {
	long := strings.Repeat("a", 128)
	for _, c := range []struct{ text, also, want string }{
		{"abcXYZ019", "", "abcXYZ019"}, {"a-b_c.d:e", "", "a-b_c.d:e"}, {long, "", long}, {"2026-10-20 07:00", " +", "2026-10-20 07:00"}, {"a+b==", "+=", "a+b=="},
		{"", "", "xef46db3751d8e999"}, {"a b", "", "x10dda12a5dc0b218"}, {"a/b", " +", "x828712809a185aae"}, {"ä", "", "xad857d534a6ca359"}, {"a/b", "/", "a/b"},
	} {
		require.Equal(t, c.want, providers.KeyPart(c.text, c.also))
	}
	for _, text := range []string{"a+b", "a\x00", "[", "`", "{", "@", "/", long + "a", "\xff", "\u0131d"} {
		got := providers.KeyPart(text, " ")
		require.Equal(t, providers.KeyDigest(text), got, text)
		require.Regexp(t, "^x[0-9a-f]{1,16}$", got)
		require.Equal(t, got, providers.KeyPart(got, ""), "a key part is one")
	}
}

func TestZones(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "America/Port-au-Prince"} {
		require.True(t, providers.IsZoneName(name), name)
		require.Equal(t, name, providers.LoadZone(name).String())
	}
	for _, name := range []string{
		"", "Local", "/etc/localtime", "/UTC", "../UTC", "Europe/../UTC", "Europe/..", "Europe/Berlin\x00", "Europe\\Berlin", "Europe/Berlín",
		"Europe Berlin", "Europe:Berlin", "Europe.Berlin", strings.Repeat("a", health.MaxName+1),
	} {
		require.False(t, providers.IsZoneName(name), name)
		require.Nil(t, providers.LoadZone(name), name)
	}
	require.True(t, providers.IsZoneName("Mars/Olympus"), "which names there are is for the zone database")
	require.Nil(t, providers.LoadZone("Mars/Olympus"))
	require.Nil(t, providers.LoadZone("europe"), "a folder of the zone database")
}

// FuzzLoadZone: whatever a service tells, what is looked up is no path.
func FuzzLoadZone(f *testing.F) {
	for _, seed := range []string{"Europe/Berlin", "Local", "../../etc/passwd", "/etc/localtime", "", "a/../b", "UTC\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if zone := providers.LoadZone(name); zone != nil {
			require.Equal(t, name, zone.String())
			require.NotContains(t, name, "..")
			require.NotEqual(t, "Local", name)
			require.NotEqual(t, byte('/'), name[0])
		}
	})
}
