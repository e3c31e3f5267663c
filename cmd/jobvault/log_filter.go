package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/jobvault/jobvault/archive/joblog"
)

// lineWriter gives f each line of what is written, with its end.
type lineWriter struct {
	f    func(line []byte) error
	rest []byte
}

func (l *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			l.rest = append(l.rest, p...)
			if len(l.rest) > maxLineBytes { // goes on as if it were another
				return n, l.flush()
			}
			return n, nil
		}
		line := p[:end+1]
		if len(l.rest) > 0 {
			line = append(l.rest, line...)
		}
		if err := l.f(line); err != nil {
			return 0, err
		}
		l.rest, p = l.rest[:0], p[end+1:]
	}
}

// flush gives the last line, if it has no end.
func (l *lineWriter) flush() error {
	if len(l.rest) == 0 {
		return nil
	}
	line := l.rest
	l.rest = nil
	return l.f(line)
}

// styles are how a terminal shows what the runner says of a line.
var styles = map[joblog.Kind]string{
	joblog.Error: "1;31", joblog.Warning: "33", joblog.Notice: "36", joblog.Group: "1", joblog.Command: "34", joblog.Section: "32", joblog.Debug: "2",
}

// colourLine makes errors red, warnings yellow, titles of groups bold, commands
// blue, and timestamps faint.
func colourLine(b []byte) []byte {
	l := joblog.ParseLine(b)
	kind, _ := l.Kind()
	style := styles[kind]
	if l.Time.IsZero() && style == "" {
		return b
	}
	end := len(bytes.TrimRight(b, "\r\n"))
	begin := end - len(l.Text)
	var out bytes.Buffer
	fmt.Fprintf(&out, "\x1b[2m%s\x1b[0m", b[:begin])
	if style == "" {
		out.Write(b[begin:])
	} else {
		fmt.Fprintf(&out, "\x1b[%sm%s\x1b[0m%s", style, b[begin:end], b[end:])
	}
	return out.Bytes()
}

// coloured writes lines coloured.
func coloured(w io.Writer) *lineWriter {
	return &lineWriter{f: func(b []byte) error {
		_, err := w.Write(colourLine(b))
		return err
	}}
}

// followErrors goes from error to error: of the lines that are written, from number
// first on, it lets those through that the runner marks as errors or warnings, with
// the lines before each, at most as many as asked for, and their numbers, in a style.
func followErrors(w io.Writer, first int64, before int, style func([]byte) []byte) *lineWriter {
	type numbered struct {
		n    int64
		line []byte
	}
	var held []numbered
	n, last := first-1, int64(0)
	return &lineWriter{f: func(b []byte) error {
		n++
		held = append(held, numbered{n, bytes.Clone(b[:min(len(b), maxContextBytes)])})
		if kind, _ := joblog.ParseLine(b).Kind(); kind != joblog.Error && kind != joblog.Warning {
			if len(held) > before {
				held = held[1:]
			}
			return nil
		}
		if last != 0 && held[0].n > last+1 {
			if _, err := fmt.Fprintln(w, "--"); err != nil {
				return err
			}
		}
		for _, h := range held {
			if _, err := fmt.Fprintf(w, "%7d  %s\n", h.n, style(bytes.TrimRight(h.line, "\r\n"))); err != nil {
				return err
			}
		}
		held, last = nil, n
		return nil
	}}
}

// maxLineBytes bounds how many bytes of a line without an end are buffered.
const maxLineBytes = 4 << 20

// maxContextBytes bounds how many bytes of a line before an error are buffered.
const maxContextBytes = 64 << 10
