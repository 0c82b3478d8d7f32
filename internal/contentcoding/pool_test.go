package contentcoding

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/stretchr/testify/require"
)

// At most concurrent decompressions run at a time. Another waits until its context ends.
func TestConcurrent(t *testing.T) {
	for _, concurrent := range []int{-1, 0, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			d := New(concurrent)
			gz, zs := pack(t, Gzip, []byte("hello")), pack(t, Zstd, []byte("hello"))
			most := max(concurrent, 1)
			var mu sync.Mutex
			running, done := 0, 0
			finish := make(chan struct{})
			for range 3 * most {
				go func() {
					_, err := d.Decompress(t.Context(), Gzip, gz, noLimit, func(int64) error {
						mu.Lock()
						running++
						mu.Unlock()
						<-finish
						mu.Lock()
						running--
						done++
						mu.Unlock()
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}()
			}
			synctest.Wait()
			require.Equal(t, most, running)

			// Another one ends with its context while it waits.
			cause := errors.New("ended")
			ctx, cancel := context.WithCancelCause(t.Context())
			gaveUp := make(chan error, 1)
			go func() {
				_, err := d.Decompress(ctx, Zstd, zs, noLimit, free)
				gaveUp <- err
			}()
			synctest.Wait()
			require.Empty(t, gaveUp)
			cancel(cause)
			synctest.Wait()
			require.Equal(t, cause, <-gaveUp)

			// A body that needs no decoder does not wait.
			_, err := d.Decompress(t.Context(), Identity, []byte("hello"), noLimit, free)
			require.NoError(t, err)
			_, err = d.Decompress(t.Context(), Gzip, nil, noLimit, free)
			require.NoError(t, err)

			for range 3 * most {
				finish <- struct{}{}
				synctest.Wait()
				require.LessOrEqual(t, running, most)
			}
			require.Equal(t, 3*most, done)
			require.Len(t, d.idle, most, "decoders are kept, and no more than ran")
		})
	}
}

func TestNothingStartsAfterTheEnd(t *testing.T) {
	ended := errors.New("ended")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ended)
	d := New(1)
	for range 20 {
		_, err := d.Decompress(ctx, Gzip, []byte{0x1f}, noLimit, free)
		require.Equal(t, ended, err)
	}
	require.Empty(t, d.idle)
}

// One decoder unpacks all bodies, after any other body.
func TestReuse(t *testing.T) {
	plain := rxtxBatch(300)
	var good, bad []bomb
	for _, coding := range realCodings {
		wire := pack(t, coding, plain)
		good = append(good, bomb{coding, wire})
		damaged := bytes.Clone(wire)
		damaged[len(damaged)/2] ^= 0x10
		bad = append(bad, bomb{coding, wire[:len(wire)/2]}, bomb{coding, damaged}, bomb{coding, []byte("?")}, bomb{coding, append(bytes.Clone(wire), '?')})
	}
	good = append(good, bomb{Deflate, packRaw(t, plain)})
	bad = append(bad, bomb{Deflate, packRaw(t, plain)[:100]}, bomb{Zstd, frame(0xff)}, bomb{Gzip, slices.Concat(pack(t, Gzip, plain), []byte{0x1f, 0x8b, 8})})

	d := New(1)
	for i, b := range bad { // the first of all: nothing has been made yet
		_, err := New(1).Decompress(t.Context(), b.coding, b.wire, noLimit, free)
		require.Error(t, err, "%d", i)
	}
	for i, b := range bad {
		for _, g := range good {
			_, err := d.Decompress(t.Context(), b.coding, b.wire, noLimit, free)
			require.Error(t, err, "%d", i)
			_, err = d.Decompress(t.Context(), g.coding, g.wire, 1000, free)
			require.ErrorIs(t, err, ErrTooLarge)
			got, err := d.Decompress(t.Context(), g.coding, g.wire, noLimit, free)
			require.NoError(t, err, "%v after %d", g.coding, i)
			require.Equal(t, string(plain), string(got), "%v after %d", g.coding, i)
		}
	}
	require.Len(t, d.idle, 1)
}

