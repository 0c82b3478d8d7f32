//go:build e2e

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// succeed runs a subcommand that must succeed.
func succeed(t testing.TB, home, stdin string, args ...string) harness.Result {
	t.Helper()
	r := harness.Command(t, home, stdin, args...)
	require.Zero(t, r.Code, "%v: stdout:\n%s\nstderr:\n%s", args, r.Stdout, r.Stderr)
	return r
}

func TestSubcommands(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	home := t.TempDir()
	config := harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"timeout": "7s"}}.WriteConfig(t, home)

	require.Contains(t, succeed(t, home, "", "version").Stdout, "rtbeat version ")
	require.Contains(t, succeed(t, home, "", "test", "config", "-c", config).Stdout, "Config OK")

	exported := succeed(t, home, "", "export", "config", "-c", config).Stdout
	require.Contains(t, exported, "timeout: 7s")
	require.Contains(t, exported, sink.Addr())
	require.Contains(t, succeed(t, home, "", "export", "template", "-c", config).Stdout, `"rxtxMsg"`)

	output := succeed(t, home, "", "test", "output", "-c", config).Stdout
	require.Contains(t, output, sink.Addr())
	require.Contains(t, output, "OK")
	require.NotContains(t, output, "ERROR")
	require.Zero(t, sink.Received(), "a test of the output sends nothing")
}

// The image and the manifests set these variables, so that a command typed into a container needs no flags.
func TestFlagsFromTheEnvironment(t *testing.T) {
	home := t.TempDir()
	for name, text := range map[string]string{
		"first.yml":  "rtbeat: {timeout: 6s, port: 1}\noutput.logstash.hosts: [a]\n",
		"second.yml": "rtbeat.timeout: 7s\n",
		"third.yml":  "# A file without a setting.\n",
		"other.yml":  "rtbeat.timeout: 8s\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(home, name), []byte(text), 0o600))
	}
	t.Setenv("BEAT_CONFIG", "first.yml,second.yml,third.yml")
	t.Setenv("BEAT_PATH_CONFIG", home)
	t.Setenv("BEAT_PATH_DATA", filepath.Join(home, "elsewhere"))
	require.Contains(t, succeed(t, home, "", "test", "config").Stdout, "Config OK")
	exported := succeed(t, home, "", "export", "config").Stdout
	for _, want := range []string{"timeout: 7s", "port: 1", "config: " + home, "data: " + filepath.Join(home, "data")} {
		require.Contains(t, exported, want)
	}
	exported = succeed(t, home, "", "export", "config", "-c", "other.yml").Stdout
	require.Contains(t, exported, "timeout: 8s")
	require.NotContains(t, exported, "port: 1", "-c replaces the files of the environment")

	t.Setenv("BEAT_ENVIRONMENT", "moon")
	r := harness.Command(t, home, "", "test", "config")
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.Stderr, "BEAT_ENVIRONMENT")
}

// An operator tests the next config while the service runs, on the same port.
func TestConfigCanBeTestedWhileAnotherRuns(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr()})
	_, port, err := net.SplitHostPort(b.Addr)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)

	home := t.TempDir()
	config := harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"port": n}}.WriteConfig(t, home)
	require.Contains(t, succeed(t, home, "", "test", "config", "-c", config).Stdout, "Config OK")

	l := harness.NewLedger(t)
	requireDelivered(t, l.Post(t.Context(), b.Addr, harness.NewBatch("undisturbed", 1)), 1)
	l.CheckOnce(t, sink)
}

// "test config" refuses a config that a start refuses.
func TestConfigTestFindsWhatAStartRefuses(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	config := harness.Settings{Sink: harness.DeadAddress(t), Rtbeat: map[string]any{"timout": 5}}.WriteConfig(t, home)
	r := harness.Command(t, home, "", "test", "config", "-c", config)
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.Stdout+r.Stderr, "timout")
}

func TestKeystore(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	home := t.TempDir()
	// The secret is the address of the sink, so a delivery proves that it was read.
	config := harness.Settings{Sink: "${SINK}"}.WriteConfig(t, home)

	succeed(t, home, "", "keystore", "create", "-c", config)
	succeed(t, home, sink.Addr(), "keystore", "add", "SINK", "--stdin", "-c", config)
	require.Contains(t, succeed(t, home, "", "keystore", "list", "-c", config).Stdout, "SINK")

	b := harness.StartBeat(t, harness.Settings{Sink: "${SINK}", Home: home})
	l := harness.NewLedger(t)
	requireDelivered(t, l.Post(t.Context(), b.Addr, harness.NewBatch("through-the-keystore", 1)), 1)
	l.CheckOnce(t, sink)
}
