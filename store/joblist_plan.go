package store

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// plan is the access path of a list: where its candidates come from, the newest first,
// each as (at, job_id). pageOf reads the candidates' rows and applies the whole filter
// to them, so a plan must find all jobs that the filter selects, and may find others.
// Postgres would choose among these paths by statistics and be wrong for what is rare;
// so the filter's plan chooses, and bounds what is read. In the order of choice:
//
//   - direct, by run: the filter has a RunID. Index jobs_by_run; as many candidates as
//     the run has jobs.
//   - direct, by commit: it has a SHA with at most maxRuns runs. Indexes
//     workflow_runs_by_head_sha and jobs_by_run; as many as these runs have jobs.
//   - direct, by status: it has a Status other than completed. Index jobs_uncompleted;
//     as many as jobs are waiting or running at present.
//   - facet scan: it has something that job_facets has a facet for: one repository,
//     workflow, branch, conclusion, runner, label, event, actor or forks. Of several, the facet with the
//     fewest jobs, counted up to maxCandidates. The primary key of job_facets, in its
//     order; at most maxCandidates a page.
//   - merge scan: it is of several repositories, at most maxMerged, and no facet has
//     fewer jobs than maxCandidates. The facet of each repository in turn; at most
//     maxCandidates a page, or minPerRepository of each if that is more.
//   - facet scan over all jobs, where none of these is possible; of more than maxMerged
//     repositories with the rows of the others left out. At most maxCandidates a page,
//     and in the latter case as many more as belong to other repositories in between.
//
// A reader who may see some repositories only must not learn from where a page ends
// that there are jobs in others. So where candidates may be cut short, all of them are of
// the filter's repositories.
type plan struct {
	facet     facet  // the facet to scan; used if the others are not set
	direct    string // a query of at and job_id from jobs j, with ? for arg; empty: none
	arg       any
	mergeScan bool
}

// facet is a thing that jobs can be found by, as in the table job_facets.
type facet struct{ kind, value string }

const (
	// maxCandidates bounds how many jobs are looked at for one page.
	maxCandidates = 5000
	// maxMerged is of how many repositories the facets are merged; where more are
	// asked for, they are likely to have a good part of all jobs.
	maxMerged = 1000
	// maxRuns is how many runs of a commit, or of those with its prefix, are few enough
	// to read all of their jobs.
	maxRuns = 500
	// minPerRepository is how many candidates each of many repositories contributes.
	minPerRepository = 60
)

// plan chooses the path with the fewest candidates.
func (f *JobFilter) plan(ctx context.Context, tx pgx.Tx) (plan, error) {
	const columns = `SELECT coalesce(j.created_at, '-infinity') AS at, j.id AS job_id FROM `
	switch {
	case f.RunID != 0:
		return plan{direct: columns + `jobs j WHERE j.run_id = ?`, arg: f.RunID}, nil
	case f.SHA != "":
		few, err := f.fewRuns(ctx, tx)
		if err != nil || few {
			return plan{direct: columns + `workflow_runs w JOIN jobs j ON j.run_id = w.id WHERE w.head_sha LIKE ?`, arg: likePrefix(strings.ToLower(f.SHA))}, err
		}
	}
	if f.Status != "" && f.Status != StatusCompleted {
		return plan{direct: columns + `jobs j WHERE j.status <> 'completed' AND j.status = ?`, arg: f.Status}, nil
	}
	switch facets := f.facets(); {
	case len(facets) == 1 && f.Repositories == nil:
		return plan{facet: facets[0]}, nil
	case len(facets) > 0:
		p, n, err := f.fewestJobs(ctx, tx, facets)
		// Either all of the facet is read, or nobody is kept from seeing any of it.
		if err != nil || n < maxCandidates || f.Repositories == nil {
			return p, err
		}
	}
	switch {
	case f.Repositories == nil || len(f.Repositories) > maxMerged:
		return plan{facet: facet{kind: "all"}}, nil
	case len(f.Repositories) == 1:
		return plan{facet: f.repositoryFacet()}, nil
	}
	return plan{mergeScan: true}, nil
}

// facets are the facets of the filter.
func (f *JobFilter) facets() []facet {
	var facets []facet
	if len(f.Repositories) == 1 {
		facets = append(facets, f.repositoryFacet())
	}
	for _, c := range []facet{
		{"workflow", f.Workflow}, {"branch", f.Branch}, {"conclusion", f.Conclusion}, {"runner", f.Runner}, {"label", f.Label},
		{"event", f.Event}, {"actor", f.Actor},
	} {
		if c.value != "" {
			facets = append(facets, c)
		}
	}
	if f.Fork {
		facets = append(facets, facet{"fork", "true"})
	}
	return facets
}

// repositoryFacet is that of the only repository.
func (f *JobFilter) repositoryFacet() facet {
	return facet{"repository", strconv.FormatInt(f.Repositories[0], 10)}
}

