//go:build chaos

package chaos

import (
	"bytes"
	"net/http"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// fateHeader tells the processors what to do with the messages of an attempt that have the label of fate. The same message
// has another fate in another attempt, and from another sender.
const fateHeader = "X-Fate"

// labels are given to the messages alternately. The processors look at messages with the second one.
var labels = []string{"fine", "fate"}

// withFates gives the process processors that drop and fail by a header, which is random.
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
		// The last one, which mend takes away. It fails, because there is no such field.
		map[string]any{"fingerprint": map[string]any{"fields": []string{"never.there"}, "when": when("fail")}},
	}
}

// fate picks the fate of an attempt: mostly none.
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

// lateAcks keeps messages in flight for long enough for another sender to send them meanwhile.
var lateAcks = fault{"acks are late", false, func(w *world) func() {
	w.sink().SetPolicy(lumbersink.Delay(ackTimeout / 8))
	w.oks(4 * len(w.senders))
	return func() { harness.RecoverSink(w.sink()) }
}}
