package main

import (
	"context"
	"syscall"
	"time"
)

// longestSleep is how late the end of a run may be noticed.
const longestSleep = 100 * time.Millisecond

// sleepUntil waits for a time, to some tens of microseconds. Go's own timers are a millisecond late on a core that has
// nothing else to do, for they then wait in epoll_wait, which counts in milliseconds (netpoll in runtime/netpoll_epoll.go).
func sleepUntil(ctx context.Context, t time.Time) {
	for left := time.Until(t); left > 0 && ctx.Err() == nil; left = time.Until(t) {
		request := syscall.NsecToTimespec(int64(min(left, longestSleep)))
		_ = syscall.Nanosleep(&request, nil) // cut short by a signal: the rest is slept in the next round
	}
}
