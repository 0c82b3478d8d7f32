package beater_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/publisher"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/logp/logptest"

	"github.com/txn2/rtbeat/beater"
	"github.com/txn2/rtbeat/internal/pipelinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

const body = `{"messages":[{"uuid":"a"},{"uuid":"b"}]}`

// running is a beater that runs in this process, on a real pipeline.
type running struct {
	t      *testing.T
	beater *beater.Beater
	url    string
	ended  chan error
	logs   func() []string
}

func start(t *testing.T, output *pipelinetest.Output, settings string) *running {
	t.Helper()
	logger, observed := logptest.NewTestingLoggerWithObserver(t, "")
	b := &beat.Beat{Info: beat.Info{Beat: "rtbeat", Logger: logger}, Publisher: pipelinetest.New(t, output, 100, pipelinetest.Config(t, ""))}
	bt, err := beater.New(b, section(t, "host: 127.0.0.1\nport: 0\n"+settings), beater.Options{Root: section(t, "queue.mem.flush.timeout: 0s")})
	require.NoError(t, err)

	_, closes := b.Publisher.(io.Closer)
	require.False(t, closes, "libbeat would close the pipeline before it calls Stop")

	r := &running{t: t, beater: bt, url: "http://" + bt.Address(), ended: make(chan error, 1)}
	r.logs = func() (lines []string) {
		for _, entry := range observed.FilterLevelExact(zapcore.InfoLevel).All() {
			lines = append(lines, entry.Message)
		}
		for _, entry := range observed.FilterLevelExact(zapcore.WarnLevel).All() {
			lines = append(lines, entry.Message)
		}
		for _, entry := range observed.FilterLevelExact(zapcore.ErrorLevel).All() {
			lines = append(lines, entry.Message)
		}
		return lines
	}
	go func() { r.ended <- bt.Run(b) }()
	t.Cleanup(func() {
		bt.Stop()
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

// post sends a batch in the background. The channel gets the status and the body of the answer.
func (r *running) post() <-chan string {
	answer := make(chan string, 1)
	go func() {
		res, err := http.Post(r.url+"/in", "application/json", strings.NewReader(body)) //nolint:noctx // the end of the server ends it, which is under test
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		answer <- res.Status + " " + string(text)
	}()
	return answer
}

// receive waits for a value.
func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.FailNow(t, "no value in time")
		panic("unreachable")
	}
}

// windows takes windows from the output until they hold n events.
func windows(output *pipelinetest.Output, n int) (held []publisher.Batch) {
	for n > 0 {
		window := output.Next()
		n -= len(window.Events())
		held = append(held, window)
	}
	return held
}

func TestAnswersOnlyAfterTheAck(t *testing.T) {
	output := &pipelinetest.Output{}
	r := start(t, output, "")
	answer := r.post()
	held := windows(output, 2)
	require.Empty(t, answer, "no answer before the ack")
	for _, window := range held {
		window.ACK()
	}
	require.Contains(t, receive(t, answer), "200 OK")
	r.beater.Stop()
	require.NoError(t, receive(t, r.ended))
	require.Contains(t, r.logs(), "stopped: 2 events delivered, 1 batches answered 200; 0 events of 0 batches unacknowledged")
}

func TestStopWaitsForTheAckOfARequestInFlight(t *testing.T) {
	output := &pipelinetest.Output{}
	r := start(t, output, "")
	answer := r.post()
	held := windows(output, 2)
	r.beater.Stop()
	r.beater.Stop() // a second signal changes nothing
	require.Empty(t, r.ended)
	require.Empty(t, answer)
	for _, window := range held {
		window.ACK()
	}
	require.Contains(t, receive(t, answer), "200 OK")
	require.NoError(t, receive(t, r.ended))
}

func TestStopAnswers503WhenTheOutputNeverAcks(t *testing.T) {
	var held []publisher.Batch
	output := &pipelinetest.Output{OnClose: func() {
		for _, window := range held {
			window.Drop() // as libbeat does when it closes; it looks like an ack
		}
		<-time.After(100 * time.Millisecond) // libbeat reports the acks meanwhile
	}}
	r := start(t, output, "timeout: 10m\nshutdown_timeout: 300ms")
	answer := r.post()
	held = windows(output, 2)
	r.beater.Stop()
	require.Contains(t, receive(t, answer), "503 Service Unavailable")
	require.NoError(t, receive(t, r.ended))
	require.Contains(t, r.logs(), "stopped: 0 events delivered, 0 batches answered 200; 2 events of 1 batches unacknowledged")
}

// A sealed registry has no events, although the output has acknowledged none: the stall has not ended.
func TestStopLogsNoEndOfAStall(t *testing.T) {
	var held []publisher.Batch
	output := &pipelinetest.Output{OnClose: func() {
		for _, window := range held {
			window.Drop()
		}
		<-time.After(1200 * time.Millisecond) // conditions are observed each second
	}}
	r := start(t, output, "timeout: 100ms\nstall_after: 200ms\nshutdown_timeout: 100ms")
	require.Contains(t, receive(t, r.post()), "504 Gateway Timeout")
	held = windows(output, 2)
	require.Eventually(t, func() bool { return slices.ContainsFunc(r.logs(), isStall) }, patience, 10*time.Millisecond)
	r.beater.Stop()
	require.NoError(t, receive(t, r.ended))
	require.NotContains(t, r.logs(), "the output acknowledges again")
}

func isStall(line string) bool { return strings.HasPrefix(line, "the output is stalled") }

// The events of a request that was answered 504 are still with the output. The stop waits for their acks within the budget.
func TestStopWaitsForEventsOfARequestAnswered504(t *testing.T) {
	output := &pipelinetest.Output{}
	r := start(t, output, "timeout: 50ms")
	require.Contains(t, receive(t, r.post()), "504 Gateway Timeout")
	held := windows(output, 2)
	r.beater.Stop()
	<-time.After(500 * time.Millisecond) // the steps before take milliseconds
	require.Empty(t, r.ended, "the stop waits")
	for _, window := range held {
		window.ACK()
	}
	require.NoError(t, receive(t, r.ended))
	require.Contains(t, r.logs(), "stopped: 2 events delivered, 0 batches answered 200; 0 events of 0 batches unacknowledged")
}

func TestStopBeforeRun(t *testing.T) {
	b := &beat.Beat{Info: beat.Info{Logger: logp.NewNopLogger()}, Publisher: pipelinetest.New(t, &pipelinetest.Output{}, 1, pipelinetest.Config(t, ""))}
	bt, err := beater.New(b, section(t, "host: 127.0.0.1\nport: 0"), beater.Options{Root: section(t, "queue.mem.flush.timeout: 0s")})
	require.NoError(t, err)
	bt.Stop()
	ended := make(chan error, 1)
	go func() { ended <- bt.Run(b) }()
	require.NoError(t, receive(t, ended))
}

func TestATakenPortIsAnErrorOfNew(t *testing.T) {
	r := start(t, &pipelinetest.Output{}, "")
	_, port, _ := strings.Cut(strings.TrimPrefix(r.url, "http://"), ":")
	b := &beat.Beat{Info: beat.Info{Logger: logp.NewNopLogger()}}
	taken := section(t, "host: 127.0.0.1\nport: "+port)
	root := section(t, "queue.mem.flush.timeout: 0s")
	_, err := beater.New(b, taken, beater.Options{Root: root})
	require.ErrorContains(t, err, "cannot listen on 127.0.0.1:"+port+" (rtbeat.host and rtbeat.port)")

	_, err = beater.New(b, taken, beater.Options{Root: root, Check: true})
	require.NoError(t, err, "checking the configuration beside a running rtbeat")
	r.beater.Stop()
	require.NoError(t, receive(t, r.ended))
}

func section(t *testing.T, settings string) *conf.C {
	t.Helper()
	c, err := conf.NewConfigWithYAML([]byte(settings), "test")
	require.NoError(t, err)
	return c
}

func TestQueueThatHoldsBatchesBackIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ root, want string }{
		"libbeat's default":          {"output.logstash.enabled: true", "queue.mem.flush.timeout is 10s, which reaches rtbeat.timeout (5s)"},
		"zero":                       {"queue.mem.flush.timeout: 0s", ""},
		"less than timeout":          {"queue.mem.flush.timeout: 4999ms", ""},
		"timeout itself":             {"queue.mem.flush.timeout: 5s", "Set queue.mem.flush.timeout to 0s, or to less than rtbeat.timeout"},
		"min_events 1 needs no time": {"queue.mem: {flush.timeout: 10s, flush.min_events: 1}", ""},
		"in the output":              {"output.logstash.queue.mem.flush.timeout: 7s", "output.logstash.queue.mem.flush.timeout is 7s"},
		"in the output, default":     {"output.kafka.queue.mem.events: 4096", "output.kafka.queue.mem.flush.timeout is 10s"},
		"in the output, zero":        {"output.logstash.queue.mem.flush.timeout: 0s", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := &beat.Beat{Info: beat.Info{Logger: logp.NewNopLogger()}}
			_, err := beater.New(b, section(t, "timeout: 5"), beater.Options{Root: section(t, test.root), Check: true})
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestUnconfirmedOutput(t *testing.T) {
	const refusal = "does not say which events it gave up, and they would be lost. " +
		"Use output.logstash, output.elasticsearch or output.file, or set rtbeat.allow_unconfirmed_output to true"
	for output, isConfirmed := range map[string]bool{
		"logstash": true, "elasticsearch": true, "file": true,
		"kafka": false, "redis": false, "console": false, "discard": false, "of a later libbeat": false,
	} {
		t.Run(output, func(t *testing.T) {
			logger, observed := logptest.NewTestingLoggerWithObserver(t, "")
			b := &beat.Beat{Info: beat.Info{Logger: logger}, Config: &beat.BeatConfig{}}
			require.NoError(t, conf.MustNewConfigFrom(map[string]any{output: map[string]any{}}).Unpack(&b.Config.Output))
			options := beater.Options{Root: section(t, "queue.mem.flush.timeout: 0s"), Check: true}

			_, err := beater.New(b, section(t, "port: 0"), options)
			if isConfirmed {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, "checking the configuration: output."+output+" "+refusal)
			}
			_, err = beater.New(b, section(t, "{port: 0, allow_unconfirmed_output: true}"), options)
			require.NoError(t, err)
			warned := observed.FilterMessageSnippet("allow_unconfirmed_output is true: such events are lost, and their senders are answered 200").Len()
			require.Equal(t, isConfirmed, warned == 0)
		})
	}
}
