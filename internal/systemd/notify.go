package systemd

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// sendWithin bounds the sending of a message. Datagrams wait for who reads them, only so many of them, and then the sender
// waits: for ever, where a supervisor makes the socket and never reads it. A stop must not.
const sendWithin = 250 * time.Millisecond

// Notifier sends messages to the service manager, each as one datagram to NOTIFY_SOCKET. Without that variable, and as nil,
// it does nothing. All methods may be called from any goroutine, and return within sendWithin for each call under way.
type Notifier struct {
	failed func(error)

	mu       sync.Mutex
	status   string // the last one sent
	owed     bool   // READY=1 could not be sent: without it a service starts, or reloads, until it is killed
	stopping bool
	told     bool // that a message could not be sent
}

// NewNotifier returns a Notifier, nil where nobody listens. failed is called for the first message that cannot be sent:
// the service manager hears of the next one or not, and there is nothing else to do about it.
func NewNotifier(failed func(error)) *Notifier {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	return &Notifier{failed: failed}
}

// Ready says that the service serves. Where that cannot be sent, the next Status says it too. After Stopping it says nothing.
func (n *Notifier) Ready(status string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopping {
		return
	}
	n.owed = true
	n.tell(status)
}

// Status says how things stand, if that has changed since the last time that it could be said.
func (n *Notifier) Status(status string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if status != n.status || n.owed {
		n.tell(status)
	}
}

// tell says how things stand, and what is owed. mu is held.
func (n *Notifier) tell(status string) {
	var ready string
	if n.owed {
		ready = daemon.SdNotifyReady
	}
	if n.send(ready, statusOf(status)) {
		n.status, n.owed = status, false
	}
}

// Reloading says that the configuration is being read again. Ready has to follow.
func (n *Notifier) Reloading() {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	// The time lets systemd match message and request where it sends the signal itself (Type=notify-reload).
	n.send(daemon.SdNotifyReloading, daemon.SdNotifyMonotonicUsec())
}

// Stopping says that the service ends, and asks for up to within until it has: see Extend.
func (n *Notifier) Stopping(status string, within time.Duration) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status, n.stopping, n.owed = status, true, false
	n.send(daemon.SdNotifyStopping, statusOf(status), extension(within))
}

// Extend asks the service manager not to kill the service during the next d, whatever its own limit says. The limit
// holds again when nothing more is heard by then.
func (n *Notifier) Extend(d time.Duration) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.send(extension(d))
}

// alive feeds the watchdog.
func (n *Notifier) alive() {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.send(daemon.SdNotifyWatchdog)
}

// send sends the lines that are not empty, and tells whether it could. The variable is left in the environment, where each
// message needs it, and rtbeat starts no child that could inherit it. mu is held, so that messages leave in the order of the
// calls.
func (n *Notifier) send(lines ...string) bool {
	var message strings.Builder
	for _, line := range lines {
		if line != "" {
			message.WriteString(strings.TrimSpace(line) + "\n")
		}
	}
	err := post(message.String())
	if err != nil && !n.told {
		n.told = true
		n.failed(fmt.Errorf("sending a message to the service manager (NOTIFY_SOCKET): %w", err))
	}
	return err == nil
}

// post sends one message. daemon.SdNotify does so too, and has no deadline.
func post(message string) error {
	address := &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"} // @ begins an abstract one in both notations
	conn, err := net.DialUnix(address.Net, nil, address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // what was written has left
	if err := conn.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(message))
	return err
}

// statusOf is the line of a status, which a line break would end.
func statusOf(status string) string { return "STATUS=" + strings.ReplaceAll(status, "\n", " ") }

func extension(d time.Duration) string {
	return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", max(d, 0).Microseconds())
}
