package clientip

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const proxy = "10.0.0.1:4711" // a peer that the tests trust

func forwardedFor(values ...string) http.Header { return http.Header{"X-Forwarded-For": values} }
func forwarded(values ...string) http.Header    { return http.Header{"Forwarded": values} }

func TestPeer(t *testing.T) {
	nobody, some := Trusted{}, trust(t, "10.0.0.0/8", "fe80::/10")
	lies := http.Header{"X-Forwarded-For": {"1.2.3.4"}, "Forwarded": {"for=1.2.3.4"}, "X-Real-Ip": {"1.2.3.4"}}
	for _, c := range []struct{ remote, want string }{
		{"192.0.2.1:1234", "192.0.2.1"},
		{"192.0.2.1", "192.0.2.1"},
		{"[2001:db8::1]:1234", "2001:db8::1"},
		{"2001:DB8:0::1", "2001:db8::1"},
		{"[::ffff:192.0.2.1]:1234", "192.0.2.1"},
		{"[fec0::1%eth0]:1234", "fec0::1"},
		{"", ""},
		{"@", ""},
		{"pipe", ""},
		{"example.com:80", ""},
		{"192.0.2.1:", ""},
		{"192.0.2.1:99999", ""},
	} {
		require.Equal(t, c.want, nobody.Of(c.remote, false, lies), c.remote)
		require.Equal(t, c.want, some.Of(c.remote, false, lies), c.remote)
		require.Equal(t, c.want, some.Of(c.remote, false, nil), c.remote)
	}
	require.Equal(t, "10.0.0.1", nobody.Of(proxy, false, lies))
	require.Equal(t, "10.0.0.1", some.Of(proxy, false, nil), "a trusted peer without a header")
	require.Equal(t, "10.0.0.1", some.Of(proxy, false, http.Header{"X-Real-Ip": {"1.2.3.4"}}), "not a list")
	require.Equal(t, "1.2.3.4", some.Of(proxy, false, lies))
	require.Equal(t, "1.2.3.4", some.Of("[::ffff:10.0.0.1]:4711", false, lies))
	require.Equal(t, "1.2.3.4", some.Of("[fe80::1%eth0]:4711", false, lies))
}

func TestUnixPeer(t *testing.T) {
	header := forwardedFor("192.0.2.1")
	require.Equal(t, "192.0.2.1", trust(t, "unix").Of("@", true, header))
	require.Equal(t, "192.0.2.1", trust(t, "unix").Of("", true, forwarded("for=192.0.2.1")))
	require.Empty(t, trust(t, "unix").Of("@", true, nil))
	require.Empty(t, trust(t, "unix").Of("@", true, forwardedFor("unknown")))
	require.Empty(t, trust(t, "unix").Of("@", true, forwardedFor("192.0.2.1, unknown")))
	require.Empty(t, trust(t, "10.0.0.0/8").Of("@", true, header), "unix is not in the list")
	require.Empty(t, trust(t, "10.0.0.0/8").Of(proxy, true, header), "an address beside a unix peer means nothing")
	require.Empty(t, trust(t, "unix").Of("@", true, http.Header{"X-Forwarded-For": {"192.0.2.1"}, "Forwarded": {"for=192.0.2.2"}}))
	require.Equal(t, "192.0.2.1", trust(t, "unix", "10.0.0.0/8").Of("", true, forwardedFor("1.2.3.4, 192.0.2.1, 10.0.0.2")))
	require.Equal(t, "192.0.2.9", trust(t, "unix").Of("192.0.2.9:1", false, header), "a peer with an address is no unix peer")
}

