// Command extras writes further files of packages and archives to build/extras: man pages and shell completions, generated from
// the commands, and Debian's changelog.
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
	root, err := cmd.New("") // no command that runs here needs the fields
	if err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil { // the pages of removed commands too
		return err
	}
	for _, folder := range []string{"man", "completions", "scripts"} {
		if err := os.MkdirAll(filepath.Join(out, folder), 0o755); err != nil {
			return err
		}
	}
	return errors.Join(
		completions(&root.Command, filepath.Join(out, "completions")),
		manPages(&root.Command, version, at, filepath.Join(out, "man")),
		scripts(at, filepath.Join(out, "scripts")),
		compress(filepath.Join(out, "changelog.gz"), changelog(version, at)),
	)
}

// completions writes files with the names that the shells expect.
func completions(root *cobra.Command, folder string) error {
	return errors.Join(
		root.GenBashCompletionFileV2(filepath.Join(folder, "rtbeat"), true),
		root.GenZshCompletionFile(filepath.Join(folder, "_rtbeat")),
		root.GenFishCompletionFile(filepath.Join(folder, "rtbeat.fish"), true),
	)
}

// files is a section of rtbeat(1).
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
func manPages(root *cobra.Command, version string, at time.Time, folder string) error {
	root.DisableAutoGenTag = true
	header := doc.GenManHeader{Section: "1", Date: &at, Source: "rtbeat " + version, Manual: "rtbeat"}
	if err := doc.GenManTree(root, &header, folder); err != nil {
		return fmt.Errorf("man pages: %w", err)
	}
	pages, err := filepath.Glob(filepath.Join(folder, "*.1"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		if filepath.Base(page) == "rtbeat.1" {
			text = bytes.Replace(text, []byte(".SH SEE ALSO"), []byte(files+".SH SEE ALSO"), 1)
		}
		if err := errors.Join(compress(page+".gz", text), os.Remove(page)); err != nil {
			return err
		}
	}
	return nil
}

// scripts copies the scripts of installation and removal. An apk takes the mode and time of the source file, which differ between
// checkouts.
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

// changelog names the notes of the release, in Debian's format. A tilde makes a prerelease older than its release.
func changelog(version string, at time.Time) []byte {
	return fmt.Appendf(nil, `rtbeat (%s) stable; urgency=medium

  * See https://github.com/txn2/rtbeat/releases

 -- the rtbeat authors <txn2@users.noreply.github.com>  %s
`, strings.Replace(version, "-", "~", 1), at.Format(time.RFC1123Z))
}

// compress writes the same bytes for the same text, without a name or time.
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
