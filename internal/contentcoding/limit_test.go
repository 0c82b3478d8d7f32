package contentcoding

import (
	"bytes"
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

const inScratch = len(decoders{}.scratch)

func TestLimit(t *testing.T) {
	for _, n := range []int{1, 2, 511, readMost - 1, readMost, readMost + 1, inScratch - 1, inScratch, inScratch + 1, 2 * inScratch, 1_000_003} {
		plain := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
		for _, c := range []struct {
			coding Coding
			wire   []byte
		}{
			{Identity, plain},
			{Gzip, pack(t, Gzip, plain)},
			{Gzip, slices.Concat(pack(t, Gzip, plain[:n-1]), pack(t, Gzip, plain[n-1:]), pack(t, Gzip, nil))},
			{Deflate, pack(t, Deflate, plain)},
			{Deflate, packRaw(t, plain)},
			{Zstd, pack(t, Zstd, plain)},
		} {
			for _, limit := range []int64{int64(n), int64(n) + 1, noLimit, math.MaxInt64} {
				got, err := decompress(c.coding, c.wire, limit)
				require.NoError(t, err, "%v of %d bytes, limit %d", c.coding, n, limit)
				require.True(t, bytes.Equal(plain, got))
				if c.coding != Identity {
					require.LessOrEqual(t, cap(got), max(2*n, 8), "8 is the least that is allocated")
				}
			}
			for _, limit := range []int64{int64(n) - 1, int64(n) / 2, 0, -1, math.MinInt64} {
				got, err := decompress(c.coding, c.wire, limit)
				require.ErrorIs(t, err, ErrTooLarge, "%v of %d bytes, limit %d", c.coding, n, limit)
				require.Nil(t, got)
			}
		}
	}
}

// A limit of zero accepts an empty output alone.
func TestLimitOfZero(t *testing.T) {
	for _, coding := range realCodings {
		_, err := decompress(coding, pack(t, coding, nil), 0)
		require.NoError(t, err)
	}
}

func TestGrowCountsTheBytesKept(t *testing.T) {
	plain := rxtxBatch(1000)
	for _, coding := range realCodings {
		var sum int64
		count := func(n int64) error {
			require.Positive(t, n)
			require.LessOrEqual(t, n, int64(readMost))
			sum += n
			return nil
		}
		_, err := New(1).Decompress(t.Context(), coding, pack(t, coding, plain), noLimit, count)
		require.NoError(t, err)
		require.Equal(t, int64(len(plain)), sum)

		sum = 0
		_, err = New(1).Decompress(t.Context(), coding, pack(t, coding, plain), 100_000, count)
		require.ErrorIs(t, err, ErrTooLarge)
		require.LessOrEqual(t, sum, int64(100_000), "counted what is not kept")
	}
}

func TestGrowMayRefuse(t *testing.T) {
	full := errors.New("full")
	for _, coding := range realCodings {
		d, calls, sum := New(1), 0, int64(0)
		wire := pack(t, coding, rxtxBatch(1000))
		got, err := d.Decompress(t.Context(), coding, wire, noLimit, func(n int64) error {
			calls++
			if sum += n; sum > 100_000 {
				return full
			}
			return nil
		})
		require.Equal(t, full, err, "as it is")
		require.Nil(t, got)
		after := calls

		got, err = d.Decompress(t.Context(), coding, wire, noLimit, free)
		require.NoError(t, err)
		require.Equal(t, string(rxtxBatch(1000)), string(got))
		require.Equal(t, after, calls, "not called again")
	}
}

// bombs are bodies of at most a MiB that unpack to at least a thousand times their length.
func bombs(tb testing.TB) map[string]bomb {
	tb.Helper()
	zeros := make([]byte, 4<<20)
	member := pack(tb, Gzip, zeros)
	rle := block(false, rleBlock, 128<<10, 0)
	return map[string]bomb{
		"gzip":              {Gzip, bytes.Repeat(member, 256)},
		"zlib":              {Deflate, pack(tb, Deflate, zeros)},
		"raw deflate":       {Deflate, packRaw(tb, zeros)},
		"zstd":              {Zstd, bytes.Repeat(pack(tb, Zstd, zeros), 256)},
		"zstd, 32 GiB":      {Zstd, frame(window8M, bytes.Repeat(rle, 1<<18), block(true, rawBlock, 0))},
		"zstd of one frame": {Zstd, pack(tb, Zstd, zeros)},
	}
}

type bomb struct {
	coding Coding
	wire   []byte
}

// The memory for a bomb depends on the limit, not on the bomb.
func TestBombs(t *testing.T) {
	for name, c := range bombs(t) {
		for _, limit := range []int64{1000, 1 << 20} {
			var sum int64
			grow := func(n int64) error { sum += n; return nil }
			allocated := allocates(func() {
				_, err := New(1).Decompress(t.Context(), c.coding, c.wire, limit, grow)
				require.ErrorIs(t, err, ErrTooLarge, name)
			})
			require.LessOrEqual(t, sum, limit, name)
			const decoder = 10 << 20 // mostly the window of zstd
			require.Less(t, allocated, 4*limit+decoder, name)
		}
	}
}

// allocates returns how many bytes f allocates, in all.
func allocates(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// idle are bodies of half a MiB of parts that unpack to nothing.
func idle(tb testing.TB) map[string]bomb {
	tb.Helper()
	const size = 1 << 19
	repeated := func(coding Coding, before, part, after []byte) bomb {
		return bomb{coding, slices.Concat(before, bytes.Repeat(part, size/len(part)), after)}
	}
	emptyMember := pack(tb, Gzip, nil)
	emptyStored := []byte{0, 0, 0, 0xff, 0xff}
	emptyFrame := frame(window8M, block(true, rawBlock, 0))
	return map[string]bomb{
		"members of gzip":       repeated(Gzip, nil, emptyMember, nil),
		"stored blocks":         repeated(Deflate, nil, emptyStored, []byte{3, 0}),
		"stored blocks of zlib": repeated(Deflate, []byte{0x78, 0x9c}, emptyStored, []byte{3, 0, 0, 0, 0, 1}),
		"frames of zstd":        repeated(Zstd, nil, emptyFrame, nil),
		"skippable frames":      repeated(Zstd, nil, skippable(), nil),
		"large skippable frame": repeated(Zstd, nil, append([]byte{0x5a, 0x2a, 0x4d, 0x18, 0, 0, 4, 0}, make([]byte, 256<<10)...), nil),
		"raw blocks of zstd":    repeated(Zstd, frame(window8M), block(false, rawBlock, 0), block(true, rawBlock, 0)),
		"runs of nothing":       repeated(Zstd, frame(window8M), block(false, rleBlock, 0, 'a'), block(true, rawBlock, 0)),
	}
}

// Parts that unpack to nothing cost no memory, and time by the length of the wire alone.
func TestPartsWithNothingInThem(t *testing.T) {
	for name, c := range idle(t) {
		d := New(1)
		first := allocates(func() {
			got, err := d.Decompress(t.Context(), c.coding, c.wire, noLimit, free)
			require.NoError(t, err, name)
			require.Empty(t, got, name)
		})
		if name == "skippable frames" {
			continue // each costs a few bytes, and with the race detector, which empties pools, a whole buffer
		}
		require.Less(t, first, int64(12<<20), name)
		again := allocates(func() {
			_, err := d.Decompress(t.Context(), c.coding, c.wire, noLimit, free)
			require.NoError(t, err, name)
		})
		require.Less(t, again, int64(2*len(c.wire)), name)
	}
}

// mortal is a context that ends by itself after it was asked a number of times.
type mortal struct {
	context.Context //nolint:containedctx // it is a context itself, which counts how often it is looked at
	left            int
}

var errDead = errors.New("dead")

func (m *mortal) Err() error {
	m.left--
	if m.left < 0 {
		return errDead
	}
	return nil
}

// The context is checked regularly, also while nothing is unpacked.
func TestContextEndsEveryLoop(t *testing.T) {
	bodies := idle(t)
	for name, c := range bombs(t) {
		bodies["bomb of "+name] = c
	}
	for name, c := range bodies {
		d := New(1)
		ctx := &mortal{Context: context.Background(), left: 20}
		var sum int64
		got, err := d.Decompress(ctx, c.coding, c.wire, noLimit, func(n int64) error { sum += n; return nil })
		require.ErrorIs(t, err, errDead, name)
		require.Nil(t, got, name)
		require.LessOrEqual(t, sum, int64(20*readMost), name)
		require.GreaterOrEqual(t, ctx.left, -4, "%s: went on after the end", name)
	}
}

func TestContextBetweenChunks(t *testing.T) {
	stop := errors.New("stop")
	for _, coding := range realCodings {
		ctx, cancel := context.WithCancelCause(t.Context())
		var sum int64
		got, err := New(1).Decompress(ctx, coding, pack(t, coding, rxtxBatch(5000)), noLimit, func(n int64) error {
			if sum += n; sum > 200_000 {
				cancel(stop)
			}
			return nil
		})
		require.Equal(t, stop, err, "the cause, not context.Canceled")
		require.Nil(t, got)
		require.LessOrEqual(t, sum, int64(200_000+readMost))
	}
}

// The sizes in headers allocate no memory.
func TestSizesInHeadersAreIgnored(t *testing.T) {
	promise := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x80, window1M, 0xff, 0xff, 0xff, 0x7f} // 2 GiB, of one byte
	wire := slices.Concat(promise, block(true, rawBlock, 1, 'a'))
	d := New(1)
	_, err := d.Decompress(t.Context(), Zstd, wire, noLimit, free) // makes the decoder
	require.ErrorIs(t, err, ErrCorrupt)
	require.Less(t, allocates(func() {
		_, err := d.Decompress(t.Context(), Zstd, wire, noLimit, free)
		require.ErrorIs(t, err, ErrCorrupt)
	}), int64(4096))
}
