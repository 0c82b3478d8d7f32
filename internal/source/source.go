package source

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/txn2/rtbeat/internal/inflight"
)

// Source is one entry of the list of sources.
type Source struct {
	// Name names the source in metrics, log lines and on the status page. It has letters, digits, `-` and `_`, and is unique.
	Name string `config:"name" show:"text"`

	// Path is the path that takes the requests of the source, such as `/github`. `/*` at its end stands for every path below. A path
	// is unique, and none of `/livez`, `/readyz`, `/metrics` and the paths of the status page.
	Path string `config:"path" show:"text"`

	Settings `config:",inline"`
}

// defaultPath is the path of the source that is there without a list of sources. Its name is inflight.DefaultSource.
const defaultPath = "/in"

// Default returns the only source of a configuration without a list of sources.
func Default(s Settings) Source {
	return Source{Name: inflight.DefaultSource, Path: defaultPath, Settings: s}
}

// Scope keeps the messages of the source apart from those of others. Messages of the source "in" have no scope: their keys are the
// same as without sources.
func (s *Source) Scope() string {
	if s.Name == inflight.DefaultSource {
		return ""
	}
	return s.Name
}

// below ends a path that stands for every path below.
const below = "/*"

// Below returns the beginning of the paths that the source takes, with a slash at its end, if it takes all paths below.
func (s *Source) Below() (prefix string, isBelow bool) {
	if strings.HasSuffix(s.Path, below) {
		return strings.TrimSuffix(s.Path, "*"), true
	}
	return "", false
}

// reserved are the paths of health, metrics and the status page.
var reserved = []string{"/", "/livez", "/readyz", "/metrics", "/status.json", "/status.css", "/status.js", "/status.svg"}

var (
	names = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	paths = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*(/|/\*)?$`)
)

// maxSources bounds the sources: each has some 4 KiB of lines in /metrics.
const maxSources = 100

// CheckAll applies the rules of names and paths. keys returns the beginning of the keys of source i. The settings of each source have
// Check.
func CheckAll(sources []Source, keys func(i int) string) error {
	if len(sources) > maxSources {
		return fmt.Errorf("rtbeat.sources has %d sources; there may be %d at most, because each has its own metrics: let one take several paths, with /* at its end", len(sources), maxSources)
	}
	for i := range sources {
		s, before := &sources[i], sources[:i]
		prefix := keys(i)
		switch {
		case !names.MatchString(s.Name):
			return fmt.Errorf("%sname is %q; use 1 to 64 letters, digits, - and _", prefix, s.Name)
		case slices.ContainsFunc(before, func(b Source) bool { return b.Name == s.Name }):
			return fmt.Errorf("%sname is %s, and so is the name of another source; choose another name", prefix, s.Name)
		case s.Path == "" || !paths.MatchString(s.Path) || hasDots(s.Path):
			return fmt.Errorf("%spath is %q; it must begin with / and have letters, digits and ._~- between slashes, such as /github, or /github/* for every path below", prefix, s.Path)
		case slices.Contains(reserved, s.Path):
			return fmt.Errorf("%spath is %s, a path of health, metrics or the status page; choose another path", prefix, s.Path)
		case slices.ContainsFunc(before, func(b Source) bool { return b.Path == s.Path }):
			return fmt.Errorf("%spath is %s, and so is the path of another source; choose another path", prefix, s.Path)
		}
	}
	return nil
}

// hasDots tells of a path with a segment that clients and proxies remove: "." or "..".
func hasDots(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(segment string) bool { return segment == "." || segment == ".." })
}
