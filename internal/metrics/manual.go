package metrics

import (
	"bytes"
	"fmt"
	"strings"
)

// Marks in the manual: what stands between them is generated, all else is written by hand.
const (
	begin = "<!-- generated: "
	end   = "<!-- end of generated -->\n"
)

// Manual puts the tables of all sections into page, which is docs/metrics.md, between its marks. The rest of it stays. It
// fails when a section has no mark, or a mark no section.
func Manual(page []byte) ([]byte, error) {
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
		section, known := sectionNamed(string(name))
		if !known || !closed || seen[section.Name] {
			return nil, fmt.Errorf("the mark %q: no such section, a second one, or no end", name)
		}
		seen[section.Name] = true
		fmt.Fprintf(&out, "%s%s -->\n%s%s", begin, section.Name, section.table(), end)
		rest = after
	}
	if len(seen) != len(Sections()) {
		return nil, fmt.Errorf("marks for %d of %d sections", len(seen), len(Sections()))
	}
	return out.Bytes(), nil
}

func sectionNamed(name string) (Section, bool) {
	for _, s := range Sections() {
		if s.Name == name {
			return s, true
		}
	}
	return Section{}, false
}

func (s Section) table() string {
	var table strings.Builder
	table.WriteString("| metric | type | labels | meaning | when it moves |\n|---|---|---|---|---|\n")
	for _, m := range s.Metrics {
		labels := ""
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "` "
		}
		meaning := strings.TrimSpace(m.Help + " " + m.More)
		if m.Path != "" {
			meaning += " In libbeat: `" + m.Path + "`."
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s| %s | %s |\n", m.Name, m.Type, labels, meaning, m.Moves)
	}
	return table.String()
}
