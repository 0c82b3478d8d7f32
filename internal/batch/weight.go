package batch

import "math"

const (
	// heapFactor is the number of bytes on the heap for each byte of weight. Messages of rxtx, about 370 bytes long, take three
	// times their length once decoded. With perMessage it is six times: their weight is their length. Only denser messages, with
	// many small values in few bytes, weigh more than their length.
	heapFactor = 6

	// perMessage is the memory of a message after decoding, in bytes of the heap, whatever it holds: the event with its maps,
	// the entry in a queue, the entry in the registry. While decoding, the list of messages takes up to 180 bytes of it for
	// each, and is not charged on its own.
	perMessage = 1024

	// chargeStep is the least number of bytes of a call of Options.Charge, except for the last one.
	chargeStep = 32 << 10
)

// The memory of values on the heap, in bytes, on 64-bit systems.
const (
	elementBytes = 16  // an interface, which every element of an array is
	messageBytes = 56  // a Message; perMessage has the rest of it
	listBytes    = 24  // an array without its elements
	textBytes    = 16  // a string without its bytes
	numberBytes  = 8   // a number; the runtime allocates none for small ones
	mapBytes     = 48  // a map without entries
	groupBytes   = 288 // the first eight slots of a map
	slotBytes    = 41  // each slot of a larger map: 33 for an entry, the rest for control bytes, tables and rounding
	levelBytes   = 512 // of stack, for a level of recursion
)

// invalidBytes is the memory of a message that is kept though it is not valid: its empty fields, and its Error with a text.
const invalidBytes = perMessage + messageBytes + mapBytes + 112

// groupEntries is the number of entries in the first slots of a map.
const groupEntries = 8

// slotsBytes is the memory of the slots of a map for this many entries: 8 slots, or a power of two with 13 of 16 in use at most.
// Go fills 14 of 16. It splits a large map in parts, some earlier than others; 13 allows for that.
func slotsBytes(entries int) int64 {
	if entries <= groupEntries {
		return groupBytes
	}
	slots := 16
	for entries > slots/16*13 {
		slots *= 2
	}
	return int64(slots) * slotBytes
}

// allocated is about the memory of an allocation of n bytes, by the size classes of the runtime.
func allocated(n int) int64 {
	switch {
	case n <= 32:
		n = (n + 7) &^ 7
	case n <= 256:
		n = (n + 15) &^ 15
	case n <= 32<<10:
		n += n / 8
	default:
		n = (n + 8<<10 - 1) &^ (8<<10 - 1)
	}
	return int64(n)
}

// weight is heap bytes in bytes of weight.
func weight(heap int64) int64 { return (heap + heapFactor - 1) / heapFactor }

// account adds up the memory that decoding takes. The caller has reserved a weight of one for each byte of the body. A charge covers
// the weight beyond that: excess, and the weight of openValues and decoderOwn beyond the bytes read outside of finished messages.
// Below nextCharge no charge is due, so that most elements cost one comparison.
type account struct {
	charge func(int64) error // may be nil

	openValues int64 // heap bytes of the values being read, without finished messages
	decoderOwn int64 // heap bytes of the decoder itself, which it frees at the end
	nextCharge int64 // sum of openValues and decoderOwn at which a charge is due

	finishedText int64 // bytes of the body that are finished messages
	excess       int64 // weight of the finished messages beyond finishedText
	charged      int64 // weight
}

// mark is the state of an account to which rewind returns.
type mark struct {
	openValues, finishedText, excess int64
	asStrings                        int
}

// mark returns the state outside of messages.
func (d *decoder) mark() mark { return mark{d.openValues, d.finishedText, d.excess, d.asStrings} }

// rewind forgets what was read since. Its values are garbage. What was charged stays charged.
func (d *decoder) rewind(to mark) {
	d.openValues, d.finishedText, d.excess, d.asStrings = to.openValues, to.finishedText, to.excess, to.asStrings
	d.nextCharge = 0 // it depends on these
	d.depth, d.index, d.ignoring = 0, -1, false
	clear(d.stack)
	d.stack = d.stack[:0]
}

// finish adds a message of raw bytes, which took heap bytes, and returns its weight.
func (a *account) finish(raw int, heap int64) int {
	w := max(int64(raw), weight(heap))
	a.openValues -= heap
	a.finishedText += int64(raw)
	a.excess += w - int64(raw)
	return int(w)
}

// settle charges for the memory taken after read bytes of the body, if that is at least one chargeStep.
func (a *account) settle(read int64) error {
	if a.charge == nil {
		a.nextCharge = math.MaxInt64
		return nil
	}
	read -= a.finishedText
	need := a.excess + max(0, weight(a.openValues+a.decoderOwn)-read)
	if err := a.chargeTo(need, chargeStep); err != nil {
		return err
	}
	a.nextCharge = heapFactor * (a.charged + chargeStep - a.excess + read)
	return nil
}

func (a *account) chargeTo(need, step int64) error {
	if a.charge == nil || need-a.charged < step {
		return nil
	}
	if err := a.charge(need - a.charged); err != nil {
		return err
	}
	a.charged = need
	return nil
}

// pay calls settle when a charge may be due. Call it after memory was taken, or before, where it may be large.
func (d *decoder) pay() error {
	if d.openValues+d.decoderOwn < d.nextCharge {
		return nil
	}
	return d.settle(d.read())
}

// yieldEvery is how many bytes are read, or charged for, between two steps of the pace: a fifth of a millisecond's work.
const yieldEvery = 32 << 10

// yield lets other goroutines run every 32 KiB, and stops when Interrupted says so. Call it before each value.
func (d *decoder) yield() error {
	at := d.read()
	if at-d.yieldedAt < yieldEvery && d.charged-d.yieldedCharged < yieldEvery {
		return nil
	}
	d.yieldedAt, d.yieldedCharged = at, d.charged
	return d.step()
}

func (d *decoder) step() error {
	d.pace.Step()
	if d.interrupted == nil {
		return nil
	}
	return d.interrupted()
}