func TestForwardedFor(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []string
		want   string
	}{
		{"one address", []string{"192.0.2.1"}, "192.0.2.1"},
		{"an entry of the client", []string{"1.2.3.4, 192.0.2.1"}, "192.0.2.1"},
		{"written as trusted", []string{"10.0.0.9, 192.0.2.1"}, "192.0.2.1"},
		{"written as garbage", []string{"\"',;=[, 192.0.2.1"}, "192.0.2.1"},
		{"in a field of its own", []string{"1.2.3.4", "192.0.2.1"}, "192.0.2.1"},
		{"through two proxies", []string{"192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"through two proxies, in two fields", []string{"1.2.3.4, 192.0.2.1", "10.0.0.2"}, "192.0.2.1"},
		{"a proxy as IPv4 in IPv6", []string{"192.0.2.1, ::ffff:10.0.0.2"}, "192.0.2.1"},
		{"all trusted", []string{"10.0.0.4, 10.0.0.3, 10.0.0.2"}, "10.0.0.4"},
		{"all trusted, in two fields", []string{"10.0.0.4", "10.0.0.3, 10.0.0.2"}, "10.0.0.4"},
		{"no white space", []string{"1.2.3.4,192.0.2.1,10.0.0.2"}, "192.0.2.1"},
		{"much white space", []string{" \t1.2.3.4 ,\t192.0.2.1 \t, 10.0.0.2\t"}, "192.0.2.1"},
		{"empty entries", []string{"192.0.2.1,, ,10.0.0.2,", ""}, "192.0.2.1"},
		{"nothing", []string{""}, "10.0.0.1"},
		{"nothing but commas", []string{" , ,", ""}, "10.0.0.1"},

		{"with a port", []string{"192.0.2.1:1234"}, "192.0.2.1"},
		{"with the largest port", []string{"192.0.2.1:99999"}, "192.0.2.1"},
		{"IPv6", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in another form", []string{"2001:DB8:0:0::01"}, "2001:db8::1"},
		{"IPv6 in brackets", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 with a port", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"IPv4 in IPv6", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"IPv4 in IPv6 with a port", []string{"[::ffff:192.0.2.1]:443"}, "192.0.2.1"},
		{"IPv6 with nothing but colons", []string{"::"}, "::"},

		{"a word", []string{"unknown"}, "10.0.0.1"},
		{"a word beyond a proxy", []string{"192.0.2.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"a word beyond two proxies", []string{"192.0.2.1, unknown, 10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"a word in another field", []string{"192.0.2.1", "unknown", "10.0.0.2"}, "10.0.0.2"},
		{"an obfuscated name", []string{"192.0.2.1, _hidden"}, "10.0.0.1"},
		{"a name", []string{"example.com"}, "10.0.0.1"},
		{"a zone", []string{"fe80::1%eth0"}, "10.0.0.1"},
		{"a zone in brackets", []string{"[fe80::1%eth0]:80"}, "10.0.0.1"},
		{"leading zeros", []string{"192.0.02.1"}, "10.0.0.1"},
		{"a number", []string{"3221225985"}, "10.0.0.1"},
		{"a network", []string{"192.0.2.0/24"}, "10.0.0.1"},
		{"in quotes", []string{`"192.0.2.1"`}, "10.0.0.1"},
		{"a space within", []string{"192.0.2.1 192.0.2.2"}, "10.0.0.1"},
		{"a port of nothing", []string{"192.0.2.1:"}, "10.0.0.1"},
		{"a port of six digits", []string{"192.0.2.1:123456"}, "10.0.0.1"},
		{"a port that is a name", []string{"192.0.2.1:http"}, "10.0.0.1"},
		{"an obfuscated port", []string{"192.0.2.1:_port"}, "10.0.0.1"},
		{"brackets of IPv4", []string{"[192.0.2.1]:80"}, "10.0.0.1"},
		{"brackets not closed", []string{"[2001:db8::1"}, "10.0.0.1"},
		{"brackets not opened", []string{"2001:db8::1]:80"}, "10.0.0.1"},
		{"something after brackets", []string{"[2001:db8::1]80"}, "10.0.0.1"},
		{"brackets within brackets", []string{"[[2001:db8::1]]"}, "10.0.0.1"},
		{"empty brackets", []string{"[]:80"}, "10.0.0.1"},
		{"a colon", []string{":"}, "10.0.0.1"},
		{"other spaces", []string{"\u00a0192.0.2.1"}, "10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, trust(t, "10.0.0.0/8").Of(proxy, false, forwardedFor(c.values...)))
		})
	}
}

func TestForwarded(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []string
		want   string
	}{
		{"one address", []string{"for=192.0.2.1"}, "192.0.2.1"},
		{"any case", []string{"FoR=192.0.2.1"}, "192.0.2.1"},
		{"other parameters", []string{"by=203.0.113.43;for=192.0.2.1;proto=http;host=example.com"}, "192.0.2.1"},
		{"an entry of the client", []string{"for=1.2.3.4, for=192.0.2.1"}, "192.0.2.1"},
		{"in a field of its own", []string{"for=1.2.3.4", "for=192.0.2.1"}, "192.0.2.1"},
		{"through two proxies", []string{"for=1.2.3.4, for=192.0.2.1, for=10.0.0.2"}, "192.0.2.1"},
		{"all trusted", []string{"for=10.0.0.3", "for=10.0.0.2"}, "10.0.0.3"},
		{"in quotes", []string{`for="192.0.2.1"`}, "192.0.2.1"},
		{"with a port", []string{`for="192.0.2.1:4711"`}, "192.0.2.1"},
		{"with an obfuscated port", []string{`for="192.0.2.1:_gazonk-1.2"`}, "192.0.2.1"},
		{"IPv6", []string{`for="[2001:db8:cafe::17]"`}, "2001:db8:cafe::17"},
		{"IPv6 with a port", []string{`For="[2001:db8:cafe::17]:4711"`}, "2001:db8:cafe::17"},
		{"IPv4 in IPv6", []string{`for="[::ffff:192.0.2.1]"`}, "192.0.2.1"},
		{"escapes", []string{`for="\1\9\2.0.2.1"`}, "192.0.2.1"},
		{"a comma in quotes", []string{`for=192.0.2.1;host="a, for=1.2.3.4"`}, "192.0.2.1"},
		{"a comma in quotes, and an escaped quote", []string{`for=192.0.2.1;host="a\", for=1.2.3.4"`}, "192.0.2.1"},
		{"a comma before an escaped quote", []string{`for=192.0.2.1;host="a, for=1.2.3.4;by=\"b"`}, "192.0.2.1"},
		{"an escaped backslash before the end of quotes", []string{`for=1.2.3.4;host="a\\", for=192.0.2.1`}, "192.0.2.1"},
		{"a semicolon in quotes", []string{`host=";for=1.2.3.4";for=192.0.2.1`}, "192.0.2.1"},
		{"an empty string", []string{`for=192.0.2.1;host=""`}, "192.0.2.1"},
		{"bytes beyond ASCII", []string{"for=192.0.2.1;host=\"\u00e9\xff\""}, "192.0.2.1"},
		{"white space", []string{"\tfor=1.2.3.4 ,\t for=192.0.2.1 ; proto=http \t"}, "192.0.2.1"},
		{"empty elements and pairs", []string{" , ;for=192.0.2.1;; , ,,", ""}, "192.0.2.1"},
		{"an extension", []string{"secret=x!#$%&'*+-.^_`|~;for=192.0.2.1"}, "192.0.2.1"},
		{"nothing", []string{""}, "10.0.0.1"},

		// The entries of the client must not hide the entry of the proxy.
		{"a quote that the client opens", []string{`for="1.2.3.4, for=192.0.2.1`}, "192.0.2.1"},
		{"a quote before quotes", []string{`for=1.2.3.4;by=", for="[2001:db8::1]:80";by="10.0.0.1:80"`}, "2001:db8::1"},
		{"a quote and a backslash", []string{`for=1.2.3.4;by="\, for=192.0.2.1`}, "192.0.2.1"},
		{"a backslash", []string{`\, for="192.0.2.1"`}, "192.0.2.1"},
		{"a quote in a field of its own", []string{`for="1.2.3.4`, "for=192.0.2.1"}, "192.0.2.1"},
		{"garbage", []string{"\x01=;;\"\\\"[, for=192.0.2.1"}, "192.0.2.1"},

		{"unknown", []string{"for=192.0.2.1, for=unknown"}, "10.0.0.1"},
		{"unknown beyond a proxy", []string{"for=192.0.2.1, for=unknown, for=10.0.0.2"}, "10.0.0.2"},
		{"an obfuscated name", []string{"for=192.0.2.1, for=_hidden"}, "10.0.0.1"},
		{"no for", []string{"for=192.0.2.1, proto=http"}, "10.0.0.1"},
		{"no for beyond a proxy", []string{"for=192.0.2.1, proto=http, for=10.0.0.2"}, "10.0.0.2"},
		{"a semicolon", []string{"for=192.0.2.1, ;"}, "10.0.0.1"},
		{"for twice", []string{"for=192.0.2.1;for=192.0.2.1"}, "10.0.0.1"},
		{"for twice, once in quotes", []string{`for=192.0.2.1;For="192.0.2.2"`}, "10.0.0.1"},
		{"no value", []string{"for="}, "10.0.0.1"},
		{"no equals sign", []string{"for"}, "10.0.0.1"},
		{"no name", []string{"=192.0.2.1"}, "10.0.0.1"},
		{"space around the equals sign", []string{"for = 192.0.2.1"}, "10.0.0.1"},
		{"an address alone", []string{"192.0.2.1"}, "10.0.0.1"},
		{"a port without quotes", []string{"for=192.0.2.1:80"}, "10.0.0.1"},
		{"IPv6 without quotes", []string{"for=[2001:db8::1]"}, "10.0.0.1"},
		{"IPv6 without brackets", []string{`for="2001:db8::1"`}, "10.0.0.1"},
		{"an obfuscated port of nothing", []string{`for="192.0.2.1:_"`}, "10.0.0.1"},
		{"an obfuscated port with a space", []string{`for="192.0.2.1:_a b"`}, "10.0.0.1"},
		{"quotes not closed", []string{`for="192.0.2.1`}, "10.0.0.1"},
		{"quotes not opened", []string{`for=192.0.2.1"`}, "10.0.0.1"},
		{"something after quotes", []string{`for="192.0.2.1"x`}, "10.0.0.1"},
		{"something after a good address", []string{`for=192.0.2.1;host=a b`}, "10.0.0.1"},
		{"something malformed after it", []string{`for=192.0.2.1;host="a`}, "10.0.0.1"},
		{"a control character in quotes", []string{"for=192.0.2.1;host=\"\x01\""}, "10.0.0.1"},
		{"an escaped control character", []string{"for=192.0.2.1;host=\"\\\x7f\""}, "10.0.0.1"},
		{"white space in quotes", []string{`for=" 192.0.2.1"`}, "10.0.0.1"},
		{"a zone", []string{`for="[fe80::1%eth0]"`}, "10.0.0.1"},
		{"a letter that folds to f", []string{"\uff46or=192.0.2.1"}, "10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, trust(t, "10.0.0.0/8").Of(proxy, false, forwarded(c.values...)))
		})
	}
}

// A proxy writes one of the two headers. The client may have sent the other.
func TestBothHeaders(t *testing.T) {
	for _, c := range []struct{ name, forwardedFor, forwarded, want string }{
		{"they agree", "192.0.2.1", "for=192.0.2.1", "192.0.2.1"},
		{"they agree in another form", "1.2.3.4, ::ffff:192.0.2.1, 10.0.0.2", `for="192.0.2.1:80";proto=http`, "192.0.2.1"},
		{"a forged Forwarded", "192.0.2.1", "for=1.2.3.4", "10.0.0.1"},
		{"a forged X-Forwarded-For", "1.2.3.4", "for=192.0.2.1", "10.0.0.1"},
		{"a forged header that looks trusted", "192.0.2.1", "for=10.0.0.5", "10.0.0.1"},
		{"one is malformed", "192.0.2.1", "nonsense", "10.0.0.1"},
		{"one is malformed further on", "192.0.2.1, 10.0.0.2", "nonsense, for=10.0.0.2", "10.0.0.1"},
		{"one is unknown", "unknown", "for=192.0.2.1", "10.0.0.1"},
		{"both are unknown", "unknown", "for=unknown", "10.0.0.1"},
		{"both lead to the same proxy", "unknown, 10.0.0.2", "for=10.0.0.2", "10.0.0.2"},
		{"one is empty", "192.0.2.1", " ,", "192.0.2.1"},
		{"the other is empty", "", "for=192.0.2.1", "192.0.2.1"},
		{"both are empty", "", ",", "10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := http.Header{"X-Forwarded-For": {c.forwardedFor}, "Forwarded": {c.forwarded}}
			require.Equal(t, c.want, trust(t, "10.0.0.0/8").Of(proxy, false, header))
		})
	}
}

