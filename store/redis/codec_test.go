package redis

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func testPacker(t testing.TB) *packer {
	t.Helper()
	p, err := newPacker()
	require.NoError(t, err)
	t.Cleanup(p.close)
	return p
}

func TestPackerRoundTrip(t *testing.T) {
	p := testPacker(t)
	rapid.Check(t, func(t *rapid.T) {
		src := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "bytes")
		if rapid.Bool().Draw(t, "repeated") {
			src = []byte(strings.Repeat(string(src), 5))
		}
		for _, pack := range []func([]byte) []byte{p.quick, p.tight} {
			packed := pack(src)
			require.LessOrEqual(t, len(packed), len(src)+1)
			out, err := p.open(string(packed))
			require.NoError(t, err)
			require.Equal(t, append([]byte{}, src...), append([]byte{}, out...))
		}
	})
}

func someEntries(n int) []entry {
	var list []entry
	for i := range n {
		list = append(list, entry{
			rid: fmt.Sprint(1000 + 7*i), start: int64(i) * 60_000, day: int64(i % 3 * 1_020_000), deleted: i%5 == 0, plain: i%5 != 0, stray: i%6 == 0,
			rev:    health.Rev{Order: int64(i*i) - 50, Mapping: uint16(i % 4 * 20_000), Push: i%2 == 0, Absent: i%7 == 0, Fingerprint: uint64(i) << 40},
			values: i, rest: 2 * i,
		})
	}
	return list
}

func TestHeadRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 2, 200} {
		want := someEntries(n)
		at := 0
		for i := range want {
			want[i].at = at
			at += want[i].values + want[i].rest
		}
		got, err := decodeHead(string(encodeHead(want)), 0, nil)
		require.NoError(t, err)
		require.Equal(t, append([]entry{}, want...), got)
	}
}

