//go:build !linux

package beater

// disown does nothing: a span that is fresh takes no memory here either.
func disown([]byte) {}
