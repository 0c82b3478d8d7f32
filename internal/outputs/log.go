package outputs

import (
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/elastic/elastic-agent-libs/logp"
)

// withoutDeadLetters corrects the lines that the output logs about a dead letter index that the user did not set.
func withoutDeadLetters(log *logp.Logger) *logp.Logger {
	return changeLines(log, func(entry *zapcore.Entry) bool {
		if strings.HasPrefix(entry.Message, "BETA: ") && strings.Contains(entry.Message, "dead_letter_index") {
			return false
		}
		if start, isRefused := strings.CutSuffix(entry.Message, ", trying dead letter index"); isRefused {
			entry.Message = start + ", rejecting event"
		} else if strings.HasPrefix(entry.Message, "Failed to index ") {
			entry.Message = strings.Replace(entry.Message, "tried dead letter index", "events were rejected", 1)
		}
		return true
	})
}

// gaveBack begins the line that the output logs for each window that it gives back, even if it sends the window again at once
// (libbeat/outputs/logstash/async.go and sync.go).
const gaveBack = "Failed to publish events caused by: "

// withCauses logs that line at debug, and gives its reason to a client. No method of the output returns that reason.
func withCauses(log *logp.Logger, c *logstashClient) *logp.Logger {
	return changeLines(log, func(entry *zapcore.Entry) bool {
		if reason, ok := strings.CutPrefix(entry.Message, gaveBack); ok {
			c.keepBreakReason(reason)
			entry.Level = zapcore.DebugLevel
		}
		return true
	})
}

// changeLines is a logger whose lines are changed before they are written. change returns false for a line to leave out.
func changeLines(log *logp.Logger, change func(*zapcore.Entry) bool) *logp.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return changedCore{core, change} }))
}

type changedCore struct {
	zapcore.Core
	change func(*zapcore.Entry) bool
}

func (c changedCore) With(fields []zapcore.Field) zapcore.Core {
	return changedCore{c.Core.With(fields), c.change}
}

func (c changedCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.change(&entry) || !c.Enabled(entry.Level) {
		return checked
	}
	return c.Core.Check(entry, checked)
}

// lineLimit lets a log line through once a minute, and counts the suppressed ones.
type lineLimit struct {
	last       time.Time
	suppressed int
}

func (l *lineLimit) allow(now time.Time) (suppressed int, ok bool) {
	if !l.last.IsZero() && now.Sub(l.last) < time.Minute {
		l.suppressed++
		return 0, false
	}
	suppressed = l.suppressed
	l.last, l.suppressed = now, 0
	return suppressed, true
}
