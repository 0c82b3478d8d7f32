//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// writeSettings writes a configuration with settings of libbeat by their full keys, and returns its path. A key with the value
// nil is written without a value.
func writeSettings(t testing.TB, home, sink string, settings map[string]any) string {
	t.Helper()
	doc := map[string]any{
		"rtbeat":                  map[string]any{"host": "127.0.0.1", "port": 0},
		"output.logstash.hosts":   []string{sink},
		"logging.metrics.enabled": false,
	}
	for key := range settings {
		maps.DeleteFunc(doc, func(k string, _ any) bool {
			return k == key || strings.HasPrefix(k, key+".") || key == "output" && k == "output.logstash.hosts"
		})
	}
	maps.Copy(doc, settings)
	text, err := json.MarshalIndent(doc, "", "  ")
	require.NoError(t, err)
	path := filepath.Join(home, "settings.yml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

type settings = map[string]any

// Harmful settings that libbeat accepts are refused by name, by a start and by "test config".
func TestHurtfulSettingsAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		settings settings
		keys     []string // the keys that the text must name
	}{
		"no backoff":                  {settings{"output.logstash.backoff.init": 0}, []string{"output.logstash.backoff.init is 0s"}},
		"no longest backoff":          {settings{"output.logstash.backoff.max": "-1s"}, []string{"output.logstash.backoff.max is -1s"}},
		"no backoff of Elasticsearch": {settings{"output": settings{"elasticsearch": settings{"hosts": "127.0.0.1:1", "backoff.init": 0}}}, []string{"output.elasticsearch.backoff.init is 0s"}},
		"libbeat restarts by itself":  {settings{"output.logstash.ssl.restart_on_cert_change.enabled": true}, []string{"output.logstash.ssl.restart_on_cert_change.enabled", "SIGHUP"}},
		"slow start without a size":   {settings{"output.logstash.slow_start": true, "output.logstash.bulk_max_size": 0}, []string{"output.logstash.slow_start", "output.logstash.bulk_max_size"}},
		"no timeout of the output":    {settings{"output.logstash.timeout": 0}, []string{"output.logstash.timeout is 0s"}},
		"processors as a map":         {settings{"processors": settings{"drop_event": nil}}, []string{"processors is a map"}},
		"monitoring alone":            {settings{"monitoring.enabled": true}, []string{"monitoring.elasticsearch.hosts is missing"}},
		"dashboards without Kibana":   {settings{"setup.dashboards.enabled": true}, []string{"setup.dashboards.enabled", "setup.kibana.host"}},
		"a queue switched off":        {settings{"queue.mem.enabled": false}, []string{"queue.mem.enabled is false"}},
		"metrics all the time":        {settings{"logging.metrics.enabled": true, "logging.metrics.period": 0}, []string{"logging.metrics.period is 0s"}},
		"no port":                     {settings{"http.enabled": true, "http.port": 70000}, []string{"http.port is 70000"}},
		"a preset with a slow queue":  {settings{"output": settings{"elasticsearch": settings{"hosts": "127.0.0.1:1", "preset": "balanced"}}}, []string{"output.elasticsearch.queue.mem.flush.timeout is 10s", "output.elasticsearch.preset sets it"}},
		"a host with a scheme":        {settings{"output.logstash.hosts": []string{"http://127.0.0.1:5044"}}, []string{"output.logstash.hosts.0"}},
		"several at once": {
			settings{"output.logstash.backoff.init": 0, "output.logstash.timeout": 0, "monitoring.enabled": true},
			[]string{"output.logstash.backoff.init", "output.logstash.timeout", "monitoring.elasticsearch.hosts"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			config := writeSettings(t, home, harness.DeadAddress(t), tt.settings)
			for _, args := range [][]string{{"test", "config", "-c", config}, {"-c", config}} {
				r := harness.Command(t, home, "", args...)
				require.Equal(t, 1, r.Code, "%v: %s", args, r.Stderr)
				require.NotContains(t, r.Stderr, "goroutine ", "%v", args)
				for _, key := range tt.keys {
					require.Contains(t, r.Stderr, key, "%v", args)
				}
			}
		})
	}
}

