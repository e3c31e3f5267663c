package pages

import (
	"bytes"
	"context"
	"html/template"
	"sort"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/joblog"
)

const (
	// findTime bounds how long one request looks through a log.
	findTime = 3 * time.Second
	// maxFound bounds how many lines one answer has.
	maxFound = 200
	// clockBytes is the number of bytes between two looks at the clock.
	clockBytes = 1 << 20
	// framesBack is the number of frames that are read at once on the way back.
	framesBack = 8
)

// lineTest says whether a line is looked for.
type lineTest func(text []byte) bool

// isMarked reports lines that the runner marks as errors or warnings.
func isMarked(b []byte) bool {
	kind, _ := joblog.ParseLine(b).Kind()
	return kind == joblog.Error || kind == joblog.Warning
}

// contains reports lines that show a text, without regard to case; timestamps and colours
// are ignored.
func contains(text string) lineTest {
	want := bytes.ToLower([]byte(text))
	return func(b []byte) bool {
		_, shown := joblog.ParseLine(b).Kind()
		return bytes.Contains(bytes.ToLower(withoutColours(shown)), want)
	}
}

func withoutColours(text []byte) []byte {
	if bytes.IndexByte(text, 0x1b) < 0 {
		return text
	}
	bare := make([]byte, 0, len(text))
	for len(text) > 0 {
		n := colourLength(string(text[:min(len(text), maxColour)]))
		if n == 0 {
			bare = append(bare, text[0])
			n = 1
		}
		text = text[n:]
	}
	return bare
}

// found is what a request has found, and how far it has looked.
type found struct {
	Lines []foundLine
	At    int64 // the last line that was looked at
	More  bool  // there are lines beyond that
	Huge  int   // lines so long that only their beginnings were looked at
}

type foundLine struct {
	Number int64
	HTML   template.HTML
}

// forward searches from a line to the end, until limit lines are found or findTime is
// over.
func forward(ctx context.Context, a *archive.Archive, log archive.LogLayout, from int64, is lineTest, limit int) (found, error) {
	f := found{At: log.Lines}
	deadline, looked := time.Now().Add(findTime), 0
	err := a.ScanLines(ctx, log, from, log.Lines, func(n int64, b []byte) error {
		if len(b) == archive.MaxLine {
			f.Huge++
		}
		if is(b) {
			_, text := joblog.ParseLine(b).Kind()
			f.Lines = append(f.Lines, foundLine{n, lineHTML(text)})
		}
		looked += len(b) + 1
		late := false
		if looked > clockBytes {
			looked, late = 0, time.Now().After(deadline)
		}
		if len(f.Lines) == limit || late {
			f.At, f.More = n, n < log.Lines
			return archive.ErrStop
		}
		return nil
	})
	return f, err
}

// backward finds the last such line before another line. It returns 0 if there is none
// or, if found.More is set, none down to found.At.
func backward(ctx context.Context, a *archive.Archive, log archive.LogLayout, before int64, is lineTest) (int64, found, error) {
	deadline := time.Now().Add(findTime)
	for end := before - 1; end >= 1; {
		frame := sort.Search(len(log.FrameLines), func(i int) bool { return log.FrameLines[i] > end }) - framesBack
		first := int64(1)
		if frame > 0 {
			first = min(log.FrameLines[frame], end)
		}
		last := int64(0)
		err := a.ScanLines(ctx, log, first, end, func(n int64, b []byte) error {
			if is(b) {
				last = n
			}
			return nil
		})
		if err != nil || last != 0 {
			return last, found{At: first}, err
		}
		if time.Now().After(deadline) {
			return 0, found{At: first, More: first > 1}, nil
		}
		end = first - 1
	}
	return 0, found{At: 1}, nil
}
