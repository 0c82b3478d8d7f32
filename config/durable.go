package config

import (
	"errors"
	"fmt"
	"strings"
)

// Durable is durable mode: batches are stored on the local disk, answered 200, and delivered afterwards.
type Durable struct {
	// Enabled is whether a batch is answered as soon as it is on the disk. It is true where another setting of durable is
	// given without it.
	Enabled bool `config:"enabled"`

	// Path is the directory of the queue, below path.data where it is not a whole path. Each rtbeat needs its own.
	Path string `config:"path"`

	// MaxBytes is what the files of the queue may take on the disk, at least 4 times MaxBodyBytes and 4 MiB. Beyond it,
	// batches are answered 503 queue_full. MaxInFlightBytes must be at least twice MaxBodyBytes.
	MaxBytes ByteSize `config:"max_bytes"`
}

// leastBodies is how many bodies of MaxBodyBytes the queue must hold. A segment for a large body takes twice its size.
const leastBodies = 4

// smallestFile is what a file of the queue takes at least (smallestSegment in internal/diskqueue).
const smallestFile = 4 << 20

// impliesDurable tells whether the section asks for durable mode without saying so: another setting of it has a value.
func impliesDurable(values map[string]any) bool {
	durable, _ := values["durable"].(map[string]any)
	return durable["enabled"] == nil && hasValues(durable)
}

func (c *Config) checkDurable() error {
	if !c.Durable.Enabled {
		return nil
	}
	if strings.TrimSpace(c.Durable.Path) == "" {
		return errors.New("rtbeat.durable.path is empty; name a directory, or leave it out")
	}
	if c.MaxInFlightBytes/2 < c.MaxBodyBytes {
		return fmt.Errorf("rtbeat.max_in_flight_bytes is %d; durable mode needs at least twice rtbeat.max_body_bytes, which is %d: "+
			"one half is for requests, the other for what is delivered. Raise the first, or lower the second", c.MaxInFlightBytes, c.MaxBodyBytes)
	}
	if c.Durable.MaxBytes/leastBodies < c.MaxBodyBytes {
		return fmt.Errorf("rtbeat.durable.max_bytes is %d; it must be at least %d times rtbeat.max_body_bytes, which is %d. "+
			"Raise the first, or lower the second", c.Durable.MaxBytes, leastBodies, c.MaxBodyBytes)
	}
	if c.Durable.MaxBytes < smallestFile {
		return fmt.Errorf("rtbeat.durable.max_bytes is %d; it must be at least %d, which one file of the queue takes. Raise it", c.Durable.MaxBytes, smallestFile)
	}
	return nil
}
