package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	healthsync "github.com/vitalmux/vitalmux/sync"
)

// backfill reads everybody's history at the same time, and shows how far it is:
// as a bar on a terminal, else as lines.
func backfill(ctx context.Context, engine *healthsync.Engine, people []person, days int, out io.Writer) error {
	fmt.Fprintf(out, "Backfill of %d days for %d people\n", days, len(people))
	began := time.Now()
	since := began.AddDate(0, 0, -days)
	group, working := errgroup.WithContext(ctx)
	finished := make(chan error, 1)
	for _, p := range people {
		group.Go(func() error {
			report, err := patiently(working, func() (healthsync.Report, error) {
				return engine.Backfill(working, p.conn.ID, since)
			})
			if err != nil {
				return fmt.Errorf("backfill %s: %w", p.name, err)
			}
			for _, s := range report.Streams {
				if s.Skipped {
					return fmt.Errorf("backfill %s: stream %s is not permitted", p.name, s.Stream)
				}
			}
			return nil
		})
	}
	go func() { finished <- group.Wait() }()

	bar := newBar(out)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-finished:
			if err != nil {
				bar.end()
				return err
			}
			done, total, err := progressOf(ctx, engine, people)
			if err != nil {
				return err
			}
			bar.show(done, total, 0)
			bar.end()
			fmt.Fprintf(out, "  done in %v\n", time.Since(began).Round(time.Millisecond))
			return nil
		case <-tick.C:
			done, total, err := progressOf(ctx, engine, people)
			if err != nil && ctx.Err() == nil {
				return errors.Join(err, <-finished)
			}
			var left time.Duration
			if done > 0 {
				left = time.Since(began) / time.Duration(done) * time.Duration(total-done)
			}
			bar.show(done, total, left)
		}
	}
}

// progressOf adds up the windows of all people.
func progressOf(ctx context.Context, engine *healthsync.Engine, people []person) (done, total int, err error) {
	for _, p := range people {
		streams, err := engine.Progress(ctx, p.conn.ID)
		if err != nil {
			return 0, 0, err
		}
		for _, s := range streams {
			done, total = done+s.Done, total+s.Total
		}
	}
	return done, total, nil
}

// bar shows progress.
type bar struct {
	out      io.Writer
	terminal bool
	width    int
	quarter  int // of the last line that was printed
}

func newBar(out io.Writer) *bar {
	b := &bar{out: out, width: 80, quarter: -1}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b.terminal = true
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			b.width = w
		}
	}
	return b
}

func (b *bar) show(done, total int, left time.Duration) {
	if total == 0 {
		return
	}
	if !b.terminal {
		if q := done * 4 / total; q > b.quarter {
			b.quarter = q
			fmt.Fprintf(b.out, "  %3d %% (%d of %d windows)\n", done*100/total, done, total)
		}
		return
	}
	text := fmt.Sprintf(" %3d %%  %d of %d windows", done*100/total, done, total)
	if left >= time.Second {
		text += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	room := min(40, max(10, b.width-len(text)-12))
	full := room * done / total
	fmt.Fprintf(b.out, "\r  %s%s%s\x1b[K", strings.Repeat("█", full), strings.Repeat("░", room-full), text)
}

func (b *bar) end() {
	if b.terminal {
		fmt.Fprintln(b.out)
	}
}