// At most maxHops entries count, however long a header is.
func TestMaxHops(t *testing.T) {
	trusted := trust(t, "10.0.0.0/8")
	hops := func(n int) string { return strings.Repeat(", 10.0.0.2", n-1) + ", 10.0.0.3" }
	require.Equal(t, "192.0.2.1", trusted.Of(proxy, false, forwardedFor("192.0.2.1"+hops(maxHops-1))))
	require.Equal(t, "10.0.0.2", trusted.Of(proxy, false, forwardedFor("192.0.2.1"+hops(maxHops))))
	require.Equal(t, "10.0.0.2", trusted.Of(proxy, false, forwardedFor("192.0.2.1", "10.0.0.4"+hops(maxHops))))
	require.Equal(t, "192.0.2.1", trusted.Of(proxy, false, forwardedFor("192.0.2.1"+strings.Repeat(",", maxHops-1))))
	require.Equal(t, "10.0.0.1", trusted.Of(proxy, false, forwardedFor("192.0.2.1"+strings.Repeat(",", maxHops))))

	element := strings.ReplaceAll(hops(maxHops), "10.", "for=10.")
	require.Equal(t, "10.0.0.2", trusted.Of(proxy, false, forwarded("for=192.0.2.1"+element)))
	require.Equal(t, "10.0.0.1", trusted.Of(proxy, false, forwarded("for=192.0.2.1"+strings.Repeat(",", 1<<20))))
	require.Equal(t, "192.0.2.1", trusted.Of(proxy, false, forwarded(strings.Repeat(`\"`, 1<<20)+", for=192.0.2.1")))
	require.Equal(t, "192.0.2.1", trusted.Of(proxy, false, forwardedFor(append(make([]string, 1<<16), "192.0.2.1")...)))
}
