package effective

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	rtbeat "github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/setting"
)

// ofRtbeat lists the rtbeat section. Its numbers are what was read, so that one out of a variable shows: it has become a
// number, a duration or a size. Its texts show when they have the form of a host or a network and stand in the file.
func ofRtbeat(c rtbeat.Config, written tree) []Setting {
	text := func(key string, value any, as form) Setting { return Setting{key, written.text(key, value, as)} }
	listen := hosts
	if strings.HasPrefix(c.Host, "unix://") {
		listen = func(any) (string, bool) { return "a Unix socket", true }
	}
	settings := []Setting{
		text("rtbeat.host", c.Host, listen),
		{"rtbeat.port", fmt.Sprint(c.Port)},
		{"rtbeat.socket_mode", fmt.Sprintf("%#o", uint32(c.SocketMode))},
	}
	settings = append(settings, ofSSL(c.SSL)...)
	return append(settings,
		Setting{"rtbeat.auth.bearer.tokens", entries(len(c.Auth.Bearer.Tokens))},
		Setting{"rtbeat.auth.basic.username", presence(c.Auth.Basic.Username)},
		Setting{"rtbeat.auth.basic.password", presence(c.Auth.Basic.Password)},
		Setting{"rtbeat.auth.hmac.keys", entries(len(c.Auth.HMAC.Keys))},
		Setting{"rtbeat.auth.hmac.header", presence(c.Auth.HMAC.Header)},
		Setting{"rtbeat.auth.hmac.prefix", presence(c.Auth.HMAC.Prefix)},
		Setting{"rtbeat.auth.hmac.timestamp_header", presence(c.Auth.HMAC.TimestampHeader)},
		Setting{"rtbeat.auth.hmac.window", short(c.Auth.HMAC.Window)},
		Setting{"rtbeat.auth.certificate.names", entries(len(c.Auth.Certificate.Names))},
		Setting{"rtbeat.timeout", short(c.Timeout)},
		Setting{"rtbeat.shutdown_timeout", short(c.ShutdownTimeout)},
		Setting{"rtbeat.shutdown_delay", short(c.ShutdownDelay)},
		Setting{"rtbeat.max_body_bytes", bytesOf(c.MaxBody)},
		Setting{"rtbeat.max_in_flight_bytes", bytesOf(c.MaxInFlight)},
		Setting{"rtbeat.max_messages", fmt.Sprint(c.MaxMessages)},
		Setting{"rtbeat.max_depth", fmt.Sprint(c.MaxDepth)},
		Setting{"rtbeat.max_key_bytes", bytesOf(c.MaxKey)},
		Setting{"rtbeat.max_header_bytes", bytesOf(c.MaxHeader)},
		Setting{"rtbeat.max_connections", fmt.Sprint(c.MaxConnections)},
		Setting{"rtbeat.read_timeout", short(c.ReadTimeout)},
		Setting{"rtbeat.idle_timeout", short(c.IdleTimeout)},
		Setting{"rtbeat.stall_after", short(c.StallAfter)},
		Setting{"rtbeat.dedupe.enabled", fmt.Sprint(c.Dedupe.Enabled)},
		Setting{"rtbeat.dedupe.window", short(c.Dedupe.Window)},
		Setting{"rtbeat.dedupe.max_entries", fmt.Sprint(c.Dedupe.MaxEntries)},
		Setting{"rtbeat.durable.enabled", fmt.Sprint(c.Durable.Enabled)},
		text("rtbeat.durable.path", c.Durable.Path, oneOf(rtbeat.Default().Durable.Path)),
		Setting{"rtbeat.durable.max_bytes", bytesOf(c.Durable.MaxBytes)},
		Setting{"rtbeat.allow_unconfirmed_output", fmt.Sprint(c.AllowUnconfirmedOutput)},
		text("rtbeat.document_id", string(c.DocumentID), oneOf("content", "uuid", "none")),
		text("rtbeat.trusted_proxies", anyOf(c.TrustedProxies), networks),
		Setting{"rtbeat.proxy_protocol", fmt.Sprint(c.ProxyProtocol)},
		Setting{"rtbeat.include_headers", entries(len(c.IncludeHeaders))},
		text("rtbeat.admin.host", c.Admin.Host, hosts),
		Setting{"rtbeat.admin.port", fmt.Sprint(c.Admin.Port)},
	)
}

func ofSSL(c *tlscommon.ServerConfig) []Setting {
	if !c.IsEnabled() {
		return []Setting{{"rtbeat.ssl", "off: plain HTTP"}}
	}
	asked := "none"
	if c.ClientAuth != nil {
		asked = c.ClientAuth.String()
	}
	return []Setting{
		{"rtbeat.ssl", "on"},
		{"rtbeat.ssl.certificate", presence(c.Certificate.Certificate)},
		{"rtbeat.ssl.key", presence(c.Certificate.Key)},
		{"rtbeat.ssl.key_passphrase", presence(c.Certificate.Passphrase + c.Certificate.PassphrasePath)},
		{"rtbeat.ssl.certificate_authorities", entries(len(c.CAs))},
		{"rtbeat.ssl.client_authentication", asked},
		{"rtbeat.ssl.verification_mode", c.VerificationMode.String()},
	}
}

func presence(text string) string {
	if text == "" {
		return notSet
	}
	return set
}

func anyOf(list []string) []any {
	values := make([]any, len(list))
	for i, entry := range list {
		values[i] = entry
	}
	return values
}

// short is a duration without the zeros that Go puts behind it: 5m, not 5m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func bytesOf(n setting.ByteSize) string { return humanize.IBytes(uint64(max(n, 0))) }
