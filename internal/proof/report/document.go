package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/vitalmux/vitalmux/internal/proof"
)

// read returns the results in the files. A file may be missing: then its tests
// did not run.
func read(files []string) (results []proof.Result, err error) {
	for _, name := range files {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for dec := json.NewDecoder(bytes.NewReader(text)); ; {
			var r proof.Result
			if err := dec.Decode(&r); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			results = append(results, r)
		}
	}
	return results, nil
}

// test names one test of one row.
type test struct{ id, folder, name string }

// latest holds the last result of each test.
type latest map[test]proof.Result

func (l latest) add(r proof.Result) {
	key := test{r.ID, r.Package, r.Test}
	if old, ok := l[key]; !ok || !r.Date.Before(old.Date) {
		l[key] = r
	}
}

// document returns the text of docs/reliability.md.
func document(results []proof.Result) []byte {
	ci, soak := latest{}, latest{}
	tests := map[string][]test{} // of each row
	for _, r := range results {
		if r.Full {
			soak.add(r)
		} else {
			ci.add(r)
		}
		key := test{r.ID, r.Package, r.Test}
		if !slices.Contains(tests[r.ID], key) {
			tests[r.ID] = append(tests[r.ID], key)
		}
	}
	var b bytes.Buffer
	b.WriteString(`# Reliability

What this module promises, the test of each promise, how much the test tries, and how it last ended. This file is written by
` + "`make soak`" + ` from the results of the tests, not by hand. "CI" are the counts of ` + "`make check`" + `, "soak" those of
` + "`make soak`" + `. A promise without a result says "not run".
`)
	for _, g := range proof.Rows() {
		fmt.Fprintf(&b, "\n## %s\n\n", g.Title)
		b.WriteString("| | promise | test | CI counts | CI result | soak counts | soak result |\n|---|---|---|---|---|---|---|\n")
		for _, i := range g.Invariants {
			found := tests[i.ID]
			slices.SortFunc(found, func(a, b test) int {
				return strings.Compare(a.folder+" "+a.name, b.folder+" "+b.name)
			})
			if len(found) == 0 {
				outcome := "not run"
				if i.Later != "" {
					outcome = "later, with " + i.Later
				}
				fmt.Fprintf(&b, "| %s | %s | | | %s | | %[3]s |\n", i.ID, i.Text, outcome)
			}
			for n, t := range found {
				id, text := i.ID, i.Text
				if n > 0 {
					id, text = "", ""
				}
				fmt.Fprintf(&b, "| %s | %s | `%s` %s | %s | %s | %s | %s |\n", id, text, t.folder, t.name,
					ci.counts(t), ci.outcome(t), soak.counts(t), soak.outcome(t))
			}
		}
	}
	return b.Bytes()
}

func (l latest) counts(t test) string {
	r := l[t]
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(r.Counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, r.Counts[name]))
	}
	return strings.Join(parts, ", ")
}

func (l latest) outcome(t test) string {
	r, ok := l[t]
	word := "**failed**"
	switch {
	case !ok:
		return "not run"
	case !r.Ended:
		word = "**did not end**"
	case r.Passed:
		word = "passed"
	}
	return fmt.Sprintf("%s, %s, %.0f s", word, r.Date.Format("2006-01-02"), r.Took)
}
