//go:build monitoring || drill

package monitoring

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// query is one target of a panel, as Grafana sends it.
type query struct {
	key     string // row / panel / refId
	expr    string
	instant bool
}

// panels has all queries of the dashboard with values for Grafana's variables: all jobs, all instances, and a range of five
// scrapes.
func panels(t testing.TB) []query {
	t.Helper()
	text, err := os.ReadFile(harness.Deploy(t, "grafana/rtbeat.json"))
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Type, Title string
			Targets     []struct {
				RefID, Expr string
				Instant     bool
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	fill := strings.NewReplacer("$job", ".+", "$instance", ".+", "$__rate_interval", "5s")
	row := ""
	var found []query
	for _, p := range dashboard.Panels {
		if p.Type == "row" {
			row = p.Title
		}
		for _, target := range p.Targets {
			expr := fill.Replace(target.Expr)
			require.NotContains(t, expr, "$", "a variable without a value")
			found = append(found, query{row + " / " + p.Title + " / " + target.RefID, expr, target.Instant})
		}
	}
	require.NotEmpty(t, found)
	return found
}
