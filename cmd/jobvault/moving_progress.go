package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// movingProgress shows the progress of long work whose total may change: a bar on a
// terminal, a line every ten seconds elsewhere. Where the total is known from the start,
// see progress.
type movingProgress struct {
	w       io.Writer
	what    string
	bar     *progressbar.ProgressBar
	began   time.Time
	printed time.Time
	done    int
	total   int
	details string
	left    time.Duration // of the rest, at least; negative: not known
}

// lineInterval is the pause between plain lines.
const lineInterval = 10 * time.Second

func newMovingProgress(w io.Writer, what string) *movingProgress {
	p := &movingProgress{w: w, what: what, began: time.Now(), printed: time.Now()}
	if isTerminal(w) {
		p.bar = progressbar.NewOptions(1, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false), progressbar.OptionFullWidth(),
			progressbar.OptionThrottle(100*time.Millisecond))
	}
	return p
}

// set shows that done of total are done, with details, and that the rest takes at least
// left; negative: that is not known.
func (p *movingProgress) set(done, total int, details string, left time.Duration) {
	p.done, p.total, p.details, p.left = done, max(total, done), details, left
	if p.bar != nil {
		p.bar.ChangeMax(max(p.total, 1))
		p.bar.Describe(p.what + p.tail())
		_ = p.bar.Set(done) // a bar that cannot be drawn is no error
		return
	}
	if time.Since(p.printed) >= lineInterval {
		p.printed = time.Now()
		p.line()
	}
}

func (p *movingProgress) tail() string {
	tail := ""
	if p.details != "" {
		tail = ", " + p.details
	}
	took := time.Since(p.began)
	if p.left >= 0 && p.done > 0 && p.total > p.done && took > time.Second {
		// At the pace so far.
		pace := took * time.Duration(p.total-p.done) / time.Duration(p.done)
		tail += ", " + max(pace, p.left).Round(time.Second).String() + " left"
	}
	return tail
}

func (p *movingProgress) line() {
	fmt.Fprintf(p.w, "- %s: %d of %d%s\n", p.what, p.done, p.total, p.tail())
}

// printLine prints a line without spoiling the bar.
func (p *movingProgress) printLine(format string, args ...any) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintf(p.w, format+"\n", args...)
}

// end prints the final state.
func (p *movingProgress) end() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprintln(p.w)
		return
	}
	if p.done > 0 || p.total > 0 {
		p.line()
	}
}
