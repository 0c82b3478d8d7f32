package cmd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/asset"
	libbeatversion "github.com/elastic/beats/v7/libbeat/version"
	conf "github.com/elastic/elastic-agent-libs/config"
)

func TestRootCommand(t *testing.T) {
	root, err := New("- key: rtbeat\n  title: rtbeat\n")
	require.NoError(t, err)
	require.Equal(t, "rtbeat", root.Name())

	fields, err := asset.GetFields(Name)
	require.NoError(t, err)
	require.Contains(t, string(fields), "title: rtbeat")

	sink, _, err := root.Find([]string{"sink"})
	require.NoError(t, err)
	require.Equal(t, "sink", sink.Name())

	intake, _, err := root.Find([]string{"test", "intake"})
	require.NoError(t, err)
	require.Equal(t, "intake", intake.Name())

	for _, name := range []string{"status", "export"} {
		c, _, err := root.Find([]string{"queue", name})
		require.NoError(t, err)
		require.Equal(t, name, c.Name())
		require.NotNil(t, c.InheritedFlags().Lookup("path"))
	}

	template, _, err := root.Find([]string{"export", "template"})
	require.NoError(t, err)
	require.Equal(t, libbeatversion.GetDefaultVersion(), template.Flag("es.version").Value.String(),
		"the version of rtbeat")

	for _, path := range [][]string{{"test", "config"}, {"setup"}} {
		c, _, err := root.Find(path)
		require.NoError(t, err)
		require.NotNilf(t, c.PreRun, "%v must not bind the port", path)
	}
}

// libbeat's disk queue never runs. libbeatDiskKey is the key of its settings.
func TestQueueDefaults(t *testing.T) {
	const top = "queue.mem.flush.timeout"
	const outputs, outputsMem = "output.logstash.queue.disk", "output.logstash.queue.mem.flush.timeout"
	for name, test := range map[string]struct {
		file string
		want map[string]string // values of the defaults, by path
		key  string            // libbeatDiskKey
	}{
		"nothing chosen":             {"output.logstash.hosts: [a]", map[string]string{top: "0s"}, ""},
		"memory queue":               {"queue.mem.events: 64", map[string]string{top: "0s"}, ""},
		"an empty queue":             {"queue:\noutput.logstash.hosts: [a]", map[string]string{top: "0s"}, ""},
		"a disabled queue":           {"queue.disk: {enabled: false, max_size: 10GB}", map[string]string{top: "0s"}, ""},
		"disabled in the output":     {outputs + ": {enabled: false, max_size: 10GB}", map[string]string{top: "0s"}, ""},
		"an empty one in the output": {"output.logstash.queue:", map[string]string{top: "0s"}, ""},
		"disk queue":                 {"queue.disk.max_size: 10GB", map[string]string{"queue.disk.enabled": "false", top: "0s"}, "queue.disk"},
		"an empty disk queue":        {"queue.disk:", map[string]string{"queue.disk.enabled": "false", top: "0s"}, "queue.disk"},
		"disk beside memory":         {"queue: {disk.max_size: 10GB, mem.events: 4096}", map[string]string{"queue.disk.enabled": "false", top: "0s"}, "queue.disk"},
		"disk in the output":         {outputs + ".max_size: 10GB", map[string]string{outputs + ".enabled": "false", outputsMem: "0s"}, outputs},
		"disk and memory in there":   {"output.logstash.queue: {disk.max_size: 10GB, mem.events: 4096}", map[string]string{outputs + ".enabled": "false", outputsMem: "0s"}, outputs},
		"memory in the output":       {"output.kafka.queue.mem.events: 64", map[string]string{"output.kafka.queue.mem.flush.timeout": "0s"}, ""},
		"disk in an output that is disabled": {
			"output: {kafka: {enabled: false, queue.disk.max_size: 10GB}, logstash.hosts: [a]}", map[string]string{top: "0s"}, "",
		},
		"libbeat's own disk queue": {"queue.disk: {enabled: true, max_size: 10GB}", map[string]string{}, ""}, // which the beater refuses
	} {
		t.Run(name, func(t *testing.T) {
			file, err := conf.NewConfigWithYAML([]byte(test.file), "test")
			require.NoError(t, err)
			got := map[string]string{}
			for _, override := range queueDefaults() {
				if !override.Check(file) {
					continue
				}
				for _, key := range override.Config.FlattenedKeys() {
					value, err := override.Config.String(key, -1)
					require.NoError(t, err)
					got[key] = value
				}
			}
			require.Equal(t, test.want, got)
			require.Equal(t, test.key, libbeatDiskKey(file))
		})
	}
}
