//go:build image

// Package image tests the container image against its Dockerfile: its files, and its run on the strictest platforms. buildah
// builds it and runc runs it, without Docker.
package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	// folderEnv names the folder with the binary of each platform, and platformsEnv the platforms.
	folderEnv    = "RTBEAT_IMAGE_FOLDER"
	platformsEnv = "RTBEAT_IMAGE_PLATFORMS"

	name = "rtbeat:test"
)

// work has the images of this run. missing is the reason why there are none.
var (
	work    string
	missing string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rtbeat-image-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	work = dir
	if missing = lacking(); missing == "" {
		if err := build(); err != nil {
			fmt.Fprintln(os.Stderr, "image:", err)
			return 1
		}
	} else if harness.IsRequired() {
		fmt.Fprintln(os.Stderr, "image:", missing)
		return 1
	}
	return harness.Run(m)
}

// lacking names a missing requirement, if there is one.
func lacking() string {
	for _, program := range []string{"buildah", "skopeo", "umoci", "runc"} {
		if _, err := exec.LookPath(program); err != nil {
			return "no " + program + " here: scripts/provide.sh installs it"
		}
	}
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return "containers are made and run by root on Linux"
	}
	return ""
}

// platforms of the image. The first one is the machine's.
func platforms() []string { return strings.Fields(os.Getenv(platformsEnv)) }

// build makes the image of each platform with the script of `make image`, each in its own folder.
func build() error {
	folder := os.Getenv(folderEnv)
	if folder == "" || len(platforms()) == 0 {
		return errors.New("make image-test sets " + folderEnv + " and " + platformsEnv)
	}
	store := []string{"--root", filepath.Join(work, "store"), "--runroot", filepath.Join(work, "run"), "--storage-driver", "vfs"}
	engine := "buildah " + strings.Join(store, " ")
	script, err := filepath.Abs(filepath.Join(harness.RepoRoot, "scripts", "image-build.sh"))
	if err != nil {
		return err
	}
	if _, err := command([]string{"ENGINE=" + engine}, script, append([]string{folder, name}, platforms()...)...); err != nil {
		return err
	}
	all := "oci:" + filepath.Join(work, "all") + ":test"
	push := []string{"push", name, all}
	if len(platforms()) > 1 {
		push = []string{"manifest", "push", "--all", name, all}
	}
	if _, err := command(nil, "buildah", slices.Concat(store, push)...); err != nil {
		return err
	}
	for _, platform := range platforms() {
		_, arch, _ := strings.Cut(platform, "/")
		if _, err := command(nil, "skopeo", "--override-os", "linux", "--override-arch", arch, "copy", all, layout(platform)); err != nil {
			return err
		}
	}
	return nil
}

// layout is the name of a platform's image for skopeo.
func layout(platform string) string { return "oci:" + ociPath(platform) }

func ociPath(platform string) string {
	return filepath.Join(work, strings.ReplaceAll(platform, "/", "-")) + ":test"
}

// command runs a program to its end and returns what it printed.
func command(env []string, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", program, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out), nil
}

// must is command, and fails the test on an error.
func must(t testing.TB, program string, args ...string) string {
	t.Helper()
	out, err := command(nil, program, args...)
	require.NoError(t, err)
	return out
}

// unpack makes an OCI bundle of an image: its files in rootfs, and a config.json.
func unpack(t testing.TB, platform string) (bundle string) {
	t.Helper()
	if missing != "" {
		t.Skip(missing)
	}
	bundle = filepath.Join(t.TempDir(), "bundle")
	must(t, "umoci", "unpack", "--image", ociPath(platform), bundle)
	return bundle
}
