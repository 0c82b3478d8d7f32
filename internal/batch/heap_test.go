//go:build !race

// The race detector makes allocations larger, and these tests measure them.

package batch

import (
	"bytes"
	"math/bits"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// heap returns the bytes that are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // the first one may leave garbage of other tests unswept
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// Decoded messages take no more memory than was charged. If a body weighs more than its text, they take little less.
func TestHeapIsTheWeight(t *testing.T) {
	for _, s := range shapes() {
		t.Run(s.name, func(t *testing.T) {
			var charged int64
			before := heap()
			b, err := Decode(s.body, Options{Charge: func(n int64) error { charged += n; return nil }})
			require.NoError(t, err)
			live := heap() - before
			var weights int64
			for i := range b.Messages {
				weights += int64(b.Messages[i].Weight)
			}
			// The memory outside of the decoder is not allocated yet.
			here := heapFactor*weights - perMessage*int64(len(b.Messages))
			runtime.KeepAlive(b)

			size := int64(len(s.body))
			t.Logf("%d bytes, %d charged, weights %d: %d on the heap, %.3f of what is paid, %.3f of the weights", size,
				charged, weights, live, float64(live)/float64(heapFactor*(size+charged)), float64(live)/float64(here))
			require.LessOrEqual(t, float64(live), 1.1*float64(heapFactor*(size+charged)))
			require.GreaterOrEqual(t, size+charged, weights)
			if s.dense && weights > size {
				require.LessOrEqual(t, float64(live), 1.02*float64(here), "weighs too little")
			}
		})
	}
}

// Messages that are kept though they are not valid take no more memory than was charged, at the end and meanwhile.
func TestHeapOfInvalidMessages(t *testing.T) {
	n := bodySize() / 16
	for name, body := range map[string]string{
		"lines":               strings.Repeat("x\n", n),
		"lines that are deep": strings.Repeat(strings.Repeat("[", 100)+"\n", n/10),
		"objects":             strings.Repeat("{\"a\":[{},{},{}],\"b\":01}\n", n),
		"elements":            "[" + strings.Repeat(`1,`, n) + "{}]",
		"a level of each":     "[" + strings.Repeat(strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+",", n/9000) + "{}]",
		"no batch":            `{"messages":[` + strings.Repeat(`1,`, n) + `{"":0}],"a":NaN}`,
	} {
		t.Run(name, func(t *testing.T) {
			var (
				d       *decoder
				charged int64
				calls   int
			)
			before := heap()
			d = newDecoder([]byte(body), Options{Lines: !strings.HasPrefix(body, "{"), KeepInvalid: true, Charge: func(n int64) error {
				calls++
				if bits.OnesCount(uint(calls)) == 1 {
					live, paid := heap()-before, heapFactor*(d.read()+charged+chargeStep)
					require.LessOrEqual(t, float64(live), 1.1*float64(paid)+64<<10, "charged %d after %d bytes", charged, d.read())
				}
				charged += n
				return nil
			}})
			before += int64(len(body))
			list, err := d.decode()
			require.NoError(t, err)
			live := heap() - before
			t.Logf("%d messages, %d charged, %d on the heap", len(list), charged, live)
			require.LessOrEqual(t, float64(live), 1.1*float64(heapFactor*(int64(len(body))+charged+chargeStep)))
			runtime.KeepAlive(list)
		})
	}
}

// The decoder computes the memory of its values, also below the length of their text.
func TestHeapIsAsComputed(t *testing.T) {
	for _, s := range shapes() {
		b, err := Decode(s.body, Options{})
		require.NoError(t, err)
		if len(b.Messages) != 1 || len(b.Messages[0].Raw) < bodySize()/2 {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			d := newDecoder(bytes.Clone(b.Messages[0].Raw), Options{})
			b = Batch{}
			before := heap()
			fields, err := d.object()
			require.NoError(t, err)
			require.Equal(t, int64(cap(d.stack))*elementBytes+int64(d.deepest)*levelBytes, d.decoderOwn)
			require.LessOrEqual(t, cap(d.scratch), maxScratch)
			d.stack, d.scratch = nil, nil
			ratio := float64(heap()-before) / float64(d.openValues)
			runtime.KeepAlive(d)
			runtime.KeepAlive(fields)
			t.Logf("%d bytes, %.3f of it used", d.openValues, ratio)
			require.LessOrEqual(t, ratio, 1.03, "computed too little")
			if s.dense { // a map that is nearly full is charged for twice its slots
				require.GreaterOrEqual(t, ratio, 0.6, "computed too much")
			}
		})
	}
}

// At every time, the heap holds no more than the charges so far and one chargeStep.
func TestHeapIsChargedMeanwhile(t *testing.T) {
	for _, s := range shapes() {
		t.Run(s.name, func(t *testing.T) {
			var (
				d       *decoder
				charged int64
				calls   int
			)
			before := heap()
			d = newDecoder(s.body, Options{Charge: func(n int64) error {
				require.GreaterOrEqual(t, n, int64(chargeStep))
				calls++
				if bits.OnesCount(uint(calls)) == 1 || calls%64 == 0 || n > 4*chargeStep {
					live := heap() - before
					paid := heapFactor * (d.read() + charged + chargeStep)
					require.LessOrEqual(t, float64(live), 1.1*float64(paid)+64<<10, "charged %d after %d bytes", charged, d.read())
				}
				charged += n
				return nil
			}})
			_, err := d.decode()
			require.NoError(t, err)
			require.Less(t, d.excess-charged, int64(chargeStep), "left for the end")
		})
	}
}

// A refused charge stops a heavy body early.
func TestHeapOfARefusedCharge(t *testing.T) {
	for _, s := range shapes() {
		if !s.dense {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			d := newDecoder(s.body, Options{Charge: func(int64) error { return errFull }})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := d.decode()
			runtime.ReadMemStats(&after)
			if err == nil {
				return // not heavy enough for a step
			}
			require.ErrorIs(t, err, errFull)
			made := int64(after.TotalAlloc - before.TotalAlloc)
			require.LessOrEqual(t, float64(made), 2*float64(heapFactor*(d.read()+chargeStep))+32<<10)
		})
	}
}
