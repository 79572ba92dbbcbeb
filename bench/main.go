package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"runtime/pprof"
)

const batchSize = 1000

// topic is one table of the report.
type topic struct {
	name string
	long bool // only with -long
	run  func(context.Context, *bench) error
}

// bench is what topics work with.
type bench struct {
	*Report
	rounds int
	dir    string // for files; emptied between topics
}

func topics() []topic {
	return []topic{
		{"records 400 B", false, func(ctx context.Context, b *bench) error { return records(ctx, b, measurements) }},
		{"records 4 kB", false, func(ctx context.Context, b *bench) error { return records(ctx, b, runs) }},
		{"records 400 B packed", false, func(ctx context.Context, b *bench) error { return records(ctx, b, compositions) }},
		{"records 4 kB packed", false, func(ctx context.Context, b *bench) error { return records(ctx, b, longRuns) }},
		{"single commits", false, singleCommits},
		{"samples", false, samples},
		{"withings page", false, normalise},
		{"oauth1 signature", false, signing},
		{"fitbit heart rate", false, heartRate},
		{"terra daily", false, daily},
		{"terra webhook", false, webhooks},
		{"redis 400 B", false, func(ctx context.Context, b *bench) error { return redisRecords(ctx, b, measurements, 200, 0.35) }},
		{"redis 4 kB", false, func(ctx context.Context, b *bench) error { return redisRecords(ctx, b, runs, 950, 0) }},
		{"redis fencing", false, redisFencing},
		{"redis cluster", false, redisCluster},
		{"million records", false, million},
		{"ten million rows", true, tenMillion},
	}
}

func main() {
	log.SetFlags(0)
	// The records of a round are all in memory, which those of a service are
	// not; marking them again and again is no part of what is measured.
	debug.SetGCPercent(400)
	var (
		out     = flag.String("out", "REPORT.md", "file for the report, of which -only replaces the topics that it runs; empty writes none")
		rounds  = flag.Int("rounds", 5, "rounds of each measurement")
		long    = flag.Bool("long", false, "with the measurements that take long")
		only    = flag.String("only", "", "regular expression of the topics to run")
		dir     = flag.String("dir", "", "folder for the databases; default is that for temporary files")
		profile = flag.String("cpuprofile", "", "file for a CPU profile")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *rounds, *long, *only, *dir, *profile); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out string, rounds int, long bool, only, dir, profile string) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	report := &Report{}
	for _, t := range topics() {
		if t.long && !long || !pattern.MatchString(t.name) {
			continue
		}
		work, err := os.MkdirTemp(dir, "vitalmux-bench-")
		if err != nil {
			return err
		}
		err = t.run(ctx, &bench{report, rounds, work})
		if remove := os.RemoveAll(work); err == nil {
			err = remove
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	if out == "" {
		return nil
	}
	text := report.Markdown(rounds)
	if only != "" {
		switch earlier, err := os.ReadFile(out); {
		case err == nil:
			text = report.Update(earlier, rounds)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return os.WriteFile(out, text, 0o644)
}
