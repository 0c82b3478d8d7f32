// Package status is the page for whoever is called at night: is it delivering; if not, since when; on whose side is the
// cause; what to do. It reads the metrics, keeps 15 minutes of them, judges them, and serves the page and the same as
// JSON. docs/status.md describes both.
//
// Nothing that a sender sends can show: the page has fixed words, numbers, and labels of metrics, which are fixed words
// too and are checked again here. Of the configuration it has what package effective lets through.
package status

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/txn2/rtbeat/internal/effective"
)

// Settings are what is known at the start.
type Settings struct {
	Timeout       time.Duration // rtbeat.timeout
	Output        string        // the name of the output
	Host          string        // rtbeat.admin.host: a name by which the page may be asked for
	Configuration []effective.Setting
}

// Status is the page and what it shows.
type Status struct {
	recorder *recorder
	handler  http.Handler
}

// New makes the page of what a registry gathers. It takes no samples before Run.
func New(gatherer prometheus.Gatherer, settings Settings) *Status {
	r := newRecorder(gatherer, settings)
	return &Status{recorder: r, handler: newPage(r, settings.Host)}
}

// Run takes samples until ctx ends. Run it once.
func (s *Status) Run(ctx context.Context) { s.recorder.run(ctx) }

// ServeHTTP serves GET and HEAD for the page and what belongs to it; see Paths. It may be called from any goroutine.
func (s *Status) ServeHTTP(w http.ResponseWriter, req *http.Request) { s.handler.ServeHTTP(w, req) }
