// Command nfpm writes the configuration of the program nfpm to standard output. It takes it from the nfpms of .goreleaser.yml, so
// that the content of a package has one source. nfpm refuses a key that it does not know.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"text/template"

	"go.yaml.in/yaml/v3"
)

// build has the fields of GoReleaser's templates that .goreleaser.yml uses.
type build struct{ Version, CommitDate, Arch string }

func main() {
	var b build
	flag.StringVar(&b.Version, "version", "", "the version of the package")
	flag.StringVar(&b.CommitDate, "date", "", "the time of the commit, as in RFC 3339")
	flag.StringVar(&b.Arch, "arch", "", "the architecture, as GOARCH")
	binary := flag.String("binary", "build/rtbeat", "the binary to package")
	flag.Parse()
	if err := run(b, *binary); err != nil {
		fmt.Fprintln(os.Stderr, "nfpm:", err)
		os.Exit(1)
	}
}

func run(b build, binary string) error {
	text, err := os.ReadFile(".goreleaser.yml")
	if err != nil {
		return fmt.Errorf("call it in the root of the repository: %w", err)
	}
	var file struct {
		NFPMs []map[string]any `yaml:"nfpms"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return fmt.Errorf(".goreleaser.yml: %w", err)
	}
	if len(file.NFPMs) != 1 {
		return errors.New(".goreleaser.yml: want one entry in nfpms")
	}
	entry := file.NFPMs[0]
	for _, key := range []string{"id", "ids", "formats", "file_name_template"} { // not for nfpm
		delete(entry, key)
	}
	if err := translate(entry, b, binary); err != nil {
		return fmt.Errorf(".goreleaser.yml: %w", err)
	}
	return yaml.NewEncoder(os.Stdout).Encode(entry)
}

// expand executes the templates in an entry.
func (b build) expand(entry map[string]any) error {
	text, err := yaml.Marshal(entry)
	if err != nil {
		return err
	}
	t, err := template.New("").Parse(string(text))
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, b); err != nil {
		return err
	}
	return yaml.Unmarshal(out.Bytes(), &entry)
}

// translate makes nfpm's configuration of an entry, as GoReleaser does: it executes the templates, adds the binary, and renames keys.
func translate(entry map[string]any, b build, binary string) error {
	if err := b.expand(entry); err != nil {
		return err
	}
	folder, isText := entry["bindir"].(string)
	contents, isList := entry["contents"].([]any)
	if !isText || !isList {
		return errors.New("nfpms needs bindir and contents")
	}
	entry["contents"] = append(contents, map[string]any{
		"src": binary, "dst": path.Join(folder, "rtbeat"),
		"file_info": map[string]any{"mode": 0o755, "mtime": b.CommitDate},
	})
	delete(entry, "bindir")
	rename(entry, "package_name", "name")
	rename(entry, "dependencies", "depends")
	overrides, _ := entry["overrides"].(map[string]any)
	for _, override := range overrides {
		if override, isMap := override.(map[string]any); isMap {
			rename(override, "dependencies", "depends")
		}
	}
	entry["version"], entry["arch"], entry["platform"] = b.Version, b.Arch, "linux"
	return nil
}

func rename(entry map[string]any, from, to string) {
	if value, has := entry[from]; has {
		entry[to] = value
		delete(entry, from)
	}
}
