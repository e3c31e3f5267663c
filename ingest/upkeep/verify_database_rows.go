package upkeep

import (
	"context"
	"fmt"
	"slices"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

func jobKey(id int64) string { return fmt.Sprintf("job_id %d", id) }

// compareFacts compares the rows that job.json tells of. Where it leaves something
// open, webhooks may have filled it in.
func (l *jobComparison) compareFacts(ctx context.Context) error {
	object, j, f := l.key.Details(), l.rows.Job, *l.facts
	f.Job.RunAttempt = l.attempt()
	tells := cellsOf(f.Job, "fetched_at", "status")
	ahead := store.Stage(j.Status) > store.Stage(f.Job.Status)
	if ahead {
		// What was kept of a job that GitHub gave up, or did not tell to its end. The row's
		// other values may be of later.
		tells = cells("id", f.Job.ID, "run_id", f.Job.RunID, "run_attempt", f.Job.RunAttempt, "repository_id", f.Job.RepositoryID)
	} else {
		tells = append(tells, cells("status", f.Job.Status)...)
	}
	l.differ(object, compareCells("jobs", fmt.Sprintf("id %d", j.ID), cellsOf(j), tells, true)...)
	if err := l.compareRun(ctx); err != nil || ahead {
		return err
	}
	if len(f.Steps) > 0 {
		l.compareSteps(object, f.Steps)
	}
	if len(f.Labels) > 0 {
		l.differ(object, compareRows("job_labels", labelRows(j.ID, l.rows.Labels), labelRows(j.ID, f.Labels), false)...)
	}
	return nil
}

// compareOrigin compares which job ran in place of this one with what the rows of both say,
// which are compared with the bucket one by one.
func (l *jobComparison) compareOrigin() {
	var from *int64
	if c := l.rows.CarriedOver; c != nil {
		from = &c.From
	}
	key := fmt.Sprintf("id %d", l.rows.Job.ID)
	l.differ(l.key.Details(), compareCells("jobs", key, cells("carried_over_from", from), cells("carried_over_from", l.rows.RanAs), false)...)
}

// attempt is the attempt that the bucket tells: nil where GitHub did not say, and the
// key has 1.
func (l *jobComparison) attempt() *int64 {
	if l.rows.Job.RunAttempt == nil {
		return nil
	}
	return &l.key.RunAttempt
}

// compareRun compares the run. Of jobs that contradict each other, the row has the
// greatest word.
func (l *jobComparison) compareRun(ctx context.Context) error {
	columns := func(r store.WorkflowRun) []cell { return cellsOf(r, "id", "repository_id") }
	key := fmt.Sprintf("id %d", l.rows.Run.ID)
	diffs := compareCells("workflow_runs", key, columns(l.rows.Run), columns(l.facts.Run), true)
	if len(diffs) > 0 {
		siblings, _, err := l.DB.RunJobs(ctx, store.JobsOfRun{RunID: l.rows.Run.ID})
		if err != nil {
			return err
		}
		for _, s := range siblings {
			raw, err := l.Archive.Details(ctx, record.KeyOf(s.Job))
			if err != nil {
				continue // it is named where it is looked at itself
			}
			told, err := record.FactsOfDetails(raw, record.KeyOf(s.Job), s.Repository)
			if err != nil {
				continue
			}
			diffs = without(diffs, compareCells("workflow_runs", key, columns(l.rows.Run), columns(told.Run), false))
		}
	}
	repository := compareCells("workflow_runs", key, cells("repository_id", l.rows.Run.RepositoryID), cells("repository_id", l.facts.Repository.ID), false)
	l.differ(l.key.Details(), append(diffs, repository...)...)
	return nil
}

// without are the differences that there are by another word too.
func without(diffs, others []difference) []difference {
	columns := make(map[string]bool)
	for _, o := range others {
		columns[o.column] = true
	}
	var left []difference
	for _, d := range diffs {
		if columns[d.column] {
			left = append(left, d)
		}
	}
	return left
}

// compareSteps passes over where the lines of a step are, of which compareIndex tells. A step
// that had completed by a webhook stays so.
func (l *jobComparison) compareSteps(object string, steps []store.Step) {
	completed := make(map[string]bool)
	rows := func(steps []store.Step) []tableRow {
		var rows []tableRow
		for _, s := range steps {
			key := fmt.Sprintf("job_id %d, number %d", l.rows.Job.ID, s.Number)
			rows = append(rows, tableRow{key, cellsOf(s, "job_id", "number", "log_first_line", "log_last_line", "log_lines")})
			completed[key] = s.Status == store.StatusCompleted
		}
		return rows
	}
	tells, says := rows(steps), rows(l.rows.Steps)
	for _, d := range compareRows("steps", says, tells, true) {
		if d.column != "status" || !completed[d.key] {
			l.differ(object, d)
			l.otherSteps = true
		}
	}
}

func labelRows(jobID int64, names []string) []tableRow {
	var rows []tableRow
	for i, name := range names {
		rows = append(rows, tableRow{fmt.Sprintf("job_id %d, position %d", jobID, i), cells("label", name)})
	}
	return rows
}

// compareIndex compares what a log tells of its job.
func (l *jobComparison) compareIndex(object string, x *joblog.Index) {
	id, says, u := l.rows.Job.ID, l.rows.Usage, x.Usage
	stepOf, certain := l.rows.StepOf, []*int64(nil)
	if l.otherSteps {
		stepOf = nil // by wrong steps nobody can tell their lines
	} else {
		ranges := record.StepLines(x, l.rows.Steps)
		l.differ(object, compareRows("steps", lineRows(l.rows.Steps), lineRows(withLines(l.rows.Steps, ranges)), false)...)
		certain = store.CertainSteps(ranges, u.Annotations)
	}
	var environment []tableRow
	if l.rows.Described {
		environment = []tableRow{environmentRow(id, says, l.rows.DefinedFrom, l.rows.AnnotationsCut)}
	}
	tells := environmentRow(id, *u, store.DefinedFrom(u.Environment), u.AnnotationsCut.Total())
	l.differ(object, compareRows("job_environment", environment, []tableRow{tells}, false)...)
	l.differ(object, compareRows("job_permissions", permissionRows(id, says.Permissions), permissionRows(id, u.Permissions), false)...)
	l.differ(object, compareRows("job_actions", actionRows(id, says.Actions, l.rows.Seqs), actionRows(id, u.Actions, nil), false)...)
	l.differ(object, compareRows("job_annotations", annotationRows(id, says.Annotations, stepOf), annotationRows(id, u.Annotations, certain), false)...)
}

// withLines are steps with other ranges.
func withLines(steps []store.Step, ranges []store.StepLines) []store.Step {
	byNumber := make(map[int64]store.StepLines, len(ranges))
	for _, r := range ranges {
		byNumber[r.Number] = r
	}
	steps = slices.Clone(steps)
	for i, s := range steps {
		steps[i].LogFirstLine, steps[i].LogLastLine, steps[i].LogLines = nil, nil, nil
		if r, ok := byNumber[s.Number]; ok {
			steps[i].LogFirstLine, steps[i].LogLastLine, steps[i].LogLines = &r.First, &r.Last, new(string(r.Certainty))
		}
	}
	return steps
}

func lineRows(steps []store.Step) []tableRow {
	var rows []tableRow
	for _, s := range steps {
		rows = append(rows, tableRow{fmt.Sprintf("job_id %d, number %d", s.JobID, s.Number), cells(
			"log_first_line", s.LogFirstLine, "log_last_line", s.LogLastLine, "log_lines", s.LogLines)})
	}
	return rows
}

func environmentRow(id int64, u joblog.Usage, definedFrom string, annotationsCut int64) tableRow {
	e, cut := u.Environment, u.AnnotationsCut
	return tableRow{jobKey(id), cells(
		"runner_version", e.RunnerVersion, "runner_name", e.RunnerName, "runner_group", e.RunnerGroup, "machine", e.Machine,
		"image", e.Image, "image_version", e.ImageVersion, "os", e.OS, "secret_source", e.SecretSource, "cache_mode", e.CacheMode,
		"actions_locked", e.ActionsLocked, "job_defined_at", e.JobDefinedAt, "workflow_ref", e.WorkflowRef, "defined_from", definedFrom,
		"actions_cut", u.ActionsCut, "annotations_cut", annotationsCut, "errors_cut", cut.Errors, "warnings_cut", cut.Warnings, "notices_cut", cut.Notices)}
}

// permissionRows have each scope once, as the table: the first word on it counts.
func permissionRows(id int64, permissions []joblog.Permission) []tableRow {
	var rows []tableRow
	seen := make(map[string]bool)
	for _, p := range permissions {
		if !seen[p.Scope] {
			seen[p.Scope] = true
			rows = append(rows, tableRow{fmt.Sprintf("job_id %d, scope %q", id, p.Scope), cells("level", p.Level)})
		}
	}
	return rows
}

// actionRows have the numbers that are given, or that the order gives them.
func actionRows(id int64, actions []joblog.Action, seqs []int) []tableRow {
	var rows []tableRow
	for i, a := range actions {
		seq := i
		if seqs != nil {
			seq = seqs[i]
		}
		rows = append(rows, tableRow{fmt.Sprintf("job_id %d, seq %d", id, seq), cells(
			"action", a.Name, "path", a.Path, "ref", a.Ref, "resolved_sha", a.SHA, "version", a.Version, "digest", a.Digest, "log_line", a.Line, "in_setup", a.InSetup, "kind", store.ActionKind(a.Kind))})
	}
	return rows
}

// annotationRows have the step that is given for each of the annotations; no steps: they
// are not compared.
func annotationRows(id int64, annotations []joblog.Annotation, steps []*int64) []tableRow {
	var rows []tableRow
	for i, a := range annotations {
		row := tableRow{fmt.Sprintf("job_id %d, log_line %d", id, a.Line), cells("level", string(a.Level), "message", a.Message, "tolerated", a.Tolerated, "file", a.File, "file_line", a.FileLine)}
		if steps != nil {
			row.cells = append(row.cells, cells("step_number", steps[i])...)
		}
		rows = append(rows, row)
	}
	return rows
}
