package contentcoding

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

func TestDecompress(t *testing.T) {
	hello, long := []byte("hello, world"), rxtxBatch(2000)
	hellos := slices.Concat(hello, hello)
	named := func(plain []byte) []byte {
		return written(t, plain, func(w io.Writer) io.WriteCloser {
			gw := gzip.NewWriter(w)
			gw.Name, gw.Comment, gw.Extra = "n\u00e4me", "c", make([]byte, 65535)
			return gw
		})
	}
	stored := written(t, hello, func(w io.Writer) io.WriteCloser {
		zw, err := zlib.NewWriterLevel(w, zlib.NoCompression)
		require.NoError(t, err)
		return zw
	})
	encoder, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	single := func(plain []byte) []byte { return encoder.EncodeAll(plain, nil) } // its size is in the header

	for _, c := range []struct {
		name   string
		coding Coding
		wire   []byte
		want   []byte
	}{
		{"gzip", Gzip, pack(t, Gzip, hello), hello},
		{"gzip of much", Gzip, pack(t, Gzip, long), long},
		{"gzip of nothing", Gzip, pack(t, Gzip, nil), nil},
		{"gzip with every field in its header", Gzip, named(hello), hello},
		{"gzip of two members", Gzip, slices.Concat(pack(t, Gzip, hello), named(hello)), hellos},
		{
			"gzip with empty members", Gzip,
			slices.Concat(pack(t, Gzip, nil), pack(t, Gzip, hello), pack(t, Gzip, nil), pack(t, Gzip, hello), named(nil)), hellos,
		},
		{"zlib", Deflate, pack(t, Deflate, hello), hello},
		{"zlib of much", Deflate, pack(t, Deflate, long), long},
		{"zlib of nothing", Deflate, pack(t, Deflate, nil), nil},
		{"zlib, stored", Deflate, stored, hello},
		{"raw deflate", Deflate, packRaw(t, hello), hello},
		{"raw deflate of much", Deflate, packRaw(t, long), long},
		{"raw deflate of nothing", Deflate, packRaw(t, nil), nil},
		{"raw deflate, the shortest", Deflate, []byte{0x03, 0x00}, nil},
		{"zstd", Zstd, pack(t, Zstd, hello), hello},
		{"zstd of much", Zstd, pack(t, Zstd, long), long},
		{"zstd of nothing", Zstd, frame(window1M, block(true, rawBlock, 0)), nil},
		{"zstd with a size", Zstd, single(hello), hello},
		{"zstd of much with a size", Zstd, single(long), long},
		{"zstd without a checksum", Zstd, packZstd(t, long, zstd.WithEncoderCRC(false)), long},
		{"zstd of two frames", Zstd, slices.Concat(pack(t, Zstd, hello), single(hello)), hellos},
		{"zstd with skippable frames", Zstd, slices.Concat(skippable(), single(hello), skippable(1, 2, 3), single(hello), skippable(4)), hellos},
		{"zstd of skippable frames only", Zstd, slices.Concat(skippable(1), skippable()), nil},
		{"zstd with the largest window", Zstd, frame(window8M, block(true, rawBlock, 12, hello...)), hello},
		{"zstd, one byte repeated", Zstd, frame(window1M, block(false, rleBlock, 5, 'a'), block(true, rleBlock, 2, 'b')), []byte("aaaaabb")},
		{"nothing, identity", Identity, nil, nil},
		{"nothing, gzip", Gzip, nil, nil},
		{"nothing, deflate", Deflate, []byte{}, nil},
		{"nothing, zstd", Zstd, nil, nil},
		{"identity", Identity, hello, hello},
	} {
		t.Run(c.name, func(t *testing.T) {
			wire := bytes.Clone(c.wire)
			got, err := decompress(c.coding, wire, noLimit)
			require.NoError(t, err)
			require.Equal(t, string(c.want), string(got))
			require.Equal(t, c.wire, wire, "the wire was changed")
			require.LessOrEqual(t, cap(got), 2*len(got)+8, "8 is the least that is allocated")
		})
	}
}

