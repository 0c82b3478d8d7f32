// Package contentcoding turns the body of a request, as it came over the wire, into its plain bytes.
//
// It undoes the content codings of HTTP (RFC 9110, section 8.4.1): gzip (RFC 1952), deflate (RFC 1950) and zstd (RFC 8878,
// RFC 9659). The whole compressed body is in memory before, so this package never waits for a sender.
//
// # What is bounded
//
// Output: it keeps nothing beyond the limit, and reads at most one byte more. It ignores the sizes that a header announces:
// the buffer grows with the unpacked bytes.
//
// Memory beside the output: at most 12 MiB times the number given to New. A decompression holds a buffer of 256 KiB, and a decoder
// for each coding that it has met. gzip and each form of deflate take 50 KiB. zstd takes the window that the sender chose, at most
// 8 MiB, and up to 3 MiB for one block. All are kept for the next body.
//
// Time: linear in wire and output together. It ends early with the context, even for a body of millions of parts that unpack
// to nothing.
//
// # What is refused
//
// A body that is cut off, has a wrong checksum or has bytes after its end is ErrCorrupt. A body may have several parts, the members of
// gzip or the frames of zstd. All of them are read. A part of a body is never returned, since it may be valid JSON.
package contentcoding

import (
	"errors"
	"strings"
)

// Accepted lists the codings that Parse knows, for the field Accept-Encoding of an answer that refuses another one
// (RFC 9110, section 12.5.3).
const Accepted = "gzip, deflate, zstd, identity"

// The errors of this package. Their texts are fixed except for counts, also in errors that wrap them. They hold no byte of a
// request.
var (
	// ErrUnsupported means that the body may be valid, but this package cannot unpack it: an unknown coding, several codings,
	// a zstd window beyond 8 MiB, or a dictionary.
	ErrUnsupported = errors.New("unsupported content coding")

	// ErrTooLarge means more plain bytes than the limit.
	ErrTooLarge = errors.New("the body is too large once it is decompressed")

	// ErrCorrupt means that the body is not in its coding: cut off, altered, or followed by other bytes.
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

// names has the names of the codings as HTTP registers them.
var names = [...]string{Identity: "identity", Gzip: "gzip", Deflate: "deflate", Zstd: "zstd"}

// String returns the name of the coding as HTTP registers it, "unknown" for any other value.
func (c Coding) String() string {
	if c < Identity || c > Zstd {
		return "unknown"
	}
	return names[c]
}

// Parse reads the values of all Content-Encoding fields of a request (RFC 9110, section 8.4), in any case and with
// white space around them; x-gzip is gzip. No field, an empty one and "identity" are all Identity. Parse ignores "identity"
// beside another coding.
//
// Any other coding, and two codings even if they are the same, are ErrUnsupported: each would multiply the size of the
// unpacked body, and nobody sends two.
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
	for i, known := range names {
		if equal(name, known) {
			return Coding(i), nil
		}
	}
	return Identity, ErrUnsupported
}

// equal compares ASCII in any case. EqualFold also folds longer letters beyond ASCII, which the lengths exclude.
func equal(a, b string) bool {
	return len(a) == len(b) && strings.EqualFold(a, b)
}
