//go:build rolling

package rolling

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// figures has the counts of a run.
type figures struct {
	took time.Duration
	// requests were answered 200. retried has the answers of failed first attempts, failed those of later failed attempts.
	requests        int
	retried, failed tally
	// givenUp are attempts whose sender left before the answer. joined are retries that were deduped as a whole.
	givenUp, joined int
	// messages were sent, and copies arrived after the first arrival of each. repeated are copies of messages that the sender
	// sent once: HAProxy sent them again.
	messages, copies, repeated int
}

func (f figures) String() string {
	return fmt.Sprintf("%s: %d requests of %d messages answered 200; first attempts that failed: %s; after one retry: %s; "+
		"given up by the sender: %d, joined when sent again: %d; copies: %d messages, each by another process under the same _id, %d of them made by HAProxy",
		f.took.Round(time.Second), f.requests, f.messages, f.retried.String(), f.failed.String(), f.givenUp, f.joined, f.copies, f.repeated)
}

// tally counts answers by kind.
type tally struct {
	sum int
	by  map[string]int
}

// add counts an answer. HAProxy's answers have a code and no reason. A broken connection has neither.
func (t *tally) add(a harness.Answer) {
	what := "no answer"
	if a.Err == nil {
		what = strings.TrimSpace(fmt.Sprint(a.Code, " ", a.Body.Reason))
	}
	t.merge(&tally{1, map[string]int{what: 1}})
}

func (t *tally) merge(other *tally) {
	if t.by == nil {
		t.by = make(map[string]int)
	}
	for what, n := range other.by {
		t.by[what] += n
		t.sum += n
	}
}

func (t *tally) String() string {
	if t.sum == 0 {
		return "none"
	}
	return fmt.Sprint(t.sum, " ", t.by)
}

// arrival is an event at the sink.
type arrival struct {
	Agent struct {
		Name      string `json:"name"`
		Ephemeral string `json:"ephemeral_id"`
	} `json:"agent"`
	ClientIP string `json:"clientIp"`
	Metadata struct {
		ID string `json:"_id"`
	} `json:"@metadata"`
	Message struct {
		UUID string `json:"uuid"`
	} `json:"rxtxMsg"`
}

func decode(t testing.TB, e lumbersink.Event) arrival {
	t.Helper()
	var a arrival
	require.NoError(t, json.Unmarshal(e.Raw, &a))
	require.NotEmpty(t, a.Agent.Ephemeral)
	require.NotEmpty(t, a.Metadata.ID, "the id of the document")
	return a
}

// count explains each copy. A process publishes a message once, so each arrival must be from another process, and from another
// attempt of the sender, or of a proxy that repeats requests. Any other copy fails the test.
func count(t testing.TB, repeats bool, attempts []harness.Attempt, events []lumbersink.Event) (f figures) {
	t.Helper()
	sent := make(map[string]int)
	for _, a := range attempts {
		for _, id := range a.IDs {
			sent[id]++
		}
	}
	by := make(map[string]map[string]bool)
	documents := make(map[string]string)
	for _, e := range events {
		a := decode(t, e)
		id := a.Message.UUID
		if first := documents[id]; first != "" {
			require.Equal(t, first, a.Metadata.ID, "the id of a copy of %q", id)
		}
		documents[id] = a.Metadata.ID
		if by[id] == nil {
			by[id] = make(map[string]bool)
		} else {
			f.copies++
		}
		require.False(t, by[id][a.Agent.Ephemeral], "%s published %q twice", a.Agent.Name, id)
		by[id][a.Agent.Ephemeral] = true
		if len(by[id]) > sent[id] {
			require.True(t, repeats, "%q was published by %d processes and sent %d times", id, len(by[id]), sent[id])
			f.repeated++
		}
	}
	f.messages = len(sent)
	return f
}
