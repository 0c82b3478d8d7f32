package status

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/intake"
)

// running starts the sampler; the function that it returns ends it, and waits for it.
func (r *rig) running() (end func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { r.status.Run(ctx) })
	// So the test acts between two samples.
	time.Sleep(time.Second)
	return func() { cancel(); wg.Wait() }
}

// It keeps 15 minutes, however long it runs, and ends with its context.
func TestKeepsFifteenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		end := r.running()
		for minute := range 31 {
			for range 12 {
				r.add(&r.numbers.ReceivedMessages, 10)
				r.add(&r.numbers.Acked, 5)
				time.Sleep(interval)
			}
			report := r.report()
			want := min(12*(minute+1)-1, points)
			require.InDelta(t, want, len(report.History.MessagesPerSecond), 1)
			require.Len(t, report.History.P99Seconds, len(report.History.MessagesPerSecond))
		}
		report := r.report()
		require.Len(t, report.History.AckedPerSecond, points)
		for i := range points {
			require.InDelta(t, 2, float64(report.History.MessagesPerSecond[i]), 1e-9)
			require.InDelta(t, 1, float64(report.History.AckedPerSecond[i]), 1e-9)
			require.True(t, isUnknown(report.History.P50Seconds[i]), "nothing was answered")
		}
		require.InDelta(t, 31*60, report.Instance.UptimeSeconds, 5)
		end()
		before := r.snapshots.Load()
		time.Sleep(time.Hour)
		require.Equal(t, before, r.snapshots.Load(), "a snapshot after the end")
	})
}

// Many who watch cost one reading a second, and none while nobody watches but the samples.
func TestReadingsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for range 100 {
			r.get("/status.json")
			r.get("/")
		}
		require.EqualValues(t, 1, r.snapshots.Load())
		time.Sleep(freshFor)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { r.get("/status.json") })
		}
		wg.Wait()
		require.EqualValues(t, 2, r.snapshots.Load())
	})
}

// The rates follow within 15 seconds, with the events since the last sample.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		require.True(t, isUnknown(r.report().Acked.EventsPerSecond), "there is nothing to compare with")
		defer r.running()()
		for range 60 {
			r.add(&r.numbers.Acked, 100)
			time.Sleep(time.Second)
		}
		require.InDelta(t, 100, float64(r.report().Acked.EventsPerSecond), 8)
		time.Sleep(16 * time.Second)
		require.InDelta(t, 0, float64(r.report().Acked.EventsPerSecond), 35)
		time.Sleep(5 * time.Second)
		require.Zero(t, r.report().Acked.EventsPerSecond)
	})
}

func TestQuantilesAreThoseOfTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.running()()
		for range 1000 {
			r.answered(5) // too long ago to count below
		}
		time.Sleep(2 * time.Minute)
		require.True(t, isUnknown(r.report().Acked.P50Seconds))
		for range 98 {
			r.answered(.05)
		}
		r.answered(.5)
		r.answered(100)
		time.Sleep(interval)
		report := r.report()
		require.InDelta(t, .1*50/98, float64(report.Acked.P50Seconds), 1e-4) // a Number has four digits
		require.InDelta(t, 1, float64(report.Acked.P99Seconds), 1e-9)
		last := report.History.P99Seconds[len(report.History.P99Seconds)-1]
		require.InDelta(t, 1, float64(last), 1e-9)
		time.Sleep(90 * time.Second)
		require.True(t, isUnknown(r.report().Acked.P99Seconds))
	})
}

// An error has its counts, and the time when it was last seen.
func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer("504", "ack_timeout", 0) // expected, and not seen
		defer r.running()()
		require.Empty(t, r.report().Errors)
		time.Sleep(time.Minute)
		r.answer("401", "unauthorized", 3)
		time.Sleep(2 * interval)
		seen := time.Now()
		time.Sleep(20 * time.Minute)
		r.answer("503", "output_stalled", 2)
		time.Sleep(interval)

		errors := r.report().Errors
		require.Len(t, errors, 2)
		require.Equal(t, "output_stalled", errors[0].Reason, "the latest first")
		require.Equal(t, intake.ByOutput, errors[0].Fault)
		require.InDelta(t, 2, errors[0].Recent, 0)
		require.Equal(t, "unauthorized", errors[1].Reason)
		require.Equal(t, intake.BySender, errors[1].Fault)
		require.InDelta(t, 3, errors[1].Total, 0)
		require.InDelta(t, 0, errors[1].Recent, 0)
		require.WithinDuration(t, seen, errors[1].LastSeen, 2*interval)
	})
}

// The page keeps a bounded number of changes of the verdict, the newest first.
func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.running()()
		began := time.Now()
		require.Equal(t, idle, r.report().Verdict.State)
		for range 3 * maxChanges {
			r.set(&r.numbers.InFlight.Events.Value, 5)
			r.is(&r.numbers.Output.Stalled, true)
			r.set(&r.numbers.Output.NoAckSeconds, 40)
			time.Sleep(interval)
			report := r.report()
			require.Equal(t, stalling, report.Verdict.State)
			require.WithinDuration(t, time.Now().Add(-40*time.Second), report.Verdict.Since, 0)
			require.Equal(t, stalling, report.Changes[0].State)
			require.LessOrEqual(t, len(report.Changes), maxChanges)
			r.is(&r.numbers.Output.Stalled, false)
			r.set(&r.numbers.Output.NoAckSeconds, 0)
			r.set(&r.numbers.InFlight.Events.Value, 0)
			time.Sleep(interval)
			require.Equal(t, idle, r.report().Verdict.State)
		}
		report := r.report()
		require.Len(t, report.Changes, maxChanges)
		require.Equal(t, idle, report.Changes[0].State)
		require.Equal(t, report.Changes[0].At, report.Verdict.Since)
		require.True(t, report.Changes[1].At.Before(report.Changes[0].At))
		require.True(t, report.Changes[0].At.After(began))
	})
}

// The samples take less than 512 KiB.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		end := r.running()
		time.Sleep(time.Hour)
		end()
		require.Less(t, heap(), before+512<<10)
		runtime.KeepAlive(r)
	})
}
