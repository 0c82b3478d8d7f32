package systemd

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// feedings is how often the watchdog is fed in its interval. Half of it is the rule (sd_watchdog_enabled(3)); a round that
// comes late on a busy machine has the rest.
const feedings = 4

// WatchdogInterval is how often the service manager wants to hear that the process is alive (WATCHDOG_USEC), 0 for never.
// The variables are gone from the environment afterwards.
func WatchdogInterval() (time.Duration, error) {
	interval, err := daemon.SdWatchdogEnabled(true)
	if err != nil {
		return 0, fmt.Errorf("reading the interval of the service manager's watchdog (WATCHDOG_USEC): %w", err)
	}
	return interval, nil
}

// Feed calls round again and again, and feeds the watchdog each time that it returns true, until ctx ends. So what blocks
// round, or makes it false, is what the service manager restarts the service for. It returns at once where interval
// is 0 or n is nil.
func (n *Notifier) Feed(ctx context.Context, interval time.Duration, round func() bool) {
	if n == nil || interval <= 0 {
		return
	}
	ticker := time.NewTicker(interval / feedings)
	defer ticker.Stop()
	for {
		if round() {
			n.alive()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
