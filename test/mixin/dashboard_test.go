package mixin

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// grafanas has the parts of a dashboard with conventions.
type grafanas struct {
	ID            *int `json:"id"`
	UID, Title    string
	Timezone      string
	SchemaVersion int
	Tags          []string
	Editable      bool
	Templating    struct {
		List []struct {
			Name, Type, AllValue string
			Query                any
			Multi, IncludeAll    bool
			Datasource           struct{ UID string }
		}
	}
	Panels []struct {
		ID                       int
		Type, Title, Description string
		Datasource               struct{ UID string }
		GridPos                  struct{ X, Y, W, H int }
		Links                    []struct{ Title, URL string }
		FieldConfig              struct{ Defaults struct{ Unit string } }
		Targets                  []struct {
			RefID, Expr, LegendFormat string
			Instant, Range            bool
			Datasource                struct{ UID string }
		}
	}
}

func dashboard(t *testing.T) grafanas {
	t.Helper()
	text, err := json.Marshal(readDashboard(t))
	require.NoError(t, err)
	var d grafanas
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

func TestDashboardCanBeProvisioned(t *testing.T) {
	require.Contains(t, readDashboard(t), "id")
	d := dashboard(t)
	require.Nil(t, d.ID)
	require.Equal(t, "rtbeat-overview", d.UID)
	require.LessOrEqual(t, len(d.UID), 40)
	require.Equal(t, "rtbeat / Overview", d.Title)
	require.Equal(t, []string{"rtbeat-mixin"}, d.Tags)
	require.Equal(t, "browser", d.Timezone)
	require.GreaterOrEqual(t, d.SchemaVersion, 36)
	require.False(t, d.Editable)

	require.Len(t, d.Templating.List, 3)
	source := d.Templating.List[0]
	require.Equal(t, "datasource", source.Name)
	require.Equal(t, "datasource", source.Type)
	require.Equal(t, "prometheus", source.Query)
	for i, name := range []string{"job", "instance"} {
		v := d.Templating.List[i+1]
		require.Equal(t, name+" query", v.Name+" "+v.Type)
		require.True(t, v.Multi && v.IncludeAll, name)
		require.Equal(t, ".+", v.AllValue)
		require.Equal(t, "${datasource}", v.Datasource.UID)
	}
}

func TestEveryQueryUsesTheChosenDataSource(t *testing.T) {
	sources := 0
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if v["type"] == "prometheus" {
				sources++
				require.Equal(t, "${datasource}", v["uid"])
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(readDashboard(t))
	require.Greater(t, sources, 16)
}

func TestDashboardFollowsTheRequest(t *testing.T) {
	var titles []string
	for _, p := range dashboard(t).Panels {
		if p.Type == "row" {
			titles = append(titles, p.Title)
		}
	}
	require.Equal(t, []string{"Overview", "Senders", "Intake", "Queue on disk", "In flight", "Queue", "Output", "Process"}, titles)
}

func TestPanelsHaveDescriptionsAndKnownMetrics(t *testing.T) {
	known := exposed(t)
	_, alerting := rulesOf(t)
	sections := make(map[string]bool)
	for _, r := range alerting {
		sections[r.Annotations.Runbook] = true
	}
	ids, linked := make(map[int]bool), make(map[string]bool)
	for _, p := range dashboard(t).Panels {
		require.False(t, ids[p.ID], "id %d twice", p.ID)
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		require.NotEmpty(t, p.Title)
		require.Regexp(t, `\.$`, p.Description, p.Title)
		require.NotEmpty(t, p.FieldConfig.Defaults.Unit, p.Title)
		require.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
		for _, link := range p.Links {
			require.True(t, sections[link.URL], "%s links to %s, which is not an alert's section", p.Title, link.URL)
			linked[link.URL] = true
		}
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			require.Equal(t, "${datasource}", target.Datasource.UID, p.Title)
			require.NotEmpty(t, target.LegendFormat, p.Title)
			require.NotEqual(t, target.Instant, target.Range, p.Title)
			require.NotRegexp(t, `(rate|increase)\([^)]*\[\d`, target.Expr, "%s: the range is Grafana's to choose", p.Title)
			for _, s := range selectors(t, target.Expr) {
				require.Equal(t, "~J", s.labels["job"], "%s: %s of any job", p.Title, s.name)
				require.Equal(t, "~I", s.labels["instance"], "%s: %s of any instance", p.Title, s.name)
				require.True(t, known[s.name], "%s: no metric %s", p.Title, s.name)
			}
		}
	}
	for url := range sections {
		require.True(t, linked[url], "no panel links to %s", url)
	}
}

func TestPanelsDoNotOverlap(t *testing.T) {
	taken := make(map[[2]int]string)
	for _, p := range dashboard(t).Panels {
		g := p.GridPos
		require.LessOrEqual(t, g.X+g.W, 24, p.Title)
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				require.Empty(t, taken[[2]int{x, y}], "%s overlaps another panel", p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// TestTheVerdictHasTheThresholdsOfTheAlerts compares the first panel with the rules: every alert is in the verdict, and every
// verdict has an alert.
func TestTheVerdictHasTheThresholdsOfTheAlerts(t *testing.T) {
	_, alerting := rulesOf(t)
	for _, p := range dashboard(t).Panels {
		if p.Title != "Verdict" {
			continue
		}
		verdict := p.Targets[0].Expr
		for _, in := range []struct{ alert, severity, panel string }{
			{"RtbeatAnswersFail", "warning", `> bool ([0-9.]+)\) \* 2, "why", "failing"`},
			{"RtbeatInFlightNearLimit", "warning", `rtbeat_in_flight_bytes_limit\{[^}]*\} >= bool ([0-9.]+)\)`},
			{"RtbeatQueueFull", "warning", `rtbeat_in_flight_events_limit\{[^}]*\} >= bool ([0-9.]+) unless`},
		} {
			shown := regexp.MustCompile(in.panel).FindStringSubmatch(verdict)
			require.Len(t, shown, 2, in.alert)
			i := slices.IndexFunc(alerting, func(r rule) bool { return r.Alert == in.alert && r.Labels["severity"] == in.severity })
			require.GreaterOrEqual(t, i, 0, in.alert)
			require.Regexp(t, `>=? `+regexp.QuoteMeta(shown[1])+`(\n|$)`, alerting[i].Expr, in.alert)
		}
		return
	}
	require.Fail(t, "no panel Verdict")
}
