package outputs

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	_ "unsafe" // for go:linkname

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/beats/v7/libbeat/publisher/queue"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// registered is libbeat's table of outputs (libbeat/outputs/output_reg.go). It has no way to replace one: RegisterType
// panics at a name that is taken, and the table is read when the pipeline is made, before there is a Beater.
//
//go:linkname registered github.com/elastic/beats/v7/libbeat/outputs.outputReg
var registered map[string]outputs.Factory

// rejectable is what may travel in beat.Event.Private.
type rejectable interface{ Reject() }

// reject tells what travels with an event that it was given up. In durable mode nothing does: its sender had its answer
// when the event was on the disk.
func reject(event *publisher.Event) {
	if r, ok := event.Content.Private.(rejectable); ok {
		r.Reject()
	}
}

func rejectAll(events []publisher.Event) {
	for i := range events {
		reject(&events[i])
	}
}

// wrapper makes a client of one that libbeat made, which reports to o.
type wrapper func(client outputs.Client, o *observer, config *conf.C, info beat.Info) (outputs.Client, error)

// wrappers has no logstash: that output drops nothing. It is wrapped by reconnecting.
var wrappers = map[string]wrapper{
	"elasticsearch": newElasticsearch,
	"file":          newOneByOne,
}

// Watch puts the wrappers in libbeat's table. Call it before libbeat makes its pipeline. It is an error when that table is
// not where it was: a 200 would cover what the output gave up.
var Watch = sync.OnceValue(func() error {
	if registered == nil {
		return errors.New("libbeat's table of outputs is out of reach")
	}
	for name, wrap := range wrappers {
		made := outputs.FindFactory(name)
		if made == nil {
			return fmt.Errorf("libbeat has no output %s", name)
		}
		with := watched(made, wrap)
		if name == "elasticsearch" {
			with = marking(with)
		}
		if err := replace(name, made, with); err != nil {
			return err
		}
	}
	made := outputs.FindFactory("logstash")
	if made == nil {
		return errors.New("libbeat has no output logstash")
	}
	return replace("logstash", made, reconnecting(made))
})

func replace(name string, made, with outputs.Factory) error {
	registered[name] = with
	if reflect.ValueOf(outputs.FindFactory(name)).Pointer() == reflect.ValueOf(made).Pointer() {
		return fmt.Errorf("libbeat's output %s cannot be wrapped", name)
	}
	return nil
}

// watched makes the clients of an output and wraps each of them, with an observer of its own: several clients publish at
// the same time, and what one of them reports must not be taken for another's.
func watched(made outputs.Factory, wrap wrapper) outputs.Factory {
	one := func(im outputs.IndexManager, info beat.Info, stats outputs.Observer, config *conf.C) (outputs.Group, error) {
		o := &observer{Observer: stats}
		group, err := made(im, info, o, config)
		if err != nil || len(group.Clients) != 1 {
			return group, err
		}
		group.Clients[0], err = wrap(group.Clients[0], o, config, info)
		group.EncoderFactory = keepPrivate(group.EncoderFactory)
		return group, err
	}
	return func(im outputs.IndexManager, info beat.Info, stats outputs.Observer, config *conf.C) (outputs.Group, error) {
		group, err := one(im, info, stats, config)
		if err != nil || len(group.Clients) < 2 {
			return group, err
		}
		hosts, err := outputs.ReadHostList(config) // with each host as often as it has workers
		if err != nil {
			return group, fmt.Errorf("reading the hosts: %w", err)
		}
		if len(hosts) != len(group.Clients) {
			return group, fmt.Errorf("%d clients for %d hosts", len(group.Clients), len(hosts))
		}
		for i, host := range hosts {
			alone, err := withHost(config, host)
			if err != nil {
				return group, err
			}
			single, err := one(im, info, stats, alone)
			if err != nil {
				return group, err
			}
			group.Clients[i], group.EncoderFactory = single.Clients[0], single.EncoderFactory
		}
		return group, nil
	}
}

// withHost is the configuration of an output with one host and one worker.
func withHost(config *conf.C, host string) (*conf.C, error) {
	alone, err := copyOf(config)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"hosts", "worker", "workers", "preset"} { // a preset has been applied, and sets workers
		if _, err := alone.Remove(key, -1); err != nil {
			return nil, fmt.Errorf("removing %s: %w", key, err)
		}
	}
	if err := alone.Merge(map[string]any{"hosts": []string{host}}); err != nil {
		return nil, fmt.Errorf("setting the host: %w", err)
	}
	return alone, nil
}

// keepPrivate keeps what travels with an event, and the id of its document, where the output encodes events as they enter
// the queue: all else of them is gone then.
func keepPrivate(made queue.EncoderFactory) queue.EncoderFactory {
	if made == nil {
		return nil
	}
	return func() queue.Encoder { return &encoder{made()} }
}

type encoder struct{ inner queue.Encoder }

func (e *encoder) EncodeEntry(entry queue.Entry) (queue.Entry, int) {
	before, _ := entry.(publisher.Event)
	entry, size := e.inner.EncodeEntry(entry)
	after, ok := entry.(publisher.Event)
	if !ok {
		return entry, size
	}
	after.Content.Private, after.Content.Meta = before.Content.Private, before.Content.Meta // the output has Meta as well
	return after, size
}
