//go:build senders

package senders

import (
	"testing"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

func TestNginx(t *testing.T) {
	t.Parallel()
	block := recipe(t, "nginx-rtbeat")
	front, port := harness.FreeAddress(t)
	nginx := harness.FindProgram(t, "nginx")

	sink := harness.StartSink(t, lumbersink.Immediate())
	b := startWith(t, sink, block, "rtbeat.port=0", promptTimeout)
	harness.StartNginx(t, nginx, recipe(t, "nginx", "127.0.0.1:8081", b.Addr, "listen 8080", "listen 127.0.0.1:"+port), front)
	proxied{b, sink, clientAt(t, nil), "http://" + front + "/in", ""}.keepsTheContract(t)
}

// TLS ends at nginx, which uses a Unix socket of rtbeat.
func TestNginxTLSAndUnixSocket(t *testing.T) {
	t.Parallel()
	socket, certs := harness.SocketPath(t, "in.sock"), newCertificates(t)
	block := recipe(t, "nginx-tls-rtbeat", "/run/rtbeat/in.sock", socket)
	front, port := harness.FreeAddress(t)
	conf := recipe(t, "nginx-tls",
		"/run/rtbeat/in.sock", socket,
		"listen 443", "listen 127.0.0.1:"+port,
		"/etc/nginx/in.example.com.pem", certs.path(serverCert),
		"/etc/nginx/in.example.com.key", certs.path(serverKey))
	nginx := harness.FindProgram(t, "nginx")

	sink := harness.StartSink(t, lumbersink.Immediate())
	_, adminPort := harness.FreeAddress(t)
	b := startWith(t, sink, block, promptTimeout, "rtbeat.admin.host=127.0.0.1", "rtbeat.admin.port="+adminPort)
	harness.StartNginx(t, nginx, conf, front)
	proxied{b, sink, clientAt(t, certs.config(false)), "https://" + front + "/in", ""}.keepsTheContract(t)
}
