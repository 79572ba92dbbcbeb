// Command sqlite is the demonstration of vitalmux: it syncs wearable data from
// Withings, or with -provider from Fitbit or Google Health, into one SQLite file.
//
// Without arguments it needs no network and no account. It starts a simulator
// of the service inside the process, connects three people through OAuth 2.0 as
// a browser would, reads 90 days of their data over HTTP, lets the service
// change (new, late, edited and deleted data), syncs again, and shows what is
// in the file.
//
// With -client-id, -client-secret and -redirect-url, or the environment
// variables WITHINGS_CLIENT_ID, WITHINGS_CLIENT_SECRET and
// WITHINGS_REDIRECT_URL, it talks to the real service of Withings instead.
//
// It may be interrupted at any moment; the next run goes on where it stopped.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/vitalmux/vitalmux/examples/internal/command"
	"github.com/vitalmux/vitalmux/examples/internal/demo"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

func main() {
	var o demo.Options
	flag.StringVar(&o.State, "db", "demo.db", "the SQLite file; its key is kept beside it")
	o.Flags()
	command.Main("demo", command.GoesOn, func(ctx context.Context) error { return run(ctx, o, os.Stdin, os.Stdout) })
}

func run(ctx context.Context, o demo.Options, in io.Reader, out io.Writer) error {
	// Close, which comes last, empties the write-ahead log into the file, so
	// that any SQL tool can open it afterwards.
	open := func() (store.Store, error) { return sqlitestore.Open(ctx, o.State, nil) }
	if err := demo.Run(ctx, o, open, in, out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nLook for yourself:\n  sqlite3 %s 'select * from v_daily limit 5'\n", o.State)
	return err
}
