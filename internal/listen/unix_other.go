//go:build !unix

package listen

import (
	"errors"
	"net"
	"os"
)

// maxPath is the longest path of a socket on Linux, in bytes.
const maxPath = 107

// bindUnix refuses: the mode of a socket means nothing here, so anybody could connect.
func bindUnix(string, os.FileMode) (net.Listener, error) {
	return nil, errors.New("this system cannot restrict who connects to a Unix socket: use a TCP address")
}
