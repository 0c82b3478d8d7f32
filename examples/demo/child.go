package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// tailLines is how much of a log is shown when something goes wrong.
const tailLines = 15

// child is a running build/rtbeat. What it writes to standard error is its log.
type child struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read it after done
}

// start runs build/rtbeat with its log in the work directory.
func start(name, log string, stdout io.Writer, args ...string) (*child, error) {
	c := &child{name: name, log: filepath.Join(workDir, log), done: make(chan struct{})}
	file, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the child writes to its own copy of it

	c.cmd = exec.CommandContext(context.Background(), filepath.FromSlash(binary), args...)
	c.cmd.Stdout, c.cmd.Stderr = stdout, file
	// Ctrl-C in a terminal goes to the whole group. The demo wants to stop rtbeat
	// first and the sink only when rtbeat has drained into it.
	c.cmd.SysProcAttr = ownGroup()
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// waitUntil asks again and again until ok, as long as the child is running.
func (c *child) waitUntil(ctx context.Context, ok func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, startBudget)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok(ctx) {
		select {
		case <-tick.C:
		case <-c.done:
			return c.ended()
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", c.name, ctx.Err(), c.tail())
		}
	}
	return nil
}

// ended says how a child ended that was not asked to.
func (c *child) ended() error {
	<-c.done
	if c.err == nil {
		return fmt.Errorf("%s ended by itself\n%s", c.name, c.tail())
	}
	return fmt.Errorf("%s ended: %w\n%s", c.name, c.err, c.tail())
}

// stop asks the child to end, and ends it the hard way when it takes too long
// or the user asks again. A child that has ended already is left alone.
func (c *child) stop() error {
	select {
	case <-c.done:
		return nil
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopBudget)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, stopSignals()...)
	defer stop()

	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Join(fmt.Errorf("stop %s: %w", c.name, err), c.kill())
	}
	began := time.Now()
	select {
	case <-c.done:
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s had not ended after %v, killed it\n%s",
			c.name, time.Since(began).Round(time.Millisecond), c.tail()), c.kill())
	}
	if c.err != nil {
		return fmt.Errorf("%s ended badly: %w\n%s", c.name, c.err, c.tail())
	}
	sayf("%s has ended, after %v.", c.name, time.Since(began).Round(time.Millisecond))
	return nil
}

func (c *child) kill() error {
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", c.name, err)
	}
	<-c.done
	return nil
}

// tail returns the end of the child's log, with its path.
func (c *child) tail() string {
	data, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return fmt.Sprintf("(%s is empty)", c.log)
	}
	lines := bytes.Split(data, []byte("\n"))
	lines = lines[max(0, len(lines)-tailLines):]
	return fmt.Sprintf("--- the end of %s\n%s", c.log, bytes.Join(lines, []byte("\n")))
}
