//go:build unix

package harness

import (
	"fmt"
	"os"
	"testing"
)

// nginxMain includes a file of conf.d. It keeps all files in the test's folder, and nginx in the foreground.
const nginxMain = `
daemon off;
pid %[1]s/nginx.pid;
error_log stderr warn;
%[2]s
events { worker_connections 256; }
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

// StartNginx runs nginx with a file of conf.d.
func StartNginx(t testing.TB, path, conf, listens string) {
	t.Helper()
	dir := t.TempDir()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // the folders of a test belong to root
	}
	WriteRecipe(t, dir, "rtbeat.conf", conf)
	main := WriteRecipe(t, dir, "nginx.conf", fmt.Sprintf(nginxMain, dir, user))
	StartProgram(t, dir, path, "-p", dir, "-e", "stderr", "-c", main).Listens(listens)
}
