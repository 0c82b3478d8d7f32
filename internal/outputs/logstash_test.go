package outputs

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	logged "go.uber.org/zap/zaptest/observer"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/common/backoff"
	"github.com/elastic/beats/v7/libbeat/outputs"
	libbeatlogstash "github.com/elastic/beats/v7/libbeat/outputs/logstash"
	"github.com/elastic/beats/v7/libbeat/outputs/outest"
	"github.com/elastic/beats/v7/libbeat/publisher"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/transport"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// recorded is a logger that keeps its lines, from debug on.
func recorded() (*logp.Logger, *logged.ObservedLogs) {
	core, lines := logged.New(zapcore.DebugLevel)
	return logp.NewNopLogger().WithOptions(zap.WrapCore(func(zapcore.Core) zapcore.Core { return core })), lines
}

// atLevel returns the messages of a level.
func atLevel(lines *logged.ObservedLogs, level zapcore.Level) (messages []string) {
	for _, line := range lines.FilterLevelExact(level).All() {
		messages = append(messages, line.Message)
	}
	return messages
}

// scripted is the client of an output. It records each attempt to connect or publish, and returns the error of the test.
type scripted struct {
	connect, publish func() error
	attempts         []time.Time // failed connections, and batches
	closed           int
}

func (s *scripted) Connect(context.Context) error {
	err := s.connect()
	if err != nil {
		s.attempts = append(s.attempts, time.Now())
	}
	return err
}

func (s *scripted) Publish(_ context.Context, batch publisher.Batch) error {
	s.attempts = append(s.attempts, time.Now())
	err := s.publish()
	if err != nil {
		batch.Retry()
	}
	return err
}

func (s *scripted) Close() error   { s.closed++; return nil }
func (s *scripted) String() string { return "scripted" }

func works() error { return nil }
func fails() error { return errors.New("down") }

func newScripted(s *scripted, initial, limit time.Duration) (*logstashClient, *logged.ObservedLogs) {
	log, lines := recorded()
	c := &logstashClient{client: s, hosts: []string{"a:5044"}, log: log, repeats: newRepeats(log), closing: make(chan struct{})}
	c.backoff = backoff.NewEqualJitterBackoff(c.closing, initial, limit)
	return c, lines
}

// work publishes like libbeat's worker, for a time.
func work(t *testing.T, c *logstashClient, forThis time.Duration) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < forThis; {
		require.NoError(t, c.Publish(t.Context(), outest.NewBatch()), "libbeat's worker would end")
	}
}

// intervals are the intervals of libbeat and of rtbeat.yml. TestShippedBackoff in test/e2e compares them with the files.
var intervals = map[string]libbeatlogstash.Backoff{
	"libbeat's":  libbeatlogstash.DefaultConfig().Backoff,
	"rtbeat.yml": {Init: 500 * time.Millisecond, Max: 4 * time.Second},
}

// From the third second on, a host that is down gets an attempt every 2 s at most.
func TestAttemptsToConnectToLogstashAreFarApart(t *testing.T) {
	for way, host := range map[string]func() *scripted{
		"port closed":             func() *scripted { return &scripted{connect: fails, publish: fails} },
		"connects, then is reset": func() *scripted { return &scripted{connect: works, publish: fails} },
	} {
		for name, wait := range intervals {
			t.Run(way+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					for range 50 { // the intervals are random
						s := host()
						c, _ := newScripted(s, wait.Init, wait.Max)
						begun := time.Now()
						work(t, c, time.Minute)
						require.Greater(t, len(s.attempts), 3)
						late := slices.IndexFunc(s.attempts, func(at time.Time) bool { return at.Sub(begun) >= 2*time.Second })
						for i := late + 1; i < len(s.attempts); i++ {
							require.GreaterOrEqual(t, s.attempts[i].Sub(s.attempts[i-1]), 2*time.Second, "attempt %d", i)
						}
					}
				})
			})
		}
	}
}

