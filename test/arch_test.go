// Package test checks the project as a whole.
package test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/txn2/rtbeat"

// mayImport lists the packages, each with the packages of this module that it may import. A package that is not here may import
// nothing of the module.
var mayImport = map[string][]string{
	"":                       {"cmd"},
	"cmd":                    {"beater", "config", "internal/auth", "internal/clientip", "internal/diskqueue", "internal/lumbersink", "internal/outputs"},
	"beater":                 {"config", "internal/auth", "internal/clientip", "internal/diskqueue", "internal/event", "internal/inflight", "internal/intake", "internal/libbeatcheck", "internal/libbeatstats", "internal/listen", "internal/metrics", "internal/outputs", "internal/publish", "internal/setting", "internal/shipper", "internal/source", "internal/status", "internal/systemd"},
	"config":                 {"internal/auth", "internal/clientip", "internal/diskqueue", "internal/inflight", "internal/intake", "internal/listen", "internal/setting", "internal/source"},
	"internal/source":        {"internal/auth", "internal/event", "internal/inflight", "internal/preset", "internal/setting"},
	"internal/auth":          {"internal/setting"},
	"internal/preset":        {"internal/auth"},
	"internal/clientip":      {"internal/setting"},
	"internal/listen":        {"internal/metrics", "internal/setting"},
	"internal/intake":        {"internal/auth", "internal/batch", "internal/clientip", "internal/contentcoding", "internal/diskqueue", "internal/event", "internal/inflight", "internal/metrics", "internal/preset", "internal/setting", "internal/source"},
	"internal/batch":         {"internal/pace"},
	"internal/contentcoding": {"internal/pace"},
	"internal/event":         {"internal/batch", "internal/inflight"},
	"internal/publish":       {"internal/batch", "internal/event", "internal/inflight", "internal/metrics"},
	"internal/inflight":      {"internal/batch", "internal/dedupe", "internal/setting"},
	"internal/dedupe":        {"internal/batch", "internal/setting"},
	"internal/diskqueue":     {"internal/batch", "internal/dedupe", "internal/inflight", "internal/metrics", "internal/setting"},
	"internal/libbeatstats":  {"internal/metrics"},
	"internal/shipper":       {"internal/batch", "internal/diskqueue", "internal/inflight", "internal/metrics"},
	"tools/answers":          {"internal/intake", "tools/generate"},
	"tools/extras":           {"cmd"},
	"tools/metrics":          {"beater", "internal/metrics", "tools/generate"},
	"tools/notice":           {"tools/generate"},
	"tools/rules":            {"tools/generate"},
	"tools/settings":         {"config", "internal/auth", "internal/preset", "internal/setting", "tools/generate"},
	"internal/outputs":       {},
	"internal/pipelinetest":  {},
	"internal/status":        {"config", "internal/intake"},
}

// freeOfLibbeat lists the packages that build and test in a second, because they do not import libbeat.
var freeOfLibbeat = []string{"config", "internal/batch", "internal/inflight", "internal/intake", "internal/libbeatstats", "internal/listen", "internal/metrics", "internal/lumbersink", "internal/auth", "internal/clientip", "internal/contentcoding", "internal/dedupe", "internal/diskqueue", "internal/event", "internal/pace", "internal/preset", "internal/shipper", "internal/source", "internal/systemd"}

// stdlibAnd lists the packages that use only the standard library, this module and the modules named.
var stdlibAnd = map[string][]string{
	"internal/batch":    {"github.com/go-json-experiment/json"},
	"internal/inflight": {"github.com/go-json-experiment/json", "github.com/dustin/go-humanize"},
}

func TestImportsGoOneWay(t *testing.T) {
	for pkg, allowed := range mayImport {
		for _, imported := range list(t, "{{join .Imports \"\\n\"}}", "./"+pkg) {
			inner, ours := strings.CutPrefix(imported, module+"/")
			if ours && !slices.Contains(allowed, inner) {
				require.Failf(t, "import against the path of a request", "%q imports %q", pkg, inner)
			}
		}
	}
}

func TestEveryPackageIsKnown(t *testing.T) {
	for _, path := range list(t, "{{.ImportPath}} {{join .Imports \",\"}}", "./...") {
		path, imports, _ := strings.Cut(path, " ")
		pkg := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
		if _, known := mayImport[pkg]; known || strings.HasPrefix(pkg, "test") || strings.HasPrefix(pkg, "examples") {
			continue
		}
		require.NotContainsf(t, imports, module+"/", "%q imports from the module; list it in mayImport", pkg)
	}
}

func TestSmallPackagesAreFreeOfLibbeat(t *testing.T) {
	for _, pkg := range freeOfLibbeat {
		for _, dep := range list(t, "{{.ImportPath}}", "-deps", "./"+pkg) {
			require.Falsef(t, strings.HasPrefix(dep, "github.com/elastic/beats/"), "%s depends on %s", pkg, dep)
		}
	}
	for pkg, allowed := range stdlibAnd {
		for _, dep := range list(t, "{{if not .Standard}}{{.ImportPath}}{{end}}", "-deps", "./"+pkg) {
			ours := strings.HasPrefix(dep, module+"/")
			named := slices.ContainsFunc(allowed, func(prefix string) bool { return strings.HasPrefix(dep, prefix) })
			require.Truef(t, ours || named, "%s depends on %s", pkg, dep)
		}
	}
}

func TestNothingOfElasticsOwnLicenceIsLinked(t *testing.T) {
	for _, dep := range list(t, "{{.ImportPath}} {{with .Module}}{{with .Replace}}{{.Path}}{{end}}{{end}}", "-deps", ".") {
		require.NotContains(t, dep, "elastic/beats/v7/x-pack")
		if strings.HasPrefix(dep, "github.com/elastic/elastic-agent-client/") {
			require.Contains(t, dep, "third_party", "the module itself is under the Elastic License")
		}
	}
}

// "Processors work as in any Beat" (docs/configuration.md). An update of libbeat may bring a new one.
func TestEveryProcessorOfLibbeatIsLinked(t *testing.T) {
	const processors = "github.com/elastic/beats/v7/libbeat/processors"
	linked := list(t, "{{.ImportPath}}", "-deps", ".")
	for _, pkg := range list(t, "{{.ImportPath}}", "-e", processors+"/...") {
		if pkg != processors+"/add_data_stream" { // has no name in a configuration
			require.Contains(t, linked, pkg, "import it in internal/publish/processors.go")
		}
	}
}

func list(t *testing.T, format string, args ...string) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", append([]string{"list", "-f", format}, args...)...)
	command.Dir = ".."
	out, err := command.Output()
	require.NoError(t, err)
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}
