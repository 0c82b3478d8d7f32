package config_test

import (
	"maps"
	"math"
	"os"
	"path/filepath"
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

// What each refusal of a key ends with, by where the key stands.
const (
	known = "(known there: host, port, socket_mode, ssl.*, max_connections, auth.*, trusted_proxies, proxy_protocol, timeout, read_timeout, idle_timeout, " +
		"max_body_bytes, max_messages, max_depth, max_key_bytes, max_header_bytes, include_headers, max_in_flight_bytes, stall_after, dedupe.*, document_id, " +
		"durable.*, shutdown_timeout, shutdown_delay, admin.*)"
	knownInDedupe  = "(known there: enabled, window, max_entries)"
	knownInDurable = "(known there: enabled, path, max_bytes)"
	knownInAuth    = "(known there: bearer.*, basic.*, hmac.*, certificate.*)"
	knownInBearer  = "(known there: tokens)"
	knownInSSL     = "(known there: enabled, verification_mode, supported_protocols, cipher_suites, certificate_authorities, " +
		"certificate, key, key_passphrase, key_passphrase_path, curve_types, client_authentication, ca_sha256)"
)

// open is the warning that the defaults earn.
const open = "rtbeat listens on every address of this machine with neither rtbeat.ssl nor rtbeat.auth: anybody who reaches it can send events; " +
	"set rtbeat.auth, or set rtbeat.host to 127.0.0.1"

// withoutEffect is the warning that auth earns with nothing under it.
const withoutEffect = "rtbeat.auth is there, but lets everybody in: nothing stands under it; name tokens, a user, keys or names of certificates, or leave it out"

// noValue ends the refusal of null.
const noValue = " has no value: it is null, or its variable holds null, [] or {}; give it a value, or leave it out"

// Each file under testdata/accepted is a case: what it changes of the defaults, and the warnings that it earns. closed
// tells the cases that do not earn the one of the defaults.
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
	cases := map[string]struct {
		change   func(*config.Config)
		warnings []string
		closed   bool
	}{
		"absent.yml":    {change: func(*config.Config) {}},
		"no-values.yml": {change: func(*config.Config) {}, warnings: []string{withoutEffect}},
		"everything.yml": {closed: true, change: func(c *config.Config) {
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
		"durations.yml": {change: func(c *config.Config) {
			c.Timeout = 1500 * time.Millisecond
			c.ShutdownTimeout = 90 * time.Second
			c.ShutdownDelay = 250 * time.Millisecond
			c.ReadTimeout = 2500 * time.Millisecond
			c.IdleTimeout = 24 * time.Hour
		}},
		"variables.yml": {closed: true, change: func(c *config.Config) {
			local(c)
			c.Port = 9001
			c.Auth.Bearer.Tokens = []string{"0123", "a-default"}
			c.Auth.HMAC.Window = 90 * time.Second
			c.Timeout = 7 * time.Second
			c.ReadTimeout = 2 * time.Minute
			c.MaxBody = 1 << 20
		}},
		"whole-number.yml": {change: func(c *config.Config) { c.Port = 8082 }},

		"host-unix.yml": {closed: true, change: func(c *config.Config) {
			c.Host, c.Port, c.SocketMode = "unix:///run/rtbeat/in.sock", 9001, 0o666
			c.Admin.Port = 9001
		}},
		"host-ipv6.yml": {closed: true, change: func(c *config.Config) { c.Host = "::1" }},
		"host-ipv6-brackets.yml": {closed: true, change: func(c *config.Config) {
			c.Host = "[::1]"
			c.Admin = listen.Admin{Host: "[fe80::1%eth0]", Port: 8081}
		}},
		"host-localhost.yml":       {closed: true, change: func(c *config.Config) { c.Host = "LocalHost" }},
		"host-mapped-loopback.yml": {closed: true, change: func(c *config.Config) { c.Host = "::ffff:127.0.0.1" }},
		"host-name.yml": {
			closed:   true,
			change:   func(c *config.Config) { c.Host = "in.example.com" },
			warnings: []string{strings.Replace(open, "every address of this machine", "in.example.com", 1)},
		},
		"host-unspecified.yml":        {change: func(c *config.Config) { c.Host = "::" }},
		"host-unspecified-mapped.yml": {change: func(c *config.Config) { c.Host = "[::ffff:0.0.0.0]" }},

		"ssl-only.yml": {
			closed:   true,
			change:   func(c *config.Config) { server(c) },
			warnings: []string{strings.Replace(open, "with neither rtbeat.ssl nor rtbeat.auth", "with rtbeat.ssl, but without rtbeat.auth", 1)},
		},
		"ssl-off.yml": {closed: true, change: func(c *config.Config) {
			local(c)
			off := false
			c.SSL = &tlscommon.ServerConfig{
				Enabled: &off, Versions: []tlscommon.TLSVersion{tlscommon.TLSVersion11}, CASha256: []string{"x"}, VerificationMode: tlscommon.VerifyNone,
			}
		}},
		"ssl-certificate-optional.yml": {
			closed:   true,
			change:   func(c *config.Config) { certified(c, tlscommon.TLSClientAuthOptional) },
			warnings: []string{strings.Replace(open, "with neither rtbeat.ssl nor rtbeat.auth", "with rtbeat.ssl, but without rtbeat.auth", 1)},
		},
		"ssl-certificate-required.yml": {closed: true, change: func(c *config.Config) { certified(c, tlscommon.TLSClientAuthRequired) }},
		"ssl-verification-none.yml": {closed: true, change: func(c *config.Config) {
			certified(c, tlscommon.TLSClientAuthRequired).VerificationMode = tlscommon.VerifyNone
		}},

		"auth-names-optional.yml": {closed: true, change: func(c *config.Config) {
			certified(c, tlscommon.TLSClientAuthOptional)
			c.Auth.Certificate.Names = []string{"sender.example.com"}
		}},
		"auth-in-clear.yml": {
			closed: true,
			change: func(c *config.Config) {
				c.Host = "192.0.2.7"
				c.Auth.Bearer.Tokens = []string{"a-token"}
				c.Auth.Basic = auth.Basic{Username: "somebody", Password: "something"}
			},
			warnings: []string{"rtbeat listens on 192.0.2.7 with rtbeat.auth.bearer and rtbeat.auth.basic, but without " + inClear},
		},
		"auth-basic-in-clear.yml": {
			closed:   true,
			change:   func(c *config.Config) { c.Auth.Basic = auth.Basic{Username: "somebody", Password: "something"} },
			warnings: []string{"rtbeat listens on every address of this machine with rtbeat.auth.basic, but without " + inClear},
		},
		"auth-hmac.yml": {closed: true, change: func(c *config.Config) { c.Auth.HMAC.Keys = []string{"a-key"} }},
		"auth-local.yml": {closed: true, change: func(c *config.Config) {
			local(c)
			c.Auth.Bearer.Tokens = []string{"a-token"}
		}},
		"one-token.yml": {closed: true, change: func(c *config.Config) {
			local(c)
			c.Auth.Bearer.Tokens = []string{"a-token"}
		}},

		"proxies-one.yml": {closed: true, change: func(c *config.Config) {
			c.Host = "unix:///run/in.sock"
			c.TrustedProxies, c.ProxyProtocol = []string{"unix"}, true
		}},
		"headers-twice.yml": {closed: true, change: func(c *config.Config) {
			local(c)
			c.IncludeHeaders = []string{"Cookie", "X-A", "cookie", "x-a", "AUTHORIZATION", "authorization"}
		}},
		"limits-lowest.yml": {closed: true, change: func(c *config.Config) {
			local(c)
			c.MaxMessages, c.MaxDepth, c.MaxKey, c.MaxHeader, c.MaxConnections = 1, 1, 1, 1<<10, 1
		}},
		"limits-highest.yml": {closed: true, change: func(c *config.Config) {
			local(c)
			c.MaxMessages, c.MaxDepth, c.MaxKey, c.MaxHeader, c.MaxConnections = 1<<24, 990, 50_000, 1<<20, 1<<20
		}},
		"admin-port.yml": {closed: true, change: func(c *config.Config) {
			local(c)
			c.Admin.Port = 9000
		}},
		"admin-other-host.yml": {
			closed: true,
			change: func(c *config.Config) {
				c.Host = "192.0.2.7"
				c.Admin = listen.Admin{Host: "127.0.0.1", Port: 8081}
			},
			warnings: []string{strings.Replace(open, "every address of this machine", "192.0.2.7", 1)},
		},

		"dedupe-off.yml": {change: func(c *config.Config) {
			c.Dedupe.Enabled = false
			c.Dedupe.Window = time.Minute
		}},
		"dedupe-dotted.yml":    {change: func(c *config.Config) { c.Dedupe.MaxEntries = 1 }},
		"document-id-uuid.yml": {change: func(c *config.Config) { c.DocumentID = inflight.UUIDID }},
		"zero-durations.yml": {change: func(c *config.Config) {
			c.StallAfter, c.Dedupe.Window = 0, 0
		}},
		"sizes.yml": {change: func(c *config.Config) {
			c.MaxBody, c.MaxInFlight = 512<<10, 3<<19
		}},
		"sizes-decimal.yml": {change: func(c *config.Config) {
			c.MaxBody, c.MaxInFlight = 2_000_000, 4096
		}, warnings: []string{
			"rtbeat.max_body_bytes (2000000) is larger than rtbeat.max_in_flight_bytes (4096), so that a body between the two is always refused with 413",
		}},
		"in-flight-below-body.yml": {change: func(c *config.Config) {
			c.MaxBody, c.MaxInFlight = 64<<20, 1<<20
		}, warnings: []string{
			"rtbeat.max_body_bytes (67108864) is larger than rtbeat.max_in_flight_bytes (1048576), so that a body between the two is always refused with 413",
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
		"timeout-in-quotes.yml": {change: func(c *config.Config) {
			c.IdleTimeout = 2500 * time.Millisecond
		}},
		"timeout-below-rxtx.yml": {change: func(c *config.Config) { c.Timeout = 59 * time.Second }},
		"timeout-beyond-rxtx.yml": {
			change:   func(c *config.Config) { c.Timeout = time.Minute },
			warnings: []string{"rtbeat.timeout is 1m0s; a sender that gives up earlier (rxtx after 1m0s) never sees the answer and sends again"},
		},
		"shutdown-timeout-zero.yml": {
			change:   func(c *config.Config) { c.ShutdownDelay = 29 * time.Second },
			warnings: []string{"rtbeat.shutdown_timeout is 0s, which is no waiting time; using the default 30s"},
		},
		"durable-enabled.yml":     {change: durable(func(*diskqueue.Settings) {})},
		"durable-path.yml":        {change: durable(func(d *diskqueue.Settings) { d.Path = "/var/lib/queue" })},
		"durable-most.yml":        {change: durable(func(d *diskqueue.Settings) { d.MaxBytes = math.MaxInt64 })},
		"durable-null-values.yml": {change: durable(func(d *diskqueue.Settings) { d.MaxBytes = 1 << 30 })},
		"durable-off.yml":         {change: func(c *config.Config) { c.Durable = diskqueue.Settings{MaxBytes: -1} }},
		"durable-empty.yml":       {change: func(*config.Config) {}, warnings: []string{durableOff}},
		"durable-null.yml":        {change: func(*config.Config) {}, warnings: []string{durableOff}},
		"durable-least.yml": {change: func(c *config.Config) {
			c.MaxBody, c.MaxInFlight = 1<<20, 2<<20
			c.Durable.Enabled, c.Durable.MaxBytes = true, 4<<20
		}},
		"durable-variables.yml": {change: func(c *config.Config) {
			c.MaxBody = 256 << 10
			c.Durable.Enabled, c.Durable.MaxBytes = true, 5<<20
		}},
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
		expected := cases[name].warnings
		if !cases[name].closed {
			expected = append(expected, open)
		}
		require.Equal(t, expected, warnings)
	})
}

// Each file under testdata/rejected is a case. The message names the key, and comes with no half-read settings.
func TestLoadRejects(t *testing.T) {
	setVariables(t)
	const (
		reading    = "reading the rtbeat section: "
		fourBodies = "; it must be at least 4 times rtbeat.max_body_bytes, which is 16777216. Raise the first, or lower the second"
		oneHalf    = ": one half is for requests, the other for what is delivered. Raise the first, or lower the second"
		missing    = " has a ${NAME} that is neither in the keystore nor in the environment, or has no value there"
		noText     = " and not as text; put it in quotes, which belong into the value of an environment variable too, while the keystore has no quotes and takes no such text"
		noList     = ` is read as a group of settings and not as a list; write ["one", "another"]`
		noHost     = "; it must be a name or an IP address, with the port in rtbeat.port, or unix:// and the whole path of a Unix socket"
		noSocket   = "; a Unix socket needs the whole path of its file, such as unix:///run/rtbeat/in.sock"
		noDuration = ", which is no duration; write 5 (seconds), 1500ms or 2m"
		tooLong    = " seconds; it may be 24h0m0s at most (plain numbers are seconds)"
		noMode     = ` is no mode of a file; write it in octal, such as "0660" accessing 'rtbeat.socket_mode' (source:'rtbeat.yml')`
		empty      = " is empty; give it a value, or leave it out"
		control    = " has a control character, such as a line break at its end; remove it"
		noHeader   = " is not the name of a header; use letters, digits and hyphens, such as "
		secret     = ", which carries credentials, and they would be in each event; leave it out, or name it twice if that is meant"
		noNames    = "rtbeat.auth.certificate.names is set without rtbeat.ssl.client_authentication, so that no certificate would ever come; " +
			"set that to required, with rtbeat.ssl.certificate_authorities"
		taken = "rtbeat.admin.port is 8081, on which rtbeat.port listens already; give it another port, or leave it out to have " +
			"/metrics, /livez and /readyz on rtbeat.port"
	)
	cases := map[string]string{
		"unknown-key.yml":     "rtbeat.timout is no setting of rtbeat " + known,
		"unknown-keys.yml":    "rtbeat.brokers is no setting of rtbeat " + known,
		"unknown-section.yml": "rtbeat.tls is no setting of rtbeat " + known,
		"unknown-nested.yml":  "rtbeat.dedupe.windw is no setting of rtbeat " + knownInDedupe,
		"unknown-dotted.yml":  "rtbeat.dedupe.cache is no setting of rtbeat " + knownInDedupe,
		"key-in-capitals.yml": "rtbeat.Port is no setting of rtbeat " + known,

		"unknown-ssl.yml":        "rtbeat.ssl.renegotiation is no setting of rtbeat " + knownInSSL,
		"unknown-auth.yml":       "rtbeat.auth.bearer.token is no setting of rtbeat " + knownInBearer,
		"unknown-auth-group.yml": "rtbeat.auth.tokens is no setting of rtbeat " + knownInAuth,
		"section-list.yml":       "rtbeat is a list; it must be a group of settings, such as rtbeat.port",

		"host-list.yml":           "rtbeat.host is read as a list" + noText,
		"host-number.yml":         "rtbeat.host is read as a number" + noText,
		"host-with-port.yml":      `rtbeat.host is "localhost:8081"` + noHost,
		"host-url.yml":            `rtbeat.host is "http://localhost"` + noHost,
		"host-space.yml":          `rtbeat.host is " "` + noHost,
		"host-brackets.yml":       `rtbeat.host is "[localhost]"` + noHost,
		"host-unix-one-slash.yml": `rtbeat.host is "unix:/run/in.sock"` + noHost,
		"host-unix-relative.yml":  `rtbeat.host is "unix://run/in.sock"` + noSocket,
		"host-unix-directory.yml": `rtbeat.host is "unix:///run/rtbeat/"` + noSocket,
		"host-unix-empty.yml":     `rtbeat.host is "unix://"` + noSocket,
		"host-unix-long.yml":      "rtbeat.host has a path of 108 bytes; that of a Unix socket may have 107 at most",

		"socket-mode-no-octal.yml":  reading + `"0999"` + noMode,
		"socket-mode-too-large.yml": reading + "660" + noMode,
		"socket-mode-zero.yml":      reading + "0" + noMode,
		"socket-mode-no-owner.yml":  "rtbeat.socket_mode is 0466, with which not even the owner may connect; it needs 0200, as in 0660",
		"socket-mode-list.yml":      reading + "[432]" + noMode,

		"ssl-no-certificate.yml":    reading + "certificate file not configured accessing 'rtbeat.ssl' (source:'rtbeat.yml')",
		"ssl-no-key.yml":            reading + "key file not configured accessing 'rtbeat.ssl' (source:'rtbeat.yml') accessing 'rtbeat.ssl' (source:'rtbeat.yml')",
		"ssl-protocol.yml":          "rtbeat.ssl.supported_protocols has TLSv1.1, which is broken (RFC 8996); leave it out, so that there are TLSv1.2 and TLSv1.3",
		"ssl-pin.yml":               "rtbeat.ssl.ca_sha256 has no effect with rtbeat.ssl.verification_mode: none; leave one of them out",
		"ssl-passphrase-number.yml": "rtbeat.ssl.key_passphrase is read as a number" + noText,
		"ssl-authorities-group.yml": "rtbeat.ssl.certificate_authorities" + noList,
		"ssl-no-group.yml":          "rtbeat.ssl is true, and it is a group of settings; write rtbeat.ssl.enabled: true",

		"auth-token-empty.yml":        "rtbeat.auth.bearer.tokens.1" + empty,
		"auth-token-blank.yml":        "rtbeat.auth.bearer.tokens.0" + empty,
		"auth-token-null.yml":         "rtbeat.auth.bearer.tokens.0" + noValue,
		"auth-token-newline.yml":      "rtbeat.auth.bearer.tokens.0" + control,
		"auth-token-number.yml":       "rtbeat.auth.bearer.tokens.1 is read as a number" + noText,
		"auth-token-number-alone.yml": "rtbeat.auth.bearer.tokens is read as a number" + noText,
		"auth-token-comma.yml":        "rtbeat.auth.bearer.tokens.0 is read as a list" + noText,
		"auth-tokens-group.yml":       "rtbeat.auth.bearer.tokens" + noList,
		"auth-key-empty.yml":          "rtbeat.auth.hmac.keys.0" + empty,
		"auth-name-empty.yml":         "rtbeat.auth.certificate.names.0" + empty,
		"auth-variable-unset.yml":     "rtbeat.auth.basic.password" + missing,
		"auth-variable-empty.yml":     "rtbeat.auth.bearer.tokens.0" + missing,
		"auth-variable-number.yml":    "rtbeat.auth.basic.password is read as a number" + noText,
		"auth-password-list.yml":      "rtbeat.auth.basic.password is read as a list" + noText,
		"auth-password-bool.yml":      "rtbeat.auth.basic.password is read as true or false" + noText,
		"auth-password-blank.yml":     "rtbeat.auth.basic.password" + empty,
		"auth-password-newline.yml":   "rtbeat.auth.basic.password" + control,
		"auth-password-missing.yml":   "rtbeat.auth.basic.username is set without rtbeat.auth.basic.password; give both, or leave both out",
		"auth-username-missing.yml":   "rtbeat.auth.basic.password is set without rtbeat.auth.basic.username; give both, or leave both out",
		"auth-username-colon.yml":     "rtbeat.auth.basic.username has a colon, at which the password begins in a request; choose another name",
		"auth-username-blank.yml":     "rtbeat.auth.basic.username" + empty,

		"auth-header-empty.yml":             "rtbeat.auth.hmac.header" + noHeader + "X-Signature",
		"auth-header-no-name.yml":           "rtbeat.auth.hmac.header" + noHeader + "X-Signature",
		"auth-header-authorization.yml":     "rtbeat.auth.hmac.header is Authorization, which is where tokens and passwords are; use one of its own, such as X-Signature",
		"auth-timestamp-header-no-name.yml": "rtbeat.auth.hmac.timestamp_header" + noHeader + "X-Timestamp",
		"auth-timestamp-header-same.yml":    "rtbeat.auth.hmac.header and rtbeat.auth.hmac.timestamp_header are the same header; use two",
		"auth-window-zero.yml":              "rtbeat.auth.hmac.window is 0s; it must be a positive duration, such as 5 (seconds) or 1500ms",
		"auth-names-without-ssl.yml":        noNames,
		"auth-names-ssl-off.yml":            noNames,
		"auth-names-not-asked-for.yml":      noNames,

		"proxies-empty.yml":               "rtbeat.trusted_proxies.1" + empty,
		"proxies-group.yml":               "rtbeat.trusted_proxies" + noList,
		"proxy-protocol-from-nobody.yml":  "rtbeat.proxy_protocol is true without rtbeat.trusted_proxies, so that nobody's header would be taken; name the proxies that send it there",
		"headers-no-name.yml":             "rtbeat.include_headers.1" + noHeader + "X-Request-Id",
		"headers-empty.yml":               "rtbeat.include_headers.0" + noHeader + "X-Request-Id",
		"headers-cookie.yml":              "rtbeat.include_headers.2 is cookie" + secret,
		"headers-authorization.yml":       "rtbeat.include_headers.0 is Authorization" + secret,
		"headers-proxy-authorization.yml": "rtbeat.include_headers.2 is PROXY-AUTHORIZATION" + secret,

		"admin-port-negative.yml":         "rtbeat.admin.port is -1; it must be between 1 and 65535, or 0 for none",
		"admin-port-too-large.yml":        "rtbeat.admin.port is 65536; it must be between 1 and 65535, or 0 for none",
		"admin-host-alone.yml":            "rtbeat.admin.host is set without rtbeat.admin.port; give a port, or leave both out",
		"admin-host-unix.yml":             "rtbeat.admin.host is a Unix socket; it must be a name or an IP address, such as 127.0.0.1",
		"admin-host-with-port.yml":        `rtbeat.admin.host is "localhost:9000"; it must be a name or an IP address, with the port in rtbeat.admin.port`,
		"admin-port-taken.yml":            taken,
		"admin-port-taken-everywhere.yml": taken,
		"admin-port-taken-by-all.yml":     taken,

		"max-header-too-small.yml":      "rtbeat.max_header_bytes is 1023; it must be between 1KiB, which ordinary requests need, and 1MiB",
		"max-header-too-large.yml":      "rtbeat.max_header_bytes is 1048577; it must be between 1KiB, which ordinary requests need, and 1MiB",
		"max-messages-zero.yml":         "rtbeat.max_messages is 0; it must be between 1 and 16777216",
		"max-messages-too-large.yml":    "rtbeat.max_messages is 16777217; it must be between 1 and 16777216",
		"max-messages-fraction.yml":     "rtbeat.max_messages is 0.5; it must be a whole number",
		"max-depth-zero.yml":            "rtbeat.max_depth is 0; it must be between 1 and 990",
		"max-depth-too-large.yml":       "rtbeat.max_depth is 991; it must be between 1 and 990",
		"max-key-zero.yml":              "rtbeat.max_key_bytes is 0; it must be between 1 and 50000, which is the longest key that Logstash reads",
		"max-key-too-large.yml":         "rtbeat.max_key_bytes is 50001; it must be between 1 and 50000, which is the longest key that Logstash reads",
		"max-key-negative.yml":          "rtbeat.max_key_bytes is -1; it must be between 1 and 50000, which is the longest key that Logstash reads",
		"max-connections-zero.yml":      "rtbeat.max_connections is 0; it must be between 1 and 1048576",
		"max-connections-too-large.yml": "rtbeat.max_connections is 1048577; it must be between 1 and 1048576",

		"port-negative.yml":           "rtbeat.port is -1; it must be between 1 and 65535, or 0 for any free port",
		"port-too-large.yml":          "rtbeat.port is 65536; it must be between 1 and 65535, or 0 for any free port",
		"port-fraction.yml":           "rtbeat.port is 8081.5; it must be a whole number",
		"port-fraction-variable.yml":  "rtbeat.port is 8081.5; it must be a whole number",
		"port-fraction-in-quotes.yml": reading + "can not convert 'string' into 'int' accessing 'rtbeat.port' (source:'rtbeat.yml')",
		"port-no-number-at-all.yml":   "rtbeat.port is NaN; it must be a whole number",
		"port-no-number.yml":          reading + "can not convert 'string' into 'int' accessing 'rtbeat.port' (source:'rtbeat.yml')",

		"timeout-no-duration.yml":        `rtbeat.timeout is "soon"` + noDuration,
		"timeout-list.yml":               "rtbeat.timeout is [5]" + noDuration,
		"timeout-bool.yml":               "rtbeat.timeout is true" + noDuration,
		"timeout-not-a-number.yml":       "rtbeat.timeout is NaN" + noDuration,
		"timeout-too-long.yml":           "rtbeat.timeout is 90000" + tooLong,
		"timeout-overflow.yml":           "rtbeat.timeout is 10000000000000" + tooLong,
		"timeout-overflow-unsigned.yml":  "rtbeat.timeout is 18446744073709551615" + tooLong,
		"timeout-overflow-float.yml":     "rtbeat.timeout is 9e+30" + tooLong,
		"timeout-overflow-in-quotes.yml": "rtbeat.timeout is 1e999" + tooLong,
		"timeout-overflow-unit.yml":      `rtbeat.timeout is "9999999h"` + noDuration,

		"shutdown-timeout-too-long.yml":   "rtbeat.shutdown_timeout is 25h0m0s; it may be 24h0m0s at most (plain numbers are seconds)",
		"shutdown-delay-negative.yml":     "rtbeat.shutdown_delay is -1s; it must be zero or a positive duration, such as 5 (seconds) or 1500ms",
		"shutdown-delay-fills-budget.yml": "rtbeat.shutdown_delay (10s) must be shorter than rtbeat.shutdown_timeout (10s), of which it is a part",
		"read-timeout-zero.yml":           "rtbeat.read_timeout is 0s; it must be a positive duration, such as 5 (seconds) or 1500ms",
		"idle-timeout-zero.yml":           "rtbeat.idle_timeout is 0s; it must be a positive duration, such as 5 (seconds) or 1500ms",
		"idle-timeout-too-long.yml":       "rtbeat.idle_timeout is 24h0m1s; it may be 24h0m0s at most (plain numbers are seconds)",

		"stall-after-negative.yml":        "rtbeat.stall_after is -1s; it must be zero or a positive duration, such as 5 (seconds) or 1500ms",
		"stall-after-too-long.yml":        "rtbeat.stall_after is 86401" + tooLong,
		"dedupe-no-group.yml":             "rtbeat.dedupe is false, and it is a group of settings; write rtbeat.dedupe.enabled: false",
		"dedupe-list.yml":                 "rtbeat.dedupe.0 is no setting of rtbeat " + knownInDedupe,
		"dedupe-enabled-no-bool.yml":      reading + "can not convert 'string' into 'bool' accessing 'rtbeat.dedupe.enabled' (source:'rtbeat.yml')",
		"dedupe-window-negative.yml":      "rtbeat.dedupe.window is -1s; it must be zero or a positive duration, such as 5 (seconds) or 1500ms",
		"dedupe-window-too-long.yml":      "rtbeat.dedupe.window is 25h0m0s; it may be 24h0m0s at most (plain numbers are seconds)",
		"dedupe-window-overflow.yml":      "rtbeat.dedupe.window is 10000000000000" + tooLong,
		"dedupe-max-entries-zero.yml":     "rtbeat.dedupe.max_entries is 0; it must be a positive number",
		"dedupe-max-entries-negative.yml": "rtbeat.dedupe.max_entries is -1; it must be a positive number",
		"dedupe-max-entries-size.yml":     reading + "can not convert 'string' into 'int' accessing 'rtbeat.dedupe.max_entries' (source:'rtbeat.yml')",
		"document-id-unknown.yml":         reading + `"fingerprint" is no document id; it must be content, uuid or none accessing 'rtbeat.document_id' (source:'rtbeat.yml')`,
		"document-id-bool.yml":            reading + `"false" is no document id; it must be content, uuid or none accessing 'rtbeat.document_id' (source:'rtbeat.yml')`,

		"durable-true.yml":                 "rtbeat.durable is true, and it is a group of settings; write rtbeat.durable.enabled: true",
		"durable-variable-true.yml":        "rtbeat.durable is true, and it is a group of settings; write rtbeat.durable.enabled: true",
		"durable-text.yml":                 reading + "required 'object', but found 'string' in field 'rtbeat.durable' (source:'rtbeat.yml')",
		"durable-list.yml":                 "rtbeat.durable.0 is no setting of rtbeat " + knownInDurable,
		"durable-unknown.yml":              "rtbeat.durable.max_size is no setting of rtbeat " + knownInDurable,
		"durable-enabled-no-bool.yml":      reading + "can not convert 'string' into 'bool' accessing 'rtbeat.durable.enabled' (source:'rtbeat.yml')",
		"durable-path-empty.yml":           "rtbeat.durable.path is empty; name a directory, or leave it out",
		"durable-path-blank.yml":           "rtbeat.durable.path is empty; name a directory, or leave it out",
		"durable-path-number.yml":          "rtbeat.durable.path is read as a number" + noText,
		"durable-max-bytes-zero.yml":       "rtbeat.durable.max_bytes is 0" + fourBodies,
		"durable-max-bytes-negative.yml":   "rtbeat.durable.max_bytes is -1" + fourBodies,
		"durable-max-bytes-few-bodies.yml": "rtbeat.durable.max_bytes is 66060288" + fourBodies,
		"durable-max-bytes-no-file.yml":    "rtbeat.durable.max_bytes is 4194303; it must be at least 4194304, which one file of the queue takes. Raise it",
		"durable-max-bytes-too-large.yml":  reading + "9223372036854775808 bytes are more than can be counted accessing 'rtbeat.durable.max_bytes' (source:'rtbeat.yml')",
		"durable-max-bytes-no-size.yml":    reading + `"plenty" is no size; write bytes as a number, or with a unit such as 32MiB accessing 'rtbeat.durable.max_bytes' (source:'rtbeat.yml')`,
		"durable-in-flight-one-body.yml":   "rtbeat.max_in_flight_bytes is 32505856; durable mode needs at least twice rtbeat.max_body_bytes, which is 16777216" + oneHalf,
		"durable-body-too-large.yml":       "rtbeat.max_in_flight_bytes is 4611686018427387904; durable mode needs at least twice rtbeat.max_body_bytes, which is 4611686018427387904" + oneHalf,

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
	section := sectionOf(t, "testdata/accepted/everything.yml")
	first, _, err := config.Load(section)
	require.NoError(t, err)
	second, _, err := config.Load(section)
	require.NoError(t, err)
	require.Equal(t, first, second)
}
