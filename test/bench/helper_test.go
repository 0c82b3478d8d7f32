package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v2 "github.com/elastic/go-lumber/client/v2"
	"github.com/stretchr/testify/require"
)

// helper is a program on the measured core. It ends with its standard input.
type helper struct {
	t      testing.TB
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  *bufio.Scanner // of its standard output
	stderr bytes.Buffer
}

func (b *bench) startHelper(program string, args ...string) *helper {
	command := append(append(pinned(), program), args...)
	h := &helper{t: b.t, cmd: exec.CommandContext(b.t.Context(), command[0], command[1:]...)}
	var err error
	h.in, err = h.cmd.StdinPipe()
	require.NoError(b.t, err)
	stdout, err := h.cmd.StdoutPipe()
	require.NoError(b.t, err)
	h.lines, h.cmd.Stderr = bufio.NewScanner(stdout), &h.stderr
	require.NoError(b.t, h.cmd.Start())
	return h
}

func (h *helper) pid() int { return h.cmd.Process.Pid } // taskset becomes the program

// ask sends an empty line and returns the next line of the output.
func (h *helper) ask() string {
	_, err := fmt.Fprintln(h.in)
	require.NoError(h.t, err)
	require.True(h.t, h.lines.Scan(), "%s has ended", h.cmd)
	return h.lines.Text()
}

// end ends the helper and returns the last line of its output.
func (h *helper) end() (last string) {
	_ = h.in.Close()
	for h.lines.Scan() {
		last = h.lines.Text()
	}
	require.NoError(h.t, h.cmd.Wait(), "%s: %s", h.cmd, &h.stderr)
	return last
}

// childEnv makes a child of this program: a go-lumber client. Its arguments are the sink's address and the file of events.
const (
	childEnv       = "RTBEAT_BENCH_CHILD"
	childProtocol  = "protocol"
	childRoundTrip = "roundtrip"
)

func (b *bench) startChild(kind string) *helper {
	self, err := os.Executable()
	require.NoError(b.t, err)
	return b.startHelper("env", childEnv+"="+kind, self, b.sink.Addr(), b.window)
}

func runChild(kind, address, file string) error {
	ballast := make([]byte, 32<<20) // as rtbeat has it (beater/heapfloor.go)
	defer runtime.KeepAlive(ballast)
	captured, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var window []any
	for line := range bytes.Lines(captured) {
		window = append(window, bytes.TrimSpace(line))
	}
	options := []v2.Option{
		v2.CompressionLevel(compressionLevel),
		v2.JSONEncoder(func(v any) ([]byte, error) { return v.([]byte), nil }),
	}
	if kind == childProtocol {
		return sendWindows(address, window, options)
	}
	return roundTrips(address, window[:1], options)
}

// sendWindows sends the window again and again, as libbeat's output does, until the standard input ends.
func sendWindows(address string, window []any, options []v2.Option) error {
	client, err := v2.AsyncDial(address, inFlight, options...)
	if err != nil {
		return err
	}
	var stopped atomic.Bool
	go func() { // ends with the standard input
		_, _ = io.Copy(io.Discard, os.Stdin)
		stopped.Store(true)
	}()
	var acks sync.WaitGroup
	var published int
	var acked atomic.Int64
	for !stopped.Load() {
		acks.Add(1)
		published += len(window)
		err := client.Send(func(n uint32, _ error) { // the account shows a missing acknowledgement
			acked.Add(int64(n))
			acks.Done()
		}, window)
		if err != nil {
			return err
		}
	}
	acks.Wait() // the client has a timeout
	return errors.Join(json.NewEncoder(os.Stdout).Encode(map[string]int64{"published": int64(published), "acked": acked.Load()}), client.Close())
}

// roundTrips sends the window once for each line of the input, and prints the time of each in nanoseconds.
func roundTrips(address string, window []any, options []v2.Option) error {
	client, err := v2.SyncDial(address, options...)
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		start := time.Now()
		if _, err := client.Send(window); err != nil {
			return err
		}
		fmt.Println(time.Since(start).Nanoseconds())
	}
	return client.Close()
}
