//go:build !linux

package bench

import (
	"context"
	"time"

	"github.com/txn2/rtbeat/test/harness"
)

// sleepUntil waits for a time. The bench runs on Linux only; elsewhere it must compile.
func sleepUntil(ctx context.Context, t time.Time) { harness.Pause(ctx, time.Until(t)) }
