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
	switch v := v.(type) {
	case int64: // YAML has read 0660 as octal already
		return m.set(uint64(max(v, 0)), v)
	case uint64:
		return m.set(v, v)
	case string:
		n, err := strconv.ParseUint(v, 8, 64)
		if err != nil {
			return fmt.Errorf("%q is no mode of a file; write it in octal, such as \"0660\"", v)
		}
		return m.set(n, v)
	default:
		return fmt.Errorf("%v is no mode of a file; write it in octal, such as \"0660\"", v)
	}
}

func (m *FileMode) set(n uint64, written any) error {
	if n == 0 || n > 0o777 {
		return fmt.Errorf("%v is no mode of a file; write it in octal, such as \"0660\"", written)
	}
	*m = FileMode(n)
	return nil
}
