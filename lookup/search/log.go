package search

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// searchLog searches one log, and sends what it finds after everything that was put in
// order before it.
func (r *run) searchLog(ctx context.Context, candidate candidateLog, readNames func() (names, error), previous <-chan struct{}) error {
	log, e := candidate.JobLog, event{cursor: new(candidate.Cursor())}
	if log.State == store.LogRemoved {
		var err error
		if log, err = r.logs.DB.JobLog(ctx, log.JobID); err != nil {
			return err
		}
	}
	if lookup.CheckAvailable(log) != nil { // removed, without a redacted copy
		return r.send(ctx, previous, e)
	}
	log = lookup.Readable(log)
	l := &logRun{run: r, id: log.JobID, cursor: e.cursor, layout: lookup.LayoutOf(log), readNames: readNames, previous: previous}
	err := l.search(ctx, candidate.frames)
	e.done = &l.sum
	e.done.Logs, e.done.RawBytes = 1, l.layout.RawBytes
	switch {
	case errors.Is(err, bucket.ErrUnreadable), errors.Is(err, bucket.ErrNotFound):
		e.done.Faults, e.fault = 1, &Fault{log.JobID, err}
	case err != nil:
		return err
	}
	if e.done.Lines > 0 {
		e.done.Matched = 1
		if e.matches = l.takeMatches(); r.CountOnly {
			e.matches = []Match{{MatchJob: l.job, Count: e.done.Lines}}
		}
	}
	return r.send(ctx, previous, e)
}

// logRun is the search of one log.
type logRun struct {
	*run
	id        int64
	cursor    *store.Cursor
	layout    archive.LogLayout
	readNames func() (names, error) // of this job and others
	previous  <-chan struct{}

	job      *MatchJob // nil: the names were not read yet
	steps    lineSteps
	selected lineSteps   // only lines of these, if Query.Step is set
	lineOf   *MatchLines // which step's a line is that matches or was added, and those up to until
	until    int64

	matches      []Match
	lines        []MatchLine // room for some
	texts        []byte      // of the last matches, which have not got them yet
	cuts         []textCut   // what is whose among texts
	size         int         // bytes of matches
	lastAdded    int64       // the last line that was added: a match, or context
	contextUntil int64       // the last line that is wanted as context
	sum          Stats
}

// search reads the frames that may have a match; nil stands for all frames.
func (l *logRun) search(ctx context.Context, frames []archive.Candidate) error {
	if l.Step != "" {
		if err := l.selectSteps(); err != nil || len(l.selected.steps) == 0 {
			return err
		}
	}
	if frames == nil {
		frames = archive.AllFrames(len(l.layout.FrameOffsets))
	}
	frames = slices.DeleteFunc(frames, func(c archive.Candidate) bool { return !l.hasSelectedStep(c.Frame) })
	for _, f := range archive.MergeFrames(frames) {
		if l.reachedMax() {
			break
		}
		cut, err := l.logs.Archive.ReadBlocks(ctx, l.layout, f, func(first int64, lines []byte) error { return l.searchBlock(ctx, first, lines, f.Plain) })
		l.sum.Cut += cut
		if err != nil {
			return err
		}
	}
	return l.addContextAfter(ctx, math.MaxInt64)
}

// nameJob reads what the job and its steps are called: once, and only if there is a match
// or a step is asked for.
func (l *logRun) nameJob() error {
	if l.job != nil {
		return nil
	}
	all, err := l.readNames()
	if err != nil {
		return err
	}
	job := all.jobs[l.id]
	l.steps = newLineSteps(all.steps[l.id])
	l.job = &MatchJob{
		Repository: job.Owner + "/" + job.Repository, RunID: job.RunID, Workflow: job.WorkflowName, JobID: l.id, Job: job.Name, Conclusion: job.Conclusion,
	}
	return nil
}

// selectSteps finds the steps in which lines are looked for: by their number if
// Query.Step is one, or else by their names. Lines that they share with others are theirs
// too.
func (l *logRun) selectSteps() error {
	if err := l.nameJob(); err != nil {
		return err
	}
	number, err := strconv.ParseInt(l.Step, 10, 64)
	var selected []store.Step
	for _, s := range l.steps.steps {
		named := err != nil && strings.Contains(strings.ToLower(s.Name), strings.ToLower(l.Step))
		if named || err == nil && s.Number == number {
			selected = append(selected, s)
		}
	}
	l.selected = newLineSteps(selected)
	return nil
}

// hasSelectedStep tells whether a frame has lines of a step in which lines are looked for.
func (l *logRun) hasSelectedStep(frame int) bool {
	if l.Step == "" {
		return true
	}
	first, last := l.layout.FrameLines[frame], l.layout.Lines
	if frame+1 < len(l.layout.FrameLines) {
		last = l.layout.FrameLines[frame+1] // which may begin in this frame
	}
	return l.selected.has(first, last)
}

