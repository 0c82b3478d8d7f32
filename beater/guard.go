package beater

import (
	"io"

	"github.com/elastic/beats/v7/libbeat/beat"
)

// guardedPipeline is a pipeline that libbeat cannot close.
//
// On a signal libbeat closes b.Publisher if it is an io.Closer, and only then calls Stop (stopBeat in
// libbeat/cmd/instance/beat.go). A closing pipeline reports the events that it drops as acknowledged (ttlBatch.Drop in
// libbeat/publisher/pipeline/ttl_batch.go): a sender would get a 200 for a batch that never arrived. So the beater closes
// the pipeline itself, at the end of its stop.
type guardedPipeline struct {
	connect beat.Pipeline
}

// guard replaces b.Publisher, and returns a function that closes the real pipeline. It must be called in New: libbeat
// reads b.Publisher at the signal.
func guard(b *beat.Beat) (pipeline beat.Pipeline, closePipeline func() error) {
	pipeline = b.Publisher
	b.Publisher = guardedPipeline{connect: pipeline}
	closer, ok := pipeline.(io.Closer)
	if !ok {
		return pipeline, func() error { return nil }
	}
	return pipeline, closer.Close
}

func (g guardedPipeline) ConnectWith(c beat.ClientConfig) (beat.Client, error) {
	return g.connect.ConnectWith(c)
}

func (g guardedPipeline) Connect() (beat.Client, error) {
	return g.connect.Connect()
}
