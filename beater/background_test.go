package beater

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBackgroundStopEndsTheContextAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		stop := background(func(ctx context.Context) {
			<-ctx.Done()
			time.Sleep(time.Minute)
		})
		stop()
		require.Equal(t, time.Minute, time.Since(start))
		stop() // does nothing more
		require.Equal(t, time.Minute, time.Since(start))
	})
}
