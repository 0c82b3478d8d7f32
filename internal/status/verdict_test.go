package status

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/intake"
)

// Each verdict, with its text and its notes.
func TestVerdicts(t *testing.T) {
	tests := map[string]struct {
		happens func(r *rig)
		state   state
		level   level
		fault   intake.Fault
		says    string
		notes   string
	}{
		"nothing": {func(*rig) {}, idle, ok, intake.Nobody, "Nothing is in flight", ""},
		"deliveries": {
			func(r *rig) { r.add(&r.numbers.Acked, 600) }, delivering, ok, intake.Nobody,
			" events/s acknowledged by the output", "",
		},
		"the first events": {
			func(r *rig) { r.set(&r.numbers.InFlight.Events.Value, 1); r.set(&r.numbers.Output.NoAckSeconds, 1) }, delivering, ok, intake.Nobody,
			"1 event is on the way", "",
		},
		"only retries of delivered messages": {
			func(r *rig) { r.add(&r.numbers.ReceivedBatches, 4); r.answer("413", "body_too_large", 1) }, delivering, ok, intake.Nobody,
			"4 batches came in the last 30 s with nothing to deliver", "1 request was refused",
		},
		"a stall": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.set(&r.numbers.InFlight.Events.Value, 1234)
			r.is(&r.numbers.Output.Stalled, true)
			r.set(&r.numbers.Output.NoAckSeconds, 190)
			r.answer("503", "in_flight_limit", 3)
		}, stalling, bad, intake.ByOutput, "nothing for 3 min, although it has 1,234 events", ""},
		"reached max_in_flight_bytes": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.set(&r.numbers.InFlight.Bytes.Value, 990)
			r.answer("503", "in_flight_limit", 1)
		}, refusing, bad, intake.ByOutput, "1 batch was refused in the last 30 s, because batches that wait for the output have reached the limit of rtbeat.max_in_flight_bytes (99 % now)", ""},
		"nearly reached max_in_flight_bytes": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.set(&r.numbers.InFlight.Bytes.Value, 901)
			r.is(&r.numbers.IsHigh, true)
		}, nearlyFull, warn, intake.ByOutput, "90 % of rtbeat.max_in_flight_bytes", ""},
		"a slow output": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.answer("504", "ack_timeout", 1200)
		}, slow, warn, intake.ByOutput, "1,200 batches were not acknowledged within 5s (504)", ""},
		"an output that says nothing, with stall_after: 0": {func(r *rig) {
			r.set(&r.numbers.InFlight.Events.Value, 3)
			r.set(&r.numbers.Output.NoAckSeconds, 7200)
		}, slow, warn, intake.ByOutput, "nothing for 2 h, and senders get 504 after 5s", ""},
		"a defect": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.answer("500", "internal_error", 2)
		}, failing, bad, intake.ByRtbeat, "2 batches failed inside rtbeat", ""},
		"an output that gives events up": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.answer("502", "output_rejected", 2)
			r.answer("504", "ack_timeout", 1)
		}, givingUp, bad, intake.ByOutput, "The output gave up events of 2 batches in the last 30 s", ""},
		"only refused requests": {func(r *rig) {
			r.answer("401", "unauthorized", 9)
			r.answer("400", "malformed_json", 8)
			r.answer("499", "client_gone", 100)
		}, rejecting, warn, intake.BySender, "17 requests were refused: unauthorized.", ""},
		"some refused requests": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.answer("413", "body_too_large", 1)
		}, delivering, ok, intake.Nobody, "acknowledged", "1 request was refused in the last 30 s: body_too_large."},
		"a sender that left": {func(r *rig) { r.answer("499", "client_gone", 1) }, idle, ok, intake.Nobody, "Nothing", ""},
		"an output that cannot be reached yet": {func(r *rig) {
			r.set(&r.numbers.InFlight.Events.Value, 3)
			r.set(&r.numbers.Output.NoAckSeconds, 3)
			r.add(&r.numbers.Output.WriteErrorsTotal, 4)
		}, delivering, ok, intake.Nobody, "3 events are on the way", "Sending to the output failed 4 times in the last 30 s"},
		"dropped events": {func(r *rig) { r.add(&r.numbers.Output.DroppedTotal, 2) }, idle, ok, intake.Nobody, "", "The output gave up 2 events"},
		"a window that is sent again and again": {func(r *rig) {
			r.set(&r.numbers.WindowRepeats, 3)
			r.set(&r.numbers.InFlight.Events.Value, 3)
			r.set(&r.numbers.Output.NoAckSeconds, 60)
		}, slow, warn, intake.ByOutput, "nothing for 60 s", "The same window was sent again 3 times with no acknowledgement in between: one event may be unreadable for Logstash."},
		"displaced connections": {func(r *rig) { r.add(&r.numbers.Displaced, 2) }, idle, ok, intake.Nobody, "", "2 connections were closed"},
		"an old certificate": {func(r *rig) {
			r.set(&r.numbers.CertificateExpiry, Number(time.Now().Add(75*time.Hour).Unix()))
		}, idle, ok, intake.Nobody, "", "expires in 3 days"},
		"a stale certificate": {func(r *rig) {
			r.set(&r.numbers.CertificateExpiry, Number(time.Now().Add(-time.Hour).Unix()))
		}, idle, ok, intake.Nobody, "", "has expired"},
		"a start": {func(r *rig) { r.inPhase("starting") }, starting, warn, intake.Nobody, "does not serve yet", ""},
		"a stop": {func(r *rig) {
			r.inPhase("leaving")
			r.is(&r.numbers.Output.Stalled, true)
		}, stopping, warn, intake.Nobody, "Nothing is in flight any more", ""},
		"the end of a stop": {func(r *rig) {
			r.inPhase("draining")
			r.set(&r.numbers.InFlight.Events.Value, 2)
			r.answer("503", "stopping", 2)
		}, stopping, warn, intake.Nobody, "2 events wait for an acknowledgement", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				defer r.running()()
				time.Sleep(2*interval + time.Second)
				tt.happens(r)
				v := r.report().Verdict
				require.Equal(t, tt.state, v.State)
				require.Equal(t, tt.level, v.Level)
				require.Equal(t, tt.fault, v.Fault)
				require.Contains(t, v.Text, tt.says)
				if tt.notes == "" {
					require.Empty(t, v.Notes)
				} else {
					require.Len(t, v.Notes, 1)
					require.Contains(t, v.Notes[0], tt.notes)
				}
				if v.Level == bad {
					require.NotEmpty(t, v.Advice, "a bad verdict without advice")
				}
			})
		})
	}
}

