//go:build unix

package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	// backlog is how many connections may wait to be accepted. The kernel lowers it to its own limit (somaxconn).
	backlog = 4096
	// probeTimeout bounds the attempt to connect to a socket that may be stale.
	probeTimeout = time.Second
)

// maxPath is the longest path of a socket in bytes: the field of the system less the byte that ends it, 107 on Linux.
var maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// bindUnix returns a listener on path, made with mode.
func bindUnix(path string, mode os.FileMode) (net.Listener, error) {
	l, err := listenUnix(path, mode)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err := removeStale(path); err != nil {
			return nil, err
		}
		l, err = listenUnix(path, mode)
	}
	return l, err
}

// listenUnix makes the socket. It sets the mode between bind and listen, when every connect is still refused. The net package makes
// both in one call. The umask cannot set the mode: it belongs to all threads of the process.
func listenUnix(path string, mode os.FileMode) (net.Listener, error) {
	fd, err := socket()
	if err != nil {
		return nil, fmt.Errorf("making a socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close() //nolint:errcheck // net.FileListener duplicates the descriptor; nothing was written to this one
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		return nil, bindError(path, err)
	}
	l, err := open(file, path, mode)
	if err != nil {
		_ = os.Remove(path) // the error that matters is err
		return nil, err
	}
	return l, nil
}

// socket returns a stream socket that no child process inherits.
func socket() (int, error) {
	syscall.ForkLock.RLock() // SOCK_CLOEXEC is not everywhere
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	return fd, err
}

// open sets the mode of a bound socket, and listens on it.
func open(file *os.File, path string, mode os.FileMode) (net.Listener, error) {
	if err := os.Chmod(path, mode); err != nil {
		return nil, fmt.Errorf("setting rtbeat.socket_mode: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("checking the mode of the new socket: %w", err)
	}
	if err := syscall.Listen(int(file.Fd()), backlog); err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("taking over the socket: %w", err)
	}
	return &unixListener{Listener: l, path: path, info: info}, nil
}

// bindError says how to mend the error of a path.
func bindError(path string, err error) error {
	directory := filepath.Dir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the directory %s does not exist, create it (systemd: RuntimeDirectory=): %w", directory, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not create files in %s: %w", directory, err)
	default:
		return fmt.Errorf("binding: %w", err)
	}
}

// removeStale removes the socket at path that nobody listens on. Only a refused connect proves that. A full backlog, a socket
// of another kind or a missing permission does not.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone meanwhile
	}
	if err != nil {
		return fmt.Errorf("checking the file that is there: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file that is no socket: remove it, or choose another path")
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return errors.New("another process listens there: stop it, or choose another path")
	case !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is a socket that may be in use, remove it if it is not: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a socket that nobody listens on: %w", err)
	}
	return nil
}

// unixListener removes its file when it is closed.
type unixListener struct {
	net.Listener
	path string
	info fs.FileInfo // of the file that was made
	once sync.Once
}

// Close ends a waiting Accept, and removes the file if no other process has replaced it.
func (l *unixListener) Close() error {
	l.once.Do(func() {
		if info, err := os.Lstat(l.path); err == nil && os.SameFile(info, l.info) {
			_ = os.Remove(l.path) // the next start replaces a file that is left
		}
	})
	return l.Listener.Close()
}
