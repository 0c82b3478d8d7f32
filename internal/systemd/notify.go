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

// sendWithin bounds the sending of a message. The socket holds a few datagrams, and then a write blocks: for ever, if a supervisor
// never reads the socket. A shutdown must not block.
const sendWithin = 250 * time.Millisecond

// Notifier sends messages to the service manager, each as one datagram to NOTIFY_SOCKET. Without that variable, and as nil,
// it does nothing. All methods may be called from any goroutine, and return within sendWithin for each call under way.
type Notifier struct {
	failed func(error)

	mu       sync.Mutex
	status   string // the last one sent
	owed     bool   // READY=1 could not be sent: without it systemd waits for the start or reload, and then kills the service
	stopping bool
	failure  bool // failed was called
}

// NewNotifier returns a Notifier, or nil without NOTIFY_SOCKET. It calls failed for the first message that cannot be sent.
func NewNotifier(failed func(error)) *Notifier {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	return &Notifier{failed: failed}
}

// locked calls do with the lock held. Without a Notifier it does nothing.
func (n *Notifier) locked(do func()) {
	if n != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		do()
	}
}

// Ready sends that the service serves. If that fails, the next Status sends it too. After Stopping it does nothing.
func (n *Notifier) Ready(status string) {
	n.locked(func() {
		if !n.stopping {
			n.owed = true
			n.tell(status)
		}
	})
}

// Status sends the status, if it differs from the last one that was sent.
func (n *Notifier) Status(status string) {
	n.locked(func() {
		if status != n.status || n.owed {
			n.tell(status)
		}
	})
}

// tell sends the status, and a READY=1 that is owed. mu is held.
func (n *Notifier) tell(status string) {
	var ready string
	if n.owed {
		ready = daemon.SdNotifyReady
	}
	if n.send(ready, statusOf(status)) {
		n.status, n.owed = status, false
	}
}

// Reloading sends that the configuration is being read again. Ready has to follow. With the time, systemd can match the message and
// the reload that it has requested (Type=notify-reload).
func (n *Notifier) Reloading() {
	n.locked(func() { n.send(daemon.SdNotifyReloading, daemon.SdNotifyMonotonicUsec()) })
}

// Stopping sends that the service ends, and extends the time limit by within: see Extend.
func (n *Notifier) Stopping(status string, within time.Duration) {
	n.locked(func() {
		n.status, n.stopping, n.owed = status, true, false
		n.send(daemon.SdNotifyStopping, statusOf(status), extension(within))
	})
}

// Extend asks the service manager not to kill the service during the next d, even beyond its own time limit. The limit applies
// again after d.
func (n *Notifier) Extend(d time.Duration) { n.locked(func() { n.send(extension(d)) }) }

// alive feeds the watchdog.
func (n *Notifier) alive() { n.locked(func() { n.send(daemon.SdNotifyWatchdog) }) }

// send sends the lines that are not empty, and returns whether that worked. The variable stays in the environment: each message
// needs it, and rtbeat starts no child process. mu is held, so that messages are sent in the order of the calls.
func (n *Notifier) send(lines ...string) bool {
	var message strings.Builder
	for _, line := range lines {
		if line != "" {
			message.WriteString(strings.TrimSpace(line) + "\n")
		}
	}
	err := post(message.String())
	if err != nil && !n.failure {
		n.failure = true
		n.failed(fmt.Errorf("sending a message to the service manager (NOTIFY_SOCKET): %w", err))
	}
	return err == nil
}

// post sends one message. daemon.SdNotify has no deadline.
func post(message string) error {
	address := &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"} // systemd and Go both write an abstract address with @
	conn, err := net.DialUnix(address.Net, nil, address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the message is sent
	if err := conn.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(message))
	return err
}

// statusOf returns the line of a status. A line break would end it.
func statusOf(status string) string { return "STATUS=" + strings.ReplaceAll(status, "\n", " ") }

func extension(d time.Duration) string {
	return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", max(d, 0).Microseconds())
}
