// Command report writes docs/reliability.md from the results of test runs: the
// promises, the tests that prove them, how much they tried and how they ended.
//
//	go run ./internal/proof/report [-o FILE] RESULTS...
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	output := flag.String("o", "docs/reliability.md", "file to write")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "report: no results to write about")
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*output, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(output string, files []string) error {
	results, err := read(files)
	if err != nil {
		return err
	}
	return os.WriteFile(output, document(results), 0o644)
}
