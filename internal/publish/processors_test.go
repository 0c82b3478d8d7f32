package publish_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/processors"
	"github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/pipelinetest"
	"github.com/txn2/rtbeat/internal/publish"
)

// registerProcessors adds the processors of the tests to libbeat's.
func registerProcessors() {
	for name, p := range map[string]beat.Processor{
		"test_fails":  does(func(*beat.Event) (*beat.Event, error) { return nil, errPatience }),
		"test_errs":   does(func(e *beat.Event) (*beat.Event, error) { return e, errPatience }),
		"test_panics": does(func(*beat.Event) (*beat.Event, error) { panic("test") }),
		"test_closes": &closes{},
		"test_makes": does(func(e *beat.Event) (*beat.Event, error) {
			return &beat.Event{Timestamp: e.Timestamp, Fields: e.Fields}, nil
		}),
	} {
		processors.RegisterPlugin(name, func(*config.C, *logp.Logger) (beat.Processor, error) { return p, nil })
	}
}

// does is a processor made of a function.
type does func(*beat.Event) (*beat.Event, error)

func (d does) Run(e *beat.Event) (*beat.Event, error) { return d(e) }

func (does) String() string { return "does" }

// closes is a processor with a Close.
type closes struct{ closed int }

func (*closes) Run(e *beat.Event) (*beat.Event, error) { return e, nil }

func (*closes) String() string { return "closes" }

func (c *closes) Close() error {
	c.closed++
	return nil
}

// A failure of a processor is no drop, at any position: the batches fail, and a retry runs the processor again.
func TestAProcessorThatFailsIsNoDrop(t *testing.T) {
	for name, settings := range map[string]string{
		"alone":     `processors: [{test_fails: {}}]`,
		"when":      `processors: [{test_fails: {when.equals.rxtxMsg.label: bad}}]`,
		"behind":    `processors: [{test_errs: {}}, {add_labels.labels.a: b}, {test_fails: {when.equals.rxtxMsg.label: bad}}, {drop_event: {}}]`,
		"then":      `processors: [{if.equals.rxtxMsg.label: bad, then: {test_fails: {}}}]`,
		"then list": `processors: [{if.equals.rxtxMsg.label: bad, then: [{add_labels.labels.a: b}, {test_fails: {}}]}]`,
		"else":      `processors: [{if.equals.rxtxMsg.label: good, then: {add_labels.labels.a: b}, else: [{test_fails: {}}]}]`,
		"nested":    `processors: [{if.equals.rxtxMsg.label: bad, then: [{if.equals.rxtxMsg.label: bad, then: [{test_fails: {}}]}]}]`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &pipelinetest.Output{OnBatch: ackAll}, 1, 10, settings)
			for n := range 2 {
				token := r.publish(`{"uuid":"a","label":"bad"}`)
				require.Equal(t, &inflight.ProcessorError{Processor: "test_fails"}, r.end(token))
				token.Withdraw()
				require.Equal(t, n+1, r.count("rtbeat_processor_failures_total", "test_fails"))
			}
			require.Zero(t, r.count("rtbeat_events_filtered_total"))
			require.Zero(t, r.count("rtbeat_events_dropped_total"))
			require.Zero(t, r.registry.DedupeEntries())
			r.requireEmpty()
		})
	}
}

// An event that a processor makes is acknowledged like the event that it replaces.
func TestAnEventThatAProcessorMakesIsAcknowledged(t *testing.T) {
	r := newRig(t, &pipelinetest.Output{OnBatch: ackAll}, 1, 10, `processors: [{test_makes: {}}]`)
	r.requireDelivered(r.publish(`{"uuid":"a"}`), inflight.Progress{Messages: 1, Acked: 1})
	r.requireEmpty()
}

// libbeat logs each error. A sender that causes one with each message must not fill the log.
func TestLibbeatGetsTheErrorOfAProcessorOnceAMinute(t *testing.T) {
	for _, settings := range []string{`processors: [{test_fails: {}}]`, `processors: [{if.equals.a: b, then: {drop_event: {}}, else: {test_fails: {}}}]`} {
		synctest.Test(t, func(t *testing.T) {
			watched, _, err := publish.WatchProcessors(pipelinetest.Config(t, settings))
			require.NoError(t, err)
			made := processorsOf(t, watched)
			run := func() error {
				e := &inflight.EventAck{}
				event, err := made.Run(&beat.Event{Private: e, Fields: mapstr.M{}})
				require.Nil(t, event)
				require.Equal(t, &inflight.ProcessorError{Processor: "test_fails"}, e.Failure())
				return err
			}
			require.ErrorIs(t, run(), errPatience)
			time.Sleep(time.Minute - 1)
			require.NoError(t, run())
			time.Sleep(time.Nanosecond)
			require.ErrorIs(t, run(), errPatience)
			require.NoError(t, run())
		})
	}
}

