package listen

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/elastic/elastic-agent-libs/transport/tlscommon"
	"github.com/stretchr/testify/require"
)

// A certificate that is renewed counts without a handshake, and a file that cannot be used does not.
func TestExpiryFollowsTheFiles(t *testing.T) {
	ca := newAuthority(t)
	until := func(end time.Time) issued {
		return ca.issue(t, "server", func(c *x509.Certificate) { c.NotAfter = end })
	}
	day := time.Now().Truncate(time.Second)
	r := newReloading(t, until(day.Add(24*time.Hour)), ca, tlscommon.TLSClientAuthNone)
	require.Equal(t, day.Add(24*time.Hour).Unix(), r.Expiry().Unix())

	r.files.change(until(day.Add(48*time.Hour)), ca)
	require.Equal(t, day.Add(24*time.Hour).Unix(), r.Expiry().Unix(), "files are checked once a second")
	r.pass(lookEvery)
	require.Equal(t, day.Add(48*time.Hour).Unix(), r.Expiry().Unix())

	r.files.change(issued{certificate: "none", key: "none"}, ca)
	r.pass(lookEvery)
	require.Equal(t, day.Add(48*time.Hour).Unix(), r.Expiry().Unix(), "the certificates in use")
}

// The first end in a chain counts.
func TestExpiryOfAChain(t *testing.T) {
	ca := newAuthority(t)
	day := time.Now().Truncate(time.Second)
	leaf := ca.issue(t, "server", func(c *x509.Certificate) { c.NotAfter = day.Add(48 * time.Hour) })
	between := ca.issue(t, "between", func(c *x509.Certificate) { c.NotAfter = day.Add(24 * time.Hour) })
	leaf.certificate += between.certificate
	r := newReloading(t, leaf, ca, tlscommon.TLSClientAuthNone)
	require.Equal(t, day.Add(24*time.Hour).Unix(), r.Expiry().Unix())
}