// A body that points back to before its beginning must not find the body before it there.
func TestNothingIsSeenOfTheBodyBefore(t *testing.T) {
	secret := bytes.Repeat([]byte("hunter2 "), 100_000)
	back := []byte{0x03, 0x02, 0x00} // three bytes, from one before
	// No literals, and one sequence: three bytes, from five before.
	sequence := []byte{0x00, 0x01, 0x54, 0x00, 0x03, 0x00, 0x08}
	gzipHeader := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}

	// Both bodies are valid after the bytes that they point to.
	got, err := decompress(Zstd, frame(window1M, block(false, rawBlock, 8, []byte("abcdefgh")...),
		block(true, compressedBlock, len(sequence), sequence...)), noLimit)
	require.NoError(t, err)
	require.Equal(t, "abcdefghdef", string(got))
	got, err = decompress(Deflate, slices.Concat([]byte{0, 1, 0, 0xfe, 0xff, 'x'}, back), noLimit)
	require.NoError(t, err)
	require.Equal(t, "xxxx", string(got))

	d := New(1)
	for name, c := range map[string]struct{ before, wire bomb }{
		"raw deflate": {bomb{Deflate, packRaw(t, secret)}, bomb{Deflate, back}},
		"zlib":        {bomb{Deflate, pack(t, Deflate, secret)}, bomb{Deflate, append([]byte{0x78, 0x9c}, back...)}},
		"gzip":        {bomb{Gzip, pack(t, Gzip, secret)}, bomb{Gzip, slices.Concat(gzipHeader, back, make([]byte, 8))}},
		"gzip, the member before": {
			bomb{Gzip, pack(t, Gzip, secret)},
			bomb{Gzip, slices.Concat(pack(t, Gzip, secret), gzipHeader, back, make([]byte, 8))},
		},
		"zstd": {bomb{Zstd, pack(t, Zstd, secret)}, bomb{Zstd, frame(window1M, block(true, compressedBlock, len(sequence), sequence...))}},
		"zstd, the frame before": {
			bomb{Zstd, pack(t, Zstd, secret)},
			bomb{Zstd, slices.Concat(pack(t, Zstd, secret), frame(window8M, block(true, compressedBlock, len(sequence), sequence...)))},
		},
		"zstd, a block of unset literals": {
			bomb{Zstd, pack(t, Zstd, rxtxBatch(500))},
			// Literals by the tree of the block before, and there is none.
			bomb{Zstd, frame(window1M, block(true, compressedBlock, 6, 0x33, 0x40, 0x00, 0x01, 0x01, 0x00))},
		},
	} {
		_, err := d.Decompress(t.Context(), c.before.coding, c.before.wire, noLimit, free)
		require.NoError(t, err, name)
		for range 2 {
			_, err = d.Decompress(t.Context(), c.wire.coding, c.wire.wire, noLimit, free)
			require.ErrorIs(t, err, ErrCorrupt, name)
		}
	}
	require.Len(t, d.idle, 1)
}

// Idle decoders hold neither the body nor the output.
func TestNothingIsKept(t *testing.T) {
	plain := rxtxBatch(1000)
	named := written(t, plain, func(w io.Writer) io.WriteCloser {
		gw := gzip.NewWriter(w)
		gw.Name, gw.Comment, gw.Extra = "name", "comment", make([]byte, 65535)
		return gw
	})
	for name, b := range map[string]bomb{
		"gzip":         {Gzip, named},
		"gzip, cut":    {Gzip, named[:len(named)/2]},
		"zlib":         {Deflate, pack(t, Deflate, plain)},
		"raw deflate":  {Deflate, packRaw(t, plain)},
		"zstd":         {Zstd, pack(t, Zstd, plain)},
		"zstd, cut":    {Zstd, pack(t, Zstd, plain)[:1000]},
		"zstd, no end": {Zstd, append(pack(t, Zstd, plain), '?')},
	} {
		d := New(1)
		wire, out, ctx := kept(t, d, b)
		runtime.GC()
		require.Nil(t, wire.Value(), "%s: the wire", name)
		require.Nil(t, out.Value(), "%s: the output", name)
		require.Nil(t, ctx.Value(), "%s: the context", name)
		require.Len(t, d.idle, 1)
		require.Zero(t, d.idle[0].gzip.Header)
		runtime.KeepAlive(d)
	}
}

