package status

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// The page may run its own script and use its own style, and speak to its own server: nothing else, from nowhere else,
// and within no other page. Text cannot become markup, not even by a mistake in the script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// page serves the page, its assets and the JSON.
type page struct {
	recorder *recorder
	template *template.Template
	names    []string // by which the configuration is told
	files    map[string]file
}

type file struct {
	contentType string
	content     []byte
}

// Paths are those that ServeHTTP serves.
var Paths = []string{"/", "/status.json", "/status.css", "/status.js", "/status.svg"}

func newPage(r *recorder, host string) *page {
	p := &page{
		recorder: r,
		template: template.Must(template.ParseFS(assets, "assets/page.html")),
		names:    []string{"localhost", strings.ToLower(host)},
		files: map[string]file{
			"/status.css": {contentType: "text/css; charset=utf-8"},
			"/status.js":  {contentType: "text/javascript; charset=utf-8"},
			"/status.svg": {contentType: "image/svg+xml"},
		},
	}
	if name, err := os.Hostname(); err == nil {
		p.names = append(p.names, strings.ToLower(name))
	}
	for path, f := range p.files {
		f.content, _ = assets.ReadFile("assets" + path) // it is embedded
		p.files[path] = f
	}
	return p
}

// ServeHTTP serves what stands in Paths. The router has seen to path and method.
func (p *page) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if f, ok := p.files[req.URL.Path]; ok {
		write(w, f.contentType, f.content)
		return
	}
	report := p.recorder.report()
	if !p.isOwnName(req.Host) {
		report.Configuration = nil
	}
	var buf bytes.Buffer
	contentType := "application/json"
	var err error
	if req.URL.Path == "/status.json" {
		err = json.NewEncoder(&buf).Encode(report)
	} else {
		contentType = "text/html; charset=utf-8"
		err = p.template.Execute(&buf, report)
	}
	if err != nil { // numbers and words have a form
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
	_, _ = w.Write(content)
}

// isOwnName tells whether a request asks for an address, or for a name that nobody on the Internet can own. A page
// elsewhere may let its own name lead here, and would then read what is served (DNS rebinding): under such a name there
// is no configuration. The rest is what /metrics tells too.
func (p *page) isOwnName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	if name == "" {
		return false
	}
	return slices.Contains(p.names, name) || !strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost") || strings.HasSuffix(name, ".internal")
}

// Ago is for the page before its script runs: how long before now something was.
func (r *Report) Ago(at time.Time) string { return about(max(r.Now.Sub(at), 0)) }
