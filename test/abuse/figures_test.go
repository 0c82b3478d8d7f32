//go:build abuse

package abuse

import (
	"time"

	"github.com/prometheus/procfs"
)

// figures of the process, from /proc. They are 0 when it has ended, which other checks report.
type figures struct {
	peak  int64 // resident bytes
	cpu   time.Duration
	files int
}

func (r *running) figures() (f figures) {
	p, err := procfs.NewProc(r.Pid())
	if err != nil {
		return f
	}
	status, _ := p.NewStatus()
	stat, _ := p.Stat()
	f.peak, f.cpu = int64(status.VmHWM), time.Duration(stat.CPUTime()*float64(time.Second))
	f.files, _ = p.FileDescriptorsLen()
	return f
}
