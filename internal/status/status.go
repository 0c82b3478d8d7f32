// Package status serves a page for an operator at night: does rtbeat deliver; if not, since when; which side causes it; what to do.
// It takes a snapshot of rtbeat's numbers every 5 seconds, keeps 15 minutes of them, and serves the verdict and the numbers as a page
// and as JSON. docs/status.md describes both.
//
// The page has fixed texts and numbers. No text of a sender can appear on it.
package status

import (
	"context"
	"html/template"
	"os"
	"strings"
	"time"

	"github.com/txn2/rtbeat/config"
)

// Settings do not change while the process lives.
type Settings struct {
	Snapshot      func() Numbers   // called from one goroutine at a time
	Version       string           // of rtbeat
	Commit        string           // of rtbeat
	Libbeat       string           // its version
	Ack           string           // the meaning of a 200, as rtbeat_ack_mode has it
	Unconfirmed   bool             // the output does not say which events it gave up
	Timeout       time.Duration    // rtbeat.timeout
	Output        string           // the name of the output
	Host          string           // rtbeat.admin.host, a name of the page
	Configuration []config.Setting // without secrets
}

// Status is the page.
type Status struct {
	recorder *recorder
	template *template.Template
	names    []string // names under which the page shows the configuration
}

// New returns a page that takes no samples before Run.
func New(settings Settings) *Status {
	s := &Status{
		recorder: newRecorder(settings), template: template.Must(template.ParseFS(assets, "assets/page.html")),
		names: []string{"localhost", strings.ToLower(settings.Host)},
	}
	if name, err := os.Hostname(); err == nil {
		s.names = append(s.names, strings.ToLower(name))
	}
	return s
}

// Run takes samples until ctx ends. Run it once.
func (s *Status) Run(ctx context.Context) { s.recorder.run(ctx) }
