package contentcoding

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// FuzzDecompress checks the rules with any body, with decoders that are used again. It compares with the standard library, except
// for zstd.
func FuzzDecompress(f *testing.F) {
	hello := []byte("to be or not to be")
	for _, coding := range realCodings {
		wire := pack(f, coding, hello)
		f.Add(byte(coding), wire, uint16(1000))
		f.Add(byte(coding), wire, uint16(len(hello)))
		f.Add(byte(coding), wire, uint16(len(hello)-1))
		f.Add(byte(coding), wire[:len(wire)-1], uint16(1000))
		f.Add(byte(coding), append(wire, '?'), uint16(1000))
		f.Add(byte(coding), slices.Concat(wire, wire), uint16(1000))
		f.Add(byte(coding), pack(f, coding, nil), uint16(0))
	}
	f.Add(byte(Identity), hello, uint16(10))
	f.Add(byte(Deflate), packRaw(f, hello), uint16(1000))
	f.Add(byte(Deflate), []byte{3, 2, 0}, uint16(1000))
	f.Add(byte(Zstd), slices.Concat(skippable(1), frame(window8M, block(false, rleBlock, 1000, 'a'), block(true, rawBlock, 0))), uint16(999))
	f.Add(byte(Zstd), packZstd(f, rxtxBatch(3), zstd.WithEncoderCRC(false)), uint16(65535))
	f.Add(byte(Zstd), pack(f, Zstd, rxtxBatch(3)), uint16(65535))
	f.Add(byte(Gzip), pack(f, Gzip, rxtxBatch(3)), uint16(65535))

	d := New(1)
	all, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<20))
	if err != nil {
		f.Fatal(err)
	}
	gzipWriter, zlibWriter := gzip.NewWriter(io.Discard), zlib.NewWriter(io.Discard)
	zstdWriter, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		all.Close()
		_ = zstdWriter.Close()
	})

	f.Fuzz(func(t *testing.T, c byte, wire []byte, limit16 uint16) {
		coding, limit := Coding(c%4), int64(limit16)
		scratch := bytes.Clone(wire)
		var sum int64
		got, err := d.Decompress(context.Background(), coding, scratch, limit, func(n int64) error { sum += n; return nil })
		if !bytes.Equal(scratch, wire) {
			t.Fatal("the wire was changed")
		}
		if coding != Identity {
			clear(scratch) // the output must not change
		}
		switch {
		case int64(len(got)) > limit || sum > limit:
			t.Fatalf("%d bytes kept, %d counted, limit %d", len(got), sum, limit)
		case err == nil && coding != Identity && int64(len(got)) != sum:
			t.Fatalf("%d bytes kept, %d counted", len(got), sum)
		case err != nil && got != nil:
			t.Fatal("bytes beside an error")
		case err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrUnsupported):
			t.Fatalf("an error of type %T", err)
		}
		if len(wire) > 0 {
			compare(t, coding, wire, limit, got, err, all)
		}

		// A whole body is unpacked after any other body.
		var packed bytes.Buffer
		var into io.WriteCloser
		switch coding {
		case Gzip:
			gzipWriter.Reset(&packed)
			into = gzipWriter
		case Deflate:
			zlibWriter.Reset(&packed)
			into = zlibWriter
		case Zstd:
			zstdWriter.Reset(&packed)
			into = zstdWriter
		default:
			return
		}
		if _, err := into.Write(wire); err != nil {
			t.Fatal(err)
		}
		if err := into.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := d.Decompress(context.Background(), coding, packed.Bytes(), int64(len(wire)), free)
		if err != nil || !bytes.Equal(wire, again) {
			t.Fatalf("%v, there and back: %v", coding, err)
		}
	})
}

