//go:build chaos

package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// receipt is one arrival of a message at a sink.
type receipt struct {
	id       string // of the message
	document string // @metadata._id
	nameless bool   // the message has no id
	at       time.Time
	passed   time.Time // the acknowledgement reached the process; zero if it never did
	link     *link     // nil if unknown
	life     string    // agent.ephemeral_id of the process that sent it
	owner    int       // the number of that process
}

// receipts has every arrival at every sink, in order. The events have the times at which acknowledgements reached the process, not
// the times at which they left the sink: a 200 for a lost acknowledgement is false.
func (w *world) receipts() ([]receipt, []lumbersink.Event) {
	var receipts []receipt
	var events []lumbersink.Event
	links := w.back.all()
	for n, sink := range w.sinks {
		byConn := make(map[string][]int)
		for _, e := range sink.Events() {
			r := receiptOf(e)
			r.link = linkOf(links, e)
			byConn[e.Conn] = append(byConn[e.Conn], len(receipts))
			receipts = append(receipts, r)
			e.Conn = fmt.Sprintf("%s to sink %d", r.link, n)
			events = append(events, e)
		}
		for _, of := range byConn {
			passAcks(receipts, of)
		}
	}
	for i := range events {
		events[i].Acked = receipts[i].passed
	}
	findOwners(receipts)
	return receipts, events
}

// receiptOf reads an event. The ledger reports an event that cannot be read.
func receiptOf(e lumbersink.Event) receipt {
	var event struct {
		Agent struct {
			Life string `json:"ephemeral_id"`
		} `json:"agent"`
	}
	_ = json.Unmarshal(e.Raw, &event)
	id, message, _ := harness.MessageOf(e.Raw)
	document, _ := harness.DocumentIDOf(e.Raw)
	nameless := !bytes.Contains(message, []byte(`"uuid":`)) && !bytes.Contains(message, []byte(`"event":`)) // as feed makes them
	return receipt{id: id, document: document, nameless: nameless, at: e.Received, life: event.Agent.Life}
}

// findOwners finds the process that sent each event. A connection of a killed process may be accepted when the next process runs
// already. The connection then looks like the next process's, but its events have another life. Lives follow one after the other.
func findOwners(receipts []receipt) {
	var lives []string // by the time of their first event
	owners := make(map[string]int)
	inOrder := slices.Clone(receipts)
	slices.SortStableFunc(inOrder, func(a, b receipt) int { return a.at.Compare(b.at) })
	for _, r := range inOrder {
		if r.link == nil {
			continue
		}
		owner, known := owners[r.life]
		if !known {
			lives = append(lives, r.life)
			owner = r.link.owner
		}
		owners[r.life] = min(owner, r.link.owner)
	}
	for i := len(lives) - 2; i >= 0; i-- {
		owners[lives[i]] = max(min(owners[lives[i]], owners[lives[i+1]]-1), 0)
	}
	for i := range receipts {
		receipts[i].owner = owners[receipts[i].life]
	}
}

// passAcks sets the acknowledgement times of one connection's events. Acknowledgements follow the windows, and the events of a window
// were received at the same time. A frame may cover a part of its window.
func passAcks(receipts []receipt, of []int) {
	l := receipts[of[0]].link
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	begin, done := 0, 0 // of the window: its first event, and the number of its acknowledged events
	for _, ack := range l.acks {
		if begin >= len(of) {
			return
		}
		end := begin
		for end < len(of) && receipts[of[end]].at.Equal(receipts[of[begin]].at) {
			end++
		}
		size := end - begin
		for ; done < min(ack.count, size); done++ {
			receipts[of[begin+done]].passed = ack.at
		}
		if done == size {
			begin, done = end, 0
		}
	}
}

// linkOf finds the connection of an event by its address at the sink. Addresses are reused: the last connection before the event
// counts.
func linkOf(links []*link, e lumbersink.Event) *link {
	address, _, _ := strings.Cut(e.Conn, "#")
	var found *link
	for _, l := range links {
		if l.local == address && l.opened.Before(e.Received) {
			found = l
		}
	}
	return found
}

func (l *link) String() string {
	if l == nil {
		return "an unknown connection"
	}
	return fmt.Sprintf("%d of process %d", l.id, l.owner)
}
