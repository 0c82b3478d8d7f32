package outputs

import "github.com/elastic/beats/v7/libbeat/publisher"

// attempt is a batch that an output gets in the place of libbeat's, and that keeps what the output makes of it. It is for
// outputs that are done when Publish returns.
type attempt struct {
	events []publisher.Event
	split  func() bool // of libbeat's batch

	end  end
	kept []publisher.Event // to be tried again
}

// end is what an output does with a batch.
type end int

const (
	unended end = iota
	done        // what was not dropped is delivered
	dropped
	again
	isSplit // libbeat has it back, in halves
)

func (a *attempt) Events() []publisher.Event { return a.events }
func (a *attempt) ACK()                      { a.end = done }
func (a *attempt) Drop()                     { a.end = dropped }
func (a *attempt) Retry()                    { a.RetryEvents(a.events) }
func (a *attempt) Cancelled()                { a.RetryEvents(a.events) }

func (a *attempt) RetryEvents(events []publisher.Event) { a.end, a.kept = again, events }

func (a *attempt) SplitRetry() bool {
	if a.split == nil || !a.split() {
		return false
	}
	a.end = isSplit
	return true
}
