package status

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Each thing that can be the matter, made of metrics, and what is said of it.
func TestVerdicts(t *testing.T) {
	tests := map[string]struct {
		happens func(r *rig)
		state   state
		level   level
		fault   fault
		says    string
		notes   string
	}{
		"nothing": {func(*rig) {}, idle, ok, nobody, "Nothing is in flight", ""},
		"deliveries": {
			func(r *rig) { r.add(&r.numbers.Acked, 600) }, delivering, ok, nobody,
			" events/s acknowledged by the output", "",
		},
		"the first events": {
			func(r *rig) { r.set(&r.numbers.Events.Value, 1); r.set(&r.numbers.NoAckSeconds, 1) }, delivering, ok, nobody,
			"1 event is on the way", "",
		},
		"nothing but retries of what was delivered": {
			func(r *rig) { r.add(&r.numbers.ReceivedBatches, 4); r.answer("413", "body_too_large", 1) }, delivering, ok, nobody,
			"4 batches came in the last 30 s with nothing to deliver", "1 request was refused",
		},
		"a stall": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.set(&r.numbers.Events.Value, 1234)
			r.is(&r.numbers.IsStalled, true)
			r.set(&r.numbers.NoAckSeconds, 190)
			r.answer("503", "in_flight_limit", 3)
		}, stalling, bad, byOutput, "nothing for 3 min, although it has 1,234 events", ""},
		"a full house": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.set(&r.numbers.Bytes.Value, 990)
			r.answer("503", "in_flight_limit", 1)
		}, refusing, bad, byOutput, "1 batch was refused in the last 30 s, because as much waits for the output as rtbeat.max_in_flight_bytes allows (99 % now)", ""},
		"a nearly full house": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.set(&r.numbers.Bytes.Value, 901)
			r.is(&r.numbers.IsHigh, true)
		}, nearlyFull, warn, byOutput, "90 % of rtbeat.max_in_flight_bytes", ""},
		"a slow output": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.answer("504", "ack_timeout", 1200)
		}, slow, warn, byOutput, "1,200 batches were not acknowledged within 5s (504)", ""},
		"an output that says nothing, with stall_after: 0": {func(r *rig) {
			r.set(&r.numbers.Events.Value, 3)
			r.set(&r.numbers.NoAckSeconds, 7200)
		}, slow, warn, byOutput, "nothing for 2 h, and senders are told 504 after 5s", ""},
		"a defect": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.answer("500", "internal_error", 2)
		}, failing, bad, byRtbeat, "2 batches failed inside rtbeat", ""},
		"an output that gives events up": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.answer("502", "output_rejected", 2)
			r.answer("504", "ack_timeout", 1)
		}, givingUp, bad, byOutput, "The output gave up events of 2 batches in the last 30 s", ""},
		"nothing but refused senders": {func(r *rig) {
			r.answer("401", "unauthorized", 9)
			r.answer("400", "malformed_json", 8)
			r.answer("499", "client_gone", 100)
		}, rejecting, warn, bySender, "17 requests were refused: unauthorized.", ""},
		"some refused senders": {func(r *rig) {
			r.add(&r.numbers.Acked, 600)
			r.answer("413", "body_too_large", 1)
		}, delivering, ok, nobody, "acknowledged", "1 request was refused in the last 30 s: body_too_large."},
		"a sender that left": {func(r *rig) { r.answer("499", "client_gone", 1) }, idle, ok, nobody, "Nothing", ""},
		"an output that cannot be reached yet": {func(r *rig) {
			r.set(&r.numbers.Events.Value, 3)
			r.set(&r.numbers.NoAckSeconds, 3)
			r.add(&r.numbers.Libbeat.WriteErrors, 4)
		}, delivering, ok, nobody, "3 events are on the way", "Sending to the output failed 4 times in the last 30 s"},
		"dropped events": {func(r *rig) { r.add(&r.numbers.Libbeat.Dropped, 2) }, idle, ok, nobody, "", "The output gave up 2 events"},
		"a window that is sent again and again": {func(r *rig) {
			r.set(&r.numbers.WindowRepeats, 3)
			r.set(&r.numbers.Events.Value, 3)
			r.set(&r.numbers.NoAckSeconds, 60)
		}, slow, warn, byOutput, "nothing for 60 s", "The same window was sent again 3 times with no acknowledgement in between: one event may be unreadable for Logstash."},
		"crowded": {func(r *rig) { r.add(&r.numbers.Displaced, 2) }, idle, ok, nobody, "", "2 connections were closed"},
		"an old certificate": {func(r *rig) {
			r.set(&r.numbers.CertificateExpiry, Number(time.Now().Add(75*time.Hour).Unix()))
		}, idle, ok, nobody, "", "expires in 3 days"},
		"a stale certificate": {func(r *rig) {
			r.set(&r.numbers.CertificateExpiry, Number(time.Now().Add(-time.Hour).Unix()))
		}, idle, ok, nobody, "", "has expired"},
		"a start": {func(r *rig) { r.inPhase("starting") }, starting, warn, nobody, "does not serve yet", ""},
		"a stop": {func(r *rig) {
			r.inPhase("leaving")
			r.is(&r.numbers.IsStalled, true)
		}, stopping, warn, nobody, "Nothing is in flight any more", ""},
		"the end of a stop": {func(r *rig) {
			r.inPhase("draining")
			r.set(&r.numbers.Events.Value, 2)
			r.answer("503", "stopping", 2)
		}, stopping, warn, nobody, "2 events wait for an acknowledgement", ""},
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
					require.NotEmpty(t, v.Advice, "somebody has to do something, and is not told what")
				}
			})
		})
	}
}

// What happened longer than half a minute ago decides nothing any more.
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

// When it is nearly full, and when no more, is for whoever answers /readyz to say.
func TestNearlyFullIsWhatReadinessSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.running()()
		at := func(bytes Number, isHigh bool) state {
			r.set(&r.numbers.Bytes.Value, bytes)
			r.is(&r.numbers.IsHigh, isHigh)
			r.set(&r.numbers.Events.Value, 1)
			time.Sleep(freshFor)
			return r.report().Verdict.State
		}
		require.Equal(t, delivering, at(950, false))
		require.Equal(t, nearlyFull, at(760, true))
		require.Equal(t, delivering, at(760, false))
	})
}

// A lost connection is no reason to look for an event that cannot be read, and a sender's fault is not the output's.
func TestTheFirstAdviceIsToLookForAnUnreadableEvent(t *testing.T) {
	for repeats, first := range map[float64]string{2: "See whether Logstash is up", 3: "Look for a JSON error in Logstash's log"} {
		f := facts{stalled: true, repeats: repeats}
		v := f.verdict()
		require.Equal(t, stalling, v.State)
		require.Contains(t, v.Advice[0], first)
		require.Equal(t, repeats == 3, len(v.Notes) == 1)
	}
	f := facts{repeats: 3, acked: 1}
	require.Empty(t, f.verdict().Advice)
}

// Whom to look at depends on the output.
func TestTheVerdictNamesTheOutput(t *testing.T) {
	for output, receiver := range map[string]string{"": "Logstash", "logstash": "Logstash", "kafka": "what output.kafka ships to"} {
		f := facts{settings: Settings{Output: output}}
		require.Contains(t, f.verdict().Text, "Whether "+receiver+" works")
		f.stalled = true
		require.Contains(t, f.verdict().Advice[0], "whether "+receiver+" is up")
		f.persisted = true
		require.Contains(t, f.verdict().Advice[0], "whether "+receiver+" is up")
	}
}
