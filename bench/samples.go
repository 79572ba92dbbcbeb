package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// writers is how many connections write at once.
const writers = 16

// samples measures dense series: days of heart rate, committed a day at a time,
// one after the other and by several connections at once.
func samples(ctx context.Context, b *bench) error {
	for _, mode := range []sqlitestore.Synchronous{sqlitestore.SynchronousFull, sqlitestore.SynchronousNormal} {
		topic := "Dense samples, synchronous=" + string(mode)
		for _, rhythm := range []struct {
			name       string
			irregular  bool
			write      float64 // floors
			disk       float64
			days, each int // of one connection alone, and of each of several
		}{{"1 Hz", false, 40, 0.6, 60, 4}, {"1-10 s steps", true, 20, 1.6, 365, 12}} {
			best := lap{}
			var perSample float64
			var days []health.Record
			var lists [][]health.Record
			for round := range b.rounds {
				days = sampleDays(uint64(round+1), "c", rhythm.days, rhythm.irregular)
				lists = make([][]health.Record, writers)
				for c := range lists {
					lists[c] = sampleDays(uint64(round*writers+c), connectionName(c), rhythm.each, rhythm.irregular)
				}
				var err error
				if perSample, err = samplesRound(ctx, filepath.Join(b.dir, fmt.Sprint(mode, rhythm.name, round)), mode, days, lists, best); err != nil {
					return err
				}
			}
			rate := func(name string, lists ...[]health.Record) float64 {
				return float64(points(lists...)) / best[name].Seconds() / 1e6
			}
			one, many := rate("one", days), rate("many", lists...)
			codec, codecs := rate("codec", days), rate("codecs", lists...)
			add := func(name string, measured, anchor, floor float64, note string) {
				b.Add(Row{Topic: topic, Name: rhythm.name + ": " + name, Unit: "M samples/s", Measured: measured, Anchor: anchor, Floor: floor, Note: note})
			}
			// The floors stand where commits share fsyncs, or need none.
			write, half, writeOne, halfOne := rhythm.write, 0.5, 0.0, 0.0
			if mode == sqlitestore.SynchronousNormal {
				write, half, writeOne, halfOne = writeOne, halfOne, write, half
			}
			add("day batches, 16 connections at once", many, 0, write, "one commit per day of samples")
			add("day batches, 16 connections at once, against the codec alone", many, codec, half, "AppendPoints and zstd on one core")
			add("day batches, 16 connections at once, against the codec alone on all cores", many, codecs, 0, "")
			add("day batches, one after the other", one, 0, writeOne, "")
			add("day batches, one after the other, against the codec alone", one, codec, halfOne, "")
			add("day batches again, unchanged", rate("again", days), 0, 0, "one after the other")
			add("read", rate("read", days), 0, 100, "all days of one connection, paged")
			b.Add(Row{Topic: topic, Name: rhythm.name + ": file", Unit: "B/sample", Measured: perSample, Floor: rhythm.disk, Most: true})
		}
		if err := pushes(ctx, b, mode, topic); err != nil {
			return err
		}
		b.Note(topic, "A commit is a day of samples of one connection, or a push of five minutes. With full each commit waits for an fsync, which those of\n"+
			"connections that write at once share; the floors of writing stand on their rows. One after the other, a day waits for an fsync of its\n"+
			"own; the floors of writing days stand on these rows too, with normal, where no commit waits. The codec alone packs the same days in\n"+
			"chunks of an hour (1 Hz) or six and drops them. Encoding of records is in all times: a series has next to none beside its points.")
	}
	return nil
}

// sampleDays makes records of a day of samples each.
func sampleDays(seed uint64, connection string, n int, irregular bool) []health.Record {
	g := newGenerator(seed)
	days := make([]health.Record, n)
	for i := range days {
		days[i] = sampleDay(connection, g.series(sampleStart.AddDate(0, 0, i), irregular))
	}
	return days
}

// points counts samples.
func points(lists ...[]health.Record) int {
	n := 0
	for _, list := range lists {
		for i := range list {
			n += list[i].Series[0].Len()
		}
	}
	return n
}

var sampleStart = time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)

// sampleDay is the record that brings a series.
func sampleDay(connection string, s health.Series) health.Record {
	start, end := time.UnixMilli(s.From).UTC(), time.UnixMilli(s.To).UTC()
	r := health.Record{
		Connection: connection, Kind: health.KindSamples, Key: "intraday/" + start.Format("2006-01-02T15:04"),
		Span:   health.Span{Start: health.At(start), End: health.At(end), Day: health.DayOf(start), Zone: health.ZoneFromRecord},
		Source: health.Source{Provider: "withings", Path: health.PathDirect, Device: "ScanWatch 2"},
		Rev:    health.Rev{Order: s.To, Mapping: 1},
		Method: health.MethodSensed, Series: []health.Series{s},
	}
	r.Normalize()
	return r
}

