//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// playTLS is a process with TLS, that accepts two certificate names, with health on another port.
func playTLS(t *testing.T, g *rig) {
	t.Helper()
	ca, strangers := harness.NewAuthority(t), harness.NewAuthority(t)
	certificate, key := harness.InPEM(t, ca.Issue(t, harness.CertificateFor("server")))
	root := ca.PEM
	old := harness.CertificateFor("sender")
	old.NotAfter = time.Now().Add(-time.Minute)
	senders := map[string][]tls.Certificate{
		"sender":   {ca.Issue(t, harness.CertificateFor("sender"))},
		"edge":     {ca.Issue(t, harness.CertificateFor("a.edge.example"))},
		"deep":     {ca.Issue(t, harness.CertificateFor("a.b.edge.example"))},
		"other":    {ca.Issue(t, harness.CertificateFor("other"))},
		"stranger": {strangers.Issue(t, harness.CertificateFor("sender"))},
		"old":      {ca.Issue(t, old)},
		"nobody":   nil,
	}
	g.connect = func(t testing.TB, how string) net.Conn {
		t.Helper()
		who, protocol, _ := strings.Cut(how, " ")
		conn := dialFrom(t, "", g.beat.Addr)
		if who == "plain" {
			return conn
		}
		config := &tls.Config{RootCAs: ca.Pool, ServerName: "server", NextProtos: []string{"http/1.1"}}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if len(senders[who]) == 0 {
				return &tls.Certificate{}, nil
			}
			return &senders[who][0], nil
		}
		switch protocol {
		case "h2":
			config.NextProtos = []string{"h2", "http/1.1"}
		case "1.2":
			config.MaxVersion = tls.VersionTLS12
		case "1.1":
			config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		case "no ALPN":
			config.NextProtos = nil
		}
		secure := tls.Client(conn, config)
		ctx, cancel := context.WithTimeout(t.Context(), answerWithin)
		defer cancel()
		if err := secure.HandshakeContext(ctx); err != nil {
			t.Logf("handshake: %v", err) // the first read returns it again
		}
		return secure
	}
	g.start(t, map[string]any{
		"ssl": map[string]any{
			"certificate": certificate, "key": key, "certificate_authorities": []string{root}, "client_authentication": "optional",
		},
		"auth":  map[string]any{"certificate": map[string]any{"names": []string{"sender", "*.edge.example"}}},
		"admin": map[string]any{"host": "127.0.0.1", "port": freePort(t)}, "read_timeout": 2, "max_body_bytes": plainLimit,
		"max_header_bytes": plainHeaders, "max_messages": plainMessages,
	})
	tlsCases(g.script)
	http2Cases(t, g.script)
	g.run(t)
}

// tlsCases are HTTP/1 over TLS.
func tlsCases(s *script) {
	const text = "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
	for _, how := range []string{"sender", "edge", "sender 1.2", "sender no ALPN"} {
		s.good("tls: "+how, text).from(how)
	}
	s.good("tls: HTTP/1.0", "POST /in HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s").from("sender").andSaysSo()
	for _, how := range []string{"other", "deep", "nobody", "other 1.2"} {
		m := s.message()
		s.add("tls: forbidden: "+how, post(batchOf(m))+post(batchOf(m)), no("forbidden"), no("forbidden")).from(how).andLeaves()
	}
	s.add("tls: forbidden: no body yet", head("Expect: 100-continue", "Content-Length: 100"), no("forbidden").last()).from("other").andLeaves()
	for _, how := range []string{"stranger", "old", "sender 1.1", "stranger 1.2"} {
		s.add("tls: no handshake: "+how, post(batchOf(s.message()))).from(how)
	}
	s.bad("tls: plain HTTP", text, plain(400)).from("plain")
	s.add("tls: no TLS", strings.Repeat(secret, 100)).from("plain")
	s.steps("tls: half a handshake", []step{send("\x16\x03\x01\x02\x00\x01"), halfClose}).from("plain")
	s.add("tls: the preface of HTTP/2 without its ALPN", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", no("not_found").last()).from("sender")

	s.bad("tls: bad JSON", head("Content-Length: 3")+"[}]", no("malformed_json")).from("sender")
	s.bad("tls: health is elsewhere", request("GET /livez HTTP/1.1"), no("not_found")).from("nobody").andLeaves()
	s.add("tls: too large", head(fmt.Sprintf("Content-Length: %d", plainLimit+1)), no("body_too_large")).from("sender")
	s.add("tls: too large, sent", post("["+strings.Repeat(" ", plainLimit)), no("body_too_large")).from("sender")
	whole := post(batchOf(s.message()))
	s.steps("tls: cut off", []step{send(whole[:len(whole)-1]), halfClose}, no("body_truncated")).from("sender")
	a, b := s.message(), s.message()
	s.add("tls: two good", post(batchOf(a))+post(batchOf(b)), ok(a), ok(b)).from("sender")
	s.does("tls: too slow a handshake", func(t *testing.T, g *rig) {
		t.Helper()
		l := newLine(t, g.connect(t, "plain"))
		begun := time.Now()
		l.write("\x16\x03\x01")
		l.requireEnd(t)
		g.hits.add("plain none")
		require.GreaterOrEqual(t, time.Since(begun), 1900*time.Millisecond)
	})
}
