// Command rtbeat takes JSON batches over HTTP, ships each message through libbeat's outputs, and answers 200 once
// the output has acknowledged every event of the batch.
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"

	"github.com/elastic/elastic-agent-libs/service"

	// Certificate authorities for systems without any, such as an image with only this binary.
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
	// libbeat does not wait. A Windows service that ends before its report counts as crashed, and is restarted.
	service.WaitExecutionDone()
	exit := cmd.ExitError{Code: 1}
	if errors.As(err, &exit) || err != nil {
		os.Exit(exit.Code)
	}
}
