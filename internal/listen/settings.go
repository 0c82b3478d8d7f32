package listen

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	"github.com/txn2/rtbeat/internal/setting"
)

// Settings are where senders connect.
type Settings struct {
	// Host is the address to listen on: a name or an IP address. Empty is every address of the machine, and so are `::` and
	// `0.0.0.0`, of IPv6 too where the machine has it. `unix://` and an absolute path, such as `unix:///run/rtbeat/in.sock`,
	// is a [Unix socket](#unix-socket), which has no port.
	Host string `config:"host" show:"text"`

	// Port is the TCP port to listen on. `0` takes any free port; the log line `listening on` has its number.
	Port int `config:"port"`

	// SocketMode is the mode of the [Unix socket](#unix-socket)'s file, in octal. Who may write to the file may connect.
	SocketMode setting.FileMode `config:"socket_mode"`

	// SSL is [TLS](#tls) as in every Beat. nil is plain HTTP, and so is enabled: false.
	SSL *tlscommon.ServerConfig `config:"ssl"`

	// MaxConnections limits the open connections of senders, between 1 and 1048576. A further connection displaces the
	// connection that has waited longest without a complete request. rtbeat never closes a connection whose request has arrived
	// in whole. The default is [lower with little memory](operations.md#memory).
	MaxConnections int `config:"max_connections"`

	// MaxConnectionAge is how long a connection is kept, at random a tenth more or less. After that time its next 200 [ends the
	// connection](http-api.md#kept-connections), so that [kept connections spread](scaling.md#kept-connections) over all instances
	// again. No request fails by it, and an idle connection stays open until `idle_timeout`. `0` is no limit.
	MaxConnectionAge time.Duration `config:"max_connection_age"`
}

// Admin is where probes and scrapers connect, in plain HTTP without authentication.
type Admin struct {
	// Host is the address of the [admin listener](#admin-listener): a name or an IP address. Empty is every address of the
	// machine.
	Host string `config:"host" show:"text"`

	// Port is the TCP port of the admin listener. `0` is none: `/metrics`, `/livez` and `/readyz` are then beside `/in`, and
	// there is no [status page](status.md).
	Port int `config:"port"`
}

// DefaultSettings are the settings where the file says nothing.
func DefaultSettings() Settings {
	return Settings{Port: 8081, SocketMode: 0o660, MaxConnections: 1024}
}

// unixScheme begins a Host that is the path of a Unix socket.
const unixScheme = "unix://"

// Socket returns the path of the Unix socket, if Host is one.
func (s *Settings) Socket() (file string, isSocket bool) {
	return strings.CutPrefix(s.Host, unixScheme)
}

const (
	maxPort        = 65535
	maxConnections = 1 << 20
	ownerMayWrite  = 0o200
)

// Check applies the rules of the settings.
func (s *Settings) Check() error {
	if file, isSocket := s.Socket(); isSocket {
		if err := s.checkSocket(file); err != nil {
			return err
		}
	} else if !isHost(s.Host) {
		return fmt.Errorf("rtbeat.host is %q; it must be a name or an IP address, with the port in rtbeat.port, or unix:// and the whole path of a Unix socket", s.Host)
	}
	if s.Port < 0 || s.Port > maxPort {
		return fmt.Errorf("rtbeat.port is %d; it must be between 1 and %d, or 0 for any free port", s.Port, maxPort)
	}
	return cmp.Or(
		s.checkSSL(),
		setting.CheckNumber("rtbeat.max_connections", s.MaxConnections, 1, maxConnections),
		setting.CheckDuration("rtbeat.max_connection_age", s.MaxConnectionAge, 0),
	)
}

func (s *Settings) checkSocket(file string) error {
	switch {
	case !path.IsAbs(file) || strings.HasSuffix(file, "/"):
		return fmt.Errorf("rtbeat.host is %q; a Unix socket needs the whole path of its file, such as unix:///run/rtbeat/in.sock", s.Host)
	case len(file) > maxPath:
		return fmt.Errorf("rtbeat.host has a path of %d bytes; the path of a Unix socket may have %d at most", len(file), maxPath)
	case s.SocketMode&ownerMayWrite == 0:
		return fmt.Errorf("rtbeat.socket_mode is %#o, with which not even the owner may connect; it needs 0200, as in 0660", uint32(s.SocketMode))
	default:
		return nil
	}
}

