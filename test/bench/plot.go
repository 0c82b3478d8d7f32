package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// The plot's measures, in pixels.
const (
	plotWidth  = 860
	barsAt     = 300
	barsWidth  = 440
	rowHeight  = 28
	barHeight  = 16
	plotTop    = 44
	plotBottom = 34
)

// axisFactor is how far the axis goes, in units of libbeat's ceiling. Longer bars are cut: one row that takes ten times as much
// must not press all others together.
const axisFactor = 3

// style makes the plot readable on light and dark pages: a picture in a page follows the reader's setting.
const style = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.small { font-size: 11px; fill: #59636e; }
.title { font-weight: 600; }
.limit { fill: #9aa4af; }
.rtbeat { fill: #2f81c7; }
.grid { stroke: #d1d9e0; }
.whisker { stroke: #1f2328; stroke-width: 1.5; }
.page, .cut { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.small { fill: #9198a1; }
.limit { fill: #6e7681; }
.rtbeat { fill: #4493f8; }
.grid { stroke: #3d444d; }
.whisker { stroke: #e6edf3; }
.page, .cut { fill: #0d1117; }
}
</style>
`

// plot draws the CPU seconds a million events of each row, with whiskers from the least to the most.
func plot(rows []*row) string {
	var svg strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&svg, format+"\n", args...) }
	height := plotTop + len(rows)*rowHeight + plotBottom
	add(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="CPU seconds a million events">`, plotWidth, height, plotWidth, height)
	svg.WriteString(style)
	add(`<rect class="page" width="%d" height="%d" rx="6"/>`, plotWidth, height) // a page may be dark and its reader's setting light
	add(`<text class="title" x="12" y="24">CPU seconds a million events: medians, from least to most</text>`)

	end := axisEnd(rows)
	x := func(value float64) float64 { return barsAt + barsWidth*min(value, end)/end }
	bottom := height - plotBottom
	for _, mark := range marks(end) {
		add(`<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, x(mark), plotTop-6, x(mark), bottom)
		add(`<text class="small" x="%.1f" y="%d" text-anchor="middle">%.4g</text>`, x(mark), bottom+18, mark)
	}
	for i, r := range rows {
		drawRow(add, r, plotTop+i*rowHeight, end, x)
	}
	add(`</svg>`)
	return svg.String()
}

func drawRow(add func(string, ...any), r *row, top int, end float64, x func(float64) float64) {
	cpu, class := r.cpu(), "rtbeat"
	if r.limit {
		class = "limit"
	}
	middle := top + rowHeight/2
	add(`<text x="%d" y="%d" text-anchor="end">%s</text>`, barsAt-10, middle+4, escape(r.name))
	add(`<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`, class, barsAt, middle-barHeight/2, x(cpu.median)-barsAt, barHeight)
	textAt := x(max(cpu.median, cpu.max)) + 10
	if cpu.median > end {
		at := x(end) - 24
		add(`<path class="cut" d="M%.1f %d l8 %d h6 l-8 %d z"/>`, at, middle+barHeight/2+2, -barHeight-4, barHeight+4)
	} else {
		from, to := x(cpu.min), x(cpu.max)
		add(`<path class="whisker" fill="none" d="M%.1f %d H%.1f M%.1f %d v8 M%.1f %d v8"/>`, from, middle, to, from, middle-4, to, middle-4)
	}
	add(`<text x="%.1f" y="%d">%.1f</text>`, textAt, middle+4, cpu.median)
}

// axisEnd is the largest value that the axis shows.
func axisEnd(rows []*row) float64 {
	most, ceiling := 0.0, 0.0
	for _, r := range rows {
		most = max(most, r.cpu().max)
		if r.name == rowCeiling {
			ceiling = r.cpu().median
		}
	}
	if limit := axisFactor * ceiling; limit > 0 && most > limit {
		return limit
	}
	return max(most, 1e-9)
}

// marks are the values at the grid: a few, at round numbers.
func marks(end float64) (found []float64) {
	power := math.Pow10(int(math.Floor(math.Log10(end))))
	step := power / 5
	for _, round := range []float64{2, 5, 10} {
		if end/step > 8 {
			step = power * round / 10
		}
	}
	for i := 0; float64(i)*step <= end; i++ {
		found = append(found, float64(i)*step)
	}
	return found
}

func escape(text string) string {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(text)) // a strings.Builder does not fail
	return escaped.String()
}
