package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/bench/message"
	"github.com/txn2/rtbeat/test/harness"
)

// ids numbers the messages of a whole run. A repeated number would be deduped.
var ids atomic.Uint64

// load is a number of senders. Each waits for its answer before it sends again.
type load struct {
	senders  int
	messages int // in a batch
	size     message.Size
	gzip     bool
}

// bodies keeps bodies for later rounds: making one takes long.
type bodies map[load]*message.Body

func (b bodies) of(l load) *message.Body {
	l.senders, l.gzip = 0, false
	if b[l] == nil {
		b[l] = message.NewBody(l.messages, l.size)
	}
	return b[l]
}

// run keeps the senders posting for d. The sample begins before the first request and ends after the last answer, so that it
// has all the work for exactly these events.
func (b *bench) run(beat *harness.Beat, l load, d time.Duration) sample {
	senders := b.connect(beat, l)
	defer closeAll(senders)
	before, end := b.read(beat.Pid()), time.Now().Add(d)
	var group sync.WaitGroup
	var answered atomic.Int64
	errs := make([]error, l.senders)
	for i, s := range senders {
		group.Go(func() {
			for errs[i] == nil && time.Now().Before(end) {
				errs[i] = s.send()
				answered.Add(int64(l.messages))
			}
		})
	}
	group.Wait()
	require.NoError(b.t, errors.Join(errs...))
	b.arrived(before.received, int(answered.Load()))
	return before.until(b.read(beat.Pid()))
}

// connect opens a connection for each sender of a load.
func (b *bench) connect(beat *harness.Beat, l load) []*sender {
	senders := make([]*sender, l.senders)
	for i := range senders {
		conn, err := net.Dial("tcp", beat.Addr)
		require.NoError(b.t, err)
		senders[i] = &sender{conn: conn, in: bufio.NewReaderSize(conn, 1024), messages: l.messages}
		if l.messages > 0 {
			senders[i].body = b.bodies.of(l).Clone()
		}
		if l.gzip {
			// The fastest level: the senders share their core with the sink. rtbeat decompresses all levels alike.
			senders[i].packer, err = gzip.NewWriterLevel(nil, gzip.BestSpeed)
			require.NoError(b.t, err)
		}
	}
	return senders
}

func closeAll(senders []*sender) {
	for _, s := range senders {
		_ = s.conn.Close()
	}
}

// sender is a connection, and the batch that it sends. It writes its requests by hand: net/http's client takes several times
// the CPU time, on the core of the sink.
type sender struct {
	conn     net.Conn
	in       *bufio.Reader
	body     *message.Body
	messages int
	packed   bytes.Buffer
	packer   *gzip.Writer // nil for plain bodies
}

// send sends the batch once, with new numbers.
func (s *sender) send() error {
	text, coding := s.body.Numbered(ids.Add(uint64(s.messages))), ""
	if s.packer != nil {
		s.packed.Reset()
		s.packer.Reset(&s.packed)
		_, err := s.packer.Write(text)
		if err := errors.Join(err, s.packer.Close()); err != nil {
			return err
		}
		text, coding = s.packed.Bytes(), "Content-Encoding: gzip\r\n"
	}
	head := fmt.Appendf(nil, "POST /in HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n", coding, len(text))
	return s.exchange(head, text)
}

// exchange sends a request and reads the whole answer. Any answer but 200 is an error.
func (s *sender) exchange(head, body []byte) error {
	request := net.Buffers{head, body} // one system call for both
	if _, err := request.WriteTo(s.conn); err != nil {
		return err
	}
	answer, err := http.ReadResponse(s.in, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s: %s", answer.Status, text)
	}
	return err
}

func TestOnly200IsASuccess(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n{}\r\n"
	exchange := func(answers string) *sender {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { _ = ours.Close() })
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		return &sender{conn: ours, in: bufio.NewReader(strings.NewReader(answers))}
	}
	s := exchange(ok + ok)
	require.NoError(t, s.exchange(nil, []byte("x")))
	require.NoError(t, s.exchange(nil, []byte("x")), "the first answer was read to its end")
	require.ErrorIs(t, s.exchange(nil, []byte("x")), io.ErrUnexpectedEOF)
	for answer, want := range map[string]string{
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nstall": "answered 503 Service Unavailable: stall",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n":                       "EOF",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n":                       "bad Content-Length",
	} {
		require.ErrorContains(t, exchange(answer).exchange(nil, []byte("x")), want)
	}
}
