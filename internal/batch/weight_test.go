package batch

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// The weight of ordinary messages is their length, in each of the formats.
func TestRxtxMessagesAreNotHeavy(t *testing.T) {
	const n = 5000
	whole := rxtxBatch(n)
	list := whole[bytes.IndexByte(whole, '[') : len(whole)-1]
	for name, c := range map[string]struct {
		body  []byte
		lines bool
	}{
		"batch": {whole, false},
		"array": {list, false},
		"lines": {bytes.ReplaceAll(list[1:len(list)-1], []byte(`},{"seq"`), []byte("}\n{\"seq\"")), true},
	} {
		var charged int64
		b, err := Decode(c.body, Options{Lines: c.lines, Charge: func(n int64) error { charged += n; return nil }})
		require.NoError(t, err)
		require.Len(t, b.Messages, n)
		require.LessOrEqual(t, charged, int64(64), name)
		for i := range b.Messages {
			raw, w := len(b.Messages[i].Raw), b.Messages[i].Weight
			require.LessOrEqual(t, w, raw+1, "message %d", i)
		}
		decoded := weight(perMessage + decodedBytes(t, b))
		require.InDelta(t, len(b.Messages[0].Raw), decoded, 0.05*float64(len(b.Messages[0].Raw)), "the factor is off")
	}
}

// decodedBytes is the computed memory of the last message of the batch.
func decodedBytes(t *testing.T, b Batch) int64 {
	t.Helper()
	d := newDecoder(b.Messages[len(b.Messages)-1].Raw, Options{})
	_, err := d.object()
	require.NoError(t, err)
	return d.openValues + messageBytes
}

// The weight of a message depends neither on the options, nor on later messages, nor on Charge.
func TestWeight(t *testing.T) {
	const empty = perMessage + messageBytes + mapBytes
	for message, made := range map[string]int64{
		`{}`:            empty,
		`{"a":null}`:    empty + groupBytes,
		`{"a":true}`:    empty + groupBytes,
		`{"a":""}`:      empty + groupBytes,
		`{"a":"x"}`:     empty + groupBytes + textBytes,
		`{"a":"\n"}`:    empty + groupBytes + textBytes,
		`{"a":"xy"}`:    empty + groupBytes + textBytes + firstChunk,
		`{"a":12}`:      empty + groupBytes,
		`{"a":1.5}`:     empty + groupBytes + numberBytes,
		`{"a":-1}`:      empty + groupBytes + numberBytes,
		`{"a":1e999}`:   empty + groupBytes + textBytes + 8,
		`{"a":[]}`:      empty + groupBytes + listBytes,
		`{"a":[1,[]]}`:  empty + groupBytes + 2*listBytes + 2*elementBytes,
		`{"a":{}}`:      empty + groupBytes + mapBytes,
		`{"a":{"b":0}}`: empty + 2*groupBytes + mapBytes,
	} {
		for _, o := range []Options{{}, {Lines: true}, {Charge: func(int64) error { return nil }}} {
			body := "[" + message + "]"
			if o.Lines {
				body = message + "\n"
			}
			b, err := Decode([]byte(body), o)
			require.NoError(t, err)
			require.Equal(t, (int(made)+heapFactor-1)/heapFactor, b.Messages[0].Weight, message)
		}
	}
	long := `{"a":"` + strings.Repeat("x", 5000) + `"}`
	b, err := Decode([]byte("["+long+",{},"+long+"]"), Options{})
	require.NoError(t, err)
	require.Equal(t, len(long), b.Messages[0].Weight)
	require.Equal(t, empty/heapFactor, b.Messages[1].Weight)
	require.Equal(t, len(long), b.Messages[2].Weight)

	b, err = Decode([]byte("["+object(1000, "0")+`,{"a":1},{"a":1}]`), Options{})
	require.NoError(t, err)
	require.Equal(t, weight(empty+slotsBytes(104)), int64(b.Messages[1].Weight), "the slots of the object before")
	require.Equal(t, weight(empty+groupBytes), int64(b.Messages[2].Weight))
}

// At the end, one call charges the rest of the excess.
func TestChargeAtTheEnd(t *testing.T) {
	for _, body := range []string{`[{},{}]`, `{"messages":[{},{}]}`, "{}\n{}"} {
		var calls []int64
		b, err := Decode([]byte(body), Options{Lines: body[0] == '{' && body[1] == '}', Charge: func(n int64) error {
			calls = append(calls, n)
			return nil
		}})
		require.NoError(t, err)
		require.Equal(t, []int64{int64(2*b.Messages[0].Weight - 4)}, calls)
	}
	// What was read as a batch, and is none, is not charged for.
	body := []byte(`{"messages":[` + strings.Repeat(`{},`, 20) + `{}],"a":0}`)
	var calls []int64
	b, err := Decode(body, Options{Charge: func(n int64) error { calls = append(calls, n); return nil }})
	require.NoError(t, err)
	require.Equal(t, []int64{int64(b.Messages[0].Weight - len(body))}, calls)
	for _, body := range []string{
		`[]`, `{"messages":null,"uuid":[1,2,{"a":{}}]}`, string(rxtxBatch(1)[:100]),
		`{"uuid":[` + strings.Repeat(`{"a":0},`, 1<<14) + `{}],"messages":[]}`,
	} {
		_, _ = Decode([]byte(body), Options{Charge: func(int64) error { t.Fatal("nothing to charge for"); return nil }})
	}
}

