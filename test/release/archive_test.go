//go:build release

package release

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// entry is a file of an archive.
type entry struct {
	mode  fs.FileMode
	owner string
	at    time.Time
	data  []byte
}

// TestArchives checks every file in the archive of each platform.
func TestArchives(t *testing.T) {
	for _, platform := range platforms {
		t.Run(platform, func(t *testing.T) {
			inside := open(t, made.archive(platform))
			program := "rtbeat"
			if strings.HasPrefix(platform, "windows/") {
				program += ".exe"
			}

			want := map[string]fs.FileMode{
				program: 0o755, "rtbeat.yml": 0o600, "rtbeat.reference.yml": 0o644, "LICENSE": 0o644, "NOTICE": 0o644, "README.md": 0o644,
				"completions/rtbeat": 0o644, "completions/_rtbeat": 0o644, "completions/rtbeat.fish": 0o644, "man/rtbeat.1.gz": 0o644,
			}
			for _, unit := range serviceFiles(t, platform) {
				want[unit] = 0o644
			}
			for name := range inside {
				if strings.HasPrefix(name, "man/rtbeat-") {
					want[name] = 0o644
				}
			}
			require.Greater(t, len(want), 20, "a man page for each command")
			require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(inside)))
			for name, mode := range want {
				require.Equal(t, mode, inside[name].mode, name)
				require.Equal(t, "root:root", inside[name].owner, name)
				require.Equal(t, made.time, inside[name].at.UTC().Format(time.RFC3339), name)
				traceless(t, name, inside[name].data)
			}

			for _, name := range []string{"rtbeat.yml", "rtbeat.reference.yml", "LICENSE", "NOTICE", "README.md"} {
				require.Equal(t, said(t, made.folder, "git", "show", "HEAD:"+name), strings.TrimSpace(string(inside[name].data)), name)
			}
			page := string(gunzip(t, inside["man/rtbeat.1.gz"].data))
			require.Contains(t, page, `"rtbeat `+made.version+`"`)
			require.Contains(t, page, "SH FILES")
			for _, shell := range []string{"rtbeat", "_rtbeat", "rtbeat.fish"} {
				require.Contains(t, string(inside["completions/"+shell].data), "__complete")
			}
			checkBinary(t, platform, inside[program].data)
		})
	}
}

// serviceFiles run rtbeat as a service on each system.
func serviceFiles(t testing.TB, platform string) []string {
	t.Helper()
	system, _, _ := strings.Cut(platform, "/")
	folder := map[string]string{"linux": "systemd", "darwin": "launchd", "windows": "windows"}[system]
	var names []string
	for file := range strings.FieldsSeq(said(t, made.folder, "git", "ls-files", "deploy/"+folder)) {
		names = append(names, path.Base(file))
	}
	return names
}

// traceless requires that no byte names the build machine.
func traceless(t testing.TB, name string, data []byte) {
	t.Helper()
	host, err := os.Hostname()
	require.NoError(t, err)
	checkout := said(t, repository, "git", "rev-parse", "--show-toplevel")
	traces := append([]string{made.folder, checkout}, strings.Fields(said(t, ".", "go", "env", "GOMODCACHE", "GOCACHE", "GOPATH"))...)
	if len(host) > 6 { // a shorter name occurs in a hundred megabytes by chance
		traces = append(traces, host)
	}
	for _, trace := range traces {
		at := bytes.Index(data, []byte(trace))
		require.Negative(t, at, "%s has %q at %d", name, trace, at)
	}
}

// open reads a whole archive. All files are in one folder, whose name is left out.
func open(t testing.TB, file string) map[string]entry {
	t.Helper()
	if strings.HasSuffix(file, ".zip") {
		return unzip(t, file)
	}
	entries := map[string]entry{}
	for archive := tar.NewReader(bytes.NewReader(gunzip(t, read(t, file)))); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		require.NoError(t, err)
		require.Equal(t, byte(tar.TypeReg), header.Typeflag, header.Name)
		data, err := io.ReadAll(archive)
		require.NoError(t, err)
		entries[inner(t, file, header.Name)] = entry{
			mode: header.FileInfo().Mode().Perm(), owner: header.Uname + ":" + header.Gname, at: header.ModTime, data: data,
		}
	}
}

func unzip(t testing.TB, file string) map[string]entry {
	t.Helper()
	archive, err := zip.OpenReader(file)
	require.NoError(t, err)
	defer archive.Close()
	entries := map[string]entry{}
	for _, f := range archive.File {
		r, err := f.Open()
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		// A zip has no owners.
		entries[inner(t, file, f.Name)] = entry{mode: f.Mode().Perm(), owner: "root:root", at: f.Modified, data: data}
	}
	return entries
}

func inner(t testing.TB, file, name string) string {
	t.Helper()
	in, has := strings.CutPrefix(name, "rtbeat-"+made.version+"/")
	require.True(t, has, "%s of %s is outside of the archive's folder", name, file)
	return in
}

func gunzip(t testing.TB, data []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return text
}
