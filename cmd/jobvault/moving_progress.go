package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// movingProgress shows how far long work is whose end may move: a bar on a terminal, a
// line every ten seconds elsewhere.
type movingProgress struct {
	w       io.Writer
	what    string
	bar     *progressbar.ProgressBar
	began   time.Time
	told    time.Time
	done    int
	total   int
	details string
	left    time.Duration // at least, by who knows; negative: nobody knows
}

// lineInterval is how often plain lines tell.
const lineInterval = 10 * time.Second

func newMovingProgress(w io.Writer, what string) *movingProgress {
	m := &movingProgress{w: w, what: what, began: time.Now(), told: time.Now()}
	if isTerminal(w) {
		m.bar = progressbar.NewOptions(1, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false), progressbar.OptionFullWidth(),
			progressbar.OptionThrottle(100*time.Millisecond))
	}
	return m
}

// set says how much of how much is done, what else there is to tell, and how long
// the rest takes at least; negative, if that cannot be told.
func (m *movingProgress) set(done, total int, details string, left time.Duration) {
	m.done, m.total, m.details, m.left = done, max(total, done), details, left
	if m.bar != nil {
		m.bar.ChangeMax(max(m.total, 1))
		m.bar.Describe(m.what + m.tail())
		_ = m.bar.Set(done) // a bar that cannot be drawn is no error
		return
	}
	if time.Since(m.told) >= lineInterval {
		m.told = time.Now()
		m.line()
	}
}

func (m *movingProgress) tail() string {
	tail := ""
	if m.details != "" {
		tail = ", " + m.details
	}
	took := time.Since(m.began)
	if m.left >= 0 && m.done > 0 && m.total > m.done && took > time.Second {
		// If it goes on as so far.
		pace := took * time.Duration(m.total-m.done) / time.Duration(m.done)
		tail += ", " + max(pace, m.left).Round(time.Second).String() + " left"
	}
	return tail
}

func (m *movingProgress) line() {
	fmt.Fprintf(m.w, "- %s: %d of %d%s\n", m.what, m.done, m.total, m.tail())
}

// above prints a line without spoiling the bar.
func (m *movingProgress) above(format string, args ...any) {
	if m.bar != nil {
		_ = m.bar.Clear()
	}
	fmt.Fprintf(m.w, format+"\n", args...)
}

// end leaves the last word.
func (m *movingProgress) end() {
	if m.bar != nil {
		_ = m.bar.Exit()
		fmt.Fprintln(m.w)
		return
	}
	if m.done > 0 || m.total > 0 {
		m.line()
	}
}
