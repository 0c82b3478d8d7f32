package clientip

import (
	"net/netip"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// lastElement cuts off the last element of a Forwarded field: the text after the last comma outside of quoted strings. It
// reads backwards. A quote begins or ends a string, unless an odd number of backslashes is before it. In a well-formed field
// it finds the same strings as a parser that reads forwards. In a malformed field it finds the strings at the right, which the
// proxies wrote.
func lastElement(field string) (before, element string, more bool) {
	quoted := false
	for i := len(field) - 1; i >= 0; i-- {
		switch {
		case field[i] == '"':
			backslashes := 0
			for i > 0 && field[i-1] == '\\' {
				backslashes++
				i--
			}
			if backslashes%2 == 0 {
				quoted = !quoted
			}
		case field[i] == ',' && !quoted:
			return field[:i], field[i+1:], true
		}
	}
	return "", field, false
}

// forwardedAddr returns the address in the parameter "for" of an element (RFC 7239, section 4). It is the zero Addr if there is no
// address, or if the element is malformed anywhere. White space around semicolons is allowed: the RFC has
// none, but proxies write it.
func forwardedAddr(element string) netip.Addr {
	var addr netip.Addr
	found := false
	for rest, more := element, true; more; {
		name, value, after, ok := pair(rest)
		if !ok {
			return netip.Addr{}
		}
		if strings.EqualFold(name, "for") { // no letter beyond ASCII folds to these, and a name is ASCII
			if found { // each parameter once at most
				return netip.Addr{}
			}
			found = true
			addr = node(value, true)
		}
		rest, more = after, after != ""
	}
	return addr
}

// pair cuts off the first parameter and the semicolon behind it. A pair may be missing: its name is then empty.
func pair(s string) (name, value, rest string, ok bool) {
	name, s = token(strings.TrimLeft(s, ows))
	if name != "" {
		if s, ok = strings.CutPrefix(s, "="); ok {
			value, s, ok = parameter(s)
		}
		if !ok {
			return "", "", "", false
		}
	}
	s = strings.TrimLeft(s, ows)
	if s == "" {
		return name, value, "", true
	}
	rest, ok = strings.CutPrefix(s, ";")
	return name, value, rest, ok
}

// parameter cuts off a value, a token or a quoted string.
func parameter(s string) (value, rest string, ok bool) {
	if strings.HasPrefix(s, `"`) {
		return quotedString(s)
	}
	value, rest = token(s)
	return value, rest, value != ""
}

// token cuts off a token of RFC 9110, section 5.6.2. It is empty if there is none.
func token(s string) (tok, rest string) {
	rest = strings.TrimLeftFunc(s, httpguts.IsTokenRune)
	return s[:len(s)-len(rest)], rest
}

// quotedString cuts off the quoted string (RFC 9110, section 5.6.4) that begins at s[0], and returns its text.
func quotedString(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s) && isText(s[i+1]):
			i++
			b.WriteByte(s[i])
		case c == '\\' || !isText(c):
			return "", "", false
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// isText tells whether a quoted string may have the byte: white space, visible characters, and bytes beyond ASCII.
func isText(c byte) bool { return c == '\t' || (c >= ' ' && c != 0x7f) }
