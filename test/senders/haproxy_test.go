//go:build senders

package senders

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// balancer is a HAProxy in front of one rtbeat.
type balancer struct {
	*harness.HAProxy
	t testing.TB
}

func startHAProxy(t testing.TB, path, conf, listens string) *balancer {
	t.Helper()
	return &balancer{harness.StartHAProxy(t, path, conf, listens), t}
}

// check is the result of the last health check of rtbeat, and whether HAProxy would send requests there.
func (h *balancer) check() (result, status string) {
	h.t.Helper()
	server := h.Row("rtbeat", "rtbeat")
	return server["check_status"], server["status"]
}

// isChecked waits for a health check with an answer of rtbeat.
func (h *balancer) isChecked() {
	h.t.Helper()
	var result, status string
	harness.Await(h.t, harness.ArriveWithin, "a health check by HTTP", func() bool {
		result, status = h.check()
		return !strings.HasPrefix(result, "*") && result != "INI" && result != ""
	})
	require.Equal(h.t, "L7OK", result)
	require.Equal(h.t, "UP", status)
}

// bind is a free port for HAProxy.
func bind(t testing.TB, port string) (from, to, addr string) {
	t.Helper()
	addr, _ = harness.FreeAddress(t)
	return "bind :" + port, "bind " + addr, addr
}

func TestHAProxy(t *testing.T) {
	t.Parallel()
	block := recipe(t, "haproxy-rtbeat")
	from, to, front := bind(t, "8080")
	haproxy := harness.FindProgram(t, "haproxy")

	sink := harness.StartSink(t, lumbersink.Immediate())
	b := startWith(t, sink, block, "rtbeat.port=0", promptTimeout)
	h := startHAProxy(t, haproxy, recipe(t, "haproxy", from, to, "127.0.0.1:8081", b.Addr), front)
	h.isChecked()
	proxied{b, sink, clientAt(t, nil), "http://" + front + "/in", ""}.keepsTheContract(t)
}

// While rtbeat drains, /readyz moves the senders to other instances. Here there are none.
func TestHAProxyFollowsReadiness(t *testing.T) {
	t.Parallel()
	from, to, front := bind(t, "8080")
	haproxy := harness.FindProgram(t, "haproxy")

	sink := harness.StartSink(t, lumbersink.Immediate())
	b := startWith(t, sink, recipe(t, "haproxy-rtbeat"), "rtbeat.port=0", "rtbeat.shutdown_delay=20")
	h := startHAProxy(t, haproxy, recipe(t, "haproxy", from, to, "127.0.0.1:8081", b.Addr), front)
	h.isChecked()
	b.Terminate()
	harness.Await(t, harness.ArriveWithin, "HAProxy to leave rtbeat alone", func() bool {
		_, status := h.check()
		return status == "DOWN"
	})

	l, c := harness.NewLedger(t), clientAt(t, nil)
	a := post(t.Context(), l, c, "http://"+front+"/in", harness.NewBatch("balanced", 1), nil)
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusServiceUnavailable, a.Code)
	require.Empty(t, a.Body.Status, "HAProxy's own answer")
	// Requests past HAProxy are still answered.
	deliver(t, l, c, "http://"+b.Addr+"/in", harness.NewBatch("direct", 1), nil)
	l.CheckOnce(t, sink)
}

// The PROXY protocol in both versions, with health checks in it.
func TestHAProxyPassesTCPThrough(t *testing.T) {
	for name, version := range map[string]string{"version 1": "send-proxy ", "version 2": "send-proxy-v2 "} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			block := recipe(t, "haproxy-tcp-rtbeat")
			from, to, front := bind(t, "8080")
			haproxy := harness.FindProgram(t, "haproxy")

			sink := harness.StartSink(t, lumbersink.Immediate())
			b := startWith(t, sink, block, "rtbeat.port=0", promptTimeout)
			h := startHAProxy(t, haproxy, recipe(t, "haproxy-tcp", from, to, "127.0.0.1:8081", b.Addr, "send-proxy-v2 ", version), front)
			h.isChecked()
			proxied{b, sink, clientAt(t, nil), "http://" + front + "/in", "http://" + front + "/metrics"}.keepsTheContract(t)
		})
	}
}

// TLS with the sender's certificate passes HAProxy and ends at rtbeat.
func TestHAProxyPassesTLSThrough(t *testing.T) {
	t.Parallel()
	certs := newCertificates(t)
	_, adminPort := harness.FreeAddress(t)
	block := recipe(t, "haproxy-mtls-rtbeat",
		"/etc/rtbeat/server.pem", certs.path(serverCert), "/etc/rtbeat/server.key", certs.path(serverKey),
		"/etc/rtbeat/senders-ca.pem", certs.path(caFile), "port: 9090", "port: "+adminPort)
	from, to, front := bind(t, "443")
	haproxy := harness.FindProgram(t, "haproxy")

	sink := harness.StartSink(t, lumbersink.Immediate())
	b := startWith(t, sink, block, "rtbeat.port=0", promptTimeout)
	h := startHAProxy(t, haproxy, recipe(t, "haproxy-mtls", from, to, "127.0.0.1:8081", b.Addr, "port 9090", "port "+adminPort), front)
	h.isChecked()
	url := "https://" + front + "/in"

	stranger := post(t.Context(), harness.NewLedger(t), clientAt(t, certs.config(false)), url, harness.NewBatch("stranger", 1), nil)
	require.Error(t, stranger.Err, "without a certificate: %s", stranger)
	proxied{b, sink, clientAt(t, certs.config(true)), url, ""}.keepsTheContract(t)
}

// TLS ends at HAProxy, which has its own certificate for rtbeat.
func TestHAProxyEndsTLS(t *testing.T) {
	t.Parallel()
	certs := newCertificates(t)
	block := recipe(t, "haproxy-tls-rtbeat",
		"/etc/rtbeat/server.pem", certs.path(serverCert), "/etc/rtbeat/server.key", certs.path(serverKey),
		"/etc/rtbeat/proxies-ca.pem", certs.path(caFile), "haproxy.example.com", clientName)
	from, to, front := bind(t, "443")
	haproxy := harness.FindProgram(t, "haproxy")

	sink := harness.StartSink(t, lumbersink.Immediate())
	b := startWith(t, sink, block, "rtbeat.port=0", promptTimeout)
	h := startHAProxy(t, haproxy, recipe(t, "haproxy-tls", from, to, "127.0.0.1:8081", b.Addr,
		"/etc/haproxy/in.example.com.pem", certs.path(serverBoth), "/etc/haproxy/haproxy.pem", certs.path(clientBoth),
		"/etc/haproxy/rtbeat-ca.pem", certs.path(caFile)), front)
	h.isChecked()
	proxied{b, sink, clientAt(t, certs.config(false)), "https://" + front + "/in", "https://" + front + "/metrics"}.keepsTheContract(t)
}
