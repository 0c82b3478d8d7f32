//go:build e2e

package e2e

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// notifySocket receives a process's messages to systemd.
type notifySocket struct {
	address string

	mu       sync.Mutex
	messages []notice
}

// notice is one message with its time.
type notice struct {
	at    time.Time
	lines []string
}

// listenForNotices makes a socket, in the file system, or an abstract one for a name with @.
func listenForNotices(t *testing.T, address string) *notifySocket {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	s := &notifySocket{address: address}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.messages = append(s.messages, notice{time.Now(), strings.Split(strings.TrimSpace(string(buffer[:n])), "\n")})
			s.mu.Unlock()
		}
	}()
	return s
}

func noticesIn(t *testing.T) *notifySocket {
	t.Helper()
	return listenForNotices(t, filepath.Join(t.TempDir(), "notify"))
}

func (s *notifySocket) env() string { return "NOTIFY_SOCKET=" + s.address }

// find returns the first message since a time with a line with this prefix, and that line.
func (s *notifySocket) find(since time.Time, prefix string) (notice, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		for _, line := range m.lines {
			if !m.at.Before(since) && strings.HasPrefix(line, prefix) {
				return m, line
			}
		}
	}
	return notice{}, ""
}

// await waits for such a message.
func (s *notifySocket) await(t *testing.T, since time.Time, prefix string) (found notice, line string) {
	t.Helper()
	harness.Await(t, prompt, "a message with "+prefix, func() bool {
		found, line = s.find(since, prefix)
		return line != ""
	})
	return found, line
}

// count is the number of messages since a time with the line.
func (s *notifySocket) count(since time.Time, line string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		if !m.at.Before(since) && slices.Contains(m.lines, line) {
			n++
		}
	}
	return n
}

// heldPort is a listening socket of the test, as a .socket unit has one, and its address.
func heldPort(t *testing.T, name string) (harness.Socket, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	file, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close(); _ = l.Close() })
	return harness.Socket{Name: name, File: file}, l.Addr().String()
}
