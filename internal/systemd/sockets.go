// Package systemd is rtbeat's side of a service manager: the sockets that it passes on, the messages to it, and its
// watchdog. Without one, as its environment variables tell, everything here does nothing.
//
// The protocol is that of sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3); go-systemd speaks it. It knows
// nothing of batches: what is worth telling, and what progress is, is said by who calls it.
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

// Sockets are those that the process was started with; nil where there is none.
type Sockets struct {
	Intake net.Listener
	Admin  net.Listener
}

// Inherited takes over the sockets that the process was started with, which it does once: the environment variables
// that announce them are gone afterwards, so that no child takes them for its own.
//
// The one named "in" is the intake, the one named "admin" the listener of health and metrics. A socket alone that nobody
// has named is the intake as well; systemd names it after its unit then. Any other name is an error, and so are two of
// one name: to serve less than what somebody set up would show too late.
//
// Closing one of the listeners closes this process's copy. The socket stays open where it came from, with the
// connections that wait in it, and the file of a Unix socket stays as well.
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

// Close closes those that there are.
func (s Sockets) Close() {
	for _, l := range []net.Listener{s.Intake, s.Admin} {
		if l != nil {
			_ = l.Close() // there is nobody to tell
		}
	}
}

// take makes listeners of files, by their names.
func take(files []*os.File) (Sockets, error) {
	var s Sockets
	for _, file := range files {
		name := file.Name()
		if len(files) == 1 && isUnnamed(name) {
			name = intakeName
		}
		var place *net.Listener
		switch name {
		case intakeName:
			place = &s.Intake
		case adminName:
			place = &s.Admin
		default:
			return s, fmt.Errorf("the service manager passes a socket named %q, which rtbeat does not know: name it %s or %s (FileDescriptorName= in its .socket)", name, intakeName, adminName)
		}
		if *place != nil {
			return s, fmt.Errorf("the service manager passes more than one socket named %q: rtbeat serves one, so leave one ListenStream= in the .socket", name)
		}
		l, err := net.FileListener(file)
		if err == nil && l.Addr().Network() == "unixpacket" { // HTTP would lose what of a packet does not fit its buffer
			_ = l.Close()
			err = errors.New("it is a sequential-packet socket (ListenSequentialPacket=)")
		}
		if err != nil {
			return s, fmt.Errorf("taking over the socket %q of the service manager, which must be a stream socket that listens (ListenStream=, Accept=no): %w", name, err)
		}
		*place = l
	}
	return s, nil
}

// isUnnamed tells whether a socket has a name that nobody gave it: that of its unit, or the stand-ins of sd_listen_fds_with_names
// and go-systemd where there are no names at all.
func isUnnamed(name string) bool {
	return strings.HasSuffix(name, ".socket") || name == "unknown" || strings.HasPrefix(name, "LISTEN_FD_")
}
