package beater

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"

	conf "github.com/elastic/elastic-agent-libs/config"
)

// authRemoved is the error of a reload that would switch authentication off: a missing auth section is more likely a half-written
// file than a decision.
func authRemoved(section string) error {
	return fmt.Errorf("%s is in force, and the configuration has none: a reload does not admit everybody; put %[1]s back, or restart to run without it", section)
}

// takeHangups takes SIGHUP over from libbeat, which stops at it (HandleSignals in elastic-agent-libs, service/service.go). Ignore
// ends libbeat's registration, and Notify registers Hangups again. Run must call it: libbeat has registered by then.
func (bt *Beater) takeHangups() {
	if bt.options.Hangups == nil {
		return
	}
	signal.Ignore(syscall.SIGHUP)
	signal.Notify(bt.options.Hangups, syscall.SIGHUP)
}

// reloads reads certificates and secrets again at each SIGHUP, until ctx ends. From then on the signal is ignored: during a stop
// it means nothing. reloads does not wait for a reload under way: reading a file may block for ever.
func (bt *Beater) reloads(ctx context.Context, a *assembly, notifier *sdNotifier) {
	defer signal.Ignore(syscall.SIGHUP)
	for {
		select {
		case <-ctx.Done():
			return
		case <-bt.options.Hangups:
		}
		notifier.notify.Reloading()
		result := reloadDone
		err := within(ctx, func() error { return bt.reload(a) })
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			result = reloadFailed
			bt.log.Errorw("reloading failed: the certificates, tokens, passwords and keys from before stay in force", "error.message", err.Error())
		}
		a.reloads.Inc(result)
		notifier.ready()
	}
}

// reload reads the configuration again. It applies the credentials of all sources and the files of rtbeat.ssl: all of them, or none
// after an error. It logs the names of other settings of the rtbeat section that have changed.
func (bt *Beater) reload(a *assembly) error {
	if bt.options.Reread == nil {
		return errors.New("this process cannot read its configuration again; restart it")
	}
	root, diskKey, err := bt.options.Reread()
	if err != nil {
		return err
	}
	section := conf.NewConfig()
	if root.HasField("rtbeat") {
		if section, err = root.Child("rtbeat", -1); err != nil {
			return fmt.Errorf("reading the rtbeat section: %w", err)
		}
	}
	read, _, warnings, err := loadWithin(section, root, diskKey, bt.memory)
	if err != nil {
		return fmt.Errorf("checking the configuration: %w", err)
	}
	// Certificate names need the ssl settings in force, which may differ from the file.
	next, kept, err := cmp.Or(bt.inForce, &bt.config).WithSecrets(read)
	if err != nil {
		return fmt.Errorf("checking the configuration: %w", err)
	}
	all, err := authenticators(next)
	if err != nil {
		return fmt.Errorf("checking the configuration: %w", err)
	}
	for i, a := range all {
		if !bt.listeners.authenticators[i].Enabled() || a.Enabled() {
			continue
		}
		if len(next.Sources) > 0 {
			return authRemoved("the auth of source " + next.Sources[i].Name)
		}
		return authRemoved("rtbeat.auth")
	}
	if err := bt.listeners.certificates.Reload(); err != nil {
		return err
	}
	bt.inForce, bt.listeners.authenticators = &next, all
	a.server.Authenticate(all)
	for _, warning := range warnings {
		bt.log.Warn(warning)
	}
	bt.log.Infow("reloaded: the certificates, tokens, passwords and keys of the files are in force", "tls", bt.listeners.certificates != nil, "auth", schemesOf(next, all))
	if len(kept) > 0 {
		bt.log.Warnw("reloaded, but sources that the files do not have keep their former credentials until a restart", "sources", strings.Join(kept, ", "))
	}
	if keys := bt.config.Changed(read); len(keys) > 0 {
		bt.log.Warnw("reloaded, but other settings have changed: restart rtbeat to apply them", "settings", strings.Join(keys, ", "))
	}
	return nil
}
