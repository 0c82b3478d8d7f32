package beater

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/txn2/rtbeat/internal/systemd"
)

const (
	// tellStatusEvery is how often the service manager is told what is in flight, at most: only when that has changed.
	tellStatusEvery = time.Second
	// stopMargin is what a stop may take beyond its budget and the closing steps: a round of the scheduler, a log line.
	stopMargin = 5 * time.Second
	// extendEvery is how often a stop asks for more time, and extendBy for how much. It must hear of the stop once in
	// extendBy; a process that is stuck is killed that long after its last word.
	extendEvery = 5 * time.Second
	extendBy    = 15 * time.Second
)

// manager tells the service manager, where there is one, how things stand. Its goroutines end before Run does.
type manager struct {
	notify   *systemd.Notifier // nil where nobody listens
	watchdog time.Duration     // 0 for none
	look     func() string     // what is in flight, in words
	alive    func() bool       // one round through what every request needs

	mu       sync.Mutex
	stopping time.Time // when it has to be over; zero before
}

func (bt *Beater) newManager(a *assembly) *manager {
	warn := func(err error) {
		bt.log.Warnw("the service manager does not hear of rtbeat", "error.message", err.Error())
	}
	m := &manager{notify: systemd.NewNotifier(warn), look: a.underway}
	m.alive = func() bool { return a.alive(bt.door, m.watchdog) }
	var err error
	if m.watchdog, err = systemd.WatchdogInterval(); err != nil {
		warn(err)
	}
	return m
}

// ready says that rtbeat serves.
func (m *manager) ready() { m.notify.Ready("ready: " + m.look()) }

// run tells the service manager how things stand, and feeds its watchdog, until ctx ends.
func (m *manager) run(ctx context.Context) {
	if m.notify == nil {
		return
	}
	defer background(func(ctx context.Context) { m.notify.Feed(ctx, m.watchdog, m.alive) })()
	m.tell(ctx)
}

// stop says that rtbeat ends, within budget and what closing takes.
func (m *manager) stop(budget time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := budget + closeTimeout + stopMargin
	m.stopping = time.Now().Add(all)
	m.notify.Stopping("stopping: "+m.look(), min(all, extendBy))
}

// tell says once in a while what is in flight, and asks for time while a stop has some left.
func (m *manager) tell(ctx context.Context) {
	ticker := time.NewTicker(tellStatusEvery)
	defer ticker.Stop()
	var extended time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			m.mu.Lock()
			end := m.stopping
			m.mu.Unlock()
			if end.IsZero() {
				m.notify.Status("ready: " + m.look())
				continue
			}
			m.notify.Status("stopping: " + m.look())
			if left := end.Sub(now); left > 0 && now.Sub(extended) >= extendEvery {
				m.notify.Extend(min(left, extendBy))
				extended = now
			}
		}
	}
}

// underway is what is in flight, in words. It is the same as long as nothing is.
func (a *assembly) underway() string {
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

// alive goes once through what every request needs: the loop that accepts, and the locks of the connections, of the server,
// of admission and of the registry. It blocks where one of them is never let go, and is false where the loop has not come
// back for a whole interval of the watchdog. The output is not among them: a Logstash that stalls is no fault that a
// restart would mend, and a restart would cost the senders their answers.
func (a *assembly) alive(d *door, interval time.Duration) bool {
	a.server.TouchLocks()
	d.connections.Open()
	a.admission.Used()
	a.registry.Underway()
	return d.listener.Away() < interval
}