func TestDecompressRefuses(t *testing.T) {
	hello := []byte("hello, world")
	gz, zl, zs := pack(t, Gzip, hello), pack(t, Deflate, hello), pack(t, Zstd, hello)
	dictionary := written(t, hello, func(w io.Writer) io.WriteCloser {
		zw, err := zlib.NewWriterLevelDict(w, zlib.BestCompression, []byte("hello"))
		require.NoError(t, err)
		return zw
	})
	with := func(wire []byte, i int, b byte) []byte {
		wire = bytes.Clone(wire)
		wire[(len(wire)+i)%len(wire)] ^= b
		return wire
	}
	nameless := []byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 255, 'n'} // breaks off in the name of the file
	comment := slices.Clone(nameless)
	comment[3] = 16
	extra := slices.Clone(nameless)
	extra[3] = 4

	for _, c := range []struct {
		name   string
		coding Coding
		wire   []byte
		want   error
	}{
		{"no gzip at all", Gzip, hello, ErrCorrupt},
		{"one byte", Gzip, []byte{0x1f}, ErrCorrupt},
		{"wrong checksum of gzip", Gzip, with(gz, -8, 1), ErrCorrupt},
		{"wrong length of gzip", Gzip, with(gz, -1, 1), ErrCorrupt},
		{"a byte after gzip", Gzip, append(bytes.Clone(gz), 'x'), ErrCorrupt},
		{"a zero after gzip", Gzip, append(bytes.Clone(gz), 0), ErrCorrupt},
		{"words after gzip", Gzip, slices.Concat(gz, hello), ErrCorrupt},
		{"a second member that breaks off in its name", Gzip, slices.Concat(gz, nameless), ErrCorrupt},
		{"a second member that breaks off in its comment", Gzip, slices.Concat(gz, comment), ErrCorrupt},
		{"a second member that breaks off in its extra field", Gzip, slices.Concat(gz, extra), ErrCorrupt},
		{"a damaged second member", Gzip, slices.Concat(gz, with(gz, -8, 1)), ErrCorrupt},
		{"a flag that gzip does not know yet", Gzip, with(gz, 3, 0x20), ErrCorrupt},
		{"zlib as gzip", Gzip, zl, ErrCorrupt},

		{"no deflate at all", Deflate, []byte("\xff\xff\xff"), ErrCorrupt},
		{"one byte of zlib", Deflate, []byte{0x78}, ErrCorrupt},
		{"a header of zlib only", Deflate, []byte{0x78, 0x9c}, ErrCorrupt},
		{"wrong checksum of zlib", Deflate, with(zl, -1, 1), ErrCorrupt},
		{"a byte after zlib", Deflate, append(bytes.Clone(zl), 'x'), ErrCorrupt},
		{"zlib twice", Deflate, slices.Concat(zl, zl), ErrCorrupt},
		{"zlib with a dictionary", Deflate, dictionary, ErrUnsupported},
		{"a byte after raw deflate", Deflate, append(packRaw(t, hello), 'x'), ErrCorrupt},
		{"raw deflate twice", Deflate, slices.Concat(packRaw(t, hello), packRaw(t, hello)), ErrCorrupt},
		{"gzip as deflate", Deflate, gz, ErrCorrupt},

		{"no zstd at all", Zstd, hello, ErrCorrupt},
		{"wrong checksum of zstd", Zstd, with(zs, -1, 1), ErrCorrupt},
		{"a byte after zstd", Zstd, append(bytes.Clone(zs), 'x'), ErrCorrupt},
		{"words after zstd", Zstd, slices.Concat(zs, hello), ErrCorrupt},
		{"a skippable frame that breaks off", Zstd, slices.Concat(zs, skippable(1, 2, 3)[:10]), ErrCorrupt},
		{"a block of no type", Zstd, frame(window1M, block(true, 3, 0)), ErrCorrupt},
		{"no last block", Zstd, frame(window1M, block(false, rawBlock, 1, 'a')), ErrCorrupt},
		{"a window beyond 8 MiB", Zstd, frame(window8M+1, block(true, rawBlock, 1, 'a')), ErrUnsupported},
		{"a window of terabytes", Zstd, frame(0xff, block(true, rawBlock, 1, 'a')), ErrUnsupported},
		{"a size beyond 8 MiB as the window", Zstd, append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 1, 0, 0x80, 0}, block(true, rawBlock, 1, 'a')...), ErrUnsupported},
		{"a dictionary", Zstd, append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x01, window1M, 7}, block(true, rawBlock, 1, 'a')...), ErrUnsupported},
		{"a smaller size in the header", Zstd, append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 2}, block(true, rawBlock, 3, 1, 2, 3)...), ErrCorrupt},
		{"a larger size in the header", Zstd, append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 4}, block(true, rawBlock, 3, 1, 2, 3)...), ErrCorrupt},

		{"no such coding", Zstd + 1, hello, ErrUnsupported},
		{"nor this", -1, nil, ErrUnsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := decompress(c.coding, c.wire, noLimit)
			require.ErrorIs(t, err, c.want)
			require.Nil(t, got)
			require.NotContains(t, err.Error(), "hello")
			for _, inner := range []error{gzip.ErrHeader, gzip.ErrChecksum, zlib.ErrHeader, io.ErrUnexpectedEOF, zstd.ErrMagicMismatch} {
				require.NotErrorIs(t, err, inner, "the decoders' errors stay inside")
			}
		})
	}
}

