// Command extras writes what packages and archives have beside the binary and its configuration: man pages and shell
// completions, generated from the commands, and the changelog that Debian asks for. They go to build/extras.
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
	out := flag.String("out", "build/extras", "where the files go")
	flag.Parse()
	if err := run(*version, *date, *out); err != nil {
		fmt.Fprintln(os.Stderr, "extras:", err)
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
	for _, folder := range []string{"man", "completions", "scripts"} {
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
	if err := scripts(at, filepath.Join(out, "scripts")); err != nil {
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

// files is what rtbeat(1) has to say beyond the commands.
const files = `.SH FILES
Of the packages for Linux:
.TP
/etc/rtbeat/rtbeat.yml
The configuration. It belongs to the user rtbeat, and nobody else may write to it.
.TP
/etc/rtbeat/rtbeat.reference.yml
All settings, with their defaults.
.TP
/etc/default/rtbeat
Environment of the service.
.TP
/var/lib/rtbeat, /var/log/rtbeat
Identity, keystore and, in durable mode, the queue on disk; logs, where they go to files.
.TP
/usr/share/rtbeat/bin/rtbeat
The program, which /usr/bin/rtbeat calls with these folders, as the user rtbeat when root calls it.
.PP

`

// manPages writes rtbeat(1) and a page for each command below it, compressed.
func manPages(c *cobra.Command, version string, at time.Time, folder string) error {
	c.DisableAutoGenTag = true
	header := doc.GenManHeader{Section: "1", Date: &at, Source: "rtbeat " + version, Manual: "rtbeat"}
	var page bytes.Buffer
	if err := doc.GenMan(c, &header, &page); err != nil {
		return fmt.Errorf("page of %q: %w", c.CommandPath(), err)
	}
	text := page.Bytes()
	if !c.HasParent() {
		text = bytes.Replace(text, []byte(".SH SEE ALSO"), []byte(files+".SH SEE ALSO"), 1)
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1.gz"
	if err := compress(filepath.Join(folder, name), text); err != nil {
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

// scripts copies what runs at installation and removal. In an apk such a file has the mode and time of its source, which
// in a checkout are anything.
func scripts(at time.Time, folder string) error {
	paths, err := filepath.Glob("deploy/packages/*.sh")
	if err != nil {
		return err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		copied := filepath.Join(folder, filepath.Base(path))
		if err := os.WriteFile(copied, text, 0o755); err != nil {
			return err
		}
		if err := errors.Join(os.Chmod(copied, 0o755), os.Chtimes(copied, at, at)); err != nil {
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
