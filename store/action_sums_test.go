package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/migrations"
	"github.com/jobvault/jobvault/store"
)

// rawUses is what ActionUses says, and the view action_uses, read from the rows of the
// jobs alone.
const rawUses = `
	SELECT u.action, u.path, u.ref, u.resolved_sha, u.version, u.image_digest, r.owner || '/' || r.name AS repository, u.workflow,
	       u.jobs, u.first_job, u.last_job, u.first_used_at, u.last_used_at, u.in_setup, l.event AS last_event, l.actor AS last_actor
	FROM (SELECT a.action, a.path, a.ref, a.resolved_sha, a.version, a.image_digest, j.repository_id, w.workflow_name AS workflow,
	             count(DISTINCT a.job_id) AS jobs, min(a.job_id) AS first_job, max(a.job_id) AS last_job,
	             min(j.created_at) AS first_used_at, max(j.created_at) AS last_used_at, bool_or(a.in_setup) AS in_setup
	      FROM (SELECT *, CASE WHEN kind IN ('image', 'container') THEN digest END AS image_digest FROM job_actions) a
	      JOIN jobs j ON j.id = a.job_id JOIN workflow_runs w ON w.id = j.run_id
	      WHERE (j.carried_over_from IS NULL OR j.carried_over_from NOT IN (SELECT job_id FROM job_actions))
	        AND ($1 = '' OR lower(a.action) = lower($1)) AND ($2 = '' OR lower(a.path) = lower($2))
	        AND ($3 = '' OR a.ref = $3 OR (length($3) >= 7 AND a.resolved_sha LIKE lower($3) || '%'))
	        AND ($4::bigint[] IS NULL OR j.repository_id = ANY($4)) AND ($5::timestamptz IS NULL OR j.created_at >= $5)
	        AND ($6 = '' OR a.image_digest = $6)
	      GROUP BY a.action, a.path, a.ref, a.resolved_sha, a.version, a.image_digest, j.repository_id, w.workflow_name) u
	JOIN repositories r ON r.id = u.repository_id
	JOIN jobs lj ON lj.id = u.last_job JOIN workflow_runs l ON l.id = lj.run_id
	ORDER BY u.last_used_at DESC NULLS LAST, repository, u.workflow, u.ref, u.resolved_sha, u.image_digest, u.action, u.path, u.version`

