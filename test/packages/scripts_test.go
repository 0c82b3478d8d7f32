//go:build packages

package packages

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// names are the formats' names of the scripts.
var names = map[string]struct{ deb, rpm, apk string }{
	"preinstall":  {"preinst", "PREIN", ".pre-install"},
	"postinstall": {"postinst", "POSTIN", ".post-install"},
	"preremove":   {"prerm", "PREUN", ".pre-deinstall"},
	"postremove":  {"postrm", "POSTUN", ".post-deinstall"},
}

func TestScriptsAreTheSameEverywhere(t *testing.T) {
	inAPK := apkScripts(t)
	for source, in := range names {
		want := read(t, root+"/deploy/packages/"+source+".sh")
		require.Equal(t, want, said(t, "dpkg-deb", "-I", pkg(t, "deb"), in.deb))
		require.Equal(t, want, said(t, "rpm", "-qp", "--qf", "%{"+in.rpm+"}", pkg(t, "rpm")), in.rpm)
		require.Equal(t, want, inAPK[in.apk], in.apk)
	}
}

func TestScriptsAreSound(t *testing.T) {
	for source := range names {
		said(t, "shellcheck", root+"/deploy/packages/"+source+".sh")
	}
	said(t, "shellcheck", root+"/deploy/packages/wrapper")
}

// TestScripts runs the scripts as dpkg, rpm and apk do, in a root folder with only busybox and programs that record their calls.
func TestScripts(t *testing.T) {
	const (
		reload  = "systemctl daemon-reload\n"
		restart = "systemctl try-restart rtbeat.service\n"
		stop    = "systemctl --no-reload disable --now rtbeat.socket rtbeat.service\n"
		user    = "groupadd --system rtbeat\n" +
			"useradd --system --gid rtbeat --home-dir /var/lib/rtbeat --no-create-home --comment rtbeat --shell /usr/sbin/nologin rtbeat\n"
		alpine = "addgroup -S rtbeat\n" +
			"adduser -S -D -H -G rtbeat -h /var/lib/rtbeat -g rtbeat -s /sbin/nologin rtbeat\n"
	)
	shadow := []string{"useradd", "groupadd", "systemctl"}
	for name, test := range map[string]struct {
		script  string
		args    []string
		have    []string // the programs of this system
		user    bool     // the user exists
		stopped bool     // systemd is installed and does not run, as during the build of an image
		broken  bool     // the service does not start
		want    string
		gone    bool // data and logs
	}{
		"deb install":            {script: "preinstall", args: []string{"install"}, have: shadow, want: user},
		"deb install again":      {script: "preinstall", args: []string{"install", "1.0.0"}, have: shadow, user: true},
		"apk install":            {script: "preinstall", args: []string{"1.0.0-r0"}, have: []string{"adduser", "addgroup"}, want: alpine},
		"deb configure":          {script: "postinstall", args: []string{"configure", ""}, have: shadow, want: reload + restart},
		"deb upgrade, bad start": {script: "postinstall", args: []string{"configure", "1.0.0"}, have: shadow, broken: true, want: reload + restart},
		"rpm first":              {script: "postinstall", args: []string{"1"}, have: shadow, want: reload + restart},
		"rpm upgrade":            {script: "postinstall", args: []string{"2"}, have: shadow, want: reload + restart},
		"apk first":              {script: "postinstall", args: []string{"1.0.0-r0"}},
		"image":                  {script: "postinstall", args: []string{"configure", ""}, have: shadow, stopped: true},
		"deb remove":             {script: "preremove", args: []string{"remove"}, have: shadow, want: stop},
		"deb upgrade":            {script: "preremove", args: []string{"upgrade", "2.0.0"}, have: shadow},
		"deb deconfigure":        {script: "preremove", args: []string{"deconfigure"}, have: shadow},
		"rpm erase":              {script: "preremove", args: []string{"0"}, have: shadow, want: stop},
		"rpm upgrade, the old":   {script: "preremove", args: []string{"1"}, have: shadow},
		"image, removed":         {script: "preremove", args: []string{"remove"}, have: shadow, stopped: true},
		"apk delete":             {script: "preremove", args: []string{"1.0.0-r0"}},
		"deb removed":            {script: "postremove", args: []string{"remove"}, have: shadow, want: reload},
		"deb upgraded":           {script: "postremove", args: []string{"upgrade", "2.0.0"}, have: shadow, want: reload},
		"deb purge":              {script: "postremove", args: []string{"purge"}, have: shadow, want: reload, gone: true},
		"rpm erased":             {script: "postremove", args: []string{"0"}, have: shadow, want: reload},
		"apk deleted":            {script: "postremove", args: []string{"1.0.0-r0"}},
		"rpm upgraded, old gone": {script: "postremove", args: []string{"1"}, have: shadow, want: reload},
	} {
		t.Run(name, func(t *testing.T) {
			system := newSystem(t, test.have, test.user, !test.stopped && len(test.have) == len(shadow))
			if test.broken {
				system.write("bin/systemctl", "#!/bin/sh\necho systemctl \"$@\" >>/calls\n[ $1 != try-restart ]\n")
			}
			require.Equal(t, test.want, system.run(test.script+".sh", test.args...))
			for _, folder := range []string{"var/lib/rtbeat", "var/log/rtbeat"} {
				_, err := os.Stat(filepath.Join(system.root, folder, "kept"))
				require.Equal(t, test.gone, errors.Is(err, os.ErrNotExist), folder)
			}
		})
	}
}

