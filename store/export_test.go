package store_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// now is the present of the tests.
var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// weight returns a record of n kilograms on the nth of November.
func weight(connection string, n int) health.Record {
	at := time.Date(2026, 11, n, 7, 0, 0, 0, time.UTC)
	return health.Record{
		Connection: connection, Kind: health.KindBody, Key: fmt.Sprintf("body/%d", n),
		Span:   health.Span{Start: health.At(at), Day: health.DayOf(at)},
		Rev:    health.Rev{Order: int64(n)},
		Values: []health.Value{{Metric: "body_weight", Number: health.Int(int64(n))}},
	}
}

func fill(t *testing.T, s store.Store, user, connection string) {
	ctx := t.Context()
	_, err := s.PutConnection(ctx, store.Connection{ID: connection, User: user, Provider: "test", CreatedAt: now})
	require.NoError(t, err)
	require.NoError(t, s.PutGrant(ctx, "", store.Credential{Connection: connection, Grant: "g", Sealed: []byte("canary")}))
	page := store.Page{Stream: "body", Raw: &health.RawPage{Date: now, Bodies: []health.RawBody{{Name: "list", Body: []byte("<raw>")}}}}
	for n := 1; n <= 5; n++ {
		page.Records = append(page.Records, weight(connection, n))
	}
	gone := weight(connection, 6)
	gone.State, gone.Values = health.StateDeleted, nil
	page.Records = append(page.Records, gone)
	page.Quarantined = []store.Quarantined{{Key: "body/9", Reason: "bad number", Raw: []byte("x")}}
	series := weight(connection, 7)
	series.Kind, series.Key = health.KindSamples, "body/samples"
	series.Series = []health.Series{{Metric: "heart_rate", From: 1e12, To: 11e11}}
	for i := range int64(1000) {
		series.Series[0].Times = append(series.Series[0].Times, 1e12+i*60_000)
		series.Series[0].Values = append(series.Series[0].Values, i)
	}
	page.Records = append(page.Records, series)
	_, err = s.Commit(ctx, store.Batch{
		User: user, Connection: connection, Unfenced: true, Now: now, Cause: store.CauseLive, Pages: []store.Page{page},
		Covered: []store.Covered{
			{Stream: "body", Window: health.Window{First: health.Day{Year: 2026, Month: 11, Dom: 1}, Last: health.Day{Year: 2026, Month: 11, Dom: 7}}},
			{Stream: "body", Window: health.Window{From: now.Add(-time.Hour), To: now}},
		},
	})
	require.NoError(t, err)
}

