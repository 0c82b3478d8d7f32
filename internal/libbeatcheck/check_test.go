package libbeatcheck

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	conf "github.com/elastic/elastic-agent-libs/config"
)

// withLogstash returns a configuration with an output and the settings of a test.
func withLogstash(t *testing.T, yaml string) *conf.C {
	t.Helper()
	root, err := conf.NewConfigWithYAML([]byte("output.logstash.hosts: [localhost]"), "test")
	require.NoError(t, err)
	return merge(t, root, yaml)
}

func merge(t *testing.T, root *conf.C, yaml string) *conf.C {
	t.Helper()
	more, err := conf.NewConfigWithYAML([]byte(yaml), "test")
	require.NoError(t, err)
	merged, err := conf.MergeConfigs(root, more)
	require.NoError(t, err)
	return merged
}

func TestRefused(t *testing.T) {
	for yaml, want := range map[string]string{
		"output.logstash.backoff.init: 0":                                             "output.logstash.backoff.init is 0s: libbeat panics at the first outage",
		"output.logstash.backoff.init: -1s":                                           "output.logstash.backoff.init is -1s",
		"output.logstash.backoff.init: 1ns":                                           "Write a value from 1ms to 24h0m0s, or remove the setting",
		"output.logstash.backoff.init: 9223372036854775807":                           "output.logstash.backoff.init is",
		"output.logstash.backoff.max: 0":                                              "output.logstash.backoff.max is 0s",
		"output.logstash.backoff.max: 25h":                                            "output.logstash.backoff.max is 25h0m0s",
		"output.logstash.timeout: 0":                                                  "output.logstash.timeout is 0s: no Logstash connects",
		"output.logstash.timeout: 1ns":                                                "output.logstash.timeout is 1ns",
		"output.logstash.timeout: -1":                                                 "output.logstash.timeout is -1s",
		"output.logstash.pipelining: 2147483648":                                      "output.logstash.pipelining is 2147483648",
		"output.logstash.worker: 100000":                                              "output.logstash.worker is 100000",
		"output.logstash.workers: 100000":                                             "output.logstash.workers is 100000",
		"output.logstash: {slow_start: true, bulk_max_size: 0}":                       "output.logstash.slow_start is true and output.logstash.bulk_max_size is 0",
		"output.logstash: {slow_start: true, bulk_max_size: -1}":                      "output.logstash.bulk_max_size is -1",
		"output.logstash.ssl.restart_on_cert_change.enabled: true":                    "output.logstash.ssl.restart_on_cert_change.enabled is true",
		"output.logstash.ssl.restart_on_cert_change: {enabled: true, period: 5s}":     "A reload (SIGHUP)",
		"output.logstash.hosts: ['http://localhost:5044']":                            "output.logstash.hosts.0 is not a usable host: write host:port, without a scheme",
		"output.logstash.hosts: ['a:1', 'a:70000']":                                   "output.logstash.hosts.1 is not a usable host: write a port from 1 to 65535",
		"output.logstash.hosts: ['a:0']":                                              "output.logstash.hosts.0",
		"output.logstash.hosts: ['a:']":                                               "output.logstash.hosts.0 is not a usable host: write a port from 1 to 65535",
		"output.logstash.hosts: ['a b']":                                              "write a name or an address without spaces",
		"output.logstash.enabled: maybe":                                              "output.logstash.enabled is neither true nor false",
		"output.logstash.enabled: [true]":                                             "output.logstash.enabled is neither true nor false",
		"queue.mem.enabled: 0":                                                        "queue.mem.enabled is neither true nor false",
		"queue.mem.enabled: false":                                                    "queue.mem.enabled is false: libbeat would use another memory queue",
		"output.logstash.queue.mem.enabled: false":                                    "output.logstash.queue.mem.enabled is false",
		"output.logstash.queue.disk.enabled: true":                                    "output.logstash.queue.disk.enabled is true, and rtbeat does not",
		"queue: [{mem: {events: 64}}]":                                                "queue is a list, and libbeat ignores everything in it",
		"queue.mem: [{events: 64}]":                                                   "queue.mem is a list",
		"output.logstash.backoff: [{init: 1s}]":                                       "output.logstash.backoff is a list",
		"queue.mem.events: 2147483648":                                                "queue.mem.events is 2147483648: libbeat makes the whole queue at the start. Write a value from 32 to 16777216",
		"output.logstash.queue.mem.events: 2147483648":                                "output.logstash.queue.mem.events is 2147483648",
		"processors: {drop_event.when.equals.type: x}":                                "processors is a map, and libbeat ignores everything in it: write a list, as in \"processors: [{drop_event: …}]\"",
		"logging.metrics.period: 0":                                                   "logging.metrics.period is 0s",
		"logging.metrics: {enabled: true, period: 1ns}":                               "logging.metrics.period is 1ns",
		"http.port: 70000":                                                            "http.port is 70000",
		"http: {enabled: true, port: no}":                                             "http.port",
		"http: {enabled: true, buffer: {enabled: true, period: 0}}":                   "http.buffer.period is 0s",
		"http: {enabled: true, buffer: {enabled: true, size: 2147483648}}":            "http.buffer.size is 2147483648",
		"http: {enabled: true, buffer: {enabled: true, period: soon}}":                "http.buffer.period",
		"http.enabled: maybe":                                                         "http.enabled is neither true nor false",
		"monitoring.enabled: true":                                                    "monitoring.elasticsearch.hosts is missing",
		"monitoring: {enabled: true, elasticsearch: {enabled: false, hosts: [a]}}":    "monitoring.elasticsearch.hosts is missing",
		"monitoring: {enabled: null}":                                                 "monitoring.elasticsearch.hosts is missing",
		"monitoring: {enabled: true, logstash.hosts: [a]}":                            "monitoring.logstash is configured",
		"monitoring: {enabled: true, elasticsearch: {hosts: [a], backoff.init: 0}}":   "monitoring.elasticsearch.backoff.init is 0s",
		"monitoring: {enabled: true, elasticsearch: {hosts: [a], metrics.period: 0}}": "monitoring.elasticsearch.metrics.period is 0s",
		"setup.dashboards.enabled: true":                                              "setup.kibana.host is missing",
		"setup.ilm.enabled: maybe":                                                    "setup.ilm.enabled is neither true nor false",
		"queue.disk: {enabled: true, max_size: 1GiB}": "queue.disk.enabled is true, and rtbeat does not use libbeat's disk queue: remove this line, " +
			"and the settings beside it mean durable mode, or write rtbeat.durable.enabled: true instead of them",
	} {
		_, err := Check(withLogstash(t, yaml))
		require.ErrorContains(t, err, want, yaml)
	}
}

