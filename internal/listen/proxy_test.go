package listen

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func everybody(netip.Addr) bool { return true }

func nobody(netip.Addr) bool { return false }

// version2 builds a header of version 2 by its specification, section 2.2.
func version2(command, family byte, addresses []byte) string {
	header := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x20|command, family)
	header = binary.BigEndian.AppendUint16(header, uint16(len(addresses)))
	return string(append(header, addresses...))
}

var (
	v4 = []byte{192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 0x1f, 0x91}
	v6 = append(append(netip.MustParseAddr("2001:db8::7").AsSlice(), netip.MustParseAddr("2001:db8::1").AsSlice()...), 0x12, 0x34, 0x1f, 0x91)
)

// whoami answers with the address that the request seems to come from.
var whoami = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { _, _ = io.WriteString(w, req.RemoteAddr) })

// ask sends a PROXY header and a request, and returns the status and the body, or 0 without an answer.
func ask(t *testing.T, conn net.Conn, header string) (status int, body string) {
	t.Helper()
	send(t, conn, header+"GET / HTTP/1.0\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil || len(answer) == 0 {
		return 0, ""
	}
	_, err = fmt.Sscanf(string(answer), "HTTP/1.%d %d", new(int), &status)
	require.NoError(t, err)
	_, body, _ = cutHeaders(string(answer))
	return status, body
}

func cutHeaders(answer string) (head, body string, ok bool) {
	for i := range len(answer) - 3 {
		if answer[i:i+4] == "\r\n\r\n" {
			return answer[:i], answer[i+4:], true
		}
	}
	return answer, "", false
}

func TestProxyHeader(t *testing.T) {
	b := NewBound(100)
	raw := loopback(t)
	run(t, server(b, whoami, nil), Proxied(b.Listener(raw), everybody, false, patience))
	const peer = "the peer"
	unix := make([]byte, 216)
	copy(unix, "/run/client")
	for name, c := range map[string]struct{ header, want string }{
		"version 1, IPv4":                       {"PROXY TCP4 192.0.2.7 198.51.100.1 4660 8081\r\n", "192.0.2.7:4660"},
		"version 1, IPv6":                       {"PROXY TCP6 2001:db8::7 2001:db8::1 4660 8081\r\n", "[2001:db8::7]:4660"},
		"version 1, unknown":                    {"PROXY UNKNOWN\r\n", peer},
		"version 1, unknown with addresses":     {"PROXY UNKNOWN 2001:db8::7 2001:db8::1 1 2\r\n", peer},
		"version 2, IPv4":                       {version2(1, 0x11, v4), "192.0.2.7:4660"},
		"version 2, IPv6":                       {version2(1, 0x21, v6), "[2001:db8::7]:4660"},
		"version 2, with a TLV":                 {version2(1, 0x11, append(v4[:12:12], 4, 0, 1, 0)), "192.0.2.7:4660"},
		"version 2, local":                      {version2(0, 0x11, v4), peer},
		"version 2, local without addresses":    {version2(0, 0, nil), peer},
		"version 2, Unix":                       {version2(1, 0x31, unix), peer},
		"version 2, UDP":                        {version2(1, 0x12, v4), peer},
		"version 2, unspecified":                {version2(1, 0, nil), ""},
		"version 2, of another command":         {version2(2, 0x11, v4), ""},
		"version 2, cut short":                  {version2(1, 0x11, v4[:8]), ""},
		"version 1, not an address":             {"PROXY TCP4 nobody 198.51.100.1 4660 8081\r\n", ""},
		"version 1, not ended":                  {"PROXY TCP4 192.0.2.7 198.51.100.1 4660 8081", ""},
		"none: a forwarder that knows no PROXY": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, "tcp", raw.Addr().String())
			status, body := ask(t, conn, c.header)
			switch c.want {
			case "":
				require.Zero(t, status, body)
			case peer:
				require.Equal(t, conn.LocalAddr().String(), body)
			default:
				require.Equal(t, c.want, body)
			}
		})
	}
}

