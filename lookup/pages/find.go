package pages

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"sort"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/archive/ngram"
)

const (
	// findTime bounds how long one request looks through a log.
	findTime = 3 * time.Second
	// maxFound bounds how many lines one answer has.
	maxFound = 200
	// framesBack is the number of frames that are read at once on the way back.
	framesBack = 8
)

// lineFinder gives visit the start and end of each line of a block that is looked for, as
// ngram.Pattern.Each does.
type lineFinder func(block []byte, visit func(start, end int) error) error

// eachMarked is a lineFinder of lines that the runner marks as errors or warnings.
func eachMarked(block []byte, visit func(start, end int) error) error {
	at := 0
	for line := range bytes.Lines(block) {
		if isMarked(line) {
			if err := visit(at, at+len(bytes.TrimSuffix(line, []byte{'\n'}))); err != nil {
				return err
			}
		}
		at += len(line)
	}
	return nil
}

func isMarked(b []byte) bool {
	_, text := joblog.SplitLine(b)
	kind, _ := joblog.Line{Text: text}.Kind()
	return kind == joblog.Error || kind == joblog.Warning
}

// containing finds lines that show a text, without regard to case: those that a search for
// it in all logs would find.
func containing(text string) (lineFinder, error) {
	p, err := ngram.ParsePattern(text, ngram.PatternOptions{Fixed: true, IgnoreCase: true})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errWrongUse, err)
	}
	return func(block []byte, visit func(start, end int) error) error { return p.Each(block, false, visit) }, nil
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
func forward(ctx context.Context, a *archive.Archive, log archive.LogLayout, from int64, each lineFinder, limit int) (found, error) {
	f := found{At: log.Lines}
	deadline := time.Now().Add(findTime)
	// The line may begin in the frame before the first one that starts with its number.
	frame := max(sort.Search(len(log.FrameLines), func(i int) bool { return log.FrameLines[i] >= from })-1, 0)
	stop := func(n int64) error {
		f.At, f.More = n, n < log.Lines
		return archive.ErrStop
	}
	cut, err := a.ReadBlocks(ctx, log, archive.FrameRange{First: frame, End: len(log.FrameOffsets)}, func(n int64, block []byte) error {
		at := 0
		err := each(block, func(start, end int) error {
			n += int64(bytes.Count(block[at:start], []byte{'\n'}))
			if at = start; n < from {
				return nil
			}
			_, text := joblog.SplitLine(block[start:end])
			f.Lines = append(f.Lines, foundLine{n, lineHTML(withoutKind(text))})
			if len(f.Lines) == limit {
				return stop(n)
			}
			return nil
		})
		if err == nil && time.Now().After(deadline) {
			return stop(n + int64(bytes.Count(bytes.TrimSuffix(block[at:], []byte{'\n'}), []byte{'\n'})))
		}
		return err
	})
	f.Huge = int(cut)
	return f, err
}

// backward finds the last line before another one that the runner marks as an error or a
// warning. It returns 0 if there is none
// or, if found.More is set, none down to found.At.
func backward(ctx context.Context, a *archive.Archive, log archive.LogLayout, before int64) (int64, found, error) {
	deadline := time.Now().Add(findTime)
	for end := before - 1; end >= 1; {
		frame := sort.Search(len(log.FrameLines), func(i int) bool { return log.FrameLines[i] > end }) - framesBack
		first := int64(1)
		if frame > 0 {
			first = min(log.FrameLines[frame], end)
		}
		last := int64(0)
		err := a.ScanLines(ctx, log, first, end, func(n int64, b []byte) error {
			if isMarked(b) {
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
