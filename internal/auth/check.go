package auth

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/txn2/rtbeat/internal/setting"
)

// Check applies the rules of the settings. key is the full name of the group, such as rtbeat.auth. An error names the setting, and
// never its value.
func (s *Settings) Check(key string) error {
	return cmp.Or(
		s.Bearer.Tokens.check(key+".bearer.tokens", checkToken),
		s.Basic.check(key+".basic"),
		s.checkHeader(key),
		s.HMAC.check(key+".hmac"),
		s.Certificate.check(key+".certificate.names"),
	)
}

// check counts names from 0, as everywhere in Beats.
func (c *Certificate) check(key string) error {
	for i, name := range c.Names {
		entry := fmt.Sprintf("%s.%d", key, i)
		if err := cmp.Or(setting.CheckText(entry, name), checkName(entry, name)); err != nil {
			return err
		}
	}
	return nil
}

func checkToken(key, token string) error {
	if !isToken68(token) {
		return fmt.Errorf("%s cannot be sent as a bearer token; use letters, digits and -._~+/ only, and = at the end", key)
	}
	return nil
}

func checkName(key, name string) error {
	if strings.TrimSpace(name) != name {
		return fmt.Errorf("%s has white space around it; remove it", key)
	}
	whole, _ := strings.CutPrefix(name, wildcard)
	if whole == "" || whole[0] == '.' || strings.Contains(whole, "*") {
		return fmt.Errorf("%s is no complete name; write one, or *. and one, as in *.example.com", key)
	}
	return nil
}

func (b *Basic) check(key string) error {
	username, password := key+".username", key+".password"
	switch {
	case b.Username == "" && b.Password == "":
		return nil
	case b.Username == "":
		return fmt.Errorf("%s is set without %s; give both, or leave both out", password, username)
	case b.Password == "":
		return fmt.Errorf("%s is set without %s; give both, or leave both out", username, password)
	case strings.Contains(b.Username, ":"):
		return fmt.Errorf("%s has a colon, which separates user and password in a request; choose another name", username)
	}
	return cmp.Or(setting.CheckText(username, b.Username), setting.CheckText(password, b.Password))
}

// checkHeader checks the header of tokens. It may have a name that means nothing else while there are no values.
func (s *Settings) checkHeader(key string) error {
	h, name := &s.Header, key+".header.name"
	if err := checkHeaderName(name, h.Name, "X-Api-Key"); err != nil || len(h.Values) == 0 {
		return err
	}
	switch canonical := http.CanonicalHeaderKey(h.Name); {
	case canonical != headerAuthorization && slices.Contains(taken, canonical):
		return fmt.Errorf("%s is a header with another meaning; use another header, such as X-Api-Key", name)
	case slices.Contains(recorded, canonical):
		return fmt.Errorf("%s is a header that rtbeat logs or stores, and so the tokens; use another header, such as X-Api-Key", name)
	case canonical == headerAuthorization && (len(s.Bearer.Tokens) > 0 || s.Basic.isSet()):
		return fmt.Errorf("%s is Authorization, which %s.bearer or %[2]s.basic reads; use another header, or remove these", name, key)
	case len(s.HMAC.Keys) > 0 && (strings.EqualFold(h.Name, s.HMAC.Header) || strings.EqualFold(h.Name, s.HMAC.TimestampHeader)):
		return fmt.Errorf("%s is a header of %s.hmac; use another header, such as X-Api-Key", name, key)
	}
	return h.Values.check(key+".header.values", checkHeaderValue)
}

// checkHeaderValue refuses a text that a header does not carry as it is (RFC 9110, 5.5).
func checkHeaderValue(key, value string) error {
	if strings.TrimSpace(value) != value || !isPrintable(value) {
		return fmt.Errorf("%s cannot be the value of a header; use printable ASCII, without spaces at its ends", key)
	}
	return nil
}

func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

func checkHeaderName(key, name, example string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("%s is not the name of a header; use letters, digits and hyphens, such as %s", key, example)
	}
	return nil
}

// taken are the headers that can carry neither a token, nor a signature, nor its time. Some carry other credentials; net/http uses
// the others itself, or removes them.
var taken = []string{
	headerAuthorization, "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Expect", "Host",
	"Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// recorded are the headers that rtbeat writes into its log, its answers, events or durable storage.
var recorded = []string{"Forwarded", "Idempotency-Key", "Traceparent", "X-Forwarded-For", "X-Request-Id"}
