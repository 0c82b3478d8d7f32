package sender

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/elastic/elastic-agent-libs/mapstr"
)

const maxBatch = 1 << 20 // bytes after which a batch ends

// Sender sends files, one after the other. The caller sets the fields of the first group.
type Sender struct {
	Client          *Client
	Header          http.Header
	Batch, Parallel int     // messages of a batch, and batches
	Rate            float64 // messages per second; 0 is no limit
	ID              string  // the field that each message must have, or ""
	IsResumed       bool    // go on at the mark
	Log             io.Writer
	IsTerminal      bool        // Log is one, and gets a bar
	Answers         map[int]int // by code; 0 is none
	Begun           time.Time

	mu        sync.Mutex
	bar       *progressbar.ProgressBar
	log       rate.Sometimes
	waiting   int // batches
	delivered int // messages
}

// mark is how far a file was delivered: the content of the file beside it.
type mark struct {
	Run    string // begins the Idempotency-Key of each batch
	Lines  int    // of the file, or elements of its arrays
	SHA256 []byte // of these lines
}

// batch is what one request posts.
type batch struct {
	mark            // at its end
	first       int // lines before it
	body        []byte
	isDelivered bool
}

// Send sends what the mark of a file does not have. "-" is standard input.
func (s *Sender) Send(ctx context.Context, name string) (err error) {
	file, path, size := os.Stdin, "", int64(-1)
	if name != "-" {
		if file, err = os.Open(name); err != nil { //nolint:gosec // the operator names it
			return err
		}
		defer file.Close() //nolint:errcheck // it was only read
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			path, size = name+".rtbeat-sent", max(info.Size(), 1)
		}
	}
	s.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(s.Log), progressbar.OptionSetVisibility(s.IsTerminal), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(10), progressbar.OptionSetPredictTime(false), progressbar.OptionSetSpinnerChangeInterval(0), progressbar.OptionThrottle(100*time.Millisecond))
	defer s.bar.Finish() //nolint:errcheck // it was shown, or not
	r, w := io.Pipe()    // nothing interrupts a read of standard input: this goroutine ends with the next bytes, or with the process
	go func() { _, err := io.Copy(io.MultiWriter(w, s.bar), file); _ = w.CloseWithError(err) }()
	defer context.AfterFunc(ctx, func() { _ = r.CloseWithError(context.Cause(ctx)) })()
	defer r.Close() //nolint:errcheck // it returns none

	next, err := messages(r)
	m, sum, limiter := &mark{Run: rand.Text()}, sha256.New(), rate.NewLimiter(cmp.Or(rate.Limit(s.Rate), rate.Inf), s.Batch)
	if err == nil {
		err = s.begin(path, m, sum, next)
	}
	for err == nil {
		var round []*batch
		var group errgroup.Group
		for err == nil && len(round) < s.Parallel {
			b := &batch{first: m.Lines}
			err = s.read(b, m, next, func() error {
				if limiter.Wait(ctx) != nil {
					<-ctx.Done() // Wait does not wait for a deadline that comes too early
				}
				return context.Cause(ctx)
			})
			_, _ = sum.Write(b.body) // a hash has no errors
			b.mark = mark{m.Run, m.Lines, sum.Sum(nil)}
			group.Go(func() error { return s.deliver(ctx, b) })
			round = append(round, b)
		}
		err = cmp.Or(group.Wait(), err)
		end := slices.IndexFunc(append(round, &batch{}), func(b *batch) bool { return !b.isDelivered })
		if end > 0 { // the mark has no gaps
			err = cmp.Or(round[end-1].save(path), err)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// begin writes the mark before the first batch, because Run is in its key. To go on, it passes what an earlier run delivered.
func (s *Sender) begin(path string, m *mark, sum hash.Hash, next func() ([]byte, error)) error {
	if path == "" && s.IsResumed {
		return errors.New("a pipe cannot be resumed; write its messages into a file")
	}
	text, err := os.ReadFile(path) //nolint:gosec // beside a file that the operator names
	if path == "" || !s.IsResumed || errors.Is(err, os.ErrNotExist) {
		return m.save(path)
	}
	if err = cmp.Or(err, json.Unmarshal(text, m)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for n := 0; n < m.Lines && err == nil; n++ {
		var line []byte
		line, err = next()
		_, _ = sum.Write(append(bytes.Clone(line), '\n'))
	}
	if err != nil || m.Lines > 0 && !bytes.Equal(sum.Sum(nil), m.SHA256) {
		return fmt.Errorf("it shrank or changed: %s has other messages as delivered. Without --resume, all are sent", path)
	}
	return nil
}

// save replaces the file. A crash leaves the old mark or the new one.
func (m *mark) save(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // as above
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = cmp.Or(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// read reads a batch. The error may follow some lines.
func (s *Sender) read(b *batch, m *mark, next func() ([]byte, error), wait func() error) error {
	for m.Lines < b.first+s.Batch && len(b.body) < maxBatch {
		line, err := next()
		if errors.Is(err, io.EOF) {
			return err
		}
		if err == nil && s.ID != "" {
			var message mapstr.M
			_ = json.Unmarshal(line, &message)
			id, _ := message.GetValue(s.ID)
			text, _ := id.(string)
			if _, isNumber := id.(float64); text == "" && !isNumber {
				err = errors.New("no " + s.ID)
			}
		}
		if err = cmp.Or(err, wait()); err != nil {
			return fmt.Errorf("line or element %d: %w", m.Lines+1, err)
		}
		b.body = append(append(b.body, line...), '\n')
		m.Lines++
	}
	return nil
}

// deliver posts a batch until its 200. Its attempts have one key, also in a run that goes on at the mark.
func (s *Sender) deliver(ctx context.Context, b *batch) error {
	s.report(nil, 1)
	defer s.report(nil, -1)
	for wait := time.Second / 4; len(bytes.TrimSpace(b.body)) > 0; wait = min(2*wait, time.Minute/2) {
		answer := s.Client.Post(ctx, "application/x-ndjson", b.body, func(req *http.Request) {
			maps.Copy(req.Header, s.Header)
			req.Header.Set("Idempotency-Key", fmt.Sprintf("%s-%d", b.Run, b.first))
		})
		if answer.Err() == nil || ctx.Err() == nil {
			s.report(&answer, 0)
		}
		switch err := answer.Err(); {
		case err == nil:
			b.isDelivered = true
			return nil
		case answer.isFinal():
			line := b.first + 1 + bytes.Count(b.body[:min(answer.Offset, len(b.body))], []byte("\n"))
			return fmt.Errorf("line or element %d: %w", line, err)
		}
		select {
		case <-time.After(max(answer.After, wait/2) + mathrand.N(wait/2)): //nolint:gosec // no secret
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	b.isDelivered = true // blank lines
	return nil
}

// report counts an answer and the batches that wait, and shows the counts.
func (s *Sender) report(answer *Answer, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	problem := ""
	if s.waiting += waiting; answer != nil {
		s.Answers[answer.Code]++
		if err := answer.Err(); err != nil {
			problem = "; " + err.Error()
		} else {
			s.delivered += answer.Messages
		}
	}
	s.bar.Describe(s.Summary())
	if answer != nil && (problem != "" || !s.IsTerminal) {
		s.log.Interval = 5 * time.Second
		s.log.Do(func() { _ = s.bar.Clear(); _, _ = fmt.Fprintln(s.Log, s.Summary()+problem) })
	}
}

// Summary has the counts. With the bar it fits into a line.
func (s *Sender) Summary() string {
	answers := strings.Trim(fmt.Sprint(s.Answers), "map[]")
	return fmt.Sprintf("%d messages, %.0f/s, %d waiting, answers %s", s.delivered, float64(s.delivered)/time.Since(s.Begun).Seconds(), s.waiting, answers)
}
