package listen

import (
	"time"

	"github.com/txn2/rtbeat/internal/metrics"
)

// Register registers the metrics of the connections.
func (b *Bound) Register(r *metrics.Registry) {
	senders := r.Section("senders")
	senders.GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_connections",
		Help:  "Open connections of senders.",
		Moves: "At its limit, rtbeat closes connections for new ones.",
	}, func() float64 { return float64(b.Open()) })
	senders.GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_connections_limit",
		Help:  "The limit of rtbeat_connections (max_connections, and the files that may be open).",
		Moves: "Raise the limit of open files (`LimitNOFILE`) when it is lower than configured.",
	}, func() float64 { return float64(b.Limit()) })
	senders.CounterFunc(metrics.Declaration{
		Name:  "rtbeat_connections_accepted_total",
		Help:  "Connections of senders that rtbeat accepted.",
		Moves: "Its rate is one for each request of senders that keep no connection, and one in `max_connection_age` for each kept connection. With TLS each costs a handshake.",
	}, func() float64 { return float64(b.Accepted()) })
	senders.CounterFunc(metrics.Declaration{
		Name:  "rtbeat_connections_displaced_total",
		Help:  "Connections that rtbeat closed for another one, idle or with an incomplete request.",
		Moves: "Grows: too many senders for `max_connections`, or somebody opens connections without use.",
	}, func() float64 { return float64(b.Displaced()) })
}

// RegisterExpiry registers the end of the certificates as a metric.
func RegisterExpiry(r *metrics.Registry, expiry func() time.Time) {
	r.Section("senders").GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_tls_certificate_expiry_timestamp_seconds",
		Help:  "Expiry of the first of the served certificates, in Unix time; only with TLS.",
		More:  "It counts the server's certificate, and the certificates that rtbeat sends with it. A renewed file counts from the next scrape on.",
		Moves: "Subtract `time()` to get the time that is left. Renew the files; rtbeat needs no restart.",
	}, func() float64 { return float64(expiry().Unix()) })
}