func TestExport(t *testing.T) {
	s := store.NewMemory()
	fill(t, s, "ann", "a1")
	fill(t, s, "ann", "a2")
	fill(t, s, "bob", "b1")
	require.NoError(t, s.DeleteConnection(t.Context(), "a2", false)) // its data is still the user's

	var out bytes.Buffer
	got, err := store.Export(t.Context(), s, store.ExportRequest{User: "ann", Raw: true}, &out)
	require.NoError(t, err)
	require.NotContains(t, out.String(), "canary")
	require.NotContains(t, out.String(), `"b1"`)

	var (
		types   []string
		counts  store.Manifest
		records []health.Record
	)
	digest := sha256.New()
	parts, kinds := make(map[string]string), make(map[health.Kind]string)
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		var line struct {
			Type     string
			Header   struct{ Format, User string }
			Coverage struct{ Windows []any }
			Record   health.Record
			Samples  struct {
				Record string
				Series health.Series
			}
			Raw      struct{ Bodies []struct{ Body []byte } }
			Manifest store.Manifest
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line), "%s", lines.Text())
		if n := len(types); n == 0 || types[n-1] != line.Type {
			types = append(types, line.Type)
		}
		switch line.Type {
		case "header":
			require.Equal(t, "vitalmux-export ann", line.Header.Format+" "+line.Header.User)
		case "connection":
			counts.Connections++
		case "coverage":
			counts.Windows += len(line.Coverage.Windows)
		case "record":
			counts.Records++
			records = append(records, line.Record)
		case "samples":
			counts.Samples += line.Samples.Series.Len()
		case "raw":
			counts.RawPages++
			require.Equal(t, "<raw>", string(line.Raw.Bodies[0].Body))
		case "quarantine":
			counts.Quarantined++
		case "manifest":
			require.Equal(t, got, line.Manifest)
			require.Equal(t, hex.EncodeToString(digest.Sum(nil)), line.Manifest.SHA256)
			require.False(t, lines.Scan(), "the manifest is not the last line")
		}
		if line.Type != "manifest" {
			parts[line.Type] += lines.Text() + "\n"
		}
		if line.Type == "record" {
			kinds[line.Record.Kind] += lines.Text() + "\n"
		}
		digest.Write(lines.Bytes())
		digest.Write([]byte{'\n'})
	}
	require.Equal(t, []string{"header", "connection", "record", "coverage", "samples", "raw", "quarantine", "manifest"}, types)
	counts.Format, counts.Version, counts.User, counts.SHA256 = got.Format, got.Version, "ann", got.SHA256
	counts.Parts, counts.Kinds = make(map[string]store.Part), make(map[health.Kind]store.Part)
	for kind, lines := range parts {
		counts.Parts[kind] = store.Part{Lines: strings.Count(lines, "\n"), SHA256: digestOf(lines)}
	}
	for kind, lines := range kinds {
		counts.Kinds[kind] = store.Part{Lines: strings.Count(lines, "\n"), SHA256: digestOf(lines)}
	}
	require.Equal(t, counts, got)
	require.Equal(t, store.Manifest{
		Format: "vitalmux-export", Version: 1, User: "ann", SHA256: got.SHA256,
		Connections: 1, Windows: 4, Records: 14, Samples: 2000, RawPages: 2, Quarantined: 2,
		Parts: got.Parts, Kinds: got.Kinds,
	}, got)
	require.Equal(t, 12, got.Kinds[health.KindBody].Lines)
	require.Equal(t, 2, got.Kinds[health.KindSamples].Lines)
	stored, err := s.Records(t.Context(), store.RecordQuery{User: "ann", Deleted: true})
	require.NoError(t, err)
	require.Equal(t, stored.Records, records)
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestExportWithoutRaw(t *testing.T) {
	s := store.NewMemory()
	fill(t, s, "ann", "a1")
	var out bytes.Buffer
	got, err := store.Export(t.Context(), s, store.ExportRequest{User: "ann"}, &out)
	require.NoError(t, err)
	require.Zero(t, got.RawPages)
	require.Equal(t, 1, got.Quarantined)
	require.NotContains(t, out.String(), `"raw":`)
	require.Contains(t, out.String(), "bad number")

	_, err = store.Export(t.Context(), s, store.ExportRequest{}, &out)
	require.ErrorIs(t, err, store.ErrInvalid)
}

func TestExportFails(t *testing.T) {
	s := store.NewMemory()
	fill(t, s, "ann", "a1")
	full := errors.New("disk full")
	for limit := range 3 {
		_, err := store.Export(t.Context(), s, store.ExportRequest{User: "ann", Raw: true}, &shortWriter{room: limit * 1000, err: full})
		require.ErrorIs(t, err, full)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := store.Export(ctx, s, store.ExportRequest{User: "ann", Raw: true}, &bytes.Buffer{})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Close())
	_, err = store.Export(t.Context(), s, store.ExportRequest{User: "ann", Raw: true}, &bytes.Buffer{})
	require.ErrorIs(t, err, store.ErrClosed)
}

