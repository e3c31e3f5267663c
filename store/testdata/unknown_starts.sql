WITH runs AS MATERIALIZED (
SELECT w.id FROM workflow_runs w WHERE (w.event IS NULL OR w.actor IS NULL OR w.head_repository_id IS NULL) AND w.repository_id = ANY($9::bigint[]) AND w.head_sha LIKE $10 ORDER BY w.id DESC LIMIT $11
), of_runs AS MATERIALIZED (
SELECT j.id FROM runs JOIN jobs j ON j.run_id = runs.id ORDER BY runs.id DESC LIMIT $12
), again AS MATERIALIZED (
SELECT j.id FROM jobs j JOIN workflow_runs w ON w.id = j.run_id WHERE j.run_attempt > 1 AND j.repository_id = ANY($1::bigint[]) AND w.head_sha LIKE $2 AND j.created_at >= $3 ORDER BY j.created_at DESC NULLS LAST LIMIT $4
)
SELECT (SELECT count(*) FROM (
SELECT FROM (SELECT id FROM of_runs UNION SELECT id FROM again) c
JOIN jobs j ON j.id = c.id
JOIN workflow_runs w ON w.id = j.run_id
JOIN job_logs g ON g.job_id = j.id
LEFT JOIN workflow_run_attempts x ON x.run_id = j.run_id AND x.run_attempt = coalesce(j.run_attempt, 1)
WHERE j.repository_id = ANY($5::bigint[]) AND w.head_branch = $6 AND w.head_sha LIKE $7 AND j.created_at >= $8 AND (w.event = $13 AND lower($14) IN (lower(w.actor), lower(coalesce(x.triggering_actor, CASE WHEN coalesce(j.run_attempt, 1) = 1 THEN w.actor END))) AND w.head_repository_id <> w.repository_id) IS NULL LIMIT $15) u),
greatest((SELECT count(*) FROM runs), (SELECT count(*) FROM of_runs), (SELECT count(*) FROM again)) >= $16
-- $1 = [1 2]
-- $2 = d6fd%
-- $3 = 2024-07-08 16:48:09 +0000 UTC
-- $4 = 20000
-- $5 = [1 2]
-- $6 = main
-- $7 = d6fd%
-- $8 = 2024-07-08 16:48:09 +0000 UTC
-- $9 = [1 2]
-- $10 = d6fd%
-- $11 = 20000
-- $12 = 20000
-- $13 = push
-- $14 = Mallory
-- $15 = 10000
-- $16 = 20000

