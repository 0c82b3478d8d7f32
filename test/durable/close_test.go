//go:build !race

package durable

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/beats/v7/libbeat/publisher/pipeline"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"
)

// stalled is an output that never acknowledges, and gives back what it has when it is closed, as libbeat's do.
type stalled struct {
	mu   sync.Mutex
	held []publisher.Batch
}

func (s *stalled) Publish(_ context.Context, b publisher.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(s.held, b)
	return nil
}

func (s *stalled) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.held {
		b.Retry()
	}
	return nil
}

func (*stalled) String() string { return "stalled" }

func (s *stalled) took() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, b := range s.held {
		n += len(b.Events())
	}
	return n
}

// slow is the listener of a client whose acknowledgements take their time, as a sync on a busy disk does.
type slow struct{ wait <-chan struct{} }

func (slow) AddEvent(beat.Event, bool) {}
func (s slow) ACKEvents(int)           { <-s.wait }
func (slow) ClientClosed()             {}

// TestLibbeatLosesEventsWhenThePipelineIsClosed is why rtbeat leaves the pipeline open in durable mode.
func TestLibbeatLosesEventsWhenThePipelineIsClosed(t *testing.T) {
	path := t.TempDir()
	var queue struct {
		Queue conf.Namespace `config:"queue"`
	}
	require.NoError(t, conf.MustNewConfigFrom(map[string]any{"queue.disk": map[string]any{"max_size": "10MB", "path": path}}).Unpack(&queue))
	output := &stalled{}
	p, err := pipeline.New(beat.Info{Logger: logp.NewNopLogger()}, pipeline.Monitors{Logger: logp.NewNopLogger()}, queue.Queue,
		outputs.Group{Clients: []outputs.Client{output}, BatchSize: 10}, pipeline.Settings{WaitClose: 200 * time.Millisecond, WaitCloseMode: pipeline.WaitOnPipelineClose})
	require.NoError(t, err)
	release := make(chan struct{})
	publish := func(listener beat.EventListener) {
		client, err := p.ConnectWith(beat.ClientConfig{PublishMode: beat.GuaranteedSend, EventListener: listener})
		require.NoError(t, err)
		client.Publish(beat.Event{Timestamp: time.Now(), Fields: mapstr.M{"rxtxMsg": mapstr.M{"uuid": "1"}}})
	}
	publish(nil)
	require.Eventually(t, func() bool { return output.took() == 1 }, patience, 10*time.Millisecond)
	publish(slow{release}) // the queue cannot close while this one is written
	time.Sleep(100 * time.Millisecond)
	before := image(t, path)
	require.NoError(t, p.Close())
	after := image(t, path)
	close(release)

	require.NotEmpty(t, open(t, before, 1<<20).read(1, false), "it was on the disk, and not delivered")
	first := open(t, after, 1<<20).read(1, false)
	require.True(t, len(first) == 0 || stateOf(t, after).Byte > 12, "libbeat has mended it")
	require.Positive(t, stateOf(t, after).Frame, "the position has moved over what was not delivered")
}
