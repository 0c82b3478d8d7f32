//go:build senders

// Package senders runs programs in front of rtbeat, with the configurations of docs/senders.md, against the real binary and a
// real lumberjack server.
package senders

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(page.Run(m)) }
