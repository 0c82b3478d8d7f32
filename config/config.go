// Package config holds every setting under rtbeat:, its default and its rules. The comments of Config are the
// manual; rtbeat.reference.yml repeats them and docs/configuration.md is shorter. A test holds their keys and defaults
// together.
package config

import (
	"fmt"
	"time"

	"github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/transport/tlscommon"
)

// Config is the rtbeat section of rtbeat.yml. Durations are seconds when given as plain numbers, or carry a unit
// ("1500ms", "2m"). Sizes are bytes when given as plain numbers, or carry a unit ("32MiB").
type Config struct {
	// Host is the address to listen on: a name or an IP address. Empty means every address of the machine. unix:// and
	// a whole path, such as unix:///run/rtbeat/in.sock, is a Unix socket at that path, and no port.
	Host string `config:"host"`

	// Port is the TCP port to listen on. 0 takes any free port; the log line "listening on" tells which.
	Port int `config:"port"`

	// SocketMode is the mode of the Unix socket's file, in octal: who may write to the file may connect.
	SocketMode FileMode `config:"socket_mode"`

	// SSL is TLS as in every Beat: certificate, key, certificate_authorities, client_authentication and so on. nil is
	// plain HTTP, and so is enabled: false.
	SSL *tlscommon.ServerConfig `config:"ssl"`

	// Auth is who may send batches. With nothing set, everybody may.
	Auth Auth `config:"auth"`

	// Timeout is how long a request waits for the output to acknowledge its batch, counted from the moment the body
	// has been read. When it passes, the answer is 504 and the sender is to send the batch again. Keep it below the
	// sender's own timeout (60 s in rxtx). Zero or less falls back to the default, with a warning.
	Timeout time.Duration `config:"timeout"`

	// ShutdownTimeout is the one budget for stopping: from the signal on, through ShutdownDelay, the requests in
	// flight and the acknowledgements still to come. Closing what is left afterwards takes up to 2 s more, so give
	// systemd (TimeoutStopSec) and Kubernetes (terminationGracePeriodSeconds) at least 5 s on top. Zero or less falls
	// back to the default, with a warning.
	ShutdownTimeout time.Duration `config:"shutdown_timeout"`

	// ShutdownDelay is how long rtbeat goes on serving after the signal, with /readyz already at 503, so that load
	// balancers notice before the port closes. It is a part of ShutdownTimeout and must be shorter. 0 closes at once.
	ShutdownDelay time.Duration `config:"shutdown_delay"`

	// MaxBodyBytes is the largest body that is read, as it comes over the wire and again after decompression; a larger
	// one is answered 413. A sender such as rxtx that repeats a refused batch is stuck until this is raised.
	MaxBodyBytes ByteSize `config:"max_body_bytes"`

	// MaxInFlightBytes limits the bytes of all bodies that are read, queued, or handed to the output and not yet
	// acknowledged, answered or not. Over it, a request is answered 503 with Retry-After before anything of it is
	// published, until an eighth of it is free again. A batch that takes more than all of it is answered 413. /readyz is
	// 503 from nine tenths of it until three quarters.
	//
	// Memory used is a multiple of it, because what waits is decoded. A message of tiny values, whose decoded form
	// is many times its text, counts for more than its text, so that the multiple holds whatever is sent
	// (docs/operations.md). The default keeps rtbeat under 512 MiB, and still holds two bodies of MaxBodyBytes, or some
	// 180 batches of 500 messages.
	MaxInFlightBytes ByteSize `config:"max_in_flight_bytes"`

	// MaxMessages is how many messages a batch may have; one with more is answered 413.
	MaxMessages int `config:"max_messages"`

	// MaxDepth is how many levels of objects and arrays a message may have, the message itself being the first, 990 at
	// most. A deeper message is answered 400. Elasticsearch takes 20 levels by default, Logstash's JSON parser 1,000.
	MaxDepth int `config:"max_depth"`

	// MaxKeyBytes is how long an object key of a message may be, in bytes of UTF-8 without escapes, between 1 and 50000. A
	// longer key is answered 400. Logstash's JSON parser reads 50,000 bytes; at a longer key it closes the connection, and
	// nothing that comes later is delivered.
	MaxKeyBytes ByteSize `config:"max_key_bytes"`

	// MaxHeaderBytes limits the request line and the headers of a request together, between 1KiB and 1MiB; longer ones are
	// answered 431.
	MaxHeaderBytes ByteSize `config:"max_header_bytes"`

	// MaxConnections is how many connections of senders may be open. A further one takes the place of the one that has
	// gone without a complete request for the longest time; one whose request has come in whole is never cut off.
	MaxConnections int `config:"max_connections"`

	// ReadTimeout limits how long a sender may take for the headers of a request, and again for its body; a slower
	// body is answered 408.
	ReadTimeout time.Duration `config:"read_timeout"`

	// IdleTimeout is how long an idle connection is kept open for the next request.
	IdleTimeout time.Duration `config:"idle_timeout"`

	// StallAfter is how long the output may go without any acknowledgement, with something in flight, before it counts
	// as stalled: /readyz is 503 then, and a batch with messages that are not in flight is answered 503 at once. A
	// batch that only repeats what is in flight may wait for it. The first acknowledgement ends the stall. 0 switches
	// this off.
	StallAfter time.Duration `config:"stall_after"`

	// Dedupe is about messages that come again.
	Dedupe Dedupe `config:"dedupe"`

	// Durable is about keeping batches on the local disk until they are delivered.
	Durable Durable `config:"durable"`

	// DocumentID is what an event's @metadata._id is made of. By the id a store keeps one copy of a message. With content
	// the id is a hash of the message as it was sent. With uuid it is the message's uuid. That is safe only if uuids are
	// unique over all senders, and an equal uuid means an equal message. Otherwise the store loses messages. With none
	// there is no id. A message without a uuid has an id in durable mode only, with content.
	DocumentID DocumentID `config:"document_id"`

	// TrustedProxies are the proxies whose Forwarded and X-Forwarded-For headers are believed: addresses, networks such as
	// 10.0.0.0/8, or unix for whoever connects to the Unix socket. The headers of all others are ignored.
	TrustedProxies []string `config:"trusted_proxies"`

	// ProxyProtocol is whether the TrustedProxies begin each connection with a PROXY protocol header, version 1 or 2. With
	// true they have to, and nobody else may.
	ProxyProtocol bool `config:"proxy_protocol"`

	// IncludeHeaders are the names of request headers that are copied into each event, under headers, in lower case.
	// Authorization, Proxy-Authorization and Cookie carry credentials, and have to be named twice if that is meant.
	IncludeHeaders []string `config:"include_headers"`

	// Admin is a listener of its own for /metrics, /livez, /readyz and the status page.
	Admin Admin `config:"admin"`
}

