package store_test

import (
	"strings"
	"testing"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// rollUpOfBefore is how the release before this one rolls up: by all jobs, and by commits
// alone.
const rollUpOfBefore = `
	WITH taken AS (DELETE FROM action_pending WHERE seq < $1 RETURNING job_id),
	     used AS (
	         SELECT action, path, ref, resolved_sha, version, repository_id, workflow_name, day_bucket(created_at, 1) AS at, count(*) AS jobs,
	                min(u.job_id) AS first_job, max(u.job_id) AS last_job, min(created_at) AS first_used_at, max(created_at) AS last_used_at, bool_or(in_setup) AS in_setup
	         FROM (SELECT DISTINCT job_id FROM taken) t, LATERAL (
	             SELECT a.job_id, a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name, j.created_at, bool_or(a.in_setup) AS in_setup
	             FROM jobs j JOIN workflow_runs w ON w.id = j.run_id JOIN job_actions a ON a.job_id = j.id
	             WHERE j.id = t.job_id
	             GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) u
	         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8),
	     daily AS MATERIALIZED (
	         SELECT *, sha256(convert_to(ROW(action, path, ref, resolved_sha, version, repository_id, workflow_name)::text, 'UTF8')) AS digest FROM used),
	     added AS (
	         INSERT INTO action_callers (digest, action, path, ref, resolved_sha, version, repository_id, workflow_name)
	         SELECT DISTINCT ON (digest) digest, action, path, ref, resolved_sha, version, repository_id, workflow_name FROM daily
	         WHERE NOT EXISTS (SELECT FROM action_callers c WHERE c.digest = daily.digest)
	         RETURNING id, digest),
	     callers AS (SELECT id, digest FROM action_callers UNION ALL SELECT id, digest FROM added)
	INSERT INTO action_sums AS s (action, days, at, caller_id, repository_id, jobs, first_job, last_job, first_used_at, last_used_at, in_setup)
	SELECT facet('action', lower(d.action)), days, day_bucket(d.at, days), c.id, d.repository_id,
	       sum(jobs), min(first_job), max(last_job), min(first_used_at), max(last_used_at), bool_or(in_setup)
	FROM daily d JOIN callers c USING (digest), unnest($2::integer[]) days
	GROUP BY 1, 2, 3, 4, 5
	ORDER BY 1, 2, 3 -- what is read together lies together
	ON CONFLICT (action, days, at, caller_id) DO UPDATE SET
	    jobs = s.jobs + excluded.jobs, first_job = least(s.first_job, excluded.first_job), last_job = greatest(s.last_job, excluded.last_job),
	    first_used_at = least(s.first_used_at, excluded.first_used_at), last_used_at = greatest(s.last_used_at, excluded.last_used_at),
	    in_setup = s.in_setup OR excluded.in_setup`

// A jobvault of the release before that still runs writes jobs and what they used, but adds
// nothing to the sums: it counts jobs that did not run again, and takes all digests for one.
func TestAnOlderJobvaultAddsToNoSum(t *testing.T) {
	f := newFixture(t)
	archive := func(id, attempt int64) {
		f.fetch(ran(id, attempt))
		s := archivedAs(id)
		s.Usage = &joblog.Usage{Actions: []joblog.Action{
			{Line: 1, Name: "a/b", Ref: "v1", SHA: goodSHA}, {Line: 2, Kind: joblog.PulledImage, Name: "docker://x", Ref: "v4", Digest: "sha256:" + strings.Repeat("a", 64)},
		}}
		f.settle(s)
	}
	refused := func(when string) {
		t.Helper()
		_, err := f.pool.Exec(t.Context(), rollUpOfBefore, int64(1<<40), []int32{1, 7, 56})
		if err == nil || !strings.Contains(err.Error(), `"rule"`) {
			t.Errorf("%s, an older jobvault rolls up: %v", when, err)
		}
	}
	archive(1, 1)
	archive(2, 2)
	refused("with no sums")
	f.usesOfAB(1)
	f.rollUp()
	archive(3, 3)
	refused("with sums of the same")
	f.usesOfAB(1)
	f.rollUp()
	f.usesOfAB(1)
	if uses, err := f.db.ActionUses(t.Context(), store.ActionFilter{Action: "docker://x"}); err != nil || len(uses) != 1 || uses[0].Digest == nil {
		t.Errorf("%+v, %v", uses, err)
	}
}
