package main

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// connectionID is how the program names the connection.
var connectionID = regexp.MustCompile(`connection ([0-9a-f]{32})`)

func TestRunsTwice(t *testing.T) {
	o := options{path: filepath.Join(t.TempDir(), "legacy.db"), days: 30, seed: 1}
	var first, second bytes.Buffer
	require.NoError(t, run(t.Context(), o, &first))
	for line := range strings.Lines(first.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 100, line)
	}
	// As on a wider screen.
	text := regexp.MustCompile(`\n {16}([^"])`).ReplaceAllString(first.String(), "$1")
	for _, want := range []string{
		"1. Connect", "Leg 1: ", "Leg 2: ", "Leg 3: ", "2. Sync 30 days", "3. Move the connection", "4. Sync again",
		`"oauth_callback" = "https://app.example.com/withings/callback?state=`,
		"base string  GET&http%3A%2F%2F127.0.0.1%3A", "%2Faccount%2Frequest_token&oauth_callback%3Dhttps%253A%252F%252Fapp.example.com",
		"key          [redacted]&\n", "key          [redacted]&[redacted]\n", `"userid" = "1002"`, "userid%3D1002",
		"body measures", "sleep stages", "pressure", "nothing to do, and no request", "Duplicates: 0. Records that went: 0.",
	} {
		require.Contains(t, text, want)
	}
	require.Equal(t, 4, strings.Count(text, "   signature    "), "three legs, and the first data call")
	require.Equal(t, 4, strings.Count(text, "&oauth_signature="))
	require.NotContains(t, text, withingstest.DefaultConsumerSecret)
	require.NotContains(t, text, withingstest.DefaultClientSecret)
	for _, service := range []string{"body measures", "activity", "sleep", "workouts"} {
		require.Regexp(t, `(?m)^  `+service+` +[1-9][0-9]* +20`, text, "has records")
		require.Regexp(t, `(?m)^  `+service+` +[1-9][0-9]* +[1-9][0-9]* +[0-9]+ +0 +0$`, text, "nothing changed, nothing is there twice")
	}
	ids := connectionID.FindAllStringSubmatch(text, -1)
	require.Len(t, ids, 2)
	require.Equal(t, ids[0][1], ids[1][1], "the connection stays")
	before := keys(t, o.path)
	require.NotEmpty(t, before)

	require.NoError(t, run(t.Context(), o, &second))
	for line := range strings.Lines(second.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 100, line)
	}
	require.Contains(t, second.String(), "Going on with")
	require.Contains(t, second.String(), "moved the connection to OAuth 2.0")
	require.Contains(t, second.String(), "Duplicates: 0. Records that went: 0.")
	require.NotContains(t, second.String(), "Leg 1")
	require.Equal(t, ids[0][1], connectionID.FindStringSubmatch(second.String())[1])
	require.Equal(t, before, keys(t, o.path))
}

// A run that is interrupted before the migration begins with the three legs
// again, on the same connection and with everything that was read.
func TestInterruptedGoesOn(t *testing.T) {
	for _, at := range []string{"Leg 2", "Connected: ", "The first data call", "3. Move"} {
		o := options{path: filepath.Join(t.TempDir(), "legacy.db"), days: 3, seed: 1, all: true}
		ctx, cancel := context.WithCancel(t.Context())
		out := &cancelling{at: at, cancel: cancel}
		require.ErrorIs(t, run(ctx, o, out), context.Canceled, at)
		cancel()
		var second bytes.Buffer
		require.NoError(t, run(t.Context(), o, &second), at)
		require.Contains(t, second.String(), "Leg 3")
		require.Contains(t, second.String(), "Data call 2: ", "all are shown")
		require.Contains(t, second.String(), "Duplicates: 0.")
		if id := connectionID.FindStringSubmatch(out.String()); id != nil {
			require.Contains(t, second.String(), id[1])
		}
	}
}

func TestRefusesAbsurdDays(t *testing.T) {
	for _, days := range []int{-1, 0, 61} {
		require.Error(t, run(t.Context(), options{path: filepath.Join(t.TempDir(), "legacy.db"), days: days}, &bytes.Buffer{}))
	}
}

// cancelling interrupts the program when it prints a text.
type cancelling struct {
	bytes.Buffer
	at     string
	cancel context.CancelFunc
}

func (c *cancelling) Write(p []byte) (int, error) {
	n, err := c.Buffer.Write(p)
	if strings.Contains(c.Buffer.String(), c.at) {
		c.cancel()
	}
	return n, err
}

// keys returns the identities of all live records in the file.
func keys(t *testing.T, path string) map[string]bool {
	db, err := sqlitestore.Open(t.Context(), path, nil)
	require.NoError(t, err)
	defer db.Close()
	all := make(map[string]bool)
	for r, err := range store.AllRecords(t.Context(), db, store.RecordQuery{User: user}) {
		require.NoError(t, err)
		all[string(r.Kind)+" "+r.Key] = true
	}
	return all
}
