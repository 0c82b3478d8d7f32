package auth

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// template is the text that a sender signs: the parts before the body, and those after it.
type template struct{ before, after []part }

// part is a literal text, the time of signing, or the value of a header.
type part struct {
	literal string
	isTime  bool
	header  string // in canonical form
}

// placeholders have the form {name}. A brace outside of them is an error.
var placeholders = regexp.MustCompile(`\{([^{}]*)\}`)

// unseparated matches a header beside a value of any length. The time is no such value: with more digits or fewer it is stale.
var unseparated = regexp.MustCompile(`\{header:[^{}]*\}\{(header:|body\})|\{body\}\{header:`)

const headerPlaceholder = "header:"

// parseTemplate reads the setting `signed`. An error does not repeat the text.
func parseTemplate(text string) (t template, err error) {
	bodies := 0
	add := func(p part) {
		if bodies == 0 {
			t.before = append(t.before, p)
		} else {
			t.after = append(t.after, p)
		}
	}
	end := 0
	for _, at := range placeholders.FindAllStringSubmatchIndex(text, -1) {
		add(part{literal: text[end:at[0]]})
		end = at[1]
		switch name := text[at[2]:at[3]]; {
		case name == "body":
			bodies++
		case name == "timestamp":
			add(part{isTime: true})
		case strings.HasPrefix(name, headerPlaceholder):
			header := http.CanonicalHeaderKey(strings.TrimPrefix(name, headerPlaceholder))
			if !httpguts.ValidHeaderFieldName(header) || slices.Contains(taken, header) {
				return template{}, errors.New("has {header:NAME} with a header that cannot be signed; use another header, such as webhook-id")
			}
			add(part{header: header})
		default:
			return template{}, errors.New("has an unknown placeholder; use {timestamp}, {body} and {header:NAME}")
		}
	}
	add(part{literal: text[end:]})
	if strings.ContainsAny(placeholders.ReplaceAllString(text, ""), "{}") {
		return template{}, errors.New("has a brace without its other one; use {timestamp}, {body} and {header:NAME}")
	}
	if bodies != 1 {
		return template{}, errors.New("must have {body} once, so that nobody can change the body")
	}
	if unseparated.MatchString(text) {
		return template{}, errors.New("has {header:NAME} beside {body} or another header, so bytes could move between them under the same signature; put a character between them, such as a dot")
	}
	return t, nil
}

// hasTime tells whether the time of signing is a part of the signed text.
func (t *template) hasTime() bool {
	return slices.ContainsFunc(slices.Concat(t.before, t.after), func(p part) bool { return p.isTime })
}

// signs tells whether a header is a part of the signed text.
func (t *template) signs(header string) bool {
	return slices.ContainsFunc(slices.Concat(t.before, t.after), func(p part) bool { return p.header != "" && strings.EqualFold(p.header, header) })
}

// text returns the signed text before the body and after it. It fails unless each signed header has exactly one value.
func (t *template) text(timestamp string, header http.Header) (before, after string, ok bool) {
	before, ok = textOf(t.before, timestamp, header)
	if !ok {
		return "", "", false
	}
	after, ok = textOf(t.after, timestamp, header)
	return before, after, ok
}

func textOf(parts []part, timestamp string, header http.Header) (text string, ok bool) {
	for _, p := range parts {
		switch values := header[p.header]; {
		case p.isTime:
			text += timestamp
		case p.header == "":
			text += p.literal
		case len(values) != 1:
			return "", false
		default:
			text += values[0]
		}
	}
	return text, true
}
