// Command ceiling is libbeat without an intake: a Beat that makes rtbeat's events itself, as fast as the output takes them.
// rtbeat costs more by HTTP, decoding and the promise. It publishes until its standard input ends, and prints the numbers of
// published and acknowledged events.
//
// "ceiling generate" makes the same events and publishes none. It prints their number, and the seconds and CPU seconds for them.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/procfs"
	"github.com/spf13/cobra"

	"github.com/elastic/beats/v7/libbeat/beat"
	libbeatcmd "github.com/elastic/beats/v7/libbeat/cmd"
	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	"github.com/elastic/beats/v7/libbeat/publisher/processing"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/test/bench/message"
)

const (
	// batchSize is the number of events with one time, as the messages of a batch have.
	batchSize = 500
	// inQueue is the default size of libbeat's queue (libbeat/publisher/queue/memqueue/config.go).
	inQueue = 3200
)

// ballast is rtbeat's, so that garbage is collected as often (beater/heapfloor.go).
var ballast = make([]byte, 32<<20)

func main() {
	root := libbeatcmd.GenRootCmdWithSettings(
		func(*beat.Beat, *conf.C) (beat.Beater, error) { return newPublisher() },
		instance.Settings{
			Name:       "rtbeat", // the name is in every event
			Version:    "0.0.0-dev",
			Processing: processing.MakeDefaultBeatSupport(true), // rtbeat's, without the disk queue
		})
	root.AddCommand(&cobra.Command{Use: "generate", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return generate() }})
	err := root.Execute()
	runtime.KeepAlive(ballast)
	if err != nil {
		os.Exit(1)
	}
}

// events makes the events that rtbeat would make (internal/publish/event.go).
type events struct {
	fields   *message.Fields
	made     int
	received time.Time
}

func newEvents() (*events, error) {
	fields, err := message.NewFields(batchSize)
	if err != nil {
		return nil, fmt.Errorf("preparing the events: %w", err)
	}
	return &events{fields: fields}, nil
}

func (e *events) next() beat.Event {
	if e.made%batchSize == 0 {
		e.received = time.Now()
	}
	e.made++
	fields, uuid := e.fields.Next()
	return beat.Event{
		Timestamp: e.received,
		Meta:      mapstr.M{"_id": uuid},
		Fields:    mapstr.M{"type": "rtbeat", "rxtxMsg": mapstr.M(fields), "clientIp": "127.0.0.1"},
	}
}

// generate keeps as many events as the queue would, so that the garbage collector has as much to do.
func generate() error {
	source, err := newEvents()
	if err != nil {
		return err
	}
	var stopped atomic.Bool
	onEnd(func() { stopped.Store(true) })
	kept := make([]beat.Event, inQueue)
	start, before := time.Now(), cpuTime()
	for !stopped.Load() {
		kept[source.made%inQueue] = source.next()
	}
	return report(map[string]any{"events": source.made, "wall": time.Since(start).Seconds(), "cpu": cpuTime() - before})
}

// cpuTime is the CPU time of this process in seconds. It is 0 where there is no /proc.
func cpuTime() float64 {
	self, _ := procfs.Self()
	stat, _ := self.Stat()
	return stat.CPUTime()
}

// onEnd calls f when the standard input ends.
func onEnd(f func()) {
	go func() { // ends with the process at the latest
		_, _ = io.Copy(io.Discard, os.Stdin)
		f()
	}()
}

func report(v any) error {
	if err := json.NewEncoder(os.Stdout).Encode(v); err != nil {
		return fmt.Errorf("reporting: %w", err)
	}
	return nil
}
