package diskqueue

import (
	"errors"
	"fmt"
	"strings"

	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/setting"
)

// Settings are the directory of the queue, and its limits.
type Settings struct {
	// Enabled is whether rtbeat answers a batch as soon as the batch is on the disk: [durable mode](durable.md). It is `true`
	// if another setting of `durable` is given without it.
	Enabled bool `config:"enabled"`

	// Path is the directory of the queue. A relative path is below `path.data`. Each rtbeat needs its own.
	Path string `config:"path" show:"text"`

	// MaxBytes limits the files of the queue on the disk. It must be at least 4 times `max_body_bytes`, and at least 4 MiB.
	// Beyond it, rtbeat answers batches with 503 `queue_full`. `max_in_flight_bytes` must be at least twice `max_body_bytes`.
	MaxBytes setting.ByteSize `config:"max_bytes"`

	// Dedupe says for how long the queue knows a stored message. It is rtbeat.dedupe, and no setting of the queue.
	Dedupe dedupe.Settings `config:",ignore"`
}

// DefaultSettings are the settings of a file without any.
func DefaultSettings() Settings { return Settings{Path: "queue", MaxBytes: 10 << 30} }

// Check applies the rules of the settings. They matter in durable mode only.
func (s *Settings) Check() error {
	switch {
	case !s.Enabled:
		return nil
	case strings.TrimSpace(s.Path) == "":
		return errors.New("rtbeat.durable.path is empty; name a directory, or leave it out")
	case s.MaxBytes < smallestSegment:
		return fmt.Errorf("rtbeat.durable.max_bytes is %d; it must be at least %d, which one file of the queue takes. Raise it", s.MaxBytes, smallestSegment)
	default:
		return nil
	}
}
