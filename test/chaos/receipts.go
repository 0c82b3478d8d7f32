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
	nameless bool   // the message has no uuid
	at       time.Time
	passed   time.Time // when its acknowledgement was passed on to the process; zero if it never was
	released time.Time // when the sink released its acknowledgement; zero if it never did
	link     *link     // that it came over; nil if unknown
	life     string    // of the process that sent it: agent.ephemeral_id
	owner    int       // the number of that process
}

// receipts is every arrival at every sink, in order. The same as events has the moments at which an acknowledgement
// reached the process in place of those at which it left the sink: a 200 for an acknowledgement that was lost on its
// way is as false as any.
func (w *world) receipts() ([]receipt, []lumbersink.Event) {
	var receipts []receipt
	var events []lumbersink.Event
	links := w.back.all()
	for n, sink := range w.sinks {
		got := sink.Events()
		byConn := make(map[string][]int)
		for i, e := range got {
			byConn[e.Conn] = append(byConn[e.Conn], i)
		}
		base := len(receipts)
		for _, e := range got {
			l := linkOf(links, e)
			r := receipt{at: e.Received, released: e.Acked, link: l}
			r.id, r.document, r.nameless = idsOf(e.Raw)
			r.life = lifeOf(e.Raw)
			receipts = append(receipts, r)
			e.Conn = fmt.Sprintf("%s to sink %d", l, n)
			events = append(events, e)
		}
		for _, of := range byConn {
			passAcks(receipts[base:], of)
		}
	}
	for i := range events {
		events[i].Acked = receipts[i].passed
	}
	findOwners(receipts)
	return receipts, events
}

// findOwners says which process sent each event. A connection of a process that was killed may be accepted when the next one
// runs already. Then the connection passes for the next one's, but its events have another life than those of that one. Lives
// come one after the other.
func findOwners(receipts []receipt) {
	var lives []string // by when their first event came
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

func lifeOf(raw json.RawMessage) string {
	var event struct {
		Agent struct {
			Life string `json:"ephemeral_id"`
		} `json:"agent"`
	}
	_ = json.Unmarshal(raw, &event) // what is no event has no message either
	return event.Agent.Life
}

// passAcks gives the events of one connection the moments of their acknowledgements. Those come window by window, and
// the events of a window were received at the same moment. A frame may cover a part of its window.
func passAcks(receipts []receipt, of []int) {
	l := receipts[of[0]].link
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	begin, done := 0, 0 // of the window: its first event, and how many events of it were acknowledged
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

// linkOf finds the connection that an event came over by the address from which the sink saw it. Addresses come back,
// so the last one that was there in time counts.
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

func idsOf(raw json.RawMessage) (id, document string, nameless bool) {
	id, message, err := harness.MessageOf(raw)
	if err != nil {
		return "", "", false
	}
	nameless = !bytes.Contains(message, []byte(`"uuid":`))
	document, err = harness.DocumentIDOf(raw)
	if err != nil {
		return id, "", nameless
	}
	return id, document, nameless
}
