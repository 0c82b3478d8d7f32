package cmd

import (
	"flag"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	conf "github.com/elastic/elastic-agent-libs/config"
)

// libbeat's flags for files collect, and their first value replaces the default.
func TestSetFromEnvironment(t *testing.T) {
	for name, test := range map[string]struct {
		environment map[string]string
		line        []string
		files       []string
		data        string
	}{
		"nothing":                     {nil, nil, []string{"rtbeat.yml"}, ""},
		"one file":                    {map[string]string{"BEAT_CONFIG": "a.yml"}, nil, []string{"a.yml"}, ""},
		"files and a path":            {map[string]string{"BEAT_CONFIG": "a.yml, b.yml", "BEAT_PATH_DATA": "/data"}, nil, []string{"a.yml", "b.yml"}, "/data"},
		"the command line replaces":   {map[string]string{"BEAT_CONFIG": "a.yml,b.yml", "BEAT_PATH_DATA": "/data"}, []string{"-c", "c.yml", "--path.data=/d"}, []string{"c.yml"}, "/d"},
		"an empty variable is unset":  {map[string]string{"BEAT_CONFIG": "", "BEAT_PATH_DATA": ""}, nil, []string{"rtbeat.yml"}, ""},
		"a blank variable is unset":   {map[string]string{"BEAT_CONFIG": " , ", "BEAT_PATH_DATA": " "}, nil, []string{"rtbeat.yml"}, ""},
		"a comma too many":            {map[string]string{"BEAT_CONFIG": "a.yml,,b.yml,"}, nil, []string{"a.yml", "b.yml"}, ""},
		"the command line has others": {map[string]string{"BEAT_CONFIG": "a.yml"}, []string{"--path.data=/d"}, []string{"a.yml"}, "/d"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, row := range variables {
				t.Setenv(row.variable, test.environment[row.variable])
			}
			libbeat := flag.NewFlagSet("", flag.ContinueOnError)
			files := conf.StringArrFlag(libbeat, "c", "beat.yml", "")
			files.SetDefault("rtbeat.yml")
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			flags.AddGoFlag(libbeat.Lookup("c"))
			values := map[string]*string{}
			for _, row := range variables[1:] {
				values[row.flag] = flags.String(row.flag, "", "")
			}
			require.NoError(t, flags.Parse(test.line))
			require.NoError(t, setFromEnvironment(flags))
			require.Equal(t, test.files, files.List())
			require.Equal(t, test.data, *values["path.data"])
		})
	}
}
