//go:build monitoring

package monitoring

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/txn2/rtbeat/test/harness"
)

const token = "a-token-of-the-test"

// certificate writes a certificate for 127.0.0.1 that expires in 90 days, and its key.
func certificate(t testing.TB) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	authority, template := harness.NewAuthority(t), harness.CertificateFor("rtbeat")
	template.NotAfter = time.Now().Add(90 * 24 * time.Hour)
	cert, key := harness.InPEM(t, authority.Issue(t, template))
	dir := t.TempDir()
	return harness.WriteRecipe(t, dir, "server.pem", cert), harness.WriteRecipe(t, dir, "server.key", key), authority.Pool
}

// senders post until the test ends, or until end is called.
type senders struct {
	t         testing.TB
	name      string // of their messages
	addr      string
	client    *harness.Client
	transport *http.Transport

	ctx  context.Context //nolint:containedctx // end cancels it
	stop context.CancelFunc
	wg   sync.WaitGroup
}

func newSenders(t testing.TB, addr string, pool *x509.CertPool) *senders {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 8}
	s := &senders{t: t, name: "good", addr: addr, client: harness.NewClientOver(transport), transport: transport}
	s.ctx, s.stop = context.WithCancel(t.Context())
	t.Cleanup(s.end)
	return s
}

// end stops the senders and waits for them.
func (s *senders) end() {
	s.stop()
	s.wg.Wait()
	s.transport.CloseIdleConnections()
}

// post sends any body with any token.
func (s *senders) post(ctx context.Context, token string, body []byte) harness.Answer {
	return s.client.PostTo(ctx, "https://"+s.addr+"/in", http.Header{"Authorization": {"Bearer " + token}}, body)
}

// good senders repeat a batch until it is delivered, as rxtx does.
func (s *senders) good(number int) {
	for i := range number {
		s.wg.Go(func() {
			for n := 0; s.ctx.Err() == nil; n++ {
				b := harness.NewBatch(fmt.Sprintf("%s-%d-%d", s.name, i, n), 10)
				for s.ctx.Err() == nil && s.post(s.ctx, token, b.Body()).Code != http.StatusOK {
					harness.Pause(s.ctx, 200*time.Millisecond)
				}
				harness.Pause(s.ctx, 50*time.Millisecond)
			}
		})
	}
}

// bad senders make every mistake of a sender a few times a second.
func (s *senders) bad(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		repeated := harness.NewBatch(fmt.Sprintf("repeated-%d", n), 2)
		s.post(ctx, token, repeated.Body())
		s.post(ctx, token, repeated.Body())
		s.post(ctx, token, harness.NewLabelledBatch(fmt.Sprintf("dropped-%d", n), 2, func(int) string { return "drop" }).Body())
		s.post(ctx, token, fmt.Appendf(nil, `{"messages":[{"uuid":"large-%d","n":123456789012345678901234567890}]}`, n))
		s.post(ctx, token, []byte(`{"messages": [}`))
		s.post(ctx, "nobodys", []byte(`{"messages": []}`))
		s.knock(ctx)
		harness.Pause(ctx, 200*time.Millisecond)
	}
}

// knock speaks plain HTTP to a TLS port.
func (s *senders) knock(ctx context.Context) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	_, _ = conn.Read(make([]byte, 1))
}

// fill opens more connections than allowed, and keeps them.
func (s *senders) fill(ctx context.Context, number int) {
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for ctx.Err() == nil {
		for range number {
			dialer := tls.Dialer{Config: s.transport.TLSClientConfig}
			if c, err := dialer.DialContext(ctx, "tcp", s.addr); err == nil {
				conns = append(conns, c)
			}
		}
		harness.Pause(ctx, time.Second)
	}
}

// during runs a sender until the returned function is called.
func (s *senders) during(what func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	s.wg.Go(func() {
		defer close(done)
		what(ctx)
	})
	return func() {
		cancel()
		<-done
	}
}
