package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/archive/joblog"
)

// StepLines says which lines of the log are a step's, from 1 and inclusive, and how that is
// known; no Certainty stands for joblog.Estimated.
type StepLines struct {
	Number      int64
	First, Last int64
	Certainty   joblog.Certainty
}

// StepAligner says which lines of a log are those of the steps that it is given, which are
// a job's by number. It is called while the job's rows are locked.
type StepAligner func([]Step) []StepLines

// readLines asks an aligner for the lines of a job's steps; nil: none has any. The caller
// holds the job's lock: steps that somebody tells of meanwhile come after what is read here,
// and have the log read again, see replaceSteps.
func readLines(ctx context.Context, tx pgx.Tx, jobID int64, align StepAligner) ([]StepLines, error) {
	if align == nil {
		return nil, nil
	}
	steps, err := readSteps(ctx, tx, jobID)
	if err != nil {
		return nil, err
	}
	return align(steps), nil
}

// CertainSteps returns, for each of some annotations, the number of the step that printed
// it: that of the range with its line, if the range is joblog.Exact, or else nil.
func CertainSteps(ranges []StepLines, annotations []joblog.Annotation) []*int64 {
	var exact []StepLines
	for _, r := range ranges {
		if r.Certainty == joblog.Exact {
			exact = append(exact, r)
		}
	}
	slices.SortFunc(exact, func(a, b StepLines) int { return cmp.Compare(a.First, b.First) })
	steps := make([]*int64, len(annotations))
	for i, a := range annotations {
		// Exact ranges have no line in common.
		at, _ := slices.BinarySearchFunc(exact, a.Line, func(r StepLines, line int64) int { return cmp.Compare(r.Last, line) })
		if at < len(exact) && exact[at].First <= a.Line {
			steps[i] = &exact[at].Number
		}
	}
	return steps
}

// writeIndex writes what the text of a job's log tells: which lines are its steps', and
// what it used.
func writeIndex(ctx context.Context, tx pgx.Tx, jobID int64, ranges []StepLines, u *joblog.Usage) error {
	if err := writeStepLines(ctx, tx, jobID, ranges); err != nil {
		return err
	}
	return writeUsage(ctx, tx, jobID, u, ranges)
}

// alignAndWriteIndex is writeIndex for the steps that the job has now.
func alignAndWriteIndex(ctx context.Context, tx pgx.Tx, jobID int64, align StepAligner, u *joblog.Usage) error {
	ranges, err := readLines(ctx, tx, jobID, align)
	if err != nil {
		return err
	}
	return writeIndex(ctx, tx, jobID, ranges, u)
}

// writeStepLines replaces the ranges of a job's steps: a step that is given none has none
// any more. Rows that do not change are not written.
func writeStepLines(ctx context.Context, tx pgx.Tx, jobID int64, ranges []StepLines) error {
	n, first, last, known := make([]int64, len(ranges)), make([]int64, len(ranges)), make([]int64, len(ranges)), make([]string, len(ranges))
	for i, r := range ranges {
		n[i], first[i], last[i], known[i] = r.Number, r.First, r.Last, string(cmp.Or(r.Certainty, joblog.Estimated))
	}
	_, err := tx.Exec(ctx, `
		UPDATE steps s SET log_first_line = l.first, log_last_line = l.last, log_lines = l.known
		FROM steps t LEFT JOIN unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[]) AS l(number, first, last, known) ON l.number = t.number
		WHERE t.job_id = $1 AND s.job_id = t.job_id AND s.number = t.number
		  AND (s.log_first_line, s.log_last_line, s.log_lines) IS DISTINCT FROM (l.first, l.last, l.known)`, jobID, n, first, last, known)
	return err
}