// A processor may return an error together with the event. The event goes on, and does not count as failed if a later processor
// drops it or panics.
func TestAnErrorBesideAnEventIsNoFailure(t *testing.T) {
	r := newRig(t, &pipelinetest.Output{OnBatch: ackAll}, 1, 10,
		`processors: [{test_errs: {}}, {drop_event.when.equals.rxtxMsg.label: drop}, {test_panics: {when.equals.rxtxMsg.label: panic}}]`)
	r.requireDelivered(r.publish(`{"label":"keep"}`), inflight.Progress{Messages: 1, Acked: 1})
	r.requireDelivered(r.publish(`{"label":"drop"}`), inflight.Progress{Messages: 1, Acked: 1, Filtered: 1})
	token := r.publish(`{"label":"panic"}`)
	require.ErrorIs(t, r.end(token), inflight.ErrUnpublishable)
	token.Withdraw()
	for _, name := range []string{"test_errs", "drop_event", "test_panics"} {
		require.Zero(t, r.count("rtbeat_processor_failures_total", name), name)
	}
	r.requireEmpty()
}

func TestWatchProcessorsDoesNotChangeTheConfiguration(t *testing.T) {
	const settings = `
name: x
processors:
- drop_event.when.equals.a: b
- if.equals.a: b
  then: {add_labels.labels.a: b}
  else: [{drop_event: {}}, {if.equals.a: b, then: [{test_errs: {}}]}]
- test_errs: {}
`
	root := pipelinetest.Config(t, settings)
	watched, names, err := publish.WatchProcessors(root)
	require.NoError(t, err)
	require.Equal(t, []string{"add_labels", "drop_event", "test_errs"}, names)
	require.NotSame(t, root, watched)
	require.Equal(t, textOf(t, pipelinetest.Config(t, settings)), textOf(t, root))
	require.Equal(t, 5, strings.Count(textOf(t, watched), "rtbeat_watched"))
}

func textOf(t *testing.T, c *config.C) string {
	t.Helper()
	all := map[string]any{}
	require.NoError(t, c.Unpack(&all))
	return fmt.Sprint(all)
}

// A processor may refer to other settings, in each branch.
func TestAWatchedProcessorRefersToOtherSettings(t *testing.T) {
	watched, _, err := publish.WatchProcessors(pipelinetest.Config(t, `
one: a
two: b
processors:
- if.equals.label: ${one}
  then: {add_tags.tags: ["${one}"]}
  else:
  - if.equals.label: ${two}
    then: [{add_tags.tags: ["${two}"]}]
    else: [{add_tags.tags: ["not ${two}"]}]
`))
	require.NoError(t, err)
	made := processorsOf(t, watched)
	for label, tag := range map[string]string{"a": "a", "b": "b", "c": "not b"} {
		event, err := made.Run(&beat.Event{Fields: mapstr.M{"label": label}})
		require.NoError(t, err)
		require.Equal(t, []string{tag}, event.Fields["tags"])
	}
}

// processorsOf makes the processors of a configuration.
func processorsOf(t *testing.T, root *config.C) *processors.Processors {
	t.Helper()
	var list struct {
		Processors processors.PluginConfig `config:"processors"`
	}
	require.NoError(t, root.Unpack(&list))
	made, err := processors.New(list.Processors, logp.NewNopLogger())
	require.NoError(t, err)
	return made
}

// libbeat refuses an item that is no processor, with its own text.
func TestAnItemThatIsNoProcessorIsRefusedByLibbeat(t *testing.T) {
	for _, settings := range []string{
		``, `processors: []`, `processors: 5`, `processors: [a]`, `processors: [{}]`, `processors: [{a: {}, b: {}}]`, `processors: [{no_such: {}}]`,
		`processors: [{if.equals.a: b}]`, `processors: [{if.equals.a: b, then: 5}]`, `processors: [{if.equals.a: b, then: []}]`,
	} {
		root := pipelinetest.Config(t, settings)
		watched, _, err := publish.WatchProcessors(root)
		require.NoError(t, err)
		require.Equal(t, refusalOf(root), refusalOf(watched), settings)
	}
}

