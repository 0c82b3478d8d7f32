package status

import (
	"bytes"
	"embed"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// policy lets the page run its own script, use its own style, and connect to its own server, and nothing else. No other page may
// frame it. Text cannot become markup, not even by a mistake in the script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Paths are the paths that ServeHTTP serves.
var Paths = []string{"/", "/status.json", "/status.css", "/status.js", "/status.svg"}

// contentTypes are the content types of the assets.
var contentTypes = map[string]string{
	"/status.css": "text/css; charset=utf-8", "/status.js": "text/javascript; charset=utf-8", "/status.svg": "image/svg+xml",
}

// ServeHTTP serves GET and HEAD for Paths. The router has checked path and method. It may be called from any goroutine.
func (s *Status) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if contentType, ok := contentTypes[req.URL.Path]; ok {
		content, _ := assets.ReadFile("assets" + req.URL.Path) // it is embedded
		write(w, contentType, content)
		return
	}
	report := s.recorder.report()
	if !s.isOwnName(req.Host) {
		report.Configuration = nil
	}
	var buf bytes.Buffer
	contentType := "application/json"
	var err error
	if req.URL.Path == "/status.json" {
		err = json.NewEncoder(&buf).Encode(report)
	} else {
		contentType = "text/html; charset=utf-8"
		err = s.template.Execute(&buf, report)
	}
	if err != nil { // numbers and fixed texts can be written
		http.Error(w, "the status cannot be shown", http.StatusInternalServerError)
		return
	}
	write(w, contentType, buf.Bytes())
}

func write(w http.ResponseWriter, contentType string, content []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	_, _ = w.Write(content) //nolint:gosec // the page of html/template, JSON, or an embedded file
}

// isOwnName tells whether a request names an address, or a name that nobody on the Internet can own. Another page may let its own
// name resolve to this listener, and then read the answers (DNS rebinding). So a foreign name gets no configuration. /metrics has
// the rest too.
func (s *Status) isOwnName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return name != "" &&
		(slices.Contains(s.names, name) || !strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost") || strings.HasSuffix(name, ".internal"))
}

// Ago returns the time between at and the report, for the page without its script.
func (r *Report) Ago(at time.Time) string { return about(max(r.Now.Sub(at), 0)) }
