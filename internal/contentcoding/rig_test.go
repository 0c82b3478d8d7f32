package contentcoding

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const noLimit = 1 << 30

var realCodings = []Coding{Gzip, Deflate, Zstd}

// free is a grow without a limit.
func free(int64) error { return nil }

// decompress is Decompress with a decompressor of its own.
func decompress(coding Coding, wire []byte, limit int64) ([]byte, error) {
	return New(1).Decompress(context.Background(), coding, wire, limit, free)
}

// pack compresses with the standard library where it can, so that the decoder is not tested with its own encoder.
func pack(tb testing.TB, coding Coding, plain []byte) []byte {
	tb.Helper()
	switch coding {
	case Gzip:
		return written(tb, plain, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	case Deflate:
		return written(tb, plain, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	case Zstd:
		return packZstd(tb, plain, zstd.WithEncoderCRC(true))
	default:
		return plain
	}
}

func packRaw(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	return written(tb, plain, func(w io.Writer) io.WriteCloser { return newFlate(tb, w, flate.DefaultCompression) })
}

func newFlate(tb testing.TB, w io.Writer, level int) io.WriteCloser {
	tb.Helper()
	fw, err := flate.NewWriter(w, level)
	require.NoError(tb, err)
	return fw
}

// packZstd writes a frame whose header has no size, as a streaming sender does.
func packZstd(tb testing.TB, plain []byte, options ...zstd.EOption) []byte {
	tb.Helper()
	return written(tb, plain, func(w io.Writer) io.WriteCloser {
		zw, err := zstd.NewWriter(w, append(options, zstd.WithEncoderConcurrency(1))...)
		require.NoError(tb, err)
		_, err = zw.Write(nil)
		require.NoError(tb, err)
		require.NoError(tb, zw.Flush())
		return zw
	})
}

func written(tb testing.TB, plain []byte, to func(io.Writer) io.WriteCloser) []byte {
	tb.Helper()
	var wire bytes.Buffer
	w := to(&wire)
	_, err := w.Write(plain)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return wire.Bytes()
}

// The types of a block in a zstd frame (RFC 8878, section 3.1.1.2).
const (
	rawBlock = iota
	rleBlock
	compressedBlock
)

const (
	window1M = 10 << 3 // as the byte in the header of a frame
	window8M = 13 << 3
)

// block is a block that says its size is n.
func block(last bool, kind, n int, content ...byte) []byte {
	header := n<<3 | kind<<1
	if last {
		header |= 1
	}
	return append([]byte{byte(header), byte(header >> 8), byte(header >> 16)}, content...)
}

// frame is a zstd frame of these blocks, without a checksum.
func frame(window byte, blocks ...[]byte) []byte {
	return append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, window}, slices.Concat(blocks...)...)
}

func skippable(content ...byte) []byte {
	return append([]byte{0x5a, 0x2a, 0x4d, 0x18, byte(len(content)), 0, 0, 0}, content...)
}

// rxtxBatch is a batch of n messages as rxtx sends it, about 370 bytes each.
func rxtxBatch(n int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"uuid":"5d0a4a32-98dc-4c2b-8a73-0d7c7a3c6d11","size":%d,"messages":[`, n)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"seq":"%020d","time":"2026-03-01T12:%02d:%02d.123456789Z","uuid":"%08x-1b7e-4a53-9a5e-2f2f3c0d4e5f",`+
			`"producer":"sensor-gateway-07","label":"environment","key":"line-4/oven-2","payload":{"temperature":%d.25,`+
			`"humidity":0.%03d,"pressure":101325,"counter":%d,"alarm":false,"note":null,"unit":"celsius/percent"}}`,
			i, i/60%60, i%60, i*2654435761%4294967296, 180+i%40, i*7919%1000, 9007199254740993+i)
	}
	b.WriteString("]}")
	return []byte(b.String())
}
