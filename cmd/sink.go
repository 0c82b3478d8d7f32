package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// newSinkCmd is `rtbeat sink`: the other end of the wire for trying rtbeat
// without a Logstash. It reads no configuration file.
func newSinkCmd() *cobra.Command {
	var o sinkOptions
	cmd := &cobra.Command{
		Use:   "sink",
		Short: "Receive events as Logstash would, and print them",
		Long: `Sink is a lumberjack v2 server that acknowledges what it receives, as Logstash
does, and prints each event as one line of JSON on standard output. Everything
else it has to say goes to standard error.

As Logstash does, it closes the connection without an acknowledgement at an
event that Logstash's JSON parser cannot read: a key of more than 50,000 bytes,
a string of more than 20,000,000 characters, a number of more than 1,000 digits,
or more than 1,000 levels of objects and arrays.

As Logstash does, it closes a connection with a reset after --idle-timeout
without a byte, sends an ACK 0 every 5 s while a batch waits for its
acknowledgement, and at its end goes on receiving for --quiet-period from the
clients that are connected, without an acknowledgement.

With --delay or --no-ack it plays a slow or a stalled Logstash: POST /in is
answered 200 no earlier than the acknowledgement, and 504 when there is none
within rtbeat.timeout.

It needs no configuration file and does not read one. It ends on SIGINT or
SIGTERM, or once --count events have arrived.`,
		Example: `  # one terminal: the sink
  rtbeat sink

  # another one: rtbeat, sending to it
  rtbeat -e -c rtbeat.yml -E 'output.logstash.hosts=["127.0.0.1:5044"]'

  # a Logstash that takes three seconds, until ten events have gone through
  rtbeat sink --delay 3s --count 10`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			// From here on an error is no mistake on the command line.
			cmd.SilenceUsage = true
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return o.run(ctx, cmd.OutOrStdout(), &lines{w: cmd.ErrOrStderr()})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", "127.0.0.1:5044", "address to listen on; port 0 picks a free one")
	flags.DurationVar(&o.delay, "delay", 0, "acknowledge this long after receipt")
	flags.BoolVar(&o.noAck, "no-ack", false, "receive and never acknowledge")
	flags.IntVar(&o.count, "count", 0, "exit after this many events were received and acknowledged (with --no-ack: received); 0 is no limit")
	flags.DurationVar(&o.idleTimeout, "idle-timeout", time.Minute, "reset a connection after this long without a byte; 0 is never")
	flags.DurationVar(&o.quietPeriod, "quiet-period", 2*time.Second, "at the end, receive this long without acknowledging, while clients are connected")
	cmd.MarkFlagsMutuallyExclusive("delay", "no-ack")
	return cmd
}

type sinkOptions struct {
	listen string
	delay  time.Duration
	noAck  bool
	count  int

	idleTimeout, quietPeriod time.Duration
}

func (o *sinkOptions) validate() error {
	switch {
	case o.delay < 0:
		return fmt.Errorf("--delay must not be negative, got %v", o.delay)
	case o.idleTimeout < 0:
		return fmt.Errorf("--idle-timeout must not be negative, got %v", o.idleTimeout)
	case o.quietPeriod < 0:
		return fmt.Errorf("--quiet-period must not be negative, got %v", o.quietPeriod)
	case o.count < 0:
		return fmt.Errorf("--count must not be negative, got %d", o.count)
	}
	return nil
}

func (o *sinkOptions) policy() lumbersink.Policy {
	switch {
	case o.noAck:
		return lumbersink.Never()
	case o.delay > 0:
		return lumbersink.Delay(o.delay)
	}
	return lumbersink.Immediate()
}

// run serves until ctx is done or the count is reached.
func (o *sinkOptions) run(ctx context.Context, out io.Writer, say *lines) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)

	var sink *lumbersink.Sink
	listening := make(chan struct{})
	p := printer{out: out, failed: func(err error) {
		<-listening
		// Applies to the window in hand already.
		sink.SetPolicy(lumbersink.Never())
		end(err)
	}}
	sink, err := lumbersink.Listen(o.listen,
		lumbersink.WithPolicy(o.policy()),
		lumbersink.WithDiscard(),
		lumbersink.WithIdleTimeout(o.idleTimeout),
		lumbersink.WithQuietPeriod(o.quietPeriod),
		lumbersink.WithOnEvent(p.print),
		// One bad client, a port scan for instance, does not end the sink.
		lumbersink.WithOnError(func(err error) { say.printf("%v", err) }),
	)
	if err != nil {
		return err
	}
	close(listening)
	say.printf("listening on %s (lumberjack v2); point output.logstash.hosts here", sink.Addr())

	o.wait(ctx, sink)
	if err := sink.Close(); err != nil && !errors.Is(err, sink.Err()) {
		say.printf("close: %v", err)
	}
	say.printf("received %d, acknowledged %d", sink.Received(), sink.Acked())
	return p.err
}

func (o *sinkOptions) wait(ctx context.Context, sink *lumbersink.Sink) {
	// Either way of waiting ends with ctx at the latest, and that is an end like
	// any other.
	switch {
	case o.count == 0:
		<-ctx.Done()
	case o.noAck:
		_ = sink.Wait(ctx, o.count)
	default:
		_ = sink.WaitAcked(ctx, o.count)
	}
}

// printer writes events, one a line. The sink calls it from its one goroutine
// and before it acknowledges: what was acknowledged has been written.
type printer struct {
	out    io.Writer
	failed func(error)
	line   bytes.Buffer
	err    error // read it once the sink is closed
}

func (p *printer) print(e lumbersink.Event) {
	if p.err != nil {
		return
	}
	p.line.Reset()
	err := json.Compact(&p.line, e.Raw)
	if err == nil {
		p.line.WriteByte('\n')
		_, err = p.out.Write(p.line.Bytes())
	}
	if err != nil {
		p.err = fmt.Errorf("print event: %w", err)
		p.failed(p.err)
	}
}

// lines writes whole lines from several goroutines.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Standard error is where a failure to write would be reported.
	_, _ = fmt.Fprintf(l.w, format+"\n", args...)
}
