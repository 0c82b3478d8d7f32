//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// theProxy is a trusted address of this machine. 127.0.0.1 is not trusted.
const theProxy = "127.0.0.2"

// startWithProxy starts a process that listens for both addresses.
func (g *rig) startWithProxy(t *testing.T, settings map[string]any) {
	t.Helper()
	probe, err := net.Listen("tcp", net.JoinHostPort(theProxy, "0"))
	if err != nil {
		t.Skipf("the test needs a second address of this machine, and cannot listen on %s: %v", theProxy, err)
	}
	require.NoError(t, probe.Close())
	settings["trusted_proxies"] = []string{theProxy + "/32", "10.0.0.0/8", "2001:db8::/32"}
	g.connect = func(t testing.TB, from string) net.Conn {
		t.Helper()
		return dialFrom(t, from, g.beat.Addr)
	}
	g.start(t, settings)
}

// playProxy has the client addresses that a proxy announces, and that other senders announce.
func playProxy(t *testing.T, g *rig) {
	t.Helper()
	g.startWithProxy(t, map[string]any{"include_headers": []string{"X-Forwarded-For", "Host"}})
	g.credentials = func(string) []string { return nil }
	for _, c := range []struct {
		name    string
		headers []string
		client  string
	}{
		{"nothing", nil, theProxy},
		{"a client", []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
		{"a client and a lie", []string{"X-Forwarded-For: 198.51.100.9, 192.0.2.1"}, "192.0.2.1"},
		{"two headers", []string{"X-Forwarded-For: 198.51.100.9", "X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
		{"a second proxy", []string{"X-Forwarded-For: 192.0.2.1, 10.1.2.3"}, "192.0.2.1"},
		{"IPv6", []string{"X-Forwarded-For: 2001:db9::1"}, "2001:db9::1"},
		{"IPv6 through a proxy", []string{"X-Forwarded-For: 2001:db9::1, 2001:db8::7"}, "2001:db9::1"},
		{"unknown", []string{"X-Forwarded-For: 192.0.2.1, unknown"}, theProxy},
		{"unknown, behind a proxy", []string{"X-Forwarded-For: unknown, 10.1.2.3"}, "10.1.2.3"},
		{"no address", []string{"X-Forwarded-For: 192.0.2.1, <script>"}, theProxy},
		{"Forwarded", []string{"Forwarded: for=192.0.2.1;proto=https"}, "192.0.2.1"},
		{"Forwarded, IPv6", []string{`Forwarded: For="[2001:db9::1]:4711"`}, "2001:db9::1"},
		{"Forwarded, hidden", []string{"Forwarded: for=_hidden"}, theProxy},
		{"Forwarded, and a lie", []string{"Forwarded: for=198.51.100.9, for=192.0.2.1"}, "192.0.2.1"},
		{"both agree", []string{"Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
		{"both disagree", []string{"Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.2"}, theProxy},
		{"others' headers", []string{"X-Real-IP: 192.0.2.1", "True-Client-IP: 192.0.2.1"}, theProxy},
	} {
		for from, client := range map[string]string{theProxy: c.client, "127.0.0.1": "127.0.0.1"} {
			m := g.message()
			x := g.add(fmt.Sprintf("proxy: %s, from %s", c.name, from), post(batchOf(m), c.headers...), ok(m)).from(from).client(client)
			x.headers = map[string]any{"host": "x"}
			var forwarded []string
			for _, h := range c.headers {
				if value, is := strings.CutPrefix(h, "X-Forwarded-For: "); is {
					forwarded = append(forwarded, value)
				}
			}
			if len(forwarded) > 0 {
				x.headers["x-forwarded-for"] = strings.Join(forwarded, ", ")
			}
			x.peerIP, x.later = &from, map[string]any{"host": "x"}
		}
	}
	g.run(t)
}

// playProxyProtocol has the header of the PROXY protocol: required from the proxy, and refused from others.
func playProxyProtocol(t *testing.T, g *rig) {
	t.Helper()
	g.startWithProxy(t, map[string]any{"proxy_protocol": true, "read_timeout": 1})
	const v2 = "\r\n\r\n\x00\r\nQUIT\n"
	const client, own = "192.0.2.33", "127.0.0.1"
	ipv4 := "\xc0\x00\x02\x21" + "\xc0\x00\x02\x01" + "\x10\x00" + "\x01\xbb"
	for _, c := range []struct{ name, header, client string }{
		{"v1", "PROXY TCP4 192.0.2.33 192.0.2.1 4096 443\r\n", client},
		{"v1, IPv6", "PROXY TCP6 2001:db9::5 2001:db9::1 4096 443\r\n", "2001:db9::5"},
		{"v1, unknown", "PROXY UNKNOWN\r\n", theProxy},
		{"v1, unknown with more", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", theProxy},
		{"v2", v2 + "\x21\x11\x00\x0c" + ipv4, client},
		{"v2, with more", v2 + "\x21\x11\x00\x13" + ipv4 + "\x04\x00\x04\x00\x00\x00\x00", client},
		{"v2, local", v2 + "\x20\x00\x00\x00", theProxy},
		{"v2, UDP", v2 + "\x21\x12\x00\x0c" + ipv4, theProxy},
	} {
		m := g.message()
		g.add("announced: "+c.name, c.header+post(batchOf(m)), ok(m)).from(theProxy).peer(c.client)
	}
	m := g.message()
	g.add("announced: with X-Forwarded-For", "PROXY TCP4 192.0.2.33 192.0.2.1 1 2\r\n"+post(batchOf(m), "X-Forwarded-For: 198.51.100.1"), ok(m)).
		from(theProxy).peer(client)
	m = g.message()
	x := g.add("announced: a trusted one, with X-Forwarded-For", "PROXY TCP4 10.0.0.7 192.0.2.1 1 2\r\n"+post(batchOf(m), "X-Forwarded-For: 198.51.100.1"), ok(m)).
		from(theProxy).client("198.51.100.1")
	trusted := "10.0.0.7"
	x.peerIP = &trusted
	m = g.message()
	g.add("announced: nothing, without a proxy", post(batchOf(m)), ok(m)).from(own).peer(own)

	for name, header := range map[string]string{
		"nothing":             "",
		"garbage":             secret + "\r\n",
		"a bad address":       "PROXY TCP4 192.0.2.333 192.0.2.1 1 2\r\n",
		"a bad port":          "PROXY TCP4 192.0.2.33 192.0.2.1 1 70000\r\n",
		"another family":      "PROXY TCP4 ::1 ::2 1 2\r\n",
		"small letters":       "proxy TCP4 192.0.2.33 192.0.2.1 1 2\r\n",
		"too long":            "PROXY TCP4 " + fmt.Sprintf("%0200d", 1) + "\r\n",
		"v2 of version 3":     v2 + "\x31\x11\x00\x0c" + ipv4,
		"v2, too short":       v2 + "\x21\x11\x00\x04" + ipv4[:4],
		"v2, another command": v2 + "\x22\x11\x00\x0c" + ipv4,
	} {
		// There is no answer: the sender is a load balancer, and speaks no HTTP.
		m := g.message()
		g.add("announced: refused: "+name, header+post(batchOf(m))).from(theProxy)
	}
	g.bad("announced: v1, by an untrusted client", "PROXY TCP4 192.0.2.33 192.0.2.1 1 2\r\n"+head("Content-Length: %d")+"%s", plain(400)).from(own)
	g.bad("announced: v2, by an untrusted client", v2+"\x21\x11\x00\x0c"+ipv4+head("Content-Length: %d")+"%s", plain(400)).from(own)
	g.add("announced: half of it", "PROXY TCP4 192.0.2.33 ").from(theProxy)
	g.does("announced: too late", func(t *testing.T, g *rig) {
		t.Helper()
		l := newLine(t, g.connect(t, theProxy))
		begun := time.Now()
		l.write(v2[:7])
		l.requireEnd(t)
		require.GreaterOrEqual(t, time.Since(begun), 900*time.Millisecond)
	})
	g.run(t)
}

// playUnix is a Unix socket, with health on another port.
func playUnix(t *testing.T, g *rig) {
	t.Helper()
	path := filepath.Join(shortDir(t), "in.sock")
	g.connect = func(t testing.TB, how string) net.Conn {
		t.Helper()
		if how == "admin" {
			return dialFrom(t, "", g.beat.Health)
		}
		conn, err := net.Dial("unix", path)
		require.NoError(t, err)
		return conn
	}
	g.clientIP = ""
	g.start(t, map[string]any{
		"max_body_bytes": "32MiB", "max_in_flight_bytes": "128MiB",
		"host": "unix://" + path, "admin": map[string]any{"host": "127.0.0.1", "port": freePort(t)}, "trusted_proxies": []string{"unix"},
	})
	long := `[{"k":"` + strings.Repeat("s", 20_000_001) + `"}]`
	g.add("unix: a string that is too long", post(string(gzipped([]byte(long))), "Content-Encoding: gzip"), no("string_too_long").index(0).offset(6))
	require.Equal(t, path, g.beat.Addr)

	g.good("unix: a batch", head("Content-Length: %d")+"%s")
	g.good("unix: HTTP/1.0", "POST /in HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s").andSaysSo()
	g.good("unix: a client that the proxy names", head("X-Forwarded-For: 192.0.2.1", "Content-Length: %d")+"%s").client("192.0.2.1").peerIP = &g.clientIP
	g.good("unix: an unknown client", head("X-Forwarded-For: unknown", "Content-Length: %d")+"%s")
	g.bad("unix: the wrong type", head("Content-Type: text/csv", "Content-Length: %d")+"%s", no("unsupported_media_type"))
	g.bad("unix: bad JSON", head("Content-Length: 3")+"{}}", no("malformed_json"))
	whole := post(batchOf(g.message()))
	g.steps("unix: a body cut off", []step{send(whole[:len(whole)-1]), halfClose}, no("body_truncated"))
	for _, p := range []string{"/livez", "/readyz", "/metrics", "/", "/status.json"} {
		g.add("unix: "+p+" is elsewhere", request("GET "+p+" HTTP/1.1"), no("not_found"))
	}
	for _, p := range []string{"/livez", "/readyz"} {
		g.does("admin: "+p, func(t *testing.T, g *rig) {
			t.Helper()
			g.ask(t, request("GET "+p+" HTTP/1.1"), reply{health: p})
		})
		g.does("admin: HEAD "+p, func(t *testing.T, g *rig) {
			t.Helper()
			g.ask(t, request("HEAD "+p+" HTTP/1.1"), reply{health: p, bodiless: true})
		})
		g.does("admin: POST "+p, func(t *testing.T, g *rig) {
			t.Helper()
			g.ask(t, request("POST "+p+" HTTP/1.1", "Content-Length: 0"), no("method_not_allowed").with("Allow", "GET, HEAD"))
		})
	}
	for _, p := range []string{"/", "/status.json"} {
		g.does("admin: POST "+p, func(t *testing.T, g *rig) {
			t.Helper()
			g.ask(t, request("POST "+p+" HTTP/1.1", "Content-Length: 0"), no("method_not_allowed").with("Allow", "GET, HEAD"))
		})
	}
	for _, p := range []string{"/in", "/" + secret} {
		g.does("admin: POST "+p, func(t *testing.T, g *rig) {
			t.Helper()
			body := batchOf(g.message())
			g.ask(t, request("POST "+p+" HTTP/1.1", fmt.Sprintf("Content-Length: %d", len(body)))+body, no("not_found"))
		})
	}
	g.run(t)
}

// ask sends a request to the admin listener, twice: the connection stays open.
func (g *rig) ask(t testing.TB, text string, want reply) {
	t.Helper()
	l := newLine(t, g.connect(t, "admin"))
	method := "POST"
	if want.bodiless {
		method = "HEAD"
	}
	for range 2 {
		l.write(text)
		g.hear(t, &exchange{}, want, l.read(t, method))
	}
}
