package intake

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a batch was read into is used for the next one while its events are still on their way.
func TestEventsDoNotPointIntoBuffers(t *testing.T) {
	r := newRig(t, func(l *limits) { l.InFlight, l.MaxBody = 1<<30, 1<<20 })
	text := func(letter string) string {
		message := strings.NewReplacer("UUID", strings.Repeat(letter, 36), "KEY", strings.Repeat(letter, 100),
			"LONG", strings.Repeat(letter, 1000), "ESCAPED", `\u0041`+letter).
			Replace(`{"uuid":"UUID","KEY":["LONG",{"k":"ESCAPED"}],"n":123456789012345678901234567890}`)
		return `{"messages":[` + strings.Repeat(message+",", 30) + message + `]}`
	}
	var calls []*call
	var batches []*taken
	letters := strings.Split("abcdefghijklmnopqrstuvwxyz", "")
	for _, letter := range letters {
		req := r.request(text(letter))
		calls = append(calls, r.start(req))
		b := r.take()
		b.handOverAll()
		batches = append(batches, b)
	}
	for i, letter := range letters {
		for _, m := range batches[i].messages {
			require.Equal(t, map[string]any{
				"uuid":                      strings.Repeat(letter, 36),
				strings.Repeat(letter, 100): []any{strings.Repeat(letter, 1000), map[string]any{"k": "A" + letter}},
				"n":                         "123456789012345678901234567890",
			}, m.Fields)
		}
		batches[i].ack(1) // the messages of a batch are alike: one is published
		calls[i].requireAnswer(delivered)
	}
	r.requireAtRest()
}

func TestBuffersOfUnusualSizesAreNotKept(t *testing.T) {
	var b buffers
	for _, size := range []int{minBuffer - 1, maxBuffer + 1} {
		b.keep(make([]byte, size))
		require.Nil(t, b.free.Get())
	}
	body := b.grow([]byte("start"), minBuffer)
	require.Equal(t, "start", string(body))
	require.GreaterOrEqual(t, cap(body), minBuffer+5)
	b.keep(body)
	other := b.grow([]byte("x"), 2*minBuffer)
	require.Equal(t, "x", string(other), "one that is too small is of no use")
	require.GreaterOrEqual(t, cap(other), 2*minBuffer+1)
}

// Whatever was read before, a sender that has sent little holds little.
func TestALargeBufferIsNotForLittle(t *testing.T) {
	for _, test := range []struct{ come, room int }{{4096, minBuffer - 4096}, {4096, 7 * 4096}, {9500, 9500}, {32 << 10, 100 << 10}} {
		var b buffers
		body := make([]byte, test.come)
		for range 100 { // the race detector makes a pool forget
			b.keep(make([]byte, 0, maxBuffer))
		}
		for range 100 {
			require.LessOrEqual(t, cap(b.grow(body, test.room)), 9*test.come)
		}
	}
}
