package listen

// reserved is how many files are kept for the output, logs, and the segments of the queue on disk.
const reserved = 256

// files is how many files the process may open. It is read at the start: libbeat forbids reading it later
// (seccomp.LoadFilter).
var files = maxFiles()

// Affordable returns the number of connections, at most wanted, that the limit of open files allows.
func Affordable(wanted int) int { return affordable(wanted, files) }

func affordable(wanted int, files uint64) int {
	return min(wanted, int(files-min(files/2, reserved))) //nolint:gosec // maxFiles bounds it
}
