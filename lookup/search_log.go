package lookup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// searchLog searches a log, and tells of it when it is its turn.
func (s *search) searchLog(ctx context.Context, listed siftedLog, names func() (named, error), turn <-chan struct{}) error {
	log, e := listed.JobLog, event{place: new(listed.Place())}
	if log.State == store.LogRemoved {
		var err error
		if log, err = s.logs.DB.JobLog(ctx, log.JobID); err != nil {
			return err
		}
	}
	if Held(log) != nil { // removed, without a copy
		return s.send(ctx, turn, e)
	}
	log = Shown(log)
	r := &logSearch{search: s, id: log.JobID, place: e.place, ref: RefOf(log), names: names, turn: turn}
	err := r.run(ctx, listed.candidates)
	e.read = &Searched{Logs: 1, RawBytes: r.ref.RawBytes, ReadBytes: r.looked, Cut: r.cut}
	switch {
	case errors.Is(err, bucket.ErrUnreadable), errors.Is(err, bucket.ErrNotFound):
		e.read.Faults, e.fault = 1, &SearchFault{log.JobID, err}
	case err != nil:
		return err
	}
	if r.count > 0 {
		e.read.Matched, e.read.Lines = 1, r.count
		if e.found = r.found; s.CountOnly {
			e.found = []Found{{FoundIn: r.in, Count: r.count}}
		}
	}
	return s.send(ctx, turn, e)
}

// logSearch is the search of one log.
type logSearch struct {
	*search
	id    int64
	place *store.Place
	ref   archive.LogLayout
	names func() (named, error) // of this job and others
	turn  <-chan struct{}

	in    *FoundIn     // nil: the names were not read
	steps []store.Step // that have lines, in their order
	only  []store.Step // only lines of these
	step  *store.Step  // of the line that was found last

	found  []Found
	lines  []FoundLine // room for some
	size   int         // of what was found
	count  int64       // of lines that were looked for
	shown  int64       // the last line that was found, or is context
	until  int64       // the last line that is wanted as context
	looked int64       // bytes
	cut    int64
}

func (r *logSearch) run(ctx context.Context, candidates []archive.Candidate) error {
	if r.Step != "" {
		if err := r.findSteps(); err != nil || len(r.only) == 0 {
			return err
		}
	}
	if candidates == nil {
		candidates = archive.AllFrames(len(r.ref.FrameOffsets))
	}
	candidates = slices.DeleteFunc(candidates, func(c archive.Candidate) bool { return !r.inSteps(c.Frame) })
	for _, f := range archive.MergeFrames(candidates) {
		if r.isFull() {
			break
		}
		cut, err := r.logs.Archive.ReadBlocks(ctx, r.ref, f, func(first int64, lines []byte) error { return r.block(ctx, first, lines) })
		r.cut += cut
		if err != nil {
			return err
		}
	}
	return r.contextBefore(ctx, math.MaxInt64)
}

// readNames reads what the job and its steps are called: once something was found.
func (r *logSearch) readNames() error {
	if r.in != nil {
		return nil
	}
	all, err := r.names()
	if err != nil {
		return err
	}
	job := all.jobs[r.id]
	r.steps = all.steps[r.id]
	r.in = &FoundIn{
		Repository: job.Owner + "/" + job.Repository, RunID: job.RunID, Workflow: job.WorkflowName, JobID: r.id, Job: job.Name, Conclusion: job.Conclusion,
	}
	return nil
}

// findSteps finds the steps in which lines are looked for.
func (r *logSearch) findSteps() error {
	if err := r.readNames(); err != nil {
		return err
	}
	number, err := strconv.ParseInt(r.Step, 10, 64)
	for _, s := range r.steps {
		named := err != nil && strings.Contains(strings.ToLower(s.Name), strings.ToLower(r.Step))
		if named || err == nil && s.Number == number {
			r.only = append(r.only, s)
		}
	}
	return nil
}

// inSteps tells whether lines are looked for that are, or go on, in a frame.
func (r *logSearch) inSteps(frame int) bool {
	if r.Step == "" {
		return true
	}
	first, last := r.ref.FrameLines[frame], r.ref.Lines
	if frame+1 < len(r.ref.FrameLines) {
		last = r.ref.FrameLines[frame+1]
	}
	return slices.ContainsFunc(r.only, func(s store.Step) bool { return *s.LogFirstLine <= last && *s.LogLastLine >= first })
}

