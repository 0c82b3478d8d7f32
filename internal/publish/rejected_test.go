package publish_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/publisher"

	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/pipelinetest"
)

// libbeat reports an event that the output gave up as acknowledged. rtbeat counts it as rejected only.
func TestARejectedEventDoesNotCountAsAcknowledged(t *testing.T) {
	var once sync.Once
	r := newRig(t, &pipelinetest.Output{OnBatch: func(b publisher.Batch) {
		once.Do(b.Events()[0].Content.Private.(*inflight.EventAck).Reject)
		b.ACK()
	}}, 1, 5, "")
	require.ErrorIs(t, r.end(r.publish(numbered(5)...)), inflight.ErrRejected)
	counted := func() []int {
		return []int{r.count("rtbeat_events_rejected_total"), r.count("rtbeat_events_acked_total")}
	}
	require.Eventually(t, func() bool { return slices.Equal(counted(), []int{1, 4}) }, patience, time.Millisecond)
	r.close()
	require.Equal(t, []int{1, 4}, counted())
}
