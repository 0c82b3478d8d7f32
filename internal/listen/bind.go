// Package listen owns the sockets: binding them, the bound on their connections, the PROXY protocol, and certificates.
//
// Each layer is a net.Listener around the layer before:
//
//	Bind           a TCP port or a Unix socket
//	Bound.Listener counts, and displaces a connection when the limit is reached
//	Proxied        takes the client's address from the PROXY header of a trusted load balancer
//	Certificates   is the tls.Config of the http.Server, which adds the outermost layer itself
//
// It knows one fact of requests: whether a connection carries a request that has arrived in whole.
package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"syscall"
)

// Bind listens for senders, on settings that Check accepts.
//
// Nobody can connect to a Unix socket before it has its mode. Bind replaces a socket at the path that nobody listens on. Any
// other file there is an error, and stays. Close removes the file, unless another process has replaced it. Two processes that
// start on the same path at the same time may both replace it; then the later one has it.
//
// Errors name the setting. Bind may be called from any goroutine. It waits for the resolver when Host is a name, and up to a
// second for a socket at the path.
func (s *Settings) Bind() (net.Listener, error) {
	file, isSocket := s.Socket()
	if !isSocket {
		return bindTCP("rtbeat", s.Host, s.Port)
	}
	l, err := bindUnix(file, fs.FileMode(s.SocketMode))
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (rtbeat.host): %w", s.Host, err)
	}
	return l, nil
}

// Bind listens for probes and scrapers.
func (a *Admin) Bind() (net.Listener, error) { return bindTCP("rtbeat.admin", a.Host, a.Port) }

// bindTCP listens on a host and port. section is where the two settings are.
func bindTCP(section, host string, port int) (net.Listener, error) {
	address := net.JoinHostPort(bare(host), strconv.Itoa(port))
	var listen net.ListenConfig
	l, err := listen.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (%s.host and %[2]s.port): %w%s", address, section, err, advice(section, err))
	}
	return l, nil
}

// advice says how to mend the error of a TCP port.
func advice(section string, err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return ": stop what listens there, or choose another " + section + ".port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return ": " + section + ".host must be an address of this machine, or empty for all"
	case errors.Is(err, syscall.EACCES):
		return ": ports below 1024 need CAP_NET_BIND_SERVICE, or choose a higher " + section + ".port"
	default:
		return ""
	}
}
