package outputs

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/mapstr"
)

// mark is the Private value of an event. It records that the event was given up.
type mark struct{ rejected atomic.Bool }

func (m *mark) Reject() { m.rejected.Store(true) }

// events makes events with a mark each.
func events(n, size int) (events []beat.Event) {
	for range n {
		events = append(events, beat.Event{Timestamp: time.Now(), Private: &mark{}, Fields: mapstr.M{"pad": strings.Repeat("x", size)}})
	}
	return events
}
