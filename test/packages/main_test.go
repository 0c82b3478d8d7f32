//go:build packages

// Package packages tests the deb, rpm and apk of `make packages`: files, owners and scripts.
package packages

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	// root is the module's directory; go test runs with the package's directory as its working directory.
	root = "../.."
)

var formats = []string{"deb", "rpm", "apk"}

// pkg is the path of a format's package. There must be exactly one.
func pkg(t testing.TB, format string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "build/packages/rtbeat_*."+format))
	require.NoError(t, err)
	require.Len(t, found, 1, "make packages builds one %s", format)
	path, err := filepath.Abs(found[0])
	require.NoError(t, err)
	return path
}

// asRoot skips a test that needs root: for files of other users, or for another root folder.
func asRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	harness.Missing(t, "this test needs root")
}

// said is the output of a program, which must succeed.
func said(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), harness.FindProgram(t, name), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s %s:\n%s%s", name, strings.Join(args, " "), out, &stderr)
	return string(out) + stderr.String()
}

// unpacked is the file tree of the deb.
func unpacked(t testing.TB) string {
	t.Helper()
	tree := t.TempDir()
	said(t, "dpkg-deb", "-x", pkg(t, "deb"), tree)
	return tree
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func all(t testing.TB, r io.Reader) []byte {
	t.Helper()
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return text
}
