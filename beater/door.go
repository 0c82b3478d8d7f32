package beater

import (
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

// door is who may come in, and how: everything about the listeners that is known before one is bound.
type door struct {
	authenticator *auth.Authenticator // in force; once Run has begun, the reloads' alone
	trusted       clientip.Trusted
	certificates  *listen.Certificates // nil for plain HTTP
	connections   *listen.Bound

	listener *listen.Loop
	admin    net.Listener // nil when there is none
}

// newDoor checks the settings and reads the certificates. It binds nothing.
func newDoor(c config.Config, log *logp.Logger) (*door, error) {
	d := &door{connections: listen.NewBound(listen.Affordable(c.MaxConnections))}
	var err error
	if d.authenticator, err = auth.New(c.Auth); err != nil {
		return nil, err
	}
	if d.trusted, err = clientip.ParseTrusted(c.TrustedProxies); err != nil {
		return nil, fmt.Errorf("rtbeat.trusted_proxies: %w", err)
	}
	if c.SSL.IsEnabled() {
		if d.certificates, err = listen.TLS(c.SSL, log.Named("tls")); err != nil {
			return nil, err
		}
	}
	if limit := d.connections.Limit(); limit < c.MaxConnections {
		log.Warnf("rtbeat.max_connections is %d, but the process may open files for %d connections only; raise its limit of open files (ulimit -n, LimitNOFILE)", c.MaxConnections, limit)
	}
	return d, nil
}

// open takes over the sockets of the service manager, and binds those that it does not pass.
func (d *door) open(c config.Config, log *logp.Logger) error {
	inherited, err := systemd.Inherited()
	if err != nil {
		return err
	}
	intake := inherited.Intake
	if intake != nil {
		log.Infof("the service manager passes the socket of the intake, %s: rtbeat.host, rtbeat.port and rtbeat.socket_mode are not used", intake.Addr())
	} else if intake, err = c.Listen.Bind(); err != nil {
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

	intake = d.connections.Listener(intake)
	if c.ProxyProtocol {
		intake = listen.Proxied(intake, d.trusted.Has, d.trusted.Unix(), c.ReadTimeout)
	}
	d.listener = listen.Accepting(intake)
	if admin != nil {
		// Probes must get in while every place of the bound above has a request that waits.
		d.admin = listen.NewBound(maxAdminConnections).Listener(admin)
	}
	return nil
}

// maxAdminConnections is for a few probes and scrapers.
const maxAdminConnections = 64

// close closes what open bound or took over.
func (d *door) close() {
	_ = d.listener.Close() // there is nothing to listen to either way
	if d.admin != nil {
		_ = d.admin.Close()
	}
}

// register registers the metrics of connections and certificates.
func (d *door) register(r *metrics.Registry) {
	d.connections.Register(r)
	if d.certificates != nil {
		listen.RegisterExpiry(r, d.certificates.Expiry)
	}
}

// schemesOf is for the log: who may come in.
func schemesOf(a *auth.Authenticator) string {
	schemes := strings.Join(a.Schemes(), ", ")
	if schemes == "" {
		schemes = "none"
	}
	return schemes
}
