// Command demo shows rtbeat at work: it starts build/rtbeat and a sink for it to
// send to, posts examples/batch.json, and prints what was asked, what was
// answered and what arrived. Both keep running until Ctrl-C. `make run` builds
// rtbeat and runs this.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const (
	binary    = "build/rtbeat"
	config    = "rtbeat.yml"
	batchFile = "examples/batch.json"
	workDir   = "build/demo"

	startBudget  = 30 * time.Second
	answerBudget = 60 * time.Second // as long as rxtx waits
	eventBudget  = 10 * time.Second
	stopBudget   = 45 * time.Second // more than rtbeat's own shutdown_timeout
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run is the whole show, in order.
func run() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	defer stop()

	port, sinkPort := env("RTBEAT_PORT", "8081"), env("SINK_PORT", "5044")
	if err := prepare(port, sinkPort); err != nil {
		return err
	}

	events := &eventPrinter{out: os.Stdout, arrived: make(chan struct{}, 1)}
	sink, err := start("the sink", "sink.log", events, "sink", "--listen", local(sinkPort))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.stop()) }()
	if err := sink.waitUntil(ctx, accepts(local(sinkPort))); err != nil {
		return unlessStopped(ctx, err)
	}
	sayf("The sink listens on %s and acknowledges at once. It stands in for Logstash.", local(sinkPort))

	rtbeat, err := start("rtbeat", "rtbeat.log", nil,
		"-e", "-c", config, "--strict.perms=false",
		"--path.data", filepath.Join(workDir, "data"), "--path.logs", filepath.Join(workDir, "logs"),
		"-E", "rtbeat.host=127.0.0.1", "-E", "rtbeat.port="+port,
		"-E", `output.logstash.hosts=["`+local(sinkPort)+`"]`)
	if err != nil {
		return err
	}
	// Runs before the sink is stopped: rtbeat drains into it.
	defer func() { err = errors.Join(err, rtbeat.stop()) }()
	base, client := "http://"+local(port), &http.Client{Timeout: answerBudget}
	if err := rtbeat.waitUntil(ctx, answers(client, base+"/readyz")); err != nil {
		return unlessStopped(ctx, err)
	}
	sayf("rtbeat is ready at %s. Its log is %s.", base, rtbeat.log)

	if err := post(ctx, client, base+"/in", events); err != nil {
		return unlessStopped(ctx, fmt.Errorf("%w\n%s", err, rtbeat.tail()))
	}
	hint(base)

	select {
	case <-ctx.Done():
		sayf("\nStopping. Once more to stop at once.")
		return nil
	case <-rtbeat.done:
		return rtbeat.ended()
	case <-sink.done:
		return sink.ended()
	}
}

// prepare looks for what would go wrong later in a less readable way.
func prepare(port, sinkPort string) error {
	for _, file := range []string{binary, config, batchFile} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%w: run `make run` in the top directory of rtbeat", err)
		}
	}
	for _, p := range []struct{ port, env, free string }{
		{port, "RTBEAT_PORT", "18081"},
		{sinkPort, "SINK_PORT", "15044"},
	} {
		var config net.ListenConfig
		l, err := config.Listen(context.Background(), "tcp", local(p.port))
		if err != nil {
			return fmt.Errorf("port %s cannot be used: %w\nChoose another one: %s=%s make run", p.port, err, p.env, p.free)
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return os.MkdirAll(workDir, 0o755)
}

// post sends the example and prints the request, the answer and the events.
func post(ctx context.Context, client *http.Client, url string, events *eventPrinter) error {
	body, err := os.ReadFile(batchFile)
	if err != nil {
		return err
	}
	var batch struct {
		Messages []json.RawMessage `json:"messages"`
	}
	if err := json.Unmarshal(body, &batch); err != nil {
		return fmt.Errorf("%s: %w", batchFile, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")

	sayf("\n--- the request\n\nPOST %s\nContent-Type: application/json\n\n(%s: %d messages, %d bytes)",
		url, batchFile, len(batch.Messages), len(body))
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	sayf("\n--- the answer, after %v\n\n%s %s\n\n%s", time.Since(began).Round(time.Millisecond),
		resp.Proto, resp.Status, pretty(answer))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("rtbeat answered %s instead of 200", resp.Status)
	}

	sayf("\n--- the events as they arrived at the sink")
	return events.show(ctx, len(batch.Messages))
}

func hint(base string) {
	sayf(`
--- your turn

Both keep running, and what arrives at the sink is printed here. In another
terminal, try:

  curl -i %[1]s/in -H 'Content-Type: application/json' \
    -d '{"messages":[{"producer":"me","payload":{"hello":"world"}}]}'

  curl -s %[1]s/readyz
  curl -s %[1]s/metrics

The batch above once more is a retry: its messages were delivered, so that the
answer is 200 with "coalesced":3, and nothing arrives a second time.

  curl -i %[1]s/in -H 'Content-Type: application/json' -d @%[2]s

Ctrl-C stops both.`, base, batchFile)
}

// accepts is true once something listens on the address.
func accepts(addr string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return false
		}
		_ = conn.Close() // it was only a knock
		return true
	}
}

// answers is true once a GET of the URL is answered 200.
func answers(client *http.Client, url string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return false
		}
		resp, err := client.Do(req)
		if err != nil {
			return false
		}
		_ = resp.Body.Close() // only the status counts
		return resp.StatusCode == http.StatusOK
	}
}

// unlessStopped drops an error that is only the user's wish to stop.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// stopSignals are the ways in which a user ends the demo.
func stopSignals() []os.Signal {
	return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func local(port string) string { return net.JoinHostPort("127.0.0.1", port) }

func sayf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// pretty indents JSON, and leaves anything else as it is.
func pretty(data []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(data), "", "  "); err != nil {
		return string(data)
	}
	return b.String()
}
