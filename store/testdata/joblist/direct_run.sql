SELECT
j.id, r.owner, r.name AS repository, j.run_id, j.run_attempt, w.workflow_name, w.head_branch, w.head_sha,
j.name, j.status, j.conclusion, j.created_at, j.started_at, j.completed_at, j.runner_name,
array(SELECT l.name FROM job_labels jl JOIN labels l ON l.id = jl.label_id
WHERE jl.job_id = j.id ORDER BY jl.position) AS labels,
g.state AS log_state, g.raw_bytes, g.lines, j.carried_over_from,
(SELECT o.run_attempt FROM jobs o WHERE o.id = j.carried_over_from) AS carried_over_from_attempt, w.event, w.actor, x.triggering_actor, w.head_repository_id <> w.repository_id AS from_fork, w.path, w.display_title, w.run_number
FROM (SELECT at, job_id FROM (SELECT coalesce(j.created_at, '-infinity') AS at, j.id AS job_id FROM jobs j WHERE j.run_id = $1 AND j.repository_id = ANY($2::bigint[])) direct WHERE true ORDER BY at DESC, job_id DESC LIMIT $3) c
JOIN jobs j ON j.id = c.job_id AND coalesce(j.created_at, '-infinity') = c.at
JOIN workflow_runs w ON w.id = j.run_id
JOIN repositories r ON r.id = j.repository_id
JOIN job_logs g ON g.job_id = j.id
LEFT JOIN workflow_run_attempts x ON x.run_id = j.run_id AND x.run_attempt = coalesce(j.run_attempt, 1)
WHERE j.repository_id = ANY($4::bigint[]) AND j.run_id = $5
ORDER BY c.at DESC, c.job_id DESC
LIMIT $6
-- $1 = 5
-- $2 = [1 2]
-- $3 = 5000
-- $4 = [1 2]
-- $5 = 5
-- $6 = 101

SELECT coalesce(nullif(at, '-infinity'), '0001-01-01Z') AS created_at, job_id AS id FROM (SELECT at, job_id FROM (SELECT coalesce(j.created_at, '-infinity') AS at, j.id AS job_id FROM jobs j WHERE j.run_id = $1 AND j.repository_id = ANY($2::bigint[])) direct WHERE true ORDER BY at DESC, job_id DESC LIMIT $3 OFFSET $4) c
-- $1 = 5
-- $2 = [1 2]
-- $3 = 5000
-- $4 = 4999

