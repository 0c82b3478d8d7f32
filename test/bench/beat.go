package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 40 * time.Second
)

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)

// beat is an rtbeat process with its default settings.
type beat struct {
	url     string
	process *exec.Cmd
	client  *http.Client
}

func startBeat(binary, home, sink string) (*beat, error) {
	process := exec.Command(binary, "-e", "--strict.perms=false", "--path.home", home, "-c", home+"/rtbeat.yml") //nolint:noctx // ended by stop
	settings := fmt.Sprintf("rtbeat: {host: 127.0.0.1, port: 0}\noutput.logstash.hosts: [%q]\n", sink)
	if err := os.WriteFile(home+"/rtbeat.yml", []byte(settings), 0o600); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	stderr, err := process.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("reading the log of rtbeat: %w", err)
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("starting rtbeat: %w", err)
	}
	address := make(chan string, 1)
	go func() { // ends with the process
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if m := listening.FindSubmatch(lines.Bytes()); m != nil {
				address <- string(m[1])
			}
		}
	}()
	select {
	case a := <-address:
		return &beat{
			url:     "http://" + a + "/in",
			process: process,
			client:  &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 1024}},
		}, nil
	case <-time.After(startTimeout):
		return nil, errors.Join(errors.New("rtbeat did not start"), process.Process.Kill())
	}
}

func (b *beat) stop() {
	_ = b.process.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(stopTimeout, func() { _ = b.process.Process.Kill() })
	defer kill.Stop()
	_ = b.process.Wait()
}

// post sends a batch and returns how long its 200 took; any other answer is an error.
func (b *beat) post(ctx context.Context, body []byte) (time.Duration, error) {
	start := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("making a request: %w", err)
	}
	res, err := b.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("posting: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, fmt.Errorf("reading the answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("answered %s: %s", res.Status, answer)
	}
	return time.Since(start), nil
}

// latencies posts n batches of one message, one after the other.
func (b *beat) latencies(n int) (took []time.Duration, err error) {
	for i := range n {
		t, err := b.post(context.Background(), batch(i, 1))
		if err != nil {
			return nil, err
		}
		took = append(took, t)
	}
	return took, nil
}

// loadResult is what a load run found.
type loadResult struct {
	events    int
	took      time.Duration
	cpu       time.Duration // of the rtbeat process
	latencies []time.Duration
}

// load keeps senders posting until ctx ends. Each waits for its answer before it sends again.
func (b *beat) load(ctx context.Context, senders, messages int) (loadResult, error) {
	var (
		mu       sync.Mutex
		result   loadResult
		failures []error
		group    sync.WaitGroup
	)
	start, cpu := time.Now(), b.cpu()
	for sender := range senders {
		group.Go(func() {
			body := batch(sender, messages)
			for ctx.Err() == nil {
				took, err := b.post(context.WithoutCancel(ctx), body)
				mu.Lock()
				if err != nil {
					failures = append(failures, err)
					mu.Unlock()
					return
				}
				result.events += messages
				result.latencies = append(result.latencies, took)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	result.took, result.cpu = time.Since(start), b.cpu()-cpu
	return result, errors.Join(failures...)
}

// cpu is the processor time that rtbeat has used, from /proc.
func (b *beat) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.process.Process.Pid))
	if err != nil {
		return 0
	}
	var utime, stime int64
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	_, _ = fmt.Sscan(string(fields[11]), &utime) // proc(5): fields 14 and 15, in ticks of 10 ms
	_, _ = fmt.Sscan(string(fields[12]), &stime)
	return time.Duration(utime+stime) * 10 * time.Millisecond
}

// batch is the body of n messages of about 370 bytes, as rxtx sends them.
func batch(sender, n int) []byte {
	messages := make([]map[string]any, n)
	for i := range messages {
		messages[i] = message(sender*1_000_000 + i)
	}
	body, err := json.Marshal(map[string]any{"uuid": fmt.Sprintf("batch-%d", sender), "size": n, "messages": messages})
	if err != nil { // plain values do not fail
		panic(err)
	}
	return body
}

func message(i int) map[string]any {
	return map[string]any{
		"seq":      fmt.Sprintf("20261101-%012d", i),
		"time":     "2026-11-01T12:00:00.123456789Z",
		"uuid":     fmt.Sprintf("00000000-0000-4000-8000-%012d", i),
		"producer": "gateway-17",
		"label":    "meter",
		"key":      fmt.Sprintf("meter-%06d", i%1000),
		"payload": map[string]any{
			"reading": 1234.5678 + float64(i%100), "unit": "kWh", "quality": "good", "tariff": 2, "valid": true,
			"location": map[string]any{"lat": 52.520008, "lon": 13.404954}, "note": nil, "counter": 9007199254740993 + int64(i),
		},
	}
}
