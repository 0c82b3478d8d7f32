// Command demo runs build/rtbeat with a stand-in for Logstash, posts examples/batch.json, and prints the events and the
// answer. Both run until Ctrl-C. `make run` builds rtbeat and runs this.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

const (
	batchFile = "examples/batch.json"
	logFile   = "build/demo/rtbeat.log"

	startTimeout  = 30 * time.Second
	answerTimeout = time.Minute
	stopTimeout   = 45 * time.Second // more than rtbeat.shutdown_timeout
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sink, err := lumbersink.Listen("127.0.0.1:"+cmp.Or(os.Getenv("SINK_PORT"), "5044"), lumbersink.WithKeep(0),
		lumbersink.WithOnEvent(func(e lumbersink.Event) { sayf("\n--- an event arrives at the stand-in\n\n%s", indent(e.Raw)) }))
	if err != nil {
		return fmt.Errorf("%w. "+otherPorts, err)
	}
	defer sink.Close()

	address := "127.0.0.1:" + cmp.Or(os.Getenv("RTBEAT_PORT"), "8081")
	base := "http://" + address
	free, err := net.Listen("tcp", address) // the example must not go to another rtbeat
	if err != nil {
		return fmt.Errorf("%w. "+otherPorts, err)
	}
	free.Close()
	ctx, cancel := context.WithCancel(ctx)
	rtbeat, err := start(ctx, base, sink.Addr())
	if err != nil {
		cancel()
		return err
	}
	ended := make(chan error, 1)
	go func() {
		ended <- rtbeat.Wait()
		cancel()
	}()
	if err = show(ctx, base, sink.Addr()); err == nil {
		<-ctx.Done() // Ctrl-C, or the end of rtbeat
		sayf("\nStopping.")
	}
	cancel()
	if stopped := <-ended; stopped != nil && !errors.Is(stopped, context.Canceled) {
		return fmt.Errorf("rtbeat ended: %w. See %s", stopped, logFile)
	}
	return err
}

const otherPorts = "Choose other ports: RTBEAT_PORT=18081 SINK_PORT=15044 make run"

// start runs rtbeat until ctx ends. The sink stops later, so that rtbeat can deliver its last events.
func start(ctx context.Context, base, sink string) (*exec.Cmd, error) {
	if err := os.MkdirAll("build/demo", 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	defer log.Close() // rtbeat writes to its own copy
	rtbeat := exec.CommandContext(ctx, "build/rtbeat", "-e", "-c", "rtbeat.yml", "--strict.perms=false",
		"--path.data", "build/demo/data", "--path.logs", "build/demo/logs",
		"-E", "rtbeat.host=127.0.0.1", "-E", "rtbeat.port="+base[strings.LastIndex(base, ":")+1:], "-E", "output.logstash.hosts="+sink)
	rtbeat.Stderr = log
	rtbeat.Cancel = func() error { return rtbeat.Process.Signal(syscall.SIGTERM) }
	rtbeat.WaitDelay = stopTimeout
	err = rtbeat.Start()
	return rtbeat, err
}

// show sends the example once rtbeat is ready.
func show(ctx context.Context, base, sink string) error {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for status := ""; !strings.HasPrefix(status, "200"); status, _, _ = do(starting, http.MethodGet, base+"/readyz", nil) {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-starting.Done():
			return errors.New("rtbeat is not ready. See " + logFile)
		}
	}
	sayf("rtbeat is ready at %s. It sends to %s, a stand-in for Logstash. Its log is %s.", base, sink, logFile)

	batch, err := os.ReadFile(batchFile)
	if err != nil {
		return err
	}
	sayf("\n--- POST %s/in, with %s", base, batchFile)
	status, answer, err := do(ctx, http.MethodPost, base+"/in", batch)
	if err != nil {
		return err
	}
	sayf("\n--- the answer, after the acknowledgement\n\n%s\n\n%s", status, indent(answer))
	if !strings.HasPrefix(status, "200") {
		return errors.New("rtbeat did not answer 200")
	}
	sayf(hint, base, batchFile)
	return nil
}

var client = http.Client{Timeout: answerTimeout}

func do(ctx context.Context, method, url string, body []byte) (status string, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return "", nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.Status, answer, err
}

const hint = `
--- try it

Both keep running, and events are printed here. In another terminal:

  curl -i %[1]s/in -H 'Content-Type: application/json' \
    -d '{"messages":[{"producer":"me","payload":{"hello":"world"}}]}'

  curl -s %[1]s/readyz
  curl -s %[1]s/metrics

To post the same batch again is a retry. Its messages were delivered, so the
answer is 200 with "coalesced":3, and no event arrives.

  curl -i %[1]s/in -H 'Content-Type: application/json' -d @%[2]s

Ctrl-C stops both.`

func sayf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func indent(data []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(data), "", "  "); err != nil {
		return string(data)
	}
	return b.String()
}
