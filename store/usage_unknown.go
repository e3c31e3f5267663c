package store

import (
	"context"
	"fmt"
	"regexp"

	"github.com/jackc/pgx/v5"
)

// UnknownUses are how many jobs may have used an action although no row says so, or not
// all of it. Each number ends at MaxUnknown, which says that many or more.
type UnknownUses struct {
	Unread    int64 `json:"unread"`     // their logs are archived, and were not read by the present jobvault
	NoLog     int64 `json:"no_log"`     // they completed, and jobvault has no log of theirs, nor what it said
	Cut       int64 `json:"cut"`        // their logs tell of more actions than are kept
	NoSHA     int64 `json:"no_sha"`     // they used it, and their logs do not say at which commit or digest
	NotListed int64 `json:"not_listed"` // they used it, and no listing has told whether their runs were started as the filter asks
}

// MaxUnknown is where the numbers of UnknownUses end.
const MaxUnknown = 10_000

// UnknownUses counts the jobs of which it is not known whether a filter selects a use of
// theirs. Jobs whose runs were started otherwise, as far as is known, are not among them,
// nor are those that did not run again, if the log of the job that ran was read.
func (db *DB) UnknownUses(ctx context.Context, f ActionFilter) (UnknownUses, error) {
	var u UnknownUses
	err := db.inTx(ctx, "jobs that may have used an action", func(ctx context.Context, tx pgx.Tx) error {
		args, err := f.args(ctx, tx)
		if err != nil {
			return err
		}
		args = append([]any{pgx.QueryExecModeCacheDescribe}, args...)
		return tx.QueryRow(ctx, unknownUses, append(args, commitRef.MatchString(f.Ref))...).Scan(&u.Unread, &u.NoLog, &u.Cut, &u.NoSHA, &u.NotListed)
	})
	return u, err
}

// commitRef matches a commit or its beginning, as it is given for a ref.
var commitRef = regexp.MustCompile(fmt.Sprintf("^[0-9a-fA-F]{%d,40}$", minCommitPrefix))

const (
	// notRuledOut holds jobs j that a filter does not rule out, whatever they used.
	notRuledOut = `($5::bigint[] IS NULL OR j.repository_id = ANY($5)) AND ($6::timestamptz IS NULL OR j.created_at >= $6) AND (` + startedSo + `) IS NOT FALSE`

	// joinStarts joins what startedSo asks of jobs j.
	joinStarts = `JOIN workflow_runs w ON w.id = j.run_id ` + joinAttempt

	// noSHA holds uses a whose commit or digest the log does not say, of those that the ref
	// does not rule out: any may be at the commit that was asked for ($11), unless it was
	// asked for by another one. The index job_actions_unresolved has the first line.
	noSHA = `a.resolved_sha IS NULL AND ` + imageDigest + ` IS NULL
		AND ($3 = '' OR a.ref = $3 OR $11::boolean AND (a.ref !~ '^[0-9a-f]{40}$' OR a.ref LIKE $4))`
)

// unknownUses counts by indexes that have such jobs alone, but for the last number, which
// takes as long as usesOfStarts. The version is part of the SQL: with a parameter, Postgres
// cannot use the partial index.
var unknownUses = fmt.Sprintf(`
	SELECT (SELECT count(*) FROM (
	            SELECT FROM job_logs l JOIN jobs j ON j.id = l.job_id %[2]s
	            WHERE l.state = 'archived' AND l.usage_version IS DISTINCT FROM %[1]d AND %[3]s AND %[4]s LIMIT %[5]d) u),
	       (SELECT count(*) FROM (
	            SELECT FROM job_logs l JOIN jobs j ON j.id = l.job_id %[2]s
	            WHERE l.state IN ('pending', 'denied', 'expired', 'missing') AND j.status = 'completed' AND %[3]s AND %[4]s
	            UNION ALL
	            SELECT FROM job_logs l JOIN jobs j ON j.id = l.job_id %[2]s
	            WHERE l.state = 'removed' AND l.usage_version IS NULL AND %[3]s AND %[4]s
	            LIMIT %[5]d) u),
	       (SELECT count(*) FROM (
	            SELECT FROM job_environment e JOIN jobs j ON j.id = e.job_id %[2]s WHERE e.actions_cut > 0 AND %[3]s
	            AND NOT EXISTS (SELECT FROM job_logs r WHERE r.job_id = j.carried_over_from AND r.usage_version = %[1]d OFFSET 0) LIMIT %[5]d) u),
	       (SELECT count(*) FROM (
	            SELECT DISTINCT a.job_id FROM job_actions a JOIN jobs j ON j.id = a.job_id %[2]s
	            WHERE %[6]s AND %[7]s AND %[3]s AND %[8]s LIMIT %[5]d) u),
	       (SELECT count(*) FROM (
	            SELECT DISTINCT a.job_id FROM job_actions a JOIN jobs j ON j.id = a.job_id %[2]s
	            WHERE %[6]s AND %[9]s AND %[3]s AND %[8]s AND (%[10]s) IS NULL LIMIT %[5]d) u)`,
	usageVersion, joinStarts, notRuledOut, readNowhere, MaxUnknown, ofName, noSHA, countsUses, ofRef, startedSo)

// readNowhere holds jobs j of whose execution no log was read: GitHub gives the log of a
// job that did not run again with each attempt.
var readNowhere = fmt.Sprintf(`NOT EXISTS (
		SELECT FROM jobs c JOIN job_logs r ON r.job_id = c.id
		WHERE (c.id = j.carried_over_from OR c.carried_over_from = coalesce(j.carried_over_from, j.id)) AND r.usage_version = %d OFFSET 0)`, usageVersion)
