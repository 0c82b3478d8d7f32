package effective

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/elastic/go-ucfg/parse"
)

type parseConfig = parse.Config

var noParsing = parse.NoopConfig

// maxListed is how many entries of a list are shown.
const maxListed = 12

// form makes the text of a value that may be shown; of any other value it makes none.
type form func(value any) (text string, shown bool)

func boolean(value any) (string, bool) {
	v, ok := value.(bool)
	return fmt.Sprint(v), ok
}

func number(value any) (string, bool) {
	switch v := value.(type) {
	case int64, uint64, int:
		return fmt.Sprint(v), true
	default:
		return "", false
	}
}

// duration takes a number, of seconds, and a text such as 30s.
func duration(value any) (string, bool) {
	if text, ok := number(value); ok {
		return text + "s", true
	}
	text, _ := value.(string)
	d, err := time.ParseDuration(text)
	return d.String(), err == nil
}

var sizePattern = regexp.MustCompile(`^\d{1,15}(\.\d{1,3})? ?([kKMGT]i?)?[bB]?$`)

// size takes a number, of bytes, and a text such as 10GB.
func size(value any) (string, bool) {
	if text, ok := number(value); ok {
		return text + "B", true
	}
	text, _ := value.(string)
	return text, sizePattern.MatchString(text)
}

// oneOf takes the words of a fixed list.
func oneOf(words ...string) form {
	return func(value any) (string, bool) {
		text, _ := value.(string)
		return text, slices.Contains(words, strings.ToLower(text))
	}
}

// present tells only whether there is a value.
func present(value any) (string, bool) {
	if list, ok := value.([]any); ok {
		return entries(len(list)), true
	}
	if value == nil || value == "" {
		return notSet, true
	}
	return set, true
}

func entries(n int) string {
	if n == 0 {
		return notSet
	}
	return fmt.Sprintf("%s (%d)", set, n)
}

// hosts takes names and addresses, with ports and schemes, in a list or alone.
func hosts(value any) (string, bool) { return each(value, host) }

// networks takes addresses, networks, and the word unix.
func networks(value any) (string, bool) {
	return each(value, func(text string) (string, bool) {
		_, errAddr := netip.ParseAddr(text)
		_, errPrefix := netip.ParsePrefix(text)
		return text, errAddr == nil || errPrefix == nil || text == "unix"
	})
}

var (
	hostPattern    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})(:\d{1,5})?$`)
	literalPattern = regexp.MustCompile(`^\[?[0-9a-fA-F:.]{2,45}\]?(:\d{1,5})?$`)
)

// host takes a name or an address. Of a URL it shows scheme, host and port, and nothing of one with a user.
func host(text string) (string, bool) {
	if hostPattern.MatchString(text) || literalPattern.MatchString(text) {
		return text, true
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || strings.Contains(text, "@") || !slices.Contains([]string{"http", "https", "tcp", "redis", "rediss"}, u.Scheme) {
		return "", false
	}
	if !hostPattern.MatchString(u.Host) && !literalPattern.MatchString(u.Host) {
		return "", false
	}
	return u.Scheme + "://" + u.Host, true
}

// each applies a form to a text, or to the texts of a list, of which one that may not be shown hides itself alone.
func each(value any, one func(string) (string, bool)) (string, bool) {
	list, isList := value.([]any)
	if !isList {
		text, isText := value.(string)
		if !isText {
			return "", false
		}
		return one(text)
	}
	if len(list) == 0 {
		return notSet, true
	}
	var shown []string
	for _, entry := range list[:min(len(list), maxListed)] {
		text, _ := entry.(string)
		if text, ok := one(text); ok {
			shown = append(shown, text)
		} else {
			shown = append(shown, "("+withheld+")")
		}
	}
	if more := len(list) - maxListed; more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", "), true
}
