//go:build cluster

package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	image = "localhost/rtbeat:dev"
	// imageFolderEnv names the folder with the binary for the image.
	imageFolderEnv = "RTBEAT_IMAGE_FOLDER"
)

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
	build := exec.Command(script, os.Getenv(imageFolderEnv), image, "linux/"+architecture()) //nolint:noctx // the script's commands end
	build.Env = append(os.Environ(), "ENGINE=buildah "+strings.Join(store, " "))
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	if err := buildah("push", image, "docker-archive:"+file("rtbeat.tar")+":"+image); err != nil {
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
