package beater

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/elastic/beats/v7/libbeat/publisher/queue/diskqueue"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/paths"

	"github.com/txn2/rtbeat/config"
)

// LoadConfig reads the rtbeat section. Where root, the whole configuration, has settings of libbeat's disk queue, they are taken
// for those of durable mode; key is where they stand.
func LoadConfig(section, root *conf.C, key string) (config.Config, []string, error) {
	c, warnings, err := config.Load(section)
	if err != nil {
		return config.Config{}, nil, err //nolint:wrapcheck // its caller says what it was doing
	}
	c, more, err := fromDiskQueue(c, root, key)
	return c, append(warnings, more...), err
}

// fromDiskQueue takes the settings of libbeat's disk queue for those of durable mode. key is where they stand in root; it is
// empty where there are none.
func fromDiskQueue(c config.Config, root *conf.C, key string) (_ config.Config, warnings []string, err error) {
	if key == "" {
		return c, nil, nil
	}
	if c.Durable.Enabled {
		return c, nil, fmt.Errorf("both rtbeat.durable and %s are configured; leave %[1]s out", key)
	}
	section, err := root.Child(key, -1)
	if err != nil {
		return c, nil, fmt.Errorf("reading %s: %w", key, err)
	}
	settings, err := diskqueue.SettingsForUserConfig(section)
	if err != nil {
		return c, nil, fmt.Errorf("reading %s: %w", key, err)
	}
	durable := config.Durable{Enabled: true, Path: c.Durable.Path, MaxBytes: config.ByteSize(settings.MaxBufferSize)} //nolint:gosec // checked next
	if settings.Path != "" {
		durable.Path = settings.Path
	}
	if c, err = c.WithDurable(durable); err != nil {
		return c, nil, fmt.Errorf("%s.path and %[1]s.max_size stand for rtbeat.durable.path and rtbeat.durable.max_bytes: %w", key, err)
	}
	warnings = append(warnings, fmt.Sprintf("%s is durable mode: its path and max_size are taken for rtbeat.durable.path and rtbeat.durable.max_bytes", key))
	names := section.GetFields()
	slices.Sort(names)
	for _, name := range names {
		if !slices.Contains([]string{"path", "max_size", "enabled"}, name) {
			warnings = append(warnings, fmt.Sprintf("%s.%s means nothing in durable mode; leave it out", key, name))
		}
	}
	return c, warnings, nil
}

// checkLeftovers refuses to start while libbeat's disk queue, which rtbeat used before, holds events that were not delivered.
// Their senders were answered 200.
func checkLeftovers(c config.Config) error {
	for _, dir := range []string{paths.Resolve(paths.Data, "diskqueue"), paths.Resolve(paths.Data, c.Durable.Path)} {
		if hasUndelivered(dir) {
			return fmt.Errorf("the disk queue of an earlier rtbeat in %s has events that were not delivered. "+
				"Start the release before with queue.disk.path at this directory until the output has them all, or move the directory away if they are not needed (docs/durable.md, \"From the former durable mode\")", dir)
		}
	}
	return nil
}

// hasUndelivered tells whether events are left in the segments of libbeat's disk queue: numbered files, and state.dat with the
// position of the first event that was not acknowledged (libbeat/publisher/queue/diskqueue/docs/on-disk-structures.md). It may
// say yes for a queue whose last events were acknowledged just before a kill.
func hasUndelivered(dir string) bool {
	var position struct {
		Version         uint32
		Segment, Offset uint64
	}
	if f, err := os.Open(filepath.Join(dir, "state.dat")); err == nil { //nolint:gosec // a path from the configuration
		if binary.Read(f, binary.LittleEndian, &position) != nil || position.Version != 1 {
			position.Segment, position.Offset = 0, 0
		}
		_ = f.Close() // read only
	}
	const segmentHeader = 12
	entries, _ := os.ReadDir(dir) // where there is nothing to read, nothing is left
	for _, entry := range entries {
		digits, isSegment := strings.CutSuffix(entry.Name(), ".seg")
		number, err := strconv.ParseUint(digits, 10, 64)
		info, statErr := entry.Info()
		if !isSegment || err != nil || statErr != nil || info.Size() <= segmentHeader {
			continue
		}
		if number > position.Segment || number == position.Segment && info.Size() > int64(position.Offset) { //nolint:gosec // no file is that long
			return true
		}
	}
	return false
}
