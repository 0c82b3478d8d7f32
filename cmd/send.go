package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpguts"
	"golang.org/x/term"

	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	"github.com/txn2/rtbeat/internal/sender"
)

// ExitError is an error with an exit code of its own.
type ExitError struct {
	error
	Code int
}

const exitUsage, exitInterrupted = 2, 3 // of `rtbeat send`

// newSendCmd is `rtbeat send`. It reads no configuration file.
func newSendCmd() *cobra.Command {
	s, to := &sender.Sender{Answers: map[int]int{}, Begun: time.Now()}, &connection{}
	var headers []string
	var maxTime time.Duration
	cmd := &cobra.Command{
		Use:   "send FILE...",
		Short: "Send the messages of files, and keep each batch until its 200",
		Long: `Send posts the lines of files (NDJSON), or the elements of their JSON arrays, plain,
gzip or zstd. - is standard input. It retries without an end after 408, 429, 5xx
and no answer, and ends at any other answer. FILE.rtbeat-sent has how far a file
was delivered, and --resume goes on there. No configuration file is read.

The exit code is 0 if everything was delivered, 1 if rtbeat refused a message or
a file cannot be read, 2 for a wrong command line, 3 after a signal or --max-time.`,
		Example: "  rtbeat send --to https://rtbeat.example.com:8081/in --header @token.txt --resume app.ndjson.gz",
		RunE: func(cmd *cobra.Command, files []string) (err error) {
			if s.Header, err = parseHeaders(headers); err == nil {
				s.Client, err = to.client("to", "/in", nil, tlscommon.VerifyFull)
			}
			if len(files) == 0 || s.Batch < 1 || s.Parallel < 1 {
				err = errors.New("name a file, or - for standard input; --batch and --parallel must be positive")
			}
			if err != nil {
				return ExitError{err, exitUsage}
			}
			cmd.SilenceUsage = true // errors from here on are not about the command line
			s.Log, s.IsTerminal = cmd.ErrOrStderr(), term.IsTerminal(int(os.Stderr.Fd()))
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			ctx, end := context.WithTimeoutCause(ctx, cmp.Or(maxTime, math.MaxInt64), errors.New("--max-time is over"))
			defer end()
			for i := 0; i < len(files) && err == nil; i++ {
				err = s.Send(ctx, files[i])
			}
			cmd.Println(s.Summary())
			if err != nil && ctx.Err() != nil {
				return ExitError{err, exitInterrupted}
			}
			return err
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return ExitError{err, exitUsage} })
	to.flags(cmd, "to", time.Minute)
	flags := cmd.Flags()
	flags.IntVar(&s.Batch, "batch", 500, "messages of a batch; keep it with --resume")
	flags.IntVar(&s.Parallel, "parallel", 4, "batches at a time")
	flags.Float64Var(&s.Rate, "rate", 0, "messages per second; 0 is no limit")
	flags.StringVar(&s.ID, "id", "", "field that each message must have, such as the uuid by which rtbeat dedupes")
	flags.StringArrayVar(&headers, "header", nil, "'Name: value', or @FILE with such lines, which other users cannot see")
	flags.BoolVar(&s.IsResumed, "resume", false, "go on where the last run came to")
	flags.DurationVar(&maxTime, "max-time", 0, "end after this time; 0 is no limit")
	return cmd
}

// parseHeaders does not quote a header in an error: it may be a secret.
func parseHeaders(lines []string) (http.Header, error) {
	headers := http.Header{}
	for _, text := range lines {
		if name, isFile := strings.CutPrefix(text, "@"); isFile {
			content, err := os.ReadFile(name) //nolint:gosec // the operator names it
			if err != nil {
				return nil, err
			}
			text = strings.TrimSpace(string(content))
		}
		for line := range strings.SplitSeq(text, "\n") {
			name, value, isHeader := strings.Cut(line, ":")
			value = strings.TrimSpace(value)
			if !isHeader || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
				return nil, errors.New("--header must be 'Name: value', or @FILE with such lines")
			}
			headers.Add(name, value)
		}
	}
	return headers, nil
}

// connection has the flags for an HTTP client.
type connection struct {
	url, ca, certificate, key string
	timeout                   time.Duration
}

func (c *connection) flags(cmd *cobra.Command, name string, timeout time.Duration) {
	flags := cmd.Flags()
	flags.StringVar(&c.url, name, "", "http://host:port/path, https://host:port/path or unix:///socket")
	flags.DurationVar(&c.timeout, "timeout", timeout, "how long an attempt may take")
	flags.StringVar(&c.ca, "ca", "", "file with the authority that signed rtbeat's certificate; this machine's authorities when empty")
	flags.StringVar(&c.certificate, "certificate", "", "file with the client certificate, where rtbeat asks for one")
	flags.StringVar(&c.key, "key", "", "file with the key of the client certificate")
}

// client returns the client. path is for a URL without one. An error does not quote the URL, which may have a secret.
func (c *connection) client(flag, path string, authorities []string, mode tlscommon.TLSVerificationMode) (*sender.Client, error) {
	to, err := url.Parse(c.url)
	if err != nil || to.User != nil || c.timeout <= 0 || !slices.Contains([]string{"http", "https", "unix", "unixs"}, to.Scheme) || (to.Host == "") != strings.HasPrefix(to.Scheme, "unix") {
		return nil, fmt.Errorf("--%s must be http://host:port/path, https://host:port/path or unix:///socket, without a user; --timeout must be positive", flag)
	}
	if to.Host == "" {
		mode = tlscommon.VerifyCertificate
	}
	if c.ca != "" {
		authorities = []string{c.ca}
	}
	pair := tlscommon.CertificateConfig{Certificate: c.certificate, Key: c.key}
	settings, err := tlscommon.LoadTLSConfig(&tlscommon.Config{VerificationMode: mode, CAs: authorities, Certificate: pair}, logp.NewNopLogger())
	if err != nil {
		return nil, fmt.Errorf("--ca, --certificate and --key: %w", err)
	}
	log.SetOutput(io.Discard) // net/http logs the first bytes of a server that speaks first
	return sender.NewClient(*to, path, settings.BuildModuleClientConfig(to.Hostname()), c.timeout), nil
}
