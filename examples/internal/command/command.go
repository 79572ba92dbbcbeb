// Package command is what the examples do as programs: they read their flags, and
// end in order when they are interrupted.
//
// # Errors
//
// The error of a program is printed to standard error; it exits with 1, with 2
// after a wrong command line, and with 130 when it was interrupted.
//
// # Concurrency
//
// [Main] or [Parse] is called once, by main.
//
// # Limits
//
// Arguments that are no flags are refused.
package command

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// GoesOn is what an interrupted program says whose store stays.
func GoesOn() string { return "Nothing is lost: run it again and it goes on." }

// Parse parses the flags of a program. It exits after a wrong command line.
func Parse(name string) {
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "%s: unexpected argument %q\n", name, flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
}

// Main parses the flags and runs the program with a context that ends with
// SIGINT or SIGTERM. It does not return unless run returned nil. Interrupted is
// what the program says if it was interrupted: what becomes of what it did.
func Main(name string, interrupted func() string, run func(context.Context) error) {
	Parse(name)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx)
	switch {
	case ctx.Err() != nil:
		fmt.Println("\nInterrupted. " + interrupted())
		os.Exit(130)
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
