package bench

import (
	"context"
	"syscall"
	"time"
)

// longestSleep bounds the delay after which the end of ctx is noticed.
const longestSleep = 100 * time.Millisecond

// sleepUntil waits for a time, to some tens of microseconds. Go's timers are up to a millisecond late on an idle core: they wait
// in epoll_wait, which counts in milliseconds (netpoll in runtime/netpoll_epoll.go).
func sleepUntil(ctx context.Context, t time.Time) {
	for left := time.Until(t); left > 0 && ctx.Err() == nil; left = time.Until(t) {
		request := syscall.NsecToTimespec(int64(min(left, longestSleep)))
		_ = syscall.Nanosleep(&request, nil) // a signal cuts it short: the loop sleeps the rest
	}
}
