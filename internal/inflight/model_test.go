package inflight_test

import (
	"errors"
	"slices"
	"time"

	"github.com/txn2/rtbeat/internal/inflight"
)

// model does what the registry must do in the plainest way: it searches lists, and keeps no counts.
type model struct {
	settings  inflight.Settings
	now       time.Duration
	sealed    bool
	batches   []*modelBatch
	events    []*modelEvent // all, also done ones
	delivered []modelDelivery
	progress  time.Duration
}

type modelBatch struct {
	messages  []modelMessage
	published bool
	inQueue   bool
	answered  bool
	err       error // why it will not become delivered
	freed     int   // bytes given back at the claim
	acked     int   // when it was answered
	filtered  int
}

// modelMessage waits for an event; nil for a message that was delivered before.
type modelMessage struct {
	event *modelEvent
	own   bool
}

type modelEvent struct {
	name  string
	batch *modelBatch // that publishes it
	state modelState
}

type modelState int

const (
	isQueued modelState = iota
	isHandedOver
	isEntered
	isDone
	isFiltered
	isWithdrawn
	isDropped
)

type modelDelivery struct {
	name string
	at   time.Duration
}

func (m *model) known(name string) *modelEvent {
	for _, e := range m.events {
		if m.settings.Dedupe.Enabled && e.name == name && name[0] != '-' && (e.state == isQueued || e.inPipeline()) {
			return e
		}
	}
	return nil
}

func (m *model) lately(name string) *modelDelivery {
	for i, d := range m.delivered {
		if d.name == name {
			return &m.delivered[i]
		}
	}
	return nil
}

func (e *modelEvent) inPipeline() bool { return e.state == isHandedOver || e.state == isEntered }

func (m *model) handedOver() (n int) {
	for _, e := range m.events {
		if e.inPipeline() {
			n++
		}
	}
	return n
}

func (m *model) entered() (n int) {
	for _, e := range m.events {
		if e.state == isEntered {
			n++
		}
	}
	return n
}

func (m *model) expire() {
	m.delivered = slices.DeleteFunc(m.delivered, func(d modelDelivery) bool { return m.now-d.at > m.settings.Dedupe.Window })
}

func (m *model) stalled() bool {
	return m.entered() > 0 && m.now-m.progress >= m.settings.StallAfter
}

func (m *model) claim(names []string) (*modelBatch, error) {
	if m.sealed {
		return nil, inflight.ErrSealed
	}
	m.expire()
	news := slices.ContainsFunc(names, func(name string) bool { return m.known(name) == nil && m.lately(name) == nil })
	if news && m.stalled() {
		return nil, &inflight.StalledError{Age: m.now - m.progress}
	}
	b := &modelBatch{}
	for _, name := range names {
		if d := m.lately(name); d != nil {
			b.messages = append(b.messages, modelMessage{})
			b.freed += size
			continue
		}
		e := m.known(name)
		if e != nil {
			b.freed += size - 64
			b.messages = append(b.messages, modelMessage{event: e})
			continue
		}
		e = &modelEvent{name: name, batch: b}
		m.events = append(m.events, e)
		b.messages = append(b.messages, modelMessage{event: e, own: true})
	}
	m.batches = append(m.batches, b)
	return b, nil
}

// next is the first own message of the batch that waits for a worker.
func (b *modelBatch) next() *modelEvent {
	for _, msg := range b.messages {
		if msg.own && msg.event.state == isQueued {
			return msg.event
		}
	}
	return nil
}

func (m *model) enter(e *modelEvent) {
	if m.sealed || e.state != isHandedOver {
		return
	}
	if m.entered() == 0 {
		m.progress = m.now
	}
	e.state = isEntered
}

func (m *model) ack(events []*modelEvent) (counted int) {
	if m.sealed {
		return 0
	}
	m.expire()
	for _, e := range events {
		if !e.inPipeline() {
			continue
		}
		counted++
		if e.state == isEntered {
			m.progress = m.now
		}
		e.state = isDone
		if m.settings.Dedupe.Enabled && e.name[0] != '-' && m.settings.Dedupe.Window > 0 {
			m.delivered = append(m.delivered, modelDelivery{e.name, m.now})
			m.delivered = m.delivered[max(len(m.delivered)-m.settings.Dedupe.MaxEntries, 0):]
		}
	}
	return counted
}

// filter ends the batches that wait for the event. The event is done for the batch that publishes it.
func (m *model) filter(e *modelEvent) {
	if m.sealed || e.state != isHandedOver {
		return
	}
	for _, b := range m.batches {
		if b != e.batch && !b.answered && b.err == nil && b.waitsFor(e) {
			b.err = inflight.ErrJoinedFiltered
		}
	}
	e.state = isFiltered
}

func (m *model) drop(e *modelEvent, cause error) {
	if m.sealed || !e.inPipeline() {
		return
	}
	for _, b := range m.batches {
		if !b.answered && b.err == nil && b.waitsFor(e) {
			b.err = cause
		}
	}
	e.state = isDropped
}

func (b *modelBatch) waitsFor(e *modelEvent) bool {
	return slices.ContainsFunc(b.messages, func(msg modelMessage) bool { return msg.event == e })
}

func (m *model) withdraw(b *modelBatch) (withdrawn int) {
	if b.answered {
		return 0
	}
	b.acked, b.filtered = b.progress()
	if b.err == nil && b.acked < len(b.messages) {
		b.err = inflight.ErrWithdrawn
	}
	b.answered = true
	for _, msg := range b.messages {
		e := msg.event
		wanted := slices.ContainsFunc(m.batches, func(other *modelBatch) bool { return !other.answered && other.waitsFor(e) })
		if e != nil && e.state == isQueued && !wanted {
			e.state = isWithdrawn
			withdrawn++
		}
	}
	if b.next() != nil && !b.published && !m.sealed {
		b.inQueue = true
	}
	b.published = true
	return withdrawn
}

func (m *model) seal() {
	m.sealed = true
	for _, b := range m.batches {
		if acked, _ := b.progress(); b.err == nil && acked < len(b.messages) {
			b.err = inflight.ErrSealed
		}
	}
}

// progress counts the done messages. It does not change after the answer.
func (b *modelBatch) progress() (acked, filtered int) {
	if b.answered {
		return b.acked, b.filtered
	}
	for _, msg := range b.messages {
		switch {
		case msg.event == nil, msg.event.state == isDone:
			acked++
		case msg.event.state == isFiltered && msg.event.batch == b:
			acked++
			filtered++
		}
	}
	return acked, filtered
}

// end is the error of waiting for the batch; errTimeout if it is not resolved.
func (b *modelBatch) end() error {
	acked, _ := b.progress()
	switch {
	case b.err != nil:
		return b.err
	case acked == len(b.messages):
		return nil
	default:
		return errTimeout
	}
}

// unsettled is how many messages of its own the batch has in the queue or in the pipeline.
func (b *modelBatch) unsettled() (n int) {
	for _, msg := range b.messages {
		if msg.own && (msg.event.state == isQueued || msg.event.inPipeline()) {
			n++
		}
	}
	return n
}

// bytes is how many bytes of the reservation the batch holds.
func (m *model) bytes(b *modelBatch) int {
	switch ended := !errors.Is(b.end(), errTimeout); {
	case m.sealed, ended && b.unsettled() == 0:
		return 0
	case b.answered:
		return size * b.unsettled()
	default:
		return size*len(b.messages) - b.freed
	}
}
