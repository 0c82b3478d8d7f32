package intake

import (
	"net"
	"net/http"
)

// clientIP is the address of the peer, without its port.
func clientIP(req *http.Request) string {
	host, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		return req.RemoteAddr
	}
	return host
}
