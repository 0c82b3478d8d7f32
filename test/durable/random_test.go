//go:build !race

package durable

import (
	"math"
	"math/rand/v2"
	"strings"
)

// pieces of which strings and keys are made.
var pieces = []string{"a", "ß", "\x00", "@timestamp", ".", "\u2028", "😀", "\ufffd", "\"", "\\", "<", "%{", "\x1f", "\x7f", "rxtxMsg", "-129", "0"}

func text(r *rand.Rand) string {
	n := r.IntN(8)
	if r.IntN(20) == 0 {
		n = r.IntN(400)
	}
	var b strings.Builder
	for range n {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// object is a message, or a part of one, as the decoder makes them; without empty keys.
func object(r *rand.Rand, level int) map[string]any {
	m := map[string]any{}
	for range r.IntN(8) {
		if key := text(r); key != "" {
			m[key] = value(r, level)
		}
	}
	return m
}

func value(r *rand.Rand, level int) any {
	kinds := 10
	if level > 6 {
		kinds = 8
	}
	switch r.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return text(r)
	case 3:
		return math.Float64frombits(r.Uint64() &^ (1 << 62)) // finite
	case 4:
		return r.Uint64()
	case 5, 6, 7:
		return int64(r.Uint64()) >> r.IntN(64)
	case 8:
		list := make([]any, r.IntN(30))
		for i := range list {
			list[i] = value(r, level+1)
		}
		return list
	default:
		return object(r, level+1)
	}
}
