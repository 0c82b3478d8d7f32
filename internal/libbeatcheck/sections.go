package libbeatcheck

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elastic/elastic-agent-libs/api"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// mapSections are the sections that must be maps. libbeat ignores everything in one that is written as a list.
var mapSections = []string{
	"output", "queue", "queue.mem", "queue.disk", "logging", "logging.metrics", "logging.files", "http", "http.buffer",
	"monitoring", "monitoring.elasticsearch", "setup", "setup.template", "setup.ilm", "setup.dsl", "setup.kibana", "setup.dashboards",
}

// mapsOfOutput are such sections below the output in force.
var mapsOfOutput = []string{"", ".backoff", ".ssl", ".queue", ".queue.mem", ".queue.disk"}

func checkSections(root *conf.C, output string) (errs []error) {
	paths := slices.Clone(mapSections)
	for _, path := range mapsOfOutput {
		paths = append(paths, "output."+output+path)
	}
	for _, path := range paths {
		if found := section(root, path); found != nil && found.IsArray() {
			errs = append(errs, fmt.Errorf("%s is a list, and libbeat ignores everything in it: write it as a map, without dashes", path))
		}
	}
	return errs
}

// checkEnabled refuses an "enabled" that is neither true nor false: libbeat takes it for true.
func checkEnabled(root *conf.C, _ string) (errs []error) {
	var switches []string
	for _, top := range keysAtTop() { // a variable for other settings may have any value
		if slices.Contains([]string{"rtbeat", "processors", "fields"}, top) {
			continue
		}
		for _, key := range keysBelow(root, top) {
			if before, after, is := strings.Cut(key, ".enabled"); is && (after == "" || after[0] == '.') {
				switches = append(switches, before+".enabled")
			}
		}
	}
	for _, key := range slices.Compact(switches) {
		if _, err := root.Bool(key, -1); err != nil {
			errs = append(errs, fmt.Errorf("%s is neither true nor false, and libbeat takes it for true: write true or false", key))
		}
	}
	return errs
}

// checkHosts refuses hosts that nothing can connect to.
func checkHosts(root *conf.C, output string) (errs []error) {
	if output != "logstash" && output != "elasticsearch" {
		return nil
	}
	key := "output." + output + ".hosts"
	for i, host := range value[[]string](root, key, nil) {
		if err := checkHost(output, host); err != nil {
			errs = append(errs, fmt.Errorf("%s.%d is not a usable host: %w", key, i, err)) // the host may have a password in it
		}
	}
	return errs
}

func checkHost(output, host string) error {
	if strings.TrimSpace(host) == "" || strings.ContainsAny(host, " \t") {
		return errors.New("write a name or an address without spaces")
	}
	if output == "elasticsearch" {
		if u, err := url.Parse(host); err == nil && strings.Contains(host, "://") {
			if u.Scheme != "http" && u.Scheme != "https" {
				return errors.New("write http:// or https:// before the name")
			}
			host = u.Host
		}
	}
	if strings.Contains(host, "/") && output == "logstash" {
		return errors.New("write host:port, without a scheme and without a path: Logstash speaks lumberjack, not HTTP")
	}
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return nil //nolint:nilerr // there is no port, and libbeat adds the default one
	}
	n, err := strconv.Atoi(strings.TrimSuffix(port, "/"))
	if err == nil && (n < 1 || n > 65535) || port == "" && output == "logstash" { // Elasticsearch's gets the default one
		return errors.New("write a port from 1 to 65535")
	}
	return nil
}

// checkSlowStart refuses a window without a size: after ten events it grows to bulk_max_size, and nothing fits into it
// (libbeat/outputs/logstash/window.go).
func checkSlowStart(root *conf.C, output string) []error {
	size := value(root, "output.logstash.bulk_max_size", 1)
	if output != "logstash" || !value(root, "output.logstash.slow_start", false) || size > 0 {
		return nil
	}
	return []error{fmt.Errorf("output.logstash.slow_start is true and output.logstash.bulk_max_size is %d: libbeat panics or sends empty windows in an endless loop. "+
		"Set bulk_max_size to 1 or more, or remove slow_start", size)}
}

