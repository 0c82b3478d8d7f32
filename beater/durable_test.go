package beater_test

import (
	"flag"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	_ "github.com/elastic/beats/v7/libbeat/processors/actions/addfields" // add_fields
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/beats/v7/libbeat/publisher/pipeline"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp/logptest"

	"github.com/txn2/rtbeat/beater"
	"github.com/txn2/rtbeat/internal/pipelinetest"
)

// durably is a beater in durable mode: libbeat's pipeline with its disk queue, around a scripted output.
type durably struct {
	*running
	path string // of the queue
}

// startDurable starts one. processors is what stands under processors: in rtbeat.yml.
func startDurable(t *testing.T, output *pipelinetest.Output, processors string) *durably {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queue")
	logger, _ := logptest.NewTestingLoggerWithObserver(t, "")
	info := beat.Info{Beat: "rtbeat", Name: "test", Logger: logger}
	root := section(t, "{queue.disk: {max_size: 10MB, path: "+path+"}, processors: ["+processors+"]}")
	options := beater.Options{Run: true}
	support, err := options.Processing(info, logger, root)
	require.NoError(t, err)

	var queue struct {
		Queue conf.Namespace `config:"queue"`
	}
	require.NoError(t, root.Unpack(&queue))
	b := &beat.Beat{Info: info, Monitoring: beat.NewMonitoring()}
	p, err := pipeline.New(info, pipeline.Monitors{Logger: logger, Telemetry: b.Monitoring.StateRegistry()}, queue.Queue,
		outputs.Group{Clients: []outputs.Client{output}, BatchSize: 100}, pipeline.Settings{Processors: support})
	require.NoError(t, err)
	b.Publisher = p

	bt, err := beater.New(b, section(t, "{host: 127.0.0.1, port: 0, max_body_bytes: 256KiB, timeout: 2s, shutdown_timeout: 300ms}"), options)
	require.NoError(t, err)
	r := &running{t: t, beater: bt, url: "http://" + bt.Address(), ended: make(chan error, 1)}
	go func() { r.ended <- bt.Run(b) }()
	t.Cleanup(func() {
		bt.Stop()
		http.DefaultClient.CloseIdleConnections()
		require.NoError(t, p.Close()) // rtbeat leaves it open; the queue's goroutines must not outlive the test
	})
	return &durably{r, path}
}

func (d *durably) send(body string) string {
	d.t.Helper()
	res, err := http.Post(d.url+"/in", "application/json", strings.NewReader(body)) //nolint:noctx // rtbeat answers within its timeout, which bounds it
	require.NoError(d.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	return res.Status + " " + string(text)
}

func acknowledge(batch publisher.Batch) { batch.ACK() }

func TestDurableAnswersWithoutTheOutput(t *testing.T) {
	output := &pipelinetest.Output{} // takes windows, and never acknowledges one
	d := startDurable(t, output, "")
	for range 3 {
		require.Contains(t, d.send(body), "200 OK")
	}
	d.beater.Stop()
	require.NoError(t, receive(t, d.ended))
}

// A processor may make of a message what the disk queue cannot carry. That costs the batch a 500, and no other batch
// anything.
func TestDurableRefusesWhatProcessorsMade(t *testing.T) {
	var got []string
	events := make(chan publisher.Event, 100)
	output := &pipelinetest.Output{OnBatch: func(batch publisher.Batch) {
		for _, event := range batch.Events() {
			events <- event
		}
		batch.ACK()
	}}
	d := startDurable(t, output, `{decode_json_fields: {fields: [rxtxMsg.text], target: decoded}}`)
	require.Contains(t, d.send(`{"messages":[{"text":"{\"a\":1}","uuid":"1"}]}`), "200 OK")
	require.Contains(t, d.send(`{"messages":[{"text":"{\"\":1}","uuid":"2"}]}`), "500 Internal Server Error")
	require.Contains(t, d.send(`{"messages":[{"text":"{\"a\":-200}","uuid":"3"}]}`), "200 OK")
	for range 2 {
		fields := receive(t, events).Content.Fields
		uuid, err := fields.GetValue("rxtxMsg.uuid")
		require.NoError(t, err)
		got = append(got, uuid.(string))
		if uuid == "3" {
			n, err := fields.GetValue("decoded.a")
			require.NoError(t, err)
			require.EqualValues(t, -200, n)
		}
	}
	require.Equal(t, []string{"1", "3"}, got)
}

func TestDurableRefusesADirectoryInUse(t *testing.T) {
	d := startDurable(t, &pipelinetest.Output{OnBatch: acknowledge}, "")
	logger, _ := logptest.NewTestingLoggerWithObserver(t, "")
	options := beater.Options{Run: true}
	_, err := options.Processing(beat.Info{Beat: "rtbeat", Logger: logger}, logger, section(t, "queue.disk: {max_size: 10MB, path: "+d.path+"}"))
	require.ErrorContains(t, err, "another process uses it")
	d.beater.Stop()
	require.NoError(t, receive(t, d.ended)) // the flag that is set below is read by whoever connects
	options.Run = false
	t.Cleanup(func() { require.NoError(t, flag.Set("N", "false")) })
	_, err = options.Processing(beat.Info{Beat: "rtbeat", Logger: logger}, logger, section(t, "queue.disk: {max_size: 10MB, path: "+d.path+"}"))
	require.NoError(t, err, "commands that do not run leave it alone")
	require.Equal(t, "true", flag.Lookup("N").Value.String(), "and keep libbeat from it")
}

// The queue that libbeat falls back to must not pass for the disk queue.
func TestDurableRefusesToRunOnAnotherQueue(t *testing.T) {
	b := &beat.Beat{Info: beat.Info{Logger: logptest.NewTestingLogger(t, "")}, Monitoring: beat.NewMonitoring()}
	_, err := beater.New(b, section(t, "{max_body_bytes: 256KiB, port: 0}"), beater.Options{Root: section(t, "queue.disk.max_size: 10MB")})
	require.ErrorContains(t, err, "libbeat could not make the queue of queue.disk")
}
