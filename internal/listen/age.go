package listen

import (
	"context"
	"math/rand/v2"
	"time"
)

// ageJitter is the part of Bound.MaxAge by which the age of a connection differs at most: connections that were made together end
// apart. gRPC's servers have the same.
const ageJitter = 0.1

// oldFrom returns when a connection that is accepted now becomes old.
func (b *Bound) oldFrom() time.Duration {
	if b.MaxAge <= 0 {
		return 0
	}
	jitter := 1 - ageJitter + 2*ageJitter*rand.Float64() //nolint:gosec // no secret
	return b.now() + time.Duration(float64(b.MaxAge)*jitter)
}

// IsOld tells whether the connection of a request has reached MaxAge at this time. The caller then ends the connection with an
// answer. ctx is the context of the request. A connection that the bound does not count is never old.
func (b *Bound) IsOld(ctx context.Context, at time.Time) bool {
	if b.MaxAge <= 0 {
		return false
	}
	c, found := ctx.Value(connKey{}).(*conn)
	return found && at.Sub(b.start) >= c.oldFrom
}