// checkRestart refuses libbeat's restart of itself (reloadOutputOnCertChange in libbeat/cmd/instance/beat.go).
func checkRestart(root *conf.C, output string) []error {
	key := "output." + output + ".ssl.restart_on_cert_change.enabled"
	if !value(root, key, false) {
		return nil
	}
	return []error{fmt.Errorf("%s is true: libbeat would restart itself, miss a SIGTERM during that time, and lose inherited sockets. "+
		"Remove it. A reload (SIGHUP) reads rtbeat.auth and rtbeat.ssl again; new certificates of the output take a restart of rtbeat", key)}
}

// checkQueue refuses libbeat's disk queue, and to do without a queue, which libbeat never does. rtbeat's defaults cannot disable a
// queue that the file enables.
func checkQueue(root *conf.C, output string) (errs []error) {
	for _, path := range []string{"queue", "output." + output + ".queue"} {
		if value(root, path+".disk.enabled", false) {
			errs = append(errs, fmt.Errorf("%s.disk.enabled is true, and rtbeat does not use libbeat's disk queue: remove this line, "+
				"and the settings beside it mean durable mode, or write rtbeat.durable.enabled: true instead of them", path))
		} else if key := path + ".mem.enabled"; !value(root, key, true) && !isOn(root, path+".disk") {
			errs = append(errs, fmt.Errorf("%s is false: libbeat would use another memory queue, with its own defaults. Remove %[1]s", key))
		}
	}
	return errs
}

// checkHTTP refuses settings that end a start after the check of the configuration (NewWithDefaultRoutes in
// libbeat/api/routes.go).
func checkHTTP(root *conf.C, _ string) []error {
	if !serves(root) {
		return nil
	}
	c := struct {
		api.Config `config:",inline"`
		Period     time.Duration `config:"buffer.period"`
		Size       int           `config:"buffer.size"`
	}{Config: api.DefaultConfig()}
	if err := section(root, "http").Unpack(&c); err != nil {
		return []error{fmt.Errorf("reading http: %w", err)}
	}
	return nil
}

// checkMonitoring refuses monitoring without a host to report to: libbeat ends a start for it, after the check of the
// configuration (report.New in libbeat/monitoring/report).
func checkMonitoring(root *conf.C, output string) []error {
	m := section(root, "monitoring")
	if m == nil || len(m.GetFields()) == 0 || slices.Equal(m.GetFields(), []string{"cluster_uuid"}) || !m.Enabled() {
		return nil
	}
	if value(root, "monitoring.cloud.id", "") != "" { // libbeat takes the host from it
		return nil
	}
	const instead = "GET /metrics has the numbers for Prometheus: remove monitoring, or set monitoring.elasticsearch.hosts"
	for _, name := range m.GetFields() {
		if !slices.Contains([]string{"elasticsearch", "enabled", "cluster_uuid"}, name) && isOn(root, "monitoring."+name) {
			return []error{fmt.Errorf("monitoring.%s is configured: libbeat reports to Elasticsearch only. %s", name, instead)}
		}
	}
	hosts := value[[]string](root, "monitoring.elasticsearch.hosts", nil)
	if (len(hosts) == 0 || !isOn(root, "monitoring.elasticsearch")) && output != "elasticsearch" {
		return []error{fmt.Errorf("monitoring is enabled, and monitoring.elasticsearch.hosts is missing: libbeat would not start. %s", instead)}
	}
	return nil
}

// checkDashboards refuses to load dashboards without Kibana: libbeat ends a start for it, after the check of the
// configuration (loadDashboards in libbeat/cmd/instance/beat.go).
func checkDashboards(root *conf.C, _ string) []error {
	if !isOn(root, "setup.dashboards") || value(root, "setup.kibana.host", "") != "" {
		return nil
	}
	return []error{errors.New("setup.dashboards.enabled is true and setup.kibana.host is missing: rtbeat would not start without a Kibana on this machine. " +
		"rtbeat brings no dashboards for Kibana: remove setup.dashboards")}
}
