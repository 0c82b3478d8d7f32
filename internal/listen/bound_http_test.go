package listen

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// intake is a handler that reads a body and answers, as the handler of /in does.
type intake struct {
	bound    *Bound
	read     chan struct{} // if set, a body has been read
	mayGoOn  chan struct{} // if set, the step after read waits for it
	complete chan struct{} // if set, a request is complete
	answer   chan struct{} // if set, a complete request waits for it
	lost     atomic.Int64  // requests whose connection was gone
	done     atomic.Int64  // requests that were answered
}

func (i *intake) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	pass(i.read)
	wait(i.mayGoOn)
	done, ok := i.bound.Complete(req.Context())
	if !ok {
		i.lost.Add(1)
		panic(http.ErrAbortHandler)
	}
	defer done()
	pass(i.complete)
	wait(i.answer)
	i.done.Add(1)
	_, _ = io.WriteString(w, "all of it")
}

func pass(c chan struct{}) {
	if c != nil {
		c <- struct{}{}
	}
}

func wait(c chan struct{}) {
	if c != nil {
		<-c
	}
}

const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"

// answered reads an answer from conn.
func answered(t testing.TB, conn net.Conn) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "all of it", string(body))
}

func TestSlowSendersCannotLockOthersOut(t *testing.T) {
	const limit = 64
	b := NewBound(limit)
	raw := loopback(t)
	h := &intake{bound: b}
	run(t, server(b, h, nil), b.Listener(raw))
	address := raw.Addr().String()

	good := dial(t, "tcp", address)
	send(t, good, post)
	answered(t, good)
	for i := range 4 * limit { // idle, in the middle of the headers, in the middle of the body
		bad := dial(t, "tcp", address)
		send(t, bad, []string{"", "POST / HT", post[:len(post)-1]}[i%3])
	}
	soon(t, func() bool { return b.Displaced() >= 3*limit })
	require.LessOrEqual(t, b.Open(), limit)
	gone(t, good)

	for range limit { // each on a new connection, beside a new slow sender
		send(t, dial(t, "tcp", address), post[:len(post)-1])
		conn := dial(t, "tcp", address)
		send(t, conn, post)
		answered(t, conn)
	}
	require.LessOrEqual(t, b.Open(), limit)
	require.Zero(t, h.lost.Load())
}

func TestAcceptWaitsWhileAllAwaitAnswers(t *testing.T) {
	b := NewBound(2)
	raw := loopback(t)
	h := &intake{bound: b, complete: make(chan struct{}), answer: make(chan struct{})}
	run(t, server(b, h, nil), b.Listener(raw))
	var conns []net.Conn
	for range 2 {
		conn := dial(t, "tcp", raw.Addr().String())
		send(t, conn, post)
		<-h.complete
		conns = append(conns, conn)
	}
	late := dial(t, "tcp", raw.Addr().String())
	send(t, late, post)
	require.Never(t, func() bool { return len(h.complete) > 0 || b.Displaced() > 0 }, 20*time.Millisecond, time.Millisecond)

	// After the first answer, its connection is idle and can be displaced.
	start := time.Now()
	h.answer <- struct{}{}
	<-h.complete
	require.Less(t, time.Since(start), answerGrace, "ConnState reported that the answer was written")
	h.answer <- struct{}{}
	h.answer <- struct{}{}
	for _, conn := range append(conns, late) {
		answered(t, conn)
	}
	require.Equal(t, uint64(1), b.Displaced())
}

func TestARequestOfADisplacedConnectionIsDropped(t *testing.T) {
	b := NewBound(1)
	raw := loopback(t)
	h := &intake{bound: b, read: make(chan struct{}), mayGoOn: make(chan struct{})}
	run(t, server(b, h, nil), b.Listener(raw))
	first := dial(t, "tcp", raw.Addr().String())
	send(t, first, post)
	<-h.read
	second := dial(t, "tcp", raw.Addr().String())
	gone(t, first)
	h.mayGoOn <- struct{}{}
	soon(t, func() bool { return h.lost.Load() == 1 })
	send(t, second, post)
	<-h.read
	h.mayGoOn <- struct{}{}
	answered(t, second)
	require.Equal(t, int64(1), h.done.Load())
}

