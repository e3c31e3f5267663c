package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// UnknownStarts says how many jobs a filter for what started runs leaves out because that
// is not known of them: no listing has told, or the fork or the account is deleted.
type UnknownStarts struct {
	NotListed int64 `json:"not_listed"`         // jobs that all else in the filter selects; it ends at MaxUnknown
	AtLeast   bool  `json:"at_least,omitempty"` // there may be more: not all were looked at
}

// maxStartsLooked bounds how many runs, and how many jobs, are looked at to count unknown
// starts: the newest.
const maxStartsLooked = 20_000

// AsksForStart says whether the filter selects by what started runs.
func (f *JobFilter) AsksForStart() bool { return f.Event != "" || f.Actor != "" || f.Fork }

// UnknownStarts counts the jobs of which it is not known whether they were started as the
// filter asks, whatever its After and Limit; nil: it does not ask for that. It takes no
// longer over millions of jobs than over few.
func (db *DB) UnknownStarts(ctx context.Context, f JobFilter) (*UnknownStarts, error) {
	if !f.AsksForStart() {
		return nil, nil
	}
	var u UnknownStarts
	err := db.inTx(ctx, "jobs of which it is not known what started them", func(ctx context.Context, tx pgx.Tx) error {
		if err := f.resolve(ctx, tx); err != nil {
			return err
		}
		if f.Repositories != nil && len(f.Repositories) == 0 {
			return nil
		}
		a := arguments{}
		sql := f.unknownStartsSQL(&a)
		return tx.QueryRow(ctx, sql, a...).Scan(&u.NotListed, &u.AtLeast)
	})
	if err != nil {
		return nil, err
	}
	u.AtLeast = u.AtLeast || u.NotListed == MaxUnknown
	return &u, nil
}

// unknownStartsSQL looks at the runs of the index workflow_runs_start_unknown and, if it is
// asked who started an attempt, at the jobs of jobs_run_again: of an attempt that was run
// again before it was listed that is not known.
func (f *JobFilter) unknownStartsSQL(a *arguments) string {
	again := `SELECT NULL::bigint AS id WHERE false`
	if f.Actor != "" {
		again = `SELECT j.id FROM jobs j JOIN workflow_runs w ON w.id = j.run_id WHERE j.run_attempt > 1` + f.scope(a, "j.run_id", "j.repository_id")
		if !f.Since.IsZero() {
			again += a.bind(` AND j.created_at >= ?`, f.Since)
		}
		if !f.Until.IsZero() {
			again += a.bind(` AND j.created_at < ?`, f.Until)
		}
		again += a.bind(` ORDER BY j.created_at DESC NULLS LAST LIMIT ?`, maxStartsLooked)
	}
	others := *f
	others.Event, others.Actor, others.Fork = "", "", false
	conditions := others.conditions(a)
	if conditions == "" {
		conditions = "WHERE true"
	}
	return `
		WITH runs AS MATERIALIZED (
			SELECT w.id FROM workflow_runs w WHERE (` + f.startsUnknown() + `)` + f.scope(a, "w.id", "w.repository_id") + a.bind(` ORDER BY w.id DESC LIMIT ?`, maxStartsLooked) + `
		), of_runs AS MATERIALIZED (
			SELECT j.id FROM runs JOIN jobs j ON j.run_id = runs.id` + a.bind(` ORDER BY runs.id DESC LIMIT ?`, maxStartsLooked) + `
		), again AS MATERIALIZED (
			` + again + `
		)
		SELECT (SELECT count(*) FROM (
				SELECT FROM (SELECT id FROM of_runs UNION SELECT id FROM again) c
				JOIN jobs j ON j.id = c.id
				JOIN workflow_runs w ON w.id = j.run_id
				JOIN job_logs g ON g.job_id = j.id
				` + joinAttempt + `
				` + conditions + ` AND (` + f.startedSo(a) + `) IS NULL` + a.bind(` LIMIT ?) u)`, MaxUnknown) + `,
			greatest((SELECT count(*) FROM runs), (SELECT count(*) FROM of_runs), (SELECT count(*) FROM again))` + a.bind(` >= ?`, maxStartsLooked)
}

// scope is the conditions that keep what is looked at to the filter's repositories, of
// whose rows alone a reader may learn, and to its run or commit, which have few.
func (f *JobFilter) scope(a *arguments, run, repository string) string {
	var scope strings.Builder
	if f.Repositories != nil {
		scope.WriteString(a.bind(` AND `+repository+` = ANY(?::bigint[])`, f.Repositories))
	}
	if f.RunID != 0 {
		scope.WriteString(a.bind(` AND `+run+` = ?`, f.RunID))
	}
	if f.SHA != "" {
		scope.WriteString(a.bind(` AND w.head_sha LIKE ?`, likePrefix(strings.ToLower(f.SHA))))
	}
	return scope.String()
}

// startsUnknown holds runs w of which something that the filter asks for is not known, of
// all attempts. Its parts are those of the index workflow_runs_start_unknown.
func (f *JobFilter) startsUnknown() string {
	var unknown []string
	for _, c := range []struct {
		asked  bool
		column string
	}{{f.Event != "", "event"}, {f.Actor != "", "actor"}, {f.Fork, "head_repository_id"}} {
		if c.asked {
			unknown = append(unknown, fmt.Sprintf("w.%s IS NULL", c.column))
		}
	}
	return strings.Join(unknown, " OR ")
}

// startedSo holds jobs j whose runs w, or attempts x, were started as the filter asks; null:
// that is not known.
func (f *JobFilter) startedSo(a *arguments) string {
	var started []string
	if f.Event != "" {
		started = append(started, a.bind(`w.event = ?`, f.Event))
	}
	if f.Actor != "" {
		started = append(started, a.bind(`lower(?) IN (lower(w.actor), lower(`+attemptStarter+`))`, f.Actor))
	}
	if f.Fork {
		started = append(started, `w.head_repository_id <> w.repository_id`)
	}
	return strings.Join(started, " AND ")
}
