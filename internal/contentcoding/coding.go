// Package contentcoding turns the body of a request, as it came over the wire, into its plain bytes.
//
// It undoes the content codings of HTTP (RFC 9110, section 8.4.1): gzip (RFC 1952), deflate (RFC 1950) and zstd
// (RFC 8878, RFC 9659). It owns what makes that dangerous when the bytes come from strangers: a body that is a
// thousand times larger when it is unpacked, decoders whose own memory is larger than the body, data that is cut off
// or altered. It knows nothing of HTTP but the value of one header field, and nothing of what the bytes mean.
//
// The body is in memory when it is unpacked, so nothing here ever waits for a sender.
//
// # What is bounded
//
// Output: nothing beyond the limit is kept, and a decoder is asked for one byte more at the most. Size fields in a
// header are promises and buy nothing: the buffer grows with what was really unpacked.
//
// Memory beside the output: a decompression holds a buffer of 256 KiB, and a decoder for each coding that it has met:
// 50 KiB for gzip, the same for each form of deflate, and for zstd what the sender chose as its window, 8 MiB at the
// most, and up to 3 MiB for one block. They are kept for the next body, and there are never more of them than the number
// given to New: however many requests there are, the whole is at most 12 MiB times that number. A process keeps as
// many as ever ran at once.
//
// Time: linear in wire and output together, and it ends early with the context, also where a body has
// millions of parts that unpack to nothing.
//
// # What is refused
//
// A body must be complete and nothing else: cut off, a wrong checksum, bytes after its end, all these are
// ErrCorrupt. Where a coding allows a body in several parts (the members of gzip, the frames of zstd), they are all
// read. Half a body is never returned, since it could well be JSON.
package contentcoding

import (
	"errors"
	"strings"
)

// Accepted lists the codings that Parse knows, for the field Accept-Encoding of an answer that refuses another one
// (RFC 9110, section 12.5.3).
const Accepted = "gzip, deflate, zstd, identity"

// The errors of this package. Their texts are fixed, and so is whatever they are wrapped in but for counts: no byte of a
// request is in them.
var (
	// ErrUnsupported means that the body may be fine, but is coded in a way that is not undone here: by an unknown
	// coding, by several in turn, with a zstd window beyond 8 MiB, or with a dictionary.
	ErrUnsupported = errors.New("unsupported content coding")

	// ErrTooLarge means that the plain bytes are more than the limit.
	ErrTooLarge = errors.New("the body is too large once it is decompressed")

	// ErrCorrupt means that the body is not what its coding says: cut off, altered, or followed by something else.
	ErrCorrupt = errors.New("the compressed body is corrupt or cut off")
)

// Coding is a content coding. The zero value is Identity.
type Coding int

// The codings.
const (
	Identity Coding = iota // the bytes as they are
	Gzip                   // RFC 1952
	Deflate                // RFC 1950; RFC 1951 without that wrapping is read as well
	Zstd                   // RFC 8878
)

// String returns the name of the coding as HTTP registers it, "unknown" for a value that is none. There are few of them,
// and none comes from a sender, so it is fit for a metric label.
func (c Coding) String() string {
	switch c {
	case Identity:
		return "identity"
	case Gzip:
		return "gzip"
	case Deflate:
		return "deflate"
	case Zstd:
		return "zstd"
	default:
		return "unknown"
	}
}

// Parse reads the values of all Content-Encoding fields of a request (RFC 9110, section 8.4), in any case and with
// white space around them; x-gzip is gzip. No field, an empty one and "identity" are all Identity. Strictly
// "identity" should not be sent at all; beside another coding it changes nothing and is passed over.
//
// Any other coding, and two in turn even if they are the same, is ErrUnsupported: each round would multiply what a
// body can grow to, and nobody sends it.
func Parse(values []string) (Coding, error) {
	coding := Identity
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			found, err := parseOne(strings.Trim(name, " \t"))
			switch {
			case err != nil:
				return Identity, err
			case found == Identity:
			case coding != Identity:
				return Identity, ErrUnsupported
			default:
				coding = found
			}
		}
	}
	return coding, nil
}

func parseOne(name string) (Coding, error) {
	if name == "" { // an empty list element, which RFC 9110, section 5.6.1.2, wants ignored
		return Identity, nil
	}
	if equal(name, "x-gzip") {
		return Gzip, nil
	}
	for _, coding := range []Coding{Identity, Gzip, Deflate, Zstd} {
		if equal(name, coding.String()) {
			return coding, nil
		}
	}
	return Identity, ErrUnsupported
}

// equal compares in any case of ASCII. EqualFold alone also knows letters beyond ASCII that fold into it, all of them longer.
func equal(a, b string) bool {
	return len(a) == len(b) && strings.EqualFold(a, b)
}
