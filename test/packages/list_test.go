//go:build packages

package packages

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

var update = flag.Bool("update", false, "write testdata/files.txt")

const golden = "testdata/files.txt"

// file is one entry of a package.
type file struct {
	mode         fs.FileMode
	owner, group string
	config       bool // an upgrade keeps the operator's changes
	at           time.Time
}

func (f file) String() string {
	kind := "file"
	switch {
	case f.mode.IsDir():
		kind = "dir"
	case f.config:
		kind = "conffile"
	}
	return fmt.Sprintf("%s %s:%s %s", f.mode, f.owner, f.group, kind)
}

// TestFiles compares the packages with testdata/files.txt: path, mode, owner and kind of each file. A change there changes every
// installation.
func TestFiles(t *testing.T) {
	lists := map[string]map[string]file{"deb": debFiles(t), "rpm": rpmFiles(t), "apk": apkFiles(t)}
	in := map[string][]string{} // the formats with this line
	for _, format := range formats {
		require.Greater(t, len(lists[format]), 10, format)
		for name, f := range lists[format] {
			line := fmt.Sprintf("%s %s", f, name)
			in[line] = append(in[line], format)
		}
	}
	var got strings.Builder
	for _, line := range slices.SortedFunc(maps.Keys(in), func(a, b string) int {
		return strings.Compare(a[strings.LastIndex(a, " "):]+a, b[strings.LastIndex(b, " "):]+b)
	}) {
		fmt.Fprintf(&got, "%-11s %s\n", strings.Join(in[line], ","), line)
	}
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got.String()), 0o644))
	}
	require.Equal(t, read(t, golden), got.String(), "go test -tags packages ./test/packages -run TestFiles -update writes the list")
}

// TestTimes requires that all files have the time of the commit, so that every build makes the same package.
func TestTimes(t *testing.T) {
	want := strings.TrimSpace(said(t, root+"/scripts/committime.sh"))
	for format, files := range map[string]map[string]file{"deb": debFiles(t), "rpm": rpmFiles(t), "apk": apkFiles(t)} {
		for name, f := range files {
			require.Equal(t, want, f.at.UTC().Format(time.RFC3339), "%s: %s", format, name)
		}
	}
}

func debFiles(t testing.TB) map[string]file {
	t.Helper()
	data, err := exec.CommandContext(t.Context(), harness.FindProgram(t, "dpkg-deb"), "--fsys-tarfile", pkg(t, "deb")).Output()
	require.NoError(t, err)
	configs := strings.Fields(said(t, "dpkg-deb", "-I", pkg(t, "deb"), "conffiles"))
	files := fromTar(t, bytes.NewReader(data))
	for _, name := range configs {
		f, has := files[name]
		require.True(t, has, "%s is a conffile, and missing", name)
		f.config = true
		files[name] = f
	}
	return files
}

func apkFiles(t testing.TB) map[string]file {
	t.Helper()
	opened, err := os.Open(pkg(t, "apk"))
	require.NoError(t, err)
	defer opened.Close()
	r, err := gzip.NewReader(opened)
	require.NoError(t, err)
	files := fromTar(t, r)
	// apk keeps all changed files below etc, without a mark.
	for name, f := range files {
		f.config = strings.HasPrefix(name, "/etc/")
		files[name] = f
	}
	// The control part has no time. Its scripts have one.
	delete(files, "/.PKGINFO")
	return files
}

// fromTar leaves out folders that every system has.
func fromTar(t testing.TB, r io.Reader) map[string]file {
	t.Helper()
	files := map[string]file{}
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		name := path.Join("/", header.Name)
		f := file{mode: header.FileInfo().Mode(), owner: header.Uname, group: header.Gname, at: header.ModTime}
		if f.owner == "" {
			f.owner, f.group = "root", "root"
			require.Zero(t, header.Uid+header.Gid, name)
		}
		if f.mode.IsDir() && path.Base(name) != "rtbeat" && path.Base(name) != "bin" || name == "/usr/bin" {
			require.Equal(t, "drwxr-xr-x root:root dir", f.String(), name)
			continue
		}
		files[name] = f
	}
}

func rpmFiles(t testing.TB) map[string]file {
	t.Helper()
	const config = 1 // RPMFILE_CONFIG
	files := map[string]file{}
	for line := range strings.Lines(said(t, "rpm", "-qp", "--qf",
		`[%{FILENAMES} %{FILEMODES} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILEFLAGS} %{FILEMTIMES}\n]`, pkg(t, "rpm"))) {
		fields := strings.Fields(line)
		require.Len(t, fields, 6, line)
		bits, flags, at := number(t, fields[1]), number(t, fields[4]), number(t, fields[5])
		mode := fs.FileMode(bits & 0o777)
		if bits&0o170000 == 0o040000 {
			mode |= fs.ModeDir
		}
		files[fields[0]] = file{mode: mode, owner: fields[2], group: fields[3], config: flags&config != 0, at: time.Unix(at, 0)}
	}
	return files
}

func number(t testing.TB, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err)
	return n
}
