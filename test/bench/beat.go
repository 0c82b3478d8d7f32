package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const startTimeout = 30 * time.Second

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)

// common are the settings of each rtbeat that is measured, where they are not the defaults. The timeout is longer so that a
// machine that is busy with something else makes a long answer, not a 504.
const common = "rtbeat.host: 127.0.0.1\nrtbeat.port: 0\nrtbeat.timeout: 30\nlogging.metrics.enabled: false\n"

// beat is an rtbeat process.
type beat struct {
	*process
	address string
	home    string
}

// startBeat runs rtbeat with the common settings and those that are given.
func startBeat(ctx context.Context, core, binary, sink string, settings ...string) (*beat, error) {
	home, err := os.MkdirTemp("", "rtbeat-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a home for rtbeat: %w", err)
	}
	p, err := startLibbeat(ctx, core, binary, home, sink, common+strings.Join(settings, "\n"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(home))
	}
	b := &beat{process: p, home: home}
	b.address, err = p.await(ctx, startTimeout)
	if err != nil {
		return nil, errors.Join(err, p.cmd.Process.Kill(), os.RemoveAll(home))
	}
	return b, nil
}

// startLibbeat runs a Beat that has its files in home and ships to the sink.
func startLibbeat(ctx context.Context, core, binary, home, sink, settings string) (*process, error) {
	file := filepath.Join(home, "rtbeat.yml")
	text := fmt.Sprintf("output.logstash.hosts: [%q]\n%s\n", sink, settings)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	return start(ctx, core, listening, binary, "-e", "--strict.perms=false", "--path.home", home, "-c", file)
}

func (b *beat) stop() error {
	return errors.Join(b.process.stop(), os.RemoveAll(b.home))
}