// The verdict ignores failures from more than 30 seconds ago.
func TestVerdictForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.running()()
		time.Sleep(time.Minute)
		r.answer("500", "internal_error", 1)
		require.Equal(t, failing, r.report().Verdict.State)
		time.Sleep(20 * time.Second)
		require.Equal(t, failing, r.report().Verdict.State)
		time.Sleep(20 * time.Second)
		require.Equal(t, idle, r.report().Verdict.State)
	})
}

// The verdict nearly_full takes its threshold from /readyz.
func TestNearlyFullFollowsReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.running()()
		at := func(bytes Number, isHigh bool) state {
			r.set(&r.numbers.InFlight.Bytes.Value, bytes)
			r.is(&r.numbers.IsHigh, isHigh)
			r.set(&r.numbers.InFlight.Events.Value, 1)
			time.Sleep(freshFor)
			return r.report().Verdict.State
		}
		require.Equal(t, delivering, at(950, false))
		require.Equal(t, nearlyFull, at(760, true))
		require.Equal(t, delivering, at(760, false))
	})
}

// A lost connection repeats a window too: the advice needs three repeats, and a verdict about the output.
func TestTheFirstAdviceIsToLookForAnUnreadableEvent(t *testing.T) {
	for repeats, first := range map[Number]string{2: "See whether Logstash is up", 3: "Look for a JSON error in the log of Logstash"} {
		f := facts{sample: &sample{Numbers: Numbers{Output: Output{Stalled: true}, WindowRepeats: repeats}}}
		v := f.verdict()
		require.Equal(t, stalling, v.State)
		require.Contains(t, v.Advice[0], first)
		require.Equal(t, repeats == 3, len(v.Notes) == 1)
	}
	f := facts{sample: &sample{Numbers: Numbers{WindowRepeats: 3}}, acked: 1}
	require.Empty(t, f.verdict().Advice)
}

// The verdict names the receiver of the output.
func TestTheVerdictNamesTheOutput(t *testing.T) {
	for output, receiver := range map[string]string{"": "Logstash", "logstash": "Logstash", "kafka": "the receiver of output.kafka"} {
		f := facts{sample: &sample{}, settings: Settings{Output: output}}
		require.Contains(t, f.verdict().Text, "Whether "+receiver+" works")
		f.Output.Stalled = true
		require.Contains(t, f.verdict().Advice[0], "whether "+receiver+" is up")
		f.persisted = true
		require.Contains(t, f.verdict().Advice[0], "whether "+receiver+" is up")
	}
}
