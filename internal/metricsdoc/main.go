package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	output := flag.String("o", "docs/metrics.md", "file to write")
	flag.Parse()
	if err := os.WriteFile(*output, document(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "metricsdoc:", err)
		os.Exit(1)
	}
}
