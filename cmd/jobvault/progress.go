package main

import (
	"fmt"
	"io"

	"github.com/schollz/progressbar/v3"
)

// progress shows the progress of long work with a fixed total: a bar on a terminal, plain
// lines elsewhere.
type progress struct {
	w     io.Writer
	bar   *progressbar.ProgressBar // on a terminal, while something is counted
	what  string
	total int
	shown int // tenths that were printed as plain lines
}

func newProgress(w io.Writer) *progress { return &progress{w: w} }

// step prints what is done next.
func (p *progress) step(what string) {
	p.done()
	fmt.Fprintln(p.w, "-", what)
}

// begin starts to count up to total.
func (p *progress) begin(what string, total int) {
	p.done()
	p.what, p.total, p.shown = what, total, 0
	if isTerminal(p.w) {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription("- "+what),
			progressbar.OptionShowCount(), progressbar.OptionFullWidth(), progressbar.OptionSetPredictTime(true))
	}
}

// set shows how many are done.
func (p *progress) set(n int) {
	if p.bar != nil {
		_ = p.bar.Set(n) // a bar that cannot be drawn is no error
		return
	}
	if tenths := 10 * n / max(p.total, 1); tenths > p.shown {
		p.shown = tenths
		fmt.Fprintf(p.w, "- %s: %d of %d\n", p.what, n, p.total)
	}
}

// done ends the counting.
func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
		fmt.Fprintln(p.w)
		p.bar = nil
	}
}
