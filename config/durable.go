package config

import (
	"errors"
	"fmt"
)

// Durable is durable mode: batches are stored on the local disk, answered 200, and delivered afterwards.
type Durable struct {
	// Enabled is whether a batch is answered as soon as it is on the disk. It is true where another setting of durable is
	// given.
	Enabled bool `config:"enabled"`

	// Path is the directory of the queue, below path.data where it is not a whole path. Each rtbeat needs its own.
	Path string `config:"path"`

	// MaxBytes is what the files of the queue may take on the disk. Beyond it, batches are answered 503 queue_full.
	MaxBytes ByteSize `config:"max_bytes"`
}

// leastBodies is how many bodies of MaxBodyBytes the queue must hold. A segment for a large body takes twice its size.
const leastBodies = 4

func (c *Config) checkDurable() error {
	if !c.Durable.Enabled {
		return nil
	}
	if c.Durable.Path == "" {
		return errors.New("rtbeat.durable.path is empty; name a directory, or leave it out")
	}
	if c.Durable.MaxBytes < leastBodies*c.MaxBodyBytes {
		return fmt.Errorf("rtbeat.durable.max_bytes is %d; it must be at least %d, which is %d times rtbeat.max_body_bytes", c.Durable.MaxBytes, leastBodies*c.MaxBodyBytes, leastBodies)
	}
	if c.MaxInFlightBytes < 2*c.MaxBodyBytes {
		return fmt.Errorf("rtbeat.max_in_flight_bytes is %d; durable mode needs at least %d, which is twice rtbeat.max_body_bytes: one half is for requests, the other for what is delivered", c.MaxInFlightBytes, 2*c.MaxBodyBytes)
	}
	return nil
}