// sumSteps are what may happen to jobs, and to what is kept of them; each is drawn for
// one of a few.
var sumSteps = map[string]func(f *fixture, t *rapid.T, job int64){
	"archive": func(f *fixture, t *rapid.T, job int64) {
		facts := factsOf(job, store.StatusCompleted)
		repository := 1 + job%2
		facts.Repository = store.Repository{ID: repository, Owner: "acme", Name: fmt.Sprint("r", repository), SeenAt: day}
		facts.Run.ID, facts.Run.RepositoryID, facts.Run.WorkflowName = repository, repository, nil
		facts.Job.RunID, facts.Job.RepositoryID, facts.Job.CreatedAt = facts.Run.ID, repository, anyTime(t)
		// One of a run may be another one, in a later attempt.
		facts.Job.RunAttempt, facts.Job.Conclusion = new(rapid.Int64Range(1, 3).Draw(t, "attempt")), new("success")
		facts.Job.RunnerID, facts.Job.RunnerName, facts.Job.StartedAt, facts.Job.CompletedAt = new(int64(7)), new("runner"), &day, &day
		f.fetch(facts)
		s := archivedAs(job)
		s.Usage = anyActions(t)
		_, err := f.db.Settle(f.t.Context(), s, day) // the first time only
		f.check(err)
	},
	"read again": func(f *fixture, t *rapid.T, job int64) {
		digest := archivedAs(job).Object.SHA256
		_, err := f.db.RecordIndex(f.t.Context(), job, digest[:], nil, anyActions(t), 0)
		f.check(err)
	},
	"change the job": func(f *fixture, t *rapid.T, job int64) {
		f.exec(`UPDATE jobs SET created_at = $2 WHERE id = $1`, job, anyTime(t))
	},
	"move the job": func(f *fixture, _ *rapid.T, job int64) {
		f.exec(`UPDATE jobs SET run_id = (SELECT max(id) FROM workflow_runs), repository_id = (SELECT max(id) FROM repositories) WHERE id = $1`, job)
	},
	"name the workflow": func(f *fixture, t *rapid.T, job int64) {
		f.exec(`UPDATE workflow_runs SET workflow_name = $2 WHERE id = (SELECT run_id FROM jobs WHERE id = $1)`, job, rapid.SampledFrom([]string{"ci", "CI", ""}).Draw(t, "name"))
	},
	"use one more": func(f *fixture, _ *rapid.T, job int64) {
		f.exec(`INSERT INTO job_actions (job_id, seq, action, ref, log_line, in_setup)
			SELECT id, (SELECT coalesce(max(seq), 0) + 1 FROM job_actions WHERE job_id = $1), 'a/b', 'v1', 1, true FROM jobs WHERE id = $1`, job)
	},
	"drop one use": func(f *fixture, _ *rapid.T, job int64) {
		f.exec(`DELETE FROM job_actions WHERE job_id = $1 AND seq = 0`, job)
	},
	"delete the job": func(f *fixture, _ *rapid.T, job int64) {
		f.exec(`WITH l AS (DELETE FROM job_logs WHERE job_id = $1 RETURNING job_id) SELECT FROM l`, job)
		f.exec(`DELETE FROM jobs WHERE id = $1`, job)
	},
	"sum up": func(f *fixture, t *rapid.T, _ int64) {
		_, err := f.db.RollUpSome(f.t.Context(), rapid.Int64Range(1, 5).Draw(t, "jobs"))
		f.check(err)
	},
	"sum up all": func(f *fixture, _ *rapid.T, _ int64) { f.rollUp() },
	"a while": func(f *fixture, _ *rapid.T, _ int64) {
		f.exec(`UPDATE action_invalidated SET noted_at = noted_at - interval '1 hour'`)
	},
}

// anyTime is at and around the begins of days and weeks, or not known.
func anyTime(t *rapid.T) *time.Time {
	const span = 24 * time.Hour
	begin := day.Truncate(56 * span)
	days := rapid.SampledFrom([]int{-57, -1, 0, 1, 3, 7, 8, 20, 49, 55, 56, 60}).Draw(t, "days")
	at := begin.Add(time.Duration(days)*span + rapid.SampledFrom([]time.Duration{0, time.Microsecond, -time.Microsecond, 5 * time.Hour}).Draw(t, "off"))
	return rapid.SampledFrom([]*time.Time{&at, &at, &at, nil}).Draw(t, "created")
}

func anyActions(t *rapid.T) *joblog.Usage {
	u := &joblog.Usage{}
	for range rapid.IntRange(0, 4).Draw(t, "actions") {
		u.Actions = append(u.Actions, joblog.Action{
			Line: 1, Name: rapid.SampledFrom([]string{"a/b", "A/b", "c/d"}).Draw(t, "action"), Path: rapid.SampledFrom([]string{"", "p", "P"}).Draw(t, "path"),
			Ref: rapid.SampledFrom([]string{"v1", "v2"}).Draw(t, "ref"), SHA: rapid.SampledFrom([]string{goodSHA, evilSHA, ""}).Draw(t, "sha"),
			Version: rapid.SampledFrom([]string{"", "1.0"}).Draw(t, "version"), InSetup: rapid.Bool().Draw(t, "in setup"),
		})
		if a := &u.Actions[len(u.Actions)-1]; rapid.Bool().Draw(t, "an image") {
			a.Kind, a.Name = rapid.SampledFrom([]joblog.ActionKind{joblog.PulledImage, joblog.ContainerImage, joblog.BuiltImage}).Draw(t, "kind"), image
			a.Digest = rapid.SampledFrom([]string{"", "sha256:1", "sha256:2"}).Draw(t, "digest")
		}
	}
	return u
}

