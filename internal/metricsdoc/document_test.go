package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
)

func TestDocumentIsCurrent(t *testing.T) {
	on, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	require.True(t, string(on) == string(document()), "docs/metrics.md is stale: run go generate ./health")
}

// Every numeric field has a metric of the catalogue, and a statistic and a
// part that exist.
func TestFieldsMapToTheVocabulary(t *testing.T) {
	parts, tracks, texts := health.Parts(), health.Tracks(), health.TextNames()
	for _, p := range providers() {
		require.NotEmpty(t, p.objects)
		for _, o := range p.objects {
			require.NotEmpty(t, o.fields, o.name)
			for _, f := range o.fields {
				at := p.name + " " + o.name + " " + f.name
				require.NotEmpty(t, f.name, at)
				require.NotContains(t, f.name+f.note+o.name, "|", at)
				switch f.form {
				case formValue, formSeries, formSegment, formAlternative:
					_, known := health.Lookup(f.metric)
					require.True(t, known, "%s: %s", at, f.metric)
					_, known = health.ParseStat(f.stat.String())
					require.True(t, known, at)
					require.True(t, f.part == "" || slices.Contains(parts, f.part) || strings.HasPrefix(string(f.part), "<"), "%s: %s", at, f.part)
				case formText:
					own := strings.HasPrefix(f.target, "fitbit_") || strings.HasPrefix(f.target, "googlehealth_")
					require.True(t, f.target == "" && f.note != "" || own || slices.Contains(texts, f.target), "%s: %s", at, f.target)
				case formLabel:
					require.Contains(t, tracks, f.target, at)
				case formKey, formUnmapped:
					require.False(t, f.numeric(), at)
				default:
					require.Fail(t, "unknown form", "%s: %s", at, f.form)
				}
			}
		}
	}
}

// A record holds one value per metric, statistic and part, so two fields of
// one object must not claim the same one, unless one is the alternative of the
// other; and an alternative repeats something.
func TestFieldsOfAnObjectDoNotCollide(t *testing.T) {
	type claim struct {
		form   form
		metric health.Metric
		stat   health.Stat
		part   health.Part
	}
	for _, p := range providers() {
		names := map[string]bool{}
		for _, o := range p.objects {
			require.False(t, names[o.name], "%s has %s twice", p.name, o.name)
			names[o.name] = true
			claims := map[claim]string{}
			for _, f := range o.fields {
				if !f.numeric() || f.form == formAlternative {
					continue
				}
				c := claim{f.form, f.metric, f.stat, f.part}
				require.Empty(t, claims[c], "%s %s: %s claims what the other has", p.name, o.name, f.name)
				claims[c] = f.name
			}
		}
	}
}

// A metric that no field maps to has no reason to be in the catalogue.
func TestEveryMetricHasASource(t *testing.T) {
	mapped := map[health.Metric]bool{}
	for _, p := range providers() {
		for _, o := range p.objects {
			for _, f := range o.fields {
				mapped[f.metric] = true
			}
		}
	}
	for _, d := range health.Catalogue() {
		require.True(t, mapped[d.Metric], d.Metric)
	}
}

func TestCodesLeftEmptyAreEmpty(t *testing.T) {
	for _, c := range emptyCodes {
		d, ok := health.Lookup(c.metric)
		require.True(t, ok, c.metric)
		require.Empty(t, d.LOINC, c.metric)
	}
	for _, c := range narrowCodes {
		d, ok := health.Lookup(c.metric)
		require.True(t, ok, c.metric)
		require.NotEmpty(t, d.LOINC, c.metric)
		require.NotEqual(t, d.LOINC, c.code, c.metric)
	}
}
