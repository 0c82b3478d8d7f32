//go:build cluster

package cluster

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// Pods with little memory and a sink that acknowledges nothing refuse batches. The kernel kills none of them.
func TestMemoryLimits(t *testing.T) {
	for _, limit := range []int{64, 96} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			sink := listen(t)
			s := install(t, "memory-"+strconv.Itoa(limit), "", "base")
			size := strconv.Itoa(limit) + "Mi"
			s.must("", "patch", "deployment/rtbeat", "--patch", `{"spec": {"template": {"spec": {"containers": [{"name": "rtbeat",
				"resources": {"requests": {"memory": "`+size+`"}, "limits": {"memory": "`+size+`"}}}]}}}}`)
			s.rolledOut()
			sink.SetPolicy(lumbersink.Never())
			f := sendBatches(t, sink, s.url(), 16, 16, 1200)
			time.Sleep(45 * time.Second)
			f.halt()
			f.wait.Wait()
			t.Logf("RESULT | %s, sink stalled, 32 senders of 1,200 messages | failed attempts: %v", size, f.failures())
			require.Empty(t, strings.Trim(s.get("pods", "{.items[*].status.containerStatuses[0].restartCount}"), "0 "), "restarts")
			require.NotEmpty(t, f.failures())

			harness.RecoverSink(sink)
			after := send(t, sink, s.url(), 4, 4)
			after.awaitBatches(200)
			after.end(size + ", after the stall")
		})
	}
}