const image = "docker://ghcr.io/acme/lint"

func anyFilter(t *rapid.T) store.ActionFilter {
	f := store.ActionFilter{
		Action: rapid.SampledFrom([]string{"a/b", "c/d", "a/b/p", image}).Draw(t, "of"), Ref: rapid.SampledFrom([]string{"", "", "v1", goodSHA, evilSHA[:7]}).Draw(t, "at"),
		Repositories: rapid.SampledFrom([][]int64{nil, nil, {1}, {2}, {1, 2}, {}}).Draw(t, "of repositories"),
	}
	if f.Action == image {
		f.Digest = rapid.SampledFrom([]string{"", "sha256:1", "sha256:2"}).Draw(t, "by digest")
	}
	if since := anyTime(t); since != nil {
		f.Since = *since
	}
	return f
}

// Sums and what is noted beside them say what the rows say, whatever happens in
// whatever order.
func TestUsesAreThoseOfTheRows(t *testing.T) {
	f := newFixture(t)
	rapid.Check(t, func(t *rapid.T) {
		for _, table := range []string{"job_logs", "jobs", "workflow_runs", "repository_names", "repositories", "job_facets", "action_callers", "action_sums", "action_pending", "action_invalidated"} {
			f.exec(`DELETE FROM ` + table)
		}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			step := rapid.SampledFrom([]string{
				"archive", "archive", "archive", "archive", "read again", "change the job", "move the job", "name the workflow", "use one more", "drop one use", "delete the job",
				"sum up", "sum up all", "sum up all", "a while",
			}).Draw(t, "step")
			sumSteps[step](f, t, rapid.Int64Range(1, 8).Draw(t, "job"))
			f.compareUses(t, anyFilter(t))
		}
	})
}

// compareUses asks in both ways.
func (f *fixture) compareUses(t *rapid.T, filter store.ActionFilter) {
	action, path := filter.Action, ""
	if action == "a/b/p" {
		action, path = "a/b", "p"
	}
	since := &filter.Since
	if since.IsZero() {
		since = nil
	}
	want := f.rawUses(action, path, filter.Ref, filter.Repositories, since, filter.Digest)
	got, err := f.db.ActionUses(f.t.Context(), filter)
	f.check(err)
	if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
		t.Fatalf("%+v (-rows +said):\n%s", filter, diff)
	}
	var wrong int
	f.check(f.db.Pool().QueryRow(f.t.Context(), `
		WITH want AS (SELECT action, path, ref, resolved_sha, version, repository, workflow, jobs, first_used_at, last_used_at, in_setup, image_digest FROM (`+rawUses+`) u),
		     got AS (SELECT action, path, ref, resolved_sha, version, repository, workflow_name, jobs, first_used_at, last_used_at, in_setup, image_digest FROM action_uses)
		SELECT count(*) FROM ((TABLE want EXCEPT ALL TABLE got) UNION ALL (TABLE got EXCEPT ALL TABLE want)) d`,
		"", "", "", []int64(nil), nil, "").Scan(&wrong))
	if wrong != 0 {
		t.Fatalf("the view action_uses: %d rows differ", wrong)
	}
}

func (f *fixture) rawUses(args ...any) []store.ActionUse {
	rows, err := f.pool.Query(f.t.Context(), rawUses, args...)
	f.check(err)
	uses, err := pgx.CollectRows(rows, pgx.RowToStructByName[store.ActionUse])
	f.check(err)
	return uses
}