// TestWrapper requires that root runs the program as the service's user, with the folders of the package.
func TestWrapper(t *testing.T) {
	require.Equal(t, "setpriv --reuid=rtbeat --regid=rtbeat --init-groups -- /usr/share/rtbeat/bin/rtbeat --path.home /usr/share/rtbeat "+
		"--path.config /etc/rtbeat --path.data /var/lib/rtbeat --path.logs /var/log/rtbeat test config\n",
		newSystem(t, []string{"setpriv"}, true, false).run("wrapper", "test", "config"))
}

// system is a root folder with data of an earlier rtbeat.
type system struct {
	t    *testing.T
	root string
}

func newSystem(t *testing.T, have []string, user, systemd bool) system {
	t.Helper()
	asRoot(t)
	busybox, err := os.ReadFile(harness.FindProgram(t, "busybox"))
	require.NoError(t, err)
	s := system{t: t, root: t.TempDir()}
	s.write("bin/busybox", string(busybox))
	for _, applet := range []string{"sh", "rm", "id"} {
		require.NoError(t, os.Symlink("busybox", filepath.Join(s.root, "bin", applet)))
	}
	for _, program := range have {
		s.write("bin/"+program, "#!/bin/sh\necho "+program+` "$@" >>/calls`+"\n")
	}
	found := "exit 2"
	if user {
		found = "exit 0"
	}
	s.write("bin/getent", "#!/bin/sh\n"+found+"\n")
	if systemd {
		s.write("run/systemd/system/.keep", "")
	}
	s.write("var/lib/rtbeat/kept", "data")
	s.write("var/log/rtbeat/kept", "log")
	s.write("calls", "")
	s.write("dev/null", "")
	return s
}

func (s system) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.root, name)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s.t, os.WriteFile(path, []byte(text), 0o755))
}

// run returns the calls of the script.
func (s system) run(script string, args ...string) string {
	s.t.Helper()
	s.write("script", read(s.t, root+"/deploy/packages/"+script))
	cmd := exec.CommandContext(s.t.Context(), harness.FindProgram(s.t, "chroot"), append([]string{s.root, "/script"}, args...)...)
	cmd.Env = []string{"PATH=/bin"}
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, "%s", out)
	require.Empty(s.t, string(out), "output of the script")
	return read(s.t, filepath.Join(s.root, "calls"))
}

func apkScripts(t testing.TB) map[string]string {
	t.Helper()
	opened, err := os.Open(pkg(t, "apk"))
	require.NoError(t, err)
	defer opened.Close()
	r, err := gzip.NewReader(opened)
	require.NoError(t, err)
	scripts := map[string]string{}
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return scripts
		}
		require.NoError(t, err)
		if strings.HasPrefix(header.Name, ".") {
			scripts[header.Name] = string(all(t, archive))
		}
	}
}
