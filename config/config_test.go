package config_test

import (
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/listen"
)

// open is the warning that the defaults earn.
const open = "rtbeat listens on every address of this machine with neither rtbeat.ssl nor rtbeat.auth: anybody who reaches it can send events; " +
	"set rtbeat.auth, or set rtbeat.host to 127.0.0.1"

// withoutEffect is the warning that auth earns with nothing under it.
const withoutEffect = "rtbeat.auth is there, but lets everybody in: nothing stands under it; name tokens, a user, keys or names of certificates, or leave it out"

// noValue ends the refusal of null.
const noValue = " has no value: it is null, or its variable holds null, [] or {}; give it a value, or leave it out"

// Each case of testdata/accepted.txt is here with the defaults that it changes, and the warnings that it earns. closed tells
// the cases without the warning that the defaults earn.
func TestLoadAccepts(t *testing.T) {
	setVariables(t)
	const inClear = "rtbeat.ssl: credentials travel in clear text; set rtbeat.ssl, unless a proxy in front ends TLS"
	local := func(c *config.Config) { c.Host = "127.0.0.1" }
	server := func(c *config.Config) *tlscommon.ServerConfig {
		c.SSL = &tlscommon.ServerConfig{Certificate: tlscommon.CertificateConfig{Certificate: "server.pem", Key: "server.key"}}
		return c.SSL
	}
	certified := func(c *config.Config, clients tlscommon.TLSClientAuth) *tlscommon.ServerConfig {
		server(c).CAs = []string{"ca.pem"}
		c.SSL.ClientAuth = &clients
		return c.SSL
	}
	durable := func(change func(*diskqueue.Settings)) func(*config.Config) {
		return func(c *config.Config) {
			c.Durable.Enabled = true
			change(&c.Durable)
		}
	}
	const durableOff = "rtbeat.durable is there, but nothing stands under it, and durable mode is off: set rtbeat.durable.enabled to true, or leave it out"
	wanted := map[string]struct {
		change   func(*config.Config)
		warnings []string
		closed   bool
	}{
		"absent":    {change: func(*config.Config) {}},
		"no-values": {change: func(*config.Config) {}, warnings: []string{withoutEffect}},
		"everything": {closed: true, change: func(c *config.Config) {
			required := tlscommon.TLSClientAuthRequired
			*c = config.Config{
				Listen: config.Listen{
					Host:       "192.0.2.7",
					Port:       9001,
					SocketMode: 0o600,
					SSL: &tlscommon.ServerConfig{
						Certificate: tlscommon.CertificateConfig{Certificate: "/etc/rtbeat/server.pem", Key: "/etc/rtbeat/server.key"},
						CAs:         []string{"/etc/rtbeat/ca.pem"},
						Versions:    []tlscommon.TLSVersion{tlscommon.TLSVersion13},
						ClientAuth:  &required,
					},
					MaxConnections: 100,
				},
				Auth: auth.Settings{
					Bearer: auth.Bearer{Tokens: []string{"one", "another"}},
					Basic:  auth.Basic{Username: "somebody", Password: "something"},
					HMAC: auth.HMAC{
						Keys:            []string{"a-key", "another-key"},
						Header:          "X-Hub-Signature-256",
						TimestampHeader: "X-Timestamp",
						Window:          time.Minute,
					},
					Certificate: auth.Certificate{Names: []string{"*.example.com", "spiffe://example.com/sender"}},
				},
				Proxies: config.Proxies{TrustedProxies: []string{"10.0.0.0/8", "::1", "unix"}, ProxyProtocol: true},
				Intake: config.Intake{
					Timeout:        20 * time.Second,
					ReadTimeout:    12 * time.Second,
					IdleTimeout:    5 * time.Minute,
					MaxBody:        8 << 20,
					MaxMessages:    1000,
					MaxDepth:       20,
					MaxKey:         1 << 10,
					MaxHeader:      8 << 10,
					IncludeHeaders: []string{"X-Request-Id", "User-Agent"},
				},
				InFlight: config.InFlight{
					MaxInFlight: 128 << 20,
					StallAfter:  40 * time.Second,
					Dedupe:      dedupe.Settings{Enabled: false, Window: 90 * time.Second, MaxEntries: 5000},
					DocumentID:  inflight.NoID,
				},
				Durable:  diskqueue.Settings{Enabled: true, Path: "/var/lib/queue", MaxBytes: 1 << 30},
				Shutdown: config.Shutdown{ShutdownTimeout: 45 * time.Second, ShutdownDelay: 10 * time.Second},
				Admin:    listen.Admin{Host: "127.0.0.1", Port: 9002},
			}
		}},
		"durations": {change: func(c *config.Config) {
			c.Timeout = 1500 * time.Millisecond
			c.ShutdownTimeout = 90 * time.Second
			c.ShutdownDelay = 250 * time.Millisecond
			c.ReadTimeout = 2500 * time.Millisecond
			c.IdleTimeout = 24 * time.Hour
		}},
		"variables": {closed: true, change: func(c *config.Config) {
			local(c)
			c.Port = 9001
			c.Auth.Bearer.Tokens = []string{"0123", "a-default"}
			c.Auth.HMAC.Window = 90 * time.Second
			c.Timeout = 7 * time.Second
			c.ReadTimeout = 2 * time.Minute
			c.MaxBody = 1 << 20
		}},
		"whole-number": {change: func(c *config.Config) { c.Port = 8082 }},

		"host-unix": {closed: true, change: func(c *config.Config) {
			c.Host, c.Port, c.SocketMode = "unix:///run/rtbeat/in.sock", 9001, 0o666
			c.Admin.Port = 9001
		}},
		"host-ipv6": {closed: true, change: func(c *config.Config) { c.Host = "::1" }},
		"host-ipv6-brackets": {closed: true, change: func(c *config.Config) {
			c.Host = "[::1]"
			c.Admin = listen.Admin{Host: "[fe80::1%eth0]", Port: 8081}
		}},
		"host-localhost":       {closed: true, change: func(c *config.Config) { c.Host = "LocalHost" }},
		"host-mapped-loopback": {closed: true, change: func(c *config.Config) { c.Host = "::ffff:127.0.0.1" }},
		"host-name": {
			closed:   true,
			change:   func(c *config.Config) { c.Host = "in.example.com" },
			warnings: []string{strings.Replace(open, "every address of this machine", "in.example.com", 1)},
		},
		"host-unspecified":        {change: func(c *config.Config) { c.Host = "::" }},
		"host-unspecified-mapped": {change: func(c *config.Config) { c.Host = "[::ffff:0.0.0.0]" }},

		"ssl-only": {
			closed:   true,
			change:   func(c *config.Config) { server(c) },
			warnings: []string{strings.Replace(open, "with neither rtbeat.ssl nor rtbeat.auth", "with rtbeat.ssl, but without rtbeat.auth", 1)},
		},
		"ssl-off": {closed: true, change: func(c *config.Config) {
			local(c)
			off := false
			c.SSL = &tlscommon.ServerConfig{
				Enabled: &off, Versions: []tlscommon.TLSVersion{tlscommon.TLSVersion11}, CASha256: []string{"x"}, VerificationMode: tlscommon.VerifyNone,
			}
		}},
		"ssl-certificate-optional": {
			closed:   true,
			change:   func(c *config.Config) { certified(c, tlscommon.TLSClientAuthOptional) },
			warnings: []string{strings.Replace(open, "with neither rtbeat.ssl nor rtbeat.auth", "with rtbeat.ssl, but without rtbeat.auth", 1)},
		},
		"ssl-certificate-required": {closed: true, change: func(c *config.Config) { certified(c, tlscommon.TLSClientAuthRequired) }},
		"ssl-verification-none": {closed: true, change: func(c *config.Config) {
			certified(c, tlscommon.TLSClientAuthRequired).VerificationMode = tlscommon.VerifyNone
		}},

		"auth-names-optional": {closed: true, change: func(c *config.Config) {
			certified(c, tlscommon.TLSClientAuthOptional)
			c.Auth.Certificate.Names = []string{"sender.example.com"}
		}},
		"auth-in-clear": {
			closed: true,
			change: func(c *config.Config) {
				c.Host = "192.0.2.7"
				c.Auth.Bearer.Tokens = []string{"a-token"}
				c.Auth.Basic = auth.Basic{Username: "somebody", Password: "something"}
			},
			warnings: []string{"rtbeat listens on 192.0.2.7 with rtbeat.auth.bearer and rtbeat.auth.basic, but without " + inClear},
		},
		"auth-basic-in-clear": {
			closed:   true,
			change:   func(c *config.Config) { c.Auth.Basic = auth.Basic{Username: "somebody", Password: "something"} },
			warnings: []string{"rtbeat listens on every address of this machine with rtbeat.auth.basic, but without " + inClear},
		},
		"auth-hmac": {closed: true, change: func(c *config.Config) { c.Auth.HMAC.Keys = []string{"a-key"} }},
		"auth-local": {closed: true, change: func(c *config.Config) {
			local(c)
			c.Auth.Bearer.Tokens = []string{"a-token"}
		}},
		"one-token": {closed: true, change: func(c *config.Config) {
			local(c)
			c.Auth.Bearer.Tokens = []string{"a-token"}
		}},

		"proxies-one": {closed: true, change: func(c *config.Config) {
			c.Host = "unix:///run/in.sock"
			c.TrustedProxies, c.ProxyProtocol = []string{"unix"}, true
		}},
		"headers-twice": {closed: true, change: func(c *config.Config) {
			local(c)
			c.IncludeHeaders = []string{"Cookie", "X-A", "cookie", "x-a", "AUTHORIZATION", "authorization"}
		}},
		"limits-lowest": {closed: true, change: func(c *config.Config) {
			local(c)
			c.MaxMessages, c.MaxDepth, c.MaxKey, c.MaxHeader, c.MaxConnections = 1, 1, 1, 1<<10, 1
		}},
		"limits-highest": {closed: true, change: func(c *config.Config) {
			local(c)
			c.MaxMessages, c.MaxDepth, c.MaxKey, c.MaxHeader, c.MaxConnections = 1<<24, 990, 50_000, 1<<20, 1<<20
		}},
		"admin-port": {closed: true, change: func(c *config.Config) {
			local(c)
			c.Admin.Port = 9000
		}},
		"admin-other-host": {
			closed: true,
			change: func(c *config.Config) {
				c.Host = "192.0.2.7"
				c.Admin = listen.Admin{Host: "127.0.0.1", Port: 8081}
			},
			warnings: []string{strings.Replace(open, "every address of this machine", "192.0.2.7", 1)},
		},

		"dedupe-off": {change: func(c *config.Config) {
			c.Dedupe.Enabled = false
			c.Dedupe.Window = time.Minute
		}},
		"dedupe-dotted":    {change: func(c *config.Config) { c.Dedupe.MaxEntries = 1 }},
		"document-id-uuid": {change: func(c *config.Config) { c.DocumentID = inflight.UUIDID }},
		"zero-durations": {change: func(c *config.Config) {
			c.StallAfter, c.Dedupe.Window = 0, 0
		}},
		"sizes": {change: func(c *config.Config) {
			c.MaxBody, c.MaxInFlight = 512<<10, 3<<19
		}},
		"sizes-decimal": {change: func(c *config.Config) {
			c.MaxBody, c.MaxInFlight = 2_000_000, 4096
		}, warnings: []string{
			"rtbeat.max_body_bytes (2000000) is larger than rtbeat.max_in_flight_bytes (4096), so that a body between the two is always refused with 413",
		}},
		"in-flight-below-body": {change: func(c *config.Config) {
			c.MaxBody, c.MaxInFlight = 64<<20, 1<<20
		}, warnings: []string{
			"rtbeat.max_body_bytes (67108864) is larger than rtbeat.max_in_flight_bytes (1048576), so that a body between the two is always refused with 413",
		}},
		"port-as-string": {change: func(c *config.Config) { c.Port = 8082 }},
		"port-zero":      {change: func(c *config.Config) { c.Port = 0 }},
		"timeout-zero": {
			change:   func(*config.Config) {},
			warnings: []string{"rtbeat.timeout is 0s, which is no waiting time; using the default 5s"},
		},
		"timeout-negative": {
			change:   func(*config.Config) {},
			warnings: []string{"rtbeat.timeout is -3s, which is no waiting time; using the default 5s"},
		},
		"timeout-in-quotes": {change: func(c *config.Config) {
			c.IdleTimeout = 2500 * time.Millisecond
		}},
		"timeout-below-rxtx": {change: func(c *config.Config) { c.Timeout = 59 * time.Second }},
		"timeout-beyond-rxtx": {
			change:   func(c *config.Config) { c.Timeout = time.Minute },
			warnings: []string{"rtbeat.timeout is 1m0s; a sender that gives up earlier (rxtx after 1m0s) never sees the answer and sends again"},
		},
		"shutdown-timeout-zero": {
			change:   func(c *config.Config) { c.ShutdownDelay = 29 * time.Second },
			warnings: []string{"rtbeat.shutdown_timeout is 0s, which is no waiting time; using the default 30s"},
		},
		"durable-enabled":     {change: durable(func(*diskqueue.Settings) {})},
		"durable-path":        {change: durable(func(d *diskqueue.Settings) { d.Path = "/var/lib/queue" })},
		"durable-most":        {change: durable(func(d *diskqueue.Settings) { d.MaxBytes = math.MaxInt64 })},
		"durable-null-values": {change: durable(func(d *diskqueue.Settings) { d.MaxBytes = 1 << 30 })},
		"durable-off":         {change: func(c *config.Config) { c.Durable = diskqueue.Settings{MaxBytes: -1} }},
		"durable-empty":       {change: func(*config.Config) {}, warnings: []string{durableOff}},
		"durable-null":        {change: func(*config.Config) {}, warnings: []string{durableOff}},
		"durable-least": {change: func(c *config.Config) {
			c.MaxBody, c.MaxInFlight = 1<<20, 2<<20
			c.Durable.Enabled, c.Durable.MaxBytes = true, 4<<20
		}},
		"durable-variables": {change: func(c *config.Config) {
			c.MaxBody = 256 << 10
			c.Durable.Enabled, c.Durable.MaxBytes = true, 5<<20
		}},
		"both-timeouts-negative": {
			change: func(*config.Config) {},
			warnings: []string{
				"rtbeat.timeout is -1ms, which is no waiting time; using the default 5s",
				"rtbeat.shutdown_timeout is -1s, which is no waiting time; using the default 30s",
			},
		},
	}
	texts := cases(t, "testdata/accepted.txt")
	require.ElementsMatch(t, slices.Collect(maps.Keys(wanted)), slices.Collect(maps.Keys(texts)))
	for name, tt := range wanted {
		t.Run(name, func(t *testing.T) {
			want := config.Default()
			tt.change(&want)
			c, warnings, err := config.Load(sectionOf(t, texts[name]))
			require.NoError(t, err)
			require.Equal(t, want, c)
			expected := tt.warnings
			if !tt.closed {
				expected = append(expected, open)
			}
			require.Equal(t, expected, warnings)
		})
	}
}

