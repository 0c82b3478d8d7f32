package outputs

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/common/backoff"
	"github.com/elastic/beats/v7/libbeat/outputs"
	libbeatlogstash "github.com/elastic/beats/v7/libbeat/outputs/logstash"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
)

// reconnecting makes the clients of the Logstash output, each within a logstash. With loadbalance that is one for each
// host and worker; otherwise one for all hosts, which changes the host with each connection.
func reconnecting(made outputs.Factory) outputs.Factory {
	return func(im outputs.IndexManager, info beat.Info, stats outputs.Observer, config *conf.C) (outputs.Group, error) {
		settings := libbeatlogstash.DefaultConfig()
		hosts, err := outputs.ReadHostList(config) // each host as often as it has workers
		if err != nil || config.Unpack(&settings) != nil {
			return made(im, info, stats, config) // which fails as well, and says why
		}
		log := info.Logger.Named("rtbeat.outputs")
		// The clients share one count: a window that one host cannot read goes to the next.
		repeated := newRepeats(log)
		current.Store(repeated)
		one := func(config *conf.C, hosts ...string) (outputs.Group, error) {
			c := &logstash{hosts: hosts, log: log, repeats: repeated, closing: make(chan struct{})}
			c.waits = backoff.NewEqualJitterBackoff(c.closing, settings.Backoff.Init, settings.Backoff.Max)
			config, err := withoutBackoff(config)
			if err != nil {
				return outputs.Group{}, err
			}
			within := info
			within.Logger = withCauses(info.Logger, c)
			group, err := made(im, within, acks{&markingObserver{stats, repeated}, c}, config)
			if err != nil {
				return group, err
			}
			network, ok := group.Clients[0].(outputs.NetworkClient)
			if !ok || len(group.Clients) != 1 {
				return group, fmt.Errorf("libbeat's output logstash made %d clients (%T) where one was to be wrapped", len(group.Clients), group.Clients[0])
			}
			c.client = network
			group.Clients[0] = c
			return group, nil
		}
		if !settings.LoadBalance || len(hosts) == 1 {
			return one(config, slices.Compact(slices.Sorted(slices.Values(hosts)))...)
		}
		var all outputs.Group
		var clients []outputs.Client
		for _, host := range hosts {
			alone, err := withHost(config, host)
			if err != nil {
				return outputs.Group{}, err
			}
			if all, err = one(alone, host); err != nil {
				return outputs.Group{}, err
			}
			clients = append(clients, all.Clients...)
		}
		all.Clients = clients
		return all, nil
	}
}

// withoutBackoff is the configuration of an output that hardly waits by itself: libbeat's backoff needs a duration.
func withoutBackoff(config *conf.C) (*conf.C, error) {
	without, err := copyOf(config)
	if err != nil {
		return nil, err
	}
	if err := without.Merge(map[string]any{"backoff.init": "1ns", "backoff.max": "2ns"}); err != nil {
		return nil, fmt.Errorf("setting the backoff: %w", err)
	}
	return without, nil
}

// acks tells a client when Logstash has acknowledged events of it, and why a connection broke. The output tells the reason
// before it gives the window back. Its log line comes after that, and may be too late for the line of rtbeat.
type acks struct {
	outputs.Observer
	client *logstash
}

func (a acks) AckedEvents(n int) {
	if n > 0 {
		a.client.acked()
	}
	a.Observer.AckedEvents(n)
}

func (a acks) ReadError(err error) {
	a.broke(err)
	a.Observer.ReadError(err)
}

func (a acks) WriteError(err error) {
	a.broke(err)
	a.Observer.WriteError(err)
}

func (a acks) broke(err error) {
	if !errors.Is(err, net.ErrClosed) { // that is the client's own doing
		a.client.caused(err.Error())
	}
}

// gaveBack begins the line that the output writes for each window that it gives back, also when the window is sent again at
// once (libbeat/outputs/logstash/async.go and sync.go).
const gaveBack = "Failed to publish events caused by: "

// causes writes that line at debug, and tells a client its rest, which no method of the output tells.
type causes struct {
	zapcore.Core
	client *logstash
}

func withCauses(log *logp.Logger, c *logstash) *logp.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return causes{core, c} }))
}

func (c causes) With(fields []zapcore.Field) zapcore.Core {
	return causes{c.Core.With(fields), c.client}
}

func (c causes) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if reason, ok := strings.CutPrefix(entry.Message, gaveBack); ok {
		c.client.caused(reason)
		entry.Level = zapcore.DebugLevel
		if !c.Enabled(entry.Level) {
			return checked
		}
	}
	return c.Core.Check(entry, checked)
}
