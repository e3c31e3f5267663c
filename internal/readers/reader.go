package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// reader is a program or a library that reads Zstandard, in one of the ways in which it is
// called.
type reader struct {
	name string
	want outcome // what is known of it
	// install returns its version, and fails with errAbsent where it cannot be had. It may
	// keep files in dir, which readers of one install share.
	install func(ctx context.Context, dir string) (version string, err error)
	// read writes to the file out what it makes of the file in.
	read func(ctx context.Context, dir, in, out string) error
}

// outcome is what a reader makes of a log.
type outcome string

// Outcomes.
const (
	absent     outcome = "not tried"
	all        outcome = "all of it"
	allButMark outcome = "all of it but the byte order mark at its beginning"
	allAndMore outcome = "all of it, and then an error"
	refused    outcome = "an error"
	firstFrame outcome = "the first frame alone, and no error"
	firstPart  outcome = "a part from the beginning, and no error"
	otherBytes outcome = "other bytes, and no error"
)

// fromBestToWorst are those of a reader that was tried. Worst is what nobody notices.
var fromBestToWorst = []outcome{all, allButMark, allAndMore, refused, firstFrame, firstPart, otherBytes}

// lacking is what a reader of whole logs lacks whose worst outcome is this.
var lacking = map[outcome]string{
	absent:     "not known",
	all:        "nothing",
	allButMark: "the byte order mark",
	allAndMore: "an end without an error",
	refused:    "logs of several frames",
	firstFrame: "all frames but the first, **without an error**",
	firstPart:  "the end of the log, **without an error**",
	otherBytes: "the log's own bytes, **without an error**",
}

// errAbsent says that a reader cannot be had on this machine.
var errAbsent = errors.New("not on this machine")

// result is what a reader made of one log.
type result struct {
	frames  string // of the log
	outcome outcome
	note    string // what it says, or why it was not tried
}

// text is a result in words.
func (r result) text() string {
	if r.note == "" {
		return string(r.outcome)
	}
	return string(r.outcome) + ": " + r.note
}

// try is how a reader did, with every log.
type try struct {
	version string
	results []result
}

// outcome is the worst of the results.
func (t try) outcome() outcome {
	worst := t.results[0].outcome
	for _, r := range t.results {
		if slices.Index(fromBestToWorst, r.outcome) > slices.Index(fromBestToWorst, worst) {
			worst = r.outcome
		}
	}
	return worst
}

// row is a line of the table of internal/compat. Results that differ are all told.
func (t try) row(name string) string {
	text := t.results[0].text()
	if slices.ContainsFunc(t.results, func(r result) bool { return r.outcome != t.results[0].outcome }) {
		var parts []string
		for rest := t.results; len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].outcome == rest[0].outcome {
				n++
			}
			parts = append(parts, framesText(rest[:n])+": "+rest[0].text())
			rest = rest[n:]
		}
		text = strings.Join(parts, "; ")
	}
	return fmt.Sprintf("| reader | %s | %s | %s | %s |", name, t.version, strings.ReplaceAll(text, "|", `\|`), lacking[t.outcome()])
}

// framesText says which logs some results are of.
func framesText(results []result) string {
	var frames []string
	for _, r := range results {
		frames = append(frames, r.frames)
	}
	last := frames[len(frames)-1]
	switch {
	case len(frames) > 1:
		return "of " + strings.Join(frames[:len(frames)-1], ", ") + " or " + last + " frames"
	case last == "1":
		return "of 1 frame"
	}
	return "of " + last + " frames"
}

// tryTime bounds what is done with one reader.
const tryTime = 10 * time.Minute

// tryReader installs a reader below dir and has it read every sample.
func tryReader(ctx context.Context, dir string, r reader, samples []*sample) try {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	version, err := r.install(ctx, dir)
	t := try{version: version}
	if err != nil {
		t.results = []result{{outcome: absent, note: firstLine(err.Error())}}
		return t
	}
	for _, s := range samples {
		t.results = append(t.results, s.have(ctx, dir, r))
	}
	return t
}

// have has a reader read the sample.
func (s *sample) have(ctx context.Context, dir string, r reader) result {
	out := filepath.Join(dir, "out")
	if err := os.Remove(out); err != nil && !errors.Is(err, os.ErrNotExist) {
		return result{outcome: absent, note: err.Error()}
	}
	err := r.read(ctx, dir, s.path, out)
	got, rerr := os.ReadFile(out)
	if rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
		return result{outcome: absent, note: rerr.Error()}
	}
	return s.judge(got, err)
}

// judge says what it means that a reader gave some bytes and ended with an error, or none.
func (s *sample) judge(got []byte, err error) result {
	r, whole := result{frames: s.frames}, bytes.Equal(got, s.raw)
	switch {
	case err != nil && whole:
		r.outcome, r.note = allAndMore, firstLine(err.Error())
	case err != nil:
		r.outcome, r.note = refused, firstLine(err.Error())
		if len(got) > 0 {
			r.note += fmt.Sprintf(", after %d bytes", len(got))
		}
	case whole:
		r.outcome = all
	case bytes.Equal(append([]byte("\ufeff"), got...), s.raw):
		r.outcome = allButMark
	case bytes.Equal(got, s.raw[:s.first]):
		r.outcome = firstFrame
	case bytes.HasPrefix(s.raw, got):
		r.outcome, r.note = firstPart, fmt.Sprintf("%d bytes", len(got))
	default:
		r.outcome, r.note = otherBytes, fmt.Sprintf("%d bytes", len(got))
	}
	return r
}

// firstLine is the first line of what a program says that is not empty.
func firstLine(text string) string {
	const maxNote = 160 // bytes
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			return strings.ToValidUTF8(line[:min(len(line), maxNote)], "")
		}
	}
	return ""
}
