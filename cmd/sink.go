package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// newSinkCmd is `rtbeat sink`: a stand-in for Logstash, to try rtbeat. It reads no configuration file.
func newSinkCmd() *cobra.Command {
	var o sinkOptions
	cmd := &cobra.Command{
		Use:   "sink",
		Short: "Receive events as Logstash would, and print them",
		Long: `Sink is a lumberjack v2 server. As Logstash does, it acknowledges the events that
it receives. It prints each event as one line of JSON on standard output, and its
messages on standard error.

As Logstash does, it closes the connection without an acknowledgement at an
event that Logstash's JSON parser cannot read: a key of more than 50,000 bytes,
a string of more than 20,000,000 characters, a number of more than 1,000 digits,
or more than 1,000 levels of objects and arrays.

As Logstash does, it closes a connection with a reset after --idle-timeout
without a byte, and sends an ACK 0 every 5 s while a batch waits for its
acknowledgement. At its end it goes on receiving for --quiet-period from connected
clients, without acknowledging.

With --delay or --no-ack it behaves as a slow or a stalled Logstash: rtbeat
answers 200 after the acknowledgement, and 504 when there is none within
rtbeat.timeout.

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
			cmd.SilenceUsage = true // errors from here on are not about the command line
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return o.run(ctx, cmd.OutOrStdout(), log.New(cmd.ErrOrStderr(), "", 0))
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
	for flag, d := range map[string]time.Duration{"delay": o.delay, "idle-timeout": o.idleTimeout, "quiet-period": o.quietPeriod} {
		if d < 0 {
			return fmt.Errorf("--%s must not be negative, got %v", flag, d)
		}
	}
	if o.count < 0 {
		return fmt.Errorf("--count must not be negative, got %d", o.count)
	}
	return nil
}

// run serves until ctx is done or the count is reached.
func (o *sinkOptions) run(ctx context.Context, out io.Writer, messages *log.Logger) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	policy := lumbersink.Immediate()
	switch {
	case o.noAck:
		policy = lumbersink.Never()
	case o.delay > 0:
		policy = lumbersink.Delay(o.delay)
	}
	var sink *lumbersink.Sink
	listening := make(chan struct{})
	var failed error // to print; read it after Close
	// The sink calls it before it acknowledges, one call at a time: an acknowledged event has been printed.
	onEvent := func(e lumbersink.Event) {
		if failed != nil {
			return
		}
		if err := printLine(out, e.Raw); err != nil {
			failed = fmt.Errorf("print event: %w", err)
			<-listening
			sink.SetPolicy(lumbersink.Never()) // applies to the window of this event
			end()
		}
	}
	sink, err := lumbersink.Listen(o.listen,
		lumbersink.WithPolicy(policy),
		lumbersink.WithKeep(0),
		lumbersink.WithIdleTimeout(o.idleTimeout),
		lumbersink.WithQuietPeriod(o.quietPeriod),
		lumbersink.WithOnEvent(onEvent),
		lumbersink.WithOnError(func(err error) { messages.Print(err) }), // a bad client, such as a port scan, does not end the sink
	)
	if err != nil {
		return err
	}
	close(listening)
	messages.Printf("listening on %s (lumberjack v2); point output.logstash.hosts here", sink.Addr())

	// A wait that ends with ctx is no error.
	switch {
	case o.count == 0:
		<-ctx.Done()
	case o.noAck:
		_ = sink.Wait(ctx, o.count)
	default:
		_ = sink.WaitAcked(ctx, o.count)
	}
	if err := sink.Close(); err != nil && !errors.Is(err, sink.Err()) {
		messages.Printf("close: %v", err)
	}
	messages.Printf("received %d, acknowledged %d", sink.Received(), sink.Acked())
	return failed
}

// printLine prints an event as one line.
func printLine(out io.Writer, event []byte) error {
	var line bytes.Buffer
	if err := json.Compact(&line, event); err != nil {
		return err
	}
	line.WriteByte('\n')
	_, err := out.Write(line.Bytes())
	return err
}
