//go:build chaos

package chaos

import (
	"bytes"
	"net/http"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// fateHeader tells the processors to drop or fail at the messages of an attempt with the label "fate". The same message has another
// fate in another attempt, and from another sender.
const fateHeader = "X-Fate"

// labels alternate between messages. The processors see only messages with the second label.
var labels = []string{"fine", "fate"}

// withFates adds processors that drop and fail, as a random header says.
func (w *world) withFates() {
	w.settings.Rtbeat["include_headers"] = []string{fateHeader}
	when := func(fate string) map[string]any {
		return map[string]any{"and": []any{
			map[string]any{"equals": map[string]any{"headers.x-fate": fate}},
			map[string]any{"equals": map[string]any{"rxtxMsg.label": "fate"}},
		}}
	}
	w.settings.Processors = []any{
		map[string]any{"drop_event": map[string]any{"when": when("drop")}},
		// The last one, which mend removes. It fails because the field is missing.
		map[string]any{"fingerprint": map[string]any{"fields": []string{"never.there"}, "when": when("fail")}},
	}
}

// fate picks the fate of an attempt, mostly none.
func (s *sender) fate() (http.Header, func(harness.Message) bool) {
	switch s.rng.IntN(8) {
	case 0:
		return http.Header{fateHeader: {"drop"}}, func(m harness.Message) bool { return bytes.Contains(m.Raw, []byte(`"label":"fate"`)) }
	case 1:
		return http.Header{fateHeader: {"fail"}}, nil
	default:
		return nil, nil
	}
}

// lateAcks keeps messages in flight until another sender sends them too.
var lateAcks = fault{"acks are late", false, func(w *world) func() {
	w.sink().SetPolicy(lumbersink.Delay(ackTimeout / 8))
	w.oks(4 * len(w.senders))
	return func() { harness.RecoverSink(w.sink()) }
}}
