//go:build e2e

package e2e

import (
	"crypto/tls"
	"encoding/pem"
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
func terminate(t testing.TB, a, clients *authority, sink *lumbersink.Sink) (addr string) {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{a.issue(t, certificateFor("logstash"))}, MinVersion: tls.VersionTLS12}
	if clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, clients.pool()
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

// trusted is the authority in the form of rtbeat's settings.
func (a *authority) trusted() []string {
	return []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}))}
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
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, key := inPEM(t, ours.issue(t, certificateFor("rtbeat")))
	strangeCert, strangeKey := inPEM(t, theirs.issue(t, certificateFor("rtbeat")))
	for name, tt := range map[string]struct {
		clients   *authority
		ssl       map[string]any
		delivered bool
	}{
		"TLS":                            {ssl: map[string]any{"certificate_authorities": ours.trusted()}, delivered: true},
		"mTLS":                           {clients: ours, ssl: map[string]any{"certificate_authorities": ours.trusted(), "certificate": cert, "key": key}, delivered: true},
		"wrong CA":                       {ssl: map[string]any{"certificate_authorities": theirs.trusted()}},
		"no client certificate":          {clients: ours, ssl: map[string]any{"certificate_authorities": ours.trusted()}},
		"client certificate of another":  {clients: ours, ssl: map[string]any{"certificate_authorities": ours.trusted(), "certificate": strangeCert, "key": strangeKey}},
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