func TestRefusedOfOtherOutputs(t *testing.T) {
	for yaml, want := range map[string]string{
		"output.elasticsearch: {hosts: [a], backoff.init: 0}":                           "output.elasticsearch.backoff.init is 0s",
		"output.elasticsearch: {hosts: [a], timeout: 1ns}":                              "output.elasticsearch.timeout is 1ns",
		"output.elasticsearch: {hosts: ['ftp://user:secret@a']}":                        "output.elasticsearch.hosts.0 is not a usable host: write http:// or https://",
		"output.elasticsearch: {hosts: ['https://a:70000']}":                            "output.elasticsearch.hosts.0",
		"output.elasticsearch: {hosts: [a], ssl.restart_on_cert_change.enabled: true}":  "output.elasticsearch.ssl.restart_on_cert_change.enabled is true",
		"output.elasticsearch: {hosts: [a], worker: 100000}":                            "output.elasticsearch.worker is 100000",
		"output.kafka: {hosts: [a], backoff.max: 0}":                                    "output.kafka.backoff.max is 0s",
		"output.redis: {hosts: [a], backoff.init: -1}":                                  "output.redis.backoff.init is -1s",
		"output.file: {path: /tmp, ssl: [1]}":                                           "output.file.ssl is a list",
		"{output.logstash.enabled: false, output.redis: {hosts: [a], backoff.init: 0}}": "output.redis.backoff.init is 0s",
	} {
		root, err := conf.NewConfigWithYAML([]byte(yaml), "test")
		require.NoError(t, err)
		_, err = Check(root)
		require.ErrorContains(t, err, want, yaml)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestAccepted(t *testing.T) {
	for _, yaml := range []string{
		"{}",
		"output.logstash: {backoff: {init: 1ms, max: 24h}, timeout: 10s, slow_start: true, bulk_max_size: 1, pipelining: 0, worker: 0}",
		"output.logstash: {backoff: {init: null, max: null}, timeout: null, queue: null}",
		"output.logstash: {bulk_max_size: -1, ssl: {enabled: true, restart_on_cert_change.enabled: false, certificate_authorities: [a]}}",
		"output.logstash: {hosts: ['logs', 'logs:5044', '[::1]:5044', '::1', '10.0.0.1:5044']}",
		"output.logstash: {proxy_url: 'socks5://a', proxy_use_local_resolver: true, index: a, ttl: 1m, escape_html: true, loadbalance: true, max_retries: 1, compression_level: 0, workers: 2, enabled: true}",
		"output.elasticsearch: {enabled: false, backoff.init: 0, timeout: 0}",
		"queue.mem: {events: 64, flush: {min_events: 1, timeout: 0s}}",
		"queue.disk: {enabled: false, max_size: 10GB}",
		"output.kafka: {enabled: false, queue.disk.enabled: true}",
		"{queue.mem.enabled: false, queue.disk.max_size: 10GB}",
		"{logging: {level: info, metrics: {enabled: false, period: 0}}, http: {enabled: false, port: 70000}}",
		"http: {enabled: true, host: localhost, port: 5066, buffer: {enabled: true, period: 10s, size: 100}}",
		"{monitoring: {enabled: false}, setup.dashboards.enabled: false}",
		"monitoring: {cluster_uuid: a}",
		"monitoring: {enabled: true, elasticsearch.hosts: [a]}",
		"monitoring: {enabled: true, cloud: {id: a, auth: 'b:c'}}",
		"setup: {dashboards.enabled: true, kibana.host: a}",
		"processors: []",
		"processors: [{cache: {put.ttl: 1h, backend: {memory.id: a, capacity: 10}}}, {cache: {get.key_field: a, backend.memory.id: a}}]",
		"processors: [{drop_event.when.equals.type: x}, {rate_limit.limit: 10/s}, {if.equals.type: x, then: [{drop_event: null}]}]",
		"{name: a, tags: [b], fields: {enabled: maybe}, max_procs: 1, path.data: /tmp, seccomp.enabled: false, keystore.path: a, cloud.id: '', timeseries.enabled: false, timestamp.precision: nanosecond}",
		"rtbeat: {dedupe.enabled: 1}",
		"{fields.enabled: maybe, output.logstash.ssl: '${fields}'}",
	} {
		warnings, err := Check(withLogstash(t, yaml))
		require.NoError(t, err, yaml)
		require.Empty(t, warnings, yaml)
	}
}

func TestWarnings(t *testing.T) {
	for yaml, want := range map[string]string{
		"output.logstash.timeout: 9s":                                "output.logstash.timeout is 9s. Logstash sends keep-alives 5s apart",
		"output.logstash.bulk_maxsize: 10":                           "output.logstash.bulk_maxsize is unknown to libbeat, which ignores it. Known here: backoff.init, backoff.max, bulk_max_size,",
		"output.logstash.backoff.maximum: 1s":                        "output.logstash.backoff.maximum is unknown",
		"output.logstash.codec.json.pretty: true":                    "output.logstash.codec.json.pretty is unknown",
		"queue.mem.event: 64":                                        "queue.mem.event is unknown to libbeat, which ignores it. Known here: enabled, events, flush.min_events, flush.timeout",
		"output.logstash.queue.mem.flush.min_event: 64":              "output.logstash.queue.mem.flush.min_event is unknown",
		"common.enabled: maybe":                                      "common is no setting: neither rtbeat nor libbeat reads it",
		"procesors: []":                                              "procesors is no setting: neither rtbeat nor libbeat reads it",
		"processors: [{drop_event: null}]":                           "processors.0.drop_event has no condition. Every message is answered 200 with \"filtered\", and none is delivered",
		"processors: [{drop_event: {}}]":                             "processors.0.drop_event has no condition",
		"processors: [{add_tags.tags: [a]}, {rate_limit: {}}]":       "processors.1.rate_limit.limit is \"0/s\"",
		"processors: [{cache: {put.ttl: 1h, backend.memory.id: a}}]": "processors.0.cache.backend.capacity is not set",
		"processors: [{rate_limit.limit: -1/m}]":                     "processors.0.rate_limit.limit is \"-1/m\"",
	} {
		warnings, err := Check(withLogstash(t, yaml))
		require.NoError(t, err, yaml)
		require.Len(t, warnings, 1, yaml)
		require.Contains(t, warnings[0], want, yaml)
	}
}

// One error names every wrong setting.
func TestSeveralErrors(t *testing.T) {
	_, err := Check(withLogstash(t, "{output.logstash: {backoff.init: 0, timeout: 0}, monitoring.enabled: true}"))
	for _, key := range []string{"output.logstash.backoff.init", "output.logstash.timeout", "monitoring.elasticsearch.hosts"} {
		require.ErrorContains(t, err, key)
	}
}

func TestVariablesAreResolved(t *testing.T) {
	t.Setenv("RTBEAT_TEST_BACKOFF", "0s")
	_, err := Check(withLogstash(t, "output.logstash.backoff.init: ${RTBEAT_TEST_BACKOFF}"))
	require.ErrorContains(t, err, "output.logstash.backoff.init is 0s")
}

// A secret that refers to its own list, or to itself, is not followed.
func TestReferencesWithoutAnEnd(t *testing.T) {
	for _, yaml := range []string{
		"rtbeat.auth.bearer.tokens: ['${rtbeat.auth.bearer.tokens}']", "name: ['${name}']", "logging: {level: '${logging}'}",
		"output.logstash.ssl.certificate_authorities: ['${output.logstash.ssl.certificate_authorities}']",
		"logging: {files.path: ['${logging.level}'], level: ['${logging.files.path}']}",
	} {
		warnings, err := Check(withLogstash(t, yaml))
		require.NoError(t, err, yaml)
		require.Empty(t, warnings, yaml)
	}
}

// libbeat's reference for Logstash names settings that its type must have; and its source has the keys of the memory queue.
func TestKeysAreLibbeats(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/elastic/beats/v7").Output()
	require.NoError(t, err)
	libbeat := filepath.Join(strings.TrimSpace(string(dir)), "libbeat")

	source, err := os.ReadFile(filepath.Join(libbeat, "publisher", "queue", "memqueue", "config.go"))
	require.NoError(t, err)
	want := []string{"enabled"}
	for _, match := range regexp.MustCompile("`config:\"([a-z_.]+)\"").FindAllStringSubmatch(string(source), -1) {
		want = append(want, match[1])
	}
	require.ElementsMatch(t, want, ofMemoryQueue)

	reference, err := os.ReadFile(filepath.Join(libbeat, "_meta", "config", "output-logstash.reference.yml.tmpl"))
	require.NoError(t, err)
	known := keysOfLogstash()
	for _, match := range regexp.MustCompile(`(?m)^ {2}#?([a-z_]+(?:\.[a-z_]+)*):`).FindAllStringSubmatch(string(reference), -1) {
		require.True(t, slices.ContainsFunc(known, func(k string) bool {
			return match[1] == k || strings.HasPrefix(match[1], k+".") || strings.HasPrefix(k, match[1]+".")
		}), match[1])
	}
}
