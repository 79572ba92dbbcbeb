package health

import (
	"slices"
	"strings"
	"sync"
)

//go:generate go run ../internal/metricsdoc -o ../docs/metrics.md

// How the Additive column of the catalogue's tables reads.
const (
	additive = true
	reading  = false
)

// catalogue is the catalogue sorted by name, and the same by name. It is built
// on first use and never changed.
type catalogue struct {
	sorted []Definition
	byName map[Metric]*Definition
}

var loadCatalogue = sync.OnceValue(func() *catalogue {
	c := &catalogue{sorted: slices.Concat(
		bodyMetrics[:], heartMetrics[:], activityMetrics[:], sleepMetrics[:],
		scoreMetrics[:], cycleMetrics[:], nutritionMetrics[:],
	)}
	slices.SortFunc(c.sorted, func(a, b Definition) int {
		return strings.Compare(string(a.Metric), string(b.Metric))
	})
	c.byName = make(map[Metric]*Definition, len(c.sorted))
	for i := range c.sorted {
		c.byName[c.sorted[i].Metric] = &c.sorted[i]
	}
	return c
})

// Lookup returns the definition of m; false when m is not in the catalogue.
// It does not allocate and is safe for concurrent use.
func Lookup(m Metric) (Definition, bool) {
	if d, ok := loadCatalogue().byName[m]; ok {
		return *d, true
	}
	return Definition{}, false
}

// Catalogue returns all definitions sorted by name. The slice is the caller's.
func Catalogue() []Definition { return slices.Clone(loadCatalogue().sorted) }

// Intern returns the catalogue's own string for a metric name; false when the
// catalogue does not have the name. It does not allocate and keeps no
// reference to name.
func Intern(name []byte) (Metric, bool) {
	if d, ok := loadCatalogue().byName[Metric(name)]; ok {
		return d.Metric, true
	}
	return "", false
}
