package lookup

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// logSearch is the search of one log.
type logSearch struct {
	*search
	job   store.JobSummary
	line  store.LedgerLine
	ref   archive.Ref
	turn  <-chan struct{}
	steps []store.Step
	known bool         // the steps have been read
	only  []store.Step // only lines of these; nil: all

	found []Found
	size  int   // of their texts
	count int64 // of lines that were looked for
	shown int64 // the last line that was found, or is context
	until int64 // the last line that is wanted as context
	read  int64
	cut   int64
	ended error // of who hears of it
}

// searchLog searches a log, and tells of it when it is its turn.
func (s *search) searchLog(ctx context.Context, job store.JobSummary, line store.LedgerLine, turn <-chan struct{}) error {
	r := &logSearch{search: s, job: job, line: line, ref: RefOf(line.JobLog), turn: turn}
	failed := r.run(ctx)
	fault := errors.Is(failed, archive.ErrUnreadable) || errors.Is(failed, archive.ErrNotFound)
	if failed != nil && !fault {
		return failed
	}
	if err := await(ctx, turn); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Logs++
	s.sum.RawBytes += r.ref.RawBytes
	s.sum.ReadBytes += r.read
	s.sum.Cut += r.cut
	if fault {
		s.sum.Faults++
		s.to.Fault(SearchFault{job.ID, failed})
	}
	var err error
	if r.count > 0 {
		s.sum.Matched++
		s.sum.Lines += r.count
		if s.CountOnly {
			r.found = []Found{r.of(nil)}
		}
		err = s.to.Found(r.found, true)
	}
	if err == nil || errors.Is(err, archive.ErrStop) {
		s.sum.Next = new(job.Place())
		s.to.Progress(s.sum)
	}
	return err
}

func (r *logSearch) run(ctx context.Context) error {
	if r.Step != "" {
		if err := r.findSteps(ctx); err != nil || len(r.only) == 0 {
			return err
		}
	}
	filters, err := r.filters(ctx)
	if err != nil {
		return err
	}
	frames := len(r.ref.FrameOffsets)
	wanted := func(i int) bool { return r.inSteps(i) && filters.MayHold(i, frames, r.Pattern) }
	for _, f := range filters.Select(frames, wanted) {
		if r.isFull() {
			break
		}
		cut, err := r.logs.Archive.ReadBlocks(ctx, r.ref, f, func(first int64, lines []byte) error { return r.block(ctx, first, lines) })
		r.cut += cut
		if err := errors.Join(err, r.ended); err != nil {
			return err
		}
	}
	err = r.contextBefore(ctx, math.MaxInt64)
	return errors.Join(err, r.ended)
}

// filters are those of the log, if they are of use. Without, all of it is read.
func (r *logSearch) filters(ctx context.Context) (archive.Filters, error) {
	key, _, ok := archive.ParseKey(r.ref.Key)
	if !ok || r.line.FilterBytes == nil || r.Unfiltered || !r.Pattern.Selective() {
		return nil, nil
	}
	filters, err := r.logs.Archive.Filters(ctx, key, r.line.SHA256, len(r.ref.FrameOffsets))
	if errors.Is(err, archive.ErrNotFound) || errors.Is(err, archive.ErrUnreadable) {
		return nil, nil // verify tells
	}
	return filters, err
}

// findSteps finds the steps in which lines are looked for.
func (r *logSearch) findSteps(ctx context.Context) error {
	if err := r.readSteps(ctx); err != nil {
		return err
	}
	number, err := strconv.ParseInt(r.Step, 10, 64)
	for _, s := range r.steps {
		named := err != nil && strings.Contains(strings.ToLower(s.Name), strings.ToLower(r.Step))
		if s.LogFirstLine != nil && (named || err == nil && s.Number == number) {
			r.only = append(r.only, s)
		}
	}
	return nil
}

func (r *logSearch) readSteps(ctx context.Context) (err error) {
	if !r.known {
		r.steps, err = r.logs.DB.Steps(ctx, r.job.ID)
		r.known = err == nil
	}
	return err
}

// inSteps tells whether lines are looked for that are, or go on, in a frame.
func (r *logSearch) inSteps(frame int) bool {
	first, last := r.ref.FrameLines[frame], r.ref.Lines
	if frame+1 < len(r.ref.FrameLines) {
		last = r.ref.FrameLines[frame+1]
	}
	return r.Step == "" || stepWith(r.only, func(s store.Step) bool { return *s.LogFirstLine <= last && *s.LogLastLine >= first }) != nil
}

func stepWith(steps []store.Step, is func(store.Step) bool) *store.Step {
	for i, s := range steps {
		if s.LogFirstLine != nil && is(s) {
			return &steps[i]
		}
	}
	return nil
}

func stepOf(steps []store.Step, line int64) *store.Step {
	return stepWith(steps, func(s store.Step) bool { return *s.LogFirstLine <= line && line <= *s.LogLastLine })
}

// isFull tells that no more lines are looked for.
func (r *logSearch) isFull() bool { return r.Most > 0 && r.count == r.Most }

// errFull ends the search of a block.
var errFull = errors.New("enough lines were found")

// block searches whole lines of the log; first is the number of the first one.
func (r *logSearch) block(ctx context.Context, first int64, text []byte) error {
	r.read += int64(len(text))
	if err := r.contextBefore(ctx, first); err != nil {
		return err
	}
	b := cursor{text: text, line: first}
	err := r.Pattern.Each(text, func(start, end int) error {
		n := b.line + int64(bytes.Count(text[b.at:start], []byte{'\n'}))
		if r.Step != "" && stepOf(r.only, n) == nil {
			return nil
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

// foundBatch is how many bytes of texts are held until it is a log's turn.
const foundBatch = 64 << 10

// give adds a line to what was found. What is more than can be held waits for its turn.
func (r *logSearch) give(ctx context.Context, n int64, raw []byte, isContext bool) error {
	if err := r.readSteps(ctx); err != nil {
		return err
	}
	line := joblog.ParseLine(raw)
	f := FoundLine{Line: n, Text: string(line.Text), Context: isContext}
	if !line.Time.IsZero() {
		f.Time = &line.Time
	}
	if s := stepOf(r.steps, n); s != nil {
		f.Step, f.StepName = &s.Number, &s.Name
	}
	r.found = append(r.found, r.of(&f))
	r.shown = n
	const around = 200 // bytes, of what a line is told with
	if r.size += len(f.Text) + around; r.size < foundBatch {
		return nil
	}
	if err := await(ctx, r.turn); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = r.to.Found(r.found, false)
	r.found, r.size = r.found[:0], 0
	return r.ended
}

// of says which log a line is of; nil: only how many lines there are.
func (r *logSearch) of(line *FoundLine) Found {
	f := Found{
		Repository: r.job.Owner + "/" + r.job.Repository, RunID: r.job.RunID, Workflow: r.job.WorkflowName, JobID: r.job.ID, Job: r.job.Name,
		Conclusion: r.job.Conclusion, FoundLine: line,
	}
	if line == nil {
		f.Count = r.count
	}
	return f
}
