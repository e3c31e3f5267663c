package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/archive/ngram"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/search"
)

// foundPrinter prints what is found, as it comes.
type foundPrinter struct {
	grepCmd
	pattern  *ngram.Pattern
	out      *bufio.Writer // which keeps its first error
	json     *json.Encoder // to out
	stderr   io.Writer
	terminal bool
	progress *movingProgress // nil: standard error is no terminal
	total    atomic.Int64

	job    int64 // whose lines were printed last
	line   int64
	prefix string // its repository's name
}

func newFoundPrinter(c grepCmd, e *environment, p *ngram.Pattern) *foundPrinter {
	f := &foundPrinter{grepCmd: c, pattern: p, out: bufio.NewWriterSize(e.stdout, 64<<10), stderr: e.stderr, terminal: isTerminal(e.stdout)}
	f.json = jsonEncoderTo(f.out, f.terminal)
	if isTerminal(e.stderr) {
		f.progress = newMovingProgress(e.stderr, "grep")
	}
	return f
}

// Matches prints some matches of one log.
func (p *foundPrinter) Matches(found []search.Match, _ bool) error {
	p.clear()
	for _, f := range found {
		if err := p.print(f); err != nil {
			return err
		}
		p.job, p.line = f.JobID, 0
		if f.MatchLine != nil {
			p.line = f.Line
		}
	}
	return p.out.Flush()
}

func (p *foundPrinter) print(f search.Match) error {
	switch {
	case p.JSON:
		if p.List {
			f.Count = 0
		}
		return p.json.Encode(f)
	case p.List:
		_, err := fmt.Fprintf(p.out, "%s:%d\n", plain(f.Repository), f.JobID)
		return err
	case p.Count:
		_, err := fmt.Fprintf(p.out, "%s:%d:%d\n", plain(f.Repository), f.JobID, f.Count)
		return err
	}
	same := f.JobID == p.job
	if around := p.Before+p.After+p.Context > 0; around && p.job != 0 && (!same && !p.terminal || same && f.Line != p.line+1) {
		fmt.Fprintln(p.out, "--")
	}
	if p.terminal {
		return p.show(f, same)
	}
	_, err := p.out.Write(p.flat(f))
	return err
}

// flat is a line for programs: REPOSITORY:JOB:STEP:LINE:TIME:TEXT, or with minus signs
// for context. Of steps that share the line, STEP has all the numbers, with commas.
func (p *foundPrinter) flat(f search.Match) []byte {
	sign := byte(':')
	if f.Context {
		sign = '-'
	}
	if f.JobID != p.job {
		p.prefix = plain(f.Repository)
	}
	b := append(p.out.AvailableBuffer(), p.prefix...)
	b = strconv.AppendInt(append(b, sign), f.JobID, 10)
	if b = append(b, sign); f.Step != nil {
		b = strconv.AppendInt(b, *f.Step, 10)
	}
	for i, s := range f.SharedBy {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, s.Number, 10)
	}
	b = strconv.AppendInt(append(b, sign), f.Line, 10)
	b = append(append(b, sign), f.Time...)
	b = append(append(b, sign), f.Text...)
	return append(b, '\n')
}

// show prints a line for people: logs under headings, and what matches in red.
func (p *foundPrinter) show(f search.Match, same bool) error {
	if !same {
		if p.job != 0 {
			fmt.Fprintln(p.out)
		}
		fmt.Fprintf(p.out, "\x1b[1m%s\x1b[0m  %s / %s  job %d  %s\n", plain(f.Repository), plain(orEmpty(f.Workflow)), plain(f.Job), f.JobID, plain(orEmpty(f.Conclusion)))
	}
	fmt.Fprintf(p.out, "\x1b[2m%7d  %s  %s\x1b[0m  ", f.Line, plain(f.Time[:min(len(f.Time), len(time.DateTime))]), plain(stepNames(f.MatchLines)))
	line := []byte(f.Text)
	if !p.pattern.Raw() {
		line = joblog.ColouredText(line)
	}
	if !f.Context {
		line = p.highlight(line)
	}
	w := &terminalWriter{w: p.out}
	if _, err := w.Write(line); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	_, err := p.out.WriteString("\x1b[0m\n")
	return err
}

// stepNames is the name of the step that has a line, or the names of those that share it.
func stepNames(m search.MatchLines) string {
	if len(m.SharedBy) == 0 {
		return orEmpty(m.StepName)
	}
	const maxNamed = 3
	var names []string
	for _, s := range m.SharedBy[:min(len(m.SharedBy), maxNamed)] {
		names = append(names, s.Name)
	}
	if more := len(m.SharedBy) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, " or ")
}

// maxHighlights bounds how many matches of a line are red.
const maxHighlights = 100

// highlight makes matches red. Colours within a match are left out.
func (p *foundPrinter) highlight(line []byte) []byte {
	text, size := line, func(_ []byte, n int) int { return n }
	if !p.pattern.Raw() {
		text, size = joblog.VisibleText(line), sizeOfText
	}
	var out []byte
	at := 0 // in the text
	for _, match := range p.pattern.Find(text, maxHighlights) {
		n := size(line, match[0]-at)
		out = append(out, line[:n]...)
		out = append(append(append(out, "\x1b[1;31m"...), text[match[0]:match[1]]...), "\x1b[0m"...)
		line = line[n+size(line[n:], match[1]-match[0]):]
		at = match[1]
	}
	return append(out, line...)
}

// sizeOfText returns how many bytes the first n bytes of a coloured text take with the
// colours between them.
func sizeOfText(coloured []byte, n int) int {
	at := 0
	for ; n > 0; n-- {
		for coloured[at] == 0x1b {
			at += bytes.IndexByte(coloured[at:], 'm') + 1
		}
		at++
	}
	return at
}

// Fault reports a log that cannot be read.
func (p *foundPrinter) Fault(f search.Fault) {
	p.clear()
	fmt.Fprintf(p.stderr, "jobvault: job %d: %s\n", f.JobID, plainLines(f.Err.Error()))
}

// Progress moves the bar.
func (p *foundPrinter) Progress(sum search.Stats) {
	if p.progress != nil {
		p.progress.set(sum.Logs, int(p.total.Load()), humanize.IBytes(uint64(sum.RawBytes)), 0)
	}
}

func (p *foundPrinter) clear() {
	if p.progress != nil && p.progress.bar != nil {
		_ = p.progress.bar.Clear()
	}
}

// end prints the summary on a terminal, and flushes.
func (p *foundPrinter) end(sum search.Stats) error {
	if p.progress != nil {
		p.progress.set(sum.Logs, sum.Logs, fmt.Sprintf("%s, of which %s were read; %d lines in %d logs", humanize.IBytes(uint64(sum.RawBytes)), humanize.IBytes(uint64(sum.ReadBytes)), sum.Lines, sum.Matched), -1)
		p.progress.end()
	}
	if left := lookup.SayUnknownStarts(sum.Unknown); left != "" {
		fmt.Fprintln(p.stderr, "jobvault:", left)
	}
	if p.Step != "" && sum.Shared > 0 {
		fmt.Fprintf(p.stderr, "jobvault: %d of the lines are shared with other steps, which may have printed them\n", sum.Shared)
	}
	if p.Step != "" && sum.Estimated > 0 {
		fmt.Fprintf(p.stderr, "jobvault: of %d of the lines it is an estimate that they are the step's\n", sum.Estimated)
	}
	if sum.Cut > 0 {
		fmt.Fprintf(p.stderr, "jobvault: %d lines were searched in their first 4 MiB only\n", sum.Cut)
	}
	return p.out.Flush()
}
