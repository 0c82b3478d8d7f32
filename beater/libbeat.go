package beater

import (
	"fmt"

	"github.com/elastic/beats/v7/libbeat/beat"
	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/internal/libbeatcheck"
)

// checkLibbeat refuses settings of libbeat that hurt later, and warns of settings that may not be meant. Commands that neither
// run rtbeat nor check its configuration, such as "export config", take any.
func (o *Options) checkLibbeat(info beat.Info, root *conf.C) error {
	if !o.Run && !o.Check {
		return nil
	}
	if err := checkDiskQueue(root); err != nil {
		return fmt.Errorf("checking the configuration: %w", err)
	}
	warnings, err := libbeatcheck.Check(root)
	log := info.Logger.Named("rtbeat")
	for _, warning := range warnings {
		log.Warnf("a setting of libbeat does not do what it may seem to: %s", warning)
	}
	if err != nil {
		return fmt.Errorf("checking the configuration: %w", err)
	}
	return nil
}
