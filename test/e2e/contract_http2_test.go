//go:build e2e

package e2e

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// stream2 has the frames received on a stream of HTTP/2.
type stream2 struct {
	header  http.Header
	code    int
	interim []int
	raw     []byte
	ended   bool
	reset   *http2.ErrCode
}

// line2 is a sender's end of an HTTP/2 connection, with access to its frames.
type line2 struct {
	conn    net.Conn
	framer  *http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer
	streams map[uint32]*stream2
	next    uint32
	// window is the flow control window: on the connection (0) and on each stream. first is the window of a new stream.
	window map[uint32]int64
	first  int64
	// goAway is the server's reason to end the connection.
	goAway *http2.ErrCode
	// pongs counts the answers to pings. ready is set when the settings have arrived.
	pongs int
	ready bool
}

func newLine2(t testing.TB, conn net.Conn) *line2 {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	secure, is := conn.(*tls.Conn)
	require.True(t, is)
	require.Equal(t, "h2", secure.ConnectionState().NegotiatedProtocol)
	l := &line2{conn: conn, framer: http2.NewFramer(conn, conn), streams: make(map[uint32]*stream2), window: map[uint32]int64{0: 65535}, first: 65535, next: 1}
	l.encoder = hpack.NewEncoder(&l.block)
	l.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	l.framer.AllowIllegalWrites = true
	_, err := conn.Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	require.NoError(t, l.framer.WriteSettings())
	l.until(t, "the settings", func() bool { return l.ready })
	return l
}

// post begins a request to /in. The pairs replace or follow its header fields.
func (l *line2) post(t testing.TB, end bool, pairs ...string) (id uint32) {
	t.Helper()
	fields := []string{":method", "POST", ":scheme", "https", ":authority", "x", ":path", "/in"}
	for i := 0; i+1 < len(pairs); i += 2 {
		replaced := false
		for j := 0; j+1 < len(fields); j += 2 {
			if fields[j] == pairs[i] && pairs[i][0] == ':' {
				fields[j+1], replaced = pairs[i+1], true
			}
		}
		if !replaced {
			fields = append(fields, pairs[i], pairs[i+1])
		}
	}
	return l.open(t, end, fields...)
}

// open begins a request with exactly these fields.
func (l *line2) open(t testing.TB, end bool, pairs ...string) (id uint32) {
	t.Helper()
	id, l.next = l.next, l.next+2
	l.window[id] = l.first
	require.NoError(t, l.headers(id, end, pairs...))
	return id
}

// headers writes a frame of fields, which may be trailers.
func (l *line2) headers(id uint32, end bool, pairs ...string) error {
	l.block.Reset()
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := l.encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}); err != nil {
			return err
		}
	}
	return l.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: l.block.Bytes(), EndHeaders: true, EndStream: end})
}

// body writes a body in the largest permitted pieces. It stops when the request is refused.
func (l *line2) body(t testing.TB, id uint32, text string, end bool) {
	t.Helper()
	for {
		refused := func() bool { s := l.streams[id]; return s != nil && (s.ended || s.reset != nil) }
		window := func() int64 { return min(l.window[0], l.window[id], 16<<10) }
		if text != "" {
			l.until(t, "window for the body", func() bool { return window() > 0 || refused() })
		}
		if refused() {
			return
		}
		piece := text[:min(int64(len(text)), window())]
		text = text[len(piece):]
		l.window[0] -= int64(len(piece))
		l.window[id] -= int64(len(piece))
		require.NoError(t, l.framer.WriteData(id, end && text == "", []byte(piece)))
		if text == "" {
			return
		}
	}
}

// send is a whole request with this body.
func (l *line2) send(t testing.TB, text string, pairs ...string) (id uint32) {
	t.Helper()
	id = l.post(t, false, pairs...)
	l.body(t, id, text, true)
	return id
}

// until reads frames until a condition holds. It fails if the connection ends before.
func (l *line2) until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	require.NoError(t, l.conn.SetReadDeadline(time.Now().Add(answerWithin)))
	for !holds() {
		require.NoError(t, l.frame(), "waiting for %s", what)
	}
}

// frame reads one frame.
func (l *line2) frame() error {
	frame, err := l.framer.ReadFrame()
	if err != nil {
		return err
	}
	s := l.streams[frame.Header().StreamID]
	if s == nil {
		s = &stream2{header: make(http.Header)}
		l.streams[frame.Header().StreamID] = s
	}
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			return nil
		}
		if n, is := f.Value(http2.SettingInitialWindowSize); is {
			l.first = int64(n)
		}
		l.ready = true
		return l.framer.WriteSettingsAck()
	case *http2.WindowUpdateFrame:
		l.window[f.StreamID] += int64(f.Increment)
	case *http2.PingFrame:
		if f.IsAck() {
			l.pongs++
		}
	case *http2.MetaHeadersFrame:
		return s.take(f)
	case *http2.DataFrame:
		s.raw = append(s.raw, f.Data()...)
		s.ended = s.ended || f.StreamEnded()
	case *http2.RSTStreamFrame:
		s.reset = &f.ErrCode
	case *http2.GoAwayFrame:
		l.goAway = &f.ErrCode
	}
	return nil
}

// take reads the fields of an answer.
func (s *stream2) take(f *http2.MetaHeadersFrame) error {
	code, err := strconv.Atoi(f.PseudoValue("status"))
	if err != nil {
		return fmt.Errorf("no status: %w", err)
	}
	if code < http.StatusOK {
		s.interim = append(s.interim, code)
		return nil
	}
	s.code, s.ended = code, f.StreamEnded()
	for _, field := range f.RegularFields() {
		s.header.Add(field.Name, field.Value)
	}
	return nil
}

// answer waits for the answer to a request.
func (l *line2) answer(t testing.TB, id uint32) answer {
	t.Helper()
	l.until(t, "an answer", func() bool {
		s := l.streams[id]
		require.False(t, s != nil && s.reset != nil && !s.ended, "the stream was reset")
		return s != nil && s.ended
	})
	s := l.streams[id]
	return answer{http2: true, code: s.code, header: s.header, raw: s.raw}
}

// requireGoAway waits for the server's GOAWAY and its reason. The server closes the connection a second later.
func (l *line2) requireGoAway(t testing.TB) http2.ErrCode {
	t.Helper()
	l.until(t, "GOAWAY", func() bool { return l.goAway != nil })
	return *l.goAway
}

// requireEnd waits for the end of the connection.
func (l *line2) requireEnd(t testing.TB) {
	t.Helper()
	require.NoError(t, l.conn.SetReadDeadline(time.Now().Add(answerWithin)))
	for {
		if err := l.frame(); err != nil {
			var timeout net.Error
			require.NotErrorAs(t, err, &timeout)
			return
		}
	}
}
