package clientip

import (
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// checkOf asserts the rules for any two fields of the header name. appendix is the address 198.51.100.7 in the form of that
// header.
func checkOf(t *testing.T, name, appendix, first, second string) {
	t.Helper()
	trusted, err := ParseTrusted([]string{"10.0.0.0/8", "2001:db8::/32", "unix"})
	if err != nil {
		t.Fatal(err)
	}
	fields := []string{first, second}
	of := func(fields ...string) string { return trusted.Of(proxy, false, http.Header{name: fields}) }
	got := of(fields...)
	unix := trusted.Of("@", true, http.Header{name: fields})

	for _, s := range []string{got, unix} {
		if addr, err := netip.ParseAddr(s); s != "" && (err != nil || addr.String() != s || addr.Zone() != "" || addr.Is4In6()) {
			t.Fatalf("%q is no address in its canonical form", s)
		}
	}
	if got == "" || (unix != got && (unix != "" || got != "10.0.0.1")) {
		t.Fatalf("%q, and %q behind a unix socket", got, unix)
	}
	if joined := of(first + "," + second); joined != got && strings.Count(first+second, `"`)+strings.Count(first+second, `\`) == 0 {
		t.Fatalf("%q in two fields, %q in one", got, joined)
	}

	const client = "198.51.100.7"
	for _, appended := range [][]string{{first, second + ", " + appendix}, {first, second, appendix}, {first + "," + appendix}} {
		if got := of(appended...); got != client {
			t.Fatalf("%q instead of the client behind %q", got, appended)
		}
	}
	if got := trusted.Of(client+":80", false, http.Header{name: fields}); got != client {
		t.Fatalf("an untrusted peer became %q", got)
	}
	if got := (Trusted{}).Of(proxy, false, http.Header{name: fields}); got != "10.0.0.1" {
		t.Fatalf("an untrusted peer became %q", got)
	}

	// The header that the proxy did not write can hide the client, but not replace it.
	for other, value := range map[string]string{"X-Forwarded-For": client, "Forwarded": "for=" + client} {
		if other == name {
			continue
		}
		if got := trusted.Of(proxy, false, http.Header{name: fields, other: {value}}); got != client && got != "10.0.0.1" {
			t.Fatalf("the forged header made it %q", got)
		}
	}
}

func FuzzForwardedFor(f *testing.F) {
	for _, field := range []string{
		"192.0.2.1", "1.2.3.4, 10.0.0.2", "[2001:db8::1]:443, ::ffff:10.0.0.9", "unknown", "192.0.2.1:80,,", "fe80::1%eth0", `",`,
	} {
		f.Add(field, "10.0.0.3")
		f.Add("192.0.2.9", field)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		checkOf(t, "X-Forwarded-For", "198.51.100.7", first, second)
	})
}

// wellFormed is a Forwarded field as RFC 7239, section 4, has it, with white space around semicolons.
var wellFormed = func() *regexp.Regexp {
	const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	const quoted = `"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*"`
	const pair = `(?:` + token + `=(?:` + token + `|` + quoted + `))?`
	const element = `[ \t]*` + pair + `(?:[ \t]*;[ \t]*` + pair + `)*[ \t]*`
	return regexp.MustCompile(`^` + element + `(?:,` + element + `)*$`)
}()

func FuzzForwarded(f *testing.F) {
	for _, field := range []string{
		"for=192.0.2.1", `for="[2001:db8:cafe::17]:4711";proto=http`, `for=1.2.3.4;by="a\", \\", for=10.0.0.2`, "for=unknown, for=_x",
		`for="192.0.2.1:_p"`, `host="a,b;for=1.2.3.4";for=192.0.2.1`, `for="`, `\",`, `for=10.0.0.2;by="a, \"b"`, "for=10.0.0.5;for=10.0.0.5", " ; , for=192.0.2.1 ;",
	} {
		f.Add(field, "for=10.0.0.3")
		f.Add("for=192.0.2.9", field)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		checkOf(t, "Forwarded", `for="198.51.100.7:80";proto=http`, first, second)
		checkOf(t, "Forwarded", "for=198.51.100.7", first, second)

		// From the right, a field is cut into the same elements as from the left.
		backward, rest, more := []string(nil), first, true
		for more {
			var element string
			rest, element, more = lastElement(rest)
			backward = append(backward, element)
		}
		slices.Reverse(backward)
		if strings.Join(backward, ",") != first {
			t.Fatalf("cut into %q", backward)
		}
		if !wellFormed.MatchString(first) {
			return
		}
		if forward := cutForwards(first); !slices.Equal(forward, backward) {
			t.Fatalf("%q forwards, %q backwards", forward, backward)
		}
		for _, element := range backward {
			if name, _, rest, ok := pair(element); !ok || (name == "" && strings.Contains(element, "=") && rest == "") {
				t.Fatalf("%q is refused", element)
			}
		}
	})
}

// cutForwards cuts a field at its commas outside of quoted strings, from the left.
func cutForwards(field string) []string {
	var elements []string
	start, quoted := 0, false
	for i := 0; i < len(field); i++ {
		switch {
		case quoted && field[i] == '\\':
			i++
		case field[i] == '"':
			quoted = !quoted
		case field[i] == ',' && !quoted:
			elements = append(elements, field[start:i])
			start = i + 1
		}
	}
	return append(elements, field[start:])
}

func BenchmarkOf(b *testing.B) {
	trusted, err := ParseTrusted([]string{"10.0.0.0/8", "192.168.0.0/16", "2001:db8::/32"})
	if err != nil {
		b.Fatal(err)
	}
	for name, header := range map[string]http.Header{
		"no header":       {},
		"X-Forwarded-For": forwardedFor("1.2.3.4, 192.0.2.1, 10.0.0.2"),
		"Forwarded":       forwarded(`for=1.2.3.4, for="192.0.2.1:80";proto=https;host="example.com", for=10.0.0.2`),
		"a MiB of quotes": forwarded(strings.Repeat(`"`, 1<<20)),
		"a MiB of commas": forwardedFor(strings.Repeat(",", 1<<20)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				trusted.Of(proxy, false, header)
			}
		})
	}
}