// fewRuns says whether the commit, or its prefix, has at most maxRuns runs.
func (f *JobFilter) fewRuns(ctx context.Context, tx pgx.Tx) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM workflow_runs WHERE head_sha LIKE $1 LIMIT $2) found`,
		likePrefix(strings.ToLower(f.SHA)), maxRuns+1).Scan(&n)
	return n <= maxRuns, err
}

// fewestJobs counts the jobs of each facet, up to maxCandidates, and returns the plan that
// scans the one with the fewest.
func (f *JobFilter) fewestJobs(ctx context.Context, tx pgx.Tx, facets []facet) (plan, int, error) {
	var counts []string
	a := arguments{}
	for i, c := range facets {
		counts = append(counts, a.bind(`SELECT ?::integer AS i, count(*) AS n`, i)+` FROM (`+f.facetScan(&a, c)+`) c`)
	}
	best, n := 0, 0
	err := tx.QueryRow(ctx, `SELECT i, n FROM (`+strings.Join(counts, " UNION ALL ")+`) counts ORDER BY n, i LIMIT 1`, a...).Scan(&best, &n)
	return plan{facet: facets[best]}, n, err
}

// candidates is the query of a plan's candidates after the cursor and within the
// filter's times. As far as they go, none is left out.
func (f *JobFilter) candidates(a *arguments, p plan) string {
	switch {
	case p.direct != "":
		direct := a.bind(p.direct, p.arg)
		if f.Repositories != nil {
			direct += a.bind(` AND j.repository_id = ANY(?::bigint[])`, f.Repositories)
		}
		return `SELECT at, job_id FROM (` + direct + `) direct WHERE true` + f.window(a) + a.bind(newestFirst, maxCandidates)
	case p.mergeScan:
		return f.perRepository(a) + `
			SELECT lists.at, lists.job_id FROM lists LEFT JOIN cutoff ON true
			WHERE cutoff.at IS NULL OR (lists.at, lists.job_id) >= (cutoff.at, cutoff.job_id)`
	case p.facet.kind == "all" && f.Repositories != nil:
		return `SELECT at, job_id FROM job_facets f WHERE facet = facet('all', '')` + f.window(a) +
			a.bind(`
			AND EXISTS (SELECT FROM jobs j WHERE j.id = f.job_id AND j.repository_id = ANY(?::bigint[]) OFFSET 0)`, f.Repositories) +
			a.bind(newestFirst, maxCandidates)
	}
	return f.facetScan(a, p.facet)
}

// end is the query of the candidate at which the candidates were cut short; without a
// row if they were not.
func (f *JobFilter) end(a *arguments, p plan) string {
	if p.mergeScan {
		return f.perRepository(a) + `
			SELECT at, job_id FROM cutoff`
	}
	return f.candidates(a, p) + a.bind(` OFFSET ?`, maxCandidates-1)
}

// newestFirst is the order of a list, and how many of it.
const newestFirst = ` ORDER BY at DESC, job_id DESC LIMIT ?`

// perRepository is the WITH of a merge scan: lists, the newest jobs of each of the
// filter's repositories, up to a number of each; and cutoff, the newest of the last jobs
// of those repositories that have that many. Older jobs than that may be missing.
func (f *JobFilter) perRepository(a *arguments) string {
	each := max(minPerRepository, f.Limit+1, maxCandidates/len(f.Repositories))
	return a.bind(`WITH lists AS MATERIALIZED (
				SELECT l.at, l.job_id, l.n FROM unnest(?::bigint[]) id, LATERAL (
					SELECT at, job_id, row_number() OVER (ORDER BY at DESC, job_id DESC) AS n
					FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('repository', id::text)`, f.Repositories) +
		f.window(a) + a.bind(newestFirst, each) + `) newest) l),
			cutoff AS MATERIALIZED (SELECT at, job_id FROM lists` + a.bind(` WHERE n = ?`, each) + a.bind(newestFirst, 1) + `)`
}

// facetScan is the query of the newest maxCandidates jobs of a facet.
func (f *JobFilter) facetScan(a *arguments, c facet) string {
	value := "?"
	if c.kind == "workflow" || c.kind == "actor" {
		value = "lower(?)"
	}
	return a.bind(`SELECT at, job_id FROM job_facets WHERE facet = facet('`+c.kind+`', `+value+`)`, c.value) +
		f.window(a) + a.bind(newestFirst, maxCandidates)
}

// window is the conditions that keep candidates within the filter's times and after the
// cursor, to be added to a WHERE.
func (f *JobFilter) window(a *arguments) string {
	var conditions strings.Builder
	add := func(condition string, values ...any) { conditions.WriteString(a.bind(condition, values...)) }
	if !f.Since.IsZero() {
		add(" AND at >= ?", f.Since)
	}
	// One upper bound: with two, Postgres may begin at the later one.
	after := f.After
	if !f.Until.IsZero() {
		add(" AND at > '-infinity'")
		if after != nil && f.Until.Before(after.CreatedAt) {
			after = nil
		}
		if after == nil || after.CreatedAt.IsZero() {
			add(" AND at < ?", f.Until)
		}
	}
	switch {
	case after == nil:
	case after.CreatedAt.IsZero():
		add(" AND (at, job_id) < ('-infinity'::timestamptz, ?)", after.ID)
	default:
		add(" AND (at, job_id) < (?, ?)", after.CreatedAt, after.ID)
	}
	return conditions.String()
}
