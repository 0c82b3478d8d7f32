package beater

import (
	"flag"
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher/processing"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/internal/durable"
	"github.com/txn2/rtbeat/internal/publish"
)

// Processing is libbeat's default processing, and the one hook that sees the whole configuration with the settings of
// the command line applied (configure in libbeat/cmd/instance/beat.go), before libbeat opens the queue.
func (o *Options) Processing(info beat.Info, log *logp.Logger, root *conf.C) (processing.Supporter, error) {
	o.Root = root
	if err := o.checkLibbeat(info, root); err != nil {
		return nil, err
	}
	watched, names, err := publish.WatchProcessors(root)
	if err != nil {
		return nil, fmt.Errorf("checking the configuration: %w", err)
	}
	o.processors = names
	support, err := processing.MakeDefaultBeatSupport(true)(info, discreet(log), watched)
	if err != nil {
		return nil, err //nolint:wrapcheck // libbeat's own error goes back to libbeat, which says what it was doing
	}
	queue, err := diskQueueIn(root)
	if err != nil && !o.Run {
		return support, nil // New judges, where there is something to judge
	}
	if err != nil {
		return nil, fmt.Errorf("checking the configuration: %w", err)
	}
	if queue == nil {
		return support, nil
	}
	if !o.Run {
		return support, withholdQueue()
	}
	if o.durable, err = durable.Open(queue, info.Logger.Named("rtbeat")); err != nil {
		return nil, fmt.Errorf("preparing durable mode: %w", err)
	}
	return o.durable.Processing(support), nil
}

// discreet is a logger for those who have events in their hands. At debug, libbeat logs each event whole
// (debugPrintProcessor in libbeat/publisher/processing/processors.go), and processors quote what they cannot work on; so
// they log from info on.
func discreet(log *logp.Logger) *logp.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		raised, err := zapcore.NewIncreaseLevelCore(core, zapcore.InfoLevel)
		if err != nil {
			return core // its level is higher
		}
		return raised
	}))
}

// withholdQueue keeps a command that only checks, such as "test config", from opening the disk queue: libbeat would
// begin to deliver what is in it, beside an rtbeat that runs. With -N it makes neither output nor queue
// (libbeat/publisher/pipeline/module.go).
func withholdQueue() error {
	if err := flag.Set("N", "true"); err != nil {
		return fmt.Errorf("keeping libbeat from the disk queue: %w", err)
	}
	return nil
}

// checkOutput looks at the settings of the output, where libbeat was kept from it.
func checkOutput(b *beat.Beat) error {
	if b.Config == nil || b.Config.Output.Name() != "logstash" {
		return nil
	}
	if _, err := outputs.Load(nil, b.Info, nil, b.Config.Output.Name(), b.Config.Output.Config()); err != nil {
		return fmt.Errorf("checking output.logstash: %w", err)
	}
	return nil
}