// checkSSL applies rules that tlscommon does not have.
func (s *Settings) checkSSL() error {
	if !s.SSL.IsEnabled() {
		return nil
	}
	for _, version := range s.SSL.Versions {
		if version < tlscommon.TLSVersion12 {
			return fmt.Errorf("rtbeat.ssl.supported_protocols has %s, which is insecure (RFC 8996); remove it, and use TLSv1.2 and TLSv1.3", version)
		}
	}
	if len(s.SSL.CASha256) > 0 && s.SSL.VerificationMode == tlscommon.VerifyNone {
		return errors.New("rtbeat.ssl.ca_sha256 has no effect with rtbeat.ssl.verification_mode: none; leave one of them out")
	}
	if s.AsksForCertificates() && len(s.SSL.CAs) == 0 { // crypto/tls would trust every authority of the system
		return errors.New("rtbeat.ssl.client_authentication asks for certificates; name their authorities in rtbeat.ssl.certificate_authorities")
	}
	return nil
}

// AsksForCertificates tells whether senders are asked for client certificates, which are then verified.
func (s *Settings) AsksForCertificates() bool {
	return s.SSL.IsEnabled() && s.SSL.ClientAuth != nil && *s.SSL.ClientAuth != tlscommon.TLSClientAuthNone
}

// RequiresCertificates tells whether each sender needs a client certificate.
func (s *Settings) RequiresCertificates() bool {
	return s.AsksForCertificates() && *s.SSL.ClientAuth == tlscommon.TLSClientAuthRequired
}

// Check applies the rules of the admin listener. senders is the listener of senders.
func (a *Admin) Check(senders *Settings) error {
	if a.Port < 0 || a.Port > maxPort {
		return fmt.Errorf("rtbeat.admin.port is %d; it must be between 1 and %d, or 0 for none", a.Port, maxPort)
	}
	_, isSocket := senders.Socket()
	switch {
	case a.Port == 0 && a.Host == "":
		return nil
	case a.Port == 0:
		return errors.New("rtbeat.admin.host is set without rtbeat.admin.port; give a port, or leave both out")
	case strings.HasPrefix(a.Host, unixScheme):
		return errors.New("rtbeat.admin.host is a Unix socket; it must be a name or an IP address, such as 127.0.0.1")
	case !isHost(a.Host):
		return fmt.Errorf("rtbeat.admin.host is %q; it must be a name or an IP address, with the port in rtbeat.admin.port", a.Host)
	case !isSocket && a.Port == senders.Port && overlap(senders.Host, a.Host):
		return fmt.Errorf("rtbeat.admin.port is %d, on which rtbeat.port listens already; give it another port, or leave it out to have /metrics, /livez and /readyz on rtbeat.port", a.Port)
	default:
		return nil
	}
}

// isHost tells whether host can be a name or an IP address.
func isHost(host string) bool {
	if !strings.ContainsAny(host, ":/[]") && !strings.ContainsFunc(host, unicode.IsSpace) {
		return true
	}
	_, err := netip.ParseAddr(bare(host))
	return err == nil
}

// bare returns host without the brackets of an IPv6 address.
func bare(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok && strings.Contains(inner, ":") {
			return inner
		}
	}
	return host
}

// overlap tells whether two hosts have an address in common. Names are compared as text, not resolved.
func overlap(a, b string) bool {
	return strings.EqualFold(bare(a), bare(b)) || isEverywhere(a) || isEverywhere(b)
}

// IsEverywhere tells whether rtbeat listens on every address of the machine.
func (s *Settings) IsEverywhere() bool { return isEverywhere(s.Host) }

func isEverywhere(host string) bool {
	if host == "" {
		return true
	}
	addr, err := netip.ParseAddr(bare(host))
	return err == nil && addr.Unmap().IsUnspecified()
}

// IsLocal tells whether only this machine reaches the listener. localhost is the only name that counts as local.
func (s *Settings) IsLocal() bool {
	if _, isSocket := s.Socket(); isSocket || strings.EqualFold(s.Host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(bare(s.Host))
	return err == nil && addr.IsLoopback()
}
