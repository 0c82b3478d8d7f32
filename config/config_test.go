package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/config"
)

const known = "(known: host, port, timeout, shutdown_timeout, shutdown_delay, max_body_bytes, max_in_flight_bytes, read_timeout, idle_timeout, " +
	"stall_after, dedupe.enabled, dedupe.window, dedupe.max_entries, document_id)"

// Each file under testdata/accepted is a case: what it changes of the defaults, and the warnings that it earns.
func TestLoadAccepts(t *testing.T) {
	cases := map[string]struct {
		change   func(*config.Config)
		warnings []string
	}{
		"absent.yml":    {change: func(*config.Config) {}},
		"no-values.yml": {change: func(*config.Config) {}},
		"everything.yml": {change: func(c *config.Config) {
			*c = config.Config{
				Host:             "192.0.2.7",
				Port:             9001,
				Timeout:          20 * time.Second,
				ShutdownTimeout:  45 * time.Second,
				ShutdownDelay:    10 * time.Second,
				MaxBodyBytes:     8 << 20,
				MaxInFlightBytes: 128 << 20,
				ReadTimeout:      12 * time.Second,
				IdleTimeout:      5 * time.Minute,
				StallAfter:       40 * time.Second,
				Dedupe:           config.Dedupe{Enabled: false, Window: 90 * time.Second, MaxEntries: 5000},
				DocumentID:       config.DocumentIDNone,
			}
		}},
		"durations.yml": {change: func(c *config.Config) {
			c.Timeout = 1500 * time.Millisecond
			c.ShutdownTimeout = 90 * time.Second
			c.ShutdownDelay = 250 * time.Millisecond
			c.ReadTimeout = 2500 * time.Millisecond
			c.IdleTimeout = 24 * time.Hour
		}},
		"dedupe-off.yml": {change: func(c *config.Config) {
			c.Dedupe.Enabled = false
			c.Dedupe.Window = time.Minute
		}},
		"dedupe-dotted.yml": {change: func(c *config.Config) { c.Dedupe.MaxEntries = 1 }},
		"zero-durations.yml": {change: func(c *config.Config) {
			c.StallAfter, c.Dedupe.Window = 0, 0
		}},
		"sizes.yml": {change: func(c *config.Config) {
			c.MaxBodyBytes, c.MaxInFlightBytes = 512<<10, 3<<19
		}},
		"sizes-decimal.yml": {change: func(c *config.Config) {
			c.MaxBodyBytes, c.MaxInFlightBytes = 2_000_000, 4096
		}},
		"in-flight-below-body.yml": {change: func(c *config.Config) {
			c.MaxBodyBytes, c.MaxInFlightBytes = 64<<20, 1<<20
		}},
		"port-as-string.yml": {change: func(c *config.Config) { c.Port = 8082 }},
		"port-zero.yml":      {change: func(c *config.Config) { c.Port = 0 }},
		"timeout-zero.yml": {
			change:   func(*config.Config) {},
			warnings: []string{"rtbeat.timeout is 0s, which is no waiting time; using the default 5s"},
		},
		"timeout-negative.yml": {
			change:   func(*config.Config) {},
			warnings: []string{"rtbeat.timeout is -3s, which is no waiting time; using the default 5s"},
		},
		"timeout-below-rxtx.yml": {change: func(c *config.Config) { c.Timeout = 59 * time.Second }},
		"timeout-beyond-rxtx.yml": {
			change:   func(c *config.Config) { c.Timeout = time.Minute },
			warnings: []string{"rtbeat.timeout is 1m0s; a sender that gives up earlier (rxtx after 1m0s) never sees the answer and sends again"},
		},
		"shutdown-timeout-zero.yml": {
			change:   func(c *config.Config) { c.ShutdownDelay = 29 * time.Second },
			warnings: []string{"rtbeat.shutdown_timeout is 0s, which is no waiting time; using the default 30s"},
		},
		"both-timeouts-negative.yml": {
			change: func(*config.Config) {},
			warnings: []string{
				"rtbeat.timeout is -1ms, which is no waiting time; using the default 5s",
				"rtbeat.shutdown_timeout is -1s, which is no waiting time; using the default 30s",
			},
		},
	}
	eachFile(t, "testdata/accepted", slices.Sorted(maps.Keys(cases)), func(t *testing.T, name string, section *conf.C) {
		t.Helper()
		want := config.Default()
		cases[name].change(&want)
		c, warnings, err := config.Load(section)
		require.NoError(t, err)
		require.Equal(t, want, c)
		require.Equal(t, cases[name].warnings, warnings)
	})
}

