package dedupe

import (
	"fmt"
	"time"

	"github.com/txn2/rtbeat/internal/setting"
)

// Settings are how long messages are remembered.
type Settings struct {
	// Enabled is whether rtbeat dedupes messages: a message with the [id](delivery.md#what-makes-a-message-known) and the content
	// of one that is in flight, or was delivered, is not published again. `false` publishes each attempt.
	Enabled bool `config:"enabled"`

	// Window is how long a delivered message is remembered. `0` forgets it at once, and only messages in flight are deduped.
	Window time.Duration `config:"window"`

	// MaxEntries limits the delivered messages that are remembered. Over it, the oldest are forgotten before `dedupe.window`
	// has passed. Each takes 65 to 90 bytes of memory. Messages in flight are always known; `max_in_flight_bytes` bounds them. The
	// default is [lower with little memory](operations.md#memory).
	MaxEntries int `config:"max_entries"`
}

// DefaultSettings are the settings of a file without any.
func DefaultSettings() Settings {
	return Settings{Enabled: true, Window: 10 * time.Minute, MaxEntries: 1 << 18}
}

// Check applies the rules of the settings.
func (s *Settings) Check() error {
	if s.MaxEntries <= 0 {
		return fmt.Errorf("rtbeat.dedupe.max_entries is %d; it must be a positive number", s.MaxEntries)
	}
	return setting.CheckDuration("rtbeat.dedupe.window", s.Window, 0)
}
