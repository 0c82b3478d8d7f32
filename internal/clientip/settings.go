package clientip

import (
	"errors"
	"fmt"

	"github.com/txn2/rtbeat/internal/setting"
)

// Settings are the proxies in front of rtbeat.
type Settings struct {
	// TrustedProxies are the [proxies](#behind-a-proxy) whose `Forwarded` and `X-Forwarded-For` headers rtbeat believes:
	// addresses, networks such as `10.0.0.0/8`, or `unix` for everybody who connects to the Unix socket. rtbeat ignores these
	// headers of others.
	TrustedProxies []string `config:"trusted_proxies" show:"text"`

	// ProxyProtocol is whether the `trusted_proxies` have to begin each connection with a [PROXY protocol](#proxy-protocol)
	// header, version 1 or 2. rtbeat refuses such a header of others.
	ProxyProtocol bool `config:"proxy_protocol"`
}

// Check applies the rules of the settings.
func (s *Settings) Check() error {
	if s.ProxyProtocol && len(s.TrustedProxies) == 0 {
		return errors.New("rtbeat.proxy_protocol is true without rtbeat.trusted_proxies, so rtbeat would accept no PROXY protocol header; name the proxies in rtbeat.trusted_proxies")
	}
	for i, proxy := range s.TrustedProxies {
		if err := setting.CheckText(fmt.Sprintf("rtbeat.trusted_proxies.%d", i), proxy); err != nil {
			return err
		}
	}
	if _, err := ParseTrusted(s.TrustedProxies); err != nil {
		return fmt.Errorf("rtbeat.trusted_proxies: %w", err)
	}
	return nil
}
