package lumbersink

import (
	"bytes"
	"fmt"
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

// CheckJSON says why Logstash's JSON parser could not read an event, without quoting it; nil means that it could. data must
// be well-formed JSON. It makes one pass and allocates nothing but the error.
func CheckJSON(data []byte) error { return logstash.check(data) }

func (l *jsonLimits) check(data []byte) error {
	if len(data) <= min(l.keyBytes, l.stringChars, l.digits, l.levels) {
		return nil // nothing in it can be longer
	}
	level := 0
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			end := closingQuote(data, i+1)
			if err := l.checkString(data, i, end); err != nil {
				return err
			}
			i = end
		case c == '{' || c == '[':
			level++
			if level > l.levels {
				return unreadable(data, i, fmt.Sprintf("more than %d levels", l.levels))
			}
		case c == '}' || c == ']':
			level--
		case '0' <= c && c <= '9':
			end, digits := numberEnd(data, i)
			if digits > l.digits {
				return unreadable(data, i, fmt.Sprintf("a number of more than %d digits", l.digits))
			}
			i = end - 1
		}
	}
	return nil
}

// checkString looks at the string between the quotes at open and end. A long one only has to be counted.
func (l *jsonLimits) checkString(data []byte, open, end int) error {
	text := data[open+1 : end]
	if len(text) <= min(l.keyBytes, l.stringChars) {
		return nil
	}
	size, chars := unescapedLength(text)
	rest := bytes.TrimLeft(data[end+1:], " \t\r\n")
	switch isKey := len(rest) > 0 && rest[0] == ':'; {
	case isKey && size > l.keyBytes:
		return unreadable(data, open, fmt.Sprintf("a key of more than %d bytes", l.keyBytes))
	case !isKey && chars > l.stringChars:
		return unreadable(data, open, fmt.Sprintf("a string of more than %d characters", l.stringChars))
	}
	return nil
}

func unreadable(data []byte, offset int, what string) error {
	return fmt.Errorf("event of %d bytes cannot be read by Logstash: %s at offset %d", len(data), what, offset)
}

// closingQuote returns where the string ends that begins at from.
func closingQuote(data []byte, from int) int {
	for i := from; ; i++ {
		i += bytes.IndexByte(data[i:], '"')
		backslashes := 0
		for i-backslashes > from && data[i-backslashes-1] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i
		}
	}
}

// numberEnd returns where the number ends that has its first digit at i, and how many digits it has.
func numberEnd(data []byte, i int) (end, digits int) {
	for ; i < len(data); i++ {
		switch c := data[i]; {
		case '0' <= c && c <= '9':
			digits++
		case c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-':
		default:
			return i, digits
		}
	}
	return i, digits
}

// unescapedLength returns how long a string is without its escapes, in bytes of UTF-8 and characters of UTF-16. Half of a
// surrogate pair that is escaped counts three bytes, as Jackson has it.
func unescapedLength(text []byte) (size, chars int) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && text[i+1] == 'u':
			digits := text[i+2 : i+6]
			switch {
			case digits[0] != '0' || digits[1] > '7':
				size += 3
			case digits[1] != '0' || digits[2] > '7':
				size += 2
			default:
				size++
			}
			chars++
			i += 5
		case c == '\\':
			size, chars = size+1, chars+1
			i++
		case c < 0x80 || 0xc0 <= c && c < 0xf0: // the first byte of a character
			size, chars = size+1, chars+1
		case c >= 0xf0: // the first byte of a surrogate pair
			size, chars = size+1, chars+2
		default:
			size++
		}
	}
	return size, chars
}