// TestExportOfEqualPointsIsEqual exports the same points from a store that got
// them all at once, and from one that got them in pieces, some of them at another
// exponent.
func TestExportOfEqualPointsIsEqual(t *testing.T) {
	const n, step, first = 45_000, 20_000, int64(1e12)
	whole := health.Series{Metric: "body_temperature", Exp: -3}
	for i := range int64(n) {
		whole.Times, whole.Values = append(whole.Times, first+i*step), append(whole.Values, 36_000+i%3*500)
	}
	once, pieces := store.NewMemory(), store.NewMemory()
	put := func(s store.Store, key string, series health.Series) {
		series.From, series.To = series.Times[0], series.Times[len(series.Times)-1]+1
		r := weight("a1", 7)
		r.Kind, r.Key, r.Values, r.Series = health.KindSamples, "body/"+key, nil, []health.Series{series}
		_, err := s.Commit(t.Context(), store.Batch{
			User: "ann", Connection: "a1", Unfenced: true, Now: now, Cause: store.CauseLive,
			Pages: []store.Page{{Stream: "body", Records: []health.Record{r}}},
		})
		require.NoError(t, err)
	}
	put(once, "all", whole)
	for at := 0; at < n; at += 9_000 {
		piece := whole
		piece.Times, piece.Values = whole.Times[at:at+9_000], whole.Values[at:at+9_000]
		if at%18_000 == 0 {
			piece.Exp, piece.Values = -1, nil
			for _, v := range whole.Values[at : at+9_000] {
				piece.Values = append(piece.Values, v/100)
			}
		}
		put(pieces, fmt.Sprint(at), piece)
	}
	samples := func(s store.Store) (health.Series, store.Part) {
		var out bytes.Buffer
		m, err := store.Export(t.Context(), s, store.ExportRequest{User: "ann"}, &out)
		require.NoError(t, err)
		require.Equal(t, n, m.Samples)
		require.Equal(t, 3, m.Parts["samples"].Lines)
		all := health.Series{Exp: -1}
		for text := range strings.Lines(out.String()) {
			var line struct {
				Samples struct{ Series health.Series }
			}
			require.NoError(t, json.Unmarshal([]byte(text), &line))
			if s := line.Samples.Series; s.Len() > 0 {
				require.EqualValues(t, -1, s.Exp)
				require.Equal(t, []int64{s.Times[0], s.Times[s.Len()-1] + 1}, []int64{s.From, s.To})
				all.Times, all.Values = append(all.Times, s.Times...), append(all.Values, s.Values...)
			}
		}
		return all, m.Parts["samples"]
	}
	points, want := samples(once)
	require.Equal(t, whole.Times, points.Times)
	for i, v := range points.Values {
		require.Equal(t, whole.Values[i], v*100)
	}
	_, got := samples(pieces)
	require.Equal(t, want, got)
}

// TestExportOfNumbersOfNoCommonExponent exports numbers that 64 bits do not hold
// at one exponent: none of them is rounded, or left out.
func TestExportOfNumbersOfNoCommonExponent(t *testing.T) {
	const day = 24 * 60 * 60 * 1000
	numbers := []health.Decimal{{Coefficient: 9e18, Exponent: 30}, {Coefficient: -9e18, Exponent: 30}, {Coefficient: 1, Exponent: -30}, {}, {Coefficient: -7, Exponent: 2}, {Coefficient: 12, Exponent: -1}}
	s := store.NewMemory()
	page := store.Page{Stream: "body"}
	for i, number := range numbers {
		at := int64(1e12) + int64(i)*day // each in a chunk of its own
		r := weight("a1", i+1)
		r.Kind, r.Values = health.KindSamples, nil
		r.Series = []health.Series{{Metric: "heart_rate", Exp: number.Exponent, From: at, To: at + 1, Times: []int64{at}, Values: []int64{number.Coefficient}}}
		page.Records = append(page.Records, r)
	}
	_, err := s.Commit(t.Context(), store.Batch{User: "ann", Connection: "a1", Unfenced: true, Now: now, Cause: store.CauseLive, Pages: []store.Page{page}})
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = store.Export(t.Context(), s, store.ExportRequest{User: "ann"}, &out)
	require.NoError(t, err)
	var got []health.Decimal
	for text := range strings.Lines(out.String()) {
		var line struct {
			Samples struct{ Series health.Series }
		}
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		require.LessOrEqual(t, int(line.Samples.Series.Exp), health.MaxExponent, "the line is no valid series")
		for i := range line.Samples.Series.Len() {
			got = append(got, line.Samples.Series.Number(i))
		}
	}
	require.Len(t, got, len(numbers))
	for i, number := range numbers {
		require.True(t, number.Equal(got[i]), "number %d", i)
	}
}

// shortWriter fails once it has taken room bytes.
type shortWriter struct {
	room int
	err  error
}

func (w *shortWriter) Write(b []byte) (int, error) {
	if len(b) > w.room {
		return 0, w.err
	}
	w.room -= len(b)
	return len(b), nil
}

func ExampleExport() {
	ctx := context.Background()
	s := store.NewMemory()
	defer s.Close()
	_, err := s.Commit(ctx, store.Batch{
		User: "ann", Connection: "scale", Unfenced: true, Now: now, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: "body", Records: []health.Record{weight("scale", 1), weight("scale", 2)}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var text strings.Builder
	manifest, err := store.Export(ctx, s, store.ExportRequest{User: "ann", Raw: true}, &text)
	if err != nil {
		fmt.Println(err)
		return
	}
	header, _, _ := strings.Cut(text.String(), "\n")
	fmt.Println(header)
	fmt.Println(manifest.Records, "records,", len(strings.Split(text.String(), "\n"))-1, "lines")
	// Output:
	// {"type":"header","header":{"format":"vitalmux-export","version":1,"user":"ann"}}
	// 2 records, 4 lines
}
