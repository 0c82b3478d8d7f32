//go:build !linux || !(amd64 || 386 || arm || arm64)

package cmd

func allowSyscalls() error { return nil }
