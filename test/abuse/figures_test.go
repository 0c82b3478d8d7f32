//go:build abuse

package abuse

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// figures of the process, from /proc.
type figures struct {
	rss, peak int64 // bytes
	cpu       time.Duration
	files     int
}

func (r *running) figures() (f figures) {
	dir := "/proc/" + strconv.Itoa(r.pid)
	status, _ := os.ReadFile(dir + "/status") // none when it is gone, which others find out
	for line := range strings.Lines(string(status)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &f.rss)
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &f.peak)
	}
	f.rss, f.peak = f.rss<<10, f.peak<<10
	if stat, err := os.ReadFile(dir + "/stat"); err == nil {
		var user, system int64
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		_, _ = fmt.Sscan(string(fields[11])+" "+string(fields[12]), &user, &system) // proc(5), in ticks of 10 ms
		f.cpu = time.Duration(user+system) * 10 * time.Millisecond
	}
	files, _ := os.ReadDir(dir + "/fd")
	f.files = len(files)
	return f
}

// metrics reads the admin listener, which is not attacked.
func (r *running) metrics() (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.admin+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	samples := make(map[string]float64)
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			samples[name] = v
		}
	}
	return samples, nil
}