// A connection that breaks after an acknowledgement, such as an idle one, is replaced without a wait.
func TestAnIdleConnectionToLogstashIsReplacedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{connect: works, publish: works}
		c, lines := newScripted(s, time.Second, time.Minute)
		publish := func() { require.NoError(t, c.Publish(t.Context(), outest.NewBatch())) }
		publish() // connects
		publish()
		c.acked()
		for range 10 {
			time.Sleep(2 * time.Minute)
			before := time.Now()
			s.publish = fails
			publish()
			s.publish = works
			publish() // connects
			publish()
			require.Equal(t, before, time.Now(), "it waited")
			c.acked()
		}
		require.Empty(t, atLevel(lines, zapcore.ErrorLevel))
		require.Empty(t, atLevel(lines, zapcore.WarnLevel))
		records := atLevel(lines, zapcore.InfoLevel)
		require.Equal(t, "connected to Logstash", records[0])
		require.Len(t, records, 1+10, "a line for each idle close")
		require.Equal(t, "down", lines.All()[1].ContextMap()["error.message"])
	})
}

// An outage is logged at once, then once a minute with the number of suppressed lines, and once at its end.
func TestAnOutageOfLogstashIsLoggedOnceAMinute(t *testing.T) {
	for way, tt := range map[string]struct {
		host scripted
		line string
	}{
		"port closed":             {scripted{connect: fails, publish: fails}, "cannot connect to Logstash"},
		"connects, then is reset": {scripted{connect: works, publish: fails}, "connections to Logstash break before an acknowledgement"},
	} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &tt.host
				c, lines := newScripted(s, 500*time.Millisecond, 4*time.Second)
				begun := time.Now()
				work(t, c, 10*time.Minute)

				records := lines.FilterLevelExact(zapcore.ErrorLevel).All()
				require.InDelta(t, 10, len(records), 1)
				require.True(t, begun.Equal(records[0].Time), "not at once")
				lost := int64(0)
				for i, line := range records {
					require.Equal(t, tt.line, line.Message)
					fields := line.ContextMap()
					require.Equal(t, "down", fields["error.message"])
					require.Equal(t, []any{"a:5044"}, fields["hosts"])
					lost += fields["suppressed"].(int64)
					if i > 0 {
						require.GreaterOrEqual(t, line.Time.Sub(records[i-1].Time), time.Minute)
					}
				}
				failures := records[len(records)-1].ContextMap()["failures"].(int64)
				first := map[string]int64{"port closed": 0, "connects, then is reset": 1}[way] // logged at info
				require.Equal(t, failures, first+int64(len(records))+lost, "each failure is counted")

				c.acked()
				c.acked()
				require.Len(t, lines.FilterMessage("Logstash acknowledges again").FilterLevelExact(zapcore.InfoLevel).All(), 1)
			})
		})
	}
}

// An acknowledgement resets the backoff.
func TestLogstashAcknowledgementEndsTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{connect: fails, publish: fails}
		c, _ := newScripted(s, time.Second, time.Hour)
		work(t, c, 10*time.Minute)
		c.acked()
		s.attempts = nil
		begun := time.Now()
		work(t, c, time.Second)
		require.Equal(t, begun, s.attempts[0])
		require.Less(t, time.Since(begun), 2*time.Second)
	})
}

// Close ends a wait, and failures after it are not logged.
func TestLogstashCloseEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{connect: fails, publish: fails}
		c, lines := newScripted(s, time.Hour, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		begun := time.Now()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = c.Publish(ctx, outest.NewBatch())
		}()
		synctest.Wait()
		cancel()
		require.NoError(t, c.Close())
		<-ended
		require.Equal(t, begun, time.Now())
		require.NoError(t, c.Close())
		require.Equal(t, 1, s.closed)

		records := lines.Len()
		require.NoError(t, c.Publish(ctx, outest.NewBatch()))
		require.Equal(t, records, lines.Len())
	})
}

// Without a connection, a batch is given back before the client connects: another worker may have it.
func TestLogstashGivesTheBatchBackToConnect(t *testing.T) {
	batch := outest.NewBatch()
	s := &scripted{publish: works, connect: func() error {
		require.Equal(t, []outest.BatchSignal{{Tag: outest.BatchCancelled}}, batch.Signals)
		return nil
	}}
	c, _ := newScripted(s, time.Second, time.Second)
	require.NoError(t, c.Publish(t.Context(), batch))
	require.True(t, c.connected)
}

