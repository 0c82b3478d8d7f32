// Package beater is wiring and order: what is built at the start, and in which order it stops. It decides nothing
// about a batch.
package beater

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/version"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/libbeatstats"
	"github.com/txn2/rtbeat/internal/outputs"
)

// Options are what the command line knows and libbeat does not hand to a Beater.
type Options struct {
	// Root is the whole configuration, command line settings applied. New gets only the rtbeat section, and must
	// judge the queue too.
	Root *conf.C
	// Check is set by commands that only build the Beater, such as "test config": nothing is bound, so that they
	// work beside a running rtbeat.
	Check bool
	// Run is set by the command that runs.
	Run bool

	// DiskQueue is where the settings of libbeat's disk queue stand, "queue.disk" or below the output; empty where there are none.
	// They ask for durable mode.
	DiskQueue string

	// Reread reads the whole configuration again, for a reload, and tells what DiskQueue would be.
	Reread func() (root *conf.C, diskQueue string, err error)
	// Hangups has a place for one SIGHUP, and gets those that come during the start. Run reloads at each.
	Hangups chan os.Signal

	processors []string // the names of the processors that Processing found in the configuration
}

// Beater takes batches in over HTTP and answers for their delivery. libbeat runs it.
type Beater struct {
	config        config.Config
	log           *logp.Logger
	output        string // its name
	unconfirmed   bool   // the output does not say which events it gave up
	door          *door
	pipeline      beat.Pipeline
	closePipeline func() error
	queue         *diskqueue.Queue // nil in memory mode
	libbeat       *libbeatstats.Stats
	build         build
	processors    []string // the names of the processors in the configuration
	reread        func() (root *conf.C, diskQueue string, err error)
	hangups       chan os.Signal

	stop    context.CancelFunc
	stopped context.Context //nolint:containedctx // the stop signal: libbeat's Stop takes no context, and may come before Run
}

// New reads the configuration, binds the listener and guards the pipeline. A configuration that is wrong and a port
// that is taken are errors here, on the command line.
func New(b *beat.Beat, section *conf.C, options Options) (*Beater, error) {
	c, warnings, err := LoadConfig(section, options.Root, options.DiskQueue)
	if err != nil {
		return nil, fmt.Errorf("checking the configuration: %w", err)
	}
	log := b.Info.Logger.Named("rtbeat")
	for _, warning := range warnings {
		log.Warn(warning)
	}
	if err := judgeQueue(options.Root, c.Timeout); err != nil {
		return nil, fmt.Errorf("checking the configuration: %w", err)
	}
	output := ""
	if b.Config != nil {
		output = b.Config.Output.Name()
	}
	unconfirmed := output != "" && !outputs.Confirms(output)
	if unconfirmed && !c.AllowUnconfirmedOutput {
		return nil, fmt.Errorf("checking the configuration: output.%s does not say which events it gave up, and they would be lost. "+
			"Use output.logstash, output.elasticsearch or output.file, or set rtbeat.allow_unconfirmed_output to true", output)
	}
	if unconfirmed {
		log.Warnf("output.%s does not say which events it gave up, and rtbeat.allow_unconfirmed_output is true: such events are lost, and their senders are answered 200", output)
	}
	door, err := newDoor(c, log)
	if err != nil {
		return nil, fmt.Errorf("checking the configuration: %w", err)
	}
	bt := &Beater{
		config: c, log: log, door: door, output: output, unconfirmed: unconfirmed, reread: options.Reread, hangups: options.Hangups, processors: options.processors,
		libbeat: libbeatstats.New(b.Monitoring.StatsRegistry()),
		build:   build{version: b.Info.Version, commit: version.Commit(), libbeat: version.GetDefaultVersion()},
	}
	bt.stopped, bt.stop = context.WithCancel(context.Background())
	if options.Check {
		return bt, nil
	}
	if err := checkLeftovers(c); err != nil {
		bt.stop()
		return nil, err
	}
	limitMemory(c, memlimit.FromCgroup, log)
	raiseHeap()
	if err := door.open(c, log); err != nil {
		bt.stop()
		return nil, err
	}
	if bt.queue, err = openQueue(c, log); err != nil {
		bt.door.close()
		bt.stop()
		return nil, err
	}
	bt.pipeline, bt.closePipeline = guard(b)
	return bt, nil
}

// Run serves until Stop is called or the listener fails, then stops in order. It returns nil after a Stop, however
// much of the budget the stop took.
func (bt *Beater) Run(*beat.Beat) error {
	defer bt.stop()
	bt.takeHangups()
	a, err := bt.assemble()
	if err != nil {
		bt.door.close()
		_ = bt.closePipeline()
		if bt.queue != nil {
			_ = bt.queue.Close()
		}
		return err
	}

	a.shipping.start()
	served := make(chan error, 2) // one from each listener
	var server sync.WaitGroup
	server.Go(func() { served <- a.server.Serve(bt.door.listener) })
	if bt.door.admin != nil {
		server.Go(func() { served <- a.server.ServeAdmin(bt.door.admin) })
		bt.log.Infow("health and metrics on " + bt.door.admin.Addr().String())
		defer background(a.status.Run)()
	}
	defer server.Wait()
	bt.announce()

	stopWatch := background(a.states.watch)
	defer stopWatch()

	manager := bt.newManager(a)
	select { // a signal can come first
	case <-bt.door.listener.Begun():
	case <-bt.stopped.Done():
	}
	stopReloads := background(func(ctx context.Context) { bt.reloads(ctx, a, manager) })
	defer stopReloads()
	manager.ready()
	defer background(manager.run)()

	select {
	case <-bt.stopped.Done():
	case err = <-served: // the listener broke; what is in flight still gets its chance
		bt.log.Errorw("serving failed, stopping", "error.message", err.Error())
	}
	stopReloads()
	manager.stop(bt.config.ShutdownTimeout)
	bt.shutdown(a, stopWatch)
	return err
}

// announce is the one line that says what runs here. Tests and tools read the address behind its first words.
func (bt *Beater) announce() {
	c := bt.config
	bt.log.Infow("listening on "+bt.Address(),
		"service.version", bt.build.version, "tls", bt.door.certificates != nil, "auth", schemesOf(bt.door.authenticator), "output", bt.output, "ack", string(bt.ack()),
		"timeout", c.Timeout.String(), "stall_after", c.StallAfter.String(), "shutdown_timeout", c.ShutdownTimeout.String(),
		"max_body_bytes", int64(c.MaxBody), "max_messages", c.MaxMessages, "max_in_flight_bytes", int64(c.MaxInFlight),
		"max_connections", bt.door.connections.Limit())
}

// Address is the address that New bound, with the port in force where the configuration says 0.
func (bt *Beater) Address() string { return bt.door.listener.Addr().String() }

// Stop asks Run to stop. It returns at once, and may be called from any goroutine, more than once, and before Run.
func (bt *Beater) Stop() { bt.stop() }
