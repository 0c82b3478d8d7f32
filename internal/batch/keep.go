package batch

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"slices"
)

// begun is where a message begins, and the state before it.
type begun struct {
	at int64
	mark
}

// canKeep returns the error of a message that is kept, instead of the refusal of the body.
func (d *decoder) canKeep(err error) (failure *Error, ok bool) {
	failure, ok = errors.AsType[*Error](err)
	return failure, ok && d.keepInvalid && failure.Reason != TooManyMessages
}

// keepElement keeps the element of an array that the last call of message has refused with an error, if its end can be told.
func (d *decoder) keepElement(list []Message, err error) ([]Message, error) {
	failure, ok := d.canKeep(err)
	if !ok || d.index < 0 { // no value begins
		return nil, err
	}
	d.rewind(d.begun.mark)
	at := d.begun.at
	end, isTold, err := d.endOfValue(at)
	switch {
	case err != nil:
		return nil, err
	case !isTold:
		return nil, failure
	}
	d.seek(end)
	return d.keep(list, at, end, failure)
}

// endOfValue returns where a value that is not valid ends, if that can be told. seek must follow.
func (d *decoder) endOfValue(at int64) (end int64, isTold bool, err error) {
	if err := d.seekLegible(at, d.end); err != nil {
		return 0, false, err
	}
	err = d.skip()
	if _, isBroken := errors.AsType[*Error](err); isBroken {
		return 0, false, nil
	}
	return d.read(), err == nil, err
}

// keepLine keeps a value outside of arrays that begins at an offset and was refused with an error, and all bytes up to the line end.
// Of more bytes than an event keeps, it leaves those behind the value, if its end can be told: they may be valid messages.
func (d *decoder) keepLine(list []Message, at int64, before mark, err error) ([]Message, error) {
	failure, ok := d.canKeep(err)
	if !ok || d.body[at] == '[' && !d.lines { // the messages of an array may go on in the next line
		return nil, err
	}
	d.rewind(before)
	end := d.end
	if n := bytes.IndexByte(d.body[failure.Offset:end], '\n'); n >= 0 {
		end = failure.Offset + int64(n)
	}
	if end-at > MaxOriginal {
		valueEnd, isTold, err := d.endOfValue(at)
		switch {
		case err != nil:
			return nil, err
		case isTold:
			end = min(end, valueEnd)
		case bytes.IndexByte(d.body[at+MaxOriginal:end], '{') >= 0: // its event would lose what may be messages
			return nil, failure
		}
	}
	if d.body[at] == '{' && !d.lines {
		kind, err := d.look(at, end)
		switch {
		case err != nil:
			return nil, err
		case kind == aBatch:
			return nil, d.fail(WrongShape, at, msgAmong)
		}
	}
	d.seek(end)
	return d.keep(list, at, end, failure)
}

// keep appends the message between two offsets, which is not valid.
func (d *decoder) keep(list []Message, at, end int64, failure *Error) ([]Message, error) {
	failure.Index = len(list)
	if d.isFull(len(list)) {
		d.index = len(list)
		return nil, d.tooMany(at)
	}
	raw := bytes.TrimRight(d.body[at:end], whitespace)
	d.openValues += invalidBytes
	return append(list, Message{
		Fields: map[string]any{}, Failure: failure, Raw: slices.Clip(raw), Weight: d.finish(len(raw), invalidBytes),
	}), d.settle(end)
}

// identifyInvalid makes the keys of messages that are not valid. Such a message has no id of its own: it is known by the id of the
// request, by its content, or by the nearest message with an id and all bytes from there. A retry has both. In a body without an
// id it has no key: equal messages may all be meant.
func (d *decoder) identifyInvalid(list []Message) error {
	isInvalid := func(m Message) bool { return m.Failure != nil }
	hasKey := func(m Message) bool { return m.Key != Key{} }
	if !d.keepInvalid || d.keys.Off || !slices.ContainsFunc(list, isInvalid) {
		return nil
	}
	nearest := slices.IndexFunc(list, hasKey) // the first, for the messages before it
	sum := d.keys.beginHash(beforeKey, list, nearest)
	hashed := 0
	for i := range list {
		m := &list[i]
		switch {
		case d.keys.Given != "" && isInvalid(*m):
			d.keys.identifyGiven(m, i)
		case d.keys.Given != "" || nearest < 0 && !d.keys.Content:
		case d.keys.Content && isInvalid(*m):
			d.keys.begin(contentKey)
			m.Key = d.keys.sum(m.Raw)
		case hasKey(*m):
			sum = d.keys.beginHash(behindKey, list, i)
		default:
			_, _ = sum.Write(binary.AppendUvarint(nil, uint64(len(m.Raw)))) // never fails
			_, _ = sum.Write(m.Raw)
			if isInvalid(*m) {
				copy(m.Key[:], sum.Sum(nil))
			}
		}
		if hashed += len(m.Raw); hashed >= yieldEvery {
			hashed = 0
			if err := d.step(); err != nil {
				return err
			}
		}
	}
	return nil
}

// beginHash begins the hash of the messages before message i, or behind it. Message i has a key; -1 is none.
func (k *keyMaker) beginHash(kind byte, list []Message, i int) hash.Hash {
	if k.hash == nil {
		k.hash = sha256.New()
	}
	k.hash.Reset()
	if i >= 0 {
		k.begin(kind)
		_, _ = k.hash.Write(append(k.before, list[i].Key[:]...)) // never fails
	}
	return k.hash
}