func TestBlockRoundTrip(t *testing.T) {
	p := testPacker(t)
	want := block{last: 1 << 50, connection: "c", at: time.UnixMilli(1e12).UTC()}
	for i := range 50 {
		want.changes = append(want.changes, told{
			kind: health.KindBody, key: fmt.Sprint("stream/", i), day: health.Day{Year: int16(1 + i*100), Month: 2, Dom: 28}, cause: store.CauseLive, deleted: i%9 == 0,
		})
	}
	want.changes[7].day = health.Day{}
	got, err := decodeBlock(p, string(want.encode(p)))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestGroupFind compares finding chunks with looking at all of them.
func TestGroupFind(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	g := &group{}
	var all []entry
	for i := range 3000 {
		x := entry{rid: fmt.Sprint(i), start: random.Int64N(500), values: 1, rest: 1, fresh: []byte("ab")}
		if len(g.chunks) == 0 {
			g.chunks = []*chunk{{from: x.bound(), loaded: true, body: []byte{}}}
		}
		c := g.chunks[g.find(x.bound())]
		c.added, c.content = append(c.added, x), true
		all = append(all, x)
		if random.IntN(20) == 0 {
			next := int64(len(all) * 10)
			g.arrange(func() int64 { next++; return next })
			again, err := decodeGroup(g.name, string(g.encode()))
			require.NoError(t, err)
			for i, c := range again.chunks {
				want := g.chunks[i]
				require.Equal(t, []any{want.id, want.from, want.min, want.max, want.key, want.keyed, want.size},
					[]any{c.id, c.from, c.min, c.max, c.key, c.keyed, c.size})
				require.LessOrEqual(t, len(g.chunks[i].entries), chunkMost)
			}
		}
	}
	g.arrange(func() int64 { return 1 })
	for i := range all {
		c := g.chunks[g.find(all[i].bound())]
		v := version{}
		require.True(t, v.foundIn(c, all[i].bound()), all[i].rid)
	}
	count := 0
	first, end := g.covers(100, 200)
	for i, c := range g.chunks {
		for j := range c.entries {
			if at := c.entries[j].start; 100 <= at && at < 200 {
				require.True(t, first <= i && i < end)
			}
			count++
		}
	}
	require.Equal(t, len(all), count)
}

func TestRefusesNames(t *testing.T) {
	require.ErrorIs(t, checkSchema("2", "k"), store.ErrSchema)
	require.ErrorIs(t, checkSchema("", "k"), ErrForeign)
	require.Equal(t, 702, versionNumber("7.2.4"))
	require.Equal(t, 0, versionNumber("x"))
	for _, p := range []store.Position{"", ".", "a", "a.1", "YQ.0", "YQ.x", ".1"} {
		_, _, err := parsePosition(p)
		require.ErrorIs(t, err, store.ErrInvalid, p)
	}
}

// FuzzDecode reads arbitrary bytes as each kind of stored value.
func FuzzDecode(f *testing.F) {
	p := testPacker(f)
	walk := store.Cursor{HighWater: "h", Walk: &store.Walk{Query: "q", PageToken: "t", StartedAt: time.UnixMilli(5)}}
	f.Add(encodeHead(someEntries(20)))
	f.Add((&group{number: 3, first: "a", last: "z", chunks: []*chunk{
		{id: 1, from: bound{5, "r"}, min: 3, max: 4}, {id: 3, from: bound{6, "s"}, key: "s", keyed: true}, {id: 2, from: bound{9, "a"}, key: "t", keyed: true},
	}}).encode())
	f.Add((&block{last: 9, connection: "c", changes: []told{{kind: health.KindBody, key: "s/k"}}}).encode(p))
	f.Add(encodeConnection(&store.Connection{User: "u", Provider: "p", Scopes: []string{"a"}}))
	f.Add(encodeCredential(&store.Credential{Grant: "g", Siblings: []store.Sibling{{Sealed: []byte("s")}}, Attempt: &store.Attempt{ID: "a"}}))
	f.Add(encodeCursor(&walk))
	f.Add(encodeItem(&item{InboxItem: store.InboxItem{Connection: "c"}, size: 3}))
	f.Add(encodeWindows([]health.Window{{From: time.UnixMilli(1), To: time.UnixMilli(2)}}))
	f.Add((&waiting{endpoint: "e", size: 2}).encode())
	f.Add((&rawMeta{number: 1, stream: "s"}).encode())
	key := sampleKey{owner: store.Owner{Connection: "c", Metric: "steps"}}
	f.Add([]byte(key.field()))
	f.Add((&sampleOwner{list: []*sampleChunk{{id: 4, from: 9}}}).encode())
	f.Add(p.quick([]byte(strings.Repeat("packed", 50))))
	f.Add(p.tight([]byte(strings.Repeat("packed", 50))))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		text := string(b)
		if entries, err := decodeHead(text, 0, nil); err == nil {
			again, err := decodeHead(string(encodeHead(entries)), 0, nil)
			require.NoError(t, err)
			require.Equal(t, entries, again)
		}
		if g, err := decodeGroup(groupName{}, text); err == nil {
			again, err := decodeGroup(groupName{}, string(g.encode()))
			require.NoError(t, err)
			require.Equal(t, g.encode(), again.encode())
		}
		_, _ = decodeBlock(p, text)
		_, _ = decodeConnection("c", text)
		_, _ = decodeCredential("c", text)
		_ = decodeCursor(&store.Cursor{}, text)
		_, _ = decodeItem("i", text)
		_, _ = decodeWindows(text)
		_, _ = decodeWaiting(text)
		_, _ = (&waiting{}).delivery("d", text)
		_, _ = decodeRawMeta(text)
		_, _ = decodeJob("j", text, text)
		_, _ = parseOwner(text)
		_, _ = parseGroup(text)
		_, _ = decodeOwner(sampleKey{}, "", text)
		_, _ = decodeStart(text)
		_, _, _ = parsePosition(store.Position(text))
		_, _ = p.open(text)
	})
}
