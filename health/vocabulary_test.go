package health

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var word = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// Every constant of a vocabulary is in its list, once, and nothing else is.
func TestVocabulariesListTheirConstants(t *testing.T) {
	untyped := sourceConstants(t, "")
	for prefix, list := range map[string][]string{
		"Track":  Tracks(),
		"Stage":  Stages(),
		"Level":  Levels(),
		"Step":   Steps(),
		"Event":  Events(),
		"Meal":   Meals(),
		"Phase":  Phases(),
		"Flow":   Flows(),
		"Rhythm": Rhythms(),
		"Stroke": Strokes(),
		"Text":   TextNames(),
	} {
		constants := map[string]string{}
		for constant, value := range untyped {
			if strings.HasPrefix(constant, prefix) {
				constants[constant] = value
			}
		}
		requireSameWords(t, prefix, constants, list)
	}

	var sports, parts []string
	for _, s := range Sports() {
		sports = append(sports, string(s))
	}
	for _, p := range Parts() {
		parts = append(parts, string(p))
	}
	requireSameWords(t, "Sport", sourceConstants(t, "Sport"), sports)
	requireSameWords(t, "Part", sourceConstants(t, "Part"), parts)
}

func requireSameWords(t *testing.T, prefix string, constants map[string]string, list []string) {
	t.Helper()
	require.ElementsMatch(t, slices.Collect(maps.Values(constants)), list, prefix)
	seen := map[string]bool{}
	for _, w := range list {
		require.Regexp(t, word, w, prefix)
		require.False(t, seen[w], "%s: %s is listed twice", prefix, w)
		seen[w] = true
	}
}

func TestHeartRateZone(t *testing.T) {
	for n, want := range map[int]Part{
		-1: PartZoneOther, 0: "zone_0", 1: "zone_1", 2: "zone_2", 3: "zone_3", 4: "zone_4", 5: "zone_5", 6: PartZoneOther,
	} {
		require.Equal(t, want, HeartRateZone(n))
	}
}

// The lists are the caller's: changing one does not change the next.
func TestVocabularyListsAreCopies(t *testing.T) {
	Sports()[0], Parts()[0], Stages()[0] = "x", "x", "x"
	require.Equal(t, SportWalking, Sports()[0])
	require.Equal(t, PartLeftArm, Parts()[0])
	require.Equal(t, StageAwake, Stages()[0])
}
