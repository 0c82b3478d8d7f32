package beater

import (
	"io"

	"github.com/elastic/beats/v7/libbeat/beat"
)

// guardedPipeline is a pipeline that libbeat cannot close.
//
// On a signal libbeat closes b.Publisher if it is an io.Closer, with one second for what is in flight, and only then
// calls Stop (stopBeat in libbeat/cmd/instance/beat.go). What the closing pipeline drops it reports as acknowledged
// (ttlBatch.Drop in libbeat/publisher/pipeline/ttl_batch.go), so that a sender would get a 200 for a batch that
// never arrived. The beater therefore replaces the pipeline by this type, and closes the pipeline itself at the
// end of its own stop.
type guardedPipeline struct {
	connect beat.Pipeline
}

// guard replaces b.Publisher, and returns a function that closes the real pipeline. It must be called in New: libbeat
// reads b.Publisher when the signal comes.
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
