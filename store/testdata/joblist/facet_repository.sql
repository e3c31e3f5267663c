SELECT i, n FROM (SELECT $1::integer AS i, count(*) AS n FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('repository', $2) ORDER BY at DESC, job_id DESC LIMIT $3) c) counts ORDER BY n, i LIMIT 1
-- $1 = 0
-- $2 = 1
-- $3 = 5000

SELECT
j.id, r.owner, r.name AS repository, j.run_id, j.run_attempt, w.workflow_name, w.head_branch, w.head_sha,
j.name, j.status, j.conclusion, j.created_at, j.started_at, j.completed_at, j.runner_name,
array(SELECT l.name FROM job_labels jl JOIN labels l ON l.id = jl.label_id
WHERE jl.job_id = j.id ORDER BY jl.position) AS labels,
g.state AS log_state, g.raw_bytes, g.lines, j.carried_over_from,
(SELECT o.run_attempt FROM jobs o WHERE o.id = j.carried_over_from) AS carried_over_from_attempt, w.event, w.actor, x.triggering_actor, w.head_repository_id <> w.repository_id AS from_fork, w.path, w.display_title, w.run_number
FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('repository', $1) ORDER BY at DESC, job_id DESC LIMIT $2) c
JOIN jobs j ON j.id = c.job_id AND coalesce(j.created_at, '-infinity') = c.at
JOIN workflow_runs w ON w.id = j.run_id
JOIN repositories r ON r.id = j.repository_id
JOIN job_logs g ON g.job_id = j.id
LEFT JOIN workflow_run_attempts x ON x.run_id = j.run_id AND x.run_attempt = coalesce(j.run_attempt, 1)
WHERE j.repository_id = ANY($3::bigint[])
ORDER BY c.at DESC, c.job_id DESC
LIMIT $4
-- $1 = 1
-- $2 = 5000
-- $3 = [1]
-- $4 = 21

SELECT coalesce(nullif(at, '-infinity'), '0001-01-01Z') AS created_at, job_id AS id FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('repository', $1) ORDER BY at DESC, job_id DESC LIMIT $2 OFFSET $3) c
-- $1 = 1
-- $2 = 5000
-- $3 = 4999

