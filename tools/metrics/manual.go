package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/txn2/rtbeat/internal/metrics"
)

// Marks in the page: the text between them is generated, all else is written by hand.
const (
	begin = "<!-- generated: "
	end   = "<!-- end of generated -->\n"
)

// manual puts the table of each section between its marks. It fails when a section has no mark, or a mark no section.
func manual(page []byte, sections []*metrics.Section) ([]byte, error) {
	var out bytes.Buffer
	seen := make(map[string]bool)
	for rest := page; ; {
		before, after, found := bytes.Cut(rest, []byte(begin))
		out.Write(before)
		if !found {
			break
		}
		name, after, _ := bytes.Cut(after, []byte(" -->\n"))
		_, after, closed := bytes.Cut(after, []byte(end))
		i := slices.IndexFunc(sections, func(s *metrics.Section) bool { return s.Name == string(name) })
		if i < 0 || !closed || seen[string(name)] {
			return nil, fmt.Errorf("the mark %q: no such section, a second mark for it, or no end", name)
		}
		seen[string(name)] = true
		fmt.Fprintf(&out, "%s%s -->\n%s%s", begin, name, table(sections[i].Declared), end)
		rest = after
	}
	if len(seen) != len(sections) {
		return nil, fmt.Errorf("marks for %d of %d sections", len(seen), len(sections))
	}
	return out.Bytes(), nil
}

func table(declared []metrics.Declaration) string {
	var table strings.Builder
	table.WriteString("| metric | type | labels | meaning | when it moves |\n|---|---|---|---|---|\n")
	for _, m := range declared {
		labels := ""
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "` "
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s| %s | %s |\n", m.Name, m.Type, labels, strings.TrimSpace(m.Help+" "+m.More), m.Moves)
	}
	return table.String()
}
