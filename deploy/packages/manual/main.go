// Command manual writes what packages and archives have beside the binary and its configuration: man pages and shell
// completions, generated from the commands, and the changelog that Debian asks for. They go to build/manual.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/txn2/rtbeat/cmd"
)

func main() {
	version := flag.String("version", "", "the version of the package")
	date := flag.String("date", "", "the time of the commit, as in RFC 3339")
	out := flag.String("out", "build/manual", "where the files go")
	flag.Parse()
	if err := run(*version, *date, *out); err != nil {
		fmt.Fprintln(os.Stderr, "manual:", err)
		os.Exit(1)
	}
}

func run(version, date, out string) error {
	at, err := time.Parse(time.RFC3339, date)
	if err != nil {
		return fmt.Errorf("-date: %w", err)
	}
	if version == "" {
		return errors.New("-version is missing")
	}
	root, err := cmd.New("") // the fields are for commands that are not run here
	if err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil { // a command that is gone leaves no page
		return err
	}
	for _, folder := range []string{"man", "completions"} {
		if err := os.MkdirAll(filepath.Join(out, folder), 0o755); err != nil {
			return err
		}
	}
	if err := completions(&root.Command, filepath.Join(out, "completions")); err != nil {
		return err
	}
	if err := manPages(&root.Command, version, at, filepath.Join(out, "man")); err != nil {
		return err
	}
	return compress(filepath.Join(out, "changelog.gz"), changelog(version, at))
}

// completions have the names under which the shells look for them.
func completions(root *cobra.Command, folder string) error {
	for name, generate := range map[string]func(*bytes.Buffer) error{
		"rtbeat":      func(b *bytes.Buffer) error { return root.GenBashCompletionV2(b, true) },
		"_rtbeat":     func(b *bytes.Buffer) error { return root.GenZshCompletion(b) },
		"rtbeat.fish": func(b *bytes.Buffer) error { return root.GenFishCompletion(b, true) },
	} {
		var b bytes.Buffer
		if err := generate(&b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// manPages writes rtbeat(1) and a page for each command below it, compressed.
func manPages(c *cobra.Command, version string, at time.Time, folder string) error {
	c.DisableAutoGenTag = true
	header := doc.GenManHeader{Section: "1", Date: &at, Source: "rtbeat " + version, Manual: "rtbeat"}
	var page bytes.Buffer
	if err := doc.GenMan(c, &header, &page); err != nil {
		return fmt.Errorf("page of %q: %w", c.CommandPath(), err)
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1.gz"
	if err := compress(filepath.Join(folder, name), page.Bytes()); err != nil {
		return err
	}
	for _, child := range c.Commands() {
		if !child.IsAvailableCommand() || child.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := manPages(child, version, at, folder); err != nil {
			return err
		}
	}
	return nil
}

// changelog is Debian's form of saying where the notes of a release are. A prerelease comes before its release there only
// with a tilde.
func changelog(version string, at time.Time) []byte {
	return fmt.Appendf(nil, `rtbeat (%s) stable; urgency=medium

  * See https://github.com/txn2/rtbeat/releases

 -- the rtbeat authors <txn2@users.noreply.github.com>  %s
`, strings.Replace(version, "-", "~", 1), at.Format(time.RFC1123Z))
}

// compress writes the same bytes for the same text: neither name nor time go into the file.
func compress(path string, text []byte) error {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
