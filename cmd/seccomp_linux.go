//go:build amd64 || 386 || arm || arm64

package cmd

import (
	"fmt"

	"github.com/elastic/beats/v7/libbeat/common/seccomp"
)

// allowSyscalls allows the system call that the queue on disk needs. libbeat has a list of allowed calls for these architectures
// only (libbeat/common/seccomp).
func allowSyscalls() error {
	if err := seccomp.ModifyDefaultPolicy(seccomp.AddSyscall, "fallocate"); err != nil {
		return fmt.Errorf("allowing fallocate: %w", err)
	}
	return nil
}
