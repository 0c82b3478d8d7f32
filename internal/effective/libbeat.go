package effective

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// outputs are libbeat's.
var outputs = []string{"logstash", "elasticsearch", "kafka", "redis", "file", "console", "discard"}

// ofOutput are the settings below output.NAME that are shown, and how. A secret is listed so that its presence shows.
var ofOutput = map[string]form{
	"enabled":                     boolean,
	"hosts":                       hosts,
	"loadbalance":                 boolean,
	"worker":                      number,
	"workers":                     number,
	"timeout":                     duration,
	"ttl":                         duration,
	"bulk_max_size":               number,
	"pipelining":                  number,
	"slow_start":                  boolean,
	"compression_level":           number,
	"escape_html":                 boolean,
	"max_retries":                 number,
	"backoff.init":                duration,
	"backoff.max":                 duration,
	"ssl.enabled":                 boolean,
	"ssl.verification_mode":       oneOf("none", "full", "strict", "certificate"),
	"ssl.certificate_authorities": present,
	"ssl.certificate":             present,
	"ssl.key":                     present,
	"ssl.key_passphrase":          present,
	"username":                    present,
	"password":                    present,
	"api_key":                     present,
	"proxy_url":                   present,
}

// ofQueue are the settings of the queue, at the top level or below the output.
var ofQueue = map[string]form{
	"queue.mem.events":           number,
	"queue.mem.flush.min_events": number,
	"queue.mem.flush.timeout":    duration,
	"queue.disk.max_size":        size,
	"queue.disk.path":            present,
}

// ofRest are settings of the top level.
var ofRest = map[string]form{
	"logging.level":           oneOf("debug", "info", "warning", "warn", "error", "critical"),
	"logging.metrics.enabled": boolean,
	"logging.to_files":        boolean,
	"logging.to_stderr":       boolean,
	"http.enabled":            boolean,
	"http.port":               number,
	"cloud.id":                present,
	"cloud.auth":              present,
}

// ofProcessors are the names of processors, and of the conditions that stand in their list.
var ofProcessors = []string{
	"add_cloud_metadata", "add_docker_metadata", "add_fields", "add_formatted_index", "add_host_metadata", "add_id",
	"add_kubernetes_metadata", "add_labels", "add_locale", "add_network_direction", "add_observer_metadata",
	"add_process_metadata", "add_tags", "append", "cache", "community_id", "convert", "copy_fields", "decode_base64_field",
	"decode_csv_fields", "decode_duration", "decode_json_fields", "decode_xml", "decode_xml_wineventlog",
	"decompress_gzip_field", "detect_mime_type", "dissect", "dns", "drop_event", "drop_fields", "extract_array",
	"fingerprint", "if", "include_fields", "lowercase", "move_fields", "now", "rate_limit", "registered_domain", "rename",
	"replace", "script", "syslog", "timestamp", "translate_ldap_attribute", "translate_sid", "truncate_fields", "uppercase",
	"urldecode",
}

// ofLibbeat lists what is set of libbeat, by key. What is not listed here is counted, and no more.
func ofLibbeat(written tree) []Setting {
	shown := make(map[string]form)
	hidden := 0
	for key, value := range written {
		switch as := formOf(key); {
		case value == nil || key == "processors" || strings.HasPrefix(key, "rtbeat."):
		case as != nil:
			shown[key] = as
		default:
			hidden++
		}
	}

	var settings []Setting
	for _, key := range slices.Sorted(maps.Keys(shown)) {
		settings = append(settings, Setting{key, written.text(key, written[key], shown[key])})
	}
	if list, ok := written["processors"].([]any); ok && len(list) > 0 {
		settings = append(settings, Setting{"processors", processors(list)})
	}
	if hidden > 0 {
		settings = append(settings, Setting{"other settings", fmt.Sprintf("%d, not shown", hidden)})
	}
	return settings
}

// formOf finds how a setting is shown; nil for one that is not.
func formOf(key string) form {
	if as, ok := ofRest[key]; ok {
		return as
	}
	if as, ok := ofQueue[key]; ok {
		return as
	}
	below, ok := strings.CutPrefix(key, "output.")
	if !ok {
		return nil
	}
	name, rest, _ := strings.Cut(below, ".")
	if !slices.Contains(outputs, name) {
		return nil
	}
	if as, ok := ofQueue[rest]; ok {
		return as
	}
	return ofOutput[rest]
}

// processors are the names in their list, in order.
func processors(list []any) string {
	var names []string
	for _, entry := range list[:min(len(list), maxListed)] {
		name := "other"
		group, _ := entry.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(group)) {
			if slices.Contains(ofProcessors, key) {
				name = key
				break
			}
		}
		names = append(names, name)
	}
	if more := len(list) - maxListed; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
