package setting

import (
	"fmt"
	"io/fs"
	"strconv"
)

// FileMode is the permissions of a file. In YAML it is written in octal, with quotes or without: "0660", 0660.
type FileMode fs.FileMode

// Unpack reads a value of the configuration; ucfg calls it.
func (m *FileMode) Unpack(v any) error {
	var n uint64
	switch v := v.(type) {
	case int64: // YAML has read 0660 as octal already
		n = uint64(max(v, 0))
	case uint64:
		n = v
	case string:
		n, _ = strconv.ParseUint(v, 8, 64)
	}
	if n == 0 || n > 0o777 {
		return fmt.Errorf("%v is no mode of a file; write it in octal, such as \"0660\"", v)
	}
	*m = FileMode(n)
	return nil
}