// Each file under testdata/rejected is a case. The message names the key, and comes with no half-read settings.
func TestLoadRejects(t *testing.T) {
	const reading = "reading the rtbeat section: "
	cases := map[string]string{
		"unknown-key.yml":     "rtbeat.timout is no setting of rtbeat " + known,
		"unknown-keys.yml":    "rtbeat.brokers is no setting of rtbeat " + known,
		"unknown-section.yml": "rtbeat.ssl is no setting of rtbeat " + known,
		"unknown-nested.yml":  "rtbeat.dedupe.windw is no setting of rtbeat " + known,
		"unknown-dotted.yml":  "rtbeat.dedupe.cache is no setting of rtbeat " + known,
		"key-in-capitals.yml": "rtbeat.Port is no setting of rtbeat " + known,

		"host-list.yml": reading + "can not convert 'object' into 'string' accessing 'rtbeat.host' (source:'rtbeat.yml')",

		"port-negative.yml":  "rtbeat.port is -1; it must be between 1 and 65535, or 0 for any free port",
		"port-too-large.yml": "rtbeat.port is 65536; it must be between 1 and 65535, or 0 for any free port",
		"port-no-number.yml": reading + "can not convert 'string' into 'int' accessing 'rtbeat.port' (source:'rtbeat.yml')",

		"timeout-no-unit.yml":     reading + `time: missing unit in duration "5" accessing 'rtbeat.timeout' (source:'rtbeat.yml')`,
		"timeout-no-duration.yml": reading + `time: invalid duration "soon" accessing 'rtbeat.timeout' (source:'rtbeat.yml')`,
		"timeout-too-long.yml":    "rtbeat.timeout is 25h0m0s; it may be 24h0m0s at most (plain numbers are seconds)",

		"shutdown-timeout-too-long.yml":   "rtbeat.shutdown_timeout is 25h0m0s; it may be 24h0m0s at most (plain numbers are seconds)",
		"shutdown-delay-negative.yml":     "rtbeat.shutdown_delay is -1s; it must be zero or a positive duration, such as 5 (seconds) or 1500ms",
		"shutdown-delay-fills-budget.yml": "rtbeat.shutdown_delay (10s) must be shorter than rtbeat.shutdown_timeout (10s), of which it is a part",
		"read-timeout-zero.yml":           "rtbeat.read_timeout is 0s; it must be a positive duration, such as 5 (seconds) or 1500ms",
		"idle-timeout-zero.yml":           "rtbeat.idle_timeout is 0s; it must be a positive duration, such as 5 (seconds) or 1500ms",
		"idle-timeout-too-long.yml":       "rtbeat.idle_timeout is 24h0m1s; it may be 24h0m0s at most (plain numbers are seconds)",

		"stall-after-negative.yml":        "rtbeat.stall_after is -1s; it must be zero or a positive duration, such as 5 (seconds) or 1500ms",
		"stall-after-too-long.yml":        "rtbeat.stall_after is 24h0m1s; it may be 24h0m0s at most (plain numbers are seconds)",
		"dedupe-no-group.yml":             reading + "required 'object', but found 'bool' in field 'rtbeat.dedupe' (source:'rtbeat.yml')",
		"dedupe-list.yml":                 "rtbeat.dedupe.0 is no setting of rtbeat " + known,
		"dedupe-enabled-no-bool.yml":      reading + "can not convert 'string' into 'bool' accessing 'rtbeat.dedupe.enabled' (source:'rtbeat.yml')",
		"dedupe-window-negative.yml":      "rtbeat.dedupe.window is -1s; it must be zero or a positive duration, such as 5 (seconds) or 1500ms",
		"dedupe-window-too-long.yml":      "rtbeat.dedupe.window is 25h0m0s; it may be 24h0m0s at most (plain numbers are seconds)",
		"dedupe-max-entries-zero.yml":     "rtbeat.dedupe.max_entries is 0; it must be a positive number",
		"dedupe-max-entries-negative.yml": "rtbeat.dedupe.max_entries is -1; it must be a positive number",
		"dedupe-max-entries-size.yml":     reading + "can not convert 'string' into 'int' accessing 'rtbeat.dedupe.max_entries' (source:'rtbeat.yml')",
		"document-id-unknown.yml":         reading + `"fingerprint" is no document id; it must be uuid or none accessing 'rtbeat.document_id' (source:'rtbeat.yml')`,
		"document-id-bool.yml":            reading + `"false" is no document id; it must be uuid or none accessing 'rtbeat.document_id' (source:'rtbeat.yml')`,

		"max-body-zero.yml":           "rtbeat.max_body_bytes is 0; it must be a positive size, such as 33554432 or 32MiB",
		"max-body-negative.yml":       "rtbeat.max_body_bytes is -1; it must be a positive size, such as 33554432 or 32MiB",
		"max-body-no-size.yml":        reading + `"plenty" is no size; write bytes as a number, or with a unit such as 32MiB accessing 'rtbeat.max_body_bytes' (source:'rtbeat.yml')`,
		"max-body-fraction.yml":       reading + "1.5 is no size; write bytes as a number, or with a unit such as 32MiB accessing 'rtbeat.max_body_bytes' (source:'rtbeat.yml')",
		"max-in-flight-zero.yml":      "rtbeat.max_in_flight_bytes is 0; it must be a positive size, such as 33554432 or 32MiB",
		"max-in-flight-too-large.yml": reading + "9223372036854775808 bytes are more than can be counted accessing 'rtbeat.max_in_flight_bytes' (source:'rtbeat.yml')",
		"max-in-flight-list.yml":      reading + "[1 2] is no size; write bytes as a number, or with a unit such as 32MiB accessing 'rtbeat.max_in_flight_bytes' (source:'rtbeat.yml')",
	}
	eachFile(t, "testdata/rejected", slices.Sorted(maps.Keys(cases)), func(t *testing.T, name string, section *conf.C) {
		t.Helper()
		c, warnings, err := config.Load(section)
		require.EqualError(t, err, cases[name])
		require.Zero(t, c)
		require.Nil(t, warnings)
	})
}

// A file that no case names, or a case without its file, tests nothing.
func eachFile(t *testing.T, dir string, names []string, test func(t *testing.T, name string, section *conf.C)) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	found := make([]string, 0, len(files))
	for _, f := range files {
		found = append(found, f.Name())
	}
	require.Equal(t, names, found, "cases and the files of "+dir)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { test(t, name, sectionOf(t, filepath.Join(dir, name))) })
	}
}

// sectionOf is the rtbeat section of a file as libbeat hands it to the Beater: an empty one if there is none.
func sectionOf(t *testing.T, path string) *conf.C {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := conf.NewConfigWithYAML(data, "rtbeat.yml")
	require.NoError(t, err)
	if !file.HasField("rtbeat") {
		return conf.NewConfig()
	}
	section, err := file.Child("rtbeat", -1)
	require.NoError(t, err)
	return section
}

func TestAddress(t *testing.T) {
	for want, c := range map[string]config.Config{
		":8081":           config.Default(),
		"127.0.0.1:0":     {Host: "127.0.0.1"},
		"[::1]:9000":      {Host: "::1", Port: 9000},
		"in.example:8082": {Host: "in.example", Port: 8082},
	} {
		require.Equal(t, want, c.Address())
	}
}
