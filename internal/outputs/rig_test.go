package outputs

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"
)

// mark is what travels with an event, and remembers that it was given up.
type mark struct{ rejected atomic.Bool }

func (m *mark) Reject() { m.rejected.Store(true) }

// events makes events with a mark each.
func events(n, size int) (events []beat.Event) {
	for range n {
		events = append(events, beat.Event{Timestamp: time.Now(), Private: &mark{}, Fields: mapstr.M{"pad": strings.Repeat("x", size)}})
	}
	return events
}

// newClient makes the client of an output, as libbeat does.
func newClient(t *testing.T, output string, settings map[string]any) outputs.NetworkClient {
	t.Helper()
	require.NoError(t, Watch())
	group, err := outputs.Load(nil, beat.Info{Beat: "rtbeat", Version: "9.9.9", Logger: logp.NewNopLogger()}, nil, output, conf.MustNewConfigFrom(settings))
	require.NoError(t, err)
	require.Len(t, group.Clients, 1)
	return group.Clients[0].(outputs.NetworkClient)
}
