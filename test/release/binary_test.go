//go:build release

package release

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkBinary reads a binary as its system would, with the notes of Go in it.
func checkBinary(t testing.TB, platform string, data []byte) {
	t.Helper()
	system, arch, _ := strings.Cut(platform, "/")
	switch system {
	case "linux":
		f, err := elf.NewFile(bytes.NewReader(data))
		require.NoError(t, err)
		require.Equal(t, map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch], f.Machine)
		for _, program := range f.Progs {
			require.NotEqual(t, elf.PT_INTERP, program.Type, "the binary needs a dynamic linker")
		}
		libraries, err := f.ImportedLibraries()
		require.NoError(t, err)
		require.Empty(t, libraries)
	case "darwin":
		f, err := macho.NewFile(bytes.NewReader(data))
		require.NoError(t, err)
		require.Equal(t, map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}[arch], f.Cpu)
	case "windows":
		f, err := pe.NewFile(bytes.NewReader(data))
		require.NoError(t, err)
		require.Equal(t, map[string]uint16{"amd64": pe.IMAGE_FILE_MACHINE_AMD64, "arm64": pe.IMAGE_FILE_MACHINE_ARM64}[arch], f.Machine)
	}

	info, err := buildinfo.Read(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, "github.com/txn2/rtbeat", info.Path)
	require.Equal(t, runtime.Version(), info.GoVersion)
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	require.Equal(t, system, settings["GOOS"])
	require.Equal(t, arch, settings["GOARCH"])
	require.Equal(t, "0", settings["CGO_ENABLED"])
	require.Equal(t, "true", settings["-trimpath"])

	// The linker's stamps. On this machine's platform the program prints them.
	for _, stamp := range []string{made.version, made.commit, made.time} {
		require.True(t, bytes.Contains(data, []byte(stamp)), "%s is not stamped", stamp)
	}
	if platform == runtime.GOOS+"/"+runtime.GOARCH {
		program := filepath.Join(t.TempDir(), "rtbeat")
		require.NoError(t, os.WriteFile(program, data, 0o755))
		says := said(t, t.TempDir(), program, "version")
		require.Contains(t, says, "rtbeat version "+made.version+" ("+arch+")")
		require.Contains(t, says, made.commit)
	}
}
