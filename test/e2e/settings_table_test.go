//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// Values by kind. Settings are tried with the first ones of each kind, with -short only with the very first, and with all of them
// with RTBEAT_SETTINGS=all.
const (
	triedOften = 4
	triedShort = 1
)

var (
	counts    = []any{0, -1, nil, 2147483648, 1, "", "many", []any{1}, settings{"a": 1}}
	times     = []any{0, "-1s", nil, "1ns", "10s", "100000h", "", "soon", []any{1}, settings{"a": 1}}
	booleans  = []any{true, false, nil, "maybe", "", 0, []any{true}, settings{"a": 1}}
	words     = []any{"", nil, 0, []any{1}, "x", -1, settings{"a": 1}}
	sections  = []any{nil, "x", []any{1}, settings{"a": 1}, "", 0}
	addresses = []any{[]any{}, nil, []any{"http://localhost:5044"}, []any{"localhost:70000"}, "", []any{""}, []any{nil}, []any{"a b"}, settings{"a": 1}}
)

// triedSettings are libbeat's settings in a configuration of rtbeat, each with the values to try.
var triedSettings = map[string][]any{
	"output.logstash.bulk_max_size": counts, "output.logstash.pipelining": counts, "output.logstash.compression_level": counts,
	"output.logstash.max_retries": counts, "output.logstash.worker": counts, "output.logstash.workers": counts,
	"output.logstash.timeout": times, "output.logstash.ttl": times, "output.logstash.backoff.init": times, "output.logstash.backoff.max": times,
	"output.logstash.loadbalance": booleans, "output.logstash.slow_start": booleans, "output.logstash.escape_html": booleans,
	"output.logstash.enabled": booleans, "output.logstash.proxy_use_local_resolver": booleans,
	"output.logstash.index": words, "output.logstash.proxy_url": words, "output.logstash.nonsense": words,
	"output.logstash.backoff": sections, "output.logstash.ssl": sections, "output.logstash.queue": sections,
	"output.logstash.hosts": addresses,
	"queue.mem.events":      counts, "queue.mem.flush.min_events": counts, "queue.mem.flush.timeout": times, "queue.mem.enabled": booleans,
	"queue.mem": sections, "queue": sections, "queue.disk.enabled": booleans, "queue.disk": sections, "queue.disk.max_size": counts,
	"processors": sections, "fields": sections, "tags": words, "name": words,
	"logging.level": words, "logging.metrics.period": times, "logging.metrics.enabled": booleans, "logging.files.interval": times,
	"logging.files.keepfiles": counts, "logging.files.rotateeverybytes": counts, "logging.to_files": booleans,
	"http": sections, "http.port": counts, "http.buffer.period": times, "http.buffer.size": counts, "http.pprof.enabled": booleans,
	"monitoring": sections, "monitoring.enabled": booleans, "monitoring.elasticsearch": sections,
	"setup": sections, "setup.dashboards.enabled": booleans, "setup.ilm.enabled": booleans, "setup.template": sections,
}

// besides has, by setting, other settings without which libbeat ignores it.
var besides = map[string]settings{
	"http.port":                {"http.enabled": true},
	"http.buffer.period":       {"http.enabled": true, "http.port": 0, "http.buffer.enabled": true},
	"http.buffer.size":         {"http.enabled": true, "http.port": 0, "http.buffer.enabled": true},
	"http.pprof.enabled":       {"http.enabled": true, "http.port": 0},
	"logging.metrics.period":   {"logging.metrics.enabled": true},
	"monitoring.elasticsearch": {"monitoring.enabled": true},
}

// triedSetting is one line of the table.
type triedSetting struct {
	key, value string
	settings   settings
	often      bool // tried always
}

func (s triedSetting) String() string { return s.key + ": " + s.value }

func allTriedSettings(t testing.TB) (all []triedSetting) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(triedSettings)) {
		for i, value := range triedSettings[key] {
			text, err := json.Marshal(value)
			require.NoError(t, err)
			tried := triedSetting{key: key, value: string(text), often: i < triedOften && (i < triedShort || !testing.Short()), settings: settings{key: value}}
			maps.Copy(tried.settings, besides[key])
			all = append(all, tried)
		}
	}
	return all
}

// sourceOf matches the file and the position in libbeat's errors.
var sourceOf = regexp.MustCompile(` \(source:'[^']*'\)`)

