package batch

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// lenient are the options of jsontext for a value that is not valid, and may be JSON all the same.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// objectKind is what an object of the body is by its keys.
type objectKind int

const (
	undecided objectKind = iota // it cannot be read so far
	aBatch
	aMessage
)

// longestBatchKey is the length of "messages" with quotes, every letter an escape.
const longestBatchKey = 2 + 6*len("messages")

// look looks at the keys of the object between two offsets, valid or not. The error is that of a charge or an interruption.
func (d *decoder) look(at, end int64) (objectKind, error) {
	if err := d.seekLegible(at, end); err != nil {
		return undecided, err
	}
	kind, err := d.kindOfObject()
	if _, isBroken := errors.AsType[*Error](err); isBroken {
		return undecided, nil
	}
	return kind, err
}

func (d *decoder) kindOfObject() (objectKind, error) {
	if _, err := d.text.ReadToken(); err != nil {
		return undecided, d.malformed(err)
	}
	kind := aMessage
	for d.text.PeekKind() == '"' {
		quoted, err := d.text.ReadValue()
		if err != nil {
			return undecided, d.malformed(err)
		}
		name := unquoted(quoted)
		if !isBatchKey(name) {
			return aMessage, nil
		}
		if name == "messages" {
			switch next := d.text.PeekKind(); {
			case next == '[' || next == 'n':
				kind = aBatch
			case !isNoValue(next):
				return aMessage, nil
			}
		}
		if err := d.skip(); err != nil {
			return undecided, err
		}
	}
	if _, err := d.text.ReadToken(); err != nil {
		return undecided, d.malformed(err)
	}
	return kind, nil
}

// unquoted returns a key that may be one of a batch, or "".
func unquoted(quoted jsontext.Value) string {
	if len(quoted) > longestBatchKey {
		return ""
	}
	name, _ := jsontext.AppendUnquote(nil, quoted)
	return string(name)
}

// legible has what jsontext cannot skip in a value that is not valid, and what stands for it. Both are of one length.
var legible = [...]struct{ from, to []byte }{
	{[]byte("-Infinity"), []byte("        0")},
	{[]byte("Infinity"), []byte("       0")},
	{[]byte("NaN"), []byte("  0")},
}

// seekLegible goes to a value that is not valid, to look at it: in a copy of the text from there, where control bytes are spaces and
// NaN is a number. All brackets and quotes stay. seek must follow. Without KeepInvalid it makes no copy: the body is refused anyhow.
func (d *decoder) seekLegible(at, end int64) error {
	d.seek(at)
	if !d.keepInvalid {
		d.buffer = *bytes.NewBuffer(d.body[at:end])
		d.text.Reset(&d.buffer, lenient...)
		return nil
	}
	if d.copyEnd != d.end || at < d.copyEnd-int64(len(d.copied)) { // the first object may be read twice
		d.decoderOwn += allocated(int(d.end-at)) - allocated(len(d.copied))
		if err := d.pay(); err != nil {
			return err
		}
		d.copied, d.copyEnd = bytes.Clone(d.body[at:d.end]), d.end
		for i, c := range d.copied {
			if c < ' ' {
				d.copied[i] = ' '
			}
		}
		for _, r := range legible {
			for rest := d.copied; ; {
				i := bytes.Index(rest, r.from)
				if i < 0 {
					break
				}
				rest = rest[i+copy(rest[i:], r.to):]
			}
		}
	}
	from := int64(len(d.copied)) - (d.end - at)
	d.buffer = *bytes.NewBuffer(d.copied[from : from+end-at])
	d.text.Reset(&d.buffer, lenient...)
	return nil
}

// skippedLevelBytes is the memory of the JSON decoder for each level of a value that is skipped.
const skippedLevelBytes = 64

// skip reads a value that need not be valid, after seekLegible. It goes deeper than messages may.
func (d *decoder) skip() error {
	outside := d.text.StackDepth()
	for {
		if err := d.yield(); err != nil {
			return err
		}
		if _, err := d.text.ReadToken(); err != nil {
			return d.malformed(err)
		}
		depth := d.text.StackDepth() - outside
		if depth == 0 {
			return nil
		}
		if depth > d.skipped {
			d.decoderOwn += int64(depth-d.skipped) * skippedLevelBytes
			d.skipped = depth
			if err := d.pay(); err != nil {
				return err
			}
		}
	}
}