// stepOf finds the step of a line among some that are in the order of their lines.
func stepOf(steps []store.Step, line int64) *store.Step {
	i, _ := slices.BinarySearchFunc(steps, line, func(s store.Step, line int64) int { return cmp.Compare(*s.LogLastLine, line) })
	if i < len(steps) && *steps[i].LogFirstLine <= line {
		return &steps[i]
	}
	return nil
}

// isFull tells that no more lines are looked for.
func (r *logSearch) isFull() bool { return r.Most > 0 && r.count == r.Most }

// errFull ends the search of a block.
var errFull = errors.New("enough lines were found")

// block searches whole lines of the log; first is the number of the first one.
func (r *logSearch) block(ctx context.Context, first int64, text []byte) error {
	r.looked += int64(len(text))
	if err := r.contextBefore(ctx, first); err != nil {
		return err
	}
	b := cursor{text: text, line: first}
	err := r.Pattern.Each(text, func(start, end int) error {
		n := b.line + int64(bytes.Count(text[b.at:start], []byte{'\n'}))
		if r.Step != "" && stepOf(r.only, n) == nil {
			return nil
		}
		if err := r.readNames(); err != nil {
			return err
		}
		r.count++
		if !r.CountOnly {
			if err := r.giveAround(ctx, &b, first, n); err != nil {
				return err
			}
			if err := r.give(ctx, n, text[start:end], false); err != nil {
				return err
			}
			r.until = n + r.After
		}
		b = cursor{text: text, line: n + 1, at: min(end+1, len(text))}
		if r.isFull() {
			return errFull
		}
		return nil
	})
	full := errors.Is(err, errFull)
	if err != nil && !full {
		return err
	}
	for b.line <= r.until && b.at < len(text) {
		n, line := b.next()
		if err := r.give(ctx, n, line, true); err != nil {
			return err
		}
	}
	if full {
		return archive.ErrStop
	}
	return nil
}

// cursor goes through the lines of a block.
type cursor struct {
	text []byte
	at   int
	line int64 // number of the line that begins there
}

// next is the line at the cursor, which goes on behind it.
func (c *cursor) next() (n int64, line []byte) {
	n = c.line
	line, _, _ = bytes.Cut(c.text[c.at:], []byte{'\n'})
	c.at = min(c.at+len(line)+1, len(c.text))
	c.line++
	return n, line
}

// giveAround gives the lines between the last one that was found and line n that are
// context of either. first is the first line of the block.
func (r *logSearch) giveAround(ctx context.Context, b *cursor, first, n int64) error {
	if r.Before == 0 && r.After == 0 {
		return nil
	}
	before := max(n-r.Before, r.shown+1)
	if err := r.giveLines(ctx, before, first-1); err != nil {
		return err
	}
	for b.line < n {
		k, line := b.next()
		if k > r.shown && (k <= r.until || k >= before) {
			if err := r.give(ctx, k, line, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// contextBefore gives the lines before line n that are context of what was found in an
// earlier block, and stand in none.
func (r *logSearch) contextBefore(ctx context.Context, n int64) error {
	return r.giveLines(ctx, r.shown+1, min(r.until, n-1))
}

// giveLines reads lines of the log and gives them as context.
func (r *logSearch) giveLines(ctx context.Context, first, last int64) error {
	if first > last {
		return nil
	}
	return r.logs.Archive.ScanLines(ctx, r.ref, first, last, func(n int64, line []byte) error { return r.give(ctx, n, line, true) })
}

// foundBatch is how many bytes of what was found are held until it is a log's turn.
const foundBatch = 512 << 10

// give adds a line to what was found. What is more than can be held waits for its turn.
func (r *logSearch) give(ctx context.Context, n int64, raw []byte, isContext bool) error {
	at, text := joblog.SplitLine(raw)
	whole := string(at) + string(text)
	if len(r.lines) == cap(r.lines) {
		const together = 64
		r.lines = make([]FoundLine, 0, together)
	}
	r.lines = append(r.lines, FoundLine{Line: n, Time: whole[:len(at)], Text: whole[len(at):], Context: isContext})
	f := &r.lines[len(r.lines)-1]
	if r.step == nil || n < *r.step.LogFirstLine || n > *r.step.LogLastLine {
		r.step = stepOf(r.steps, n)
	}
	if r.step != nil {
		f.Step, f.StepName = &r.step.Number, &r.step.Name
	}
	r.found = append(r.found, Found{FoundIn: r.in, FoundLine: f})
	r.shown = n
	const around = 128 // bytes, of what a line is told with
	if r.size += len(whole) + around; r.size < foundBatch {
		return nil
	}
	full := r.found
	r.found, r.lines, r.size = nil, nil, 0
	return r.send(ctx, r.turn, event{found: full, place: r.place})
}
