package beater

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/internal/auth"
)

// errOpened refuses what is a file that is empty, or written half, more often than meant: it would let everybody in.
var errOpened = errors.New("rtbeat.auth is in force and not in the configuration any more: a reload does not let everybody in; put it back, or restart to do without")

// takeHangups takes SIGHUP over from libbeat, to which it is a third signal to stop (HandleSignals in elastic-agent-libs,
// service/service.go): Ignore ends that, and Notify brings the signal here again. It must be called in Run, after libbeat
// asked for it.
func (bt *Beater) takeHangups() {
	if bt.hangups == nil {
		return
	}
	signal.Ignore(syscall.SIGHUP)
	signal.Notify(bt.hangups, syscall.SIGHUP)
}

// reloads reads certificates and secrets again at each SIGHUP, until ctx ends. From then on the signal is ignored: during a stop
// it means nothing. reloads does not wait for a reload under way: reading a file may block for ever.
func (bt *Beater) reloads(ctx context.Context, a *assembly, m *manager) {
	defer signal.Ignore(syscall.SIGHUP)
	for {
		select {
		case <-ctx.Done():
			return
		case <-bt.hangups:
		}
		m.notify.Reloading()
		result := reloadDone
		err := within(ctx, func() error { return bt.reload(a) })
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			result = reloadFailed
			bt.log.Errorw("reloading failed: the certificates, tokens, passwords and keys that were in force stay so", "error.message", err.Error())
		}
		a.reloads.Inc(result)
		m.ready()
	}
}

// reload reads the configuration again and puts its auth section, and what the files of rtbeat.ssl hold, in force: all of
// it or nothing. The log names other settings of the rtbeat section that have changed.
func (bt *Beater) reload(a *assembly) error {
	if bt.reread == nil {
		return errors.New("this process cannot read its configuration again")
	}
	root, diskQueue, err := bt.reread()
	if err != nil {
		return err
	}
	section := conf.NewConfig()
	if root.HasField("rtbeat") {
		if section, err = root.Child("rtbeat", -1); err != nil {
			return fmt.Errorf("reading the rtbeat section: %w", err)
		}
	}
	read, warnings, err := LoadConfig(section, root, diskQueue)
	if err != nil {
		return fmt.Errorf("checking the configuration: %w", err)
	}
	// Names of certificates need ssl as it is in force, not as the file has it by now.
	next, err := bt.config.WithAuth(read.Auth)
	if err != nil {
		return fmt.Errorf("checking the configuration: %w", err)
	}
	authenticator, err := auth.New(next.Auth)
	if err != nil {
		return fmt.Errorf("checking the configuration: %w", err)
	}
	if bt.door.authenticator.Enabled() && !authenticator.Enabled() {
		return errOpened
	}
	if err := bt.door.certificates.Reload(); err != nil {
		return err
	}
	bt.door.authenticator = authenticator
	a.server.Authenticate(authenticator)
	for _, warning := range warnings {
		bt.log.Warn(warning)
	}
	bt.log.Infow("reloaded: certificates, tokens, passwords and keys are those of the files now", "tls", bt.door.certificates != nil, "auth", schemesOf(authenticator))
	if keys := bt.config.Changed(read); len(keys) > 0 {
		bt.log.Warnw("reloaded, but other settings have changed as well: a restart applies them", "settings", strings.Join(keys, ", "))
	}
	return nil
}
