package beater

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/paths"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/setting"
)

// fromLibbeatDiskQueue makes settings of durable mode of the settings of libbeat's disk queue, which have this key in root.
func fromLibbeatDiskQueue(c config.Config, root *conf.C, key string) (_ config.Config, warnings []string, err error) {
	if has, err := root.Has("rtbeat.durable", -1); err == nil && has {
		return c, nil, fmt.Errorf("both rtbeat.durable and %s are configured; leave %[1]s out", key)
	}
	disk, err := root.Child(key, -1)
	if err != nil {
		return c, nil, fmt.Errorf("reading %s: %w", key, err)
	}
	var settings struct {
		Path    string           `config:"path"`
		MaxSize setting.ByteSize `config:"max_size"`
	}
	if err := disk.Unpack(&settings); err != nil {
		return c, nil, fmt.Errorf("reading %s: %w", key, err)
	}
	if settings.MaxSize == 0 {
		return c, nil, fmt.Errorf("%s.max_size is missing or 0, which is no limit for libbeat; write the largest size of the queue on disk, such as 10GiB", key)
	}
	durable := diskqueue.Settings{Enabled: true, Path: c.Durable.Path, MaxBytes: settings.MaxSize}
	if settings.Path != "" {
		durable.Path = settings.Path
	}
	if c, err = c.WithDurable(durable); err != nil {
		return c, nil, fmt.Errorf("%s.path and %[1]s.max_size stand for rtbeat.durable.path and rtbeat.durable.max_bytes: %w", key, err)
	}
	warnings = append(warnings, fmt.Sprintf("%s means durable mode: its path and max_size are read as rtbeat.durable.path and rtbeat.durable.max_bytes", key))
	names := disk.GetFields()
	slices.Sort(names)
	for _, name := range names {
		if !slices.Contains([]string{"path", "max_size", "enabled"}, name) {
			warnings = append(warnings, fmt.Sprintf("%s.%s has no effect in durable mode; remove it", key, name))
		}
	}
	return c, warnings, nil
}

// checkLibbeatEvents refuses to start while libbeat's disk queue, which earlier releases used, has undelivered events. Their senders
// were answered 200.
func checkLibbeatEvents(c config.Config) error {
	for _, dir := range []string{paths.Resolve(paths.Data, "diskqueue"), paths.Resolve(paths.Data, c.Durable.Path)} {
		left, err := hasLibbeatEvents(dir)
		if err != nil {
			return fmt.Errorf("looking for a disk queue of an earlier rtbeat: %w. Let this user read the directory, or move it away", err)
		}
		if left {
			return fmt.Errorf("the disk queue of an earlier rtbeat in %s has events that were not delivered. "+
				"Start the former release with queue.disk.path at this directory until the output has all of them, or move the directory away if you do not need them (docs/durable.md, \"From the former durable mode\")", dir)
		}
	}
	return nil
}

// hasLibbeatEvents tells whether libbeat's disk queue has undelivered events. Its segments are numbered files, and state.dat has the
// position of the first unacknowledged event (libbeat/publisher/queue/diskqueue/docs/on-disk-structures.md). It may be true for a
// queue whose last events were acknowledged just before a kill, or whose position cannot be read.
func hasLibbeatEvents(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	segment, offset := readLibbeatPosition(filepath.Join(dir, "state.dat"))
	const segmentHeader = 12
	for _, entry := range entries {
		digits, isSegment := strings.CutSuffix(entry.Name(), ".seg")
		number, err := strconv.ParseUint(digits, 10, 64)
		info, statErr := entry.Info()
		if !isSegment || err != nil || statErr != nil || info.Size() <= segmentHeader {
			continue
		}
		if number > segment || number == segment && uint64(info.Size()) > offset { //nolint:gosec // not negative
			return true, nil
		}
	}
	return false, nil
}

// readLibbeatPosition reads the position of the first unacknowledged event. If that fails, it returns the beginning of the queue.
func readLibbeatPosition(path string) (segment, offset uint64) {
	f, err := os.Open(path) //nolint:gosec // a path from the configuration
	if err != nil {
		return 0, 0
	}
	defer func() { _ = f.Close() }() // read only
	var state struct {
		Version         uint32
		Segment, Offset uint64
	}
	if binary.Read(f, binary.LittleEndian, &state) != nil || state.Version > 1 {
		return 0, 0
	}
	return state.Segment, state.Offset
}
