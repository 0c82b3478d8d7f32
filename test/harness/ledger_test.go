package harness

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// The verdict of every suite rests on the ledger, so each breach is shown to it once.
func TestLedgerFindsEachBreach(t *testing.T) {
	answered := time.Now()
	before, after := answered.Add(-time.Millisecond), answered.Add(time.Millisecond)
	event := func(message string, acked time.Time) lumbersink.Event {
		return lumbersink.Event{Raw: json.RawMessage(`{"rxtxMsg":` + message + `}`), Received: before, Acked: acked}
	}
	const a, b = `{"uuid":"a","n":9007199254740993}`, `{"uuid":"b","n":null}`

	tests := map[string]struct {
		code   int
		drop   []string
		events []lumbersink.Event
		want   string // empty: no violation
	}{
		"the truth":                    {200, nil, []lumbersink.Event{event(a, before), event(b, before)}, ""},
		"a second copy, not acked":     {200, nil, []lumbersink.Event{event(a, before), event(b, before), event(a, time.Time{})}, ""},
		"504 and nothing arrived":      {504, nil, nil, ""},
		"504 and some arrived":         {504, nil, []lumbersink.Event{event(a, time.Time{})}, ""},
		"200 before the ack":           {200, nil, []lumbersink.Event{event(a, before), event(b, after)}, "before its acknowledgement"},
		"200 without an ack":           {200, nil, []lumbersink.Event{event(a, before), event(b, time.Time{})}, "never acknowledged"},
		"200 and lost":                 {200, nil, []lumbersink.Event{event(a, before)}, "never reached"},
		"200 and filtered":             {200, []string{"b"}, []lumbersink.Event{event(a, before)}, ""},
		"filtered and yet there":       {200, []string{"b"}, []lumbersink.Event{event(a, before), event(b, before)}, "not filtered"},
		"an event that was not sent":   {504, nil, []lumbersink.Event{event(`{"uuid":"c"}`, before)}, "invented"},
		"a number off by one":          {504, nil, []lumbersink.Event{event(`{"uuid":"a","n":9007199254740992}`, before)}, "changed"},
		"a null lost":                  {504, nil, []lumbersink.Event{event(`{"uuid":"b"}`, before)}, "changed"},
		"a refused batch at the sink":  {413, nil, []lumbersink.Event{event(a, before)}, "refused, yet published"},
		"an event without any message": {504, nil, []lumbersink.Event{{Raw: json.RawMessage(`{"x":1}`)}}, "without a message"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := NewLedger(t)
			l.WillDrop(tt.drop...)
			p := l.open(Batch{{ID: "a", Raw: json.RawMessage(a)}, {ID: "b", Raw: json.RawMessage(b)}}, Attributes{})
			p.Ended, p.Answer.Code, p.Answer.At, p.Answer.Body.Messages = true, tt.code, answered, 2

			broken := l.Violations(tt.events)
			if tt.want == "" {
				require.Empty(t, broken)
				return
			}
			require.Len(t, broken, 1, "one breach, one violation")
			require.Contains(t, broken[0].String(), tt.want)
			require.Contains(t, l.Report(broken, tt.events, nil), broken[0].ID)
		})
	}
}

// A processor may drop the message of one sender only: the 200 for it says nothing about the same message from another sender.
func TestLedgerKnowsWhoseMessageWasDropped(t *testing.T) {
	l := NewLedger(t)
	batch := Batch{{ID: "a", Raw: json.RawMessage(`{}`)}}
	dropped, plain := l.open(batch, Attributes{MayDrop: func(Message) bool { return true }}), l.open(batch, Attributes{})
	for _, p := range []*Attempt{dropped, plain} {
		p.Answer.At, p.Answer.Body.Messages = time.Now(), 1
		p.Answer.Code = 503
		p.Ended = true
	}
	require.Len(t, l.Lost(nil), 1, "no sender has a 200")
	dropped.Answer.Code = 200
	require.Len(t, l.Violations(nil), 1, "the answer says that nothing was filtered")
	dropped.Answer.Body.Filtered = 1
	require.Empty(t, l.Violations(nil), "dropped on purpose")
	require.Empty(t, l.Lost(nil))
	plain.Answer.Code = 200
	broken := l.Violations(nil)
	require.Len(t, broken, 1)
	require.Contains(t, broken[0].What, "never reached")
}

// A message is delivered when one of its copies was acknowledged. Its arrival is not enough.
func TestLedgerFindsLostMessages(t *testing.T) {
	l := NewLedger(t)
	l.WillDrop("filtered")
	for _, id := range []string{"delivered", "silent", "gone", "filtered"} {
		l.open(Batch{{ID: id, Raw: json.RawMessage(`{}`)}}, Attributes{})
	}
	event := func(id string, acked time.Time) lumbersink.Event {
		return lumbersink.Event{Raw: json.RawMessage(`{"rxtxMsg":{"uuid":"` + id + `"}}`), Acked: acked}
	}
	lost := l.Lost([]lumbersink.Event{
		event("delivered", time.Time{}), event("delivered", time.Now()), event("silent", time.Time{}),
	})
	var ids []string
	for _, v := range lost {
		ids = append(ids, v.ID)
	}
	require.ElementsMatch(t, []string{"silent", "gone"}, ids)
}
