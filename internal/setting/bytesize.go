package setting

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
)

// ByteSize is a number of bytes. In YAML it is a plain number of bytes, or carries a unit as elsewhere in Beats
// ("32MiB" is 1024-based, "32MB" 1000-based).
type ByteSize int64

// Unpack reads a value of the configuration; ucfg calls it.
func (s *ByteSize) Unpack(v any) error {
	var n uint64
	switch v := v.(type) {
	case int64:
		*s = ByteSize(v)
		return nil
	case uint64:
		n = v
	case string:
		var err error
		if n, err = humanize.ParseBytes(v); err != nil {
			return fmt.Errorf("%q is no size; write bytes as a number, or with a unit such as 32MiB", v)
		}
	default:
		return fmt.Errorf("%v is no size; write bytes as a number, or with a unit such as 32MiB", v)
	}
	if n > math.MaxInt64 {
		return fmt.Errorf("%d bytes are more than can be counted", n)
	}
	*s = ByteSize(n)
	return nil
}
