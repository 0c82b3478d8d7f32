package metrics_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
)

// page is what lists the metrics for operators.
const page = "../../docs/metrics.md"

func TestManualIsWhatIsDeclared(t *testing.T) {
	have, err := os.ReadFile(page)
	require.NoError(t, err)
	want, err := metrics.Manual(have)
	require.NoError(t, err)
	require.Equal(t, string(want), string(have), "run make metrics-manual")
}

// What is declared is what is registered: names, types and labels.
func TestDeclaredIsRegistered(t *testing.T) {
	type row struct{ kind, labels string }
	declared, registered := make(map[string]row), make(map[string]row)
	for _, section := range metrics.Sections() {
		for _, m := range section.Metrics {
			require.NotContains(t, declared, m.Name, "twice")
			require.True(t, strings.HasSuffix(m.Help, "."), "the help of %s is a sentence", m.Name)
			require.NotEmpty(t, m.Moves, m.Name)
			labels := slices.Sorted(slices.Values(m.Labels)) // as a scrape has them
			declared[m.Name] = row{string(m.Type), strings.Join(labels, ", ")}
		}
	}
	families, err := moved().Gather()
	require.NoError(t, err)
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "rtbeat_") {
			continue
		}
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, label.GetName())
		}
		registered[family.GetName()] = row{strings.ToLower(family.GetType().String()), strings.Join(labels, ", ")}
	}
	require.Equal(t, declared, registered)
}

// What the page says elsewhere, in queries for instance, is about metrics that exist.
func TestManualNamesWhatThereIs(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	var names []string
	for _, section := range metrics.Sections() {
		for _, m := range section.Metrics {
			names = append(names, m.Name)
		}
	}
	for _, name := range regexp.MustCompile(`rtbeat_[a-z_]+[a-z]`).FindAllString(string(text), -1) {
		if name != "rtbeat_libbeat" { // rtbeat_libbeat_*
			require.Contains(t, names, name)
		}
	}
}

func TestManualNeedsItsMarks(t *testing.T) {
	for name, text := range map[string]string{
		"no marks":        "# Metrics\n",
		"another section": "<!-- generated: kitchen -->\n<!-- end of generated -->\n",
		"one twice":       strings.Repeat("<!-- generated: queue -->\n<!-- end of generated -->\n", 2),
		"no end":          "<!-- generated: queue -->\n",
	} {
		_, err := metrics.Manual([]byte(text))
		require.Error(t, err, name)
	}
}

// A value that libbeat does not have is not there, and no 0 stands for it.
func TestWhatLibbeatDoesNotHave(t *testing.T) {
	names := func(value func(string) (float64, bool)) (found []string) {
		registry := prometheus.NewRegistry()
		s := sources()
		s.Libbeat = value
		metrics.New(registry, s, labels(), build(), "delivered")
		for name := range gather(t, registry) {
			if strings.Contains(name, "libbeat_") && !strings.Contains(name, "build_info") || strings.Contains(name, "events_limit") {
				found = append(found, name)
			}
		}
		slices.Sort(found)
		return found
	}
	require.Empty(t, names(nil))
	require.Empty(t, names(func(string) (float64, bool) { return 0, false }))
	require.Equal(t, []string{"rtbeat_libbeat_pipeline_clients"}, names(func(path string) (float64, bool) { return 0, path == "libbeat.pipeline.clients" }))
	all := names(func(string) (float64, bool) { return 0, true })
	require.Len(t, all, 10)
	require.NotContains(t, all, "rtbeat_in_flight_events_limit", "libbeat has not made its queue yet")
	require.NotContains(t, all, "rtbeat_libbeat_queue_events_limit")

	value := 100.0
	registry := prometheus.NewRegistry()
	s := sources()
	s.Libbeat = func(string) (float64, bool) { return value, true }
	metrics.New(registry, s, labels(), build(), "delivered")
	require.InDelta(t, 100, gather(t, registry)["rtbeat_libbeat_output_events_acked_total"], 0)
	value = -1 // an output that was made anew, and a gauge that libbeat counted too far down
	require.InDelta(t, -1, gather(t, registry)["rtbeat_libbeat_output_events_active"], 0)
}
