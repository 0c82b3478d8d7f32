package contentcoding

import (
	"bytes"
	stdgzip "compress/gzip"
	"context"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// BenchmarkDecompress unpacks a batch of 500 messages, and the most expensive bodies.
func BenchmarkDecompress(b *testing.B) {
	plain := rxtxBatch(500)
	bodies := map[string]bomb{"raw deflate, batch": {Deflate, packRaw(b, plain)}}
	for _, coding := range realCodings {
		bodies[coding.String()+", batch"] = bomb{coding, pack(b, coding, plain)}
	}
	for name, c := range idle(b) {
		bodies[name+", nothing in them"] = c
	}
	for name, c := range bodies {
		b.Run(name, func(b *testing.B) {
			d := New(1)
			b.ReportAllocs()
			b.SetBytes(int64(max(len(plain), len(c.wire))))
			for b.Loop() {
				if _, err := d.Decompress(context.Background(), c.coding, c.wire, noLimit, free); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGzip compares two decoders for gzip.
func BenchmarkGzip(b *testing.B) {
	plain := rxtxBatch(500)
	wire := pack(b, Gzip, plain)
	type decoder interface {
		io.Reader
		Reset(r io.Reader) error
	}
	for name, d := range map[string]decoder{"klauspost": new(gzip.Reader), "standard": new(stdgzip.Reader)} {
		b.Run(name, func(b *testing.B) {
			into := make([]byte, len(plain))
			source := bytes.NewReader(nil)
			b.ReportAllocs()
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				source.Reset(wire)
				if err := d.Reset(source); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(d, into); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
