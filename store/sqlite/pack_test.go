package sqlite

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
)

func testStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestPackerRoundTrip(t *testing.T) {
	p := testStore(t).packer
	rapid.Check(t, func(t *rapid.T) {
		src := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "bytes")
		if rapid.Bool().Draw(t, "repeated") {
			src = bytes.Repeat(src, 5)
		}
		prefix := []byte("what stands in front")
		for _, pack := range []func(dst, src []byte) []byte{p.small, p.large, p.bulk} {
			packed := pack(bytes.Clone(prefix), src)
			require.True(t, bytes.HasPrefix(packed, prefix))
			packed = packed[len(prefix):]
			require.LessOrEqual(t, len(packed), len(src)+1)
			out, err := p.open(bytes.Clone(prefix), packed)
			require.NoError(t, err)
			require.Equal(t, append(bytes.Clone(prefix), src...), out)
		}
	})
}

func TestPackerRefusesDamage(t *testing.T) {
	p := testStore(t).packer
	rnd := rand.New(rand.NewPCG(1, 1))
	src := bytes.Repeat([]byte("europe/berlin device_model "), 100)
	for _, packed := range [][]byte{p.small(nil, src), p.large(nil, src), p.bulk(nil, src)} {
		for range 2000 {
			damaged := bytes.Clone(packed)
			damaged[rnd.IntN(len(damaged))] ^= byte(1 + rnd.IntN(255))
			out, err := p.open(nil, damaged[:1+rnd.IntN(len(damaged))])
			require.True(t, err != nil || len(out) <= maxUnpacked)
		}
	}
	_, err := p.open(nil, nil)
	require.ErrorIs(t, err, errPacked)
	_, err = p.open(nil, []byte{codecS2Dict, 99, 0})
	require.ErrorContains(t, err, "dictionary 99 is missing")
}

func FuzzUnpack(f *testing.F) {
	p := testStore(f).packer
	for _, src := range []string{"", "device_model Body+", strings.Repeat("steps ", 300)} {
		f.Add(p.small(nil, []byte(src)))
		f.Add(p.large(nil, []byte(src)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		_, _ = p.open(nil, b)
		places, rest, err := readPlaces(nil, b)
		if err != nil {
			return
		}
		w := &words{texts: []string{"Europe/Berlin", "withings"}}
		_, _ = w.paste(nil, rest, places)
		s := &shape{members: [][]byte{[]byte(`"steps":`), []byte(`"distance":`)}}
		_, _ = s.join(nil, b)
	})
}

func TestValuesSplitAndJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &health.Record{}
		for i := range rapid.IntRange(0, 40).Draw(t, "values") {
			r.Values = append(r.Values, health.Value{
				Metric: health.Metric(rapid.StringMatching(`[a-z][a-z0-9_]{0,12}`).Draw(t, "metric")), Stat: health.Stat(i % 4),
				Part:   health.Part(rapid.StringMatching(`([a-z]{1,5})?`).Draw(t, "part")),
				Number: health.Decimal{Coefficient: rapid.Int64().Draw(t, "number"), Exponent: int8(rapid.IntRange(-30, 30).Draw(t, "exponent"))},
			})
		}
		object := health.AppendValues(nil, r)
		names, numbers := splitValues(object, nil, nil)
		s := &shape{}
		for _, name := range strings.FieldsFunc(string(names), func(c rune) bool { return strings.ContainsRune(`[",]`, c) }) {
			s.members = append(s.members, []byte(`"`+name+`":`))
		}
		require.Len(t, s.members, len(r.Values))
		joined, err := s.join(nil, numbers)
		require.NoError(t, err)
		require.Equal(t, string(object), string(joined))
		if len(r.Values) > 0 {
			_, err = (&shape{members: s.members[1:]}).join(nil, numbers)
			require.Error(t, err)
			_, err = (&shape{members: append(s.members, []byte(`"x":`))}).join(nil, numbers)
			require.Error(t, err)
		}
	})
}

