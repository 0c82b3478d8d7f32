package harness

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Settings has the settings of one process. The program's defaults apply to the others.
type Settings struct {
	// Rtbeat is the section `rtbeat:`. host and port default to 127.0.0.1 and a free port.
	Rtbeat map[string]any
	// Sink is the address of the lumberjack server.
	Sink string
	// Output is the rest of the section `output.logstash:`, or the whole section of the output named Kind.
	Output map[string]any
	// Kind is the name of the output. Empty means logstash.
	Kind string
	// Setup is the section `setup:`.
	Setup map[string]any
	// Queue is the section `queue.mem:`.
	Queue map[string]any
	// Processors is the list `processors:`.
	Processors []any
	// Stdout receives the program's standard output. It is dropped by default.
	Stdout io.Writer
	// Env is added to the environment, as NAME=value.
	Env []string
	// Sockets are passed on under their names, as systemd does.
	Sockets []Socket
	// Under is a command that runs the program, with its arguments, such as taskset.
	Under []string
	// Home is the directory for path.home, data and logs. Empty means a new one. A restart passes the old one.
	Home string
	// Args are added to the command line.
	Args []string
	// Started is called with the process, which does not listen yet.
	Started func(*os.Process)
}

// Socket is a listening socket of the test that a process inherits.
type Socket struct {
	Name string
	File *os.File
}

// inherit passes the sockets on.
func (s Settings) inherit(cmd *exec.Cmd) {
	names := make([]string, len(s.Sockets))
	for i, socket := range s.Sockets {
		names[i] = socket.Name
		cmd.ExtraFiles = append(cmd.ExtraFiles, socket.File)
	}
	if len(names) > 0 {
		cmd.Env = append(cmd.Environ(), "LISTEN_FDS="+strconv.Itoa(len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	}
}

// WriteConfig writes the settings as a file and returns its path. JSON is YAML.
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
		// The periodic report makes the log of a failed test longer.
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

// pathArgs keeps all files of a process in home.
func pathArgs(home string) []string {
	return []string{
		"--path.home", home,
		"--path.data", filepath.Join(home, "data"),
		"--path.logs", filepath.Join(home, "logs"),
		"--strict.perms=false",
	}
}
