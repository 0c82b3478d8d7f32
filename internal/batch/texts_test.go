package batch

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A string never changes.
func TestTextsNeverChange(t *testing.T) {
	var made texts
	var got, want []string
	for message := range 20 {
		made.begin()
		buffer := make([]byte, 0, 2*maxPacked) // is used again, as the decoder's
		for n := range 200 {
			s := strings.Repeat(string(rune('a'+(message+n)%26)), (n*n*message)%(2*maxPacked))
			buffer = append(buffer[:0], s...)
			text, _ := made.make(buffer)
			got, want = append(got, text), append(want, s)
		}
	}
	require.Equal(t, want, got)
}

func TestShortTextsOfAMessageShareAnAllocation(t *testing.T) {
	var made texts
	message := func() float64 {
		return testing.AllocsPerRun(1, func() {
			made.begin()
			for range 30 {
				made.make([]byte("ten bytes."))
			}
		})
	}
	message()
	require.LessOrEqual(t, message(), 1.0)
	require.Less(t, made.chunk.Cap(), 400)

	made.begin()
	made.make([]byte("short"))
	made.begin()
	made.make([]byte("short"))
	require.Equal(t, 5, made.chunk.Len(), "messages share nothing")
	require.Equal(t, 8, made.chunk.Cap(), "nor does one take what the one before the last would have needed")
	made.make([]byte(strings.Repeat("x", maxPacked+1)))
	require.Equal(t, 5, made.chunk.Len(), "long ones are alone")
	text, allocated := new(texts).make([]byte("without a message"))
	require.Equal(t, "without a message", text)
	require.EqualValues(t, 24, allocated)
}
