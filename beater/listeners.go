package beater

import (
	"cmp"
	"fmt"
	"net"
	"strings"

	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/clientip"
	"github.com/txn2/rtbeat/internal/listen"
	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/internal/systemd"
)

// listeners are the sockets of rtbeat, with the certificates, the limits and the credentials that apply to them.
type listeners struct {
	authenticators []*auth.Authenticator // in force, in the order of the sources; from Run on, only reloads use them
	trusted        clientip.Trusted
	certificates   *listen.Certificates // nil for plain HTTP
	connections    *listen.Bound

	intake *listen.Loop
	admin  net.Listener // nil when there is none
}

// newListeners checks the settings and reads the certificates. It binds nothing.
func newListeners(c config.Config, log *logp.Logger) (*listeners, error) {
	l := &listeners{connections: listen.NewBound(listen.Affordable(c.MaxConnections))}
	l.connections.MaxAge = c.MaxConnectionAge
	var err error
	if l.authenticators, err = authenticators(c); err != nil {
		return nil, err
	}
	if l.trusted, err = clientip.ParseTrusted(c.TrustedProxies); err != nil {
		return nil, fmt.Errorf("rtbeat.trusted_proxies: %w", err)
	}
	if c.SSL.IsEnabled() {
		if l.certificates, err = listen.TLS(c.SSL, log.Named("tls")); err != nil {
			return nil, err
		}
	}
	if limit := l.connections.Limit(); limit < c.MaxConnections {
		log.Warnf("rtbeat.max_connections is %d, but the process may open files for %d connections only; raise its limit of open files (ulimit -n, LimitNOFILE)", c.MaxConnections, limit)
	}
	return l, nil
}

// open takes over the sockets that the service manager passes, and binds the others.
func (l *listeners) open(c config.Config, log *logp.Logger) error {
	inherited, err := systemd.Inherited()
	if err != nil {
		return err
	}
	intake := inherited.Intake
	if intake != nil {
		log.Infof("the service manager passes the socket of the intake, %s: rtbeat.host, rtbeat.port and rtbeat.socket_mode are not used", intake.Addr())
	} else if intake, err = c.Bind(); err != nil {
		inherited.Close()
		return err
	}
	admin := inherited.Admin
	if admin != nil {
		log.Infof("the service manager passes the socket of health and metrics, %s: rtbeat.admin.host and rtbeat.admin.port are not used", admin.Addr())
	} else if c.Admin.Port != 0 {
		if admin, err = c.Admin.Bind(); err != nil {
			_ = intake.Close()
			return err
		}
	}

	intake = l.connections.Listener(intake)
	if c.ProxyProtocol {
		intake = listen.Proxied(intake, l.trusted.Has, l.trusted.Unix(), c.ReadTimeout)
	}
	l.intake = listen.NewLoop(intake)
	if admin != nil {
		// A limit of its own: probes must connect while every connection above carries a waiting request.
		l.admin = listen.NewBound(maxAdminConnections).Listener(admin)
	}
	return nil
}

// maxAdminConnections is enough for a few probes and scrapers.
const maxAdminConnections = 64

func (l *listeners) close() {
	_ = l.intake.Close() // an error changes nothing: the process ends
	if l.admin != nil {
		_ = l.admin.Close()
	}
}

func (l *listeners) register(r *metrics.Registry) {
	l.connections.Register(r)
	if l.certificates != nil {
		listen.RegisterExpiry(r, l.certificates.Expiry)
	}
}

// authenticators returns an Authenticator for each source, in their order.
func authenticators(c config.Config) (all []*auth.Authenticator, err error) {
	for _, s := range c.AllSources() {
		a, err := auth.New(s.Auth)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name, err)
		}
		all = append(all, a)
	}
	return all, nil
}

// schemesOf names the schemes of authentication, for the log: of each source, if there is a list.
func schemesOf(c config.Config, all []*auth.Authenticator) string {
	var texts []string
	for i, s := range c.AllSources() {
		schemes := cmp.Or(strings.Join(all[i].Schemes(), ", "), "none")
		if len(c.Sources) == 0 {
			return schemes
		}
		texts = append(texts, s.Name+": "+schemes)
	}
	return strings.Join(texts, "; ")
}