// compare compares a result with the result of another decoder, which has no limit.
func compare(t *testing.T, coding Coding, wire []byte, limit int64, got []byte, err error, all *zstd.Decoder) {
	t.Helper()
	const enough = 1 << 20 // more than any limit here, by more than a buffer
	var want []byte
	var wantErr error
	source := bytes.NewReader(wire)
	switch coding {
	case Identity:
		want = wire
	case Gzip:
		want, wantErr = standardGzip(wire, enough)
	case Deflate:
		var r io.Reader
		if zlibHeader(wire) {
			r, wantErr = zlib.NewReader(source)
		} else {
			r = flate.NewReader(source)
		}
		if wantErr == nil {
			want, wantErr = io.ReadAll(io.LimitReader(r, enough))
		}
		if wantErr == nil && source.Len() > 0 && len(want) < enough {
			wantErr = errors.New("trailing data")
		}
	case Zstd:
		want, wantErr = all.DecodeAll(wire, nil)
		if errors.Is(wantErr, zstd.ErrDecoderSizeExceeded) || errors.Is(wantErr, zstd.ErrWindowSizeExceeded) {
			return
		}
		if errors.Is(err, ErrUnsupported) {
			return // DecodeAll has no window
		}
	}
	switch {
	case err == nil && wantErr != nil:
		t.Fatalf("%v accepted, not so by the other decoder: %v", coding, wantErr)
	case err == nil && !bytes.Equal(want, got):
		t.Fatalf("%v: other bytes than those of the other decoder", coding)
	case err != nil && wantErr == nil && int64(len(want)) <= limit:
		t.Fatalf("%v refused, not so by the other decoder: %v", coding, err)
	case errors.Is(err, ErrTooLarge) && wantErr == nil && int64(len(want)) <= limit:
		t.Fatalf("%v is not too large", coding)
	}
}

// standardGzip reads the members of a gzip body with the standard library. In addition it refuses undefined flags (RFC 1952, section
// 2.3.1.2).
func standardGzip(wire []byte, enough int) ([]byte, error) {
	var plain []byte
	var r gzip.Reader
	source := bytes.NewReader(wire)
	for source.Len() > 0 && len(plain) < enough {
		header := wire[len(wire)-source.Len():]
		if len(header) > 3 && header[3]&0xe0 != 0 {
			return nil, errors.New("reserved flag")
		}
		if err := r.Reset(source); err != nil {
			return nil, fmt.Errorf("header: %w", err)
		}
		r.Multistream(false)
		member, err := io.ReadAll(io.LimitReader(&r, int64(enough-len(plain))))
		if err != nil {
			return nil, err
		}
		plain = append(plain, member...)
	}
	return plain, nil
}

// FuzzParse compares Parse with another implementation.
func FuzzParse(f *testing.F) {
	for _, value := range []string{"", "gzip", "X-GZIP", " identity , deflate", "zstd,zstd", "br", "gzip;q=1", ",,", "z\u017ftd"} {
		f.Add(value, "identity")
		f.Add(value, "")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		got, err := Parse([]string{first, second})
		named := slices.DeleteFunc(strings.Split(first+","+second, ","), func(name string) bool {
			name = lower(strings.Trim(name, " \t"))
			return name == "" || name == "identity"
		})
		known := map[string]Coding{"gzip": Gzip, "x-gzip": Gzip, "deflate": Deflate, "zstd": Zstd}
		switch {
		case len(named) == 0 && (err != nil || got != Identity):
			t.Fatalf("%v, %v", got, err)
		case len(named) > 1 && !errors.Is(err, ErrUnsupported):
			t.Fatalf("%v, %v", got, err)
		case len(named) == 1:
			want, ok := known[lower(strings.Trim(named[0], " \t"))]
			if got != want || ok != (err == nil) {
				t.Fatalf("%v, %v; want %v", got, err, want)
			}
		}
		if err != nil && err.Error() != ErrUnsupported.Error() {
			t.Fatalf("the error repeats the header: %v", err)
		}
	})
}

// lower is lower case for ASCII alone.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
