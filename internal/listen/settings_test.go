package listen

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/elastic-agent-libs/transport/tlscommon"
)

func TestCheckRefuses(t *testing.T) {
	required := tlscommon.TLSClientAuthRequired
	host := func(host string) Settings { return Settings{Host: host, SocketMode: 0o600} }
	ssl := func(change func(*tlscommon.ServerConfig)) Settings {
		s := Settings{SSL: &tlscommon.ServerConfig{CAs: []string{"ca.pem"}}}
		change(s.SSL)
		return s
	}
	for name, c := range map[string]struct {
		settings Settings
		want     []string
	}{
		"a port below":          {Settings{Port: -1}, []string{"rtbeat.port is -1", "65535"}},
		"a port above":          {Settings{Port: 65536}, []string{"rtbeat.port is 65536"}},
		"a host with a port":    {host("127.0.0.1:80"), []string{"rtbeat.host", "port in rtbeat.port"}},
		"brackets with a port":  {host("[::1]:80"), []string{"rtbeat.host", "port in rtbeat.port"}},
		"brackets round a name": {host("[localhost]"), []string{"rtbeat.host", "a name or an IP address"}},
		"an open bracket":       {host("[::1"), []string{"rtbeat.host", "a name or an IP address"}},
		"another scheme":        {host("tcp://x"), []string{"rtbeat.host", "unix://"}},
		"one slash":             {host("unix:/run/x"), []string{"rtbeat.host", "unix://"}},
		"a relative path":       {host("unix://in.sock"), []string{"rtbeat.host", "the whole path"}},
		"a long path": {
			host("unix:///" + strings.Repeat("x", maxPath)), []string{fmt.Sprintf("a path of %d bytes", maxPath+1), fmt.Sprintf("%d at most", maxPath)},
		},
		"no mode":          {Settings{Host: "unix:///s"}, []string{"rtbeat.socket_mode is 0"}},
		"a read-only mode": {Settings{Host: "unix:///s", SocketMode: 0o500}, []string{"rtbeat.socket_mode is 0500"}},
		"TLS 1.1": {ssl(func(s *tlscommon.ServerConfig) {
			s.Versions = []tlscommon.TLSVersion{tlscommon.TLSVersion11, tlscommon.TLSVersion12}
		}), []string{"rtbeat.ssl.supported_protocols", "TLSv1.1"}},
		"no authorities": {
			ssl(func(s *tlscommon.ServerConfig) { s.ClientAuth, s.CAs = &required, nil }), []string{"rtbeat.ssl.certificate_authorities", "client_authentication"},
		},
		"no connections": {Settings{}, []string{"rtbeat.max_connections is 0"}},
		"no age":         {Settings{MaxConnections: 1, MaxConnectionAge: -1}, []string{"rtbeat.max_connection_age is -1ns", "zero or a positive duration"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.settings.Check()
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestAdminAddress(t *testing.T) {
	taken := loopback(t).Addr().String()
	port := 0
	_, err := fmt.Sscanf(taken, "127.0.0.1:%d", &port)
	require.NoError(t, err)
	_, err = (&Admin{Host: "127.0.0.1", Port: port}).Bind()
	require.ErrorContains(t, err, "rtbeat.admin.host and rtbeat.admin.port")
	require.ErrorContains(t, err, "choose another rtbeat.admin.port")
}