var errFull = errors.New("full")

// After a refused charge, Charge is not called again, and Decode returns its error.
func TestRefusedCharge(t *testing.T) {
	for _, s := range append(slices.Clone(shapes()), shape{name: "lines", body: bytes.Repeat([]byte("{}\n"), 1<<16), lines: true, dense: true}) {
		t.Run(s.name, func(t *testing.T) {
			var calls int
			o := Options{Lines: s.lines, Charge: func(int64) error { calls++; return nil }}
			_, err := Decode(s.body, o)
			require.NoError(t, err)
			all := calls
			for _, allowed := range []int{0, 1, all - 1} {
				if allowed < 0 || allowed >= all {
					continue
				}
				calls = 0
				o.Charge = func(int64) error {
					calls++
					if calls > allowed {
						return errFull
					}
					return nil
				}
				b, err := Decode(s.body, o)
				require.ErrorIs(t, err, errFull)
				require.Zero(t, b)
				require.Equal(t, allowed+1, calls)
			}
		})
	}
}

// Nesting is charged for the stack of the goroutine.
func TestChargeForNesting(t *testing.T) {
	for _, body := range []string{
		`[{"a":` + strings.Repeat("[", HighestMaxDepth-1) + strings.Repeat("]", HighestMaxDepth-1) + `}]`,
		`{"uuid":` + strings.Repeat("[", HighestMaxDepth) + strings.Repeat("]", HighestMaxDepth) + `,"messages":[]}`,
	} {
		var charged int64
		_, err := Decode([]byte(body), Options{MaxDepth: HighestMaxDepth, Charge: func(n int64) error { charged += n; return nil }})
		require.NoError(t, err)
		require.Greater(t, charged, int64(256<<10/heapFactor-len(body)))

		// It is charged before the deepest level.
		_, err = Decode([]byte(body[:len(body)/2]), Options{MaxDepth: HighestMaxDepth, Charge: func(int64) error { return errFull }})
		require.ErrorIs(t, err, errFull)
	}
}

// The charges add up to the excess, to the byte, if no memory is needed only for a while.
func TestChargesAddUp(t *testing.T) {
	bodies := [][]byte{bytes.Repeat([]byte("{}\n"), 1000), bytes.Repeat([]byte(rxtxMessage(1)+"\n{\"\":{}}\n"), 500)}
	bodies = append(bodies, []byte(`{"a":"`+strings.Repeat("x", 1<<20)+`","b":0}`))
	for n := range 300 {
		bodies = append(bodies, []byte(`{"a":"`+strings.Repeat("x", n)+`"}`))
	}
	var one bool
	for _, body := range bodies {
		var charged int64
		b, err := Decode(body, Options{Lines: true, Charge: func(n int64) error { charged += n; return nil }})
		require.NoError(t, err)
		var excess int64
		for i := range b.Messages {
			excess += int64(b.Messages[i].Weight - len(b.Messages[i].Raw))
		}
		require.Equal(t, excess, charged)
		one = one || excess == 1
	}
	require.True(t, one, "the smallest charge there is was not among them")
}

// The length of a light message does not offset the weight of the next message.
func TestChargeDoesNotWait(t *testing.T) {
	before := `[{"a":"` + strings.Repeat("x", 1<<20) + `"},`
	d := newDecoder([]byte(before+`{"a":[`+strings.Repeat(`{"":0},`, 1<<14)+`0]}]`), Options{Charge: func(int64) error { return errFull }})
	_, err := d.decode()
	require.ErrorIs(t, err, errFull)
	require.Greater(t, d.read(), int64(len(before)))
	require.Less(t, d.read(), int64(len(before)+chargeStep/4))
}

// Keys of ignored objects are charged while they are read.
func TestChargeForIgnoredKeys(t *testing.T) {
	keys := strings.TrimSuffix(object(20_000, "0"), "}")
	for _, body := range []string{keys, `{"uuid":[` + keys} {
		_, err := Decode([]byte(body), Options{Charge: func(int64) error { return errFull }})
		require.ErrorIs(t, err, errFull)
	}
}

// The announced size preallocates only as far as the body and the limit allow.
func TestPreallocatedMessages(t *testing.T) {
	body := []byte("[" + strings.Repeat(" ", 1<<20) + "]")
	require.EqualValues(t, messageSize, unsafe.Sizeof(Message{}))
	for most, want := range map[int]int{0: len(body) / 160, 1 << 40: len(body) / 160, 7: 7} {
		list, err := newDecoder(body, Options{MaxMessages: most}).messages(nil, 1<<50)
		require.NoError(t, err)
		require.InDelta(t, want, cap(list), 1)
	}
}
