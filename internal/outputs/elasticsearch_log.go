package outputs

import (
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/elastic/elastic-agent-libs/logp"
)

// withoutDeadLetters corrects the lines that the output logs about a dead letter index that the user did not set.
func withoutDeadLetters(log *logp.Logger) *logp.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return noDeadLetters{core} }))
}

type noDeadLetters struct{ zapcore.Core }

func (c noDeadLetters) With(fields []zapcore.Field) zapcore.Core {
	return noDeadLetters{c.Core.With(fields)}
}

func (c noDeadLetters) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if strings.HasPrefix(entry.Message, "BETA: ") && strings.Contains(entry.Message, "dead_letter_index") {
		return checked
	}
	if start, isRefused := strings.CutSuffix(entry.Message, ", trying dead letter index"); isRefused {
		entry.Message = start + ", rejecting event"
	} else if strings.HasPrefix(entry.Message, "Failed to index ") {
		entry.Message = strings.Replace(entry.Message, "tried dead letter index", "events were rejected", 1)
	}
	return c.Core.Check(entry, checked)
}