// loadLogstash makes the real output, as libbeat does.
func loadLogstash(t *testing.T, settings map[string]any) (outputs.Group, *logged.ObservedLogs) {
	t.Helper()
	require.NoError(t, Wrap())
	log, lines := recorded()
	group, err := outputs.Load(nil, beat.Info{Beat: "rtbeat", Version: "9.9.9", Logger: log}, nil, "logstash", conf.MustNewConfigFrom(settings))
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, c := range group.Clients {
			_ = c.Close() // some were never connected
		}
	})
	return group, lines
}

// deliver publishes an event until it is acknowledged, as libbeat does.
func deliver(t *testing.T, c outputs.Client) {
	t.Helper()
	signals := make(chan outest.BatchSignalTag, 10)
	for {
		batch := outest.NewBatch(events(1, 10)...)
		batch.OnSignal = func(signal outest.BatchSignal) { signals <- signal.Tag }
		require.NoError(t, c.Publish(t.Context(), batch))
		select {
		case signal := <-signals:
			if signal == outest.BatchACK {
				return
			}
		case <-time.After(20 * time.Second):
			require.Fail(t, "the batch has not ended")
		}
	}
}

// The real output, with connections that end as Logstash ends them: no line at error, and the output's own line is at debug.
func TestLogstashOutputAfterAReset(t *testing.T) {
	for name, settings := range map[string]map[string]any{"asynchronous": {}, "synchronous": {"pipelining": 0}} {
		t.Run(name, func(t *testing.T) {
			sink, err := lumbersink.Listen("127.0.0.1:0", lumbersink.WithQuietPeriod(0))
			require.NoError(t, err)
			defer func() { require.NoError(t, sink.Close()) }()
			settings["hosts"] = []string{sink.Addr()}
			settings["backoff.init"], settings["backoff.max"] = "1h", "1h" // a wait would not end
			group, lines := loadLogstash(t, settings)
			require.Len(t, group.Clients, 1)
			tooLong := time.AfterFunc(20*time.Second, func() { _ = group.Clients[0].Close() }) // ends a wait

			deliver(t, group.Clients[0])
			for range 5 {
				sink.Cut()
				deliver(t, group.Clients[0])
			}
			require.True(t, tooLong.Stop(), "it waited for the backoff")
			require.Equal(t, 6, sink.Acked())
			require.Empty(t, atLevel(lines, zapcore.ErrorLevel))
			require.Empty(t, atLevel(lines, zapcore.WarnLevel))
			require.Equal(t, []string{"connected to Logstash", "the connection to Logstash was closed, sending again over a new one"},
				atLevel(lines, zapcore.InfoLevel), "once a minute")
			require.Positive(t, lines.FilterLevelExact(zapcore.DebugLevel).Filter(func(line logged.LoggedEntry) bool {
				return len(line.Message) > len(gaveBack) && line.Message[:len(gaveBack)] == gaveBack
			}).Len(), "libbeat's line has changed")
		})
	}
}

// A closed client acknowledges a batch that it never sent, so it gets none between an error and a new connection.
func TestLogstashPublishesNothingOverABrokenConnection(t *testing.T) {
	sink, err := lumbersink.Listen("127.0.0.1:0", lumbersink.WithQuietPeriod(0))
	require.NoError(t, err)
	group, _ := loadLogstash(t, map[string]any{"hosts": []string{sink.Addr()}, "backoff.init": "1ms", "backoff.max": "1ms"})
	deliver(t, group.Clients[0])
	require.NoError(t, sink.Close())
	for range 10 {
		batch := outest.NewBatch(events(1, 10)...)
		signals := make(chan outest.BatchSignalTag, 10)
		batch.OnSignal = func(signal outest.BatchSignal) { signals <- signal.Tag }
		require.NoError(t, group.Clients[0].Publish(t.Context(), batch))
		require.NotEqual(t, outest.BatchACK, <-signals)
	}
	require.Equal(t, 1, sink.Acked())
}

