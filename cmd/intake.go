package cmd

import (
	"cmp"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	"github.com/elastic/elastic-agent-libs/testing"
	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/auth"
)

// newTestIntakeCmd is `rtbeat test intake`, beside libbeat's "test config" and "test output".
func newTestIntakeCmd(settings instance.Settings, diskKey *string) *cobra.Command {
	var to connection
	cmd := &cobra.Command{
		Use:   "intake",
		Short: "Test that a running " + settings.Name + " takes batches, by using the current settings",
		Long: `Intake posts an empty batch to each source of the rtbeat that runs with this
configuration, with each of the credentials in its auth. Nothing is published. The
exit code is 1 if an answer is not 200.

Without --url it connects to the configured listener, over loopback if that is on
every address, and does not compare the name with the certificate's. Without --ca
it trusts rtbeat.ssl.certificate_authorities, or else this machine's authorities.`,
		Example: `  rtbeat test intake -c rtbeat.yml
  rtbeat test intake -c rtbeat.yml --url https://rtbeat.example.com:8081 --ca ca.pem`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
			c, err := loadConfig(settings, diskKey)
			if err != nil {
				return err
			}
			mode := tlscommon.VerifyFull
			if to.url == "" {
				mode = tlscommon.VerifyCertificate
				if to.url, err = listenerURL(c); err != nil {
					return err
				}
			}
			var authorities []string
			if c.SSL.IsEnabled() {
				authorities = c.SSL.CAs
			}
			driver := testing.NewConsoleDriverWithKiller(cmd.OutOrStdout(), func() {})
			for _, source := range c.AllSources() {
				client, err := to.client("url", strings.TrimSuffix(source.Path, "*"), authorities, mode)
				if err != nil {
					return err
				}
				cmd.SilenceErrors = true // the report has the failure
				driver.Run("intake: "+client.URL, func(driver testing.Driver) {
					for _, credential := range credentialsOf(source.Auth) {
						answer := client.Post(cmd.Context(), "application/json", emptyBatch, credential.set)
						driver.Error("talk to intake"+credential.name, answer.Err())
						err = cmp.Or(err, answer.Err())
					}
				})
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	to.flags(cmd, "url", 5*time.Second)
	return cmd
}

var emptyBatch = []byte(`{"messages":[]}`) // rtbeat publishes nothing

type credential struct {
	name string // for the report
	set  func(*http.Request)
}

// credentialsOf returns the first secret of each scheme.
func credentialsOf(a auth.Settings) (all []credential) {
	add := func(scheme string, set func(*http.Request)) {
		all = append(all, credential{" with auth." + scheme, set})
	}
	if len(a.Bearer.Tokens) > 0 {
		add("bearer", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+a.Bearer.Tokens[0].Value) })
	}
	if a.Basic.Username != "" {
		add("basic", func(r *http.Request) { r.SetBasicAuth(a.Basic.Username, a.Basic.Password) })
	}
	if len(a.Header.Values) > 0 {
		add("header", func(r *http.Request) { r.Header.Set(a.Header.Name, a.Header.Values[0].Value) })
	}
	if len(a.HMAC.Keys) > 0 {
		add("hmac", func(r *http.Request) { _ = a.HMAC.Sign(r.Header, emptyBatch, time.Now()) }) // Check has refused what it cannot
	}
	if len(all) == 0 {
		return []credential{{"", func(*http.Request) {}}}
	}
	return all
}

// listenerURL is the URL of the configured listener.
func listenerURL(c config.Config) (string, error) {
	tail := "://"
	if c.SSL.IsEnabled() {
		tail = "s://"
	}
	if path, is := c.Socket(); is {
		return "unix" + tail + path, nil
	}
	if c.Port == 0 {
		return "", errors.New(`rtbeat.port is 0, which is any free port; name the port of the log line "listening on" with --url`)
	}
	host := strings.Trim(c.Host, "[]")
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() { // for listening only
		host = map[bool]string{true: "::1", false: "127.0.0.1"}[addr.Is6()]
	}
	return "http" + tail + net.JoinHostPort(host, strconv.Itoa(c.Port)), nil
}
