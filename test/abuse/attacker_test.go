//go:build abuse

package abuse

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	attackerEnv = "RTBEAT_ABUSE_ATTACKER"
	targetEnv   = "RTBEAT_ABUSE_TARGET"
)

func attackerMain(name string) int {
	do, known := attackers()[name]
	if !known {
		fmt.Fprintln(os.Stdout, "no such attacker:", name)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), attackTime)
	defer cancel()
	fmt.Fprintln(os.Stdout, do(ctx, os.Getenv(targetEnv)))
	return 0 // open connections close with the process
}

var dialled atomic.Int64

// dial connects from one of many addresses, because one address has too few ports.
func dial(ctx context.Context, target string) (net.Conn, error) {
	from := net.IPv4(127, 0, 1, byte(1+dialled.Add(1)%100))
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 5 * time.Second}
	return d.DialContext(ctx, "tcp", target)
}

// pace sends a token at a rate, and catches up after a delay of this process.
func pace(ctx context.Context, perSecond float64) <-chan struct{} {
	due := make(chan struct{})
	go func() {
		defer close(due)
		begun := time.Now()
		for sent := 0.0; ctx.Err() == nil; {
			if sent >= time.Since(begun).Seconds()*perSecond {
				time.Sleep(time.Millisecond)
				continue
			}
			select {
			case due <- struct{}{}:
				sent++
			case <-ctx.Done():
			}
		}
	}()
	return due
}

// paced calls do at a rate from a number of goroutines until ctx ends, and waits for all calls. When all goroutines are busy,
// rtbeat limits the rate.
func paced(ctx context.Context, perSecond float64, at int, do func()) {
	due := pace(ctx, perSecond)
	var group sync.WaitGroup
	for range at {
		group.Go(func() {
			for range due {
				do()
			}
		})
	}
	group.Wait()
}

// held are connections that an attacker keeps open. A new connection replaces each closed one.
type held struct {
	opened, lost, refused atomic.Int64
}

// hold keeps n connections. open makes them at a rate, and returns when its connection is closed.
func (h *held) hold(ctx context.Context, n int, perSecond float64, target string, use func(c net.Conn)) {
	free := make(chan struct{}, n)
	for range n {
		free <- struct{}{}
	}
	for range pace(ctx, perSecond) {
		select {
		case <-free:
		case <-ctx.Done():
			return
		}
		go func() {
			defer func() { free <- struct{}{} }()
			c, err := dial(ctx, target)
			if err != nil {
				h.refused.Add(1)
				return
			}
			h.opened.Add(1)
			defer func() { h.lost.Add(1); _ = c.Close() }()
			use(c)
		}()
	}
}

func (h *held) String() string {
	return fmt.Sprintf("%d opened, %d closed again by rtbeat, %d failed", h.opened.Load(), h.lost.Load(), h.refused.Load())
}

// tally counts answers by status code. 0 means no answer.
type tally struct {
	mu sync.Mutex
	by map[int]int
}

func (t *tally) add(code int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = make(map[int]int)
	}
	t.by[code]++
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("answers %v", t.by)
}
