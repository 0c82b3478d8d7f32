package batch

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
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
	d.seekLenient(at, d.end)
	if skipErr := d.skip(); skipErr != nil {
		if _, isBroken := errors.AsType[*Error](skipErr); isBroken {
			return nil, failure
		}
		return nil, skipErr
	}
	end := d.read()
	d.seek(end)
	return d.keep(list, at, end, failure)
}

// keepLine keeps a value outside of arrays that begins at an offset and was refused with an error, and all bytes up to the line end.
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

// identifyInvalid makes the keys of messages that are not valid. Such a message has no id, and equal ones may all be meant. So all
// messages before it belong to its key: a body that is sent again has the same keys, also when messages were appended.
func (d *decoder) identifyInvalid(list []Message) error {
	if !d.keepInvalid || d.keys.Off {
		return nil
	}
	last := len(list) - 1
	for last >= 0 && list[last].Failure == nil {
		last--
	}
	all := sha256.New()
	d.keys.begin(invalidKey)
	_, _ = all.Write(d.keys.before) // never fails
	hashed := 0
	for i := range list[:last+1] {
		m := &list[i]
		switch {
		case d.keys.Given != "" && m.Failure != nil:
			d.keys.identifyGiven(m, i)
		case d.keys.Given == "":
			_, _ = all.Write(binary.AppendUvarint(nil, uint64(len(m.Raw))))
			_, _ = all.Write(m.Raw)
			if m.Failure != nil {
				copy(m.Key[:], all.Sum(nil))
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
