// Command rtbeat takes JSON batches over HTTP, ships each message through libbeat's outputs, and answers 200 once
// the output has acknowledged every event of the batch.
package main

import (
	_ "embed"
	"fmt"
	"os"

	"github.com/elastic/elastic-agent-libs/service"

	// Certificate authorities for where the system has none, as in an image made of nothing but this binary.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/txn2/rtbeat/cmd"
)

//go:embed _meta/fields.yml
var fieldsYML string

func main() {
	root, err := cmd.New(fieldsYML)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rtbeat:", err)
		os.Exit(1)
	}
	err = root.Execute()
	// libbeat leaves it to us: a Windows service that ends before it has reported so is taken for crashed, and restarted.
	service.WaitExecutionDone()
	if err != nil {
		os.Exit(1)
	}
}
