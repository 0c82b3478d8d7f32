//go:build unix

package listen

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/setting"
)

// socketPath returns a path that fits into a socket's address.
func socketPath(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "l") //nolint:usetesting // t.TempDir has the name of the test in it, which is too long
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	return filepath.Join(directory, "in.sock")
}

func bindAt(path string, mode fs.FileMode) (net.Listener, error) {
	return (&Settings{Host: "unix://" + path, Port: 8081, SocketMode: setting.FileMode(mode)}).Bind()
}

func TestUnixSocketHasItsModeAndIsRemoved(t *testing.T) {
	for _, umask := range []int{0, 0o777} {
		path := socketPath(t)
		before := syscall.Umask(umask)
		l, err := bindAt(path, 0o640)
		syscall.Umask(before)
		require.NoError(t, err)
		info, err := os.Lstat(path)
		require.NoError(t, err)
		require.Equal(t, fs.ModeSocket|0o640, info.Mode())
		require.Equal(t, path, l.Addr().String())

		client := dial(t, "unix", path)
		conn, err := l.Accept()
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		gone(t, client)
		require.NoError(t, l.Close())
		require.Error(t, l.Close())
		require.NoFileExists(t, path)
	}
}

// Nobody can connect before the socket has its mode: a socket that is bound and does not listen refuses.
func TestUnixSocketRefusesUntilItListens(t *testing.T) {
	path := socketPath(t)
	fd, err := socket()
	require.NoError(t, err)
	defer syscall.Close(fd)
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}))
	_, err = net.Dial("unix", path)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	require.Zero(t, errno)
	require.NotZero(t, flags&syscall.FD_CLOEXEC)
}

func TestStaleUnixSocketIsReplaced(t *testing.T) {
	path := socketPath(t)
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
	require.FileExists(t, path)
	l, err = bindAt(path, 0o600)
	require.NoError(t, err)
	require.NoError(t, dial(t, "unix", path).Close())
	require.NoError(t, l.Close())
}

func TestUnixSocketOfAnotherProcessStays(t *testing.T) {
	path := socketPath(t)
	l, err := bindAt(path, 0o600)
	require.NoError(t, err)
	_, err = bindAt(path, 0o600)
	require.ErrorContains(t, err, "another process listens there")
	require.NoError(t, dial(t, "unix", path).Close())

	// After the file was removed by hand, the first listener does not remove the file of the second.
	require.NoError(t, os.Remove(path))
	second, err := bindAt(path, 0o600)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, dial(t, "unix", path).Close())
	require.NoError(t, second.Close())
}

func TestUnixSocketRefuses(t *testing.T) {
	directory := filepath.Dir(socketPath(t))
	file := filepath.Join(directory, "file")
	require.NoError(t, os.WriteFile(file, []byte("precious"), 0o600))
	link := filepath.Join(directory, "link")
	require.NoError(t, os.Symlink(file, link))
	datagram := filepath.Join(directory, "datagram")
	packets, err := new(net.ListenConfig).ListenPacket(t.Context(), "unixgram", datagram)
	require.NoError(t, err)
	defer packets.Close()

	for name, c := range map[string]struct {
		path string
		mode fs.FileMode
		want string
	}{
		"a missing directory": {filepath.Join(directory, "none", "s"), 0o600, "none does not exist, create it"},
		"a file":              {file, 0o600, "no socket"},
		"a symbolic link":     {link, 0o600, "no socket"},
		"a directory":         {directory, 0o600, "no socket"},
		"another kind":        {datagram, 0o600, "may be in use"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := bindAt(c.path, c.mode)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "(rtbeat.host)")
		})
	}
	for _, path := range []string{file, link, datagram} {
		require.FileExists(t, path)
	}
}

func TestUnixSocketTakesTheLongestPath(t *testing.T) {
	path := filepath.Dir(socketPath(t)) + "/"
	path += strings.Repeat("x", maxPath-len(path))
	l, err := bindAt(path, 0o600)
	require.NoError(t, err)
	require.Equal(t, path, l.Addr().String())
	require.NoError(t, dial(t, "unix", path).Close())
	require.NoError(t, l.Close())
	require.NoFileExists(t, path)
}