// Each case of testdata/rejected.txt ends with its message, behind "=> ". The message names the key, and comes with no
// half-read settings.
func TestLoadRejects(t *testing.T) {
	setVariables(t)
	for name, text := range cases(t, "testdata/rejected.txt") {
		t.Run(name, func(t *testing.T) {
			yaml, message, found := strings.Cut(text, "\n=> ")
			require.True(t, found)
			c, warnings, err := config.Load(sectionOf(t, yaml))
			require.EqualError(t, err, strings.TrimSpace(message))
			require.Zero(t, c)
			require.Nil(t, warnings)
		})
	}
}

// cases reads a file of configurations, each under a line with its name.
func cases(t *testing.T, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	texts := make(map[string]string)
	for text := range strings.SplitSeq(string(data), "\n-- ") {
		name, text, found := strings.Cut(strings.TrimPrefix(text, "-- "), " --\n")
		require.True(t, found, name)
		require.NotContains(t, texts, name)
		texts[name] = text
	}
	return texts
}

// sectionOf is the rtbeat section of a file as libbeat hands it to the Beater: an empty one if there is none.
func sectionOf(t *testing.T, yaml string) *conf.C {
	t.Helper()
	file, err := conf.NewConfigWithYAML([]byte(yaml), "rtbeat.yml")
	require.NoError(t, err)
	if !file.HasField("rtbeat") {
		return conf.NewConfig()
	}
	section, err := file.Child("rtbeat", -1)
	require.NoError(t, err)
	return section
}

