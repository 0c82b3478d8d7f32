package libbeatcheck

import (
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
	warnings = append(warnings, unknownAtTop(root)...)
	if output == "logstash" {
		warnings = append(warnings, unknown(root, "output.logstash", keysOfLogstash())...)
	}
	warnings = append(warnings, unknown(root, "queue.mem", ofMemoryQueue)...)
	return append(warnings, unknown(root, "output."+output+".queue.mem", ofMemoryQueue)...)
}

// unknown is about keys of a section that libbeat does not read.
func unknown(root *conf.C, path string, known []string) (warnings []string) {
	found := section(root, path)
	if found == nil || found.IsArray() {
		return nil
	}
	for _, key := range found.FlattenedKeys() {
		key = strings.TrimPrefix(key, path+".")
		if !slices.ContainsFunc(known, func(k string) bool { return key == k || strings.HasPrefix(key, k+".") }) {
			warnings = append(warnings, fmt.Sprintf("%s.%s is no setting of libbeat, which ignores it. There are: %s", path, key, strings.Join(known, ", ")))
		}
	}
	return warnings
}

func unknownAtTop(root *conf.C) (warnings []string) {
	known := keysAtTop()
	for _, key := range root.GetFields() {
		if !slices.Contains(known, key) {
			warnings = append(warnings, fmt.Sprintf("%s is no setting: neither rtbeat nor libbeat reads it. Remove it, unless it is a variable for other settings", key))
		}
	}
	return warnings
}

// keysOfLogstash are the keys that libbeat reads below output.logstash.
func keysOfLogstash() []string {
	known := map[string]bool{"enabled": true}
	addKeys(known, "", reflect.TypeFor[logstash.Config]())
	addKeys(known, "", reflect.TypeFor[outputs.HostWorkerCfg]())
	return slices.Sorted(maps.Keys(known))
}

// keysAtTop are the keys that libbeat reads at the top level, and rtbeat.
func keysAtTop() []string {
	nested := map[string]bool{}
	addKeys(nested, "", reflect.TypeOf(instance.Beat{}.Config))
	known := slices.Clone(besideBeat)
	for key := range nested {
		top, _, _ := strings.Cut(key, ".")
		known = append(known, top)
	}
	return known
}

// addKeys adds the keys of a type for configurations. It goes into plain structs, and leaves all else below a key to libbeat.
func addKeys(known map[string]bool, prefix string, t reflect.Type) {
	for field := range fieldsOf(t) {
		name, options, _ := strings.Cut(field.Tag.Get("config"), ",")
		if name == "" {
			name = strings.ToLower(field.Name)
		}
		switch {
		case strings.Contains(options, "inline"):
			addKeys(known, prefix, field.Type)
		case field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == t.PkgPath() && field.Tag.Get("config") != "":
			addKeys(known, prefix+name+".", field.Type)
		default:
			known[prefix+name] = true
		}
	}
}

func fieldsOf(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for field := range t.Fields() {
			if field.IsExported() && !yield(field) {
				return
			}
		}
	}
}
