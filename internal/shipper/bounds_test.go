package shipper

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Beyond maxRetries nothing is delivered from memory either: it may fail as well.
func TestTheRetriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		r.work(r.ack)
		settle()
		for range maxRetries {
			r.shipper.retries.add(attempt{}, time.Now().Add(time.Hour))
		}
		r.store(numbered(0))
		settle()
		r.requirePublished()
		require.Equal(t, 1, r.close())
	})
}
