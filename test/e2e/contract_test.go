//go:build e2e

package e2e

import (
	"context"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// leastCases is the least number of cases.
const leastCases = 150

// notOverTheWire are rows of the docs that no sender can cause, each with the reason.
var notOverTheWire = map[string]string{
	"challenge":            "takes a preset: TestAPresetVerifiesItsSender, and internal/intake",
	"internal_error":       "takes a defect, or a processor that panics: internal/intake and internal/publish bring one in",
	"joined_filtered":      "takes a full queue, and two requests: TestADedupedBatchOfAFilteredMessageIsRetried, and internal/intake",
	"queue_full":           "durable mode only: TestDurable…, and internal/intake",
	"queue_failed":         "takes a disk that fails: TestDurable…, and internal/intake",
	"/readyz starting":     "the port does not answer before rtbeat serves",
	"/readyz degraded":     "durable mode only: TestDurable…, and internal/intake",
	"/readyz queue_full":   "durable mode only: TestDurable…, and internal/intake",
	"/readyz queue_failed": "takes a disk that fails: TestDurable…, and internal/intake",
}

// Every answer of docs/http-api.md, requested with raw bytes: each row of its tables is reached. Each case checks the answer, the
// connection, the published events, and that nothing stays in flight.
func TestContract(t *testing.T) {
	t.Parallel()
	p, h := readPromises(t), &hits{rows: make(map[string]bool)}
	rigs := map[string]func(*testing.T, *rig){
		"plain":    playPlain,
		"tls":      playTLS,
		"auth":     playAuth,
		"signed":   playSigned,
		"proxy":    playProxy,
		"announce": playProxyProtocol,
		"unix":     playUnix,
		"slow":     playSlow,
		"stalled":  playStalled,
		"rejected": playRejected,
		"failing":  playFailing,
		"stopping": playStopping,
	}
	played := 0
	t.Run("rigs", func(t *testing.T) {
		for name, play := range rigs {
			t.Run(name, func(t *testing.T) {
				played++
				t.Parallel()
				play(t, &rig{
					script: newScript(name), promises: p, hits: h, told: make(map[row]int), clientIP: "127.0.0.1",
					credentials: func(string) []string { return nil },
				})
			})
		}
	})
	t.Logf("%d cases", h.cases)
	if t.Failed() || played < len(rigs) { // -run has selected a part
		return
	}
	require.GreaterOrEqual(t, h.cases, leastCases)
	for reason := range p.answers {
		requireReached(t, h, reason)
	}
	for _, r := range p.health {
		requireReached(t, h, r.reason)
	}
	for code := range p.plain {
		requireReached(t, h, "plain "+code)
	}
	known := slices.Collect(maps.Keys(p.answers))
	for _, r := range p.health {
		known = append(known, r.reason)
	}
	require.Subset(t, known, slices.Collect(maps.Keys(notOverTheWire)))
}

func requireReached(t testing.TB, h *hits, name string) {
	t.Helper()
	_, excused := notOverTheWire[name]
	require.Equal(t, !excused, h.rows[name], "is %q, a row of docs/http-api.md, reached by a case", name)
}

// start runs a process for the rig, with a sink that acknowledges at once.
func (g *rig) start(t *testing.T, settings map[string]any) {
	t.Helper()
	g.sink = harness.StartSink(t, lumbersink.Immediate())
	g.beat = harness.StartBeat(t, harness.Settings{Sink: g.sink.Addr(), Rtbeat: settings})
	if g.connect == nil {
		g.connect = func(t testing.TB, _ string) net.Conn {
			t.Helper()
			return dialFrom(t, "", g.beat.Addr)
		}
	}
}

// dialFrom connects to a TCP address, from a local address if one is given.
func dialFrom(t testing.TB, from, to string) net.Conn {
	t.Helper()
	var d net.Dialer
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	ctx, cancel := context.WithTimeout(t.Context(), answerWithin)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", to)
	require.NoError(t, err)
	return conn
}

// shortDir is a directory with a short name, for the path of a Unix socket.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rtbeat") //nolint:usetesting // its names are too long
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// freePort is a port without a listener.
func freePort(t testing.TB) int {
	t.Helper()
	_, text, err := net.SplitHostPort(harness.DeadAddress(t))
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	return port
}