// Admin is the listener of /metrics, /livez, /readyz and the status page, which is plain HTTP without authentication.
type Admin struct {
	// Host is the address of that listener: a name or an IP address. Empty means every address of the machine.
	Host string `config:"host"`

	// Port is the TCP port for /metrics, /livez and /readyz, in plain HTTP without authentication. 0 leaves them beside
	// /in. The status page at / is on this port alone.
	Port int `config:"port"`
}

// Dedupe is how messages that come again are joined to those that are in flight or were delivered.
type Dedupe struct {
	// Enabled is whether a message that comes again, with the same uuid and the same content, is joined to the one in
	// flight or delivered before, and not published again. false publishes each attempt.
	Enabled bool `config:"enabled"`

	// Window is how long a delivered message is remembered. 0 forgets it at once: only what is in flight is joined.
	Window time.Duration `config:"window"`

	// MaxEntries is how many delivered messages are remembered at most. Over it, the oldest are forgotten before Window
	// has passed. Each takes 65 to 90 bytes of memory. Messages in flight are always known; MaxInFlightBytes bounds them.
	MaxEntries int `config:"max_entries"`
}

// Default returns the settings that hold where the file says nothing.
func Default() Config {
	return Config{
		Host:             "",
		Port:             8081,
		SocketMode:       0o660,
		Auth:             Auth{HMAC: HMAC{Header: "X-Signature", Prefix: "sha256=", Window: 5 * time.Minute}},
		Timeout:          5 * time.Second,
		ShutdownTimeout:  30 * time.Second,
		ShutdownDelay:    0,
		MaxBodyBytes:     16 << 20,
		MaxInFlightBytes: 32 << 20,
		MaxMessages:      50_000,
		MaxDepth:         128,
		MaxKeyBytes:      32 << 10,
		MaxHeaderBytes:   8 << 10,
		MaxConnections:   1024,
		ReadTimeout:      30 * time.Second,
		IdleTimeout:      2 * time.Minute,
		StallAfter:       30 * time.Second,
		Dedupe:           Dedupe{Enabled: true, Window: 10 * time.Minute, MaxEntries: 1 << 18},
		Durable:          Durable{Path: "queue", MaxBytes: 10 << 30},
		DocumentID:       DocumentIDContent,
	}
}

// Load reads the rtbeat section over the defaults. The warnings are for the log. An error names the key that is
// wrong, or unknown, and never a secret. Durations in the section have a unit afterwards.
func Load(section *config.C) (c Config, warnings []string, err error) {
	if err := checkReadable(section, "", maxLevels); err != nil {
		return Config{}, nil, err
	}
	if err := checkKeys(section); err != nil {
		return Config{}, nil, err
	}
	values, err := valuesOf(section)
	if err != nil {
		return Config{}, nil, err
	}
	if err := checkWritten(section, values); err != nil {
		return Config{}, nil, err
	}
	c = Default()
	if err := section.Unpack(&c); err != nil {
		return Config{}, nil, fmt.Errorf("reading the rtbeat section: %w", err)
	}
	c.dropEmptyLists()
	if impliesDurable(values) {
		c.Durable.Enabled = true
	}
	warnings = c.fallBack()
	if err := c.check(); err != nil {
		return Config{}, nil, err
	}
	if section.HasField("auth") && !hasValues(values["auth"]) && !c.requiresCertificates() {
		warnings = append(warnings, "rtbeat.auth is there, but lets everybody in: nothing stands under it; name tokens, a user, keys or names of certificates, or leave it out")
	}
	if section.HasField("durable") && !hasValues(values["durable"]) {
		warnings = append(warnings, "rtbeat.durable is there, but nothing stands under it, and durable mode is off: set rtbeat.durable.enabled to true, or leave it out")
	}
	return c, append(warnings, c.exposure()...), nil
}

// dropEmptyLists makes [] the same as nothing.
func (c *Config) dropEmptyLists() {
	for _, list := range []*[]string{
		&c.Auth.Bearer.Tokens, &c.Auth.HMAC.Keys, &c.Auth.Certificate.Names, &c.TrustedProxies, &c.IncludeHeaders,
	} {
		if len(*list) == 0 {
			*list = nil
		}
	}
}
