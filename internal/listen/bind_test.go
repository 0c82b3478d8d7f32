package listen

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBindTakesHosts(t *testing.T) {
	for _, host := range []string{"", "127.0.0.1", "localhost", "::1", "[::1]"} {
		l, err := (&Settings{Host: host}).Bind()
		require.NoError(t, err, host)
		conn := dial(t, "tcp", net.JoinHostPort(reachedAt(host), strconv.Itoa(l.Addr().(*net.TCPAddr).Port)))
		require.NoError(t, conn.Close())
		require.NoError(t, l.Close())
	}
}

func reachedAt(host string) string {
	if host == "::1" || host == "[::1]" {
		return "::1"
	}
	return "127.0.0.1"
}

func TestBindRefuses(t *testing.T) {
	taken := loopback(t).Addr().(*net.TCPAddr).Port
	for name, c := range map[string]struct {
		settings Settings
		want     []string
	}{
		"a port that is taken": {Settings{Host: "127.0.0.1", Port: taken}, []string{"rtbeat.host and rtbeat.port", "choose another rtbeat.port"}},
		"an address elsewhere": {Settings{Host: "192.0.2.1"}, []string{"rtbeat.host must be an address of this machine"}},
		"an unknown name":      {Settings{Host: "nobody.invalid"}, []string{"rtbeat.host and rtbeat.port", "nobody.invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.settings.Bind()
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
