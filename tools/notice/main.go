// Command notice writes the NOTICE file: every module linked into the rtbeat binary with its version and licence,
// the upstream notices that Apache-2.0 section 4(d) asks to pass on, and the licence texts that MIT, BSD and ISC
// ask to keep with a binary. `make generate` runs it; `make generate-check` fails when NOTICE is out of date.
//
// What is linked is what the go command says, so modules that only tests or tools need are not listed. A licence
// that is unknown here, or that nobody has looked at yet, is an error and never a guess.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// platformsFile has the systems of a release; each links a few modules that the others do not.
const platformsFile = "scripts/platforms.txt"

// module is one line of the list and the texts that belong to it.
type module struct {
	path, version  string // the replacement's, where go.mod replaces the module
	licence        string // SPDX expression
	texts, notices []string
}

func (m *module) String() string { return strings.TrimSpace(m.path + " " + m.version) }

// listed is the part of `go list -json` that is used.
type listed struct {
	ImportPath, Dir, Root string
	Standard              bool
	Module                *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{ Path, Version string }
	}
}

func main() {
	check := flag.Bool("check", false, "write nothing; fail when NOTICE is out of date")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "notice:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	modules, err := collect()
	if err != nil {
		return err
	}
	if err := decide(modules, reviewed); err != nil {
		return err
	}
	want := render(modules)
	if !check {
		return os.WriteFile("NOTICE", want, 0o644)
	}
	if have, err := os.ReadFile("NOTICE"); err != nil || !bytes.Equal(have, want) {
		return errors.Join(err, errors.New("NOTICE is not what the binary links: run `make generate` and commit it"))
	}
	return nil
}

// collect finds the linked modules of all platforms, sorted by path, and reads their texts.
func collect() ([]*module, error) {
	platforms, err := platforms(platformsFile)
	if err != nil {
		return nil, err
	}
	found, seen := map[string]*module{}, map[string]bool{}
	for _, platform := range platforms {
		pkgs, err := list(platform)
		if err != nil {
			return nil, err
		}
		for _, pkg := range pkgs {
			path, version, root := owner(pkg)
			if path == "" {
				continue
			}
			if strings.Contains(pkg.ImportPath, "/x-pack/") {
				return nil, fmt.Errorf("%s is under the Elastic License and must not be linked", pkg.ImportPath)
			}
			if found[path] == nil {
				found[path] = &module{path: path, version: version}
			}
			if err := found[path].readUp(pkg.Dir, root, seen); err != nil {
				return nil, err
			}
		}
	}
	modules := slices.Collect(maps.Values(found))
	for _, m := range modules {
		slices.Sort(m.texts) // they were found in the order of imports
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

// list returns the packages that the binary for a platform consists of.
func list(platform string) ([]listed, error) {
	goos, goarch, _ := strings.Cut(platform, "/")
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Root,Standard,Module", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list for %s: %w", platform, err)
	}
	var pkgs []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg listed
		switch err := dec.Decode(&pkg); {
		case errors.Is(err, io.EOF):
			return pkgs, nil
		case err != nil:
			return nil, fmt.Errorf("go list for %s: %w", platform, err)
		}
		pkgs = append(pkgs, pkg)
	}
}

// owner names the module that a package comes from, and its folder; no path means that it is ours.
func owner(pkg listed) (path, version, root string) {
	m := pkg.Module
	switch {
	case pkg.Standard: // without a version: the file must not depend on who generates it
		return "the Go standard library", "", pkg.Root
	case m == nil || m.Main:
		return "", "", ""
	case m.Replace == nil:
		return m.Path, m.Version, m.Dir
	case m.Replace.Version == "": // a folder of this repository
		return "", "", ""
	}
	return m.Replace.Path, m.Replace.Version, m.Dir
}

// readUp reads a package's folder and those above it, up to the module's: forked code often brings a licence of its own.
func (m *module) readUp(dir, root string, seen map[string]bool) error {
	for ; !seen[dir] && len(dir) >= len(root); dir = filepath.Dir(dir) {
		seen[dir] = true
		if err := m.read(dir); err != nil {
			return err
		}
	}
	return nil
}

// LICENSE.docs is about a project's manual, which is not linked; license.go is code.
var licenceFile = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying)(-[^.]+)?(\.(txt|md|libyaml))?$`)

// read takes up the licence and notice files of one folder.
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
			// LICENSE is the one, and the other does not ask to be copied into binaries.
			return !slices.ContainsFunc(spdx(text), func(id string) bool { return id != "Apache-2.0" && id != "MPL-2.0" })
		})
	})
	return b.Bytes()
}

// once prints each text once, under the names of all modules that have it.
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
