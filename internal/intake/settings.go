package intake

import (
	"cmp"
	"fmt"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/setting"
)

// Settings are the limits of a request.
type Settings struct {
	// Timeout is how long a request waits for the output to acknowledge its batch, from the moment its body has been read. Then
	// rtbeat answers 504, and the sender sends the batch again. Keep it below the sender's own timeout, which is 60 s in rxtx:
	// 60 s or more is a warning. Zero or less is the default, with a warning.
	Timeout time.Duration `config:"timeout"`

	// ReadTimeout limits how long a sender may take for the headers of a request, and again for its body. rtbeat answers a
	// slower body with 408.
	ReadTimeout time.Duration `config:"read_timeout"`

	// IdleTimeout is how long an idle connection stays open for the next request.
	IdleTimeout time.Duration `config:"idle_timeout"`

	// MaxBody is the largest body, as it comes over the wire and again after decompression. rtbeat answers a larger body with
	// 413. A sender such as rxtx that repeats a refused batch is stuck until this is raised. The default is half of
	// `max_in_flight_bytes` where [that is lower](operations.md#memory) for lack of memory.
	MaxBody setting.ByteSize `config:"max_body_bytes"`

	// MaxMessages limits the messages of a batch, between 1 and 16777216. rtbeat answers a batch with more messages with 413.
	MaxMessages int `config:"max_messages"`

	// MaxDepth limits the levels of objects and arrays in a message, between 1 and 990. The message itself is the first level.
	// rtbeat answers a deeper message with 400. Elasticsearch takes 20 levels by default, Logstash's JSON parser 1,000.
	MaxDepth int `config:"max_depth"`

	// MaxKey limits an object key of a message, in bytes of UTF-8 without escapes, between 1 and 50000. rtbeat answers a longer
	// key with 400. Logstash's JSON parser reads 50,000 bytes. At a longer key it closes the connection, and receives nothing
	// that comes after it.
	MaxKey setting.ByteSize `config:"max_key_bytes"`

	// MaxHeader limits the request line and the headers of a request together, between `1KiB` and `1MiB`. rtbeat answers more
	// with 431. On HTTP/1.1, Go lets 4 KiB more pass.
	MaxHeader setting.ByteSize `config:"max_header_bytes"`

	// CORS is about browsers that send for a web page of another origin.
	CORS CORS `config:"cors"`
}

// DefaultSettings are the settings where the file says nothing.
func DefaultSettings() Settings {
	return Settings{
		Timeout:     5 * time.Second,
		ReadTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute,
		MaxBody:     16 << 20,
		MaxMessages: 50_000,
		MaxDepth:    128,
		MaxKey:      32 << 10,
		MaxHeader:   8 << 10,
	}
}

// The bounds of the limits. The decoder has more. More messages than mostMessages are beyond the memory of a process.
const (
	mostMessages = 1 << 24
	leastHeader  = 1 << 10
	mostHeader   = 1 << 20
)

// Check applies the rules of the settings.
func (s *Settings) Check() error {
	if s.MaxKey < 1 || s.MaxKey > batch.HighestMaxKeyBytes {
		return fmt.Errorf("rtbeat.max_key_bytes is %d; it must be between 1 and %d, which is the longest key that Logstash reads", s.MaxKey, batch.HighestMaxKeyBytes)
	}
	if s.MaxHeader < leastHeader || s.MaxHeader > mostHeader {
		return fmt.Errorf("rtbeat.max_header_bytes is %d; it must be between 1KiB, which ordinary requests need, and 1MiB", s.MaxHeader)
	}
	return cmp.Or(
		setting.CheckDuration("rtbeat.timeout", s.Timeout, 1),
		setting.CheckDuration("rtbeat.read_timeout", s.ReadTimeout, 1),
		setting.CheckDuration("rtbeat.idle_timeout", s.IdleTimeout, 1),
		setting.CheckSize("rtbeat.max_body_bytes", s.MaxBody),
		setting.CheckNumber("rtbeat.max_messages", s.MaxMessages, 1, mostMessages),
		setting.CheckNumber("rtbeat.max_depth", s.MaxDepth, 1, batch.HighestMaxDepth),
		s.CORS.check(),
	)
}
