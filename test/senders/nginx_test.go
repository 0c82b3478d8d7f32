//go:build senders

package senders

import (
	"fmt"
	"os"
	"testing"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// nginxMain is what stands around a file of conf.d: everything in the test's own folder, and in the foreground.
const nginxMain = `
daemon off;
pid %[1]s/nginx.pid;
error_log stderr warn;
%[2]s
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	include %[1]s/rtbeat.conf;
}
`

// startNginx runs nginx with a file of conf.d.
func startNginx(t testing.TB, path, conf, listens string) {
	t.Helper()
	dir := t.TempDir()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // the folders of a test are not for others
	}
	harness.WriteRecipe(t, dir, "rtbeat.conf", conf)
	main := harness.WriteRecipe(t, dir, "nginx.conf", fmt.Sprintf(nginxMain, dir, user))
	harness.StartProgram(t, dir, path, "-p", dir, "-e", "stderr", "-c", main).Listens(listens)
}

func TestNginx(t *testing.T) {
	t.Parallel()
	block := recipe(t, "nginx-rtbeat")
	front, port := harness.FreeAddress(t)
	nginx := find(t, "nginx", "Debian's package nginx-light")

	sink := harness.StartSink(t, lumbersink.Immediate())
	b := startWith(t, sink, block, "rtbeat.port=0", promptTimeout)
	startNginx(t, nginx, recipe(t, "nginx", "127.0.0.1:8081", b.Addr, "listen 8080", "listen 127.0.0.1:"+port), front)
	proxied{b, sink, clientAt(t, nil), "http://" + front + "/in", ""}.keepsTheContract(t)
}

// TLS ends at nginx, and a Unix socket leads to rtbeat.
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
	nginx := find(t, "nginx", "Debian's package nginx-light")

	sink := harness.StartSink(t, lumbersink.Immediate())
	_, adminPort := harness.FreeAddress(t)
	b := startWith(t, sink, block, promptTimeout, "rtbeat.admin.host=127.0.0.1", "rtbeat.admin.port="+adminPort)
	startNginx(t, nginx, conf, front)
	proxied{b, sink, clientAt(t, certs.config(false)), "https://" + front + "/in", ""}.keepsTheContract(t)
}
