package cmd

import (
	"fmt"

	"github.com/elastic/beats/v7/libbeat/cmd/instance"

	"github.com/txn2/rtbeat/beater"
	"github.com/txn2/rtbeat/config"
)

// loadConfig reads the rtbeat section as a run does, with the settings of the command line and the secrets of the keystore.
// diskKey is Options.LibbeatDiskKey, which is known once libbeat has read the file. Warnings are left to "test config".
func loadConfig(settings instance.Settings, diskKey *string) (config.Config, error) {
	b, err := instance.NewInitializedBeat(settings)
	if err != nil {
		return config.Config{}, fmt.Errorf("initializing: %w", err)
	}
	section, err := b.BeatConfig()
	if err != nil {
		return config.Config{}, fmt.Errorf("reading the rtbeat section: %w", err)
	}
	c, _, err := beater.LoadConfig(section, b.RawConfig, *diskKey)
	if err != nil {
		return config.Config{}, fmt.Errorf("checking the configuration: %w", err)
	}
	return c, nil
}
