package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"unicode"

	"github.com/elastic/elastic-agent-libs/transport/tlscommon"
)

// unixScheme begins a Host that is the path of a Unix socket.
const unixScheme = "unix://"

// maxSocketPath is how long the path of a Unix socket may be: sun_path of Linux has room for it and a zero.
const maxSocketPath = 107

// Address is where rtbeat listens: Host and Port as net.Listen takes them, or the URL of a Unix socket.
func (c Config) Address() string {
	if _, isSocket := socketOf(c.Host); isSocket {
		return c.Host
	}
	return address(c.Host, c.Port)
}

// Address is where the listener of /metrics, /livez and /readyz is: Host and Port as net.Listen takes them.
func (a Admin) Address() string { return address(a.Host, a.Port) }

func address(host string, port int) string { return net.JoinHostPort(bare(host), strconv.Itoa(port)) }

// socketOf returns the path of the Unix socket that host is.
func socketOf(host string) (file string, isSocket bool) { return strings.CutPrefix(host, unixScheme) }

// bare returns host without the brackets of an IPv6 address.
func bare(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok && strings.Contains(inner, ":") {
			return inner
		}
	}
	return host
}

// checkListeners applies the rules for where rtbeat listens.
func (c *Config) checkListeners() error {
	socket, isSocket := socketOf(c.Host)
	if isSocket {
		if err := c.checkSocket(socket); err != nil {
			return err
		}
	} else if err := checkHost("host", c.Host); err != nil {
		return err
	}
	if c.Port < 0 || c.Port > 65535 {
		return fmt.Errorf("rtbeat.port is %d; it must be between 1 and 65535, or 0 for any free port", c.Port)
	}
	if c.Admin.Port < 0 || c.Admin.Port > 65535 {
		return fmt.Errorf("rtbeat.admin.port is %d; it must be between 1 and 65535, or 0 for none", c.Admin.Port)
	}
	if c.Admin.Port == 0 {
		if c.Admin.Host != "" {
			return errors.New("rtbeat.admin.host is set without rtbeat.admin.port; give a port, or leave both out")
		}
		return nil
	}
	if _, isSocket := socketOf(c.Admin.Host); isSocket {
		return errors.New("rtbeat.admin.host is a Unix socket; it must be a name or an IP address, such as 127.0.0.1")
	}
	if err := checkHost("admin.host", c.Admin.Host); err != nil {
		return err
	}
	if !isSocket && c.Admin.Port == c.Port && overlap(c.Host, c.Admin.Host) {
		return fmt.Errorf("rtbeat.admin.port is %d, on which rtbeat.port listens already; give it another port, or leave it out to have /metrics, /livez and /readyz on rtbeat.port", c.Admin.Port)
	}
	return nil
}

func (c *Config) checkSocket(socket string) error {
	switch {
	case !path.IsAbs(socket) || strings.HasSuffix(socket, "/"):
		return fmt.Errorf("rtbeat.host is %q; a Unix socket needs the whole path of its file, such as unix:///run/rtbeat/in.sock", c.Host)
	case len(socket) > maxSocketPath:
		return fmt.Errorf("rtbeat.host has a path of %d bytes; that of a Unix socket may have %d at most", len(socket), maxSocketPath)
	case c.SocketMode&0o200 == 0:
		return fmt.Errorf("rtbeat.socket_mode is %#o, with which not even the owner may connect; it needs 0200, as in 0660", uint32(c.SocketMode))
	default:
		return nil
	}
}

// checkHost refuses what can be neither a name nor an IP address. Whether it is one of this machine's, listening tells.
func checkHost(key, host string) error {
	if !strings.ContainsAny(host, ":/[]") && !strings.ContainsFunc(host, unicode.IsSpace) {
		return nil
	}
	if _, err := netip.ParseAddr(bare(host)); err == nil {
		return nil
	}
	if key == "host" {
		return fmt.Errorf("rtbeat.host is %q; it must be a name or an IP address, with the port in rtbeat.port, or unix:// and the whole path of a Unix socket", host)
	}
	return fmt.Errorf("rtbeat.%s is %q; it must be a name or an IP address, with the port in rtbeat.%s", key, host, strings.Replace(key, "host", "port", 1))
}

// overlap tells whether two hosts have an address in common, as far as that can be seen without a resolver.
func overlap(a, b string) bool {
	return strings.EqualFold(bare(a), bare(b)) || isEverywhere(a) || isEverywhere(b)
}

// isEverywhere tells whether host is every address of the machine.
func isEverywhere(host string) bool {
	if host == "" {
		return true
	}
	addr, err := netip.ParseAddr(bare(host))
	return err == nil && addr.Unmap().IsUnspecified()
}

// isLocal tells whether only this machine reaches host. A name may be anything, but for localhost.
func isLocal(host string) bool {
	if _, isSocket := socketOf(host); isSocket || strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(bare(host))
	return err == nil && addr.IsLoopback()
}

// asksForCertificates tells whether senders are asked for client certificates, which are then verified.
func (c *Config) asksForCertificates() bool {
	return c.SSL.IsEnabled() && c.SSL.ClientAuth != nil && *c.SSL.ClientAuth != tlscommon.TLSClientAuthNone
}

// requiresCertificates tells whether nobody gets in without a client certificate.
func (c *Config) requiresCertificates() bool {
	return c.asksForCertificates() && *c.SSL.ClientAuth == tlscommon.TLSClientAuthRequired
}

// checkSSL applies the rules that go beyond those of tlscommon.
func (c *Config) checkSSL() error {
	if !c.SSL.IsEnabled() {
		return nil
	}
	for _, version := range c.SSL.Versions {
		if version < tlscommon.TLSVersion12 {
			return fmt.Errorf("rtbeat.ssl.supported_protocols has %s, which is broken; leave it out, so that there are TLSv1.2 and TLSv1.3", version)
		}
	}
	if len(c.SSL.CASha256) > 0 && c.SSL.VerificationMode == tlscommon.VerifyNone {
		return errors.New("rtbeat.ssl.ca_sha256 has no effect with rtbeat.ssl.verification_mode: none; leave one of them out")
	}
	return nil
}

// exposure returns what there is to say about who reaches rtbeat and what they see.
func (c *Config) exposure() (warnings []string) {
	if isLocal(c.Host) {
		return nil
	}
	where := c.Host
	if isEverywhere(where) {
		where = "every address of this machine"
	}
	if !c.requiresCertificates() && !c.Auth.isSet() {
		without := "with neither rtbeat.ssl nor rtbeat.auth"
		if c.SSL.IsEnabled() {
			without = "with rtbeat.ssl, but without rtbeat.auth"
		}
		warnings = append(warnings, fmt.Sprintf("rtbeat listens on %s %s: anybody who reaches it can send events; set rtbeat.auth, or set rtbeat.host to 127.0.0.1", where, without))
	}
	if sent := c.Auth.sentSecrets(); sent != "" && !c.SSL.IsEnabled() {
		warnings = append(warnings, fmt.Sprintf("rtbeat listens on %s with %s, but without rtbeat.ssl: credentials travel in clear text; set rtbeat.ssl, unless a proxy in front ends TLS", where, sent))
	}
	return warnings
}
