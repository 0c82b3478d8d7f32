package cmd

import (
	"fmt"

	"github.com/elastic/beats/v7/libbeat/cfgfile"
	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/keystore"
	"github.com/elastic/elastic-agent-libs/paths"
	ucfg "github.com/elastic/go-ucfg"
)

// reread reads the whole configuration again, as libbeat does at the start (configure in libbeat/cmd/instance/beat.go): the
// files, the settings of the command line over them, and the keystore for their variables. The environment has not changed since
// the start.
func reread(defaults []cfgfile.ConditionalOverride) (*conf.C, error) {
	root, err := cfgfile.Load("", defaults)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	store, err := instance.LoadKeystore(root, Name, paths.Paths)
	if err != nil {
		return nil, fmt.Errorf("reading the keystore: %w", err)
	}
	if store != nil {
		conf.OverwriteConfigOpts([]ucfg.Option{ucfg.PathSep("."), ucfg.Resolve(keystore.ResolverWrap(store)), ucfg.ResolveEnv, ucfg.VarExp})
	}
	return root, nil
}
