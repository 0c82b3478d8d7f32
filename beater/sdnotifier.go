package beater

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/txn2/rtbeat/internal/systemd"
)

const (
	// statusEvery is the interval of status lines to the service manager. A line that has not changed is not sent.
	statusEvery = time.Second
	// stopMargin is added to the budget of a stop and to closeTimeout: for the scheduler and the last log lines.
	stopMargin = 5 * time.Second
	// extendEvery is how often a stop asks for more time, and extendBy for how much. systemd kills a process that hangs
	// extendBy after its last message.
	extendEvery = 5 * time.Second
	extendBy    = 15 * time.Second
)

// sdNotifier tells the service manager the status of rtbeat, and feeds its watchdog. Without a service manager it does nothing.
type sdNotifier struct {
	notify   *systemd.Notifier // nil without a service manager
	watchdog time.Duration     // 0 for none
	inFlight func() string
	alive    func() bool

	mu       sync.Mutex
	deadline time.Time // of the stop; zero before it
	extended time.Time
}

func (bt *Beater) newSdNotifier(a *assembly) *sdNotifier {
	warn := func(err error) {
		bt.log.Warnw("notifying the service manager failed", "error.message", err.Error())
	}
	n := &sdNotifier{notify: systemd.NewNotifier(warn), inFlight: a.describeInFlight}
	n.alive = func() bool { return a.alive(bt.listeners, n.watchdog) }
	var err error
	if n.watchdog, err = systemd.WatchdogInterval(); err != nil {
		warn(err)
	}
	return n
}

func (n *sdNotifier) ready() { n.notify.Ready("ready: " + n.inFlight()) }

// run sends the status and feeds the watchdog, until ctx ends.
func (n *sdNotifier) run(ctx context.Context) {
	if n.notify == nil {
		return
	}
	defer background(func(ctx context.Context) { n.notify.Feed(ctx, n.watchdog, n.alive) })()
	ticker := time.NewTicker(statusEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			n.report(now)
		}
	}
}

// stop says that rtbeat stops, within budget and the time for closing.
func (n *sdNotifier) stop(budget time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := budget + closeTimeout + stopMargin
	n.deadline = time.Now().Add(all)
	n.notify.Stopping("stopping: "+n.inFlight(), min(all, extendBy))
}

// report sends the status. During a stop it asks for more time until the deadline.
func (n *sdNotifier) report(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.deadline.IsZero() {
		n.notify.Status("ready: " + n.inFlight())
		return
	}
	n.notify.Status("stopping: " + n.inFlight())
	if left := n.deadline.Sub(now); left > 0 && now.Sub(n.extended) >= extendEvery {
		n.notify.Extend(min(left, extendBy))
		n.extended = now
	}
}

// describeInFlight counts the batches, events and bytes in flight, for a status line. It does not change while nothing is in
// flight.
func (a *assembly) describeInFlight() string {
	batches, events, silent := a.registry.Underway()
	bytes := a.admission.Used()
	if batches == 0 && bytes == 0 {
		return "nothing in flight"
	}
	text := fmt.Sprintf("%d batches, %d events, %.1f MiB in flight", batches, events, float64(bytes)/(1<<20))
	if events > 0 {
		text += fmt.Sprintf("; no acknowledgement for %.1f s", silent.Seconds())
	}
	return text
}

// alive takes each lock that a request needs: of the server, the connections, admission and the registry. It blocks while one of
// them is held, so that a deadlock is not reported as alive. It is false when the accept loop has not called Accept for interval.
// The output is not checked: a restart does not mend a stalled Logstash, and costs the senders their answers.
func (a *assembly) alive(l *listeners, interval time.Duration) bool {
	a.server.TouchLocks()
	l.connections.Open()
	a.admission.Used()
	a.registry.Underway()
	return l.intake.Away() < interval
}
