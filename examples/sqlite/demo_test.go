package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

func TestDemoRunsTwice(t *testing.T) {
	o := options{path: filepath.Join(t.TempDir(), "demo.db"), users: 3, days: 20, seed: 1}
	var first, second bytes.Buffer
	require.NoError(t, run(t.Context(), o, strings.NewReader(""), &first))
	require.Contains(t, first.String(), "100 %")
	require.Contains(t, first.String(), "sleep   █ deep")
	require.Regexp(t, `[1-9]\d* changed, +[1-9]\d* deleted`, first.String(), "the second sync finds what changed and what went")
	before := keys(t, o.path)

	require.NoError(t, run(t.Context(), o, strings.NewReader(""), &second))
	require.Contains(t, second.String(), "Going on with")
	for key := range before {
		require.Contains(t, keys(t, o.path), key)
	}
}

func TestDemoInterruptedGoesOn(t *testing.T) {
	o := options{path: filepath.Join(t.TempDir(), "demo.db"), users: 1, days: 20, seed: 1}
	ctx, cancel := context.WithCancel(t.Context())
	out := &cancelling{cancel: cancel}
	require.ErrorIs(t, run(ctx, o, strings.NewReader(""), out), context.Canceled)
	var second bytes.Buffer
	require.NoError(t, run(t.Context(), o, strings.NewReader(""), &second))
	require.Contains(t, second.String(), "100 %")
}

// cancelling interrupts the program with the second line it prints.
type cancelling struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (c *cancelling) Write(p []byte) (int, error) {
	if bytes.Count(c.Bytes(), []byte("\n")) >= 1 {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

func TestRealServiceAsksForThePastedAddress(t *testing.T) {
	o := options{path: filepath.Join(t.TempDir(), "demo.db"), clientID: "id", clientSecret: "secret", redirectURL: "https://host.example.com/cb"}
	var out bytes.Buffer
	err := run(t.Context(), o, strings.NewReader("https://host.example.com/cb?nothing=here\n"), &out)
	require.ErrorContains(t, err, "has no state")
	require.Contains(t, out.String(), "https://account.withings.com/oauth2_user/authorize2?")
	require.Contains(t, out.String(), "within 30 seconds")
	require.NotContains(t, out.String(), "secret")

	o.clientSecret = ""
	require.ErrorContains(t, run(t.Context(), o, strings.NewReader(""), &out), "-client-secret")
}

// keys returns the identities of all live records in the file.
func keys(t *testing.T, path string) map[string]bool {
	db, err := sqlitestore.Open(t.Context(), path, nil)
	require.NoError(t, err)
	defer db.Close()
	all := make(map[string]bool)
	for _, user := range names[:3] {
		for r, err := range store.AllRecords(t.Context(), db, store.RecordQuery{User: user, Deleted: true}) {
			require.NoError(t, err)
			all[user+" "+string(r.Kind)+" "+r.Key] = true
		}
	}
	return all
}
