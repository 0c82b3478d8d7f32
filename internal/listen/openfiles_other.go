//go:build !unix

package listen

// maxFiles is how many files the process may open: as many as it likes.
func maxFiles() uint64 { return 1 << 20 }
