// Command sabotage puts faults into copies of the code, one at a time, and
// demands that the test which is there for it fails.
//
//	go run ./internal/sabotage [-only REGEXP] [-list] [-v]
//
// A fault is a row of the table in table.go: a text that must occur exactly
// once in a file, and what stands there instead. The copy is built by means of
// an overlay, so that the working tree is not touched; processes that a test
// builds and starts have the fault as well. Without the fault the test must
// pass.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/vitalmux/vitalmux/internal/proof"
)

func main() {
	only := flag.String("only", "", "run the rows whose name matches `regexp`")
	list := flag.Bool("list", false, "list the rows and run nothing")
	verbose := flag.Bool("v", false, "show the output of the tests")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := sabotage(ctx, os.Stdout, *only, *list, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "sabotage:", err)
		os.Exit(1)
	}
}

func sabotage(ctx context.Context, out io.Writer, only string, list, verbose bool) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	var rows []fault
	for _, f := range table() {
		if pattern.MatchString(f.name) {
			rows = append(rows, f)
		}
	}
	if len(rows) == 0 {
		return fmt.Errorf("no row matches %q", only)
	}
	if list {
		for _, f := range rows {
			fmt.Fprintf(out, "%-34s %-28s ./%s %s\n", f.name, f.file, f.pkg, f.test)
		}
		return nil
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sabotage")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r := &runner{root: root, dir: dir, sound: map[string]error{}}
	if verbose {
		r.output = out
	}
	began, bad := time.Now(), 0
	for _, f := range rows {
		began := time.Now()
		verdict := "caught"
		if err := r.try(ctx, f); err != nil {
			verdict, bad = "NOT PROVEN: "+err.Error(), bad+1
		}
		fmt.Fprintf(out, "%-34s ./%s %s: %s (%.1f s)\n", f.name, f.pkg, f.test, verdict, time.Since(began).Seconds())
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d of %d faults caught\n", len(rows)-bad, len(rows))
	if only == "" {
		err = proof.Record(proof.Result{
			ID: "M1", Test: "make sabotage", Package: "internal/sabotage", Counts: proof.Counts{"faults": len(rows)},
			Ended: true, Passed: bad == 0, Took: time.Since(began).Seconds(), Date: time.Now().UTC(),
		})
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d rows prove nothing", bad, len(rows))
	}
	return err
}
