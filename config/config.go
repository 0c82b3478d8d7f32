// Package config reads the rtbeat section of the configuration. Packages declare their settings; Config composes them, and
// this package has the rules that concern more than one of them.
package config

import (
	"cmp"
	"fmt"
	"reflect"
	"time"

	"github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/internal/clientip"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/intake"
	"github.com/txn2/rtbeat/internal/listen"
	"github.com/txn2/rtbeat/internal/source"
)

// The groups without a section of their own in the file. Config embeds them. An embedded type names its field, so each needs an
// alias.
type (
	// Listen is where senders connect.
	Listen = listen.Settings
	// Proxies are the proxies in front.
	Proxies = clientip.Settings
	// EachSource is the default of the settings of each source.
	EachSource = source.Settings
	// Intake is the limits of a request.
	Intake = intake.Settings
	// InFlight is how much may be in flight.
	InFlight = inflight.Settings
)

// Config is the rtbeat section of rtbeat.yml. Durations are seconds when given as plain numbers, or carry a unit
// ("1500ms", "2m"). Sizes are bytes when given as plain numbers, or carry a unit ("32MiB").
type Config struct {
	Listen `config:",inline"`

	EachSource `config:",inline"`

	// Sources are the paths that take requests, 100 at most, each with a `name` and a `path`. Each may have its own `preset`, `auth`, `id`,
	// `on_invalid`, `content_types`, `include_headers`, `include_path`, `type`, `target`, `timestamp`, `fields`,
	// `fields_under_root` and `tags`. The settings of these names outside of the list are the defaults of each source. A group
	// or a list in a source replaces the one outside as a whole. Without `sources` there is one, `{name: in, path: /in}`.
	Sources []source.Source `config:"sources"`

	Proxies  `config:",inline"`
	Intake   `config:",inline"`
	InFlight `config:",inline"`

	// Durable is durable mode: rtbeat stores a batch on the local disk, answers 200 ("ack":"persisted"), and delivers
	// afterwards. It is for senders that cannot keep a batch through an outage of the output. Read docs/durable.md first.
	Durable diskqueue.Settings `config:"durable"`

	// AllowUnconfirmedOutput is whether rtbeat starts with an output that does not say which events it gave up: any output but
	// logstash, elasticsearch and file. A 200 then says `"ack":"processed"`, and events that the output gave up are lost: see
	// [outputs.md](outputs.md#unconfirmed-outputs).
	AllowUnconfirmedOutput bool `config:"allow_unconfirmed_output"`

	Shutdown `config:",inline"`

	// Admin is a listener for /metrics, /livez, /readyz and the status page, in plain HTTP without authentication.
	Admin listen.Admin `config:"admin"`
}

// Shutdown is how long a stop takes.
type Shutdown struct {
	// ShutdownTimeout is the longest time for a shutdown, from the signal on: `shutdown_delay`, the requests in flight, and their
	// acknowledgements. Closing takes up to 2 s more, so give systemd (`TimeoutStopSec`) and Kubernetes
	// (`terminationGracePeriodSeconds`) at least 5 s on top. Zero or less is the default, with a warning.
	ShutdownTimeout time.Duration `config:"shutdown_timeout"`

	// ShutdownDelay is how long rtbeat serves after the signal, with `/readyz` at 503, so that load balancers notice before the
	// port closes. Meanwhile [each answer ends its connection](http-api.md#when-rtbeat-stops), so that senders move as well. It is
	// a part of `shutdown_timeout` and must be shorter. `0` closes at once.
	ShutdownDelay time.Duration `config:"shutdown_delay"`
}

// Default returns the settings where the file says nothing.
func Default() Config {
	return Config{
		Listen:     listen.DefaultSettings(),
		EachSource: source.DefaultSettings(),
		Intake:     intake.DefaultSettings(),
		InFlight:   inflight.DefaultSettings(),
		Durable:    diskqueue.DefaultSettings(),
		Shutdown:   Shutdown{ShutdownTimeout: 30 * time.Second},
	}
}

// Load reads the rtbeat section over the defaults. The warnings are for the log. An error names the setting that is wrong, or
// unknown, and never a secret. Durations in the section have a unit afterwards.
func Load(section *config.C) (c Config, warnings []string, err error) {
	return LoadWithin(section, 0)
}

// LoadWithin is Load for a process with this much memory, which lowers defaults.
func LoadWithin(section *config.C, memory Memory) (c Config, warnings []string, err error) {
	values, err := read(section)
	if err != nil {
		return Config{}, nil, err
	}
	c = DefaultWithin(memory)
	if err := c.unpack(section); err != nil {
		return Config{}, nil, fmt.Errorf("reading the rtbeat section: %w", err)
	}
	warnings = c.normalize(values)
	c.fitBodies(values)
	if err := c.completePresets(); err != nil {
		return Config{}, nil, err
	}
	if err := cmp.Or(c.check(), c.checkSecrets(section)); err != nil {
		return Config{}, nil, err
	}
	return c, append(warnings, c.warnings(section, values)...), nil
}

// normalize replaces timeouts that are zero or less. It switches durable mode on if another of its settings is given. It makes an
// empty list the same as none.
func (c *Config) normalize(values map[string]any) (warnings []string) {
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
			warnings = append(warnings, fmt.Sprintf("rtbeat.%s is %s; it must be more than 0, so rtbeat uses the default %s", s.key, *s.value, s.fallback))
			*s.value = s.fallback
		}
	}
	durable, _ := values["durable"].(map[string]any)
	if durable["enabled"] == nil && hasValues(durable) {
		c.Durable.Enabled = true
	}
	unsetEmpty(reflect.ValueOf(c).Elem())
	return warnings
}
