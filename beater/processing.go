package beater

import (
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/publisher/processing"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/internal/libbeatcheck"
	"github.com/txn2/rtbeat/internal/publish"
)

// Processing is libbeat's default processing. It is the only hook that gets the whole configuration with the settings of the
// command line (configure in libbeat/cmd/instance/beat.go).
func (o *Options) Processing(info beat.Info, log *logp.Logger, root *conf.C) (processing.Supporter, error) {
	o.Root = root
	if err := o.checkLibbeat(info, root); err != nil {
		return nil, fmt.Errorf("checking the configuration: %w", err)
	}
	watched, names, err := publish.WatchProcessors(root)
	if err != nil {
		return nil, fmt.Errorf("checking the configuration: %w", err)
	}
	o.processors, o.rootFields = names, publish.RootFields(root)
	return processing.MakeDefaultBeatSupport(true)(info, withoutDebug(log), watched)
}

// checkLibbeat refuses settings of libbeat that fail later, and warns of settings that are likely mistakes. Commands that neither
// run rtbeat nor check its configuration, such as "export config", accept any.
func (o *Options) checkLibbeat(info beat.Info, root *conf.C) error {
	if !o.Run && !o.Check {
		return nil
	}
	warnings, err := libbeatcheck.Check(root)
	log := info.Logger.Named("rtbeat")
	for _, warning := range warnings {
		log.Warnf("a setting of libbeat is likely a mistake: %s", warning)
	}
	return err
}

// withoutDebug returns log from level info on. It is for processors: at debug, libbeat logs whole events (debugPrintProcessor in
// libbeat/publisher/processing/processors.go), and processors quote events that they cannot process.
func withoutDebug(log *logp.Logger) *logp.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		raised, err := zapcore.NewIncreaseLevelCore(core, zapcore.InfoLevel)
		if err != nil {
			return core // its level is higher
		}
		return raised
	}))
}
