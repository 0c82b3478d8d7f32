// Command ceiling is libbeat with nothing in front: a Beat that makes rtbeat's events itself, as fast as the output
// takes them. What rtbeat costs beyond it is HTTP, decoding and the promise. It publishes until its standard input ends, and
// prints how many events were published and acknowledged.
//
// "ceiling generate" makes the same events and publishes none: what is the generator's in the figure of the other. For each
// line that it reads it prints how many it has made.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/elastic/beats/v7/libbeat/beat"
	libbeatcmd "github.com/elastic/beats/v7/libbeat/cmd"
	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	"github.com/elastic/beats/v7/libbeat/publisher/processing"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// ballast is what rtbeat keeps so that garbage is collected less often (beater/heapfloor.go).
var ballast = make([]byte, 32<<20)

func main() {
	root := libbeatcmd.GenRootCmdWithSettings(
		func(*beat.Beat, *conf.C) (beat.Beater, error) { return newPublisher() },
		instance.Settings{
			Name:       "rtbeat", // the name is in every event
			Version:    "0.0.0-dev",
			Processing: processing.MakeDefaultBeatSupport(true), // rtbeat's, but for the disk queue
		})
	root.AddCommand(&cobra.Command{Use: "generate", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return generate(os.Stdin, os.Stdout)
	}})
	err := root.Execute()
	runtime.KeepAlive(ballast)
	if err != nil {
		os.Exit(1)
	}
}

// report prints a line of JSON.
func report(out *os.File, v any) error {
	if err := json.NewEncoder(out).Encode(v); err != nil {
		return fmt.Errorf("reporting: %w", err)
	}
	return nil
}
