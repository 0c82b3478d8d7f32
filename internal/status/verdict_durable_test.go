package status

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/intake"
)

// backlog puts batches on the disk, the oldest of them from ten minutes ago.
func (r *rig) backlog() {
	r.set(&r.numbers.Disk.Batches, 42)
	r.set(&r.numbers.Disk.Bytes, 4096)
	r.set(&r.numbers.Disk.OldestSeconds, 600)
	r.set(&r.numbers.Disk.Files.Value, 5000)
}

const backlogText = "42 batches are in the queue on disk (4.0 KiB), the oldest from 10 min ago. Its files take 50 % of rtbeat.durable.max_bytes"

// Each verdict of durable mode, with its text and its notes.
func TestVerdictsOfDurableMode(t *testing.T) {
	tests := map[string]struct {
		happens func(r *rig)
		state   state
		level   level
		fault   intake.Fault
		says    string
		notes   string
	}{
		"an empty queue": {func(r *rig) { r.add(&r.numbers.Acked, 600) }, delivering, ok, intake.Nobody, "acknowledged by the output", ""},
		"a queue that drains": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.add(&r.numbers.Disk.Delivered, 1100) // in eleven seconds
			r.backlog()
		}, delivering, ok, intake.Nobody, "acknowledged by the output", backlogText + ": at this rate it is empty in 40 s."},
		"senders that are faster than the output": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.add(&r.numbers.Disk.Stored, 1100)
			r.backlog()
		}, delivering, ok, intake.Nobody, "acknowledged by the output", backlogText + ": at this rate it is full in 33 s."},
		"an output that is slow to acknowledge": {func(r *rig) {
			r.set(&r.numbers.Output.NoAckSeconds, 10)
		}, slow, warn, intake.ByOutput, "nothing for 10 s. Batches are stored, and answered 200.", ""},
		"an output that stalls": {func(r *rig) {
			r.set(&r.numbers.InFlight.Events.Value, 3)
			r.is(&r.numbers.Output.Stalled, true)
			r.set(&r.numbers.Output.NoAckSeconds, 190)
			r.add(&r.numbers.Disk.Stored, 1100)
			r.backlog()
		}, degraded, warn, intake.ByOutput, "nothing for 3 min. Batches are stored, and answered 200. " + backlogText + ": at this rate it is full in 33 s.", ""},
		"a full queue": {func(r *rig) {
			r.is(&r.numbers.Disk.IsFull, true)
			r.is(&r.numbers.Output.Stalled, true)
			r.add(&r.numbers.Disk.Stored, 1100)
			r.backlog()
		}, fullQueue, bad, intake.ByOutput, "(503 queue_full). " + backlogText + ".", ""},
		"a queue that is full again and again": {func(r *rig) {
			r.answer("503", "queue_full", 1)
			r.add(&r.numbers.Acked, 600)
		}, fullQueue, bad, intake.ByOutput, "(503 queue_full)", ""},
		"a disk that fails":  {func(r *rig) { r.is(&r.numbers.Disk.HasFailed, true) }, failedQueue, bad, intake.ByRtbeat, "cannot be written", ""},
		"a disk that failed": {func(r *rig) { r.answer("503", "queue_failed", 1) }, failedQueue, bad, intake.ByRtbeat, "cannot be written", ""},
		"a slow disk":        {func(r *rig) { r.answer("504", "ack_timeout", 2) }, slow, warn, intake.ByRtbeat, "2 batches were not on the disk within 5s (504)", ""},
		"requests that wait for the disk": {func(r *rig) {
			r.is(&r.numbers.IsHigh, true)
		}, nearlyFull, warn, intake.ByRtbeat, "More than three quarters of the limit, which is half of rtbeat.max_in_flight_bytes, wait for the disk.", ""},
		"requests that do not fit": {func(r *rig) { r.answer("503", "in_flight_limit", 2) }, refusing, bad, intake.ByRtbeat, "batches that wait for the disk have reached the limit of half of rtbeat.max_in_flight_bytes.", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.durable()
				defer r.running()()
				time.Sleep(2 * interval)
				tt.happens(r)
				v := r.report().Verdict
				require.Equal(t, tt.state, v.State)
				require.Equal(t, tt.level, v.Level)
				require.Equal(t, tt.fault, v.Fault)
				require.Contains(t, v.Text, tt.says)
				if tt.notes == "" {
					require.Empty(t, v.Notes)
				} else {
					require.Equal(t, []string{tt.notes}, v.Notes)
				}
				if v.Level != ok {
					require.NotEmpty(t, v.Advice)
				}
			})
		})
	}
}

// One retry of a batch changes no verdict. Retries for 30 seconds do.
func TestVerdictOfABatchThatCannotBeDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.durable()
		defer r.running()()
		for range 20 {
			r.add(&r.numbers.Acked, 10)
			time.Sleep(interval)
		}
		r.set(&r.numbers.Disk.Retrying, 2)
		r.add(&r.numbers.Acked, 10)
		require.Equal(t, delivering, r.report().Verdict.State)
		time.Sleep(lately + interval)
		v := r.report().Verdict
		require.Equal(t, retrying, v.State)
		require.Contains(t, v.Text, "2 stored batches are tried again and again")
		r.set(&r.numbers.Disk.Retrying, 0)
		time.Sleep(freshFor)
		require.NotEqual(t, retrying, r.report().Verdict.State)
	})
}

// The forecasts use the last minute: they show an outage soon.
func TestForecasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		require.Nil(t, r.report().Durable, "memory mode")
		r.durable()
		defer r.running()()
		require.True(t, isUnknown(r.report().Durable.FullInSeconds))
		for range 120 { // ten minutes
			r.add(&r.numbers.Disk.Stored, 60)
			r.add(&r.numbers.Disk.Delivered, 10)
			time.Sleep(interval)
		}
		d := r.report().Durable
		require.InDelta(t, 12, float64(d.StoredBytesPerSecond), 1)
		require.InDelta(t, 2, float64(d.DeliveredBytesPerSecond), 1)
		require.InDelta(t, 660, float64(d.FullInSeconds), 20) // 9,900 bytes at 10 bytes a second, which take 15 in the files
		require.True(t, isUnknown(d.EmptyInSeconds))
		r.set(&r.numbers.Disk.Bytes, 3000)
		for range 13 {
			r.add(&r.numbers.Disk.Delivered, 50)
			time.Sleep(interval)
		}
		d = r.report().Durable
		require.InDelta(t, 300, float64(d.EmptyInSeconds), 10)
		require.True(t, isUnknown(d.FullInSeconds))
	})
}
