package libbeatcheck

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/outputs/logstash"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// ofMemoryQueue are the keys of queue.mem (libbeat/publisher/queue/memqueue/config.go). libbeat's own type is not exported.
var ofMemoryQueue = []string{"enabled", "events", "flush.min_events", "flush.timeout"}

// besideBeat are keys of the top level that are missing from libbeat's type for the whole configuration.
var besideBeat = []string{"rtbeat", "cloud", "setup", "timeseries"}

func warnOfUnknownKeys(root *conf.C, output string) (warnings []string) {
	known := keysAtTop()
	for _, key := range root.GetFields() {
		if !slices.Contains(known, key) {
			warnings = append(warnings, fmt.Sprintf("%s is no setting: neither rtbeat nor libbeat reads it. Remove it, unless it is a variable for other settings", key))
		}
	}
	if output == "logstash" {
		warnings = append(warnings, unknown(root, "output.logstash", keysOfLogstash())...)
	}
	warnings = append(warnings, unknown(root, "queue.mem", ofMemoryQueue)...)
	return append(warnings, unknown(root, "output."+output+".queue.mem", ofMemoryQueue)...)
}

// unknown warns of keys of a section that libbeat does not read.
func unknown(root *conf.C, path string, known []string) (warnings []string) {
	if found := section(root, path); found == nil || found.IsArray() {
		return nil
	}
	for _, key := range keysBelow(root, path) {
		key = strings.TrimPrefix(key, path+".")
		if !slices.ContainsFunc(known, func(k string) bool { return key == k || strings.HasPrefix(key, k+".") }) {
			warnings = append(warnings, fmt.Sprintf("%s.%s is unknown to libbeat, which ignores it. Known here: %s", path, key, strings.Join(known, ", ")))
		}
	}
	return warnings
}

// keysOfLogstash returns the keys that libbeat reads below output.logstash.
func keysOfLogstash() []string {
	known := map[string]bool{"enabled": true}
	addKeys(known, "", reflect.TypeFor[logstash.Config]())
	addKeys(known, "", reflect.TypeFor[outputs.HostWorkerCfg]())
	return slices.Sorted(maps.Keys(known))
}

// keysAtTop returns the keys that libbeat or rtbeat reads at the top level, in order.
func keysAtTop() []string {
	nested := map[string]bool{}
	addKeys(nested, "", reflect.TypeOf(instance.Beat{}.Config))
	known := slices.Clone(besideBeat)
	for key := range nested {
		top, _, _ := strings.Cut(key, ".")
		known = append(known, top)
	}
	slices.Sort(known)
	return slices.Compact(known)
}

// addKeys adds the keys of a type for configurations. It goes into plain structs, and leaves all else below a key to libbeat.
func addKeys(known map[string]bool, prefix string, t reflect.Type) {
	for field := range t.Fields() {
		tag := field.Tag.Get("config")
		name, options, _ := strings.Cut(tag, ",")
		key := prefix + cmp.Or(name, strings.ToLower(field.Name))
		switch {
		case !field.IsExported():
		case strings.Contains(options, "inline"):
			addKeys(known, prefix, field.Type)
		case field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == t.PkgPath() && tag != "":
			addKeys(known, key+".", field.Type)
		default:
			known[key] = true
		}
	}
}
