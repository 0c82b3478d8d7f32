// Package beater builds rtbeat from its packages at the start, and stops them in order. It decides nothing about a batch.
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

// Options carry values that libbeat does not hand to a Beater. Package cmd makes one value, and these hooks set its fields, in this
// order:
//
//  1. cmd.New: Hangups and Reread
//  2. PreRun of the command, before libbeat reads the configuration: Check or Run
//  3. an override of the configuration (overrides in cmd), which gets the file without defaults: LibbeatDiskKey
//  4. Processing, which gets the whole configuration: Root and processors
//
// New gets a copy afterwards. A reload does not change it.
type Options struct {
	// Root is the whole configuration, with the settings of the command line. New checks the queue by it: libbeat hands New
	// the rtbeat section only.
	Root *conf.C
	// Check is set by commands that only build the Beater, such as "test config". New binds nothing then: they work beside a
	// running rtbeat.
	Check bool
	// Run is set by the command "run".
	Run bool

	// LibbeatDiskKey is the key of the settings of libbeat's disk queue: "queue.disk", there or below the output. They ask for
	// durable mode. It is empty without such settings.
	LibbeatDiskKey string

	// Reread reads the whole configuration again, for a reload, and its LibbeatDiskKey.
	Reread func() (root *conf.C, diskKey string, err error)
	// Hangups has a buffer of one. SIGHUPs during the start are in it already. Run reloads at each.
	Hangups chan os.Signal

	processors []string // the names of the processors that Processing found in the configuration
	rootFields []string // the names of the fields that libbeat adds to the root of each event, as Processing found them
}

// Beater receives batches over HTTP and answers 200 once they are delivered. libbeat runs it.
type Beater struct {
	config        config.Config
	memory        config.Memory  // the defaults of config are for this much
	inForce       *config.Config // config with the credentials of the last reload, which alone uses it; nil before
	options       Options
	log           *logp.Logger
	output        string // its name
	unconfirmed   bool   // the output does not say which events it gave up
	listeners     *listeners
	pipeline      beat.Pipeline
	closePipeline func() error
	queue         *diskqueue.Queue // nil in memory mode
	libbeat       *libbeatstats.Stats
	build         build
	stop          func() // closes stopped
	stopped       chan struct{}
}

// New reads the configuration, binds the listeners and guards the pipeline. A wrong configuration and a port in use are
// errors of New, so that they appear on the command line.
func New(b *beat.Beat, section *conf.C, options Options) (*Beater, error) {
	log := b.Info.Logger.Named("rtbeat")
	memory := limitMemory(memlimit.FromCgroup, log)
	c, usual, warnings, err := loadWithin(section, options.Root, options.LibbeatDiskKey, memory)
	if err != nil {
		return nil, fmt.Errorf("checking the configuration: %w", err)
	}
	logMemory(c, usual, memory, log)
	for _, warning := range warnings {
		log.Warn(warning)
	}
	if err := checkMemoryQueue(options.Root, c.Timeout); err != nil {
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
	listeners, err := newListeners(c, log)
	if err != nil {
		return nil, fmt.Errorf("checking the configuration: %w", err)
	}
	bt := &Beater{
		config: c, memory: memory, options: options, log: log, listeners: listeners, output: output, unconfirmed: unconfirmed, stopped: make(chan struct{}),
		libbeat: libbeatstats.New(b.Monitoring.StatsRegistry()),
		build:   build{version: b.Info.Version, commit: version.Commit(), libbeat: version.GetDefaultVersion()},
	}
	bt.stop = sync.OnceFunc(func() { close(bt.stopped) })
	if options.Check {
		return bt, nil
	}
	if err := checkLibbeatEvents(c); err != nil {
		return nil, err
	}
	raiseHeap(memory)
	if err := listeners.open(c, log); err != nil {
		return nil, err
	}
	if bt.queue, err = openQueue(c, log); err != nil {
		listeners.close()
		return nil, err
	}
	bt.pipeline, bt.closePipeline = guard(b)
	return bt, nil
}

// Run serves until Stop is called or a listener fails, then stops in order. After a Stop it returns nil, even if the stop
// took longer than its budget.
func (bt *Beater) Run(*beat.Beat) error {
	bt.takeHangups()
	a, err := bt.assemble()
	if err != nil {
		bt.listeners.close()
		_ = bt.closePipeline()
		if bt.queue != nil {
			_ = bt.queue.Close()
		}
		return err
	}

	a.shipping.start()
	served := make(chan error, 2) // one from each listener
	var server sync.WaitGroup
	server.Go(func() { served <- a.server.Serve(bt.listeners.intake) })
	if bt.listeners.admin != nil {
		server.Go(func() { served <- a.server.ServeAdmin(bt.listeners.admin) })
		bt.log.Infow("health and metrics on " + bt.listeners.admin.Addr().String())
		defer background(a.status.Run)()
	}
	defer server.Wait()
	bt.announce()

	stopWatch := background(a.conditions.watch)
	defer stopWatch()

	notifier := bt.newSdNotifier(a)
	select { // the stop may be asked for before the first Accept
	case <-bt.listeners.intake.Begun():
	case <-bt.stopped:
	}
	stopReloads := background(func(ctx context.Context) { bt.reloads(ctx, a, notifier) })
	defer stopReloads()
	notifier.ready()
	defer background(notifier.run)()

	select {
	case <-bt.stopped:
	case err = <-served: // requests in flight still get their answers
		bt.log.Errorw("serving failed, stopping", "error.message", err.Error())
	}
	stopReloads()
	notifier.stop(bt.config.ShutdownTimeout)
	bt.shutdown(a, stopWatch)
	return err
}

// announce logs the address and the settings in force. Tests and tools read the address after "listening on".
func (bt *Beater) announce() {
	c := bt.config
	bt.log.Infow("listening on "+bt.Address(),
		"service.version", bt.build.version, "tls", bt.listeners.certificates != nil, "auth", schemesOf(c, bt.listeners.authenticators), "output", bt.output, "ack", string(bt.ack()),
		"timeout", c.Timeout.String(), "stall_after", c.StallAfter.String(), "shutdown_timeout", c.ShutdownTimeout.String(),
		"max_body_bytes", int64(c.MaxBody), "max_messages", c.MaxMessages, "max_in_flight_bytes", int64(c.MaxInFlight),
		"max_connections", bt.listeners.connections.Limit())
}

// Address is the address that New bound. For port 0 it has the port that the kernel chose.
func (bt *Beater) Address() string { return bt.listeners.intake.Addr().String() }

// Stop asks Run to stop. It returns at once, and may be called from any goroutine, more than once, and before Run.
func (bt *Beater) Stop() { bt.stop() }
