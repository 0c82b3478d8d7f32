package inflight_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

// Senders retry overlapping batches while workers publish, processors drop, an output acknowledges, and entries expire. In the end
// nothing is held, each answer was true, and no message was in the pipeline twice at a time.
func TestEveryInterleavingEndsEmpty(t *testing.T) {
	r := newRig(t, func(s *inflight.Settings) {
		s.Dedupe.Window, s.Dedupe.MaxEntries, s.StallAfter = 2*time.Millisecond, 50, 0
	})
	p := &pipeline{in: make(map[string]int), out: make(map[string]int)}
	var workers, senders sync.WaitGroup
	for range 3 {
		workers.Go(func() { p.work(t, r) })
	}
	for range 8 {
		senders.Go(func() {
			for range 400 {
				names := make([]string, 1+rand.IntN(6))
				for i := range names {
					names[i] = fmt.Sprint(rand.IntN(40))
				}
				p.send(t, r, names)
			}
		})
	}
	senders.Wait()
	require.NoError(t, r.waitEmpty(time.Minute))
	r.registry.CloseQueue()
	workers.Wait()
	r.requireEmpty()
	require.Empty(t, p.twice)
	require.Empty(t, p.falsely)
}

// pipeline stands for libbeat, and counts the events that it has and that it is done with.
type pipeline struct {
	mu      sync.Mutex
	in      map[string]int // events in the pipeline now
	out     map[string]int // events done, ever
	twice   []string
	falsely []string
}

// send is one attempt of a sender. It checks that a delivered batch was in the pipeline.
func (p *pipeline) send(t *testing.T, r *rig, names []string) {
	t.Helper()
	token, err := r.tryClaim(names...)
	if err != nil {
		t.Error(err)
		return
	}
	token.Publish()
	ctx, cancel := context.WithTimeoutCause(t.Context(), rand.N(2*time.Millisecond), errTimeout)
	defer cancel()
	if _, err := token.Await(ctx); err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		if p.out[name] == 0 {
			p.falsely = append(p.falsely, name)
		}
	}
}

// work publishes batches, and drops, filters or acknowledges their events, in any order.
func (p *pipeline) work(t *testing.T, r *rig) {
	t.Helper()
	var acks sync.WaitGroup
	defer acks.Wait()
	for b := r.registry.Take(); b != nil; b = r.registry.Take() {
		for m, e, ok := b.Next(); ok; m, e, ok = b.Next() {
			name, _ := m.Fields["name"].(string)
			p.mu.Lock()
			p.in[name]++
			if p.in[name] > 1 {
				p.twice = append(p.twice, name)
			}
			p.mu.Unlock()
			switch rand.IntN(10) {
			case 0:
				p.leave(name, 0)
				e.Drop(inflight.ErrUnpublishable)
			case 1:
				p.leave(name, 1)
				e.Filter()
				if r.ack(e) != 0 {
					t.Errorf("%s counted after it was filtered", name)
				}
			default:
				acks.Go(func() {
					time.Sleep(rand.N(3 * time.Millisecond))
					p.leave(name, 1)
					if r.ack(e, e) != 1 {
						t.Errorf("%s counted twice, or not at all", name)
					}
				})
			}
			if rand.IntN(3) == 0 && b.GiveWay() {
				break
			}
		}
	}
}

func (p *pipeline) leave(name string, done int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in[name]--
	p.out[name] += done
}
