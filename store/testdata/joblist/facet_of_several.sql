SELECT i, n FROM (SELECT $1::integer AS i, count(*) AS n FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('workflow', lower($2)) AND at >= $3 AND (at, job_id) < ($4, $5) ORDER BY at DESC, job_id DESC LIMIT $6) c UNION ALL SELECT $7::integer AS i, count(*) AS n FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('branch', $8) AND at >= $9 AND (at, job_id) < ($10, $11) ORDER BY at DESC, job_id DESC LIMIT $12) c UNION ALL SELECT $13::integer AS i, count(*) AS n FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('runner', $14) AND at >= $15 AND (at, job_id) < ($16, $17) ORDER BY at DESC, job_id DESC LIMIT $18) c UNION ALL SELECT $19::integer AS i, count(*) AS n FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('label', $20) AND at >= $21 AND (at, job_id) < ($22, $23) ORDER BY at DESC, job_id DESC LIMIT $24) c) counts ORDER BY n, i LIMIT 1
-- $1 = 0
-- $2 = CI
-- $3 = 2024-07-08 16:48:09 +0000 UTC
-- $4 = 2024-07-08 16:48:09 +0000 UTC
-- $5 = 7
-- $6 = 5000
-- $7 = 1
-- $8 = main
-- $9 = 2024-07-08 16:48:09 +0000 UTC
-- $10 = 2024-07-08 16:48:09 +0000 UTC
-- $11 = 7
-- $12 = 5000
-- $13 = 2
-- $14 = r
-- $15 = 2024-07-08 16:48:09 +0000 UTC
-- $16 = 2024-07-08 16:48:09 +0000 UTC
-- $17 = 7
-- $18 = 5000
-- $19 = 3
-- $20 = gpu
-- $21 = 2024-07-08 16:48:09 +0000 UTC
-- $22 = 2024-07-08 16:48:09 +0000 UTC
-- $23 = 7
-- $24 = 5000

SELECT
j.id, r.owner, r.name AS repository, j.run_id, j.run_attempt, w.workflow_name, w.head_branch, w.head_sha,
j.name, j.status, j.conclusion, j.created_at, j.started_at, j.completed_at, j.runner_name,
array(SELECT l.name FROM job_labels jl JOIN labels l ON l.id = jl.label_id
WHERE jl.job_id = j.id ORDER BY jl.position) AS labels,
g.state AS log_state, g.raw_bytes, g.lines, j.carried_over_from,
(SELECT o.run_attempt FROM jobs o WHERE o.id = j.carried_over_from) AS carried_over_from_attempt, w.event, w.actor, x.triggering_actor, w.head_repository_id <> w.repository_id AS from_fork, w.path, w.display_title, w.run_number
FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('workflow', lower($1)) AND at >= $2 AND (at, job_id) < ($3, $4) ORDER BY at DESC, job_id DESC LIMIT $5) c
JOIN jobs j ON j.id = c.job_id AND coalesce(j.created_at, '-infinity') = c.at
JOIN workflow_runs w ON w.id = j.run_id
JOIN repositories r ON r.id = j.repository_id
JOIN job_logs g ON g.job_id = j.id
LEFT JOIN workflow_run_attempts x ON x.run_id = j.run_id AND x.run_attempt = coalesce(j.run_attempt, 1)
WHERE lower(w.workflow_name) = lower($6) AND w.head_branch = $7 AND EXISTS (SELECT FROM job_labels jl JOIN labels l ON l.id = jl.label_id WHERE jl.job_id = j.id AND l.name = $8 OFFSET 0) AND j.runner_name = $9 AND j.created_at >= $10
ORDER BY c.at DESC, c.job_id DESC
LIMIT $11
-- $1 = CI
-- $2 = 2024-07-08 16:48:09 +0000 UTC
-- $3 = 2024-07-08 16:48:09 +0000 UTC
-- $4 = 7
-- $5 = 5000
-- $6 = CI
-- $7 = main
-- $8 = gpu
-- $9 = r
-- $10 = 2024-07-08 16:48:09 +0000 UTC
-- $11 = 101

SELECT coalesce(nullif(at, '-infinity'), '0001-01-01Z') AS created_at, job_id AS id FROM (SELECT at, job_id FROM job_facets WHERE facet = facet('workflow', lower($1)) AND at >= $2 AND (at, job_id) < ($3, $4) ORDER BY at DESC, job_id DESC LIMIT $5 OFFSET $6) c
-- $1 = CI
-- $2 = 2024-07-08 16:48:09 +0000 UTC
-- $3 = 2024-07-08 16:48:09 +0000 UTC
-- $4 = 7
-- $5 = 5000
-- $6 = 4999

