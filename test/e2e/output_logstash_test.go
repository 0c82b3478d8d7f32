//go:build e2e

package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// terminate is a TLS listener in front of a sink, as Logstash's beats input is. clients is the authority of client certificates.
func terminate(t testing.TB, a, clients *harness.Authority, sink *lumbersink.Sink) (addr string) {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{a.Issue(t, harness.CertificateFor("logstash"))}, MinVersion: tls.VersionTLS12}
	if clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, clients.Pool
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			outer, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() { forward(outer, sink.Addr()) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		sink.Cut()
		connections.Wait()
	})
	return listener.Addr().String()
}

// forward copies between a connection and another one to addr until either ends.
func forward(outer net.Conn, addr string) {
	defer outer.Close()
	inner, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(outer, inner)
		_ = outer.Close()
	})
	_, _ = io.Copy(inner, outer)
	_ = inner.Close()
	back.Wait()
}

// Over TLS a 200 means the same as without. An untrusted peer causes no 200.
func TestOutputLogstashTLS(t *testing.T) {
	t.Parallel()
	ours, theirs := harness.NewAuthority(t), harness.NewAuthority(t)
	cert, key := harness.InPEM(t, ours.Issue(t, harness.CertificateFor("rtbeat")))
	strangeCert, strangeKey := harness.InPEM(t, theirs.Issue(t, harness.CertificateFor("rtbeat")))
	for name, tt := range map[string]struct {
		clients   *harness.Authority
		ssl       map[string]any
		delivered bool
	}{
		"TLS":                            {ssl: map[string]any{"certificate_authorities": []string{ours.PEM}}, delivered: true},
		"mTLS":                           {clients: ours, ssl: map[string]any{"certificate_authorities": []string{ours.PEM}, "certificate": cert, "key": key}, delivered: true},
		"wrong CA":                       {ssl: map[string]any{"certificate_authorities": []string{theirs.PEM}}},
		"no client certificate":          {clients: ours, ssl: map[string]any{"certificate_authorities": []string{ours.PEM}}},
		"client certificate of another":  {clients: ours, ssl: map[string]any{"certificate_authorities": []string{ours.PEM}, "certificate": strangeCert, "key": strangeKey}},
		"no TLS where the other side is": {ssl: map[string]any{"enabled": false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := harness.StartSink(t, lumbersink.Immediate())
			addr := terminate(t, ours, tt.clients, sink)
			b := harness.StartBeat(t, harness.Settings{Sink: addr, Rtbeat: quick, Output: map[string]any{"ssl": tt.ssl}})
			l := harness.NewLedger(t)
			batch := harness.NewBatch("tls", 20)
			a := l.Post(t.Context(), b.Addr, batch)
			if tt.delivered {
				requireDelivered(t, a, 20)
				l.CheckOnce(t, sink)
				b.Stop()
				return
			}
			require.Equal(t, http.StatusGatewayTimeout, a.Code, "%s", a)
			require.Zero(t, sink.Received())
			l.Check(t, sink)
		})
	}
}
