package systemd

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// feedings is the number of messages to the watchdog in its interval. sd_watchdog_enabled(3) asks for two; the others allow for
// delays on a busy machine.
const feedings = 4

// WatchdogInterval returns the time within which the service manager expects a message (WATCHDOG_USEC), or 0 for never. It removes
// the variables from the environment.
func WatchdogInterval() (time.Duration, error) {
	interval, err := daemon.SdWatchdogEnabled(true)
	if err != nil {
		return 0, fmt.Errorf("reading the interval of the service manager's watchdog (WATCHDOG_USEC): %w", err)
	}
	return interval, nil
}

// Feed calls check repeatedly until ctx ends, and feeds the watchdog each time that it returns true. If check blocks or returns
// false, the service manager restarts the service. Feed returns at once if interval is 0 or n is nil.
func (n *Notifier) Feed(ctx context.Context, interval time.Duration, check func() bool) {
	if n == nil || interval <= 0 {
		return
	}
	ticker := time.NewTicker(interval / feedings)
	defer ticker.Stop()
	for {
		if check() {
			n.alive()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
