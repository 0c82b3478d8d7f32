// Command notice writes the NOTICE file: every module linked into the rtbeat binary with its version and licence, the upstream
// notices that Apache-2.0 section 4(d) asks to pass on, and the licence texts that MIT, BSD and ISC ask to keep with a binary.
//
// The go command lists the linked packages, so modules of tests and tools are not among them. A licence that is unknown here, or that
// nobody has reviewed, is an error and never a guess.
package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/txn2/rtbeat/tools/generate"
)

// platformsFile lists the systems of a release. Each links a few modules that others do not.
const platformsFile = "scripts/platforms.txt"

// module is one line of the list, and its texts.
type module struct {
	path, version  string // the replacement's, where go.mod replaces the module
	licence        string // SPDX expression
	texts, notices []string
}

func (m *module) String() string { return strings.TrimSpace(m.path + " " + m.version) }

func main() { generate.Main(notice) }

func notice() (map[string][]byte, error) {
	modules, err := collect()
	if err != nil {
		return nil, err
	}
	if err := decide(modules, reviewed); err != nil {
		return nil, err
	}
	return map[string][]byte{"NOTICE": render(modules)}, nil
}

// collect finds the linked modules of all platforms, sorted by path, and reads their texts.
func collect() ([]*module, error) {
	platforms, err := platforms(platformsFile)
	if err != nil {
		return nil, err
	}
	found, seen := map[string]*module{}, map[string]bool{}
	for _, platform := range platforms {
		packages, err := list(platform)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(packages) {
			pkg, dir, path, version, root := cut(line)
			if path == "" {
				continue
			}
			if strings.Contains(pkg, "/x-pack/") {
				return nil, fmt.Errorf("%s is under the Elastic License and must not be linked", pkg)
			}
			if found[path] == nil {
				found[path] = &module{path: path, version: version}
			}
			if err := found[path].readUp(dir, root, seen); err != nil {
				return nil, err
			}
		}
	}
	modules := slices.Collect(maps.Values(found))
	for _, m := range modules {
		slices.Sort(m.texts) // they are in the order of imports
	}
	slices.SortFunc(modules, func(a, b *module) int { return strings.Compare(a.path, b.path) })
	return modules, nil
}

// platforms reads the systems that rtbeat is released for, as GOOS/GOARCH.
func platforms(file string) (all []string, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s names no platform", file)
	}
	return all, nil
}

// packageLine has the package, its folder, the path, version and folder of its module. The path is empty for a package of this
// repository. The standard library has no version: the file must not depend on the Go that generates it.
const packageLine = `{{.ImportPath}}|{{.Dir}}|` +
	`{{if .Standard}}the Go standard library||{{.Root}}{{else}}{{with .Module}}` +
	`{{with .Replace}}{{if .Version}}{{.Path}}{{end}}|{{.Version}}{{else}}{{if not .Main}}{{.Path}}{{end}}|{{.Version}}{{end}}|{{.Dir}}{{end}}{{end}}`

// list returns a packageLine for each package of the binary for a platform.
func list(platform string) (string, error) {
	goos, goarch, _ := strings.Cut(platform, "/")
	cmd := exec.Command("go", "list", "-deps", "-f", packageLine, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go list for %s: %w", platform, err)
	}
	return string(out), nil
}

func cut(line string) (pkg, dir, path, version, root string) {
	f := append(strings.Split(strings.TrimSpace(line), "|"), "", "", "")
	return f[0], f[1], f[2], f[3], f[4]
}

// readUp reads the folder of a package and the folders above it, up to the module's: forked code often has its own licence.
func (m *module) readUp(dir, root string, seen map[string]bool) error {
	for ; !seen[dir] && len(dir) >= len(root); dir = filepath.Dir(dir) {
		seen[dir] = true
		if err := m.read(dir); err != nil {
			return err
		}
	}
	return nil
}

// licenceFile leaves out LICENSE.docs, the licence of a manual, and license.go, which is code.
var licenceFile = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying)(-[^.]+)?(\.(txt|md|libyaml))?$`)

// read adds the licence and notice files of one folder.
func (m *module) read(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		isNotice := strings.EqualFold(strings.TrimSuffix(entry.Name(), ".txt"), "NOTICE")
		if entry.IsDir() || !isNotice && !licenceFile.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		switch {
		case err != nil:
			return err
		case isNotice:
			m.notices = append(m.notices, ownNotice(string(text)))
		default:
			m.texts = append(m.texts, string(text))
		}
	}
	return nil
}

const header = `rtbeat
Copyright 2026 the rtbeat authors

Licensed under the Apache License, Version 2.0; see LICENSE.

The binary is built from the modules below. "go mod download -json PATH@VERSION" fetches the source
of each; not every platform needs all of them.
`

// render writes the list, the upstream notices and the licence texts.
func render(modules []*module) []byte {
	var b bytes.Buffer
	b.WriteString(header)
	b.WriteString("\n")
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, m := range modules {
		fmt.Fprintf(table, "%s\t%s\t%s\n", m.path, m.version, m.licence)
	}
	_ = table.Flush() // b takes everything
	once(&b, "Upstream notices", modules, func(m *module) []string { return m.notices })
	once(&b, "Licence texts", modules, func(m *module) []string {
		if m.licence == "Apache-2.0" {
			return nil
		}
		return slices.DeleteFunc(slices.Clone(m.texts), func(text string) bool {
			// LICENSE has the text of Apache-2.0, and MPL-2.0 does not ask for its text in binaries.
			return !slices.ContainsFunc(spdx(text), func(id string) bool { return id != "Apache-2.0" && id != "MPL-2.0" })
		})
	})
	return b.Bytes()
}

// once prints each text once, below the names of all its modules.
func once(b *bytes.Buffer, title string, modules []*module, texts func(*module) []string) {
	heading(b, "=", title)
	var order []string
	text, users := map[string]string{}, map[string][]string{}
	for _, m := range modules {
		for _, t := range texts(m) {
			key := flatten(t)
			if text[key] == "" {
				order, text[key] = append(order, key), strings.Trim(strings.ReplaceAll(t, "\r", ""), "\n")
			}
			users[key] = append(users[key], m.String())
		}
	}
	for _, key := range order {
		heading(b, "-", strings.Join(slices.Compact(users[key]), "\n"))
		b.WriteString("\n" + text[key] + "\n")
	}
}

func heading(b *bytes.Buffer, mark, title string) {
	rule := strings.Repeat(mark, 80)
	fmt.Fprintf(b, "\n%s\n%s\n%s\n", rule, title, rule)
}
