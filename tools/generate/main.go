// Package generate is the common part of the generators: they write files, or parts of pages between marks. With -check they
// write nothing, and fail when a file is out of date. `make generate` and `make generate-check` run them.
package generate

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// Main is the main function of a generator, which runs in the root of the repository. content returns the files that it
// generates, by their paths.
func Main(content func() (map[string][]byte, error)) {
	check := flag.Bool("check", false, "write nothing; fail when a file is out of date")
	flag.Parse()
	files, err := content()
	if err == nil {
		err = putAll(files, *check)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}

func putAll(files map[string][]byte, check bool) (err error) {
	for _, path := range slices.Sorted(maps.Keys(files)) {
		err = errors.Join(err, put(path, files[path], check))
	}
	return err
}

func put(path string, want []byte, check bool) error {
	have, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(have, want):
		return nil
	case check:
		return errors.Join(err, fmt.Errorf("%s is out of date: run `make generate` and commit it", path))
	}
	return os.WriteFile(path, want, 0o644)
}

// Marks of generated text. The text is between the groups before and after.
var (
	InMarkdown = regexp.MustCompile(`(?s)(?P<before><!-- generated: (?P<name>[\w ]+) -->).*?(?P<after><!-- end of generated -->)`)
	InYAML     = regexp.MustCompile(`(?s)(?P<before># generated: (?P<name>\w+)\n).*?(?P<after> *# end of generated\n)`)
	InEnums    = regexp.MustCompile(`(?P<before>enum: )\[[^\]]*\](?P<after>\S* # generated: (?P<name>.+))`)
)

// Page returns the text of a file with each of texts between its marks. It fails unless each text has one mark, and each mark a
// text.
func Page(path string, mark *regexp.Regexp, texts map[string]string) ([]byte, error) {
	page, err := os.ReadFile(path)
	if err == nil {
		page, err = fill(page, mark, texts)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return page, nil
}

func fill(page []byte, mark *regexp.Regexp, texts map[string]string) ([]byte, error) {
	var errs []error
	seen := make(map[string]bool)
	filled := mark.ReplaceAllFunc(page, func(found []byte) []byte {
		groups := mark.FindSubmatch(found)
		group := func(name string) []byte { return groups[mark.SubexpIndex(name)] }
		name := string(group("name"))
		text, known := texts[name]
		if !known || seen[name] {
			errs = append(errs, fmt.Errorf("the mark %q: no such text, or a second mark for it", name))
		}
		seen[name] = true
		return slices.Concat(group("before"), []byte(text), group("after"))
	})
	for name := range texts {
		if !seen[name] {
			errs = append(errs, fmt.Errorf("no mark %q", name))
		}
	}
	return filled, errors.Join(errs...)
}
