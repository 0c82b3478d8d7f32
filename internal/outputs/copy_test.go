package outputs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
)

// A setting of an output may refer to another setting, although rtbeat changes settings of the output.
func TestVariablesOfTheConfiguration(t *testing.T) {
	require.NoError(t, Wrap())
	for name, yaml := range map[string]string{
		"logstash, one host":    "output.logstash: {hosts: ['${one}'], proxy_url: '${proxy}'}",
		"logstash, loadbalance": "output.logstash: {hosts: ['${one}', '${two}'], loadbalance: true, worker: 2, proxy_url: '${proxy}'}",
		"elasticsearch":         "output.elasticsearch: {hosts: ['${one}', '${two}'], index: a, proxy_url: '${proxy}'}",
	} {
		t.Run(name, func(t *testing.T) {
			root, err := conf.NewConfigWithYAML([]byte("{one: 'a:1', two: 'b:1', proxy: 'socks5://c:1', "+yaml+"}"), "test")
			require.NoError(t, err)
			var c struct {
				Output conf.Namespace `config:"output"`
			}
			require.NoError(t, root.Unpack(&c))
			before := conf.DebugString(root, false)
			info := beat.Info{Beat: "rtbeat", Version: "9.9.9", Logger: logp.NewNopLogger()}
			group, err := outputs.Load(mainIndex{}, info, nil, c.Output.Name(), c.Output.Config())
			require.NoError(t, err)
			require.NotEmpty(t, group.Clients)
			require.Equal(t, before, conf.DebugString(root, false), "the configuration was changed")
		})
	}
}
