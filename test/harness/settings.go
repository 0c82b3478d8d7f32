package harness

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Settings is the part of rtbeat.yml that a story is about; everything left out is the program's own default.
type Settings struct {
	// Rtbeat is what stands under `rtbeat:`; host and port default to 127.0.0.1 and a free port.
	Rtbeat map[string]any
	// Sink is the address of the lumberjack server.
	Sink string
	// Output is what else stands under `output.logstash:`, or all that stands under the output named Kind.
	Output map[string]any
	// Kind is the name of the output; empty means logstash.
	Kind string
	// Setup is what stands under `setup:`.
	Setup map[string]any
	// Queue is what stands under `queue.mem:`.
	Queue map[string]any
	// Processors is the list under `processors:`.
	Processors []any
	// Stdout is where the program writes its output to, if anywhere.
	Stdout io.Writer
	// Env is what is added to the environment, as NAME=value.
	Env []string
	// Sockets are passed on as systemd does, under their names.
	Sockets []Socket
	// Home is the directory for path.home, data and logs; empty means a new one. A restart passes the old one.
	Home string
	// Args are what is added to the command line.
	Args []string
	// Started is told of the process, which does not listen yet.
	Started func(*os.Process)
}

// Socket is a listening socket of the test, that a process inherits.
type Socket struct {
	Name string
	File *os.File
}

// WriteConfig writes the settings as a file and returns its path. JSON is YAML, and needs no library here.
func (s Settings) WriteConfig(t testing.TB, home string) string {
	t.Helper()
	rtbeat := map[string]any{"host": "127.0.0.1", "port": 0}
	maps.Copy(rtbeat, s.Rtbeat)
	kind, output := s.Kind, map[string]any{}
	if kind == "" {
		kind, output["hosts"] = "logstash", []string{s.Sink}
	}
	maps.Copy(output, s.Output)
	doc := map[string]any{
		"rtbeat":         rtbeat,
		"output." + kind: output,
		// The periodic report would only make the log of a failed test longer.
		"logging.metrics.enabled": false,
	}
	if s.Setup != nil {
		doc["setup"] = s.Setup
	}
	if s.Queue != nil {
		doc["queue.mem"] = s.Queue
	}
	if s.Processors != nil {
		doc["processors"] = s.Processors
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	require.NoError(t, err)
	path := filepath.Join(home, "rtbeat-under-test.yml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

// pathArgs keeps everything a process writes inside home.
func pathArgs(home string) []string {
	return []string{
		"--path.home", home,
		"--path.data", filepath.Join(home, "data"),
		"--path.logs", filepath.Join(home, "logs"),
		"--strict.perms=false",
	}
}
