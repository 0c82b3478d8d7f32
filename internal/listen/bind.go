// Package listen owns the sockets: binding them, the bound on their connections, the PROXY protocol, and certificates.
//
// A connection passes through it from the inside out, and each layer is a net.Listener around the one before:
//
//	Bind           a TCP port or a Unix socket
//	Bound.Listener counts, and makes room for a newcomer when all places are taken
//	Proxied        takes the client's address from the PROXY header of a trusted load balancer
//	Certificates   is the tls.Config of the http.Server, which adds the outermost layer itself
//
// It knows nothing of requests but one thing: whether one that has been received completely waits on a connection.
package listen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// unixScheme starts a Host that is the path of a Unix socket.
const unixScheme = "unix://"

// Settings are where to listen.
type Settings struct {
	// Host is a name, an IPv4 address, an IPv6 address with or without brackets, empty for every address of the
	// machine, or unix:///absolute/path for a Unix socket.
	Host string
	// Port is the TCP port, 0 to 65535. 0 takes any free one; the listener's Addr tells which. A Unix socket has none.
	Port int
	// SocketMode is who may connect to the Unix socket: permission bits only, with those that its owner needs. Writing
	// is what a client needs. It says nothing of TCP.
	SocketMode os.FileMode
	// Section is where these settings stand in the configuration, as errors name it; "rtbeat" when empty.
	Section string
}

// key is the full name of one of the settings.
func (s Settings) key(name string) string { return cmp.Or(s.Section, "rtbeat") + "." + name }

// Bind returns a listener for s.
//
// A Unix socket appears with its mode: nobody can connect before that is set. A file left by a process that ended
// without removing it is replaced, if it is a socket that nobody listens on; everything else that is in the way is an
// error and stays. Close removes the file, unless another process has put its own there. Two processes that start
// on the same path in the same instant may both find it left over; then the later one has it.
//
// The errors name the setting. Bind may be called from any goroutine. It waits for
// the resolver when Host is a name, and up to a second for a socket that is in the way.
func Bind(s Settings) (net.Listener, error) {
	if path, ok := strings.CutPrefix(s.Host, unixScheme); ok {
		l, err := bindUnix(path, s.SocketMode)
		if err != nil {
			return nil, fmt.Errorf("cannot listen on %s (%s): %w", s.Host, s.key("host"), err)
		}
		return l, nil
	}
	address, err := s.tcp()
	if err != nil {
		return nil, err
	}
	var listen net.ListenConfig
	l, err := listen.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (%s and %s): %w%s", address, s.key("host"), s.key("port"), err, s.advice(err))
	}
	return l, nil
}

// tcp returns the address to give to the net package.
func (s Settings) tcp() (string, error) {
	if s.Port < 0 || s.Port > 65535 {
		return "", fmt.Errorf("%s is %d: it must be 0 to 65535", s.key("port"), s.Port)
	}
	host := s.Host
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if address, err := netip.ParseAddr(inner); !ok || err != nil || !address.Is6() {
			return "", fmt.Errorf("%s is %q: only an IPv6 address may stand in brackets, with %s for the port", s.key("host"), host, s.key("port"))
		}
		host = inner
	}
	if strings.ContainsAny(host, ":/") {
		if _, err := netip.ParseAddr(host); err != nil {
			return "", fmt.Errorf("%s is %q: give a name or an address alone, with %s for the port, or %s and an absolute path", s.key("host"), host, s.key("port"), unixScheme)
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(s.Port)), nil
}

// advice is what to do about a TCP port that could not be had.
func (s Settings) advice(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return ": stop what listens there, or choose another " + s.key("port")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return ": " + s.key("host") + " must be an address of this machine, or empty for all"
	case errors.Is(err, syscall.EACCES):
		return ": ports below 1024 need CAP_NET_BIND_SERVICE, or choose a higher " + s.key("port")
	default:
		return ""
	}
}