// setVariables sets what the files take from the environment.
func setVariables(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"PORT": "9001", "SECONDS": "90", "MINUTES": "2m", "SIZE": "1MiB", "QUEUE": "5MiB", "FRACTION": "8081.5",
		"TRUE": "true", "QUOTED": "'0123'", "DIGITS": "0123", "COMMA": "one,another", "EMPTY": "",
	} {
		t.Setenv(name, value)
	}
}

// No error repeats what may be a secret, however it is written.
func TestErrorsHoldNoSecrets(t *testing.T) {
	const secret = "Zq7xW"
	t.Setenv("LISTED", secret+",b")
	for _, file := range []string{
		"auth.bearer.tokens: [" + secret + ", '']",
		"auth.bearer.tokens: ['" + secret + "', {" + secret + ": 1}]",
		"auth.bearer.tokens: {" + secret + ": " + secret + "}",
		"auth.bearer.tokens: [['" + secret + "']]",
		`auth.bearer.tokens: ["` + secret + `\n"]`,
		"auth.bearer.tokens: ['${LISTED}']",
		"auth.hmac.keys: [" + secret + ", 5]",
		"auth.basic.password: " + secret,
		"auth.basic: {username: '', password: " + secret + "}",
		"auth.basic: {username: a, password: ['" + secret + "']}",
		"auth.basic: {username: a, password: {" + secret + ": 1}}",
		`auth.basic: {username: a, password: "` + secret + `\t"}`,
		"ssl: {certificate: a, key_passphrase: " + secret + "}",
		"ssl: {certificate: a, key: b, key_passphrase: [" + secret + "]}",
	} {
		section, err := conf.NewConfigWithYAML([]byte(file), "rtbeat.yml")
		require.NoError(t, err, file)
		_, _, err = config.Load(section)
		require.Error(t, err, file)
		require.NotContains(t, err.Error(), secret)
	}
}

// What is loaded once loads again: Load changes the form of durations in the section, and nothing else.
func TestLoadTwice(t *testing.T) {
	section := sectionOf(t, cases(t, "testdata/accepted.txt")["everything"])
	first, _, err := config.Load(section)
	require.NoError(t, err)
	second, _, err := config.Load(section)
	require.NoError(t, err)
	require.Equal(t, first, second)
}
