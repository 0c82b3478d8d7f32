package cmd

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// variables are the environment variables that set a flag of every command. An image or a pod sets them once, so a command that is
// typed into its container needs no flags. The names follow libbeat's own BEAT_STRICT_PERMS, which sets --strict.perms.
var variables = []struct{ flag, variable string }{
	{"c", "BEAT_CONFIG"}, // files, with commas between them
	{"environment", "BEAT_ENVIRONMENT"},
	{"path.home", "BEAT_PATH_HOME"},
	{"path.config", "BEAT_PATH_CONFIG"},
	{"path.data", "BEAT_PATH_DATA"},
	{"path.logs", "BEAT_PATH_LOGS"},
}

// setFromEnvironment sets the flags that the command line lacks. A flag of the command line replaces its variable: "-c other.yml"
// is the only file then.
func setFromEnvironment(flags *pflag.FlagSet) error {
	for _, row := range variables {
		f, value := flags.Lookup(row.flag), os.Getenv(row.variable)
		if f.Changed {
			continue
		}
		values := []string{value}
		if row.flag == "c" {
			values = strings.Split(value, ",")
		}
		for _, v := range values {
			if v = strings.TrimSpace(v); v == "" { // unset, or a comma too many
				continue
			}
			if err := f.Value.Set(v); err != nil {
				return fmt.Errorf("setting --%s from %s: %w", row.flag, row.variable, err)
			}
		}
	}
	return nil
}
