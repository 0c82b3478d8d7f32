package diskqueue

import (
	"context"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
)

// pending is a batch that waits for its commit.
type pending struct {
	record  Record
	keys    []batch.Key
	take    bool // the caller of Append ships the batch
	ref     Ref  // of the stored batch
	isNew   bool // a message is not known
	depends bool // a message is in another batch of the same commit
	err     error
	done    chan struct{}
}

// Append stores a batch, and returns when it is on the disk. keys are the keys of its messages; the zero key is none. Messages
// that were stored within the window are known: the record has their indexes, which Append returns. A batch of known messages
// alone is not stored again, and ref is zero.
//
// take says that the caller ships the stored batch: Next does not return it.
//
// The error is ErrFull, ErrClosed, the cause of ctx, or an error of a write. Then nothing is stored, except that a batch may be
// stored after ctx has ended: its body must not be changed then.
func (q *Queue) Append(ctx context.Context, r Record, keys []batch.Key, take bool) (ref Ref, known []int, err error) {
	p := &pending{record: r, keys: keys, take: take, done: make(chan struct{})}
	select {
	case q.appends <- p:
	case <-q.ended:
		return Ref{}, nil, ErrClosed
	case <-ctx.Done():
		return Ref{}, nil, context.Cause(ctx)
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if !q.abandon(p) {
			return Ref{}, nil, context.Cause(ctx)
		}
	}
	return p.ref, p.record.Skip, p.err
}

// abandon gives up waiting for the commit. It returns true if the commit is done.
func (q *Queue) abandon(p *pending) (isDone bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-p.done:
		return true
	default:
		p.take = false
		return false
	}
}

// findKnown notes in each batch which of its messages are known, and returns the batches with other messages. Once damage was
// found, no message is known from before: a copy is better than a 200 for a lost message.
func (q *Queue) findKnown(group []*pending) (fresh []*pending) {
	now := time.Since(q.start)
	q.mu.Lock()
	isDamaged := q.damage != nil
	q.mu.Unlock()
	inGroup := make(map[batch.Key]struct{})
	for _, p := range group {
		p.isNew = len(p.keys) == 0
		for i, key := range p.keys {
			_, isRepeated := inGroup[key]
			isKnown := !isDamaged && q.window.Find(key, now)
			switch {
			case key == batch.Key{}:
				p.isNew = true
			case isKnown, isRepeated:
				p.record.Skip = append(p.record.Skip, i)
				p.depends = p.depends || !isKnown
			default:
				p.isNew = true
				inGroup[key] = struct{}{}
			}
		}
		if p.isNew {
			fresh = append(fresh, p)
		}
	}
	return fresh
}

func (p *pending) newKeys() (keys []batch.Key) {
	for i := range p.record.ToPublish(len(p.keys)) {
		if key := p.keys[i]; key != (batch.Key{}) {
			keys = append(keys, key)
		}
	}
	return keys
}
