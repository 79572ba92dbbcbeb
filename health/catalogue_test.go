package health

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sourceConstants reads the package's own source and returns the values of its
// exported string constants by name, for those of the given type or, when
// typ is empty, of no stated type.
func sourceConstants(t *testing.T, typ string) map[string]string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	constants := map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST {
				continue
			}
			for _, spec := range gen.Specs {
				v := spec.(*ast.ValueSpec)
				stated := ""
				if id, ok := v.Type.(*ast.Ident); ok {
					stated = id.Name
				}
				if stated != typ || !v.Names[0].IsExported() || len(v.Values) != 1 {
					continue
				}
				lit, ok := v.Values[0].(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					continue
				}
				text, err := strconv.Unquote(lit.Value)
				require.NoError(t, err)
				constants[v.Names[0].Name] = text
			}
		}
	}
	require.NotEmpty(t, constants)
	return constants
}

func TestConstantsAndCatalogueAgree(t *testing.T) {
	constants := sourceConstants(t, "Metric")
	defined := map[string]bool{}
	for _, d := range Catalogue() {
		defined[string(d.Metric)] = true
	}
	for constant, name := range constants {
		require.True(t, defined[name], "%s has no definition", constant)
		// MetricHRVRMSSD names "hrv_rmssd": the same letters but for case.
		require.Equal(t, "metric"+strings.ReplaceAll(name, "_", ""), strings.ToLower(constant))
		delete(defined, name)
	}
	require.Empty(t, defined, "definitions without a constant")
}

func TestCatalogueIsSortedUniqueAndComplete(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	catalogue := Catalogue()
	for i, d := range catalogue {
		require.Regexp(t, name, string(d.Metric))
		if i > 0 {
			require.Less(t, catalogue[i-1].Metric, d.Metric, "sorted, each name once")
		}
		require.True(t, strings.HasSuffix(d.Doc, ".") && !strings.Contains(d.Doc, "|"), "%s: %q", d.Metric, d.Doc)
		require.False(t, math.IsNaN(d.Min) || math.IsNaN(d.Max))
		require.True(t, d.Min < d.Max || (d.Min == 0 && d.Max == 0), "%s: range %v..%v", d.Metric, d.Min, d.Max)
	}
}

func TestCatalogueIsACopy(t *testing.T) {
	first := Catalogue()
	first[0] = Definition{}
	require.NotEqual(t, first[0], Catalogue()[0])
}

func TestLookupAndIntern(t *testing.T) {
	for _, want := range Catalogue() {
		got, ok := Lookup(want.Metric)
		require.True(t, ok)
		require.Equal(t, want, got)

		m, ok := Intern([]byte(want.Metric))
		require.True(t, ok)
		require.Equal(t, want.Metric, m)
	}
	for _, name := range []string{"", "weight", "Body_Weight", "body_weight ", "body_weigh", "\xff"} {
		d, ok := Lookup(Metric(name))
		require.False(t, ok)
		require.Zero(t, d)
		m, ok := Intern([]byte(name))
		require.False(t, ok)
		require.Empty(t, m)
	}
}

func TestInternDoesNotKeepTheName(t *testing.T) {
	name := []byte("heart_rate")
	m, ok := Intern(name)
	require.True(t, ok)
	copy(name, "xxxxxxxxxx")
	require.Equal(t, MetricHeartRate, m)
}

func TestLookupAndInternDoNotAllocate(t *testing.T) {
	name, unknown := []byte("hrv_rmssd"), []byte("something_of_the_host")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		Lookup(MetricHRVRMSSD)
		Lookup("something_of_the_host")
		Intern(name)
		Intern(unknown)
	}))
}

func TestRangesRefuseWhatCannotBe(t *testing.T) {
	for _, c := range []struct {
		metric Metric
		bad    []float64
		good   []float64
	}{
		{MetricBodyWeight, []float64{-5, 0, 1e6}, []float64{0.5, 3.2, 75, 300}},
		{MetricHeartRate, []float64{-1, 0, 9999}, []float64{28, 60, 220}},
		{MetricSteps, []float64{-1, 1e9}, []float64{0, 1, 100_000}},
		{MetricBodyTemperature, []float64{0, 98.6, 310}, []float64{35, 36.6, 41}},
		{MetricBodyHeight, []float64{0, 75, 180}, []float64{0.5, 1.8}},
		{MetricSpO2, []float64{0, 0.97, 101}, []float64{80, 97.5, 100}},
		{MetricSleepEfficiency, []float64{-1, 199}, []float64{0, 92, 100}},
		{MetricSleepDuration, []float64{-1, 28_800_000}, []float64{0, 28_800}},
		{MetricLatitude, []float64{-90.1, 180}, []float64{-90, 0, 51.5}},
	} {
		d, ok := Lookup(c.metric)
		require.True(t, ok)
		for _, v := range c.bad {
			require.False(t, d.Min <= v && v <= d.Max, "%s = %v", c.metric, v)
		}
		for _, v := range c.good {
			require.True(t, d.Min <= v && v <= d.Max, "%s = %v", c.metric, v)
		}
	}
}

