package outputs

import (
	"fmt"

	"github.com/elastic/go-ucfg"

	conf "github.com/elastic/elastic-agent-libs/config"
)

// copyOf copies a section of a configuration, for changes that its owner must not see. It copies the whole configuration: a
// variable such as ${name} or ${path.config} is looked up in it each time that a setting is read.
func copyOf(section *conf.C) (*conf.C, error) {
	root := (*ucfg.Config)(section)
	for parent := root.Parent(); parent != nil; parent = parent.Parent() {
		root = parent
	}
	whole, err := conf.MergeConfigs((*conf.C)(root))
	if err != nil {
		return nil, fmt.Errorf("copying the configuration: %w", err)
	}
	path := section.Path()
	if path == "" {
		return whole, nil
	}
	copied, err := whole.Child(path, -1)
	if err != nil {
		return nil, fmt.Errorf("finding %s in the copy of the configuration: %w", path, err)
	}
	return copied, nil
}
