package beater

import (
	"fmt"

	"github.com/elastic/beats/v7/libbeat/beat"
	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/internal/libbeatcheck"
)

// checkLibbeat refuses settings of libbeat that fail later, and warns of settings that are likely mistakes. Commands that neither
// run rtbeat nor check its configuration, such as "export config", accept any.
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
		log.Warnf("a setting of libbeat is likely a mistake: %s", warning)
	}
	if err != nil {
		return fmt.Errorf("checking the configuration: %w", err)
	}
	return nil
}
