// Command metrics writes the tables of docs/metrics.md from the declarations of the metrics. With -check it fails when the page
// is out of date.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/txn2/rtbeat/beater"
	"github.com/txn2/rtbeat/internal/metrics"
)

const page = "docs/metrics.md"

func main() {
	check := flag.Bool("check", false, "write nothing; fail when "+page+" is out of date")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	have, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("call it in the root of the repository: %w", err)
	}
	registry := metrics.NewRegistry()
	if err := beater.DeclareMetrics(registry); err != nil {
		return fmt.Errorf("declaring the metrics: %w", err)
	}
	want, err := manual(have, registry.Sections())
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	switch {
	case bytes.Equal(have, want):
		return nil
	case check:
		return errors.New(page + " is not what the code declares: run `make generate` and commit it")
	default:
		return os.WriteFile(page, want, 0o644)
	}
}
