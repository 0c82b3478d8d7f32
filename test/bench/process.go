package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// stopTimeout is more than rtbeat takes by default to stop.
const stopTimeout = 40 * time.Second

// process is a program that runs on the measured core.
type process struct {
	name  string
	core  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner // its standard output
	found chan string    // what its standard error said, see start
	read  chan struct{}  // closed when its standard error has ended
	tail  []string       // the last lines of it; read it when read is closed
}

// start runs a program on a core. The first match of pattern in its standard error comes over found. ctx ends it by force.
func start(ctx context.Context, core string, pattern *regexp.Regexp, program string, args ...string) (*process, error) {
	p := &process{name: program, core: core, found: make(chan string, 1), read: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, "taskset", append([]string{"-c", core, program}, args...)...)
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	p.stdin, p.lines = stdin, bufio.NewScanner(stdout)
	go p.listen(stderr, pattern)
	return p, nil
}

// listen reads the standard error. It ends with the process, and stop waits for it.
func (p *process) listen(stderr io.Reader, pattern *regexp.Regexp) {
	defer close(p.read)
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		p.tail = append(p.tail, lines.Text())
		p.tail = p.tail[max(0, len(p.tail)-5):]
		if pattern == nil {
			continue
		}
		if match := pattern.FindStringSubmatch(lines.Text()); match != nil {
			p.found <- match[len(match)-1]
			pattern = nil
		}
	}
}

// await waits for what start was told to look for.
func (p *process) await(ctx context.Context, timeout time.Duration) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errors.New("timed out"))
	defer cancel()
	select {
	case found := <-p.found:
		return found, nil
	case <-p.read:
		return "", fmt.Errorf("waiting for %s to start: it ended: %s", p.name, strings.Join(p.tail, "\n"))
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for %s to start: %w", p.name, context.Cause(ctx))
	}
}

// ask sends an empty line and returns the line that comes back.
func (p *process) ask() (string, error) {
	if _, err := fmt.Fprintln(p.stdin); err != nil {
		return "", fmt.Errorf("asking %s: %w", p.name, err)
	}
	return p.line()
}

// line returns the next line of the standard output.
func (p *process) line() (string, error) {
	overdue := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() }) // then the output ends
	defer overdue.Stop()
	if !p.lines.Scan() {
		return "", fmt.Errorf("reading what %s says: %w", p.name, errors.Join(p.lines.Err(), io.ErrUnexpectedEOF))
	}
	return p.lines.Text(), nil
}

// finish ends a program that ends with its standard input, and returns the last line that it prints.
func (p *process) finish() (string, error) {
	_ = p.stdin.Close() // when it has ended already, there is no last line
	last, err := p.line()
	return last, errors.Join(err, p.wait())
}

// stop ends a program with a signal.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", p.name, err)
	}
	return p.wait()
}

func (p *process) wait() error {
	overdue := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer overdue.Stop()
	<-p.read
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("ending %s: %w: %s", p.name, err, strings.Join(p.tail, "\n"))
	}
	return nil
}

func (p *process) pid() int { return p.cmd.Process.Pid } // taskset becomes the program