func TestHeadersOfOthersAreRefused(t *testing.T) {
	b := NewBound(100)
	raw := loopback(t)
	run(t, server(b, whoami, nil), Proxied(b.Listener(raw), nobody, true, patience))
	for _, header := range []string{"PROXY TCP4 192.0.2.7 198.51.100.1 4660 8081\r\n", version2(1, 0x11, v4)} {
		status, body := ask(t, dial(t, "tcp", raw.Addr().String()), header)
		require.Equal(t, http.StatusBadRequest, status)
		require.NotContains(t, body, "192.0.2.7")
	}
	conn := dial(t, "tcp", raw.Addr().String())
	status, body := ask(t, conn, "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, conn.LocalAddr().String(), body)
}

// A sender behind a trusted Unix socket must not count as its proxy: the intake believes the headers of a peer without an address.
func TestAnAnnouncedClientIsNoUnixPeer(t *testing.T) {
	network := make(chan string, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		network <- req.Context().Value(http.LocalAddrContextKey).(net.Addr).Network()
		whoami(w, req)
	})
	socket := filepath.Join(t.TempDir(), "s")
	raw, err := net.Listen("unix", socket)
	require.NoError(t, err)
	b := NewBound(100)
	run(t, server(b, handler, nil), Proxied(b.Listener(raw), nobody, true, patience))
	for header, want := range map[string][2]string{
		"PROXY TCP4 192.0.2.7 198.51.100.1 4660 8081\r\n": {"tcp", "192.0.2.7:4660"},
		"PROXY UNKNOWN\r\n": {"unix", "@"},
	} {
		status, body := ask(t, dial(t, "unix", socket), header)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, want, [2]string{<-network, body})
	}
}

func TestTrustedPeers(t *testing.T) {
	var asked netip.Addr
	l := &proxiedListener{trusted: func(a netip.Addr) bool { asked = a; return true }}
	for peer, want := range map[*net.TCPAddr]string{
		{IP: net.ParseIP("192.0.2.7")}:               "192.0.2.7",
		{IP: net.ParseIP("::ffff:192.0.2.7").To16()}: "192.0.2.7",
		{IP: net.ParseIP("fe80::1"), Zone: "eth0"}:   "fe80::1",
		{IP: net.ParseIP("2001:db8::1")}:             "2001:db8::1",
	} {
		require.True(t, l.trusts(peer))
		require.Equal(t, want, asked.String())
	}
	require.False(t, l.trusts(&net.UnixAddr{}))
	require.False(t, l.trusts(&net.UDPAddr{}))
	require.True(t, (&proxiedListener{unix: true}).trusts(&net.UnixAddr{}))
	require.False(t, (&proxiedListener{unix: true}).trusts(&net.TCPAddr{}))
}

// A trusted peer that sends nothing, or half a header, delays no other peer, and is closed.
func TestProxyHeaderIsNotWaitedForInAccept(t *testing.T) {
	b := NewBound(100)
	raw := loopback(t)
	run(t, server(b, whoami, nil), Proxied(b.Listener(raw), everybody, false, 300*time.Millisecond))
	silent := dial(t, "tcp", raw.Addr().String())
	half := dial(t, "tcp", raw.Addr().String())
	send(t, half, version2(1, 0x11, v4)[:20])
	start := time.Now()
	_, body := ask(t, dial(t, "tcp", raw.Addr().String()), "PROXY TCP4 192.0.2.7 198.51.100.1 4660 8081\r\n")
	require.Equal(t, "192.0.2.7:4660", body)
	require.Less(t, time.Since(start), 300*time.Millisecond)
	gone(t, silent)
	gone(t, half)
	require.Less(t, time.Since(start), patience/2)
	soon(t, func() bool { return b.Open() == 0 })
}

// The bound finds its connection under the PROXY protocol, and under TLS on top of it.
func TestBoundBeneathTheOtherLayers(t *testing.T) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			b := NewBound(1)
			raw := loopback(t)
			h := &intake{bound: b, read: make(chan struct{}), mayGoOn: make(chan struct{})}
			s := server(b, h, nil)
			if secure {
				s.TLSConfig = newAuthority(t).certificates(t).Config()
			}
			run(t, s, Proxied(b.Listener(raw), everybody, false, patience))
			conn := dial(t, "tcp", raw.Addr().String())
			send(t, conn, "PROXY UNKNOWN\r\n")
			inner := conn
			if secure {
				inner = handshake(t, conn, nil)
			}
			send(t, inner, post)
			<-h.read
			second := dial(t, "tcp", raw.Addr().String())
			gone(t, conn)
			h.mayGoOn <- struct{}{}
			soon(t, func() bool { return h.lost.Load() == 1 })
			require.NoError(t, second.Close())
		})
	}
}

func TestHalfCloseReachesTheSocket(t *testing.T) {
	raw := loopback(t)
	l := Proxied(NewBound(1).Listener(raw), everybody, false, patience)
	client := dial(t, "tcp", raw.Addr().String())
	send(t, client, "PROXY UNKNOWN\r\n")
	conn, err := l.Accept()
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, closeWrite(conn))
	gone(t, client)
	send(t, client, "still read")
	require.NoError(t, conn.(*proxiedConn).SetReadDeadline(time.Now().Add(patience)))
	got := make([]byte, 10)
	_, err = io.ReadFull(conn, got)
	require.NoError(t, err)
	require.Equal(t, "still read", string(got))
	require.NoError(t, closeWrite(newFake()), "a connection without CloseWrite")
}
