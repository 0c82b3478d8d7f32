package outputs

import (
	"fmt"

	"github.com/elastic/go-ucfg"

	"github.com/elastic/beats/v7/libbeat/outputs"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// forEachHost makes one client for each host and worker of config, each with a configuration of its own. Several clients
// publish at the same time, and each needs its own observer.
func forEachHost(config *conf.C, one func(config *conf.C, host string) (outputs.Group, error)) (group outputs.Group, err error) {
	hosts, err := outputs.ReadHostList(config) // each host as often as it has workers
	if err != nil {
		return group, fmt.Errorf("reading the hosts: %w", err)
	}
	var clients []outputs.Client
	for _, host := range hosts {
		alone, err := copyOf(config)
		if err != nil {
			return group, err
		}
		for _, key := range []string{"hosts", "worker", "workers", "preset"} { // a preset has been applied, and sets workers
			if _, err := alone.Remove(key, -1); err != nil {
				return group, fmt.Errorf("removing %s: %w", key, err)
			}
		}
		if err := alone.Merge(map[string]any{"hosts": []string{host}}); err != nil {
			return group, fmt.Errorf("setting the host: %w", err)
		}
		if group, err = one(alone, host); err != nil {
			return group, err
		}
		if len(group.Clients) != 1 {
			return group, fmt.Errorf("libbeat made %d clients for one host", len(group.Clients))
		}
		clients = append(clients, group.Clients...)
	}
	group.Clients = clients
	return group, nil
}

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
