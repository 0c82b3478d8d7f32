//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// ending is the result for an event whose processor has the worst possible input.
type ending int

const (
	goesOn   ending = iota // returns the event, with an error or without
	drops                  // returns (nil, nil)
	fails                  // returns (nil, err)
	notBuilt               // the test machine cannot build it
)

// processor is a processor of libbeat, with a configuration that makes it do the worst to the message.
type processor struct {
	ending ending
	config map[string]any
	root   map[string]any // fields at the root of the event before
	noFile bool           // the process may not open files meanwhile
}

// none is a field that no message has. text is a string field, so that nothing can be put below it.
const (
	none = "rxtxMsg.none"
	text = "rxtxMsg.text"
)

// processorsOfLibbeat comes from the source of each processor: look for "return nil, err" in its Run. Processors that can fail
// are made to fail.
func processorsOfLibbeat(metadata string) map[string]processor {
	fields := map[string]any{"fields": []string{none}, "fail_on_error": true}
	fromTo := map[string]any{"fields": []any{map[string]any{"from": none, "to": text}}, "fail_on_error": true}
	fromToOne := map[string]any{"field": map[string]any{"from": none, "to": text}, "fail_on_error": true}
	return map[string]processor{
		// It puts whole fields at the root, which always succeeds.
		"add_cloud_metadata":      {goesOn, map[string]any{"providers": []string{"digitalocean"}, "host": metadata, "overwrite": true}, map[string]any{"cloud": "text"}, false},
		"add_docker_metadata":     {goesOn, map[string]any{"match_pids": []string{text}}, nil, true}, // getContainerIDFromCgroups returns no error
		"add_fields":              {goesOn, map[string]any{"target": text, "fields": map[string]any{"a": 1}}, nil, false},
		"add_formatted_index":     {fails, map[string]any{"index": "%{[" + none + "]}"}, nil, false},
		"add_host_metadata":       {fails, map[string]any{"cache.ttl": "1ns"}, nil, true},
		"add_id":                  {fails, map[string]any{"target_field": text + ".id"}, nil, false},
		"add_kubernetes_metadata": {goesOn, map[string]any{}, nil, false},
		"add_labels":              {goesOn, map[string]any{"labels": map[string]any{"a": 1}}, map[string]any{"labels": "text"}, false},
		"add_locale":              {goesOn, map[string]any{}, map[string]any{"event": "text"}, false},
		"add_network_direction":   {goesOn, map[string]any{"source": text, "destination": text, "target": text + ".a", "internal_networks": []string{"private"}}, nil, false},
		"add_observer_metadata":   {fails, map[string]any{"cache.ttl": "1ns"}, nil, true},
		"add_process_metadata":    {goesOn, map[string]any{"match_pids": []string{none}}, nil, false},
		"add_tags":                {goesOn, map[string]any{"tags": []string{"a"}, "target": text + ".a"}, nil, false},
		"append":                  {fails, map[string]any{"target_field": text + ".a", "fields": []string{none}, "fail_on_error": true}, map[string]any{"error": "text"}, false},
		"cache":                   {goesOn, map[string]any{"backend": map[string]any{"memory.id": "a", "capacity": 1}, "put": map[string]any{"key_field": text, "value_field": none, "ttl": "1h"}, "ignore_missing": false}, nil, false},
		"community_id":            {goesOn, map[string]any{"target": text + ".a"}, nil, false},
		"convert":                 {goesOn, map[string]any{"fields": []any{map[string]any{"from": none, "type": "integer"}}, "fail_on_error": true}, nil, false},
		"copy_fields":             {goesOn, fromTo, nil, false},
		"decode_base64_field":     {goesOn, fromToOne, nil, false},
		"decode_csv_fields":       {goesOn, map[string]any{"fields": map[string]any{none: text}, "fail_on_error": true}, nil, false},
		"decode_duration":         {goesOn, map[string]any{"field": none, "format": "seconds"}, nil, false},
		"decode_json_fields":      {goesOn, map[string]any{"fields": []string{text}}, nil, false},
		"decode_xml":              {goesOn, map[string]any{"field": text}, nil, false},
		"decode_xml_wineventlog":  {goesOn, map[string]any{"field": text, "target_field": text + ".a"}, nil, false},
		"decompress_gzip_field":   {goesOn, fromToOne, nil, false},
		"detect_mime_type":        {goesOn, map[string]any{"field": text, "target": text + ".a"}, nil, false},
		"dissect":                 {goesOn, map[string]any{"tokenizer": "%{a} %{b}", "field": none}, nil, false},
		"dns":                     {goesOn, map[string]any{"type": "reverse", "nameservers": []string{"127.0.0.1"}, "fields": map[string]any{none: text}}, nil, false},
		"drop_event":              {drops, map[string]any{}, nil, false},
		"drop_fields":             {goesOn, map[string]any{"fields": []string{none}}, nil, false},
		"extract_array":           {goesOn, map[string]any{"field": text, "mappings": map[string]any{"a": 0}}, nil, false},
		"fingerprint":             {fails, map[string]any{"fields": []string{none}}, nil, false},
		"include_fields":          {goesOn, map[string]any{"fields": []string{none}}, nil, false},
		"lowercase":               {goesOn, fields, nil, false},
		"move_fields":             {fails, map[string]any{"from": none, "to": "x"}, nil, false},
		"now":                     {goesOn, map[string]any{"field": text + ".a"}, nil, false},
		"rate_limit":              {fails, map[string]any{"limit": "1/h", "fields": []string{text + ".a"}}, nil, false},
		"registered_domain":       {goesOn, map[string]any{"field": none, "target_field": "a"}, nil, false},
		"rename":                  {goesOn, fromTo, nil, false},
		"replace":                 {goesOn, map[string]any{"fields": []any{map[string]any{"field": none, "pattern": "a", "replacement": "b"}}, "fail_on_error": true}, nil, false},
		// A panic in Go after Cancel is (nil, err), too. No known script causes one.
		"script":                   {goesOn, map[string]any{"lang": "javascript", "source": "function process(e) { e.Cancel(); throw 'x'; }"}, nil, false},
		"syslog":                   {goesOn, map[string]any{"field": text}, nil, false},
		"timestamp":                {goesOn, map[string]any{"field": text, "layouts": []string{"UNIX"}}, nil, false},
		"translate_ldap_attribute": {notBuilt, nil, nil, false}, // an LDAP server; returns the event with the error
		"truncate_fields":          {goesOn, map[string]any{"fields": []string{none}, "max_bytes": 1, "fail_on_error": true}, nil, false},
		"uppercase":                {goesOn, fields, nil, false},
		"urldecode":                {goesOn, fromTo, nil, false},
	}
}

