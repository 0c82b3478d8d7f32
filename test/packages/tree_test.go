//go:build packages

package packages

import (
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

const binary = "usr/share/rtbeat/bin/rtbeat"

func TestBinaryIsStatic(t *testing.T) {
	f, err := elf.Open(filepath.Join(unpacked(t), binary))
	require.NoError(t, err)
	defer f.Close()
	for _, program := range f.Progs {
		require.NotEqual(t, elf.PT_INTERP, program.Type, "the binary needs a dynamic linker")
	}
	libraries, err := f.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libraries)
}

func TestVersionIsThatOfThePackage(t *testing.T) {
	version := strings.TrimSpace(said(t, root+"/scripts/version.sh"))
	require.Contains(t, said(t, filepath.Join(unpacked(t), binary), "version"), "rtbeat version "+version+" ")
	debian := strings.Replace(version, "-", "~", 1) // a prerelease sorts before its release
	require.Equal(t, debian, strings.TrimSpace(said(t, "dpkg-deb", "-f", pkg(t, "deb"), "Version")))
	require.Equal(t, debian, said(t, "rpm", "-qp", "--qf", "%{VERSION}", pkg(t, "rpm")))
}

// TestConfigurationAsInstalled runs "test config" as the service does: as its own user, on files with the modes and owners of the
// package. libbeat refuses a configuration that others may write.
func TestConfigurationAsInstalled(t *testing.T) {
	asRoot(t)
	const uid = 54321 // no user of the machine
	tree := unpacked(t)
	require.NoError(t, os.Chmod(tree, 0o755))
	for dir := filepath.Dir(tree); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	for name, f := range debFiles(t) {
		owner, group := 0, 0
		if f.owner == "rtbeat" {
			owner = uid
		}
		if f.group == "rtbeat" {
			group = uid
		}
		require.NoError(t, os.Chown(tree+name, owner, group))
		require.NoError(t, os.Chmod(tree+name, f.mode.Perm()))
	}
	check := func(ctx context.Context) (string, error) {
		cmd := exec.CommandContext(ctx, filepath.Join(tree, binary), "test", "config", "--path.home", tree+"/usr/share/rtbeat",
			"--path.config", tree+"/etc/rtbeat", "--path.data", tree+"/var/lib/rtbeat", "--path.logs", tree+"/var/log/rtbeat")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := check(t.Context())
	require.NoError(t, err, out)
	require.Contains(t, out, "Config OK")

	require.NoError(t, os.Chmod(tree+"/etc/rtbeat/rtbeat.yml", 0o660))
	out, err = check(t.Context())
	require.Error(t, err, "else this test shows nothing of modes")
	require.Contains(t, out, "can only be writable by the owner")
}

// TestCompletions asks the binary as shells do, with the wrapper's flags first.
func TestCompletions(t *testing.T) {
	tree := unpacked(t)
	said(t, "bash", "-n", tree+"/usr/share/bash-completion/completions/rtbeat")
	for _, name := range []string{"bash-completion/completions/rtbeat", "zsh/vendor-completions/_rtbeat", "fish/vendor_completions.d/rtbeat.fish"} {
		require.Contains(t, read(t, tree+"/usr/share/"+name), "__complete", name)
	}
	out := said(t, filepath.Join(tree, binary), "--path.config", "/etc/rtbeat", "__complete", "test", "")
	for _, command := range []string{"config", "intake", "output"} {
		require.Contains(t, out, command+"\t")
	}
}

func TestManPagesAreWhole(t *testing.T) {
	pages, err := filepath.Glob(unpacked(t) + "/usr/share/man/man1/*.1.gz")
	require.NoError(t, err)
	require.Greater(t, len(pages), 10)
	for _, page := range pages {
		cmd := exec.CommandContext(t.Context(), harness.FindProgram(t, "man"), "--warnings", "--local-file", page)
		cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8")
		var complaints strings.Builder
		cmd.Stderr = &complaints
		text, err := cmd.Output()
		require.NoError(t, err, page)
		require.Empty(t, complaints.String(), page)
		require.Contains(t, string(text), "SYNOPSIS", page)
	}
}

// TestUnits checks the units with the file tree of the package: a wrong path of a program is an error of the unit.
func TestUnits(t *testing.T) {
	tree := unpacked(t)
	units, err := filepath.Glob(tree + "/usr/lib/systemd/system/rtbeat.*")
	require.NoError(t, err)
	require.NotEmpty(t, units)
	// Programs of every system that the units call.
	require.NoError(t, os.MkdirAll(tree+"/bin", 0o755))
	require.NoError(t, os.WriteFile(tree+"/bin/sh", nil, 0o755))
	for _, unit := range units {
		name := filepath.Base(unit)
		require.Empty(t, said(t, "systemd-analyze", "verify", "--root="+tree, "--man=no", "--recursive-errors=no", name))
	}
	// systemd's term for a score of 2.0, from 0 to 10.
	said(t, "systemd-analyze", "security", "--offline=true", "--threshold=20", "--root="+tree, "rtbeat.service")
}
