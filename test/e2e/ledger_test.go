//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// Every e2e verdict rests on the ledger, so each lie it is there to catch is told to it once.
func TestLedgerCatchesEachLie(t *testing.T) {
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
		want   string // empty: no complaint
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
		"an event nobody sent":         {504, nil, []lumbersink.Event{event(`{"uuid":"c"}`, before)}, "invented"},
		"a number off by one":          {504, nil, []lumbersink.Event{event(`{"uuid":"a","n":9007199254740992}`, before)}, "changed"},
		"a null lost":                  {504, nil, []lumbersink.Event{event(`{"uuid":"b"}`, before)}, "changed"},
		"a refused batch at the sink":  {413, nil, []lumbersink.Event{event(a, before)}, "refused, yet published"},
		"an event without any message": {504, nil, []lumbersink.Event{{Raw: json.RawMessage(`{"x":1}`)}}, "without a message"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			l.WillDrop(tt.drop...)
			p := l.open(Batch{{ID: "a", Raw: json.RawMessage(a)}, {ID: "b", Raw: json.RawMessage(b)}})
			p.answered, p.answer.Code, p.answer.At, p.answer.Body.Messages = true, tt.code, answered, 2

			err := errors.Join(l.violations(tt.events)...)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
			require.Equal(t, 1, strings.Count(err.Error(), "\n")+1, "one lie, one complaint: %v", err)
		})
	}
}
