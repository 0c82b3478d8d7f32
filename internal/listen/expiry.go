package listen

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

// Expiry is when the first of the certificates in use ends: the server's, or one of its chain. It checks the files first, as a
// handshake does, so that a renewed certificate counts without a handshake. It may be called from any goroutine.
func (c *Certificates) Expiry() time.Time {
	c.look()
	return time.Unix(c.expiry.Load(), 0)
}

// soonest is the first NotAfter of all certificates, in Unix seconds.
func soonest(chains []tls.Certificate) (expiry int64, err error) {
	for _, chain := range chains {
		for _, der := range chain.Certificate {
			certificate, err := x509.ParseCertificate(der)
			if err != nil {
				return 0, fmt.Errorf("reading the certificate of rtbeat.ssl: %w", err)
			}
			if end := certificate.NotAfter.Unix(); expiry == 0 || end < expiry {
				expiry = end
			}
		}
	}
	return expiry, nil
}
