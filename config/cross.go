package config

import (
	"cmp"
	"fmt"
	"time"

	"github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/internal/setting"
)

// check applies the rules of all settings. The first error counts. It names the setting.
func (c *Config) check() error {
	return cmp.Or(
		c.Listen.Check(), c.Admin.Check(&c.Listen), c.checkSources(), c.Intake.Check(), c.InFlight.Check(),
		c.Shutdown.check(), c.Proxies.Check(), c.checkDurable(),
	)
}

func (s *Shutdown) check() error {
	err := cmp.Or(
		setting.CheckDuration("rtbeat.shutdown_timeout", s.ShutdownTimeout, 1),
		setting.CheckDuration("rtbeat.shutdown_delay", s.ShutdownDelay, 0),
	)
	if err != nil {
		return err
	}
	if s.ShutdownDelay >= s.ShutdownTimeout {
		return fmt.Errorf("rtbeat.shutdown_delay (%s) must be shorter than rtbeat.shutdown_timeout (%s), of which it is a part", s.ShutdownDelay, s.ShutdownTimeout)
	}
	return nil
}

// leastBodies is how many bodies of max_body_bytes the queue must hold. A segment for a large body takes twice its size.
const leastBodies = 4

// checkDurable applies the rules of durable mode.
func (c *Config) checkDurable() error {
	switch {
	case !c.Durable.Enabled:
		return nil
	case c.MaxInFlight/2 < c.MaxBody:
		return fmt.Errorf("rtbeat.max_in_flight_bytes is %d; durable mode needs at least twice rtbeat.max_body_bytes, which is %d: "+
			"one half is for requests, the other for delivery. Raise the first, or lower the second", c.MaxInFlight, c.MaxBody)
	case c.Durable.MaxBytes/leastBodies < c.MaxBody:
		return fmt.Errorf("rtbeat.durable.max_bytes is %d; it must be at least %d times rtbeat.max_body_bytes, which is %d. "+
			"Raise the first, or lower the second", c.Durable.MaxBytes, leastBodies, c.MaxBody)
	default:
		return c.Durable.Check()
	}
}

// rxtxTimeout is the time after which rxtx, the usual sender, gives up on a request (rxtx/rtq).
const rxtxTimeout = 60 * time.Second

// warnings returns a warning for each setting that looks like a mistake, and for an open or unencrypted listener.
func (c *Config) warnings(section *config.C, values map[string]any) (warnings []string) {
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	if c.MaxBody > c.MaxInFlight {
		warn("rtbeat.max_body_bytes (%d) is larger than rtbeat.max_in_flight_bytes (%d), so rtbeat refuses each body between the two with 413; raise rtbeat.max_in_flight_bytes", c.MaxBody, c.MaxInFlight)
	}
	if c.Timeout >= rxtxTimeout {
		warn("rtbeat.timeout is %s; a sender that gives up earlier (rxtx after %s) never sees the answer and sends again; lower rtbeat.timeout", c.Timeout, rxtxTimeout)
	}
	if !c.RequiresCertificates() {
		warnings = append(warnings, c.warnAboutAuth(section, values)...)
	}
	if section.HasField("durable") && !hasValues(values["durable"]) {
		warn("rtbeat.durable is empty, so durable mode is off; set rtbeat.durable.enabled to true, or remove it")
	}
	if c.IsLocal() {
		if !c.RequiresCertificates() {
			warnings = append(warnings, c.warnOfOpen()...)
		}
		return warnings
	}
	where := c.Host
	if c.IsEverywhere() {
		where = "every address of this machine"
	}
	if open := c.openSources(); len(open) > 0 && !c.RequiresCertificates() {
		without, to := "with neither rtbeat.ssl nor rtbeat.auth", ""
		if c.SSL.IsEnabled() {
			without = "with rtbeat.ssl, but without rtbeat.auth"
		}
		if len(c.Sources) > 0 {
			to = " to " + shownList(open)
		}
		warn("rtbeat listens on %s %s: anybody who reaches it can send events%s; set rtbeat.auth, or set rtbeat.host to 127.0.0.1", where, without, to)
	}
	if !c.SSL.IsEnabled() {
		warnings = append(warnings, c.warnInClear(section, where)...)
	}
	return warnings
}
