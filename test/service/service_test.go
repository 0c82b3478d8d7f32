// Package service checks the files for the service managers of Windows and macOS. The scripts beside it run them on those
// systems.
package service

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/config"
)

// closing is the time after shutdown_timeout for which a service manager must wait.
const closing = 5 * time.Second

var deploy = filepath.Join("..", "..", "deploy")

// dict has the content of a property list's dictionary: keys and values alternate.
type dict struct {
	Elements []element `xml:",any"`
}

type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Elements []element `xml:",any"`
}

func TestLaunchdFile(t *testing.T) {
	const label = "io.github.txn2.rtbeat" // also the file's name, by launchd's convention
	var list struct {
		XMLName xml.Name `xml:"plist"`
		Version string   `xml:"version,attr"`
		Dict    dict     `xml:"dict"`
	}
	require.NoError(t, xml.Unmarshal([]byte(text(t, "launchd", label+".plist")), &list))
	require.Equal(t, "1.0", list.Version)
	keys := values(t, list.Dict.Elements)

	require.Equal(t, label, keys["Label"].Text)
	require.Equal(t, "true", keys["RunAtLoad"].XMLName.Local)
	require.Equal(t, "true", keys["KeepAlive"].XMLName.Local)
	require.Equal(t, "daemon", keys["UserName"].Text)
	require.EqualValues(t, 0o027, number(t, keys["Umask"]))
	budget := config.Default().ShutdownTimeout + closing
	require.GreaterOrEqual(t, time.Duration(number(t, keys["ExitTimeOut"]))*time.Second, budget, "launchd would kill rtbeat before the end of its shutdown")

	require.Equal(t, "array", keys["ProgramArguments"].XMLName.Local)
	var arguments []string
	for _, argument := range keys["ProgramArguments"].Elements {
		require.Equal(t, "string", argument.XMLName.Local)
		arguments = append(arguments, argument.Text)
	}
	runs(t, arguments[1:])
	for _, limits := range []string{"SoftResourceLimits", "HardResourceLimits"} {
		require.EqualValues(t, 65536, number(t, values(t, keys[limits].Elements)["NumberOfFiles"]))
	}

	known := []string{"Label", "ProgramArguments", "UserName", "GroupName", "Umask", "WorkingDirectory", "RunAtLoad", "KeepAlive", "ThrottleInterval", "ExitTimeOut", "SoftResourceLimits", "HardResourceLimits", "ProcessType", "StandardErrorPath"}
	for key := range keys {
		require.Contains(t, known, key, "launchd ignores unknown keys")
	}
}

func TestWindowsScript(t *testing.T) {
	script := text(t, "windows", "install-service.ps1")
	_, command, found := strings.Cut(script, "$line = @(")
	require.True(t, found)
	command, _, found = strings.Cut(command, ") -join")
	require.True(t, found)
	var arguments []string
	for _, line := range strings.Split(strings.TrimSpace(command), "\n")[1:] {
		line = strings.Trim(strings.TrimSpace(line), `"'`)
		flag, value, _ := strings.Cut(strings.ReplaceAll(line, "`\"", ""), " ")
		if arguments = append(arguments, flag); value != "" {
			arguments = append(arguments, value)
		}
	}
	runs(t, arguments)
}

// Windows takes a process for crashed that ends before its service has reported the stop, and starts it again. Only
// Windows can show that, so this looks where main waits: after the stop, and before either way out.
func TestMainWaitsForWindows(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("..", "..", "main.go"))
	require.NoError(t, err)
	_, after, found := strings.Cut(string(source), "root.Execute()")
	require.True(t, found)
	before, _, found := strings.Cut(after, "service.WaitExecutionDone()")
	require.True(t, found)
	require.NotContains(t, before, "os.Exit")
	require.NotContains(t, before, "return")
}

// runs takes a command line's arguments apart as libbeat would.
func runs(t *testing.T, arguments []string) {
	t.Helper()
	takes := []string{"-c", "-E", "--path.home", "--path.config", "--path.data", "--path.logs"}
	given := map[string]bool{}
	for len(arguments) > 0 {
		flag := arguments[0]
		arguments = arguments[1:]
		if name, is := strings.CutPrefix(flag, "--environment="); is {
			require.NotEqual(t, logp.InvalidEnvironment, logp.ParseEnvironment(name), name)
			given["--environment"] = true
			continue
		}
		require.Contains(t, takes, flag)
		require.NotEmpty(t, arguments, "%s has no value", flag)
		given[flag] = true
		arguments = arguments[1:]
	}
	for _, flag := range []string{"--environment", "-c", "--path.home", "--path.data", "--path.logs"} {
		require.True(t, given[flag], flag)
	}
}

// PowerShell cannot run here. The test finds typing mistakes: unclosed brackets and quotes.
func TestScriptsForWindowsClose(t *testing.T) {
	for _, name := range []string{"install-service.ps1", "uninstall-service.ps1"} {
		script := text(t, "windows", name)
		require.True(t, strings.HasPrefix(script, "<#\n.SYNOPSIS\n"), name)
		script = regexp.MustCompile(`(?s)<#.*?#>`).ReplaceAllString(script, "")
		script = regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(script, "")
		script = regexp.MustCompile("`.").ReplaceAllString(script, "")
		require.Contains(t, script, "$ErrorActionPreference = 'Stop'", name)
		script = regexp.MustCompile(`'[^'\n]*'|"[^"\n]*"`).ReplaceAllString(script, "")
		require.NotContains(t, script, `"`, name)
		require.NotContains(t, script, "'", name)
		for _, pair := range []string{"()", "{}", "[]"} {
			require.Equal(t, strings.Count(script, pair[:1]), strings.Count(script, pair[1:]), "%s: %s", name, pair)
		}
	}
}

// docs/service.md relies on the defaults.
func TestTheManualHasTheShutdownTime(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "service.md"))
	require.NoError(t, err)
	most := config.Default().ShutdownTimeout + 2*time.Second
	require.Contains(t, string(page), strconv.Itoa(int(most.Seconds()))+" s at most")
	less := regexp.MustCompile("`shutdown_timeout: (\\d)`").FindStringSubmatch(string(page))
	require.NotNil(t, less)
	seconds, err := strconv.Atoi(less[1])
	require.NoError(t, err)
	require.Less(t, time.Duration(seconds)*time.Second+2*time.Second, 5*time.Second, "Windows would kill rtbeat before the end of its shutdown")
	wait := regexp.MustCompile("`(\\d+)` for the defaults").FindStringSubmatch(string(page))
	require.NotNil(t, wait)
	milliseconds, err := strconv.Atoi(wait[1])
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Duration(milliseconds)*time.Millisecond, config.Default().ShutdownTimeout+closing)
}

func values(t *testing.T, elements []element) map[string]element {
	t.Helper()
	require.Zero(t, len(elements)%2)
	all := map[string]element{}
	for i := 0; i < len(elements); i += 2 {
		require.Equal(t, "key", elements[i].XMLName.Local)
		require.NotContains(t, all, elements[i].Text)
		all[elements[i].Text] = elements[i+1]
	}
	return all
}

func number(t *testing.T, e element) int64 {
	t.Helper()
	require.Equal(t, "integer", e.XMLName.Local)
	n, err := strconv.ParseInt(e.Text, 10, 64)
	require.NoError(t, err)
	return n
}

func text(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(append([]string{deploy}, path...)...))
	require.NoError(t, err)
	return string(content)
}
