package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/examples/internal/demo"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

func TestDemoRunsTwice(t *testing.T) {
	o := demo.Options{State: filepath.Join(t.TempDir(), "demo.db"), Users: 3, Days: 20, Seed: 1}
	var first, second bytes.Buffer
	require.NoError(t, run(t.Context(), o, strings.NewReader(""), &first))
	require.Contains(t, first.String(), "100 %")
	require.Contains(t, first.String(), "sleep   █ deep")
	require.Regexp(t, `[1-9]\d* changed, +[1-9]\d* deleted`, first.String(), "the second sync finds what changed and what went")
	before := keys(t, o.State)

	require.NoError(t, run(t.Context(), o, strings.NewReader(""), &second))
	require.Contains(t, second.String(), "Going on with")
	after := keys(t, o.State)
	for key := range before {
		require.Contains(t, after, key)
	}
}

func TestDemoOfOtherServices(t *testing.T) {
	if proof.WithoutRace(t) {
		return
	}
	for _, provider := range []string{"fitbit", "googlehealth"} {
		t.Run(provider, func(t *testing.T) {
			o := demo.Options{State: filepath.Join(t.TempDir(), "demo.db"), Provider: provider, Users: 2, Days: 6, Seed: 1}
			var first, second bytes.Buffer
			require.NoError(t, run(t.Context(), o, strings.NewReader(""), &first))
			require.Contains(t, first.String(), "100 %")
			require.Contains(t, first.String(), "sleep   █ deep")
			require.Contains(t, first.String(), "ada ("+provider+", Europe/Berlin)")
			require.Regexp(t, `[1-9]\d* changed, +[1-9]\d* deleted`, first.String())
			require.NoError(t, run(t.Context(), o, strings.NewReader(""), &second))
			require.Contains(t, second.String(), "Going on with")
		})
	}
	o := demo.Options{State: filepath.Join(t.TempDir(), "demo.db"), Provider: "nobody", Users: 1, Days: 1}
	require.ErrorContains(t, run(t.Context(), o, strings.NewReader(""), &bytes.Buffer{}), `provider "nobody"`)
}

func TestDemoInterruptedGoesOn(t *testing.T) {
	o := demo.Options{State: filepath.Join(t.TempDir(), "demo.db"), Users: 1, Days: 20, Seed: 1}
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
	o := ownApplication(t)
	var out bytes.Buffer
	err := run(t.Context(), o, strings.NewReader("https://host.example.com/cb?nothing=here\n"), &out)
	require.ErrorContains(t, err, "has no state")
	require.Contains(t, out.String(), "https://account.withings.com/oauth2_user/authorize2?")
	require.Contains(t, out.String(), "within 30 seconds")
	require.NotContains(t, out.String(), "secret")

	o.ClientSecret = ""
	require.ErrorContains(t, run(t.Context(), o, strings.NewReader(""), &out), "needs -client-secret")
	o.ClientSecret, o.ClientID = "secret", ""
	require.ErrorContains(t, run(t.Context(), o, strings.NewReader(""), &out), "need -client-id", "and nothing is simulated")
}

func TestPromptIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, typed := io.Pipe()
	defer typed.Close()
	out := &cancelling{cancel: cancel} // with the second line, which is of the prompt
	require.ErrorIs(t, run(ctx, ownApplication(t), in, out), context.Canceled)
	require.Contains(t, out.String(), "within 30 seconds")
}

// TestFileIsOfOneWorld: people of another service, simulated or not, do not come
// among those of a file.
func TestFileIsOfOneWorld(t *testing.T) {
	o := demo.Options{State: filepath.Join(t.TempDir(), "demo.db"), Users: 1, Days: 3, Seed: 1}
	require.NoError(t, run(t.Context(), o, strings.NewReader(""), &bytes.Buffer{}))
	other := o
	other.Provider = "fitbit"
	require.ErrorContains(t, run(t.Context(), other, strings.NewReader(""), &bytes.Buffer{}), "people of withings: name another file")
	mine := ownApplication(t)
	mine.State = o.State
	require.ErrorContains(t, run(t.Context(), mine, strings.NewReader(""), &bytes.Buffer{}), "simulated people: name another file")
}

// ownApplication is one at the real service.
func ownApplication(t *testing.T) demo.Options {
	return demo.Options{
		State: filepath.Join(t.TempDir(), "demo.db"), Users: 3, Days: 90,
		ClientID: "id", ClientSecret: "secret", RedirectURL: "https://host.example.com/cb",
	}
}

// keys returns the identities of all live records in the file.
func keys(t *testing.T, path string) map[string]bool {
	db, err := sqlitestore.Open(t.Context(), path, nil)
	require.NoError(t, err)
	defer db.Close()
	all := make(map[string]bool)
	for _, user := range demo.Names()[:3] {
		for r, err := range store.AllRecords(t.Context(), db, store.RecordQuery{User: user, Deleted: true}) {
			require.NoError(t, err)
			all[user+" "+string(r.Kind)+" "+r.Key] = true
		}
	}
	return all
}
