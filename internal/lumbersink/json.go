package lumbersink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonLimits are the limits of a JSON parser.
type jsonLimits struct {
	keyBytes    int // of UTF-8, without escapes
	stringChars int // of UTF-16, without escapes
	digits      int // of a number, with its exponent
	levels      int // of objects and arrays
}

// logstash are the strictest limits that versions of Logstash set for Jackson (StreamReadConstraints). Logstash 8.9 to 8.12
// read strings of 20,000,000 characters and numbers of 1,000 digits; later versions read ten times as much. Logstash leaves
// keys at Jackson's 50,000, which counts bytes, because Logstash gives Jackson bytes to read.
var logstash = jsonLimits{keyBytes: 50_000, stringChars: 20_000_000, digits: 1000, levels: 1000}

// CheckJSON returns an error for an event that is not JSON, or that Logstash's parser refuses. The error does not quote the
// event.
func CheckJSON(data []byte) error { return logstash.check(data) }

func (l *jsonLimits) check(data []byte) error {
	if !json.Valid(data) {
		return invalidJSON(data)
	}
	if len(data) <= min(l.keyBytes, l.stringChars, l.digits, l.levels) {
		return nil // too short to exceed a limit
	}
	// Valid has checked the syntax. Jackson takes duplicate names and invalid UTF-8.
	d := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		kind := d.PeekKind()
		if kind == '"' || kind == '0' {
			value, err := d.ReadValue()
			if err != nil {
				return err
			}
			if excess := l.excess(value, isKey(d)); excess != "" {
				return fmt.Errorf("event of %d bytes cannot be read by Logstash: %s at offset %d", len(data), excess, int(d.InputOffset())-len(value))
			}
			continue
		}
		if _, err := d.ReadToken(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if d.StackDepth() > l.levels {
			return fmt.Errorf("event of %d bytes cannot be read by Logstash: more than %d levels at offset %d", len(data), l.levels, d.InputOffset()-1)
		}
	}
}

// isKey tells whether the value that was read last is the key of a member.
func isKey(d *jsontext.Decoder) bool {
	kind, read := d.StackIndex(d.StackDepth())
	return kind == '{' && read%2 == 1
}

// excess names the limit that a string or number exceeds, or is empty.
func (l *jsonLimits) excess(value jsontext.Value, isKey bool) string {
	if value.Kind() == '0' {
		digits := 0
		for _, c := range value {
			if '0' <= c && c <= '9' {
				digits++
			}
		}
		if digits > l.digits {
			return fmt.Sprintf("a number of more than %d digits", l.digits)
		}
		return ""
	}
	if len(value) <= min(l.keyBytes, l.stringChars) {
		return ""
	}
	text, _ := jsontext.AppendUnquote(nil, value) // the error is about invalid UTF-8
	switch {
	case isKey && len(text) > l.keyBytes:
		return fmt.Sprintf("a key of more than %d bytes", l.keyBytes)
	case !isKey && len(utf16.Encode([]rune(string(text)))) > l.stringChars:
		return fmt.Sprintf("a string of more than %d characters", l.stringChars)
	}
	return ""
}

// invalidJSON returns the fault of data and its offset.
func invalidJSON(data []byte) error {
	err := json.Unmarshal(data, new(json.RawMessage))
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("event of %d bytes is not JSON at offset %d: %w", len(data), syntax.Offset, err)
	}
	return fmt.Errorf("event of %d bytes is not JSON: %w", len(data), err)
}

// decoder returns the function that go-lumber calls for each event. An event becomes its exact bytes, or nil without copyBytes.
// A bad event becomes an error value, because go-lumber logs the errors of this function without their connection.
func decoder(copyBytes bool) func(data []byte, event any) error {
	return func(data []byte, event any) error {
		v, ok := event.(*any)
		if !ok {
			return fmt.Errorf("decode event into %T: want *any", event)
		}
		raw := json.RawMessage(nil)
		if copyBytes {
			raw = bytes.Clone(data) // go-lumber reads the next event into the same buffer
		}
		*v = raw
		if err := CheckJSON(data); err != nil {
			*v = err
		}
		return nil
	}
}
