// Command nfpm writes to its standard output what the program nfpm needs to build a package, taken from the nfpms of
// .goreleaser.yml: what a release contains is said there, once. A key that nfpm does not know, it refuses.
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

// build is what GoReleaser's templates know, as far as they are used there.
type build struct{ Version, CommitDate, Arch string }

func main() {
	var b build
	flag.StringVar(&b.Version, "version", "", "the version of the package")
	flag.StringVar(&b.CommitDate, "date", "", "the time of the commit, as in RFC 3339")
	flag.StringVar(&b.Arch, "arch", "", "the architecture, in Go's words")
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
	expanded, err := b.expand(entry)
	if err != nil {
		return fmt.Errorf(".goreleaser.yml: %w", err)
	}
	config, err := translate(expanded.(map[string]any), b, binary) //nolint:forcetypeassert // expand keeps the type
	if err != nil {
		return fmt.Errorf(".goreleaser.yml: %w", err)
	}
	return yaml.NewEncoder(os.Stdout).Encode(config)
}

// expand fills in the templates, wherever they are.
func (b build) expand(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case string:
		t, err := template.New("").Parse(v)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		if err := t.Execute(&out, b); err != nil {
			return nil, err
		}
		return out.String(), nil
	case []any:
		for i := range v {
			if v[i], err = b.expand(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = b.expand(v[key]); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

// translate does what GoReleaser does when it calls nfpm: it adds the build and its binary. A few keys have other names.
func translate(entry map[string]any, b build, binary string) (map[string]any, error) {
	folder, isText := entry["bindir"].(string)
	contents, isList := entry["contents"].([]any)
	if !isText || !isList {
		return nil, errors.New("nfpms needs bindir and contents")
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
	return entry, nil
}

func rename(entry map[string]any, from, to string) {
	if value, has := entry[from]; has {
		entry[to] = value
		delete(entry, from)
	}
}
