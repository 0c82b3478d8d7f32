package outputs

import (
	"sync/atomic"

	"github.com/elastic/beats/v7/libbeat/outputs"
)

// observer stands between one client and libbeat's statistics.
type observer struct {
	outputs.Observer

	writeFailed atomic.Bool

	notAcked  atomic.Int64 // events that the output is about to report as acknowledged, and are not
	permanent atomic.Int64 // events reported as dropped, since somebody took the number
	mute      atomic.Bool  // the wrapper counts events
	failed    atomic.Int64 // events reported as to be tried again, since the wrapper took the number
	holdFail  bool         // the wrapper reports failed events
	split     bool         // the wrapper counts batches
	counts    func() bool  // whether a report of dropped events, being made, is to be counted in permanent
}

// takePermanent returns how many events were dropped since it was called last.
func (o *observer) takePermanent() int { return int(o.permanent.Swap(0)) }

func (o *observer) PermanentErrors(n int) {
	if o.counts == nil || o.counts() {
		o.permanent.Add(int64(n))
	}
	if !o.mute.Load() {
		o.Observer.PermanentErrors(n)
	}
}

func (o *observer) WriteError(err error) {
	o.writeFailed.Store(true)
	o.Observer.WriteError(err)
}

func (o *observer) NewBatch(n int) {
	if !o.split && !o.mute.Load() {
		o.Observer.NewBatch(n)
	}
}

// AckedEvents leaves out what is known better. Which of the events those are does not matter to a counter.
func (o *observer) AckedEvents(n int) {
	for left := o.notAcked.Load(); left > 0 && n > 0; left = o.notAcked.Load() {
		if o.notAcked.CompareAndSwap(left, left-1) {
			n--
		}
	}
	if n > 0 {
		o.unlessMute(o.Observer.AckedEvents, n)
	}
}

func (o *observer) RetryableErrors(n int) {
	if o.holdFail {
		o.failed.Add(int64(n))
		return
	}
	o.unlessMute(o.Observer.RetryableErrors, n)
}

func (o *observer) DuplicateEvents(n int)  { o.unlessMute(o.Observer.DuplicateEvents, n) }
func (o *observer) DeadLetterEvents(n int) { o.unlessMute(o.Observer.DeadLetterEvents, n) }

func (o *observer) unlessMute(report func(int), n int) {
	if !o.mute.Load() {
		report(n)
	}
}
