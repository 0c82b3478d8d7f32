package config

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxDuration bounds every duration: beyond it a number was meant in another unit.
const maxDuration = 24 * time.Hour

// The highest values of the limits. Depth and keys are bounded by Logstash's JSON parser. It reads 1,000 levels, of which
// ten are left to the event and the processors, and keys of 50,000 bytes. The others are beyond what a process can hold.
const (
	maxDepth       = 990
	maxKeyBytes    = 50_000
	maxMessages    = 1 << 24
	maxConnections = 1 << 20
	minHeaderBytes = 1 << 10
	maxHeaderBytes = 1 << 20
)

// rxtxTimeout is the time after which rxtx, the natural sender, gives up on a request (rxtx/rtq).
const rxtxTimeout = 60 * time.Second

// fallBack replaces the two timeouts where they are zero or less, and says so, and what else looks like a mistake.
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
	if c.MaxBodyBytes > c.MaxInFlightBytes {
		warnings = append(warnings, fmt.Sprintf("rtbeat.max_body_bytes (%d) is larger than rtbeat.max_in_flight_bytes (%d), so that a body between the two is always refused with 413", c.MaxBodyBytes, c.MaxInFlightBytes))
	}
	if c.Timeout >= rxtxTimeout {
		warnings = append(warnings, fmt.Sprintf("rtbeat.timeout is %s; a sender that gives up earlier (rxtx after %s) never sees the answer and sends again", c.Timeout, rxtxTimeout))
	}
	return warnings
}

// check applies the rules that hold for single settings and between them. Each error names its key.
func (c *Config) check() error {
	for _, check := range []func() error{
		c.checkListeners, c.checkSSL, c.checkAuth, c.checkDurations, c.checkLimits, c.checkProxies, c.checkHeaders, c.checkDurable,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkDurations() error {
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
		{"auth.hmac.window", c.Auth.HMAC.Window, 1, "a positive duration"},
	} {
		if s.value < s.min {
			return fmt.Errorf("rtbeat.%s is %s; it must be %s, such as 5 (seconds) or 1500ms", s.key, s.value, s.what)
		}
		if s.value > maxDuration {
			return fmt.Errorf("rtbeat.%s is %s; it may be %s at most (plain numbers are seconds)", s.key, s.value, maxDuration)
		}
	}
	if c.ShutdownDelay >= c.ShutdownTimeout {
		return fmt.Errorf("rtbeat.shutdown_delay (%s) must be shorter than rtbeat.shutdown_timeout (%s), of which it is a part", c.ShutdownDelay, c.ShutdownTimeout)
	}
	return nil
}

func (c *Config) checkLimits() error {
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
	if c.MaxHeaderBytes < minHeaderBytes || c.MaxHeaderBytes > maxHeaderBytes {
		return fmt.Errorf("rtbeat.max_header_bytes is %d; it must be between 1KiB, which ordinary requests need, and 1MiB", c.MaxHeaderBytes)
	}
	if c.MaxKeyBytes < 1 || c.MaxKeyBytes > maxKeyBytes {
		return fmt.Errorf("rtbeat.max_key_bytes is %d; it must be between 1 and %d, which is the longest key that Logstash reads", c.MaxKeyBytes, maxKeyBytes)
	}
	for _, s := range []struct {
		key   string
		value int
		max   int
	}{
		{"max_messages", c.MaxMessages, maxMessages},
		{"max_depth", c.MaxDepth, maxDepth},
		{"max_connections", c.MaxConnections, maxConnections},
	} {
		if s.value < 1 || s.value > s.max {
			return fmt.Errorf("rtbeat.%s is %d; it must be between 1 and %d", s.key, s.value, s.max)
		}
	}
	if c.Dedupe.MaxEntries <= 0 {
		return fmt.Errorf("rtbeat.dedupe.max_entries is %d; it must be a positive number", c.Dedupe.MaxEntries)
	}
	return nil
}

// checkProxies leaves it to others to read the addresses.
func (c *Config) checkProxies() error {
	for i, proxy := range c.TrustedProxies {
		if strings.TrimSpace(proxy) == "" {
			return fmt.Errorf("rtbeat.trusted_proxies.%d is empty; give it a value, or leave it out", i)
		}
	}
	if c.ProxyProtocol && len(c.TrustedProxies) == 0 {
		return errors.New("rtbeat.proxy_protocol is true without rtbeat.trusted_proxies, so that nobody's header would be taken; name the proxies that send it there")
	}
	return nil
}
