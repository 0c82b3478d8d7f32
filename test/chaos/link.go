//go:build chaos

package chaos

import (
	"encoding/binary"
	"net"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
)

// A verdict of a script ends the connection, or not, after the bytes that it returned.
type verdict int

const (
	pass verdict = iota
	fin          // close both sides: written bytes still arrive
	rst          // reset both sides: unread bytes are lost
	half         // close this direction only
)

// script receives the bytes of one direction and returns the bytes to write. From the sink it receives one lumberjack frame at a
// time, else the bytes of one read.
type script func(l *link, p []byte) ([]byte, verdict)

// link is one connection through a proxy.
type link struct {
	proxy          *proxy
	id             int
	owner          int // the process at one end
	local          string
	opened         time.Time
	client, server *net.TCPConn
	done           chan struct{} // closed with the connection

	mu      sync.Mutex
	ended   time.Time
	halves  int // closed directions
	touches []touch
	acks    []ackFrame
	partial []byte // the beginning of a frame
}

// ackFrame is one acknowledgement, with the time just before the process received it.
type ackFrame struct {
	at    time.Time
	count int
}

// touch is the time of a fault that may end connections.
type touch struct {
	fault    string
	from, to time.Time // to is zero during the fault
}

// touch records the beginning of a fault, or, without a name, its end.
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

// touched finds a fault between two times.
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
	l.ended = time.Now()
	l.mu.Unlock()
	if v == rst {
		_ = l.client.SetLinger(0)
		_ = l.server.SetLinger(0)
	}
	_ = l.client.Close()
	_ = l.server.Close()
	close(l.done)
	l.proxy.note("connection %d of process %d ended: %s", l.id, l.owner, cause)
}

func (l *link) isOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended.IsZero()
}

// side is the writer at the end of one direction's pipeline.
type side struct {
	link  *link
	dir   stream.Direction
	to    *net.TCPConn
	quiet bool // writes nothing more
}

// Write never fails: a pipeline that is not read to its end leaks its goroutines.
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

// pass runs the script, if there is one, and writes its result.
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

// Close passes on the end of a direction as a half-close. The end of both directions closes the link.
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

// takeFrames cuts the sink's bytes into lumberjack frames of six bytes: version, type and a number.
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

// noteAcks records the acknowledgements for the process.
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

// ackCount is the number of events of its window that a frame acknowledges. It is 0 for a keep-alive.
func ackCount(frame []byte) int {
	if len(frame) < 6 || frame[0] != '2' || frame[1] != 'A' {
		return 0
	}
	return int(binary.BigEndian.Uint32(frame[2:]))
}

// ackOf makes a frame that acknowledges n events.
func ackOf(n int) []byte {
	return binary.BigEndian.AppendUint32([]byte{'2', 'A'}, uint32(n))
}
