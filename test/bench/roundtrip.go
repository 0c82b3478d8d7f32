package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/txn2/rtbeat/test/bench/message"
)

// singles are requests of one message and raw lumberjack round trips, in turns.
type singles struct{ posts, raw []time.Duration }

// warmUps are not counted.
const warmUps = 100

// singleRequests posts one message at a time to an rtbeat that has nothing else to do. Between two requests, a client on
// rtbeat's core sends one event straight to the sink: what each answer has to wait for at least.
func (b *bench) singleRequests(ctx context.Context) (found singles, err error) {
	beat, err := b.beat(ctx, "")
	if err != nil {
		return found, err
	}
	raw, err := b.startChild(ctx, childRoundTrip)
	if err != nil {
		return found, err
	}
	defer func() {
		_ = raw.stdin.Close() // which ends it
		err = errors.Join(err, raw.wait())
	}()
	c, err := dial(ctx, beat.address)
	if err != nil {
		return found, err
	}
	defer c.close()
	one := &sender{connection: c, body: message.NewBody(1, message.Small), messages: 1}
	before := b.sink.Received()
	for i := range warmUps + b.options.posts {
		start := time.Now()
		if err := one.send(); err != nil {
			return found, fmt.Errorf("posting one message: %w", err)
		}
		took := time.Since(start)
		line, err := raw.ask()
		if err != nil {
			return found, err
		}
		ns, err := strconv.ParseInt(line, 10, 64)
		if err != nil {
			return found, fmt.Errorf("reading how long a round trip took: %w", err)
		}
		if i >= warmUps {
			found.posts = append(found.posts, took)
			found.raw = append(found.raw, time.Duration(ns))
		}
	}
	return found, arrived(b.sink, before, 2*(warmUps+b.options.posts))
}
