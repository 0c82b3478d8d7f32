//go:build chaos

package chaos

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lanes is the number of random scenarios at a time.
const lanes = 2

// A run of longForm ends the process at least this often by each signal.
const (
	longForm = 30 * time.Minute
	endings  = 300
)

// Each fault once, in a world of its own.
func TestEachFault(t *testing.T) {
	seed := seedOf(t)
	for _, m := range modes {
		for group, faults := range map[string][]fault{"sink": sinkFaults, "sender": senderFaults, "process": processFaults} {
			for _, f := range faults {
				t.Run(string(m)+"/"+group+"/"+f.name, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, m, f.name, seed)
					w.load(4, 40)
					w.strike(f)
					w.settle()
					if f.name == sigterm {
						// Every waiting sender had its answer, and no refused batch was taken.
						require.Zero(t, w.copies, "copies after a stop in good order")
					}
				})
			}
		}
	}
}

// Processors drop and fail, differently in each attempt, and each message has two senders. The answer to one sender says nothing
// about the other's copy.
func TestProcessorsThatDropAndFail(t *testing.T) {
	seed := seedOf(t)
	for _, m := range modes {
		for _, during := range []fault{{name: "nothing", start: func(*world) func() { return nothing }}, lateAcks, kill, term} {
			t.Run(string(m)+"/"+during.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, m, "fates "+during.name, seed, (*world).withFates)
				w.loadFrom(3, 6, 40, true)
				for range 3 {
					w.strike(during)
					w.oks(5 * len(w.senders))
				}
				w.settle()
				require.Equal(t, m == memory, w.tally.Counts()["500"] > 0, "attempts at which a processor failed")
			})
		}
	}
}

// Faults in random order under random load. The process is killed and stopped during faults.
func TestRandomFaults(t *testing.T) {
	seed, long := seedOf(t), durationOf(t)
	deadline := time.Now().Add(long)
	t.Cleanup(func() {
		if long >= longForm && !t.Failed() {
			require.GreaterOrEqual(t, sum.ends(sigkill), endings, sigkill)
			require.GreaterOrEqual(t, sum.ends(sigterm), endings, sigterm)
		}
	})
	for lane := range uint64(lanes) {
		t.Run(fmt.Sprint("lane ", lane), func(t *testing.T) {
			t.Parallel()
			// The first scenario of the first lane has the seed of the run, so that a scenario can be repeated.
			for n := uint64(0); n == 0 || time.Now().Before(deadline); n++ {
				ok := t.Run(fmt.Sprint(n), func(t *testing.T) {
					name, seed := fmt.Sprintf("r%d-%d", lane, n), seed+lane<<32+n
					m := modes[seed/6%2]
					switch seed % 6 {
					case 0:
						newWorld(t, m, name, seed).calm()
					case 1, 2:
						newWorld(t, m, name, seed, (*world).withFates).storm(true)
					default:
						newWorld(t, m, name, seed).storm(false)
					}
				})
				if !ok {
					return
				}
			}
		})
	}
}

// calm stops the process in good order again and again, with no other fault but delays: there must be no copies.
func (w *world) calm() {
	w.t.Helper()
	w.load(2+w.pick(4), 4+w.pick(80))
	for range 4 + w.pick(6) {
		w.strike(term)
		for _, f := range senderFaults {
			if (f.name == slowAnswers || f.name == slowRequests) && w.pick(4) == 0 {
				w.strike(f, term)
			}
		}
	}
	w.settle()
	require.Zero(w.t, w.copies, "copies after stops in good order")
}

// storm injects random faults, and mostly ends the process during a fault.
func (w *world) storm(fates bool) {
	w.t.Helper()
	if senders, maxBatch := 2+w.pick(4), 4+w.pick(80); fates {
		w.loadFrom((senders+1)/2, senders, maxBatch, true)
	} else {
		w.load(senders, maxBatch)
	}
	for range 2 + w.pick(3) {
		var during []fault
		switch w.pick(3) {
		case 0:
			during = []fault{kill}
		case 1:
			during = []fault{term}
		}
		connections := slices.Concat(sinkFaults, senderFaults)
		w.strike(connections[w.pick(len(connections))], during...)
		w.strike(processFaults[w.pick(len(processFaults))])
		w.strike([]fault{kill, term}[w.pick(2)])
	}
	w.settle()
}
