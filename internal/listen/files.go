package listen

// reserved is how many files are kept for all but connections: the output, logs, and above all the segments of the disk
// queue. When libbeat cannot open one to read it, it passes over what is in there (handleReaderLoopResponse in
// diskqueue/core_loop.go).
const reserved = 256

// files is how many files the process may open. It is asked for at the start: libbeat forbids it later (seccomp.LoadFilter).
var files = maxFiles()

// Affordable is how many of the wanted connections there are files for.
func Affordable(wanted int) int { return affordable(wanted, files) }

func affordable(wanted int, files uint64) int {
	return min(wanted, int(files-min(files/2, reserved))) //nolint:gosec // maxFiles bounds it
}
