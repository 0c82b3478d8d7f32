package systemd

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notifier sends messages to the service manager, each as one datagram to NOTIFY_SOCKET. Without that variable, and as nil,
// it does nothing. All methods may be called from any goroutine.
type Notifier struct {
	failed func(error)

	mu       sync.Mutex
	status   string // the last one sent
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

// Ready says that the service serves.
func (n *Notifier) Ready(status string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status = status
	n.send(daemon.SdNotifyReady, statusOf(status))
}

// Status says how things stand, if that has changed since the last time.
func (n *Notifier) Status(status string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if status == n.status {
		return
	}
	n.status = status
	n.send(statusOf(status))
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
	n.status, n.stopping = status, true
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

// send sends the lines that are not empty. The variable is left in the environment, where each message needs it, and
// rtbeat starts no child that could inherit it. mu is held, so that messages leave in the order of the calls.
func (n *Notifier) send(lines ...string) {
	var message strings.Builder
	for _, line := range lines {
		if line != "" {
			message.WriteString(strings.TrimSpace(line) + "\n")
		}
	}
	if _, err := daemon.SdNotify(false, message.String()); err != nil && !n.told {
		n.told = true
		n.failed(fmt.Errorf("telling the service manager how things stand (NOTIFY_SOCKET): %w", err))
	}
}

// statusOf is the line of a status, which a line break would end.
func statusOf(status string) string { return "STATUS=" + strings.ReplaceAll(status, "\n", " ") }

func extension(d time.Duration) string {
	return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", max(d, 0).Microseconds())
}
