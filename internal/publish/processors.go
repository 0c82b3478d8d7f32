package publish

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/time/rate"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/processors"

	// Filebeat has these beside the processors that every Beat has (libbeat/cmd/instance/imports_common.go).
	_ "github.com/elastic/beats/v7/libbeat/processors/cache"
	_ "github.com/elastic/beats/v7/libbeat/processors/decode_csv_fields"
	_ "github.com/elastic/beats/v7/libbeat/processors/timestamp"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/internal/inflight"
)

// watchedName is the name under which libbeat makes watched processors.
const watchedName = "rtbeat_watched"

var registerWatched = sync.OnceFunc(func() { processors.RegisterPlugin(watchedName, newWatched) })

// WatchProcessors returns a copy of the whole configuration in which each processor is wrapped, also in an if/then/else, and the
// names of the processors. libbeat makes the processors from the copy. A wrapped processor notes on the EventAck that it failed;
// libbeat alone takes (nil, err) for a drop.
//
// An item that is no processor stays as it is, and libbeat refuses it.
func WatchProcessors(root *conf.C) (watched *conf.C, names []string, err error) {
	registerWatched()
	var list struct {
		Processors processors.PluginConfig `config:"processors"`
	}
	if err := root.Unpack(&list); err != nil || len(list.Processors) == 0 {
		return root, nil, nil //nolint:nilerr // libbeat unpacks it too, and returns the error
	}
	w := watcher{names: make(map[string]struct{})}
	if watched, err = w.replace(root, map[string][]*conf.C{"processors": list.Processors}); err != nil {
		return nil, nil, err
	}
	return watched, slices.Sorted(maps.Keys(w.names)), nil
}

// watcher wraps the configurations of processors, and collects their names.
type watcher struct{ names map[string]struct{} }

// replace returns a copy of c with wrapped lists in the fields. The lists must come from c: a list of the copy cannot refer to
// other settings (${...}).
func (w watcher) replace(c *conf.C, lists map[string][]*conf.C) (*conf.C, error) {
	replaced := conf.NewConfig()
	if err := replaced.Merge(c); err != nil {
		return nil, fmt.Errorf("copying the configuration of the processors: %w", err)
	}
	for field, list := range lists {
		if _, err := replaced.Remove(field, -1); err != nil {
			return nil, fmt.Errorf("copying the configuration of the processors: %w", err)
		}
		for i, item := range list {
			item, err := w.wrap(item)
			if err != nil {
				return nil, err
			}
			if err := replaced.SetChild(field, i, item); err != nil {
				return nil, fmt.Errorf("wrapping a processor: %w", err)
			}
		}
	}
	return replaced, nil
}

func (w watcher) wrap(item *conf.C) (wrapped *conf.C, err error) {
	if item.HasField("if") {
		branches := make(map[string][]*conf.C)
		for _, branch := range []string{"then", "else"} {
			if list, ok := branchOf(item, branch); ok {
				branches[branch] = list
			}
		}
		if len(branches) == 0 {
			return item, nil
		}
		return w.replace(item, branches)
	}
	fields := item.GetFields()
	if len(fields) != 1 {
		return item, nil
	}
	w.names[fields[0]] = struct{}{}
	wrapped = conf.NewConfig()
	if err := wrapped.SetChild(watchedName, -1, item); err != nil {
		return nil, fmt.Errorf("wrapping the processor %s: %w", fields[0], err)
	}
	return wrapped, nil
}

// branchOf returns the processors of a branch, which is a processor or a list; false without any.
func branchOf(item *conf.C, branch string) (list []*conf.C, ok bool) {
	one, err := item.Child(branch, -1)
	if err != nil {
		return nil, false
	}
	if !one.IsArray() {
		return []*conf.C{one}, true
	}
	return list, one.Unpack(&list) == nil && len(list) > 0
}

func newWatched(c *conf.C, log *logp.Logger) (beat.Processor, error) {
	made, err := processors.New(processors.PluginConfig{c}, log)
	if err != nil {
		return nil, err
	}
	w := watched{made.List[0], &inflight.ProcessorError{Processor: c.GetFields()[0]}, &rate.Sometimes{Interval: failureInterval}}
	if _, ok := w.Processor.(processors.Closer); ok {
		return closingWatched{w}, nil
	}
	return w, nil
}

// watched notes on an event that its processor failed.
type watched struct {
	beat.Processor
	failure *inflight.ProcessorError
	logging *rate.Sometimes
}

// Run notes the failure before it runs the processor, and removes the note afterwards, so a panic leaves it. libbeat logs each
// error without an event, and a sender can cause thousands with one request: libbeat gets one error in failureInterval.
func (w watched) Run(event *beat.Event) (*beat.Event, error) {
	e, ours := event.Private.(*inflight.EventAck)
	if !ours {
		return w.Processor.Run(event)
	}
	e.SetFailure(w.failure)
	processed, err := w.Processor.Run(event)
	if processed != nil {
		processed.Private = e // without it, an event that the processor made would never be acknowledged
	}
	if processed != nil || err == nil {
		e.SetFailure(nil)
		return processed, err
	}
	var logged error
	w.logging.Do(func() { logged = err })
	return nil, logged
}

// closingWatched is for a processor that must be closed. Other processors must have no Close: in an "if" without "else", libbeat
// panics when it closes one (ClosingIfThenElseProcessor in libbeat/processors/conditionals.go).
type closingWatched struct{ watched }

func (w closingWatched) Close() error { return processors.Close(w.Processor) }