// stepOf says which step's a line is that does not stand before the last one it was asked
// about.
func (l *logRun) stepOf(line int64) *MatchLines {
	if line > l.until {
		l.lineOf, l.until = l.steps.at(line)
	}
	return l.lineOf
}

// reachedMax reports whether the log has had its maximum of matching lines.
func (l *logRun) reachedMax() bool { return l.MaxCount > 0 && l.sum.Lines == l.MaxCount }

// errMaxCount ends the search of a block.
var errMaxCount = errors.New("the maximum of matching lines is reached")

// searchBlock searches whole lines of the log, plain ones or any; first is the number of the
// first one.
func (l *logRun) searchBlock(ctx context.Context, first int64, text []byte, plain bool) error {
	l.sum.ReadBytes += int64(len(text))
	if err := l.addContextAfter(ctx, first); err != nil {
		return err
	}
	c := cursor{text: text, line: first}
	next := c // after the last line that was looked at, which c need not have come to
	err := l.Pattern.Each(text, plain, func(start, end int) error {
		n := next.line + int64(bytes.Count(text[next.at:start], []byte{'\n'}))
		next.line, next.at = n+1, min(end+1, len(text))
		if l.Step != "" && !l.selected.has(n, n) {
			return nil
		}
		if err := l.nameJob(); err != nil {
			return err
		}
		if !l.CountOnly {
			if err := l.addMatch(ctx, &c, first, n, text[start:end]); err != nil {
				return err
			}
		}
		l.count(n)
		c = next
		if l.reachedMax() {
			return errMaxCount
		}
		return nil
	})
	reached := errors.Is(err, errMaxCount)
	if err != nil && !reached {
		return err
	}
	for c.line <= l.contextUntil && c.at < len(text) {
		n, line := c.next()
		if err := l.add(ctx, n, line, true); err != nil {
			return err
		}
	}
	if reached {
		return archive.ErrStop
	}
	return nil
}

// addMatch adds line n, which matches, after what stands before it.
func (l *logRun) addMatch(ctx context.Context, c *cursor, first, n int64, line []byte) error {
	if err := l.addContextBetween(ctx, c, first, n); err != nil {
		return err
	}
	if err := l.add(ctx, n, line, false); err != nil {
		return err
	}
	l.contextUntil = n + l.After
	return nil
}

// count counts line n, which matches, and how its step is known, where that is told.
func (l *logRun) count(n int64) {
	var known *joblog.Certainty
	if !l.CountOnly || l.Step != "" {
		known = l.stepOf(n).Known
	}
	l.sum.count(known)
}

// sendBytes is how many bytes of matches a log may hold while it waits for its turn.
const sendBytes = 512 << 10

// add adds a line to the matches. When these exceed what the log may hold, it waits for
// the log's turn and sends them.
func (l *logRun) add(ctx context.Context, n int64, raw []byte, isContext bool) error {
	at, text := joblog.SplitLine(raw)
	if len(l.lines) == cap(l.lines) {
		const together = 64
		l.lines = make([]MatchLine, 0, together)
	}
	l.lines = append(l.lines, MatchLine{Line: n, MatchLines: *l.stepOf(n), Context: isContext})
	l.matches = append(l.matches, Match{MatchJob: l.job, MatchLine: &l.lines[len(l.lines)-1]})
	l.lastAdded = n
	l.texts = append(append(l.texts, at...), text...)
	l.cuts = append(l.cuts, textCut{len(at), len(text)})
	const together = 16 << 10
	if len(l.texts) >= together {
		l.setTexts()
	}
	const overhead = 128 // bytes of a match beside its text
	if l.size += len(at) + len(text) + overhead; l.size < sendBytes {
		return nil
	}
	return l.send(ctx, l.previous, event{matches: l.takeMatches(), cursor: l.cursor})
}

// textCut is how many bytes a line's timestamp and its text have.
type textCut struct{ time, text int }

// setTexts gives the last matches their texts, all of which are one string: one for each
// would take as long as finding the lines.
func (l *logRun) setTexts() {
	rest := string(l.texts)
	for i, m := range l.matches[len(l.matches)-len(l.cuts):] {
		c := l.cuts[i]
		m.Time, m.Text, rest = rest[:c.time], rest[c.time:c.time+c.text], rest[c.time+c.text:]
	}
	l.texts, l.cuts = l.texts[:0], l.cuts[:0]
}

// takeMatches returns the matches that were added since it was called last.
func (l *logRun) takeMatches() []Match {
	l.setTexts()
	taken := l.matches
	l.matches, l.lines, l.size = nil, nil, 0
	return taken
}
