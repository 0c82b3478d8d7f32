package publish

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/time/rate"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/processors"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/internal/inflight"
)

// watchedName is the name under which libbeat makes watched processors.
const watchedName = "rtbeat_watched"

var registerWatched = sync.OnceFunc(func() { processors.RegisterPlugin(watchedName, newWatched) })

// WatchProcessors returns a copy of the whole configuration in which each processor is wrapped, also in an if/then/else, and
// the names of the processors. Give the copy to libbeat, which makes the processors in its own order. A wrapped processor
// notes on the EventAck that it failed; libbeat alone takes (nil, err) for a drop.
//
// An item that is no processor stays as it is, for libbeat to refuse.
func WatchProcessors(root *conf.C) (watched *conf.C, names []string, err error) {
	registerWatched()
	var list struct {
		Processors processors.PluginConfig `config:"processors"`
	}
	if err := root.Unpack(&list); err != nil || len(list.Processors) == 0 {
		return root, nil, nil //nolint:nilerr // libbeat unpacks it, too, and says what is wrong
	}
	w := watcher{names: make(map[string]struct{})}
	if watched, err = w.replace(root, map[string][]*conf.C{"processors": list.Processors}); err != nil {
		return nil, nil, err
	}
	return watched, slices.Sorted(maps.Keys(w.names)), nil
}

// watcher wraps the configurations of processors, and collects their names.
type watcher struct{ names map[string]struct{} }

// replace returns a copy of c with wrapped lists in the fields. The lists come from c itself: a list of the copy cannot
// refer to other settings (${...}) any more.
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

// wrap returns the configuration of a processor, wrapped.
func (w watcher) wrap(item *conf.C) (wrapped *conf.C, err error) {
	fields := item.GetFields()
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

// branchOf returns the processors of a branch, which holds one or a list; false where it has none.
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

// newWatched makes the processor of a configuration and wraps it.
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

// Run notes the failure before the processor has the event, and takes the note back afterwards: a panic leaves it.
// libbeat logs each error that comes without an event, and a sender can cause thousands with one request. libbeat gets
// one error in failureInterval; of the others the note is enough.
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

// closingWatched is for a processor that has to be closed. The others must have no Close: libbeat would not let them
// stand in an "if" without "else" (ClosingIfThenElseProcessor in libbeat/processors/conditionals.go).
type closingWatched struct{ watched }

func (w closingWatched) Close() error {
	return processors.Close(w.Processor)
}
