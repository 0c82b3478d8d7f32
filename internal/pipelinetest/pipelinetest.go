// Package pipelinetest gives tests a real pipeline of libbeat, with its queue and processors, and an output that the test controls.
package pipelinetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	_ "github.com/elastic/beats/v7/libbeat/processors/actions"       // drop_event
	_ "github.com/elastic/beats/v7/libbeat/processors/extract_array" // extract_array
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/beats/v7/libbeat/publisher/pipeline"
	"github.com/elastic/beats/v7/libbeat/publisher/processing"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
)

// Output is the client of an output. The zero value hands each batch to the test through Next.
type Output struct {
	// OnBatch, if set, ends each batch, in the output's goroutine.
	OnBatch func(publisher.Batch)
	// OnClose, if set, is called when the pipeline closes the output. The pipeline is closed as in a real Beat then, and not by
	// force: OnClose must end every window, else goroutines of the queue stay behind.
	OnClose func()

	mu      sync.Mutex
	arrived sync.Cond
	batches []publisher.Batch
}

// Publish is called by libbeat.
func (o *Output) Publish(_ context.Context, batch publisher.Batch) error {
	if o.OnBatch != nil {
		o.OnBatch(batch)
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.batches = append(o.batches, batch)
	o.arrived.Broadcast()
	return nil
}

// Next waits for the next batch that reached the output.
func (o *Output) Next() publisher.Batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.batches) == 0 {
		o.arrived.Wait()
	}
	batch := o.batches[0]
	o.batches = o.batches[1:]
	return batch
}

// Close is called by libbeat.
func (o *Output) Close() error {
	if o.OnClose != nil {
		o.OnClose()
	}
	return nil
}

// String is called by libbeat.
func (*Output) String() string { return "pipelinetest" }

// Config reads settings: YAML with "queue.mem" and "processors" as in rtbeat.yml.
func Config(t *testing.T, settings string) *conf.C {
	t.Helper()
	config, err := conf.NewConfigWithYAML([]byte(settings), "test")
	require.NoError(t, err)
	return config
}

// New returns a pipeline around output. A window holds batchSize events at most. The test must close the pipeline.
func New(t *testing.T, output *Output, batchSize int, config *conf.C) *pipeline.Pipeline {
	t.Helper()
	output.arrived.L = &output.mu

	defaults := conf.MustNewConfigFrom(map[string]any{"queue.mem.flush.timeout": "0s"})
	config, err := conf.MergeConfigs(defaults, config)
	require.NoError(t, err)

	info := beat.Info{Beat: "rtbeat", Name: "test", Logger: logp.NewNopLogger()}
	processors, err := processing.MakeDefaultBeatSupport(true)(info, info.Logger, config)
	require.NoError(t, err)
	var queue struct {
		Queue conf.Namespace `config:"queue"`
	}
	require.NoError(t, config.Unpack(&queue))

	// Forced: the goroutines of a queue that is not empty would stay behind. In a real Beat they end with the process.
	mode := pipeline.WaitOnPipelineCloseThenForce
	if output.OnClose != nil {
		mode = pipeline.WaitOnPipelineClose
	}
	p, err := pipeline.New(info, pipeline.Monitors{Logger: info.Logger}, queue.Queue,
		outputs.Group{Clients: []outputs.Client{output}, BatchSize: batchSize},
		pipeline.Settings{Processors: processors, WaitClose: 100 * time.Millisecond, WaitCloseMode: mode})
	require.NoError(t, err)
	return p
}