// The line has the cause of a failure, also a cause that only the output's log has.
func TestLogstashCauseOfATimeout(t *testing.T) {
	sink, err := lumbersink.Listen("127.0.0.1:0", lumbersink.WithPolicy(lumbersink.Never()), lumbersink.WithKeepAlive(time.Hour), lumbersink.WithQuietPeriod(0))
	require.NoError(t, err)
	defer func() { require.NoError(t, sink.Close()) }()
	group, lines := loadLogstash(t, map[string]any{"hosts": []string{sink.Addr()}, "timeout": "50ms", "backoff.init": "1ms", "backoff.max": "1ms"})
	for lines.FilterLevelExact(zapcore.ErrorLevel).Len() == 0 {
		batch := outest.NewBatch(events(1, 10)...)
		ended := make(chan struct{}, 10)
		batch.OnSignal = func(outest.BatchSignal) { ended <- struct{}{} }
		require.NoError(t, group.Clients[0].Publish(t.Context(), batch))
		<-ended
	}
	require.Contains(t, lines.FilterLevelExact(zapcore.ErrorLevel).All()[0].ContextMap()["error.message"], "i/o timeout")
}

// With loadbalance each host and worker has a client. Without it the hosts share one.
func TestLogstashClients(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string]any
		hosts    [][]string
	}{
		"one host":    {map[string]any{"hosts": []string{"a:1"}}, [][]string{{"a:1"}}},
		"failover":    {map[string]any{"hosts": []string{"a:1", "b:1"}, "worker": 2}, [][]string{{"a:1", "b:1"}}},
		"loadbalance": {map[string]any{"hosts": []string{"a:1", "b:1"}, "loadbalance": true}, [][]string{{"a:1"}, {"b:1"}}},
		"workers":     {map[string]any{"hosts": []string{"a:1"}, "loadbalance": true, "worker": 2}, [][]string{{"a:1"}, {"a:1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.settings["bulk_max_size"] = 77
			group, _ := loadLogstash(t, tt.settings)
			require.Equal(t, 77, group.BatchSize)
			var hosts [][]string
			for _, c := range group.Clients {
				hosts = append(hosts, c.(*logstashClient).hosts)
				_, network := c.(outputs.NetworkClient)
				require.False(t, network, "libbeat would connect it, and wait")
			}
			require.Equal(t, tt.hosts, hosts)
		})
	}
}

func TestLogstashSettingsAreRefusedByLibbeat(t *testing.T) {
	require.NoError(t, Wrap())
	for _, settings := range []map[string]any{{}, {"hosts": []string{"a"}, "pipelining": -1}} {
		_, err := outputs.Load(nil, beat.Info{Logger: logp.NewNopLogger()}, nil, "logstash", conf.MustNewConfigFrom(settings))
		require.Error(t, err)
	}
}

// The line has the first reason on this connection. A later window finds the connection closed, which is no reason.
func TestLogstashFirstCause(t *testing.T) {
	s := &scripted{connect: works, publish: fails}
	c, lines := newScripted(s, time.Millisecond, time.Millisecond)
	publish := func() { require.NoError(t, c.Publish(t.Context(), outest.NewBatch())) }
	publish() // connects
	publish()
	c.keepBreakReason("of the connection before")
	publish() // connects
	c.keepBreakReason(transport.ErrNotConnected.Error())
	c.keepBreakReason("i/o timeout")
	c.keepBreakReason("broken pipe")
	publish()
	records := lines.FilterLevelExact(zapcore.ErrorLevel).All()
	require.Len(t, records, 1)
	require.Equal(t, "i/o timeout", records[0].ContextMap()["error.message"])
}

// A window behind another one does not count when the connection ends: Logstash reads in order.
func TestLogstashCountsTheFirstWindow(t *testing.T) {
	s := &scripted{connect: works, publish: works}
	c, lines := newScripted(s, time.Millisecond, time.Millisecond)
	publish := func(batch publisher.Batch) { require.NoError(t, c.Publish(t.Context(), batch)) }
	unreadable, behind := outest.NewBatch(events(1, 10)...), outest.NewBatch(events(2, 10)...)
	for i := range 5 {
		publish(unreadable) // connects
		publish(unreadable)
		publish(behind)
		s.publish = fails
		publish(behind)
		publish(behind) // connects, and is given back
		s.publish = works
		c.connected = false
		require.Equal(t, i, c.repeats.count())
	}
	records := lines.FilterMessageSnippet("the same window").All()
	require.Len(t, records, 1)
	require.EqualValues(t, 1, records[0].ContextMap()["events"])
}
