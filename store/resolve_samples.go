package store

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/vitalmux/vitalmux/health"
)

// sampleGrain is the stretch of time within which samples are of one owner.
const sampleGrain int64 = 15 * 60 * 1000

// ResolvedSamples is a run of samples that no other route has a say in.
type ResolvedSamples struct {
	Owner  Owner
	Series health.Series
	// Reason says why its owner was taken, in the first quarter of an hour.
	Reason Reason
}

// ResolveSamples reads the samples that q selects, each time once: of every
// quarter of an hour of the clock of which several owners have points, those of
// the owner are taken that the policy puts first; among those of one connection,
// the one with the most points. Runs come in order of time for each (stat,
// part), instants before wall clock readings, which are not compared with each
// other.
//
// It makes one query for connections, as [ResolveRecords] does, and one for samples,
// and one more for each further q.Limit points of the range (0 is 1,000,000); what the
// range holds is held in memory. ErrInvalid for a query with Record or After.
func ResolveSamples(ctx context.Context, s Store, q SampleQuery, p Policy) ([]ResolvedSamples, error) {
	if q.Record != "" || q.After != "" {
		return nil, fmt.Errorf("%w: resolved reads take no record and no page", ErrInvalid)
	}
	if q.User == "" {
		return nil, fmt.Errorf("%w: no user", ErrInvalid)
	}
	ranks, err := newRanking(ctx, s, q.User, p)
	if err != nil {
		return nil, err
	}
	if q.Limit == 0 {
		q.Limit = 1_000_000
	}
	tracks := make(map[track][]SampleRun)
	for run, err := range AllSamples(ctx, s, q) {
		if err != nil {
			return nil, err
		}
		at := track{run.Series.Floating, run.Series.Stat, run.Series.Part}
		tracks[at] = append(tracks[at], run)
	}
	order := make([]track, 0, len(tracks))
	for at := range tracks {
		order = append(order, at)
	}
	slices.SortFunc(order, track.compare)
	var all []ResolvedSamples
	for _, at := range order {
		runs := ranks.resolveRuns(tracks[at])
		slices.SortStableFunc(runs, func(a, b ResolvedSamples) int { return cmp.Compare(a.Series.From, b.Series.From) })
		all = append(all, runs...)
	}
	return all, nil
}

// track is what samples of one metric have to have in common.
type track struct {
	floating bool
	stat     health.Stat
	part     health.Part
}

func (a track) compare(b track) int {
	if a.floating != b.floating {
		if a.floating {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(a.stat, b.stat), cmp.Compare(a.part, b.part))
}

// grain is what owners have in a quarter of an hour.
type grain struct {
	owner  Owner
	rank   rank
	points int64
	reason Reason
}

// resolveRuns cuts runs of one track to what each has the say in.
func (k *ranking) resolveRuns(runs []SampleRun) []ResolvedSamples {
	grains := make(map[int64][]grain)
	for i := range runs {
		run := &runs[i]
		for from, n := range pieces(run.Series.Times) {
			number := floorDiv(run.Series.Times[from], sampleGrain)
			list := grains[number]
			at := slices.IndexFunc(list, func(g grain) bool { return g.owner == run.Owner })
			if at < 0 {
				at = len(list)
				list = append(list, grain{owner: run.Owner})
			}
			list[at].points += int64(n)
			grains[number] = list
		}
	}
	best := make(map[int64]grain, len(grains))
	for number, list := range grains {
		told := make([]string, len(list))
		for i := range list {
			told[i] = list[i].owner.Connection
		}
		for i := range list {
			o := &list[i].owner
			list[i].rank = k.rank(o.Metric, streamOf{o.Connection, o.Stream}, o.Source, number*sampleGrain, list[i].points, told)
		}
		slices.SortFunc(list, func(a, b grain) int {
			c, _ := a.rank.compare(b.rank)
			return cmp.Or(c, cmp.Compare(a.owner.Connection, b.owner.Connection), cmp.Compare(a.owner.Stream, b.owner.Stream),
				cmp.Compare(a.owner.Record, b.owner.Record), compareSources(a.owner.Source, b.owner.Source))
		})
		list[0].reason = ReasonOnly
		if len(list) > 1 {
			_, list[0].reason = list[0].rank.compare(list[1].rank)
		}
		best[number] = list[0]
	}
	var all []ResolvedSamples
	for i := range runs {
		run := &runs[i]
		begin := int64(math.MinInt64) // of the stretch that is being gathered
		end, reason := begin, ReasonOnly
		flush := func() {
			if begin != math.MinInt64 {
				all = append(all, ResolvedSamples{run.Owner, run.Series.Slice(begin, end), reason})
			}
			begin = math.MinInt64
		}
		for from, n := range pieces(run.Series.Times) {
			g := best[floorDiv(run.Series.Times[from], sampleGrain)]
			if g.owner != run.Owner {
				flush()
				continue
			}
			if begin == math.MinInt64 {
				begin, reason = run.Series.Times[from], g.reason
			}
			end = run.Series.Times[from+n-1] + 1
		}
		flush()
	}
	return all
}

// pieces iterates over the index and number of the points of each quarter of an
// hour.
func pieces(times []int64) func(yield func(from, n int) bool) {
	return func(yield func(from, n int) bool) {
		for from := 0; from < len(times); {
			number, n := floorDiv(times[from], sampleGrain), 1
			for from+n < len(times) && floorDiv(times[from+n], sampleGrain) == number {
				n++
			}
			if !yield(from, n) {
				return
			}
			from += n
		}
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
