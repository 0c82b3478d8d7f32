//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// stamp is the only field that always differs: the time of the request.
var stamp = regexp.MustCompile(`"@timestamp":"[^"]*"`)

// eventsOf are the events at a sink, without their time, in the order of their texts.
func eventsOf(t testing.TB, sink *lumbersink.Sink) (events []string) {
	t.Helper()
	for _, e := range sink.Events() {
		require.Len(t, stamp.FindAll(e.Raw, -1), 1)
		d := json.NewDecoder(bytes.NewReader(stamp.ReplaceAll(e.Raw, []byte(`"@timestamp":""`))))
		d.UseNumber() // numbers are compared by their digits
		var event map[string]any
		require.NoError(t, d.Decode(&event))
		delete(event, "agent")                             // the process
		delete(event["@metadata"].(map[string]any), "_id") // differs for messages without a uuid
		text, err := json.Marshal(event)
		require.NoError(t, err)
		events = append(events, string(text))
	}
	slices.Sort(events)
	return events
}

// Events from the disk equal those of memory mode for the same requests, to the last digit. This includes messages that libbeat's
// disk queue refuses or changes, all forms of a body, and all fields of a request.
func TestDurableEventsAreThoseOfMemoryMode(t *testing.T) {
	t.Parallel()
	var numbers []string
	for bit := range uint(66) {
		for d := int64(-3); d <= 3; d++ {
			n := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bit), big.NewInt(d))
			numbers = append(numbers, n.String(), new(big.Int).Neg(n).String())
		}
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = fmt.Fprint(z, `[{"uuid":"zipped"},{"uuid":"zipped 2","a":1.50}]`)
	require.NoError(t, z.Close())

	requests := []struct {
		body   string
		header http.Header
	}{
		{`[{"uuid":"integers","v":[` + strings.Join(numbers, ",") + `]}]`, nil},
		{`[{"uuid":"floats","v":[-0,0.1,1e300,1e+300,-1E-7,1.0,1.50,123456789012345678901234567890.5,9007199254740993.0]}]`, nil},
		{`[{"uuid":"keys","":0,"a":{"":{"":[]}},"\u0000":"\u2028😀","x.y":1,"@metadata":{"_id":"mine"},"` + strings.Repeat("k", 300) + `":null}]`, nil},
		{`[{"uuid":"strings","v":["` + strings.Repeat("s", 70_000) + `","` + strings.Repeat(`\u00e9\n`, 40_000) + `","<&>"]}]`, nil},
		{`[{"uuid":"deep","v":` + strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500) + `}]`, nil},
		{`{"uuid":"b","size":2,"messages":[{"uuid":"of rxtx"},{"no":"uuid"}]}`, nil},
		{"{\"uuid\":\"line\"}\n\n{\"a\":1}\r\n", http.Header{"Content-Type": {"application/x-ndjson"}}},
		{zipped.String(), http.Header{"Content-Encoding": {"gzip"}}},
		{`[{"uuid":"headers"}]`, http.Header{"X-Tenant": {"a \u00fc \"b\"", "second"}, "Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, "X-Forwarded-For": {"192.0.2.7"}}},
	}
	settings := func(addr string) harness.Settings {
		return harness.Settings{Sink: addr, Home: t.TempDir(), Rtbeat: map[string]any{
			"max_depth": 600, "max_body_bytes": "1MiB", "include_headers": []string{"X-Tenant"}, "trusted_proxies": []string{"127.0.0.1"}, "timeout": "5s",
			"shutdown_timeout": "1s",
		}}
	}
	send := func(b *harness.Beat) {
		client := harness.NewClient(t)
		for _, r := range requests {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.Addr+"/in", strings.NewReader(r.body))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/json")
			maps.Copy(req.Header, r.header)
			a := client.Do(req)
			require.Equal(t, http.StatusOK, a.Code, "%s: %s", a, r.body[:min(len(r.body), 100)])
		}
	}
	reference := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, settings(reference.Addr()))
	send(b)
	b.Stop()
	want := eventsOf(t, reference)
	require.Len(t, want, 12)

	t.Run("as soon as they are stored", func(t *testing.T) {
		sink := harness.StartSink(t, lumbersink.Immediate())
		b := harness.StartBeat(t, durably(t, settings(sink.Addr())))
		send(b)
		harness.Arrived(t, sink, len(want))
		require.Equal(t, want, eventsOf(t, sink))
		stopWith(t, b, 0)
	})
	t.Run("from the disk", func(t *testing.T) {
		addr := harness.DeadAddress(t)
		s := durably(t, settings(addr))
		b := harness.StartBeat(t, s)
		send(b)
		b.Kill()
		b = harness.StartBeat(t, s)
		sink := startSinkAt(t, addr)
		harness.Arrived(t, sink, len(want))
		require.Equal(t, want, eventsOf(t, sink))
		stopWith(t, b, 0)
	})
}