// kept decompresses a copy of the body, and returns weak pointers to it and to the output.
//
//go:noinline
func kept(t *testing.T, d *Decompressor, b bomb) (weak.Pointer[byte], weak.Pointer[byte], weak.Pointer[mortal]) {
	t.Helper()
	wire := bytes.Clone(b.wire)
	ctx := &mortal{Context: context.Background(), left: 1 << 30}
	out, _ := d.Decompress(ctx, b.coding, wire, noLimit, free)
	if out == nil {
		out = make([]byte, 64) // too large to share an allocation
	}
	return weak.Make(&wire[0]), weak.Make(&out[0]), weak.Make(ctx)
}

// A decoder that panicked is not used again. Its decompression does not count any more.
func TestPanic(t *testing.T) {
	d := New(1)
	wire := pack(t, Gzip, []byte("hello"))
	require.PanicsWithValue(t, "grow", func() {
		_, _ = d.Decompress(t.Context(), Gzip, wire, noLimit, func(int64) error { panic("grow") })
	})
	require.Empty(t, d.idle)
	got, err := d.Decompress(t.Context(), Gzip, wire, noLimit, free)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
}

func TestManyAtOnce(t *testing.T) {
	d := New(3)
	var wg sync.WaitGroup
	for i := range 64 {
		coding := realCodings[i%3]
		plain := []byte(strings.Repeat(fmt.Sprintf("sender %d, ", i), 20_000))
		wire := pack(t, coding, plain)
		wg.Go(func() {
			for range 5 {
				if _, err := d.Decompress(t.Context(), coding, wire[:len(wire)-1], noLimit, free); !errors.Is(err, ErrCorrupt) {
					t.Errorf("cut: %v", err)
				}
				got, err := d.Decompress(t.Context(), coding, wire, noLimit, free)
				if err != nil || !bytes.Equal(plain, got) {
					t.Errorf("%v of sender %d: %v", coding, i, err)
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, len(d.idle), 3)
}

// Memory holds at most one window of the largest size for each decoder.
func TestMemoryOfManyLargeWindows(t *testing.T) {
	const concurrent, perDecoder = 2, 12 << 20
	plain := rxtxBatch(800)
	large := frame(window8M, manyRaw(plain)...) // and a window that is really filled
	filled := pack(t, Zstd, bytes.Repeat(rxtxBatch(1000), 30))
	d := New(concurrent)
	var (
		mu    sync.Mutex
		most  int64
		start = live()
		wg    sync.WaitGroup
	)
	for i := range 64 {
		wire := large
		if i%16 == 0 {
			wire = filled
		}
		wg.Go(func() {
			var own, looked int64
			_, err := d.Decompress(t.Context(), Zstd, wire, noLimit, func(n int64) error {
				own += n
				if own < looked+4*readMost {
					return nil
				}
				looked = own
				now := live()
				mu.Lock()
				defer mu.Unlock()
				most = max(most, now-start)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	const outputs = concurrent * 3 * (12 << 20) // of the filled ones, and twice as much while a buffer is doubled
	t.Logf("at most %d KiB, %d KiB afterwards", most>>10, (live()-start)>>10)
	require.Less(t, most, int64(concurrent*perDecoder+outputs))
	require.Less(t, live()-start, int64(concurrent*perDecoder))
	runtime.KeepAlive(d)
}

// live is how many bytes of the heap are in use.
func live() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// manyRaw cuts data into blocks.
func manyRaw(data []byte) [][]byte {
	var blocks [][]byte
	for part := range slices.Chunk(data, 1000) {
		blocks = append(blocks, block(false, rawBlock, len(part), part...))
	}
	return append(blocks, block(true, rawBlock, 0))
}