// Whoever archives only notes, and waits for nobody; one at a time rolls up.
func TestActionsAreNotedByThoseWhoWriteThem(t *testing.T) {
	f := newFixture(t)
	f.usedBy(1, 1, day, usage(goodSHA, true))
	f.exec(manyJobs, 1500)
	f.exec(useIn, 2, 500)
	busy, err := f.pool.Begin(t.Context())
	f.check(err)
	defer func() { f.check(busy.Rollback(context.WithoutCancel(t.Context()))) }()
	_, err = busy.Exec(t.Context(), `SELECT pg_advisory_xact_lock(hashtextextended('jobvault action_sums', 0))`)
	f.check(err)
	f.exec(useIn, 501, 1500)
	more, err := f.db.RollUpActions(t.Context())
	f.check(err)
	if n := scalar[int64](f, `SELECT count(*) FROM action_pending`); n != 1500 || more {
		t.Errorf("%d jobs are noted, and there is more to do: %t", n, more)
	}
}

const (
	manyJobs = `INSERT INTO jobs (id, run_id, repository_id, name, status, created_at) SELECT i, 100, 1, 'j', 'completed', now() FROM generate_series(2, $1::bigint) i`
	useIn    = `INSERT INTO job_actions (job_id, seq, action, ref, log_line, in_setup) SELECT i, 0, 'a/b', 'v1', 1, true FROM generate_series($1::bigint, $2::bigint) i`
)

// However much is pending, it is rolled up in transactions of a bounded number of jobs,
// until nothing is; what changed in a period is added up anew once it was left alone.
func TestALongBacklogIsRolledUpInBatches(t *testing.T) {
	f := newFixture(t)
	f.usedBy(1, 1, day, usage(goodSHA, true))
	f.exec(manyJobs, 1000)
	f.exec(useIn, 2, 1000)
	rounds := func() (n int) {
		for more := true; more; n++ {
			before := scalar[int64](f, `SELECT count(*) FROM action_pending`)
			var err error
			more, err = f.db.RollUpSome(t.Context(), 300)
			f.check(err)
			if after := scalar[int64](f, `SELECT count(*) FROM action_pending`); before-after > 300 {
				t.Errorf("%d jobs in one transaction", before-after)
			}
			f.usesOfAB(999)
		}
		return n
	}
	if n := rounds(); n != 4 {
		t.Errorf("%d rounds for 1,000 jobs", n)
	}
	// Not a minute old: what is invalidated stays so.
	f.exec(`UPDATE jobs SET created_at = created_at - interval '2 hours' WHERE id = 5`)
	if n := rounds(); n != 1 {
		t.Errorf("%d rounds while the period changes", n)
	}
	f.exec(`UPDATE action_invalidated SET noted_at = noted_at - interval '1 hour'`)
	if n := rounds(); n < 5 {
		t.Errorf("%d rounds for the jobs of a period", n)
	}
	if got := scalar[string](f, `SELECT concat_ws(' ', (SELECT count(*) FROM action_pending), (SELECT count(*) FROM action_invalidated), sum(jobs)) FROM action_sums WHERE days = 56 AND action = facet('action', 'a/b')`); got != "0 0 999" {
		t.Errorf("pending, invalidated and summed up: %s", got)
	}
}

// usesOfAB checks how many jobs are said to use a/b.
func (f *fixture) usesOfAB(want int64) {
	f.t.Helper()
	uses, err := f.db.ActionUses(f.t.Context(), store.ActionFilter{Action: "a/b"})
	f.check(err)
	if len(uses) != 1 || uses[0].Jobs != want {
		f.t.Errorf("%+v, want %d jobs", uses, want)
	}
}

// rollUp rolls up until there is no more.
func (f *fixture) rollUp() {
	f.t.Helper()
	f.check(f.db.RollUpAllActions(f.t.Context()))
}

