SELECT i, n FROM (SELECT $1::integer AS i, count(*) AS n FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('repository', $2) ORDER BY at DESC, job_id DESC LIMIT $3) c UNION ALL SELECT $4::integer AS i, count(*) AS n FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('event', $5) ORDER BY at DESC, job_id DESC LIMIT $6) c UNION ALL SELECT $7::integer AS i, count(*) AS n FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('actor', lower($8)) ORDER BY at DESC, job_id DESC LIMIT $9) c UNION ALL SELECT $10::integer AS i, count(*) AS n FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('fork', $11) ORDER BY at DESC, job_id DESC LIMIT $12) c) counts ORDER BY n, i LIMIT 1
-- $1 = 0
-- $2 = 1
-- $3 = 5000
-- $4 = 1
-- $5 = pull_request_target
-- $6 = 5000
-- $7 = 2
-- $8 = Mallory
-- $9 = 5000
-- $10 = 3
-- $11 = true
-- $12 = 5000

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
WHERE j.repository_id = ANY($3::bigint[]) AND w.event = $4 AND lower($5) IN (lower(w.actor), lower(x.triggering_actor)) AND (w.head_repository_id <> w.repository_id) = $6
ORDER BY c.at DESC, c.job_id DESC
LIMIT $7
-- $1 = 1
-- $2 = 5000
-- $3 = [1]
-- $4 = pull_request_target
-- $5 = Mallory
-- $6 = true
-- $7 = 101

SELECT coalesce(nullif(at, '-infinity'), '0001-01-01Z') AS created_at, job_id AS id FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('repository', $1) ORDER BY at DESC, job_id DESC LIMIT $2 OFFSET $3) c
-- $1 = 1
-- $2 = 5000
-- $3 = 4999