// No truncated body is accepted.
func TestEveryTruncation(t *testing.T) {
	plain := []byte(strings.Repeat("to be, or not to be, ", 10))
	empty := frame(window1M, block(true, rawBlock, 0))
	for name, c := range map[string]struct {
		coding Coding
		wire   []byte
		whole  []int // lengths at which it is a whole body
	}{
		"gzip":         {Gzip, pack(t, Gzip, plain), nil},
		"two members":  {Gzip, slices.Concat(pack(t, Gzip, plain), pack(t, Gzip, plain)), []int{len(pack(t, Gzip, plain))}},
		"zlib":         {Deflate, pack(t, Deflate, plain), nil},
		"raw deflate":  {Deflate, packRaw(t, plain), nil},
		"zstd":         {Zstd, pack(t, Zstd, plain), nil},
		"zstd, larger": {Zstd, pack(t, Zstd, rxtxBatch(20)), nil},
		"two frames":   {Zstd, slices.Concat(empty, skippable(1, 2), empty), []int{len(empty), len(empty) + 10}},
	} {
		t.Run(name, func(t *testing.T) {
			for n := 1; n < len(c.wire); n++ {
				_, err := decompress(c.coding, c.wire[:n], noLimit)
				if slices.Contains(c.whole, n) {
					require.NoError(t, err, "%d bytes", n)
				} else {
					require.ErrorIs(t, err, ErrCorrupt, "%d bytes", n)
				}
			}
			_, err := decompress(c.coding, c.wire, noLimit)
			require.NoError(t, err)
		})
	}
}

// Every changed bit is found by a checksum, or changes no byte of the output.
func TestEveryFlippedBit(t *testing.T) {
	plain := rxtxBatch(2)
	for _, coding := range realCodings {
		t.Run(coding.String(), func(t *testing.T) {
			d := New(1)
			wire := pack(t, coding, plain)
			for i := range 8 * len(wire) {
				wire[i/8] ^= 1 << (i % 8)
				got, err := d.Decompress(t.Context(), coding, wire, noLimit, free)
				if err == nil {
					require.Equal(t, string(plain), string(got), "bit %d", i)
				} else {
					require.True(t, errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnsupported), "bit %d: %v", i, err)
				}
				wire[i/8] ^= 1 << (i % 8)
			}
			got, err := d.Decompress(t.Context(), coding, wire, noLimit, free)
			require.NoError(t, err)
			require.Equal(t, string(plain), string(got))
		})
	}
}

func TestIdentityCopiesNothing(t *testing.T) {
	wire := []byte("hello")
	got, err := New(1).Decompress(t.Context(), Identity, wire, 5, func(int64) error { return errors.New("no") })
	require.NoError(t, err)
	require.Same(t, &wire[0], &got[0])

	_, err = decompress(Identity, wire, 4)
	require.ErrorIs(t, err, ErrTooLarge)
}

// Two bytes tell the forms of deflate apart, for the output of every compressor.
func TestDeflateIsToldApart(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 5, 8, 30, 100, 350} {
		plain := rxtxBatch(1)[:n]
		for level := -2; level <= 9; level++ {
			raw := written(t, plain, func(w io.Writer) io.WriteCloser { return newFlate(t, w, level) })
			require.False(t, zlibHeader(raw))
			if level >= -1 {
				wrapped := written(t, plain, func(w io.Writer) io.WriteCloser {
					zw, err := zlib.NewWriterLevel(w, level)
					require.NoError(t, err)
					return zw
				})
				require.True(t, zlibHeader(wrapped))
			}
		}
	}
	require.True(t, zlibHeader([]byte{0x08, 0x1d}), "the smallest window")
	require.False(t, zlibHeader([]byte{0x88, 0x1c}), "a window beyond 32 KiB")
	require.False(t, zlibHeader([]byte{0x78, 0x9d}), "a wrong check")
	require.False(t, zlibHeader([]byte{0x79, 0x02}), "another method")
	require.False(t, zlibHeader([]byte{0x78}))
}
