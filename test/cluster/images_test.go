//go:build cluster

package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/txn2/rtbeat/test/harness"
)

// imageFolderEnv names the folder with the binary for the image.
const imageFolderEnv = "RTBEAT_IMAGE_FOLDER"

// image is the name in the manifests and the chart.
func image() (string, error) {
	version, err := os.ReadFile(filepath.Join(harness.RepoRoot, "VERSION"))
	return "ghcr.io/txn2/rtbeat:" + strings.TrimSpace(string(version)), err
}

// buildImages writes rtbeat's image, made by the script of `make image`, and the image of the sandboxes, as archives.
func buildImages() error {
	store := []string{"--root", file("store"), "--runroot", file("store-run"), "--storage-driver", "vfs"}
	buildah := func(args ...string) error {
		_, err := output(append(append([]string{"buildah"}, store...), args...)...)
		return err
	}
	script, err := filepath.Abs(filepath.Join(harness.RepoRoot, "scripts", "image-build.sh"))
	if err != nil {
		return err
	}
	name, err := image()
	if err != nil {
		return err
	}
	build := exec.Command(script, os.Getenv(imageFolderEnv), name, "linux/"+runtime.GOARCH) //nolint:noctx // the script's commands end
	build.Env = append(os.Environ(), "ENGINE=buildah "+strings.Join(store, " "))
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	if err := buildah("push", name, "docker-archive:"+file("rtbeat.tar")+":"+name); err != nil {
		return err
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	const pause = "localhost/pause:1"
	if err := buildah("build", "--isolation", "chroot", "--file", "testdata/pause.Containerfile", "--tag", pause, filepath.Dir(busybox)); err != nil {
		return err
	}
	return buildah("push", pause, "docker-archive:"+file("pause.tar")+":"+pause)
}