// refusalOf is libbeat's error for the processors, without the list of valid names.
func refusalOf(root *config.C) string {
	var list struct {
		Processors processors.PluginConfig `config:"processors"`
	}
	err := root.Unpack(&list)
	if err == nil {
		_, err = processors.New(list.Processors, logp.NewNopLogger())
	}
	said, _, _ := strings.Cut(fmt.Sprint(err), "Valid actions")
	if strings.HasPrefix(said, "each processor must have exactly one action") { // in any order
		said = said[:len("each processor must have exactly one action")]
	}
	return said
}

// A watched processor has a Close if, and only if, its processor has one: see closingWatched.
func TestAWatchedProcessorHasACloseIfItsProcessorHas(t *testing.T) {
	for settings, closing := range map[string]bool{`processors: [{test_closes: {}}]`: true, `processors: [{test_errs: {}}]`: false} {
		watched, _, err := publish.WatchProcessors(pipelinetest.Config(t, settings))
		require.NoError(t, err)
		made := processorsOf(t, watched)
		_, ok := made.List[0].(processors.Closer)
		require.Equal(t, closing, ok)
		require.NoError(t, made.Close())
		require.Equal(t, map[bool]string{true: "closes", false: "does"}[closing], made.List[0].String())
	}
}

// The processors that only Filebeat imports work on an event of rtbeat, and are watched.
func TestProcessorsOfFilebeat(t *testing.T) {
	const settings = `
processors:
  - timestamp: {field: rxtxMsg.time, layouts: ["02.01.2006 15:04"], timezone: "+0100"}
  - if.has_fields: [rxtxMsg.csv]
    then: [{decode_csv_fields: {fields: {rxtxMsg.csv: rxtxMsg.list}}}]
  - cache: {put: {key_field: rxtxMsg.device, value_field: rxtxMsg.site, ttl: 1h}, backend: {memory.id: sites, capacity: 10}}
  - cache: {get: {key_field: rxtxMsg.device, target_field: site}, backend: {memory.id: sites, capacity: 10}}`
	_, names, err := publish.WatchProcessors(pipelinetest.Config(t, settings))
	require.NoError(t, err)
	require.Equal(t, []string{"cache", "decode_csv_fields", "timestamp"}, names)

	output := &pipelinetest.Output{}
	r := newRig(t, output, 1, 1, settings)
	token := r.publish(`{"time":"30.11.2026 12:34","csv":"a,b","device":"d","site":"s"}`, `{"device":"d","time":"never"}`)
	first := output.Next()
	event := first.Events()[0].Content
	require.Equal(t, time.Date(2026, 11, 30, 11, 34, 0, 0, time.UTC), event.Timestamp)
	require.Equal(t, []string{"a", "b"}, event.Fields["rxtxMsg"].(mapstr.M)["list"])
	second := output.Next()
	event = second.Events()[0].Content
	require.Equal(t, r.origin.Received, event.Timestamp, "a time that cannot be read changes nothing")
	require.Equal(t, "s", event.Fields["site"])
	first.ACK()
	second.ACK()
	r.requireDelivered(token, inflight.Progress{Messages: 2, Acked: 2})
	require.Zero(t, r.count("rtbeat_processor_failures_total"))
	r.requireEmpty()
}

// lines collects the log lines.
type lines []string

func (l *lines) Errorw(msg string, keysAndValues ...any) {
	*l = append(*l, msg[:len("a processor failed")]+fmt.Sprintf(" %v", keysAndValues))
}

func TestFailuresAreLoggedOnceAMinuteForEachProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged lines
		failed := publish.NewFailures(&logged)
		failed("a")
		failed("a")
		failed("b")
		time.Sleep(time.Minute - 1)
		failed("a")
		require.Len(t, logged, 2)
		time.Sleep(time.Nanosecond)
		failed("a")
		failed("b")
		failed("a")
		require.Equal(t, lines{
			"a processor failed [processor a events 1]", "a processor failed [processor b events 1]",
			"a processor failed [processor a events 3]", "a processor failed [processor b events 1]",
		}, logged)
	})
}