// Every answer arrives, while each new connection displaces a connection that has just been answered: more senders than the limit
// allows use one connection for each request.
func TestAnswersArriveDuringDisplacement(t *testing.T) {
	for name, secure := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			const limit, senders, requests = 3, 12, 20
			b := NewBound(limit)
			raw := loopback(t)
			h := &intake{bound: b}
			s := server(b, h, nil)
			if secure {
				s = server(b, h, newAuthority(t).certificates(t).Config())
			}
			run(t, s, b.Listener(raw))
			var got atomic.Int64
			var all sync.WaitGroup
			for range senders {
				all.Go(func() {
					for range requests {
						if sendOnce(t, raw.Addr().String(), secure) {
							got.Add(1)
						}
					}
				})
			}
			all.Wait()
			require.Equal(t, h.done.Load(), got.Load(), "every answer that was written")
			require.Positive(t, got.Load())
			t.Logf("%d answered, %d displaced, %d lost before they counted", got.Load(), b.Displaced(), h.lost.Load())
		})
	}
}

// sendOnce sends a request over a connection of its own, which it keeps open until it has the answer.
func sendOnce(t testing.TB, address string, secure bool) bool {
	t.Helper()
	client, scheme := plainClient(t), "http"
	if secure {
		client, scheme = h2Client(t, nil), "https"
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("%s://%s/", scheme, address), io.NopCloser(strings.NewReader("body")))
	require.NoError(t, err)
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return err == nil && string(body) == "all of it"
}

func plainClient(t testing.TB) *http.Client {
	t.Helper()
	return &http.Client{Transport: &http.Transport{}, Timeout: patience}
}

func TestAnHTTP2ConnectionStaysWhileOneRequestIsComplete(t *testing.T) {
	b := NewBound(1)
	raw := loopback(t)
	h := &intake{bound: b, complete: make(chan struct{}), answer: make(chan struct{})}
	run(t, server(b, h, newAuthority(t).certificates(t).Config()), b.Listener(raw))
	client := h2Client(t, nil)
	defer client.CloseIdleConnections()
	url := "https://" + raw.Addr().String()

	// One stream is slow, two are complete.
	unsent, slow := io.Pipe()
	defer slow.Close()
	results := make(chan error, 3)
	post := func(body io.Reader) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
		if err != nil {
			results <- err
			return
		}
		res, err := client.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		results <- err
	}
	go post(unsent)
	_, err := io.WriteString(slow, "some")
	require.NoError(t, err)
	go post(strings.NewReader("first"))
	<-h.complete
	go post(strings.NewReader("second"))
	<-h.complete
	require.Equal(t, 1, b.Open(), "all share a connection")

	late := dial(t, "tcp", raw.Addr().String())
	h.answer <- struct{}{}
	require.NoError(t, <-results)
	require.Never(t, func() bool { return b.Displaced() > 0 }, answerGrace+50*time.Millisecond, 10*time.Millisecond)
	h.answer <- struct{}{}
	require.NoError(t, <-results)
	require.Error(t, <-results, "an incomplete request does not keep the connection")
	require.Equal(t, uint64(1), b.Displaced())
	require.NoError(t, late.Close())
}

// An HTTP/2 connection is idle before the last bytes of its answer have been written, and must not be closed then.
func TestAnIdleHTTP2ConnectionStaysForAnswerGrace(t *testing.T) {
	b := NewBound(1)
	raw := loopback(t)
	run(t, server(b, &intake{bound: b}, newAuthority(t).certificates(t).Config()), b.Listener(raw))
	client := h2Client(t, nil)
	defer client.CloseIdleConnections()
	start := time.Now()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+raw.Addr().String(), strings.NewReader("body"))
	require.NoError(t, err)
	res, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 2, res.ProtoMajor)
	dial(t, "tcp", raw.Addr().String())
	soon(t, func() bool { return b.Displaced() == 1 })
	require.GreaterOrEqual(t, time.Since(start), answerGrace)
}
