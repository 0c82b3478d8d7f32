// Package systemd takes sockets from the service manager, sends messages to it, and feeds its watchdog. Without the environment
// variables of a service manager, it does nothing.
//
// The protocols are sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3), by go-systemd. The package knows nothing of batches:
// the caller decides on the texts and on the check of progress.
package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
)

// The names of sockets, which FileDescriptorName= of a socket unit sets.
const (
	intakeName = "in"
	adminName  = "admin"
)

// Sockets are the listeners that the process was started with, or nil.
type Sockets struct {
	Intake net.Listener
	Admin  net.Listener
}

// Inherited takes over the sockets that the process was started with. It does so once: it removes the environment variables, so that
// no child process uses the sockets.
//
// The socket named "in" is the intake, and "admin" is the listener of health and metrics. A single socket without a name is the
// intake; systemd then names it after its unit. Another name is an error, and so are two sockets of one name: otherwise rtbeat would
// ignore a configured socket.
//
// Closing a listener closes the copy of this process. The service manager keeps the socket, its waiting connections, and the file of
// a Unix socket.
func Inherited() (Sockets, error) {
	files := activation.Files(true)
	sockets, err := take(files)
	for _, file := range files {
		_ = file.Close() // the listeners have copies
	}
	if err != nil {
		sockets.Close()
		return Sockets{}, err
	}
	return sockets, nil
}

// Close closes the listeners.
func (s Sockets) Close() {
	for _, l := range []net.Listener{s.Intake, s.Admin} {
		if l != nil {
			_ = l.Close() // an error changes nothing
		}
	}
}

// take makes a listener of each file, by its name.
func take(files []*os.File) (Sockets, error) {
	var s Sockets
	for _, file := range files {
		name := file.Name()
		if len(files) == 1 && isUnnamed(name) {
			name = intakeName
		}
		var l *net.Listener
		switch name {
		case intakeName:
			l = &s.Intake
		case adminName:
			l = &s.Admin
		default:
			return s, fmt.Errorf("the service manager passes a socket named %q, which rtbeat does not know: name it %s or %s (FileDescriptorName= in its .socket)", name, intakeName, adminName)
		}
		if *l != nil {
			return s, fmt.Errorf("the service manager passes more than one socket named %q: rtbeat serves one, so leave one ListenStream= in the .socket", name)
		}
		inherited, err := net.FileListener(file)
		if err == nil && inherited.Addr().Network() == "unixpacket" { // HTTP would lose the rest of a packet that is larger than its buffer
			_ = inherited.Close()
			err = errors.New("it is a sequential-packet socket (ListenSequentialPacket=)")
		}
		if err != nil {
			return s, fmt.Errorf("taking over the socket %q of the service manager, which must be a stream socket that listens (ListenStream=, Accept=no): %w", name, err)
		}
		*l = inherited
	}
	return s, nil
}

// isUnnamed tells whether nobody configured the name of a socket: it is the name of the unit, or a default of
// sd_listen_fds_with_names or go-systemd.
func isUnnamed(name string) bool {
	return strings.HasSuffix(name, ".socket") || name == "unknown" || strings.HasPrefix(name, "LISTEN_FD_")
}
