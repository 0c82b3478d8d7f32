//go:build !linux

package main

import (
	"context"
	"time"
)

// sleepUntil waits for a time. Here the package only has to compile: it needs /proc to run.
func sleepUntil(ctx context.Context, t time.Time) { _ = pause(ctx, time.Until(t)) }