// judge runs "test config" and returns its result in one line.
func (s triedSetting) judge(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	r := harness.Command(t, home, "", "test", "config", "-e", "-c", writeSettings(t, home, "127.0.0.1:1", s.settings))
	if r.Code == 0 {
		_, warning, warned := strings.Cut(r.Stderr, "a setting of libbeat is likely a mistake: ")
		if !warned {
			return "accepted"
		}
		warning, _, _ = strings.Cut(warning, ". ")
		return "warned: " + strings.ReplaceAll(warning, `\"`, `"`)
	}
	require.Equal(t, 1, r.Code, "it must not crash: %s", r.Stderr)
	_, text, found := strings.Cut("\n"+r.Stderr, "\nExiting: ") // the log may have the same text before
	require.True(t, found, "no text: %s", r.Stderr)
	return "refused: " + strings.ReplaceAll(sourceOf.ReplaceAllString(strings.TrimSpace(text), ""), "\n", " | ")
}

// testdata/settings.txt has the result of "test config" for each setting with each value, so that an update of libbeat shows its
// changes. RTBEAT_SETTINGS=write writes the file; review its diff before the commit.
func TestTableOfSettings(t *testing.T) {
	t.Parallel()
	mode := os.Getenv("RTBEAT_SETTINGS")
	all := allTriedSettings(t)
	path := filepath.Join("testdata", "settings.txt")
	want := readTable(t, path, mode == "write")
	var mu sync.Mutex
	got := map[string]string{}
	t.Run("each", func(t *testing.T) {
		for _, s := range all {
			if mode == "" && !s.often {
				continue
			}
			t.Run(s.String(), func(t *testing.T) {
				t.Parallel()
				verdict := s.judge(t)
				mu.Lock()
				got[s.String()] = verdict
				mu.Unlock()
				if mode != "write" {
					require.Equal(t, want[s.String()], verdict, "RTBEAT_SETTINGS=write writes the table anew")
				}
			})
		}
	})
	if mode == "write" {
		var b strings.Builder
		for _, s := range all {
			fmt.Fprintf(&b, "%s -> %s\n", s, got[s.String()])
		}
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
		return
	}
	require.Len(t, want, len(all), "the table has lines for settings that are no longer tried")
}

func readTable(t *testing.T, path string, mayMiss bool) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if !mayMiss {
		require.NoError(t, err)
	}
	table := map[string]string{}
	for line := range strings.Lines(string(text)) {
		setting, verdict, found := strings.Cut(strings.TrimSuffix(line, "\n"), " -> ")
		require.True(t, found, line)
		table[setting] = verdict
	}
	return table
}

// notStarted are accepted settings that the test does not start rtbeat with: rtbeat would not reach the sink, would need a taken
// port, or would be in durable mode.
var notStarted = []string{"queue.disk.max_size", "output.logstash.hosts", "output.logstash.ssl", "http", "http.port"}

// With each accepted setting rtbeat delivers, and stops. Settings with the same value share a start. With RTBEAT_SETTINGS=all
// each has its own start.
func TestAcceptedSettingsDeliver(t *testing.T) {
	t.Parallel()
	alone := os.Getenv("RTBEAT_SETTINGS") == "all"
	if !alone {
		t.Log("settings with the same value share a start; RTBEAT_SETTINGS=all starts rtbeat for each")
	}
	table := readTable(t, filepath.Join("testdata", "settings.txt"), false)
	starts, needed := map[string]settings{}, map[string][]settings{}
	for _, s := range allTriedSettings(t) {
		if strings.HasPrefix(table[s.String()], "refused: ") || slices.Contains(notStarted, s.key) || !alone && isSection(s.key) {
			continue
		}
		name := s.String()
		if !alone {
			name = "all that may be " + s.value
		}
		if starts[name] == nil {
			starts[name] = settings{}
		}
		starts[name][s.key] = s.settings[s.key]
		needed[name] = append(needed[name], besides[s.key])
	}
	for name, all := range needed {
		for _, settings := range all {
			for key, value := range settings {
				if _, set := starts[name][key]; !set {
					starts[name][key] = value
				}
			}
		}
	}
	for name, settings := range starts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := harness.StartSink(t, lumbersink.Immediate())
			home := t.TempDir()
			b := harness.StartBeatArgs(t, home, "-E", "logging.level=info", "-c", writeSettings(t, home, sink.Addr(), settings))
			l := harness.NewLedger(t)
			a := l.Post(t.Context(), b.Addr, harness.NewBatch("accepted", 50))
			requireDelivered(t, a, 50)
			require.Zero(t, a.Body.Filtered, "%s", a)
			l.CheckOnce(t, sink)
			b.Stop()
		})
	}
}

// isSection says whether other settings are below a key: both cannot be written into one file.
func isSection(key string) bool {
	for other := range triedSettings {
		if strings.HasPrefix(other, key+".") {
			return true
		}
	}
	return false
}
