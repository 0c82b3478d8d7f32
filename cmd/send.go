package cmd

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"expvar"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/moby/sys/atomicwriter"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpguts"
	"golang.org/x/term"
	"golang.org/x/time/rate"
)

const (
	maxBatch   = 1 << 20  // bytes after which a batch ends
	maxMessage = 64 << 20 // bytes
)

// ExitError is an error with an exit code of its own.
type ExitError struct {
	error
	Code int
}

// newSendCmd is `rtbeat send`. It reads no configuration file.
func newSendCmd() *cobra.Command {
	s, headers := sender{header: http.Header{"Content-Type": {"application/x-ndjson"}}}, []string{}
	s.proxy = http.ProxyFromEnvironment
	cmd := &cobra.Command{
		Use:   "send FILE...",
		Short: "Send the messages of files, and keep each batch until its 200",
		Long: `Send posts the messages of files: NDJSON or JSON arrays, plain, gzip or zstd. - is
standard input. After 408, 429, 5xx and no answer it retries without an end.
FILE.rtbeat-sent has how far a file was delivered. It reads no configuration file.

The exit code is 0 if everything was delivered, 1 after any other answer or for a
file that cannot be read, 2 for a wrong command line, 3 after a signal.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			err := cmp.Or(parseHeaders(s.header, headers), s.connect("/in"))
			if len(files) == 0 || s.batch < 1 || s.parallel < 1 || s.rate < 0 {
				err = errors.New("name a file, or - for standard input; --batch and --parallel must be positive, and --rate not negative")
			}
			if err != nil {
				return ExitError{err, 2}
			}
			cmd.SilenceUsage = true // errors from here on are not about the command line
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			s.counts.Add("messages", 0)
			for i := 0; i < len(files) && err == nil; i++ {
				err = s.send(ctx, files[i])
			}
			fmt.Fprintln(cmd.OutOrStdout(), &s.counts)
			if err != nil && ctx.Err() != nil {
				return ExitError{err, 3}
			}
			return err
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return ExitError{err, 2} })
	s.addFlags(cmd.Flags(), "to", time.Minute)
	cmd.Flags().IntVar(&s.batch, "batch", 500, "messages of a batch; keep it with --resume")
	cmd.Flags().IntVar(&s.parallel, "parallel", 4, "batches at a time")
	cmd.Flags().Float64Var(&s.rate, "rate", 0, "messages per second; 0 is no limit")
	cmd.Flags().StringVar(&s.id, "id", "", "field with the id of each message, as of rtbeat.id: no Idempotency-Key is sent")
	cmd.Flags().StringArrayVar(&headers, "header", nil, "'Name: value'; ${NAME} in it is a variable of the environment")
	cmd.Flags().BoolVar(&s.isResumed, "resume", false, "go on where the last run came to")
	return cmd
}

func parseHeaders(header http.Header, lines []string) error {
	for _, line := range lines {
		name, value, _ := strings.Cut(os.ExpandEnv(line), ":")
		value = strings.TrimSpace(value)
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) || value == "" {
			return errors.New("--header must be 'Name: value'") // without the line, which may be a secret
		}
		header.Set(name, value)
	}
	return nil
}

// sender sends files, one after the other.
type sender struct {
	intakeClient
	header          http.Header
	batch, parallel int
	rate            float64
	id              string
	isResumed       bool

	limiter  *rate.Limiter
	bar      *progressbar.ProgressBar
	problems rate.Sometimes
	counts   expvar.Map // messages, attempts by the code of the answer, and batches that wait for their 200
}

// batch is what one request posts.
type batch struct {
	first int // messages of the file before it
	body  []byte
	err   error // nil after the 200
}

func (b *batch) size() int { return bytes.Count(b.body, newline) }

// send reads a round of batches, posts them in parallel and writes the mark, until the end of the file.
func (s *sender) send(ctx context.Context, name string) (err error) {
	file, m, size := os.Stdin, mark{run: rand.Text(), sum: fnv.New64a()}, int64(-1)
	if name != "-" {
		if file, err = os.Open(name); err != nil { //nolint:gosec // the operator names it
			return err
		}
		defer file.Close() //nolint:errcheck // it was only read
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			m.path, size = name+".rtbeat-sent", max(info.Size(), 1)
		}
	}
	s.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))),
		progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), // in 80 characters:
		progressbar.OptionSetWidth(10), progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false))
	defer s.bar.Finish() //nolint:errcheck // it was shown, or not
	s.limiter, s.problems.Interval = rate.NewLimiter(cmp.Or(rate.Limit(s.rate), rate.Inf), s.batch), 5*time.Second
	r, w := io.Pipe() // a read of standard input cannot be interrupted
	go func() { _, err := io.Copy(io.MultiWriter(w, s.bar), file); _ = w.CloseWithError(err) }()
	defer context.AfterFunc(ctx, func() { _ = r.CloseWithError(context.Cause(ctx)) })()
	defer r.Close() //nolint:errcheck // it returns none

	next, err := messages(r)
	if err == nil {
		err = m.begin(s.isResumed, next)
	}
	for err == nil {
		var round []*batch
		var group sync.WaitGroup
		for end := m.messages; len(round) < s.parallel && err == nil; {
			b := &batch{first: end}
			b.body, err = s.read(next)
			end += b.size()
			group.Go(func() { b.err = s.deliver(ctx, b, m.run) })
			round = append(round, b)
		}
		group.Wait()
		for _, b := range round {
			if b.err != nil { // the mark has no gaps
				err = b.err
				break
			}
			m.add(b.body)
		}
		err = cmp.Or(m.save(), err)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

var asIs = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsontext.PreserveRawStrings(true)}

// messages returns the JSON values of a file, or the elements of its arrays. Each is good until the next call.
func messages(file io.Reader) (next func() ([]byte, error), err error) {
	packed := bufio.NewReader(file)
	file = packed
	switch magic, _ := packed.Peek(4); { // an error comes again
	case strings.HasPrefix(string(magic), "\x1f\x8b"):
		file, err = gzip.NewReader(packed)
	case string(magic) == "\x28\xb5\x2f\xfd":
		file, err = zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
	}
	limited, number := &io.LimitedReader{R: file}, 0
	decoder := jsontext.NewDecoder(limited, asIs...)
	return func() ([]byte, error) {
		limited.N = maxMessage
		number++
		for kind := decoder.PeekKind(); kind == ']' || kind == '[' && decoder.StackDepth() == 0; kind = decoder.PeekKind() {
			if _, err := decoder.ReadToken(); err != nil {
				return nil, fmt.Errorf("message %d: %w", number, err)
			}
		}
		value, err := decoder.ReadValue()
		if err != nil && limited.N <= 0 {
			err = bufio.ErrTooLong
		}
		if err != nil {
			err = fmt.Errorf("message %d: %w", number, err)
		}
		return value, err
	}, err
}

var newline = []byte("\n")

// read reads a batch. With an error, it returns the messages before as well.
func (s *sender) read(next func() ([]byte, error)) (body []byte, err error) {
	for n := 0; n < s.batch && len(body) < maxBatch; n++ {
		message, err := next()
		if err != nil {
			return body, err
		}
		body = append(body, lineOf(message)...)
	}
	return body, nil
}

// lineOf returns a message without white space between its parts, and a line end.
func lineOf(message []byte) []byte {
	line, _ := jsontext.AppendFormat(nil, message, asIs...) // the decoder has found no error
	return append(line, newline...)
}

// deliver posts a batch until its 200. Its attempts are equal, also in a run that goes on at the mark.
func (s *sender) deliver(ctx context.Context, b *batch, run string) error {
	if err := s.limiter.WaitN(ctx, b.size()); err != nil || len(b.body) == 0 {
		return err
	}
	header := s.header.Clone()
	if s.id == "" {
		header.Set("Idempotency-Key", fmt.Sprintf("%s-%d", run, b.first))
	}
	s.counts.Add("waiting", 1)
	answer, err := backoff.Retry(ctx, func() (answer, error) {
		a, err := s.post(ctx, header, b.body)
		s.counts.Add(strconv.Itoa(a.Code), 1)
		s.bar.Describe(s.counts.String())
		return a, err
	}, backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
		s.problems.Do(func() { _ = s.bar.Clear(); fmt.Fprintln(os.Stderr, err) })
	}))
	if err != nil {
		before := b.body[:min(max(answer.Offset, 0), len(b.body))]
		return fmt.Errorf("message %d: %w", b.first+1+bytes.Count(before, newline), err)
	}
	s.counts.Add("waiting", -1)
	s.counts.Add("messages", int64(b.size()))
	return nil
}

// mark is how far a file was delivered. The file at path says the same.
type mark struct {
	path     string // "" for standard input, which has none
	run      string // begins the Idempotency-Key of each batch
	messages int
	sum      hash.Hash64 // of the messages
}

func (m *mark) add(body []byte) {
	m.messages += bytes.Count(body, newline)
	_, _ = m.sum.Write(body) // a hash has no errors
}

// begin passes what an earlier run delivered. It writes the mark, because each run has its own.
func (m *mark) begin(isResumed bool, next func() ([]byte, error)) error {
	delivered, sum := 0, uint64(0)
	if text, err := os.ReadFile(m.path); err == nil && isResumed {
		if _, err := fmt.Sscan(string(text), &m.run, &delivered, &sum); err != nil {
			return fmt.Errorf("%s is no mark; remove it to send all", m.path)
		}
	}
	for range delivered {
		message, err := next()
		if err != nil {
			return fmt.Errorf("%s has more. Without --resume, all is sent: %v", m.path, err) //nolint:errorlint // io.EOF would be a success
		}
		m.add(lineOf(message))
	}
	if delivered > 0 && sum != m.sum.Sum64() {
		return fmt.Errorf("%s has other messages. Without --resume, all is sent", m.path)
	}
	return m.save()
}

// save replaces the mark. A crash leaves the old one or the new one.
func (m *mark) save() error {
	if m.path == "" {
		return nil
	}
	return atomicwriter.WriteFile(m.path, fmt.Appendln(nil, m.run, m.messages, m.sum.Sum64()), 0o600)
}