func samplesRound(ctx context.Context, dir string, mode sqlitestore.Synchronous, days []health.Record, lists [][]health.Record, best lap) (float64, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := best.time("codec", func() error { return codecAlone(days) }); err != nil {
		return 0, err
	}
	all, cores := slices.Concat(lists...), runtime.GOMAXPROCS(0)
	shares := slices.Collect(slices.Chunk(all, (len(all)+cores-1)/cores))
	if err := best.time("codecs", func() error { return atOnce(shares, codecAlone) }); err != nil {
		return 0, err
	}
	o := &sqlitestore.Options{Synchronous: mode}
	s, err := sqlitestore.Open(ctx, filepath.Join(dir, "many.db"), o)
	if err != nil {
		return 0, err
	}
	if err := best.time("many", func() error {
		return atOnce(lists, func(list []health.Record) error { return commitEach(ctx, s, "user", list, inserted) })
	}); err != nil {
		return 0, err
	}
	if err := s.Close(); err != nil {
		return 0, err
	}
	path := filepath.Join(dir, "store.db")
	if s, err = sqlitestore.Open(ctx, path, o); err != nil {
		return 0, err
	}
	if err := best.time("one", func() error { return commitEach(ctx, s, "user", days, inserted) }); err != nil {
		return 0, err
	}
	if err := best.time("again", func() error { return commitEach(ctx, s, "user", days, unchanged) }); err != nil {
		return 0, err
	}
	got := 0
	if err := best.time("read", func() error {
		q := store.SampleQuery{User: "user", Metric: health.MetricHeartRate, From: math.MinInt64, To: math.MaxInt64}
		for {
			page, err := s.Samples(ctx, q)
			if err != nil {
				return err
			}
			for _, run := range page.Runs {
				got += run.Series.Len()
			}
			if page.Next == "" {
				return nil
			}
			q.After = page.Next
		}
	}); err != nil {
		return 0, err
	}
	if got != points(days) {
		return 0, fmt.Errorf("read %d samples of %d", got, points(days))
	}
	if err := s.Close(); err != nil {
		return 0, err
	}
	size, err := fileSize(path)
	if err != nil {
		return 0, err
	}
	empty, err := emptySize(ctx, filepath.Join(dir, "empty.db"))
	return float64(size-empty) / float64(points(days)), err
}

// emptySize is the size of a store without data.
func emptySize(ctx context.Context, path string) (int64, error) {
	s, err := sqlitestore.Open(ctx, path, nil)
	if err != nil {
		return 0, err
	}
	if err := s.Close(); err != nil {
		return 0, err
	}
	return fileSize(path)
}

// codecAlone packs the days into chunks of an hour, or six for irregular ones,
// and drops them.
func codecAlone(days []health.Record) error {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false),
		zstd.WithSingleSegment(true), zstd.WithAllLitEntropyCompression(true), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	var packed, out []byte
	for i := range days {
		s := &days[i].Series[0]
		width := int64(time.Hour / time.Millisecond)
		if s.Len() < 80_000 {
			width *= 6
		}
		for from := s.From; from < s.To; from += width {
			part := s.Slice(from, from+width)
			packed = health.AppendPoints(packed[:0], &part)
			out = enc.EncodeAll(packed, out[:0])
		}
	}
	if len(out) == 0 {
		return errors.New("nothing was packed")
	}
	return enc.Close()
}

// pushes measures five-minute pushes of 1 Hz, from several connections at once
// and from one.
func pushes(ctx context.Context, b *bench, mode sqlitestore.Synchronous, topic string) error {
	const perDay = 24 * 12
	best := lap{}
	var lists [][]health.Record
	for round := range b.rounds {
		s, err := sqlitestore.Open(ctx, filepath.Join(b.dir, fmt.Sprint("push", mode, round, ".db")), &sqlitestore.Options{Synchronous: mode})
		if err != nil {
			return err
		}
		lists = make([][]health.Record, writers+1)
		for c := range lists {
			day := newGenerator(uint64(round*100+c)).series(sampleStart, false)
			for i := range int64(perDay) {
				lists[c] = append(lists[c], sampleDay(connectionName(c), day.Slice(day.From+i*300_000, day.From+(i+1)*300_000)))
			}
		}
		push := func(list []health.Record) error { return commitEach(ctx, s, "user", list, inserted) }
		if err := best.time("one", func() error { return push(lists[writers]) }); err != nil {
			return err
		}
		if err := best.time("many", func() error { return atOnce(lists[:writers], push) }); err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	b.Add(Row{Topic: topic, Name: "1 Hz: pushes of 5 minutes, 16 connections at once", Unit: "M samples/s",
		Measured: float64(points(lists[:writers]...)) / best["many"].Seconds() / 1e6, Floor: 3, Note: "each push is a commit that merges 300 points into a chunk"})
	b.Add(Row{Topic: topic, Name: "1 Hz: pushes of 5 minutes, one after the other", Unit: "M samples/s",
		Measured: float64(points(lists[writers])) / best["one"].Seconds() / 1e6})
	return nil
}
