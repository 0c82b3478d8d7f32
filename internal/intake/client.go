package intake

import (
	"net"
	"net/http"
	"strings"
)

// clientIP is the address that a request comes from, as far as the proxies on its way are trusted; empty when it came over
// a Unix socket and nobody says.
func (h *handler) clientIP(req *http.Request) string {
	return h.trusted.Of(req.RemoteAddr, overUnix(req), req.Header)
}

func overUnix(req *http.Request) bool {
	local, ok := req.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && local.Network() == "unix"
}

// headers copies the headers that go into the events; nil when there are none of them.
func (h *handler) headers(req *http.Request) map[string]string {
	var copied map[string]string
	for _, name := range h.includeHeaders {
		values := req.Header.Values(name)
		if name == "host" { // net/http takes it out of the headers
			values = []string{req.Host}
		}
		if len(values) == 0 {
			continue
		}
		if copied == nil {
			copied = make(map[string]string, len(h.includeHeaders))
		}
		copied[name] = strings.ToValidUTF8(strings.Join(values, ", "), "\uFFFD") // RFC 9110, 5.3
	}
	return copied
}
