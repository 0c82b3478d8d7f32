//go:build !unix

package listen

import (
	"errors"
	"net"
	"os"
)

// maxPath is how long the path of a socket may be on Linux.
const maxPath = 107

// bindUnix refuses: the mode of a socket means nothing here, so anybody could connect.
func bindUnix(string, os.FileMode) (net.Listener, error) {
	return nil, errors.New("this system cannot restrict who connects to a Unix socket: use a TCP address")
}
