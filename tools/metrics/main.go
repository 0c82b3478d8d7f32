// Command metrics writes the tables of docs/metrics.md from the declarations of the metrics, between marks.
package main

import (
	"fmt"
	"strings"

	"github.com/txn2/rtbeat/beater"
	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/tools/generate"
)

const page = "docs/metrics.md"

func main() {
	generate.Main(func() (map[string][]byte, error) {
		registry := metrics.NewRegistry()
		if err := beater.DeclareMetrics(registry); err != nil {
			return nil, fmt.Errorf("declaring the metrics: %w", err)
		}
		tables := make(map[string]string)
		for _, section := range registry.Sections() {
			tables[section.Name] = table(section.Declared)
		}
		text, err := generate.Page(page, generate.InMarkdown, tables)
		return map[string][]byte{page: text}, err
	})
}

func table(declared []metrics.Declaration) string {
	var table strings.Builder
	table.WriteString("\n| metric | type | labels | meaning | when it moves |\n|---|---|---|---|---|\n")
	for _, m := range declared {
		labels := ""
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "` "
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s| %s | %s |\n", m.Name, m.Type, labels, strings.TrimSpace(m.Help+" "+m.More), m.Moves)
	}
	return table.String()
}
