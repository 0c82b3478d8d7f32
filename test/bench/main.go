// Command bench measures rtbeat on this machine, beside two limits that it is judged by: the lumberjack protocol alone, and
// libbeat with nothing in front. "make bench" runs it.
//
// What is measured is pinned to one core. The bench itself, which is the senders and, in the same process, the sink, is
// pinned to another. The figures of one run may be compared with each other, not with those of another machine.
//
//	main.go, options.go, run.go   what is asked for, and in which order it is done
//	pin.go, process.go, proc.go   processes on their core, and what /proc says of them
//	beat.go, connection.go        rtbeat, and a connection to it
//	measure.go, closedloop.go     one measurement; senders that wait for their answers
//	cases.go, limit.go, child.go  the rows of the table; those that rtbeat is compared with
//	openloop.go, latency.go       senders that keep a schedule
//	roundtrip.go, idle.go         single requests; start, rest, and connections that do nothing
//	figures.go, targets.go        medians and percentiles; what is asked of rtbeat
//	report.go, machine.go, plot.go
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, errMissed):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// dispatch runs the bench, or what the bench runs as a process of its own.
func dispatch(ctx context.Context, args []string) error {
	if len(args) > 1 && args[0] == childCommand {
		return child(args[1:])
	}
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	cores, err := pin()
	if err != nil {
		return fmt.Errorf("pinning the bench to its core: %w", err)
	}
	return run(ctx, o, cores)
}
