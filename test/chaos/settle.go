//go:build chaos

package chaos

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// emptyWithin bounds the time until the senders' queues are empty.
const emptyWithin = 60 * time.Second

// settle ends a scenario: the senders empty their queues, the ledger is checked, and the process must come to rest.
func (w *world) settle() {
	w.t.Helper()
	for _, s := range w.senders {
		s.feeding.Store(false)
	}
	w.await(emptyWithin, "empty queues", func() bool {
		return !slices.ContainsFunc(w.senders, func(s *sender) bool { return !s.empty.Load() })
	})
	w.running.Wait()
	if w.stored {
		w.mend()
		w.deliver()
	}
	w.ledger.CloseIdle()

	w.check()
	var now figures
	deadline := time.Now().Add(restWithin)
	for now = figuresOf(w.beat); !now.restsLike(w.rest); now = figuresOf(w.beat) {
		if time.Now().After(deadline) {
			require.FailNow(w.t, "the process did not come back to rest", "%s: now %s, before %s", w.name, now, w.rest)
		}
		harness.Pause(w.t.Context(), 50*time.Millisecond)
	}
	for n, sink := range w.sinks {
		require.NoError(w.t, sink.Err(), "sink %d", n)
	}
}

// mend removes the failing processor. Its batches are retried until then.
func (w *world) mend() {
	if len(w.settings.Processors) > 1 {
		w.settings.Processors = w.settings.Processors[:1]
		w.terminate(sigterm)
		w.start()
	}
}

// deliver waits until the stored batches are delivered. check reports messages that never arrive.
func (w *world) deliver() {
	for deadline := time.Now().Add(emptyWithin); time.Now().Before(deadline); harness.Pause(w.t.Context(), 50*time.Millisecond) {
		if _, events := w.receipts(); len(w.ledger.Lost(events)) == 0 {
			return
		}
	}
}

// check compares answers and events, and fails with the history of broken messages.
func (w *world) check() {
	w.t.Helper()
	receipts, events := w.receipts()
	broken := w.ledger.Violations(events)
	broken = append(broken, w.ledger.Lost(events)...)
	explained, unexplained := judgeCopies(receipts, w.procs, w.ledger.Attempts(), w.stored, w.settings.Processors != nil)
	broken = append(broken, unexplained...)
	sum.add(w, events, explained, broken)
	w.copies = 0
	for _, n := range explained {
		w.copies += n
	}
	if len(broken) > 0 {
		w.mu.Lock()
		defer w.mu.Unlock()
		require.FailNow(w.t, "the promise was broken", "%s: %s", w.name, w.ledger.Report(broken, events, w.notes))
	}
}