// Codes that public material confuses: none of these may ever come back.
func TestCodesThatAreNotTheMetric(t *testing.T) {
	for metric, code := range map[Metric]string{
		MetricVO2Max:           "60842-2", // oxygen uptake, not its maximum
		MetricHRVRMSSD:         "80404-7", // that is SDNN
		MetricVisceralFatIndex: "73707-2", // an area
		MetricEnergyActive:     "41981-2", // the total
		MetricHeartRate:        "40443-4", // at rest
	} {
		d, _ := Lookup(metric)
		require.NotEqual(t, code, d.LOINC, metric)
	}
}

func TestLOINCCodes(t *testing.T) {
	seen := map[string]Metric{}
	for _, d := range Catalogue() {
		if d.LOINC == "" {
			continue
		}
		require.True(t, validLOINC(d.LOINC), "%s: %s", d.Metric, d.LOINC)
		require.Empty(t, seen[d.LOINC], "%s has the code of another metric", d.Metric)
		seen[d.LOINC] = d.Metric
	}
	require.NotEmpty(t, seen)
}

func TestValidLOINC(t *testing.T) {
	for code, want := range map[string]bool{
		"29463-7": true, "8867-4": true, "8480-6": true, "100304-5": true,
		"29463-8": false, "24963-7": false, "8867": false, "-4": false, "8867-": false, "88a7-4": false, "": false,
	} {
		require.Equal(t, want, validLOINC(code), code)
	}
}

// validLOINC checks the form of a code and its Mod 10 check digit: from the
// right, every other digit is doubled and all digits are added up.
func validLOINC(code string) bool {
	body, check, ok := strings.Cut(code, "-")
	if !ok || len(body) == 0 || len(check) != 1 || check[0] < '0' || check[0] > '9' {
		return false
	}
	sum := 0
	for i := range len(body) {
		c := body[len(body)-1-i]
		if c < '0' || c > '9' {
			return false
		}
		n := int(c - '0')
		if i%2 == 0 {
			n *= 2
		}
		sum += n/10 + n%10
	}
	return (10-sum%10)%10 == int(check[0]-'0')
}

func TestUnits(t *testing.T) {
	for _, d := range Catalogue() {
		require.True(t, validUCUM(d.Unit), "%s: %q", d.Metric, d.Unit)
	}
}

func TestValidUCUM(t *testing.T) {
	for unit, want := range map[string]bool{
		"1": true, "kg": true, "/min": true, "mm[Hg]": true, "mL/min/kg": true, "mL2/min2/kg2": true, "[IU]/L": true,
		"{steps}": true, "N.m": true, "%": true, "Cel": true, "[MET].min": true, "uS": true, "m[IU]/mL": true,
		"": false, "bpm": false, "mmHg": false, "kg m": false, "kg/": false, "/": false, "m//s": false, ".m": false,
		"°C": false, "{}": false, "{a b}": false, "{steps": false, "k%": false, "kmin": false, "mCel": false, "IU": false,
		"m-": false, "2": false, "kkg": false,
	} {
		require.Equal(t, want, validUCUM(unit), "%q", unit)
	}
}

// ucumAtoms are the UCUM atoms the catalogue may use, and whether they take a
// metric prefix. Cel is metric in UCUM; prefixed temperatures are not wanted
// here.
var ucumAtoms = map[string]bool{
	"1": false, "%": false, "m": true, "g": true, "s": true, "L": true, "W": true, "J": true, "N": true, "V": true,
	"S": true, "Hz": true, "K": false, "Cel": false, "deg": false, "cal": true, "min": false, "h": false, "d": false,
	"a": false, "m[Hg]": true, "[IU]": true, "[MET]": false,
}

var ucumComponent = regexp.MustCompile(`^([^0-9{}]*?[^0-9{}+-]|1)?([1-9])?(\{[a-zA-Z0-9_]+\})?$`)

// validUCUM checks the case sensitive syntax of a unit without parentheses:
// components joined by "." and "/", each an atom of ucumAtoms with an optional
// prefix, exponent and annotation.
func validUCUM(unit string) bool {
	unit = strings.ReplaceAll(strings.TrimPrefix(unit, "/"), ".", "/")
	for component := range strings.SplitSeq(unit, "/") {
		if !validUCUMComponent(component) {
			return false
		}
	}
	return true
}

func validUCUMComponent(component string) bool {
	m := ucumComponent.FindStringSubmatch(component)
	if m == nil {
		return false
	}
	atom, exponent, annotation := m[1], m[2], m[3]
	if atom == "" {
		return exponent == "" && annotation != ""
	}
	if _, ok := ucumAtoms[atom]; ok {
		return true
	}
	return slices.Contains([]byte("kdcmun"), atom[0]) && ucumAtoms[atom[1:]]
}

func BenchmarkLookup(b *testing.B) {
	names := []Metric{MetricBodyWeight, MetricHeartRate, MetricSleepDuration, MetricBloodPressureSystolic}
	for i := 0; b.Loop(); i++ {
		Lookup(names[i%len(names)])
	}
}
