package config

import (
	"fmt"
	"time"
)

// maxDuration bounds every duration: beyond it a number was meant in another unit.
const maxDuration = 24 * time.Hour

// rxtxTimeout is the time after which rxtx, the natural sender, gives up on a request (rxtx/rtq).
const rxtxTimeout = 60 * time.Second

// fallBack replaces the two timeouts where they are zero or less, and says so.
func (c *Config) fallBack() (warnings []string) {
	defaults := Default()
	for _, s := range []struct {
		key      string
		value    *time.Duration
		fallback time.Duration
	}{
		{"timeout", &c.Timeout, defaults.Timeout},
		{"shutdown_timeout", &c.ShutdownTimeout, defaults.ShutdownTimeout},
	} {
		if *s.value <= 0 {
			warnings = append(warnings, fmt.Sprintf("rtbeat.%s is %s, which is no waiting time; using the default %s", s.key, *s.value, s.fallback))
			*s.value = s.fallback
		}
	}
	if c.Timeout >= rxtxTimeout {
		warnings = append(warnings, fmt.Sprintf("rtbeat.timeout is %s; a sender that gives up earlier (rxtx after %s) never sees the answer and sends again", c.Timeout, rxtxTimeout))
	}
	return warnings
}

// check applies the rules that hold for single settings and between them. Each error names its key.
func (c *Config) check() error {
	if c.Port < 0 || c.Port > 65535 {
		return fmt.Errorf("rtbeat.port is %d; it must be between 1 and 65535, or 0 for any free port", c.Port)
	}
	for _, s := range []struct {
		key   string
		value time.Duration
		min   time.Duration
		what  string
	}{
		{"timeout", c.Timeout, 1, "a positive duration"},
		{"shutdown_timeout", c.ShutdownTimeout, 1, "a positive duration"},
		{"shutdown_delay", c.ShutdownDelay, 0, "zero or a positive duration"},
		{"read_timeout", c.ReadTimeout, 1, "a positive duration"},
		{"idle_timeout", c.IdleTimeout, 1, "a positive duration"},
		{"stall_after", c.StallAfter, 0, "zero or a positive duration"},
		{"dedupe.window", c.Dedupe.Window, 0, "zero or a positive duration"},
	} {
		if s.value < s.min {
			return fmt.Errorf("rtbeat.%s is %s; it must be %s, such as 5 (seconds) or 1500ms", s.key, s.value, s.what)
		}
		if s.value > maxDuration {
			return fmt.Errorf("rtbeat.%s is %s; it may be %s at most (plain numbers are seconds)", s.key, s.value, maxDuration)
		}
	}
	for _, s := range []struct {
		key   string
		value ByteSize
	}{
		{"max_body_bytes", c.MaxBodyBytes},
		{"max_in_flight_bytes", c.MaxInFlightBytes},
	} {
		if s.value <= 0 {
			return fmt.Errorf("rtbeat.%s is %d; it must be a positive size, such as 33554432 or 32MiB", s.key, s.value)
		}
	}
	if c.Dedupe.MaxEntries <= 0 {
		return fmt.Errorf("rtbeat.dedupe.max_entries is %d; it must be a positive number", c.Dedupe.MaxEntries)
	}
	if c.ShutdownDelay >= c.ShutdownTimeout {
		return fmt.Errorf("rtbeat.shutdown_delay (%s) must be shorter than rtbeat.shutdown_timeout (%s), of which it is a part", c.ShutdownDelay, c.ShutdownTimeout)
	}
	return nil
}
