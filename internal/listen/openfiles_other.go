//go:build !unix

package listen

// maxFiles is how many files the process may open. It stands for no limit.
func maxFiles() uint64 { return 1 << 20 }