func TestWordsCutAndPaste(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[A-Za-z/ ]{0,30}`)
		r := &health.Record{
			Span:   health.Span{Location: text.Draw(t, "location")},
			Source: health.Source{Provider: text.Draw(t, "provider"), Device: text.Draw(t, "device"), App: text.Draw(t, "app")},
			Texts:  []health.Text{{Name: "notes", Value: text.Draw(t, "notes")}},
		}
		if rapid.Bool().Draw(t, "the same twice") {
			r.Source.App, r.Texts[0].Value = r.Source.Device, r.Source.Provider
		}
		rest := health.AppendRest(nil, r)
		w, added := (&words{}).with([]rowWrite{{rec: r}})
		if rapid.Bool().Draw(t, "some only") && len(added) > 1 {
			delete(w.ids, added[0])
		}
		count, head, kept := w.cut(r, rest, nil, nil)
		places, body, err := readPlaces(nil, append(append([]byte{byte(count)}, head...), kept...))
		require.NoError(t, err)
		require.Equal(t, string(kept), string(body))
		out, err := w.paste(nil, kept, places)
		require.NoError(t, err)
		require.Equal(t, rest, out)
	})
}

func TestWordsAreBounded(t *testing.T) {
	var rows []rowWrite
	for i := range 2 * maxWords {
		r := &health.Record{Source: health.Source{Device: "device " + string(rune('a'+i%26)) + strings.Repeat("x", i/26)}}
		rows = append(rows, rowWrite{rec: r})
	}
	w, added := (&words{}).with(rows)
	require.Len(t, w.texts, maxWords)
	require.Len(t, added, maxWords)
	again, added := w.with(rows)
	require.Same(t, w, again)
	require.Empty(t, added)
}

// TestManyShapes commits records with more lists of names than are kept apart.
func TestManyShapes(t *testing.T) {
	s := testStore(t)
	s.vocabulary.shapes = make([]*shape, maxShapes+1) // as if so many were known
	rows := []rowWrite{{item: &item{values: []byte(`{"steps":1}`), rest: []byte{1, 0, 0, 0, 0, 0, 0, 0}}, rec: &health.Record{}}}
	p := &plan{s: s, rows: rows, load: &load{arena: &arena{}}}
	require.NoError(t, p.pack(false))
	require.Equal(t, int64(0), p.rows[0].shape)
	require.Equal(t, `{"steps":1}`, string(p.rows[0].values))
}

func TestDictionariesAreInTheFile(t *testing.T) {
	s := testStore(t)
	require.NoError(t, s.read(t.Context(), func(c *conn) error {
		n := 0
		err := c.each(t.Context(), func(r row) error {
			n++
			require.LessOrEqual(t, len(r.blob(1)), 64<<10)
			return nil
		}, "SELECT id, data FROM dict")
		require.Equal(t, 2, n)
		return err
	}))
}

func TestMigrationsAreNumbered(t *testing.T) {
	steps, err := migrations(schemaFiles)
	require.NoError(t, err)
	require.NotEmpty(t, steps)
	for _, files := range []fstest.MapFS{
		{"schema/0001_a.sql": {}, "schema/0003_b.sql": {}},
		{"schema/one_a.sql": {}},
	} {
		_, err := migrations(files)
		require.Error(t, err)
	}
}

func TestParseLibrary(t *testing.T) {
	require.Equal(t, minLibrary, parseLibrary("3.51.3"))
	require.Greater(t, parseLibrary("3.54.1"), minLibrary)
	require.Less(t, parseLibrary("3.40.1"), minLibrary)
	for _, text := range []string{"", "3", "3.51", "a.b.c"} {
		require.Zero(t, parseLibrary(text))
	}
}

func TestWindow(t *testing.T) {
	for _, c := range []struct{ t, width, want int64 }{{0, hour, 0}, {hour - 1, hour, 0}, {hour, hour, 1}, {-1, hour, -1}, {-hour, hour, -1}, {-hour - 1, hour, -2}} {
		require.Equal(t, c.want, window(c.t, c.width), "%d", c.t)
		id := chunkID(77, c.want)
		require.Equal(t, c.want, chunkWindow(id))
		require.Equal(t, int64(77), id>>32)
	}
}

func TestWidths(t *testing.T) {
	for step, want := range map[int64]int64{1000: hour, 5000: 6 * hour, 15_000: 6 * hour, minute: day, 5 * minute: 7 * day, 500: 15 * minute, day: 7 * day} {
		require.Equal(t, want, widthFor(step), "%d", step)
	}
	require.Equal(t, int64(1000), rhythm([]int64{0, 1000, 2000, 900_000, 901_000, 902_000}))
}
