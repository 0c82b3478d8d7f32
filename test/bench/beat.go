package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 40 * time.Second
)

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)

// beat is an rtbeat process with its default settings, but for those that are given.
type beat struct {
	home    string
	url     string
	process *exec.Cmd
	client  *http.Client
}

func startBeat(binary, sink string, settings ...string) (*beat, error) {
	home, err := os.MkdirTemp("", "rtbeat-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a home for rtbeat: %w", err)
	}
	process := exec.Command(binary, "-e", "--strict.perms=false", "--path.home", home, "-c", home+"/rtbeat.yml") //nolint:noctx // ended by stop
	file := fmt.Sprintf("rtbeat: {host: 127.0.0.1, port: 0}\noutput.logstash.hosts: [%q]\n%s\n", sink, strings.Join(settings, "\n"))
	if err := os.WriteFile(home+"/rtbeat.yml", []byte(file), 0o600); err != nil {
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
			home:    home,
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
	_ = os.RemoveAll(b.home) // what is left is in the folder for such things
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
	for range n {
		t, err := b.post(context.Background(), newTemplate(1).next(ids.Add(1)))
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
	for range senders {
		group.Go(func() {
			body := newTemplate(messages)
			for ctx.Err() == nil {
				took, err := b.post(context.WithoutCancel(ctx), body.next(ids.Add(uint64(messages))))
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