// What was there before the sums is summed up by the migration.
func TestTheMigrationSumsUpWhatIsThere(t *testing.T) {
	f := newFixture(t)
	f.usedBy(1, 1, day, usage(goodSHA, true))
	f.usedBy(2, 1, day.Add(time.Hour), usage(goodSHA, false))
	m, err := migrations.New(f.pool)
	f.check(err)
	defer m.Close()
	for there := ""; there != "00009_action_sums.sql"; {
		undone, err := m.Down(t.Context())
		f.check(err)
		there = undone[0]
	}
	_, err = m.Up(t.Context())
	f.check(err)
	if got := scalar[string](f, `SELECT concat_ws(' ', (SELECT count(*) FROM action_pending), sum(jobs), min(first_job), max(last_job)) FROM action_sums WHERE days = 7`); got != "0 4 1 2" {
		t.Error(got)
	}
}

// Nobody waits for the roll-up, and it counts nothing twice and forgets nothing, whatever
// is written while it runs.
func TestUsesAreThoseOfTheRowsWhileManyWrite(t *testing.T) {
	f := newFixture(t)
	f.usedBy(1, 1, day, usage(goodSHA, true))
	f.usedBy(2, 2, day, usage(goodSHA, true))
	const jobs, writers = 60, 4
	// Two and two are one execution, and of two writers.
	f.exec(`INSERT INTO jobs (id, run_id, run_attempt, repository_id, name, status, conclusion, runner_id, runner_name, started_at, completed_at, created_at)
		SELECT i, 100 * (1 + i % 2), 1 + (i % 4) / 2, 1 + i % 2, 'j' || i / 4, 'completed', 'success', 7, 'runner', '2024-06-01Z', '2024-06-01Z', timestamptz '2024-06-01Z' + i * interval '2 days'
		FROM generate_series(3, $1::bigint) i`, jobs)
	if n := scalar[int](f, `SELECT count(*) FROM jobs WHERE carried_over_from IS NOT NULL`); n < jobs/3 {
		t.Fatalf("%d jobs are carried over", n)
	}
	steps := []string{
		`INSERT INTO job_actions (job_id, seq, action, ref, log_line, in_setup) VALUES ($1, $2, 'a/b', 'v1', 1, true) ON CONFLICT DO NOTHING`,
		`INSERT INTO job_actions (job_id, seq, action, ref, log_line, in_setup) SELECT id, $2, 'a/b', 'v2', 1, false FROM jobs WHERE id > 2 AND id % 4 = $1 % 4 AND id BETWEEN $1 AND $1 + 20 ON CONFLICT DO NOTHING`,
		`UPDATE job_actions SET ref = 'v' || $2::integer WHERE job_id = $1`,
		`DELETE FROM job_actions WHERE job_id = $1 AND seq = $2`,
		`UPDATE jobs SET created_at = created_at + $2 * interval '20 days' WHERE id = $1`,
	}
	var writing sync.WaitGroup
	for writer := range writers { // each with jobs of its own, as if it had their locks
		writing.Go(func() {
			for range 150 {
				if _, err := f.pool.Exec(t.Context(), steps[rand.IntN(len(steps))], 4+writer+writers*rand.IntN(jobs/writers-1), rand.IntN(3)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writing.Wait(); close(done) }()
	for busy := true; busy; {
		select {
		case <-done:
			busy = false
		default:
		}
		f.exec(`UPDATE action_invalidated SET noted_at = noted_at - interval '1 hour'`) // nobody waits a minute
		if _, err := f.db.RollUpSome(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
	}
	for _, rolledUp := range []bool{false, true} {
		if rolledUp {
			f.exec(`UPDATE action_invalidated SET noted_at = noted_at - interval '1 hour'`)
			f.rollUp()
		}
		got, err := f.db.ActionUses(t.Context(), store.ActionFilter{Action: "a/b"})
		f.check(err)
		if diff := cmp.Diff(f.rawUses("a/b", "", "", []int64(nil), (*time.Time)(nil), ""), got); diff != "" {
			t.Errorf("all rolled up: %t (-rows +said):\n%s", rolledUp, diff)
		}
	}
	if n := scalar[int64](f, `SELECT (SELECT count(*) FROM action_pending) + (SELECT count(*) FROM action_invalidated)`); n != 0 {
		t.Errorf("%d notes are left", n)
	}
}
