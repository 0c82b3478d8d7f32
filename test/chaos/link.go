//go:build chaos

package chaos

import (
	"encoding/binary"
	"net"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
)

// A verdict is what a script decides about the connection after the bytes it let pass.
type verdict int

const (
	pass verdict = iota
	fin          // close both sides, what was written before still arrives
	rst          // close both sides with a reset, what was not read yet is gone
	half         // close the direction of the bytes only
)

// script sees what is about to be written in one direction and decides what becomes of it. On the way from the sink it
// gets one lumberjack frame at a time, else what was read at once.
type script func(l *link, p []byte) ([]byte, verdict)

// link is one connection through a proxy.
type link struct {
	proxy          *proxy
	id             int
	owner          int // the process that had connected, or was connected to
	local          string
	opened         time.Time
	client, server *net.TCPConn
	done           chan struct{} // closed with the connection

	mu      sync.Mutex
	ended   time.Time
	cause   string
	halves  int // directions that have come to their end
	touches []touch
	acks    []ackFrame
	partial []byte // the beginning of a frame
}

// ackFrame is one acknowledgement that was passed on to the process, with the moment just before that.
type ackFrame struct {
	at    time.Time
	count int
}

// touch is a stretch of time in which a fault was at work that may end connections.
type touch struct {
	fault    string
	from, to time.Time // to is zero while it goes on
}

// touch notes that such a fault begins, or, without a name, that it is over.
func (l *link) touch(fault string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.touches); n > 0 && l.touches[n-1].to.IsZero() {
		l.touches[n-1].to = time.Now()
	}
	if fault != "" {
		l.touches = append(l.touches, touch{fault: fault, from: time.Now()})
	}
}

// touched finds a fault that was at work at any time between two moments.
func (l *link) touched(first, second time.Time) (t touch, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.touches {
		if t.from.Before(second) && (t.to.IsZero() || t.to.After(first)) {
			return t, true
		}
	}
	return touch{}, false
}

// cut closes both sides. The first cause counts.
func (l *link) cut(v verdict, cause string) {
	l.mu.Lock()
	if !l.ended.IsZero() {
		l.mu.Unlock()
		return
	}
	l.ended, l.cause = time.Now(), cause
	l.mu.Unlock()
	if v == rst {
		_ = l.client.SetLinger(0)
		_ = l.server.SetLinger(0)
	}
	_ = l.client.Close()
	_ = l.server.Close()
	close(l.done)
	l.proxy.forget(l)
}

func (l *link) isOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended.IsZero()
}

// side is one direction of a link, as the pipeline that feeds it sees it.
type side struct {
	link  *link
	dir   stream.Direction
	to    *net.TCPConn
	quiet bool // nothing goes out any more
}

// Write never fails: a pipeline that is not emptied to its end would stay behind with all its goroutines.
func (s *side) Write(p []byte) (int, error) {
	if s.quiet {
		return len(p), nil
	}
	if s.dir == stream.Downstream && s.link.proxy.frames {
		for _, frame := range s.link.takeFrames(p) {
			s.pass(frame)
		}
	} else {
		s.pass(p)
	}
	return len(p), nil
}

// pass asks the script, if there is one, and does what it says.
func (s *side) pass(p []byte) {
	if s.quiet {
		return
	}
	v := pass
	if f := s.link.proxy.script(s.dir); f != nil {
		p, v = f(s.link, p)
	}
	s.link.noteAcks(s.dir, p)
	if _, err := s.to.Write(p); err != nil {
		s.quiet = true
		s.link.cut(fin, "write: "+err.Error())
		return
	}
	switch v {
	case pass:
	case half:
		s.quiet = true
		_ = s.to.CloseWrite()
	case fin, rst:
		s.quiet = true
		s.link.cut(v, "cut")
	}
}

// Close is called when the direction has come to its end: one side's closing is passed on as what it is.
func (s *side) Close() error {
	l := s.link
	l.mu.Lock()
	l.halves++
	both := l.halves == 2
	l.mu.Unlock()
	if both {
		l.cut(fin, "both sides closed")
		return nil
	}
	_ = s.to.CloseWrite() // it may be closed already
	return nil
}

// takeFrames cuts what came from the sink into lumberjack's frames: version, type and a number, six bytes.
func (l *link) takeFrames(p []byte) [][]byte {
	const size = 6
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	var frames [][]byte
	for len(l.partial) >= size {
		frames = append(frames, l.partial[:size:size])
		l.partial = l.partial[size:]
	}
	return frames
}

// noteAcks remembers the acknowledgements that go to the process.
func (l *link) noteAcks(dir stream.Direction, frames []byte) {
	if dir != stream.Downstream || !l.proxy.frames {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; len(frames) >= 6; frames = frames[6:] {
		if n := ackCount(frames); n > 0 {
			l.acks = append(l.acks, ackFrame{time.Now(), n})
		}
	}
}

// ackCount is how many events of its window a frame acknowledges; a keep-alive acknowledges none.
func ackCount(frame []byte) int {
	if len(frame) < 6 || frame[0] != '2' || frame[1] != 'A' {
		return 0
	}
	return int(binary.BigEndian.Uint32(frame[2:]))
}

// ackOf makes a frame.
func ackOf(n int) []byte {
	return binary.BigEndian.AppendUint32([]byte{'2', 'A'}, uint32(n))
}
