//go:build senders

package senders

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// Each notification arrives once and whole: two that are firing, and a resolved one.
func TestAlertmanager(t *testing.T) {
	t.Parallel()
	program := harness.FindProgram(t, "prometheus-alertmanager", "alertmanager")
	dir := t.TempDir()
	listens, _ := harness.FreeAddress(t)
	alert := func(name, ends string) string {
		return `"labels":{"alertname":"` + name + `","instance":"a:1"},"annotations":{"summary":"é \"quoted\" \\"},` +
			`"startsAt":"2024-05-06T07:08:09Z","endsAt":"` + ends + `","generatorURL":"http://prometheus.example.com/graph"`
	}
	raise := func(name, ends string) {
		a := clientAt(t, nil).PostTo(t.Context(), "http://"+listens+"/api/v2/alerts", nil, []byte("[{"+alert(name, ends)+"}]"))
		require.NoError(t, a.Err)
		require.Equal(t, http.StatusOK, a.Code, "%s", a)
	}
	const open, closed = "0001-01-01T00:00:00Z", "2024-05-06T08:00:00Z"
	b, sink := outage{
		block: recipe(t, "alertmanager-rtbeat"),
		start: func(addr string) {
			text := recipe(t, "alertmanager", here, "http://"+addr+"/in", "group_wait: 30s", "group_wait: 0s", "group_interval: 5m", "group_interval: 1s")
			harness.StartProgram(t, dir, program, "--config.file="+harness.WriteRecipe(t, dir, "alertmanager.yml", text), "--storage.path="+dir,
				"--web.listen-address="+listens, "--web.external-url=http://alerts.example.com", "--cluster.listen-address=").Listens(listens)
			raise("Down", open)
		},
		more: func() { raise("Full", open) },
	}.run(t)
	harness.Await(t, harness.ArriveWithin, "the first two", func() bool { return sink.Acked() >= 2 })
	raise("Down", closed)

	fingerprints := map[string]string{"Down": "1e52152fa3f66253", "Full": "b45dabb7f5bbf056"} // hashes of the labels
	notification := func(name, status, ends string) string {
		text := `{"receiver":"rtbeat","status":"STATUS","alerts":[{"status":"STATUS",` + alert(name, ends) + `,"fingerprint":"FINGERPRINT"}],` +
			`"groupLabels":{"alertname":"NAME"},"commonLabels":{"alertname":"NAME","instance":"a:1"},` +
			`"commonAnnotations":{"summary":"é \"quoted\" \\"},"externalURL":"http://alerts.example.com","version":"4",` +
			`"groupKey":"{}:{alertname=\"NAME\"}","truncatedAlerts":0}`
		return strings.NewReplacer("STATUS", status, "NAME", name, "FINGERPRINT", fingerprints[name]).Replace(text)
	}
	requireMessages(t, b, sink, []string{
		notification("Down", "firing", open), notification("Full", "firing", open), notification("Down", "resolved", closed),
	})
}
