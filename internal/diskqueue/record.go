package diskqueue

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// Record is a stored batch: its body, and the data of its events that is not in the body.
type Record struct {
	Header
	Body []byte // decompressed
}

// Header is stored beside the body. It is written as JSON: its names must not change.
type Header struct {
	Origin inflight.Origin
	Lines  bool `json:",omitempty"` // the body is NDJSON
	// KeepInvalid is how the intake accepted messages that are not valid. What is valid depends on its limits.
	KeepInvalid *Limits `json:",omitempty"`
	// Identity makes the keys of the messages. Earlier versions stored none: a string uuid was the only identity.
	Identity *batch.Identity `json:",omitempty"`
	Messages int             // in the body
	Weight   int64           // of the messages, in bytes (batch.Message.Weight)
	// Skip are the indexes, in order, of messages that are not to be published: another stored batch has them, or they were
	// delivered.
	Skip []int `json:"Known,omitempty"`
}

// ToPublish yields the indexes, of n messages, that are not skipped.
func (h *Header) ToPublish(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if _, isSkipped := slices.BinarySearch(h.Skip, i); !isSkipped && !yield(i) {
				return
			}
		}
	}
}

// Limits are limits of the intake, as in batch.Options.
type Limits struct {
	MaxDepth    int
	MaxKeyBytes int
}

// SetFormat says how the intake decoded the body.
func (h *Header) SetFormat(o batch.Options) {
	h.Lines, h.Identity = o.Lines, &o.Identity
	if o.KeepInvalid {
		h.KeepInvalid = &Limits{o.MaxDepth, o.MaxKeyBytes}
	}
}

// Decode decodes the body with the highest limits. The intake checked the limits of the configuration when it stored the batch;
// they may differ now.
func (r *Record) Decode() (batch.Batch, error) {
	o := batch.Options{Lines: r.Lines, MaxDepth: batch.HighestMaxDepth, MaxKeyBytes: batch.HighestMaxKeyBytes}
	if r.KeepInvalid != nil {
		o.KeepInvalid, o.MaxDepth, o.MaxKeyBytes = true, r.KeepInvalid.MaxDepth, r.KeepInvalid.MaxKeyBytes
	}
	if r.Identity != nil {
		o.Identity = *r.Identity
		return batch.Decode(r.Body, o)
	}
	o.Identity.Fields, o.OtherKeys = []string{"uuid"}, true
	b, err := batch.Decode(r.Body, o)
	for i := range b.Messages {
		m := &b.Messages[i]
		if _, isString := m.Fields["uuid"].(string); !isString {
			m.ID, m.Key = "", batch.Key{}
		}
	}
	return b, err
}

// headerBytes is an upper bound of the bytes that are stored beside the body.
func (r *Record) headerBytes() int64 {
	const escaped = 6 // bytes of JSON, at most, for one byte of text
	o := &r.Origin
	n := fixedBytes + 512 + len(o.ClientIP) + escaped*(len(o.Source)+len(o.Sender)+len(o.Path)) + 8*len(r.Skip)
	for name, value := range o.Headers {
		n += escaped * (len(name) + len(value))
	}
	if r.Identity != nil {
		n += escaped * (len(r.Identity.Scope) + len(r.Identity.Given))
		for _, path := range r.Identity.Fields {
			n += escaped * (1 + len(path))
		}
	}
	return int64(n)
}

// A stored value is: checksum, weight, size of the header, the header itself, body. The first three have a fixed length: the first page of
// a value has the weight of the batch.
const fixedBytes = 8 + 8 + 4

var errChecksum = errors.New("the checksum is wrong")

// checksum covers the number of the batch as well: a value under a wrong number is damage.
func checksum(number uint64, value []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(number)
	_, _ = d.Write(value[8:]) // never fails
	return d.Sum64()
}

func (r *Record) encode(number uint64) ([]byte, error) {
	header, err := json.Marshal(r.Header)
	if err != nil {
		return nil, fmt.Errorf("encoding the header: %w", err)
	}
	value := make([]byte, fixedBytes, fixedBytes+len(header)+len(r.Body))
	binary.BigEndian.PutUint64(value[8:], uint64(max(r.Weight, 0)))
	binary.BigEndian.PutUint32(value[16:], uint32(len(header))) //nolint:gosec // max_header_bytes bounds it
	value = append(append(value, header...), r.Body...)
	binary.BigEndian.PutUint64(value, checksum(number, value))
	return value, nil
}

// decode checks the value, and copies the body.
func decode(number uint64, value []byte) (r Record, err error) {
	if len(value) < fixedBytes || binary.BigEndian.Uint64(value) != checksum(number, value) {
		return Record{}, errChecksum
	}
	header, body, err := decodeHeader(value)
	return Record{Header: header, Body: slices.Clone(body)}, err
}

// decodeHeader does not look at the checksum.
func decodeHeader(value []byte) (h Header, body []byte, err error) {
	end := int64(fixedBytes)
	if len(value) >= fixedBytes {
		end += int64(binary.BigEndian.Uint32(value[16:]))
	}
	if int64(len(value)) < end {
		return Header{}, nil, errors.New("a value is too short")
	}
	if err := json.Unmarshal(value[fixedBytes:end], &h); err != nil {
		return Header{}, nil, fmt.Errorf("decoding the header: %w", err)
	}
	return h, value[end:], nil
}

func refOf(s *segment, number, value []byte) (Ref, error) {
	if len(number) != 8 || len(value) < fixedBytes {
		return Ref{}, errors.New("a key is wrong")
	}
	return Ref{
		Number:  binary.BigEndian.Uint64(number),
		Weight:  int64(binary.BigEndian.Uint64(value[8:])), //nolint:gosec // encode wrote it
		bytes:   int64(len(value)),
		segment: s,
	}, nil
}

// The keys of a batch's messages are one value: checksum, the time of the commit in nanoseconds, and 16 bytes for each message.
const (
	keyBytes   = len(batch.Key{})
	keysHeader = 8 + 8
)

func encodeKeys(number uint64, at int64, keys []batch.Key) []byte {
	value := make([]byte, keysHeader, keysHeader+len(keys)*keyBytes)
	binary.BigEndian.PutUint64(value[8:], uint64(at)) //nolint:gosec // times are after 1970
	for _, key := range keys {
		value = append(value, key[:]...)
	}
	binary.BigEndian.PutUint64(value, checksum(number, value))
	return value
}

func timeOfKeys(value []byte) int64 { return int64(binary.BigEndian.Uint64(value[8:])) } //nolint:gosec // encodeKeys wrote it

func countKeys(value []byte) int { return (len(value) - keysHeader) / keyBytes }

func decodeKeys(value []byte) (keys []batch.Key) {
	for chunk := range slices.Chunk(value[keysHeader:], keyBytes) {
		keys = append(keys, batch.Key(chunk))
	}
	return keys
}
