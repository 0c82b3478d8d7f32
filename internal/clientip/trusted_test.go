package clientip

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func trust(tb testing.TB, list ...string) Trusted {
	tb.Helper()
	t, err := ParseTrusted(list)
	require.NoError(tb, err)
	return t
}

func TestTrustedHas(t *testing.T) {
	for _, c := range []struct {
		entry   string
		in, out []string
	}{
		{"10.0.0.0/8", []string{"10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"}, []string{"9.255.255.255", "11.0.0.0", "::a00:1", "::10.0.0.1"}},
		{"192.0.2.7", []string{"192.0.2.7", "::ffff:192.0.2.7"}, []string{"192.0.2.6", "192.0.2.8"}},
		{"192.0.2.6/31", []string{"192.0.2.6", "192.0.2.7"}, []string{"192.0.2.5", "192.0.2.8"}},
		{"192.0.2.7/32", []string{"192.0.2.7"}, []string{"192.0.2.6"}},
		{"::1", []string{"::1"}, []string{"::2", "127.0.0.1", "::"}},
		{"2001:db8::/32", []string{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"2001:db7:ffff::", "2001:db9::"}},
		{"fe80::/10", []string{"fe80::1", "fe80::1%eth0"}, []string{"fec0::1"}},
		{"::ffff:192.0.2.7", []string{"192.0.2.7", "::ffff:192.0.2.7"}, []string{"192.0.2.8"}},
		{"::ffff:10.0.0.0/104", []string{"10.0.0.1", "::ffff:10.0.0.1"}, []string{"11.0.0.1", "::1"}},
		{"0.0.0.0/0", []string{"0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"}, []string{"::1", "2001:db8::1"}},
		{"::/0", []string{"::", "2001:db8::1", "fe80::1%eth0"}, []string{"1.2.3.4", "::ffff:1.2.3.4"}},
		{"unix", nil, []string{"127.0.0.1", "::1", "0.0.0.0"}},
	} {
		trusted := trust(t, c.entry)
		require.Equal(t, c.entry == "unix", trusted.Unix())
		require.NotEqual(t, Trusted{}, trusted)
		require.False(t, trusted.Has(netip.Addr{}), c.entry)
		for _, s := range c.in {
			require.True(t, trusted.Has(netip.MustParseAddr(s)), "%s in %s", s, c.entry)
		}
		for _, s := range c.out {
			require.False(t, trusted.Has(netip.MustParseAddr(s)), "%s in %s", s, c.entry)
		}
	}
}

func TestTrustedList(t *testing.T) {
	none := trust(t)
	require.False(t, none.Unix())
	require.False(t, none.Has(netip.MustParseAddr("127.0.0.1")))
	require.Equal(t, Trusted{}, none)

	all := trust(t, "10.0.0.0/8", "unix", "::1", "10.0.0.0/8")
	require.True(t, all.Unix())
	require.True(t, all.Has(netip.MustParseAddr("::1")))
	require.True(t, all.Has(netip.MustParseAddr("10.9.9.9")))
	require.False(t, all.Has(netip.MustParseAddr("192.0.2.7")))
}

func TestParseTrustedNamesTheEntry(t *testing.T) {
	for entry, reason := range map[string]string{
		"":                     "is neither an address",
		" ":                    "is neither an address",
		"localhost":            "is neither an address",
		"UNIX":                 "is neither an address",
		"10.0.0.0/33":          "is neither an address",
		"10.0.0.0/":            "is neither an address",
		"10.0.0.0/-1":          "is neither an address",
		"10.0.0.0/255.0.0.0":   "is neither an address",
		"10.0.0.0/08":          "is neither an address",
		"10.0.0":               "is neither an address",
		"010.0.0.1":            "is neither an address",
		"10.0.0.1:80":          "is neither an address",
		"[::1]":                "is neither an address",
		" 10.0.0.1":            "is neither an address",
		"10.0.0.1,10.0.0.2":    "is neither an address",
		"fe80::1%eth0":         "has a zone",
		"fe80::%eth0/10":       "has a zone",
		"10.1.2.3/8":           "10.0.0.0/8 for the network or 10.1.2.3 for the address",
		"2001:db8::1/32":       "2001:db8::/32 for the network",
		"::ffff:10.1.2.3/104":  "has bits beyond its length",
		"::ffff:192.0.2.0/95":  "has bits beyond its length",
		"::ffff:192.0.2.0/200": "is neither an address",
	} {
		got, err := ParseTrusted([]string{"::1", entry, "unix"})
		require.ErrorContains(t, err, `"`+entry+`" `, "it names the entry")
		require.ErrorContains(t, err, reason)
		require.Equal(t, Trusted{}, got)
	}
}
