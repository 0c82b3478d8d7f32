//go:build !race

// Package durable holds libbeat's disk queue against what rtbeat believes of it: what it changes, what it loses, and
// that it does neither with what internal/persist and internal/queuedir have prepared. Where a test for a defect fails
// after an update of libbeat, the defect may be gone, and with it a restriction.
//
// The race detector is left out: a disk queue that is closed while it writes has a data race of its own (handleShutdown
// in diskqueue/core_loop.go). make unit runs this package once more without it.
package durable

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	codec "github.com/elastic/beats/v7/libbeat/outputs/codec/json"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/beats/v7/libbeat/publisher/queue"
	"github.com/elastic/beats/v7/libbeat/publisher/queue/diskqueue"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/persist"
	"github.com/txn2/rtbeat/internal/queuedir"
)

const patience = 10 * time.Second

// disk is a disk queue of libbeat.
type disk struct {
	t        *testing.T
	path     string
	queue    queue.Queue
	producer queue.Producer
	acked    chan int
	next     chan queue.Batch // of a read that found nothing yet
}

func open(t *testing.T, path string, segment uint64) *disk {
	t.Helper()
	settings := diskqueue.DefaultSettings()
	settings.Path, settings.MaxSegmentSize = path, segment
	q, err := diskqueue.NewQueue(logp.NewNopLogger(), nil, settings, nil)
	require.NoError(t, err)
	d := &disk{t: t, path: path, queue: q, acked: make(chan int, 1<<20)}
	d.producer = q.Producer(queue.ProducerConfig{ACK: func(n int) { d.acked <- n }})
	t.Cleanup(d.close)
	return d
}

func (d *disk) close() {
	_ = d.queue.Close(false)
	<-d.queue.Done()
}

// write puts events into the queue and waits until they are acknowledged.
func (d *disk) write(events ...map[string]any) {
	d.t.Helper()
	for _, fields := range events {
		_, taken := d.producer.Publish(publisher.Event{Content: beat.Event{Timestamp: time.Unix(1, 0), Fields: mapstr.M{"rxtxMsg": mapstr.M(fields)}}})
		require.True(d.t, taken)
	}
	for n := 0; n < len(events); {
		select {
		case acked := <-d.acked:
			n += acked
		case <-time.After(patience):
			require.FailNow(d.t, "not acknowledged")
		}
	}
}

// read takes n events from the queue, or as many as there are, and acknowledges them if it is told to.
func (d *disk) read(n int, acknowledge bool) (fields []mapstr.M) {
	d.t.Helper()
	return d.readUntil(func(read []mapstr.M) bool { return len(read) >= n }, n, acknowledge, time.Second)
}

func (d *disk) readUntil(enough func([]mapstr.M) bool, n int, acknowledge bool, within time.Duration) (fields []mapstr.M) {
	d.t.Helper()
	for !enough(fields) {
		if d.next == nil { // else one from before still waits
			next, n := make(chan queue.Batch, 1), max(n-len(fields), 1)
			d.next = next
			go func() {
				if b, err := d.queue.Get(n); err == nil {
					next <- b
				}
			}()
		}
		select {
		case b := <-d.next:
			d.next = nil
			for i := range b.Count() {
				fields = append(fields, b.Entry(i).(publisher.Event).Content.Fields)
			}
			if acknowledge {
				b.Done()
			}
		case <-time.After(within):
			return fields
		}
	}
	return fields
}

var encoder = codec.New("", codec.Config{})

