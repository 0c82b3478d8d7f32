//go:build unix

package systemd

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// listenTo is a socket of a service manager.
func listenTo(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

func next(t *testing.T, conn *net.UnixConn) []string {
	t.Helper()
	buffer := make([]byte, 4096)
	n, err := conn.Read(buffer)
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(string(buffer[:n]), "\n"), "\n")
}

func TestMessages(t *testing.T) {
	conn := listenTo(t)
	n := NewNotifier(func(err error) { t.Error(err) })
	n.Ready("here")
	require.Equal(t, []string{"READY=1", "STATUS=here"}, next(t, conn))
	n.Status("here") // nothing new
	n.Status("two\nlines")
	require.Equal(t, []string{"STATUS=two lines"}, next(t, conn))
	n.Reloading()
	message := next(t, conn)
	require.Equal(t, "RELOADING=1", message[0])
	if len(message) > 1 { // not every system has the clock
		_, usec, found := strings.Cut(message[1], "MONOTONIC_USEC=")
		require.True(t, found, message)
		_, err := strconv.ParseUint(usec, 10, 64)
		require.NoError(t, err)
	}
	n.Stopping("gone soon", 1500*time.Millisecond)
	require.Equal(t, []string{"STOPPING=1", "STATUS=gone soon", "EXTEND_TIMEOUT_USEC=1500000"}, next(t, conn))
	n.Extend(-1)
	require.Equal(t, []string{"EXTEND_TIMEOUT_USEC=0"}, next(t, conn))
}

func TestNothingHappensWithoutAServiceManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := NewNotifier(nil)
	require.Nil(t, n)
	n.Ready("")
	n.Status("")
	n.Reloading()
	n.Stopping("", 0)
	n.Extend(0)
	n.Feed(t.Context(), time.Millisecond, func() bool { t.Error("the check was called"); return true })
	sockets, err := Inherited()
	require.NoError(t, err)
	require.Equal(t, Sockets{}, sockets)
}

// Only the first message that cannot be sent is reported.
func TestAFailureIsReportedOnce(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	var complaints []error
	n := NewNotifier(func(err error) { complaints = append(complaints, err) })
	n.Ready("a")
	n.Status("b")
	require.Len(t, complaints, 1)
	require.ErrorContains(t, complaints[0], "NOTIFY_SOCKET")
}

// A service manager that does not read blocks nothing. READY=1 is sent when it reads again.
func TestAFullSocketDoesNotBlock(t *testing.T) {
	conn := listenTo(t)
	var complaints []error
	n := NewNotifier(func(err error) { complaints = append(complaints, err) })
	full := func() bool { n.alive(); return len(complaints) > 0 }
	for !full() {
		require.NoError(t, t.Context().Err())
	}
	require.ErrorIs(t, complaints[0], os.ErrDeadlineExceeded)
	n.Ready("here")
	n.Extend(time.Second)
	for message := ""; message != "STATUS=here"; { // each read makes space in the socket
		n.Status("here")
		lines := next(t, conn)
		message = lines[len(lines)-1]
		if message == "STATUS=here" {
			require.Equal(t, []string{"READY=1", message}, lines)
		}
	}
	require.Len(t, complaints, 1)
	n.Stopping("gone soon", time.Second)
	n.Ready("a reload that took longer")
	n.Status("gone soon, still")
	require.Equal(t, "STOPPING=1", next(t, conn)[0])
	require.Equal(t, []string{"STATUS=gone soon, still"}, next(t, conn))
}

func TestTheWatchdogIsFedByChecksThatSucceed(t *testing.T) {
	conn := listenTo(t)
	n := NewNotifier(func(err error) { t.Error(err) })
	ctx, cancel := context.WithCancel(t.Context())
	var rounds atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.Feed(ctx, 8*time.Millisecond, func() bool { return rounds.Add(1)%2 == 0 })
	}()
	for range 3 {
		require.Equal(t, []string{"WATCHDOG=1"}, next(t, conn))
	}
	require.GreaterOrEqual(t, rounds.Load(), int64(6), "every second check succeeds")
	cancel()
	<-ended

	t.Setenv("WATCHDOG_USEC", "2000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	interval, err := WatchdogInterval()
	require.NoError(t, err)
	require.Equal(t, 2*time.Second, interval)
	require.Empty(t, os.Getenv("WATCHDOG_USEC"), "a child process could feed it")
	interval, err = WatchdogInterval()
	require.NoError(t, err)
	require.Zero(t, interval)
	t.Setenv("WATCHDOG_USEC", "soon")
	_, err = WatchdogInterval()
	require.ErrorContains(t, err, "WATCHDOG_USEC")
}

// named is a listening socket with a name.
func named(t *testing.T, name string) *os.File {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	// go-systemd does the same with the descriptors that it is passed.
	return os.NewFile(dup(t, file), name)
}

func TestSocketsByName(t *testing.T) {
	for _, name := range []string{"in", "rtbeat.socket", "unknown", "LISTEN_FD_3"} {
		s, err := take([]*os.File{named(t, name)})
		require.NoError(t, err, name)
		require.NotNil(t, s.Intake, name)
		require.Nil(t, s.Admin, name)
		s.Close()
	}
	s, err := take([]*os.File{named(t, "admin"), named(t, "in")})
	require.NoError(t, err)
	require.NotNil(t, s.Intake)
	require.NotNil(t, s.Admin)
	s.Close()
	s, err = take([]*os.File{named(t, "admin")})
	require.NoError(t, err)
	require.Nil(t, s.Intake, "a socket of another name")
	s.Close()

	for want, names := range map[string][]string{
		`named "metrics", which rtbeat does not know`:       {"in", "metrics"},
		`named "rtbeat.socket", which rtbeat does not know`: {"rtbeat.socket", "admin"}, // FileDescriptorName= is missing
		`more than one socket named "in"`:                   {"in", "in"},
		`named "connection"`:                                {"connection"}, // Accept=yes
	} {
		var files []*os.File
		for _, name := range names {
			files = append(files, named(t, name))
		}
		s, err := take(files)
		require.ErrorContains(t, err, want)
		s.Close()
	}
	file, err := os.Open(os.DevNull)
	require.NoError(t, err)
	_, err = take([]*os.File{os.NewFile(dup(t, file), "in")})
	require.ErrorContains(t, err, "must be a stream socket that listens")
}

// A read loses the rest of a packet that is larger than its buffer.
func TestASocketOfPacketsIsRefused(t *testing.T) {
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "p"), Net: "unixpacket"})
	if errors.Is(err, syscall.EPROTONOSUPPORT) {
		t.Skip("this system has no Unix sockets of packets")
	}
	require.NoError(t, err)
	defer l.Close()
	file, err := l.File()
	require.NoError(t, err)
	defer file.Close()
	s, err := take([]*os.File{os.NewFile(dup(t, file), "in")})
	require.ErrorContains(t, err, "must be a stream socket that listens")
	require.ErrorContains(t, err, "sequential-packet socket")
	require.Equal(t, Sockets{}, s)
}

// dup returns a second descriptor of file.
func dup(t *testing.T, file *os.File) uintptr {
	t.Helper()
	fd, err := syscall.Dup(int(file.Fd()))
	require.NoError(t, err)
	return uintptr(fd)
}
