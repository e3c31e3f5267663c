SELECT
j.id, r.owner, r.name AS repository, j.run_id, j.run_attempt, w.workflow_name, w.head_branch, w.head_sha,
j.name, j.status, j.conclusion, j.created_at, j.started_at, j.completed_at, j.runner_name,
array(SELECT l.name FROM job_labels jl JOIN labels l ON l.id = jl.label_id
WHERE jl.job_id = j.id ORDER BY jl.position) AS labels,
g.state AS log_state, g.raw_bytes, g.lines, j.carried_over_from,
(SELECT o.run_attempt FROM jobs o WHERE o.id = j.carried_over_from) AS carried_over_from_attempt, w.event, w.actor, x.triggering_actor, w.head_repository_id <> w.repository_id AS from_fork, w.path, w.display_title, w.run_number
FROM (WITH lists AS MATERIALIZED (
SELECT l.at, l.job_id, l.n FROM unnest($1::bigint[]) id, LATERAL (
SELECT at, job_id, row_number() OVER (ORDER BY at DESC, job_id DESC) AS n
FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('repository', id::text) AND at >= $2 AND at > '-infinity' AND (at, job_id) < ($3, $4) ORDER BY at DESC, job_id DESC LIMIT $5) newest) l),
cutoff AS MATERIALIZED (SELECT at, job_id FROM lists WHERE n = $6 ORDER BY at DESC, job_id DESC LIMIT $7)
SELECT lists.at, lists.job_id FROM lists LEFT JOIN cutoff ON true
WHERE cutoff.at IS NULL OR (lists.at, lists.job_id) >= (cutoff.at, cutoff.job_id)) c
JOIN jobs j ON j.id = c.job_id AND coalesce(j.created_at, '-infinity') = c.at
JOIN workflow_runs w ON w.id = j.run_id
JOIN repositories r ON r.id = j.repository_id
JOIN job_logs g ON g.job_id = j.id
LEFT JOIN workflow_run_attempts x ON x.run_id = j.run_id AND x.run_attempt = coalesce(j.run_attempt, 1)
WHERE j.repository_id = ANY($8::bigint[]) AND j.created_at >= $9 AND j.created_at < $10
ORDER BY c.at DESC, c.job_id DESC
LIMIT $11
-- $1 = [1 2 3]
-- $2 = 2024-07-08 16:48:09 +0000 UTC
-- $3 = 2024-07-08 16:48:09 +0000 UTC
-- $4 = 7
-- $5 = 1666
-- $6 = 1666
-- $7 = 1
-- $8 = [1 2 3]
-- $9 = 2024-07-08 16:48:09 +0000 UTC
-- $10 = 2024-07-09 16:48:09 +0000 UTC
-- $11 = 101

SELECT coalesce(nullif(at, '-infinity'), '0001-01-01Z') AS created_at, job_id AS id FROM (WITH lists AS MATERIALIZED (
SELECT l.at, l.job_id, l.n FROM unnest($1::bigint[]) id, LATERAL (
SELECT at, job_id, row_number() OVER (ORDER BY at DESC, job_id DESC) AS n
FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('repository', id::text) AND at >= $2 AND at > '-infinity' AND (at, job_id) < ($3, $4) ORDER BY at DESC, job_id DESC LIMIT $5) newest) l),
cutoff AS MATERIALIZED (SELECT at, job_id FROM lists WHERE n = $6 ORDER BY at DESC, job_id DESC LIMIT $7)
SELECT at, job_id FROM cutoff) c
-- $1 = [1 2 3]
-- $2 = 2024-07-08 16:48:09 +0000 UTC
-- $3 = 2024-07-08 16:48:09 +0000 UTC
-- $4 = 7
-- $5 = 1666
-- $6 = 1666
-- $7 = 1

