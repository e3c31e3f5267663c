package store

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// way is how the jobs of a list are come by: along a facet, or, if it has none,
// from a query that finds few jobs at once.
type way struct {
	facet facet
	few   string // SELECT of at and job_id, with ? for arg
	arg   any
	merge bool // along the facets of the filter's repositories
}

// facet is a thing that jobs can be found by, as in the table job_facets.
type facet struct{ kind, value string }

const (
	// mostMerged is of how many repositories lists are merged; where more are
	// asked for, they are likely to have a good part of all jobs.
	mostMerged = 200
	// mostRuns is how many runs of a commit, or of those with its beginning, are few.
	mostRuns = 500
)

// way chooses the one with the fewest jobs on it.
func (f *JobFilter) way(ctx context.Context, tx pgx.Tx) (way, error) {
	switch {
	case f.RunID != 0:
		return way{few: `SELECT coalesce(created_at, '-infinity') AS at, id AS job_id FROM jobs WHERE run_id = ?`, arg: f.RunID}, nil
	case f.SHA != "":
		few, err := f.fewRuns(ctx, tx)
		if err != nil || few {
			return way{few: `SELECT coalesce(j.created_at, '-infinity') AS at, j.id AS job_id FROM workflow_runs w JOIN jobs j ON j.run_id = w.id
				WHERE w.head_sha LIKE ?`, arg: likePrefix(strings.ToLower(f.SHA))}, err
		}
	}
	if f.Status != "" && f.Status != StatusCompleted {
		return way{few: `SELECT coalesce(created_at, '-infinity') AS at, id AS job_id FROM jobs
			WHERE status <> 'completed' AND status = ?`, arg: f.Status}, nil
	}
	facets := f.facets()
	switch {
	case len(facets) == 0 && f.Status == "" && f.LogState == "" && len(f.Repositories) > 1 && len(f.Repositories) <= mostMerged:
		return way{merge: true}, nil
	case len(facets) == 0:
		return way{facet: facet{kind: "all"}}, nil
	case len(facets) == 1:
		return way{facet: facets[0]}, nil
	}
	return f.shortest(ctx, tx, facets)
}

// fewRuns says whether what is given of a commit finds few runs.
func (f *JobFilter) fewRuns(ctx context.Context, tx pgx.Tx) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM workflow_runs WHERE head_sha LIKE $1 LIMIT $2) found`,
		likePrefix(strings.ToLower(f.SHA)), mostRuns+1).Scan(&n)
	return n <= mostRuns, err
}

// facets are the things in the filter that jobs can be found by.
func (f *JobFilter) facets() []facet {
	var facets []facet
	for _, c := range []facet{
		{"workflow", f.Workflow}, {"branch", f.Branch}, {"conclusion", f.Conclusion}, {"runner", f.Runner}, {"label", f.Label},
	} {
		if c.value != "" {
			facets = append(facets, c)
		}
	}
	if len(f.Repositories) == 1 {
		facets = append(facets, facet{"repository", strconv.FormatInt(f.Repositories[0], 10)})
	}
	return facets
}

// shortest counts the jobs along each facet, as far as matters.
func (f *JobFilter) shortest(ctx context.Context, tx pgx.Tx, facets []facet) (way, error) {
	var counts []string
	a := arguments{}
	for i, c := range facets {
		counts = append(counts, `SELECT `+a.add(i)+`::integer AS i, count(*) AS n FROM (`+f.candidates(&a, way{facet: c})+`) c`)
	}
	best := 0
	err := tx.QueryRow(ctx, `SELECT i FROM (`+strings.Join(counts, " UNION ALL ")+`) counts ORDER BY n, i LIMIT 1`, a...).Scan(&best)
	return way{facet: facets[best]}, err
}

// most is how many candidates are looked at for one page.
func (f *JobFilter) most(w way) int {
	if w.merge {
		return f.Limit + 1 // as many from each repository
	}
	return mostCandidates
}

// candidates is the SELECT of the jobs along a way that are within the filter's
// times, as at and job_id, in the order of the list, as many as most says.
func (f *JobFilter) candidates(a *arguments, w way) string {
	limit := " ORDER BY at DESC, job_id DESC LIMIT " + a.add(f.most(w))
	switch {
	case w.few != "":
		return `SELECT at, job_id FROM (` + strings.Replace(w.few, "?", a.add(w.arg), 1) + `) few WHERE true` + f.bounds(a) + limit
	case w.merge:
		return `SELECT l.at, l.job_id FROM unnest(` + a.add(f.Repositories) + `::bigint[]) id,
			LATERAL (SELECT at, job_id FROM job_facets WHERE facet = facet('repository', id::text)` + f.bounds(a) + limit + `) l` + limit
	}
	value := a.add(w.facet.value)
	if w.facet.kind == "workflow" {
		value = "lower(" + value + ")"
	}
	return `SELECT at, job_id FROM job_facets WHERE facet = facet('` + w.facet.kind + `', ` + value + `)` + f.bounds(a) + limit
}

// bounds keeps candidates within the filter's times, and after where the list was
// left.
func (f *JobFilter) bounds(a *arguments) string {
	var b strings.Builder
	if !f.Since.IsZero() {
		b.WriteString(" AND at >= " + a.add(f.Since))
	}
	// One upper bound: with two, Postgres may begin at the later one.
	goesOn := f.After != nil
	if !f.Until.IsZero() {
		b.WriteString(" AND at > '-infinity'")
		if goesOn && f.Until.Before(f.After.CreatedAt) {
			goesOn = false
		}
		if !goesOn || f.After.CreatedAt.IsZero() {
			b.WriteString(" AND at < " + a.add(f.Until))
		}
	}
	if goesOn {
		at := "'-infinity'::timestamptz"
		if !f.After.CreatedAt.IsZero() {
			at = a.add(f.After.CreatedAt)
		}
		b.WriteString(" AND (at, job_id) < (" + at + ", " + a.add(f.After.ID) + ")")
	}
	return b.String()
}
