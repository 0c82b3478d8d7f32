//go:build release

// Package release makes a release offline, without publishing, and checks its files. Steps that need GitHub (keys, the registry,
// SBOM, the tap) are left out; docs/releasing.md says how to check them.
package release

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	// repository is the module's directory; go test runs with the package's directory as its working directory.
	repository = "../.."
	// releaseEnv names a checkout with a finished run of GoReleaser. The tests check that run instead of a new one.
	releaseEnv = "RTBEAT_RELEASE"
)

// platforms are the platforms of a release's binaries.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// release is a checkout with its build results.
type release struct {
	folder                string
	version, commit, time string
}

// made is the release under test.
var made release

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	var err error
	if folder := os.Getenv(releaseEnv); folder != "" {
		made, err = opened(folder)
	} else {
		var parent string
		if parent, err = os.MkdirTemp("", "rtbeat-release-"); err != nil {
			return 0, err
		}
		defer func() { _ = os.RemoveAll(parent) }()
		made, err = snapshot(filepath.Join(parent, "a-folder-of-the-builder"))
	}
	if err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// snapshot clones the last commit into a folder and makes a release there, without publishing.
func snapshot(folder string) (release, error) {
	tool, err := output(repository, "scripts/tool.sh", "goreleaser")
	if err != nil {
		return release{}, err
	}
	source, err := filepath.Abs(repository)
	if err != nil {
		return release{}, err
	}
	for _, args := range [][]string{
		{"clone", "--quiet", "--no-tags", source, folder},
		{"-C", folder, "remote", "set-url", "origin", "https://github.com/txn2/rtbeat.git"},
	} {
		if _, err := output(".", "git", args...); err != nil {
			return release{}, err
		}
	}
	// GoReleaser needs a tag. With a tag before HEAD, scripts/version.sh still takes the version from the commit.
	if _, err := output(folder, "git", "tag", "v0.0.0", "HEAD~1"); err != nil {
		return release{}, err
	}
	if _, err := output(folder, tool, "release", "--snapshot", "--clean", "--skip=publish,sign,docker,sbom"); err != nil {
		return release{}, err
	}
	return opened(folder)
}

func opened(folder string) (release, error) {
	r := release{}
	var err error
	for value, command := range map[*string][]string{
		&r.version: {"scripts/version.sh"}, &r.time: {"scripts/committime.sh"}, &r.commit: {"git", "rev-parse", "HEAD"},
	} {
		if *value, err = output(folder, command[0], command[1:]...); err != nil {
			return r, err
		}
	}
	r.folder, err = filepath.Abs(folder)
	return r, err
}

// output is the output of a program, without the last newline.
func output(folder, name string, args ...string) (string, error) {
	if strings.HasPrefix(name, "scripts/") {
		name = "./" + name
	}
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Dir = folder
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", errors.Join(fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err), errors.New(string(out)+stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

func (r release) dist(name string) string { return filepath.Join(r.folder, "dist", name) }

// archive is the path of a platform's archive.
func (r release) archive(platform string) string {
	extension := ".tar.gz"
	if strings.HasPrefix(platform, "windows/") {
		extension = ".zip"
	}
	return r.dist("rtbeat_" + r.version + "_" + strings.ReplaceAll(platform, "/", "_") + extension)
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return text
}

// said is the output of a program in a folder. The program must succeed.
func said(t testing.TB, folder, name string, args ...string) string {
	t.Helper()
	out, err := output(folder, name, args...)
	require.NoError(t, err)
	return out
}
