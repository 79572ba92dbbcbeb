package health

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// genVersions draws versions of one record that collide often: few orders,
// mappings and values. "score" and "strain" are sticky, "steps" is not.
func genVersions() *rapid.Generator[[]Record] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Record {
		r := Record{Connection: "c", Kind: KindDaily, Key: "daily/2026-01-02", Span: Span{Day: Day{2026, 1, 2}}}
		r.Rev = Rev{
			Order:   rapid.Int64Range(1, 4).Draw(t, "order"),
			Mapping: rapid.Uint16Range(1, 2).Draw(t, "mapping"),
			Push:    rapid.Bool().Draw(t, "push"),
		}
		if rapid.IntRange(0, 4).Draw(t, "state") == 0 {
			r.State = StateDeleted
			return r
		}
		for _, v := range []Value{
			{Metric: "score", Flags: FlagSticky},
			{Metric: "steps"},
			{Metric: "strain", Stat: StatMax, Part: "left", Flags: FlagSticky},
		} {
			if rapid.Bool().Draw(t, string(v.Metric)) {
				v.Number = Int(rapid.Int64Range(1, 3).Draw(t, "number"))
				r.Values = append(r.Values, v)
			}
		}
		return r
	}), 1, 7)
}

func mergeAll(t require.TestingT, versions []Record) Record {
	merged := versions[0]
	merged.Rev.Fingerprint = merged.Fingerprint()
	for _, next := range versions[1:] {
		merged, _, _ = Merge(&merged, &next)
		require.Equal(t, merged.Fingerprint(), merged.Rev.Fingerprint)
	}
	return merged
}

func TestMergeDoesNotDependOnArrival(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := genVersions().Draw(t, "versions")
		want := mergeAll(t, versions)
		bytes := AppendRecord(nil, &want)

		permuted := rapid.Permutation(versions).Draw(t, "permutation")
		got := mergeAll(t, permuted)
		require.Equal(t, want, got)
		require.Equal(t, bytes, AppendRecord(nil, &got))

		// Some arrive twice.
		again := rapid.SliceOfN(rapid.SampledFrom(versions), 0, 4).Draw(t, "again")
		got = mergeAll(t, append(slices.Clone(permuted), again...))
		require.Equal(t, bytes, AppendRecord(nil, &got))

		// Two halves are merged on their own, stored and read, and joined.
		cut := rapid.IntRange(0, len(permuted)-1).Draw(t, "cut")
		got = mergeAll(t, permuted[cut:])
		if cut > 0 {
			left := mergeAll(t, permuted[:cut])
			left, err := DecodeRecord(AppendRecord(nil, &left))
			require.NoError(t, err)
			got, _, _ = Merge(&left, &got)
		}
		require.Equal(t, bytes, AppendRecord(nil, &got))
	})
}

// The merged record against the plain definition of what it must hold.
func TestMergeMatchesItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := genVersions().Draw(t, "versions")
		got := mergeAll(t, versions)

		for i := range versions {
			versions[i].Rev.Fingerprint = versions[i].Fingerprint()
		}
		slices.SortFunc(versions, func(a, b Record) int { return b.Rev.Compare(a.Rev) })
		newest := versions[0]
		want := slices.Clone(newest.Values)
		for _, v := range versions[1:] {
			if newest.State == StateDeleted || v.State == StateDeleted {
				break
			}
			for _, value := range v.Values {
				has := slices.ContainsFunc(want, func(w Value) bool { return compareValues(w, value) == 0 })
				if value.Flags.Has(FlagSticky) && !has {
					value.AsOf = v.Rev.Order
					want = append(want, value)
				}
			}
		}
		slices.SortFunc(want, compareValues)
		require.Equal(t, newest.Rev, got.Rev)
		require.Equal(t, newest.State, got.State)
		require.Len(t, got.Values, len(want))
		for i, v := range got.Values {
			if v.Origin != 0 {
				require.Equal(t, v.AsOf, got.Origins[v.Origin-1].Order)
			}
			v.Origin = 0
			require.Equal(t, want[i], v)
		}
	})
}

