package cmd

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/elastic/elastic-agent-libs/transport/tlscommon"
)

// readChain returns the certificates of rtbeat.ssl.certificate, a path or PEM text. The first one is rtbeat's own.
func readChain(setting string) ([]*x509.Certificate, error) {
	r, err := tlscommon.NewPEMReader(setting)
	if at, is := errors.AsType[*fs.PathError](err); is {
		return nil, at.Err // without the path, which may be a key that was put here by mistake
	}
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		return nil, errors.New("no certificate in it")
	}
	return chain, nil
}

// inPEM returns one certificate as a value of certificate_authorities.
func inPEM(certificate *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}

// describeChain says what senders find in the certificate: its names, its end, and whether they need its authority. roots are this
// machine's if nil.
func describeChain(chain []*x509.Certificate, roots *x509.CertPool) string {
	own, between := chain[0], x509.NewCertPool()
	for _, certificate := range chain[1:] {
		between.AddCert(certificate)
	}
	names := slices.Clone(own.DNSNames)
	for _, ip := range own.IPAddresses {
		names = append(names, ip.String())
	}
	trust := "signed by an authority that this machine knows"
	if _, err := own.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
		trust = "signed by no authority that this machine knows: senders need its authority"
	}
	if len(names) == 0 {
		return fmt.Sprintf("certificate without a name, until %s, %s; most senders refuse it", own.NotAfter.UTC().Format(time.RFC3339), trust)
	}
	return fmt.Sprintf("certificate for %s, until %s, %s", strings.Join(names, ", "), own.NotAfter.UTC().Format(time.RFC3339), trust)
}
