package store

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// way is how the jobs of a list are come by: along a facet, or, if it has none,
// from a query that finds few jobs at once.
//
// A reader who may see some repositories only must not learn from where a page ends
// that there are jobs in others: where a way may be left before its end, its
// candidates are all of the filter's repositories.
type way struct {
	facet facet
	few   string // SELECT of at and job_id from jobs j, with ? for arg
	arg   any
	merge bool // along the facets of the filter's repositories
}

// facet is a thing that jobs can be found by, as in the table job_facets.
type facet struct{ kind, value string }

const (
	// mostMerged is of how many repositories lists are merged; where more are
	// asked for, they are likely to have a good part of all jobs.
	mostMerged = 1000
	// mostRuns is how many runs of a commit, or of those with its beginning, are few.
	mostRuns = 500
	// leastMerged is how many candidates come from each of many repositories.
	leastMerged = 60
)

// way chooses the one with the fewest jobs on it.
func (f *JobFilter) way(ctx context.Context, tx pgx.Tx) (way, error) {
	const columns = `SELECT coalesce(j.created_at, '-infinity') AS at, j.id AS job_id FROM `
	switch {
	case f.RunID != 0:
		return way{few: columns + `jobs j WHERE j.run_id = ?`, arg: f.RunID}, nil
	case f.SHA != "":
		few, err := f.fewRuns(ctx, tx)
		if err != nil || few {
			return way{few: columns + `workflow_runs w JOIN jobs j ON j.run_id = w.id WHERE w.head_sha LIKE ?`, arg: likePrefix(strings.ToLower(f.SHA))}, err
		}
	}
	if f.Status != "" && f.Status != StatusCompleted {
		return way{few: columns + `jobs j WHERE j.status <> 'completed' AND j.status = ?`, arg: f.Status}, nil
	}
	if facets := f.facets(); len(facets) > 0 {
		w, n, err := f.shortest(ctx, tx, facets)
		// Along all of it, or along one that tells nobody's secrets.
		if err != nil || n < mostCandidates || f.Repositories == nil {
			return w, err
		}
	}
	switch {
	case f.Repositories == nil || len(f.Repositories) > mostMerged:
		return way{facet: facet{kind: "all"}}, nil
	case len(f.Repositories) == 1:
		return way{facet: f.repositoryFacet()}, nil
	}
	return way{merge: true}, nil
}

// facets are the things in the filter that jobs can be found by.
func (f *JobFilter) facets() []facet {
	var facets []facet
	if len(f.Repositories) == 1 {
		facets = append(facets, f.repositoryFacet())
	}
	for _, c := range []facet{
		{"workflow", f.Workflow}, {"branch", f.Branch}, {"conclusion", f.Conclusion}, {"runner", f.Runner}, {"label", f.Label},
	} {
		if c.value != "" {
			facets = append(facets, c)
		}
	}
	return facets
}

// repositoryFacet is that of the only repository.
func (f *JobFilter) repositoryFacet() facet {
	return facet{"repository", strconv.FormatInt(f.Repositories[0], 10)}
}

// fewRuns says whether what is given of a commit finds few runs.
func (f *JobFilter) fewRuns(ctx context.Context, tx pgx.Tx) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM workflow_runs WHERE head_sha LIKE $1 LIMIT $2) found`,
		likePrefix(strings.ToLower(f.SHA)), mostRuns+1).Scan(&n)
	return n <= mostRuns, err
}

// shortest counts the jobs along each facet, as far as matters, and returns the way
// along the one with the fewest.
func (f *JobFilter) shortest(ctx context.Context, tx pgx.Tx, facets []facet) (way, int, error) {
	var counts []string
	a := arguments{}
	for i, c := range facets {
		counts = append(counts, `SELECT `+a.add(i)+`::integer AS i, count(*) AS n FROM (`+f.along(&a, c)+`) c`)
	}
	best, n := 0, 0
	err := tx.QueryRow(ctx, `SELECT i, n FROM (`+strings.Join(counts, " UNION ALL ")+`) counts ORDER BY n, i LIMIT 1`, a...).Scan(&best, &n)
	return way{facet: facets[best]}, n, err
}

// candidates is the SELECT of the jobs along a way that are within the filter's
// times, as at and job_id. They are complete as far as they go.
func (f *JobFilter) candidates(a *arguments, w way) string {
	switch {
	case w.few != "":
		few := strings.Replace(w.few, "?", a.add(w.arg), 1)
		if f.Repositories != nil {
			few += ` AND j.repository_id = ANY(` + a.add(f.Repositories) + `::bigint[])`
		}
		return `SELECT at, job_id FROM (` + few + `) few WHERE true` + f.bounds(a) + inOrder + a.add(mostCandidates)
	case w.merge:
		return f.lists(a) + ` SELECT lists.at, lists.job_id FROM lists LEFT JOIN cut ON true
			WHERE cut.at IS NULL OR (lists.at, lists.job_id) >= (cut.at, cut.job_id)`
	case w.facet.kind == "all" && f.Repositories != nil:
		return `SELECT at, job_id FROM job_facets f WHERE facet = facet('all', '')` + f.bounds(a) + `
			AND EXISTS (SELECT FROM jobs j WHERE j.id = f.job_id AND j.repository_id = ANY(` + a.add(f.Repositories) + `::bigint[]) OFFSET 0)` +
			inOrder + a.add(mostCandidates)
	}
	return f.along(a, w.facet)
}

// end is the SELECT of where the candidates were cut short, if they were.
func (f *JobFilter) end(a *arguments, w way) string {
	if w.merge {
		return f.lists(a) + ` SELECT at, job_id FROM cut`
	}
	return f.candidates(a, w) + ` OFFSET ` + a.add(mostCandidates-1)
}

// inOrder is that of a list.
const inOrder = " ORDER BY at DESC, job_id DESC LIMIT "

// lists is a WITH: so many jobs of each of the filter's repositories, and cut, the
// newest of the last ones of those that have more: beyond it, others are missing.
func (f *JobFilter) lists(a *arguments) string {
	each := a.add(max(leastMerged, f.Limit+1, mostCandidates/len(f.Repositories)))
	return `WITH lists AS MATERIALIZED (
			SELECT l.at, l.job_id, l.n FROM unnest(` + a.add(f.Repositories) + `::bigint[]) id, LATERAL (
				SELECT at, job_id, row_number() OVER (ORDER BY at DESC, job_id DESC) AS n
				FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('repository', id::text)` + f.bounds(a) + inOrder + each + `) one) l),
		cut AS MATERIALIZED (SELECT at, job_id FROM lists WHERE n = ` + each + inOrder + `1)`
}

// along is the SELECT of the first mostCandidates jobs of a facet.
func (f *JobFilter) along(a *arguments, c facet) string {
	value := a.add(c.value)
	if c.kind == "workflow" {
		value = "lower(" + value + ")"
	}
	return `SELECT at, job_id FROM job_facets WHERE facet = facet('` + c.kind + `', ` + value + `)` + f.bounds(a) +
		inOrder + a.add(mostCandidates)
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