// docs/configuration.md lists the processors.
func TestTheDocsListTheProcessors(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	require.Contains(t, strings.Join(strings.Fields(string(page)), " "), ": `"+strings.Join(registeredProcessors(t), "`, `")+"`.")
}

// Every processor of the pinned libbeat does the worst to an event, and no failing processor ends in a 200. With a new processor
// in libbeat this test fails until the table has it.
func TestNoProcessorThatFailsIsADelivery(t *testing.T) {
	t.Parallel()
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"droplet_id":1,"region":"x"}`))
	}))
	t.Cleanup(metadata.Close)
	table := processorsOfLibbeat(strings.TrimPrefix(metadata.URL, "http://"))
	names := slices.Sorted(maps.Keys(table))
	require.Equal(t, registeredProcessors(t), names)

	var list []any
	for _, name := range names {
		p := table[name]
		if p.ending == notBuilt {
			continue
		}
		var then []any
		if p.root != nil {
			then = append(then, map[string]any{"add_fields": map[string]any{"target": "", "fields": p.root}})
		}
		list = append(list, map[string]any{ // some accept no "when"
			"if":   map[string]any{"equals": map[string]any{"rxtxMsg.case": name}},
			"then": append(then, map[string]any{name: p.config}),
			"else": []any{map[string]any{"add_tags": map[string]any{"tags": []string{"other"}}}},
		})
	}
	sink := harness.StartSink(t, lumbersink.Immediate())
	var process *os.Process
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Processors: list, Started: func(p *os.Process) { process = p }})
	client, published := harness.NewClient(t), 0
	post := func(name string) harness.Answer {
		body, err := json.Marshal([]any{map[string]any{"uuid": name, "case": name, "text": "t"}})
		require.NoError(t, err)
		a := client.Post(t.Context(), b.Addr, body)
		t.Logf("%s: %s", name, a)
		return a
	}
	requireDelivered(t, post("none of them"), 1) // opens the connections
	published++
	for _, name := range names {
		p := table[name]
		if p.ending == notBuilt {
			continue
		}
		restore := func() {}
		if p.noFile {
			restore = forbidFiles(t, process)
		}
		for range 2 { // a failure is not remembered
			a := post(name)
			if p.ending == fails {
				requireFail(t, a, http.StatusInternalServerError, "processor_failed")
				require.Equal(t, name, a.Body.Processor)
				continue
			}
			requireDelivered(t, a, 1)
			require.Equal(t, p.ending == drops, a.Body.Filtered == 1, "%s: %s", name, a)
		}
		restore()
		failures := b.Metric(fmt.Sprintf("rtbeat_processor_failures_total{processor=%q}", name))
		if p.ending == fails {
			require.Equal(t, 2, int(failures), name)
		} else {
			require.Zero(t, failures, name)
		}
		if p.ending == goesOn {
			published++
		}
		require.Equal(t, published, sink.Received(), name)
	}
}

// registeredProcessors asks the binary for the names of its processors.
func registeredProcessors(t *testing.T) []string {
	t.Helper()
	home := t.TempDir()
	config := harness.Settings{Sink: "127.0.0.1:1", Processors: []any{map[string]any{"no_such": map[string]any{}}}}.WriteConfig(t, home)
	said := harness.Command(t, home, "", "test", "config", "-c", config)
	_, list, found := strings.Cut(said.Stdout+said.Stderr, "Valid actions: ")
	require.True(t, found, "%s%s", said.Stdout, said.Stderr)
	names := strings.Split(strings.TrimSpace(list), ", ")
	slices.Sort(names)
	return slices.DeleteFunc(names, func(name string) bool { return name == "rtbeat_watched" }) // made by publish.WatchProcessors
}

// forbidFiles keeps a process from opening files and sockets until the returned function is called.
func forbidFiles(t *testing.T, p *os.Process) (restore func()) {
	t.Helper()
	var limit, before unix.Rlimit
	require.NoError(t, unix.Prlimit(p.Pid, unix.RLIMIT_NOFILE, nil, &limit))
	require.NoError(t, unix.Prlimit(p.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}, &before))
	return func() { require.NoError(t, unix.Prlimit(p.Pid, unix.RLIMIT_NOFILE, &before, nil)) }
}