// encoded is the JSON of an event's message as the Logstash output writes it.
func encoded(t *testing.T, fields mapstr.M) any {
	t.Helper()
	text, err := encoder.Encode("test", &beat.Event{Fields: fields})
	require.NoError(t, err)
	var event struct {
		Message any `json:"rxtxMsg"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&event))
	return event.Message
}

// values has each number in a form in which equal ones are equal.
func values(v any) any {
	switch v := v.(type) {
	case json.Number:
		r, ok := new(big.Rat).SetString(v.String())
		if !ok {
			panic(v)
		}
		if r.Sign() == 0 && strings.HasPrefix(v.String(), "-") {
			return "-0"
		}
		return "number " + r.RatString()
	case map[string]any:
		for key := range v {
			v[key] = values(v[key])
		}
	case []any:
		for i := range v {
			v[i] = values(v[i])
		}
	}
	return v
}

func (d *disk) requireRoundTrip(fields map[string]any) {
	d.t.Helper()
	fitted, _, err := persist.Fit(fields)
	require.NoError(d.t, err)
	d.write(fitted)
	back := d.read(1, true)
	require.Len(d.t, back, 1, "not read back: %v", fields)
	require.Equal(d.t, values(encoded(d.t, mapstr.M{"rxtxMsg": fields})), values(encoded(d.t, back[0])))
}

func TestEveryNumberComesBack(t *testing.T) {
	d := open(t, t.TempDir(), 10<<20)
	var numbers []any
	for bit := range uint(64) {
		for offset := int64(-30); offset <= 30; offset++ {
			numbers = append(numbers, int64(1)<<bit+offset, -(int64(1)<<bit)+offset, uint64(1)<<bit+uint64(offset))
			f := math.Ldexp(1, int(bit)) + float64(offset)
			numbers = append(numbers, f, -f, 1/f)
		}
	}
	for i, v := range numbers {
		if f, ok := v.(float64); ok && math.IsInf(f, 0) {
			numbers[i] = 0.1
		}
	}
	numbers = append(numbers, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64, 0.1, 1e21, 1e-7)
	d.requireRoundTrip(map[string]any{"numbers": numbers})
}

func TestRandomMessagesComeBack(t *testing.T) {
	d := open(t, t.TempDir(), 10<<20)
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for range 1000 {
		d.requireRoundTrip(object(r, 0))
	}
}

// FuzzBodyComesBack has whatever the decoder accepts go through the queue.
func FuzzBodyComesBack(f *testing.F) {
	f.Add([]byte(`{"messages":[{"a":[-129,1e5,-0,"\u0000",null,{}],"@timestamp":"x","a.b":{"":1}}]}`))
	f.Add([]byte(`{"messages":[{"n":[-32769,-65536,-4294967296,-2147483649,18446744073709551615,1.0,12345678901234567890123]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := batch.Decode(body, batch.Options{})
		if err != nil || len(b.Messages) > 20 {
			return
		}
		d := open(t, t.TempDir(), 10<<20)
		for _, m := range b.Messages {
			_, report, err := persist.Fit(m.Fields)
			if err != nil {
				continue
			}
			require.LessOrEqual(t, report.Size, 3*len(m.Raw), "internal/durable counts on this growth at most")
			d.requireRoundTrip(m.Fields)
		}
	})
}

func TestExtremesComeBack(t *testing.T) {
	d := open(t, t.TempDir(), 100<<20)
	list, nested := any("x"), map[string]any{"k": nil}
	for range batch.HighestMaxDepth {
		list, nested = []any{list}, map[string]any{"k": nested}
	}
	wide := map[string]any{}
	for i := range 70000 {
		wide[fmt.Sprint("key ", i)] = int64(i)
	}
	for _, fields := range []map[string]any{
		{"deep": list},
		nested, wide,
		{"long": strings.Repeat("ä", 5<<20)},
		{strings.Repeat("k", 100000): true},
		{"l": make([]any, 100000)},
		{},
		{"e": []any{[]any{}, map[string]any{}, nil, ""}},
		{"@timestamp": "x", "@metadata": map[string]any{"_id": "y"}, "a.b": map[string]any{"a": 1.5}, "a": map[string]any{"b": int64(2)}, "\x00": "\x00"},
	} {
		d.requireRoundTrip(fields)
	}
}

// TestSizeIsWhatTheQueueWrites holds persist's size against the bytes on the disk.
func TestSizeIsWhatTheQueueWrites(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	d := open(t, t.TempDir(), 10<<20)
	segment, before := filepath.Join(d.path, "0.seg"), int64(12)
	for range 200 {
		fields, _, err := persist.Fit(object(r, 0))
		require.NoError(t, err)
		_, report, err := persist.Fit(map[string]any{"rxtxMsg": fields})
		require.NoError(t, err)
		d.write(fields)
		info, err := os.Stat(segment)
		require.NoError(t, err)
		written := int(info.Size() - before)
		require.LessOrEqual(t, report.Size, written)
		require.LessOrEqual(t, written, report.Size+persist.Overhead)
		before = info.Size()
	}
}

// The defects that internal/persist is for.

func TestLibbeatChangesNegativeIntegers(t *testing.T) {
	d := open(t, t.TempDir(), 10<<20)
	for n, back := range map[int64]string{-129: "number 127", -256: "number 0", -40000: "number 25536", -1 << 32: "number 0"} {
		d.write(map[string]any{"n": n})
		require.Equal(t, map[string]any{"n": back}, values(encoded(t, d.read(1, true)[0])), "%d", n)
	}
}

func TestLibbeatLosesASegmentToAnEmptyKey(t *testing.T) {
	path := t.TempDir()
	d := open(t, path, 10<<20)
	d.write(map[string]any{"a": "first"}, map[string]any{"": "poison"}, map[string]any{"a": "of another sender"})
	d.close()
	require.Len(t, open(t, path, 10<<20).read(3, true), 1)
}

func TestQueuedirChangesNothingWithoutNeed(t *testing.T) {
	dir, err := queuedir.Open(filepath.Join(t.TempDir(), "new", "queue"))
	require.NoError(t, err)
	require.False(t, dir.Reset)
	require.NoError(t, dir.Close())
}
