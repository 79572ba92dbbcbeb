package redis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
)

// TestLine: whatever comes, and moves, of two records in line the one that is
// later has the greater key, and each is found by it.
func TestLine(t *testing.T) {
	seed := proof.Seed(t)
	for round := range uint64(proof.N(12, 3000)) {
		random := rand.New(rand.NewPCG(seed, round))
		g, next := &group{number: 1, first: "5000", last: "5000"}, int64(0)
		newID := func() int64 { next++; return next }
		where := map[string]bound{}
		add := func(at bound, stray bool) {
			if len(g.chunks) == 0 {
				g.chunks = []*chunk{{from: at, loaded: true, body: []byte{}}}
			}
			c := g.chunks[g.find(at)]
			c.added = append(c.added, entry{rid: at.rid, start: at.start, stray: stray, values: 1, rest: 1, fresh: []byte("ab")})
			c.content = true
			where[at.rid] = at
		}
		most := 1 + random.IntN(60)
		for range 1 + random.IntN(120) {
			var batch []bound
			low, span := random.IntN(9000), 1+random.IntN(most*20)
			for range most {
				n := 1000 + low + random.IntN(span)
				at := bound{int64(n), fmt.Sprint(n)}
				switch random.IntN(most + 4) {
				case 0:
					at.start += random.Int64N(4000) - 2000
				case 1:
					at.rid = fmt.Sprint(random.IntN(20_000))
				}
				if _, there := where[at.rid]; !there && !slices.ContainsFunc(batch, func(b bound) bool { return b.rid == at.rid }) {
					batch = append(batch, at)
				}
			}
			slices.SortFunc(batch, compareBounds)
			var l line
			strays := make([]bool, len(batch))
			for i, at := range batch {
				after := compareKeys(at.rid, g.last) > 0
				if after {
					g.last = at.rid
				} else if compareKeys(at.rid, g.first) < 0 {
					g.first = at.rid
				}
				var near *chunk
				if len(g.chunks) > 0 {
					near = g.chunks[g.find(at)]
				}
				strays[i] = !l.join(g, near, at, after)
			}
			for i, at := range batch {
				add(at, strays[i])
			}
			for _, c := range g.chunks {
				for i := range c.entries {
					if x := &c.entries[i]; random.IntN(200) == 0 {
						x.gone, c.content = true, true
						add(bound{random.Int64N(10_000), x.rid}, true)
					}
				}
			}
			g.arrange(newID)
			g = stored(t, g)
			if random.IntN(8) == 0 {
				checkLine(t, g, where)
			}
		}
	}
}

// stored returns a group as it is read again.
func stored(t *testing.T, g *group) *group {
	again, err := decodeGroup(g.name, string(g.encode()))
	require.NoError(t, err)
	require.Equal(t, g.encode(), again.encode())
	for i, c := range again.chunks {
		c.entries, err = decodeHead(string(encodeHead(g.chunks[i].entries)), 0, nil)
		require.NoError(t, err)
		c.loaded, c.body = true, make([]byte, 2*len(c.entries))
	}
	return again
}

func checkLine(t *testing.T, g *group, where map[string]bound) {
	count := 0
	var last *entry
	for _, c := range g.chunks {
		require.Equal(t, len(c.lineOf()) > 0, c.keyed)
		for i := range c.entries {
			x := &c.entries[i]
			count++
			require.Equal(t, where[x.rid], x.bound())
			require.False(t, g.isNew(x.rid))
			if x.stray {
				continue
			}
			if last != nil {
				require.Negative(t, compareKeys(last.rid, x.rid))
				require.Negative(t, compareBounds(last.bound(), x.bound()))
			}
			last = x
			require.Same(t, c, g.inLine(x.rid))
			index, found := c.findInLine(x.rid)
			require.True(t, found)
			require.Equal(t, i, index)
		}
	}
	require.Equal(t, len(where), count)
}

// TestNeighbours: who joins the line where what is near is in other chunks.
func TestNeighbours(t *testing.T) {
	made := func(rids ...string) *chunk { // strays begin with a minus
		c := &chunk{}
		for _, rid := range rids {
			var start int64
			stray := rid[0] == '-'
			if stray {
				rid = rid[1:]
			}
			_, err := fmt.Sscan(rid, &start)
			require.NoError(t, err)
			c.entries = append(c.entries, entry{rid: rid, start: start, stray: stray})
		}
		c.settle(0)
		return c
	}
	strays := &group{chunks: []*chunk{made("-100"), made("-200")}}
	mixed := &group{chunks: []*chunk{made("100", "-150"), made("-200"), made("-300", "310", "400")}}
	type step struct {
		g     *group
		chunk int
		start int64
		rid   string
		after bool
		want  bool
	}
	for name, steps := range map[string][]step{
		"one that joined is before the next chunk":   {{strays, 0, 110, "500", true, true}, {strays, 1, 210, "400", false, false}, {strays, 1, 220, "600", true, true}},
		"nothing is known of another group":          {{mixed, 0, 110, "110", false, true}, {strays, 0, 110, "105", false, true}},
		"the greatest key, after a chunk of strays":  {{mixed, 1, 210, "305", true, true}},
		"another key, after a chunk of strays":       {{mixed, 1, 210, "205", false, false}},
		"a greater key than that of a later chunk":   {{mixed, 1, 210, "315", true, false}},
		"before all of a chunk, with what is before": {{mixed, 2, 305, "305", false, false}},
		"between two of a chunk":                     {{mixed, 2, 320, "320", false, true}, {mixed, 2, 330, "315", false, false}, {mixed, 2, 340, "399", false, true}, {mixed, 2, 410, "399", false, false}},
		"before the first of all":                    {{mixed, 0, 50, "50", false, true}, {mixed, 0, 60, "99", false, true}, {mixed, 0, 70, "101", false, false}},
		"the end":                                    {{mixed, 2, 500, "500", true, true}, {mixed, 2, 510, "499", false, false}},
	} {
		var l line
		for i, s := range steps {
			require.Equal(t, s.want, l.join(s.g, s.g.chunks[s.chunk], bound{s.start, s.rid}, s.after), "%s, %d", name, i)
		}
	}
	var l line
	empty := &group{}
	require.True(t, l.join(empty, nil, bound{1, "5"}, true))
	require.True(t, l.join(empty, nil, bound{2, "6"}, true))
	require.False(t, l.join(empty, nil, bound{3, "4"}, false))
}
