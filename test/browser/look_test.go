//go:build browser

package browser

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

var (
	// screenshots is the folder for pictures of the page. Without it no picture is taken.
	screenshots string
	// after is the time before a picture is taken, so that the plots have data.
	after time.Duration
)

// stalledShare is the share of that time with a stalled output, in the test of a stall.
const stalledShare = 10

// maxPicture bounds the pictures in the repository.
const maxPicture = 150 << 10

func init() { //nolint:gochecknoinits // a flag of go test has to be there before TestMain
	flag.StringVar(&screenshots, "screenshots", "", "a folder for pictures of the page, such as docs/images")
	flag.DurationVar(&after, "after", 10*time.Minute, "how long rtbeat works before a picture is taken")
}

// goOn lets rtbeat run for a while, if pictures are taken.
func goOn(tb *tab, d time.Duration) {
	tb.t.Helper()
	if screenshots != "" {
		harness.Pause(tb.t.Context(), d)
	}
}

// fits fails the test if the page is wider than its window, or an element overflows it.
func (tb *tab) fits() {
	tb.t.Helper()
	wide := evaluate[[]string](tb, `[...document.querySelectorAll("body *")]
		.filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
		.map((e) => e.tagName + "#" + e.id + "." + e.className)`)
	require.Empty(tb.t, wide)
	require.True(tb.t, evaluate[bool](tb, "document.documentElement.scrollWidth <= document.documentElement.clientWidth"))
}

func (tb *tab) withoutScript() {
	tb.t.Helper()
	call(tb, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// shoot writes the window into two files, light and dark, if pictures are taken.
func shoot(tb *tab, name string) {
	tb.t.Helper()
	if screenshots == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		tb.prefer(scheme)
		picture := call(tb, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng}).Data
		small := withPalette(tb, picture)
		require.Less(tb.t, len(small), maxPicture)
		file := filepath.Join(screenshots, name+"-"+scheme+".png")
		require.NoError(tb.t, os.WriteFile(file, small, 0o644))
	}
}

// withPalette reduces a picture to its most frequent colours, nearly all of them: the file has a third of the size.
func withPalette(tb *tab, picture []byte) []byte {
	tb.t.Helper()
	from, err := png.Decode(bytes.NewReader(picture))
	require.NoError(tb.t, err)
	counts := make(map[color.Color]int)
	for y := range from.Bounds().Dy() {
		for x := range from.Bounds().Dx() {
			counts[from.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	const most = 255
	to := image.NewPaletted(from.Bounds(), colours[:min(len(colours), most)])
	draw.Draw(to, to.Bounds(), from, image.Point{}, draw.Src)
	var buf bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	require.NoError(tb.t, encoder.Encode(&buf, to))
	return buf.Bytes()
}
