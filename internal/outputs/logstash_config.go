package outputs

import (
	"fmt"
	"slices"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/common/backoff"
	"github.com/elastic/beats/v7/libbeat/outputs"
	libbeatlogstash "github.com/elastic/beats/v7/libbeat/outputs/logstash"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// wrapLogstash wraps the clients of the Logstash output. With loadbalance there is one for each host and worker. Otherwise
// there is one for all hosts, which changes the host with each connection.
func wrapLogstash(made outputs.Factory) outputs.Factory {
	return func(im outputs.IndexManager, info beat.Info, stats outputs.Observer, config *conf.C) (outputs.Group, error) {
		settings := libbeatlogstash.DefaultConfig()
		hosts, err := outputs.ReadHostList(config) // each host as often as it has workers
		if err != nil || config.Unpack(&settings) != nil {
			return made(im, info, stats, config) // fails too, with libbeat's reason
		}
		log := info.Logger.Named("rtbeat.outputs")
		// The clients share one count: a window that one host cannot read goes to the next host.
		repeats := newRepeats(log)
		current.Store(repeats)
		one := func(config *conf.C, hosts ...string) (outputs.Group, error) {
			c := &logstashClient{hosts: hosts, log: log, repeats: repeats, closing: make(chan struct{})}
			c.backoff = backoff.NewEqualJitterBackoff(c.closing, settings.Backoff.Init, settings.Backoff.Max)
			without, err := copyOf(config)
			if err != nil {
				return outputs.Group{}, err
			}
			// The client waits, and the output does not: the shortest durations that libbeat takes.
			if err := without.Merge(map[string]any{"backoff.init": "1ns", "backoff.max": "2ns"}); err != nil {
				return outputs.Group{}, fmt.Errorf("setting the backoff: %w", err)
			}
			info := info
			info.Logger = withCauses(info.Logger, c)
			group, err := made(im, info, logstashObserver{stats, c}, without)
			if err != nil {
				return group, err
			}
			inner, ok := group.Clients[0].(outputs.NetworkClient)
			if !ok || len(group.Clients) != 1 {
				return group, fmt.Errorf("libbeat's output logstash made %d clients (%T), which cannot be wrapped", len(group.Clients), group.Clients[0])
			}
			c.client = inner
			group.Clients[0] = c
			return group, nil
		}
		if settings.LoadBalance && len(hosts) > 1 {
			return forEachHost(config, func(config *conf.C, host string) (outputs.Group, error) { return one(config, host) })
		}
		return one(config, slices.Compact(slices.Sorted(slices.Values(hosts)))...)
	}
}