// Verdicts against what they promise about the stored record.
func TestVerdictsTellTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := genVersions().Draw(t, "versions")
		stored := mergeAll(t, versions)
		next := genVersions().Draw(t, "next")[0]
		before := AppendRecord(nil, &stored)
		result, verdict, _ := Merge(&stored, &next)
		require.Equal(t, before, AppendRecord(nil, &stored), "the stored record is not changed")
		visible := func(r Record) []byte {
			r.Origins, r.Erased, r.Rev = nil, Rev{}, Rev{}
			return AppendRecord(nil, &r)
		}
		switch {
		case slices.Equal(before, AppendRecord(nil, &result)):
			require.Equal(t, Keep, verdict)
		case slices.Equal(visible(stored), visible(result)):
			require.Equal(t, Touch, verdict)
		default:
			require.Equal(t, Replace, verdict)
		}

		// Where Decide may stand alone it says the same.
		next.Rev.Fingerprint = next.Fingerprint()
		quick, conflict := Decide(stored.Rev, next.Rev)
		_, _, merged := Merge(&stored, &next)
		require.Equal(t, merged, conflict)
		same := quick == Keep && stored.Rev.Fingerprint == next.Rev.Fingerprint
		require.Equal(t, stored.Plain(), PlainRest(AppendRest(nil, &stored)))
		if same || stored.Plain() && next.Plain() {
			require.Equal(t, quick, verdict)
		}
	})
}

func TestDecide(t *testing.T) {
	base := Rev{Order: 10, Mapping: 2, Fingerprint: 5}
	with := func(f func(*Rev)) Rev {
		r := base
		f(&r)
		return r
	}
	for _, c := range []struct {
		name     string
		old      Rev
		next     Rev
		verdict  Verdict
		conflict bool
	}{
		{"the same", base, base, Keep, false},
		{"newer, equal print", base, with(func(r *Rev) { r.Order++ }), Touch, false},
		{"older, equal print", base, with(func(r *Rev) { r.Order-- }), Keep, false},
		{"newer mapping, equal print", base, with(func(r *Rev) { r.Mapping++ }), Touch, false},
		{"a push of what was pulled", base, with(func(r *Rev) { r.Push = true }), Keep, false},
		{"a pull of what was pushed", with(func(r *Rev) { r.Push = true }), base, Touch, false},
		{"newer", base, with(func(r *Rev) { r.Order++; r.Fingerprint = 1 }), Replace, false},
		{"older", base, with(func(r *Rev) { r.Order--; r.Fingerprint = 9 }), Keep, false},
		{"newer mapping", base, with(func(r *Rev) { r.Mapping++; r.Fingerprint = 1 }), Replace, false},
		{"older mapping", base, with(func(r *Rev) { r.Mapping--; r.Fingerprint = 9 }), Keep, false},
		{"newer mapping of older order", base, with(func(r *Rev) { r.Order--; r.Mapping++; r.Fingerprint = 9 }), Keep, false},
		{"tie, larger print", base, with(func(r *Rev) { r.Fingerprint++ }), Replace, true},
		{"tie, smaller print", base, with(func(r *Rev) { r.Fingerprint-- }), Keep, true},
		{"tie, a push", base, with(func(r *Rev) { r.Push = true; r.Fingerprint++ }), Keep, true},
		{"tie, a pull", with(func(r *Rev) { r.Push = true }), with(func(r *Rev) { r.Fingerprint-- }), Replace, true},
		{"absence of the stored version", base, with(func(r *Rev) { r.Absent = true; r.Fingerprint = 1 }), Replace, false},
		{"absence of an older version", base, with(func(r *Rev) { r.Order--; r.Absent = true; r.Fingerprint = 1 }), Keep, false},
		{"a pull after absence", with(func(r *Rev) { r.Absent = true }), with(func(r *Rev) { r.Fingerprint = 1 }), Replace, false},
		{"an older pull after absence", with(func(r *Rev) { r.Absent = true }), with(func(r *Rev) { r.Order--; r.Fingerprint = 1 }), Keep, false},
		{"a push after absence", with(func(r *Rev) { r.Absent = true }), with(func(r *Rev) { r.Push = true; r.Fingerprint = 9 }), Keep, false},
		{"a newer push after absence", with(func(r *Rev) { r.Absent = true }), with(func(r *Rev) { r.Order++; r.Push = true; r.Fingerprint = 9 }), Replace, false},
	} {
		verdict, conflict := Decide(c.old, c.next)
		require.Equal(t, c.verdict, verdict, c.name)
		require.Equal(t, c.conflict, conflict, c.name)
	}
}

