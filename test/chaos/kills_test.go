//go:build chaos

package chaos

import (
	"fmt"
	"testing"
	"time"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// killsEach is the number of kills in a scenario of TestKills. The long form has endings kills in all.
const killsEach = 10

// In durable mode the process is killed at random times: in a write, a sync, a deletion or a start.
func TestKills(t *testing.T) {
	seed, scenarios := seedOf(t), uint64(1)
	if durationOf(t) >= longForm {
		scenarios = endings / killsEach
	}
	for lane := range min(lanes, scenarios) {
		t.Run(fmt.Sprint("lane ", lane), func(t *testing.T) {
			t.Parallel()
			for n := lane; n < scenarios; n += lanes {
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					newWorld(t, durable, fmt.Sprintf("k%d", n), seed+n).killAgainAndAgain()
				})
			}
		})
	}
}

func (w *world) killAgainAndAgain() {
	w.t.Helper()
	w.load(2+w.pick(4), 4+w.pick(80))
	for range killsEach {
		harness.RecoverSink(w.sink())
		w.sink().SetPolicy([]lumbersink.Policy{
			lumbersink.Immediate(), lumbersink.Delay(time.Duration(1+w.pick(50)) * time.Millisecond), lumbersink.Never(),
		}[w.pick(3)])
		switch w.pick(5) {
		case 0:
			w.kill("SIGKILL, then while it starts")
			w.startAndKill(time.Duration(w.pick(400)) * time.Millisecond)
			sum.count("SIGKILL while it starts")
		case 1:
			w.flow()
			w.kill(sigkill)
		default:
			harness.Pause(w.t.Context(), time.Duration(w.pick(700))*time.Millisecond)
			w.kill(sigkill)
		}
		sum.count(sigkill)
		w.start()
	}
	harness.RecoverSink(w.sink())
	w.flow()
	w.settle()
}

// startAndKill runs the process for a while. It may listen and deliver in that time.
func (w *world) startAndKill(after time.Duration) {
	w.t.Helper()
	w.back.forward(w.sink().Addr(), len(w.procs))
	w.procs = append(w.procs, &process{started: time.Now()})
	b := harness.Launch(w.t, w.settings)
	b.Forget()
	harness.Pause(w.t.Context(), after)
	b.Kill()
	w.gone("SIGKILL while it starts")
}
