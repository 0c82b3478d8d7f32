package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A pipe has no mark.
func TestAPipe(t *testing.T) {
	r := newRig(t)
	name := filepath.Join(r.home, "pipe")
	require.NoError(t, syscall.Mkfifo(name, 0o600))
	writing := make(chan error, 1)
	go func() {
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err == nil {
			_, err = file.WriteString("1\n2\n3\n")
			err = errors.Join(err, file.Close())
		}
		writing <- err
	}()
	require.NoError(t, r.send(t.Context(), name))
	require.NoError(t, <-writing)
	require.Equal(t, "1\n2\n3\n", r.bodies())
	entries, err := os.ReadDir(r.home)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}