// Doubtful settings cause warnings, in a start and in "test config".
func TestDoubtfulSettingsAreWarnings(t *testing.T) {
	t.Parallel()
	const line = "a setting of libbeat is likely a mistake: "
	for name, tt := range map[string]struct {
		settings settings
		warning  string
		filtered bool
	}{
		"a short timeout":           {settings{"output.logstash.timeout": "9s"}, "output.logstash.timeout is 9s", false},
		"drop without a condition":  {settings{"processors": []any{settings{"drop_event": nil}}}, "processors.0.drop_event has no condition", true},
		"unknown key of the output": {settings{"output.logstash.bulk_maxsize": 10}, "output.logstash.bulk_maxsize is unknown to libbeat", false},
		"unknown key at the top":    {settings{"procesors": []any{}}, "procesors is no setting", false},
	} {
		t.Run(name, func(t *testing.T) {
			sink := harness.StartSink(t, lumbersink.Immediate())
			home := t.TempDir()
			config := writeSettings(t, home, sink.Addr(), tt.settings)
			require.Contains(t, succeed(t, home, "", "test", "config", "-e", "-c", config).Stderr, line+tt.warning)

			b := harness.StartBeatArgs(t, home, "-c", config)
			_, found := b.Log.Find(line + tt.warning)
			require.True(t, found, "no warning at the start")
			batch := harness.NewBatch("doubtful", 1)
			l := harness.NewLedger(t)
			if tt.filtered {
				l.WillDrop(batch[0].ID)
			}
			a := l.Post(t.Context(), b.Addr, batch)
			requireDelivered(t, a, 1)
			require.Equal(t, tt.filtered, a.Body.Filtered == 1, "%s", a)
			l.CheckOnce(t, sink)
			b.Stop()
		})
	}
}

// A disabled disk queue is ignored: the memory queue is used, with rtbeat's default.
func TestDisabledDiskQueue(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"queue.disk", "output.logstash.queue.disk"} {
		t.Run(key, func(t *testing.T) {
			sink := harness.StartSink(t, lumbersink.Immediate())
			home := t.TempDir()
			config := writeSettings(t, home, sink.Addr(), settings{key: settings{"enabled": false, "max_size": "10GB"}})
			succeed(t, home, "", "test", "config", "-c", config)
			b := harness.StartBeatArgs(t, home, "-c", config)
			l := harness.NewLedger(t)
			a := l.Post(t.Context(), b.Addr, harness.NewBatch("memory", 1))
			requireDelivered(t, a, 1)
			require.Less(t, a.Took(), prompt)
			l.CheckOnce(t, sink)
			b.Stop()
		})
	}
}

// The smallest accepted backoff survives many attempts. libbeat draws a random part of it, and panics at zero.
func TestTheLeastBackoffSurvivesAnOutage(t *testing.T) {
	t.Parallel()
	cuts, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := cuts.Addr().String()
	var attempts atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := cuts.Accept()
			if err != nil {
				return
			}
			attempts.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = cuts.Close(); <-ended })
	home := t.TempDir()
	b := harness.StartBeatArgs(t, home, "-c", writeSettings(t, home, addr, settings{
		"output.logstash.backoff.init": "1ms", "output.logstash.backoff.max": "1ms", "rtbeat": settings{"host": "127.0.0.1", "port": 0, "timeout": 2},
	}))
	l := harness.NewLedger(t)
	require.Equal(t, http.StatusGatewayTimeout, l.Post(t.Context(), b.Addr, harness.NewBatch("outage", 1)).Code)
	harness.Await(t, 10*time.Second, "100 attempts", func() bool { return attempts.Load() >= 100 })
	require.NoError(t, cuts.Close())
	sink, err := lumbersink.Listen(addr)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sink.Close()) })
	requireDelivered(t, l.Post(t.Context(), b.Addr, harness.NewBatch("after", 1)), 1)
	l.Check(t, sink)
	b.Stop()
}
