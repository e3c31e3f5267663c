-- What makes a list of jobs by any filter as fast as its first page: for each
-- thing that a job can be filtered by, its jobs in the order of lists.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION facet(kind text, value text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT hashtextextended(kind || ':' || value, 0) $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION facets(repository_id bigint, conclusion text, runner text, workflow text, branch text) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_remove(ARRAY[facet('all', ''), facet('repository', repository_id::text), facet('conclusion', conclusion),
                              facet('runner', runner), facet('workflow', lower(workflow)), facet('branch', branch)], NULL)
$$;
-- +goose StatementEnd

CREATE TABLE job_facets (
    facet  bigint NOT NULL,
    at     timestamptz NOT NULL,
    job_id bigint NOT NULL,
    PRIMARY KEY (facet, at, job_id)
);

COMMENT ON FUNCTION facet IS 'Number of a thing that jobs are filtered by; null of a null.';
COMMENT ON FUNCTION facets IS 'All those of a job''s own row and its run''s; its labels beside them.';
COMMENT ON TABLE job_facets IS 'An index for lists of jobs, kept by triggers. A row may be out of date: what it leads to is looked at again.';
COMMENT ON COLUMN job_facets.facet IS 'facet(kind, value). Kinds: all, repository, workflow, branch, conclusion, runner, label.';
COMMENT ON COLUMN job_facets.at IS 'jobs.created_at, or -infinity.';
COMMENT ON COLUMN job_facets.job_id IS 'The job.';

-- +goose StatementBegin
CREATE FUNCTION index_new_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_facets (facet, at, job_id)
    SELECT f, coalesce(n.created_at, '-infinity'), n.id
    FROM new_jobs n JOIN workflow_runs w ON w.id = n.run_id,
         unnest(facets(n.repository_id, n.conclusion, n.runner_name, w.workflow_name, w.head_branch)) f
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION index_changed_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_facets (facet, at, job_id)
    SELECT f, coalesce(n.created_at, '-infinity'), n.id
    FROM new_jobs n JOIN old_jobs o ON o.id = n.id JOIN workflow_runs w ON w.id = n.run_id,
         unnest(facets(n.repository_id, n.conclusion, n.runner_name, w.workflow_name, w.head_branch)
                || ARRAY(SELECT facet('label', l.name) FROM job_labels jl JOIN labels l ON l.id = jl.label_id WHERE jl.job_id = n.id)) f
    WHERE (n.created_at, n.repository_id, n.conclusion, n.runner_name, n.run_id)
          IS DISTINCT FROM (o.created_at, o.repository_id, o.conclusion, o.runner_name, o.run_id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION index_changed_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_facets (facet, at, job_id)
    SELECT f, coalesce(j.created_at, '-infinity'), j.id
    FROM new_runs n JOIN old_runs o ON o.id = n.id JOIN jobs j ON j.run_id = n.id,
         unnest(ARRAY[facet('workflow', lower(n.workflow_name)), facet('branch', n.head_branch)]) f
    WHERE f IS NOT NULL AND (n.workflow_name, n.head_branch) IS DISTINCT FROM (o.workflow_name, o.head_branch)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION index_labels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_facets (facet, at, job_id)
    SELECT facet('label', l.name), coalesce(j.created_at, '-infinity'), j.id
    FROM new_labels n JOIN labels l ON l.id = n.label_id JOIN jobs j ON j.id = n.job_id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER index_new_jobs AFTER INSERT ON jobs REFERENCING NEW TABLE AS new_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION index_new_jobs();
CREATE TRIGGER index_changed_jobs AFTER UPDATE ON jobs REFERENCING OLD TABLE AS old_jobs NEW TABLE AS new_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION index_changed_jobs();
CREATE TRIGGER index_changed_runs AFTER UPDATE ON workflow_runs REFERENCING OLD TABLE AS old_runs NEW TABLE AS new_runs
    FOR EACH STATEMENT EXECUTE FUNCTION index_changed_runs();
CREATE TRIGGER index_labels AFTER INSERT ON job_labels REFERENCING NEW TABLE AS new_labels
    FOR EACH STATEMENT EXECUTE FUNCTION index_labels();
CREATE TRIGGER index_changed_labels AFTER UPDATE ON job_labels REFERENCING NEW TABLE AS new_labels
    FOR EACH STATEMENT EXECUTE FUNCTION index_labels();

INSERT INTO job_facets (facet, at, job_id)
SELECT f, coalesce(j.created_at, '-infinity'), j.id
FROM jobs j JOIN workflow_runs w ON w.id = j.run_id,
     unnest(facets(j.repository_id, j.conclusion, j.runner_name, w.workflow_name, w.head_branch)
            || ARRAY(SELECT facet('label', l.name) FROM job_labels jl JOIN labels l ON l.id = jl.label_id WHERE jl.job_id = j.id)) f
ON CONFLICT DO NOTHING;

-- +goose Down

DROP TRIGGER index_changed_labels ON job_labels;
DROP TRIGGER index_labels ON job_labels;
DROP TRIGGER index_changed_runs ON workflow_runs;
DROP TRIGGER index_changed_jobs ON jobs;
DROP TRIGGER index_new_jobs ON jobs;
DROP FUNCTION index_labels;
DROP FUNCTION index_changed_runs;
DROP FUNCTION index_changed_jobs;
DROP FUNCTION index_new_jobs;
DROP TABLE job_facets;
DROP FUNCTION facets;
DROP FUNCTION facet;
