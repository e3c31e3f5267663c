package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// UnknownUses are how many jobs may have used an action although no row says so. Each
// number ends at MaxUnknown, which says that many or more.
type UnknownUses struct {
	Unread int64 `json:"unread"` // their logs are archived, and were not read by the present jobvault
	NoLog  int64 `json:"no_log"` // they completed, and jobvault has no log of theirs, nor what it said
	Cut    int64 `json:"cut"`    // their logs tell of more actions than are kept
	NoSHA  int64 `json:"no_sha"` // they used it, and their logs do not say at which commit or digest
}

// MaxUnknown is where the numbers of UnknownUses end.
const MaxUnknown = 10_000

// UnknownUses counts the jobs that a filter lets pass, of whatever action, whose logs do
// not tell all that they used. NoSHA is left to whoever knows the uses.
func (db *DB) UnknownUses(ctx context.Context, f ActionFilter) (UnknownUses, error) {
	var u UnknownUses
	err := db.inTx(ctx, "jobs that may have used an action", func(ctx context.Context, tx pgx.Tx) error {
		jobs := JobFilter{Repository: f.Repository, Repositories: f.Repositories}
		if err := jobs.resolve(ctx, tx); err != nil {
			return err
		}
		return tx.QueryRow(ctx, unknownUses, pgx.QueryExecModeCacheDescribe, jobs.Repositories, timeOrNull(f.Since)).Scan(&u.Unread, &u.NoLog, &u.Cut)
	})
	return u, err
}

// unknownUses counts by indexes that have such jobs alone. The version is part of the SQL:
// with a parameter, Postgres cannot use the partial index.
var unknownUses = fmt.Sprintf(`
	SELECT (SELECT count(*) FROM (
	            SELECT FROM job_logs l JOIN jobs j ON j.id = l.job_id
	            WHERE l.state = 'archived' AND l.usage_version IS DISTINCT FROM %[1]d AND %[2]s LIMIT %[3]d) u),
	       (SELECT count(*) FROM (
	            SELECT FROM job_logs l JOIN jobs j ON j.id = l.job_id
	            WHERE l.state IN ('pending', 'denied', 'expired', 'missing') AND j.status = 'completed' AND %[2]s
	            UNION ALL
	            SELECT FROM job_logs l JOIN jobs j ON j.id = l.job_id
	            WHERE l.state = 'removed' AND l.usage_version IS NULL AND %[2]s
	            LIMIT %[3]d) u),
	       (SELECT count(*) FROM (
	            SELECT FROM job_environment e JOIN jobs j ON j.id = e.job_id WHERE e.actions_cut > 0 AND %[2]s LIMIT %[3]d) u)`,
	usageVersion, `($1::bigint[] IS NULL OR j.repository_id = ANY($1)) AND ($2::timestamptz IS NULL OR j.created_at >= $2)`, MaxUnknown)
