package sender

import (
	"bufio"
	"bytes"
	"cmp"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const maxMessage = 64 << 20 // bytes

// messages returns the lines of a file, or the elements of its JSON arrays, each on a line: plain, gzip or zstd. A message is good
// until the next call. Lines are not parsed: rtbeat decides about them.
func messages(r io.Reader) (next func() ([]byte, error), err error) {
	text := bufio.NewReader(r)
	switch magic, _ := text.Peek(4); { // an error comes again
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		r, err = gzip.NewReader(text)
	case bytes.HasPrefix(magic, []byte("\x28\xb5\x2f\xfd")):
		r, err = zstd.NewReader(text, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20)) // no goroutine; the zstd command's window
	default:
		r = text
	}
	if err != nil {
		return nil, err
	}
	text = bufio.NewReader(r)
	if mark, _ := text.Peek(3); string(mark) == "\ufeff" {
		_, _ = text.Discard(len(mark)) // the buffer has them
	}
	if start, _ := text.Peek(512); bytes.HasPrefix(bytes.TrimSpace(start), []byte("[")) {
		return elements(text), nil
	}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, maxMessage)
	return func() ([]byte, error) {
		if !lines.Scan() || lines.Err() != nil { // with an error, the line is cut off
			return nil, cmp.Or(lines.Err(), io.EOF)
		}
		return lines.Bytes(), nil
	}, nil
}

func elements(text io.Reader) func() ([]byte, error) {
	limited, names, encoding := &io.LimitedReader{R: text}, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true) // rtbeat decides
	decoder := jsontext.NewDecoder(limited, names, encoding)
	return func() ([]byte, error) {
		limited.N = maxMessage
		for kind := decoder.PeekKind(); kind == ']' || kind == '[' && decoder.StackDepth() == 0; kind = decoder.PeekKind() {
			if _, err := decoder.ReadToken(); err != nil {
				return nil, err
			}
		}
		value, err := decoder.ReadValue()
		if err != nil && limited.N <= 0 {
			err = bufio.ErrTooLong
		}
		value = value.Clone() // the decoder's must not be changed
		return value, cmp.Or(err, value.Compact(names, encoding))
	}
}
