package bench

import (
	"fmt"
	"os"
	"time"

	"github.com/stretchr/testify/require"
)

// rest is rtbeat without load.
type rest struct {
	starts   []float64 // seconds to the first 200
	cpu      float64   // share of a core
	resident float64   // MB
}

// starting starts rtbeat several times, and watches the last process at rest.
func (b *bench) starting() (found rest) {
	for i := range b.starts {
		start := time.Now()
		beat := b.start(defaults, b.sink)
		senders := b.connect(beat, load{senders: 1, messages: 1})
		require.NoError(b.t, senders[0].send())
		found.starts = append(found.starts, time.Since(start).Seconds())
		closeAll(senders)
		if i == b.starts-1 {
			time.Sleep(warmUp)
			start, before := time.Now(), fineCPUTime(b.t, beat.Pid())
			time.Sleep(b.rest)
			found.cpu = (fineCPUTime(b.t, beat.Pid()) - before) / time.Since(start).Seconds()
			found.resident, _ = resident(b.t, beat.Pid())
		}
		beat.Stop()
	}
	return found
}

// idle is the cost of connections without requests.
type idle struct {
	skipped       string  // the reason why nothing was measured
	memory        float64 // MB
	with, without []sample
}

const (
	idleConnections = 10_000
	// otherFiles are open beside the connections, on either side.
	otherFiles = 1000
)

// idleConnections measures the baseline on an rtbeat with many idle connections, and on one without, interleaved.
func (b *bench) idleConnections() (found idle) {
	limits, err := process(b.t, os.Getpid()).Limits() // Go raises the soft limit to the hard one, in rtbeat too
	require.NoError(b.t, err)
	if limits.OpenFiles < idleConnections+otherFiles {
		found.skipped = fmt.Sprintf("%d connections need %d open files, the limit is %d (ulimit -Hn)", idleConnections, idleConnections+otherFiles, limits.OpenFiles)
		return found
	}
	beat := b.beat(manyConnections)
	before, _ := resident(b.t, beat.Pid())
	idle := b.connect(beat, load{senders: idleConnections})
	defer closeAll(idle)
	for _, s := range idle { // a connection before its first request is another case
		require.NoError(b.t, s.exchange([]byte("GET /livez HTTP/1.1\r\nHost: bench\r\n\r\n"), nil))
	}
	time.Sleep(warmUp)
	after, _ := resident(b.t, beat.Pid())
	found.memory = after - before
	for range *rounds {
		found.with = append(found.with, b.measure(manyConnections, baseline))
		found.without = append(found.without, b.measure(defaults, baseline))
	}
	open, err := process(b.t, beat.Pid()).FileDescriptorsLen()
	require.NoError(b.t, err)
	require.GreaterOrEqual(b.t, open, idleConnections, "rtbeat has closed idle connections")
	return found
}