// What is pulled again after it was found absent is back, as it was.
func TestMergeRestoresWhatWasAbsent(t *testing.T) {
	live := Record{Rev: Rev{Order: 10}, Values: []Value{{Metric: "score", Number: Int(3), Flags: FlagSticky}}}
	live.Rev.Fingerprint = live.Fingerprint()
	gone := Record{State: StateDeleted, Rev: Rev{Order: 10, Absent: true}}

	tombstone, verdict, _ := Merge(&live, &gone)
	require.Equal(t, Replace, verdict)
	require.Equal(t, StateDeleted, tombstone.State)
	require.Empty(t, tombstone.Values)

	back, verdict, conflict := Merge(&tombstone, &live)
	require.Equal(t, Replace, verdict)
	require.False(t, conflict)
	require.Equal(t, live, back)

	newer := Record{Rev: Rev{Order: 20}}
	carried, _, _ := Merge(&back, &newer)
	require.Len(t, carried.Values, 1, "an absence that was undone erases nothing")
}

func TestCarriedValueThatReadersAlreadySawIsNoNews(t *testing.T) {
	score := Value{Metric: "score", Number: Int(80), Flags: FlagSticky}
	steps := Value{Metric: "steps", Number: Int(1000)}
	first := Record{Rev: Rev{Order: 10}, Values: []Value{score, steps}}
	second := Record{Rev: Rev{Order: 20}, Values: []Value{steps}}
	merged, verdict, _ := Merge(&first, &second)
	require.Equal(t, Touch, verdict)
	require.Equal(t, int64(10), merged.Values[0].AsOf)
	require.Equal(t, second.Fingerprint(), merged.Rev.Fingerprint, "the second version is recognised when it comes again")

	between := Record{Rev: Rev{Order: 15}, Values: []Value{{Metric: "score", Number: Int(70), Flags: FlagSticky}}}
	merged, verdict, _ = Merge(&merged, &between)
	require.Equal(t, Replace, verdict)
	require.Equal(t, Int(70), merged.Values[0].Number)
	require.Equal(t, int64(20), merged.Rev.Order)
}

func BenchmarkMerge(b *testing.B) {
	old := benchRecord()
	next := *old
	next.Rev.Order++
	next.Values = slices.Clone(old.Values)
	next.Values[0].Number.Coefficient++
	b.ReportAllocs()
	for b.Loop() {
		if _, verdict, _ := Merge(old, &next); verdict != Replace {
			b.Fatal(verdict)
		}
	}
}

// Two versions that tie, and of which one knows the zone better: that one wins,
// whichever comes first.
func TestMergePrefersTheVersionThatKnowsItsZone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wall := rapid.Int64Range(1_600_000_000_000, 1_900_000_000_000).Draw(t, "wall")
		base := Record{
			Connection: "c", Kind: KindDaily, Key: "days/1", Source: Source{Provider: "acme", Path: PathDirect},
			Rev:    Rev{Order: 5, Mapping: 1},
			Values: []Value{{Metric: MetricSteps, Number: Int(rapid.Int64Range(0, 1_000_000).Draw(t, "steps"))}},
		}
		versions := []Record{base, base, base, base}
		versions[0].Span = Span{Start: Instant(wall)}
		versions[1].Span = Span{Start: Floating(wall), Zone: ZoneFloating}
		versions[2].Span = Span{Start: Zoned(wall, 3600), Zone: ZoneFromProfile, Location: "Europe/Paris"}
		versions[3].Span = Span{Start: Zoned(wall, 3600), Zone: ZoneFromRecord, Location: "Europe/Paris"}
		for i := range versions {
			for j := range versions {
				got := mergeAll(t, []Record{versions[i], versions[j]})
				require.Equal(t, versions[max(i, j)].Span, got.Span)
			}
		}
	})
}
