// Package cmd is the command line: libbeat's commands under rtbeat's name, "rtbeat sink", "rtbeat queue", "rtbeat send" and "rtbeat test intake".
package cmd

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/elastic/beats/v7/libbeat/asset"
	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/cfgfile"
	libbeatcmd "github.com/elastic/beats/v7/libbeat/cmd"
	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	libbeatversion "github.com/elastic/beats/v7/libbeat/version"
	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/beater"
	"github.com/txn2/rtbeat/internal/outputs"
)

// Name is the name of the Beat: of its configuration file, its section there, and its index.
const Name = "rtbeat"

// version is rtbeat's own, beside libbeat's. The Makefile sets it at link time.
var version = "0.0.0-dev"

// New returns the root command. fieldsYML has rtbeat's fields, for "export template" and "setup".
func New(fieldsYML string) (*libbeatcmd.BeatsRootCmd, error) {
	err := asset.SetFields(Name, "fields.yml", asset.BeatFieldsPri, func() string {
		encoded, err := asset.EncodeData(fieldsYML)
		if err != nil { // compressing into memory does not fail
			panic(err)
		}
		return encoded
	})
	if err != nil {
		return nil, fmt.Errorf("registering the fields: %w", err)
	}

	if err := allowSyscalls(); err != nil {
		return nil, err
	}
	if err := outputs.Wrap(); err != nil {
		return nil, fmt.Errorf("wrapping the outputs: %w", err)
	}
	var options beater.Options
	options.Hangups = make(chan os.Signal, 1) // a SIGHUP during a reload causes another reload
	options.Reread = func() (*conf.C, string, error) {
		var diskKey string
		root, err := reread(overrides(&diskKey))
		return root, diskKey, err
	}
	settings := instance.Settings{
		Name:            Name,
		Version:         version,
		ConfigOverrides: overrides(&options.LibbeatDiskKey),
		Processing:      options.Processing,
	}
	root := libbeatcmd.GenRootCmdWithSettings(
		func(b *beat.Beat, section *conf.C) (beat.Beater, error) {
			if f := flag.Lookup("N"); f != nil && f.Value.String() == "true" { // libbeat/publisher/pipeline/module.go
				return nil, errPublishingDisabled
			}
			if b.InSetupCmd { // libbeat adds settings of Filebeat's modules for every Beat
				if _, err := section.Remove("config", -1); err != nil {
					return nil, fmt.Errorf("leaving out what \"setup\" adds: %w", err)
				}
			}
			return beater.New(b, section, options)
		},
		settings)
	root.Short = "rtbeat takes JSON batches over HTTP and answers 200 once the output has acknowledged every event"
	root.AddCommand(newSinkCmd(), newSendCmd(), newQueueCmd(settings, &options.LibbeatDiskKey))
	root.TestCmd.AddCommand(newTestIntakeCmd(settings, &options.LibbeatDiskKey))

	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return setFromEnvironment(c.Flags()) }
	for _, c := range []*cobra.Command{&root.Command, root.RunCmd} { // the root command is an alias of run
		c.PreRun = func(*cobra.Command, []string) {
			options.Run = true
			signal.Notify(options.Hangups, syscall.SIGHUP) // otherwise a SIGHUP would end the process while it reads the queue at its start
		}
	}
	for _, c := range checkOnly(root) {
		c.PreRun = func(*cobra.Command, []string) { options.Check = true }
	}
	if err := exportForCurrentElasticsearch(root.ExportCmd); err != nil {
		return nil, err
	}
	return root, nil
}

// overrides are queueDefaults, after an override that changes nothing and sets diskKey. Only overrides get the configuration file
// without the defaults.
func overrides(diskKey *string) []cfgfile.ConditionalOverride {
	setKey := func(file *conf.C) bool {
		*diskKey = libbeatDiskKey(file)
		return false
	}
	return append([]cfgfile.ConditionalOverride{{Check: setKey}}, queueDefaults()...)
}

// errPublishingDisabled refuses libbeat's -N. It drops every event as a processor does, and rtbeat would answer 200 for batches
// that were not delivered.
var errPublishingDisabled = errors.New("-N (--N) disables publishing, and rtbeat would deliver nothing; remove it. To try rtbeat without Logstash, run \"rtbeat sink\"")

// exportForCurrentElasticsearch makes libbeat's version the default of --es.version. libbeat's default is the version of the
// Beat, and rtbeat's versions are not those of Elasticsearch.
func exportForCurrentElasticsearch(export *cobra.Command) error {
	for _, c := range export.Commands() {
		f := c.Flags().Lookup("es.version")
		if f == nil {
			continue
		}
		f.DefValue = libbeatversion.GetDefaultVersion()
		if err := f.Value.Set(f.DefValue); err != nil {
			return fmt.Errorf("setting the default of --es.version: %w", err)
		}
	}
	return nil
}

// checkOnly returns the commands that build the Beater and never run it.
func checkOnly(root *libbeatcmd.BeatsRootCmd) []*cobra.Command {
	commands := []*cobra.Command{root.SetupCmd}
	for _, c := range root.TestCmd.Commands() {
		if c.Name() == "config" {
			commands = append(commands, c)
		}
	}
	return commands
}
