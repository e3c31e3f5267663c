package store_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/store"
)

// ran is a job of run 2 that a runner took, in an attempt.
func ran(id, attempt int64, edits ...func(*store.Job)) store.Facts {
	return factsOf(id, store.StatusCompleted, func(f *store.Facts) {
		j := &f.Job
		j.RunAttempt, j.Conclusion, j.CreatedAt = &attempt, new("success"), new(day.Add(time.Duration(attempt)*time.Hour))
		j.StartedAt, j.CompletedAt, j.RunnerID, j.RunnerName = new(day.Add(time.Minute)), new(day.Add(5*time.Minute)), new(int64(7)), new("runner 7")
		for _, edit := range edits {
			edit(j)
		}
	})
}

// origins are the jobs that are carried over, with the job that ran.
func (f *fixture) origins() map[int64]int64 {
	f.t.Helper()
	rows, err := f.pool.Query(f.t.Context(), `SELECT id, carried_over_from FROM jobs WHERE carried_over_from IS NOT NULL`)
	f.check(err)
	found := make(map[int64]int64)
	var id, from int64
	_, err = pgx.ForEachRow(rows, []any{&id, &from}, func() error {
		found[id] = from
		return nil
	})
	f.check(err)
	return found
}

// What is carried over, and what only looks like it.
func TestCarriedOverByTheRule(t *testing.T) {
	for _, c := range []struct {
		name string
		jobs []store.Facts
		want map[int64]int64
	}{
		{"all is as it was", []store.Facts{ran(1, 1), ran(2, 2)}, map[int64]int64{2: 1}},
		{"twice: the first is the one that ran", []store.Facts{ran(1, 1), ran(2, 2), ran(3, 3)}, map[int64]int64{2: 1, 3: 1}},
		{"ids that do not rise", []store.Facts{ran(9, 1), ran(2, 2)}, map[int64]int64{2: 9}},
		{"the first attempt is not known", []store.Facts{ran(2, 2), ran(3, 3)}, map[int64]int64{3: 2}},
		{"two of one name at once: which one, nothing tells", []store.Facts{ran(1, 1), ran(2, 1), ran(3, 2), ran(4, 2)}, map[int64]int64{3: 1, 4: 1}},
		{"ran again", []store.Facts{ran(1, 1), ran(2, 2, func(j *store.Job) { j.StartedAt = new(day.Add(2 * time.Minute)) })}, nil},
		{"took longer", []store.Facts{ran(1, 1), ran(2, 2, func(j *store.Job) { j.CompletedAt = new(day.Add(9 * time.Minute)) })}, nil},
		{"ended otherwise", []store.Facts{ran(1, 1), ran(2, 2, func(j *store.Job) { j.Conclusion = new("failure") })}, nil},
		{"another job of the matrix", []store.Facts{ran(1, 1), ran(2, 2, func(j *store.Job) { j.Name = "build (2)" })}, nil},
		{"another runner", []store.Facts{ran(1, 1), ran(2, 2, func(j *store.Job) { j.RunnerID = new(int64(8)) })}, nil},
		{"a runner of another name", []store.Facts{ran(1, 1), ran(2, 2, func(j *store.Job) { j.RunnerName = new("runner 8") })}, nil},
		{"the same attempt", []store.Facts{ran(1, 1), ran(2, 1)}, nil},
		{"an attempt that is not known", []store.Facts{ran(1, 1, func(j *store.Job) { j.RunAttempt = nil }), ran(2, 2)}, nil},
		{"no runner", []store.Facts{
			ran(1, 1, func(j *store.Job) { j.RunnerID, j.RunnerName, j.Conclusion = nil, nil, new("skipped") }),
			ran(2, 2, func(j *store.Job) { j.RunnerID, j.RunnerName, j.Conclusion = nil, nil, new("skipped") }),
		}, nil},
		{"no times", []store.Facts{ran(1, 1, func(j *store.Job) { j.StartedAt = nil }), ran(2, 2, func(j *store.Job) { j.StartedAt = nil })}, nil},
		{"not ended", []store.Facts{ran(1, 1, func(j *store.Job) { j.CompletedAt = nil }), ran(2, 2, func(j *store.Job) { j.CompletedAt = nil })}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.tell(c.jobs...)
			if c.want == nil {
				c.want = map[int64]int64{}
			}
			if diff := gocmp.Diff(c.want, f.origins()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !slices.Equal(column[int64](f, `SELECT id FROM jobs ORDER BY id`), column[int64](f, `SELECT job_id FROM job_logs ORDER BY job_id`)) {
				t.Error("a job has no line in the ledger, whose log is archived as any")
			}
		})
	}
}

// ruled is the rule, over the rows of jobs as they are.
func ruled(jobs []store.Job) map[int64]int64 {
	execution := func(j store.Job) string {
		return fmt.Sprint(j.RunID, j.Name, *j.Conclusion, *j.RunnerID, *j.RunnerName, j.StartedAt.UnixMicro(), j.CompletedAt.UnixMicro())
	}
	known := slices.DeleteFunc(slices.Clone(jobs), func(j store.Job) bool {
		return j.RunAttempt == nil || j.Conclusion == nil || j.RunnerID == nil || j.RunnerName == nil || j.StartedAt == nil || j.CompletedAt == nil
	})
	slices.SortFunc(known, func(a, b store.Job) int {
		return cmp.Or(cmp.Compare(*a.RunAttempt, *b.RunAttempt), cmp.Compare(a.ID, b.ID))
	})
	first, origins := make(map[string]store.Job), make(map[int64]int64)
	for _, j := range known {
		if before, ok := first[execution(j)]; !ok {
			first[execution(j)] = j
		} else if *before.RunAttempt < *j.RunAttempt {
			origins[j.ID] = before.ID
		}
	}
	return origins
}

func (f *fixture) allJobs() []store.Job {
	f.t.Helper()
	var jobs []store.Job
	for _, id := range column[int64](f, `SELECT id FROM jobs ORDER BY id`) {
		jobs = append(jobs, f.job(id))
	}
	return jobs
}

// anyRan is what may be said of a job: much of it is like another's, or not said.
func anyRan(t *rapid.T, id int64) store.Facts {
	odd := func(what string) bool { return rapid.IntRange(0, 5).Draw(t, what) == 0 }
	return ran(id, rapid.Int64Range(1, 4).Draw(t, "attempt"), func(j *store.Job) {
		if odd("another name") {
			j.Name = "test"
		}
		if odd("failed") {
			j.Conclusion = new("failure")
		}
		if odd("another runner") {
			j.RunnerID, j.RunnerName = new(int64(8)), new("runner 8")
		}
		if odd("started later") {
			j.StartedAt = new(j.StartedAt.Add(time.Second))
		}
		switch rapid.IntRange(0, 12).Draw(t, "not said") {
		case 0:
			j.RunAttempt = nil
		case 1:
			j.RunnerID, j.RunnerName = nil, nil
		case 2:
			j.Status, j.Conclusion, j.CompletedAt = "in_progress", nil, nil
		case 3:
			j.StartedAt = nil
		}
	})
}

// Whatever is said of jobs, from any side and in any order: after each word, the rows say
// what the rule says of them.
func TestCarriedOverInAnyOrder(t *testing.T) {
	f := newFixture(t)
	rapid.Check(t, func(t *rapid.T) {
		for _, table := range []string{"job_logs", "jobs", "workflow_runs"} {
			f.exec(`DELETE FROM ` + table)
		}
		for range rapid.IntRange(2, 12).Draw(t, "words") {
			var words []store.Facts
			for _, id := range rapid.SliceOfNDistinct(rapid.Int64Range(1, 6), 1, 3, rapid.ID).Draw(t, "jobs") {
				words = append(words, anyRan(t, id))
			}
			switch rapid.IntRange(0, 2).Draw(t, "from") {
			case 0:
				f.insert(deliveryOf(words[0]))
				f.drain()
			case 1:
				f.fetch(words[0])
			default:
				f.check(f.db.RecordListed(f.t.Context(), words, day, store.PrioritySweep))
			}
			if diff := gocmp.Diff(ruled(f.allJobs()), f.origins()); diff != "" {
				t.Fatalf("(-by the rule +in the rows):\n%s", diff)
			}
		}
	})
}

// Two that write jobs of one execution at the same time do not miss each other.
func TestCarriedOverByConcurrentWriters(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(1, "queued")) // the run is there
	const rounds, attempts = 40, 4
	for round := range int64(rounds) {
		var jobs []store.Facts
		for attempt := int64(1); attempt <= attempts; attempt++ {
			jobs = append(jobs, ran(100*(round+1)+attempt, attempt, func(j *store.Job) { j.Name = fmt.Sprint("build ", round) }))
		}
		rand.Shuffle(len(jobs), func(a, b int) { jobs[a], jobs[b] = jobs[b], jobs[a] })
		var running sync.WaitGroup
		for _, j := range jobs {
			running.Go(func() {
				if err := f.db.RecordFetched(context.WithoutCancel(t.Context()), j, day); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
	}
	origins := f.origins()
	for round := range int64(rounds) {
		for attempt := int64(2); attempt <= attempts; attempt++ {
			first := 100*(round+1) + 1
			if from := origins[first+attempt-1]; from != first {
				t.Errorf("job %d is carried over from %d, want %d", first+attempt-1, from, first)
			}
		}
	}
}

// Who writes one of the jobs waits for who is writing the other, also one that does not go
// by way of the store.
func TestCarriedOverWhileTheOtherIsWritten(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(1, "queued"))
	const insert = `
		INSERT INTO jobs (id, run_id, run_attempt, repository_id, name, status, conclusion, runner_id, runner_name, started_at, completed_at)
		VALUES ($1, 2, $2, 1, 'build', 'completed', 'success', 7, 'runner', '2024-07-08', '2024-07-09')`
	for _, attempts := range [][2]int64{{1, 2}, {2, 1}} {
		tx, err := f.pool.Begin(t.Context())
		f.check(err)
		defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }() // if it failed
		_, err = tx.Exec(t.Context(), insert, 10+attempts[0], attempts[0])
		f.check(err)
		written := make(chan error, 1)
		go func() {
			_, err := f.pool.Exec(t.Context(), insert, 10+attempts[1], attempts[1])
			written <- err
		}()
		for waits := false; !waits; {
			select {
			case err := <-written:
				t.Fatalf("attempt %d was written while %d was: %v", attempts[1], attempts[0], err)
			default:
				waits = scalar[bool](f, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`)
			}
		}
		f.check(tx.Commit(t.Context()))
		f.check(<-written)
		if diff := gocmp.Diff(map[int64]int64{12: 11}, f.origins()); diff != "" {
			t.Errorf("attempts %v (-want +got):\n%s", attempts, diff)
		}
		f.exec(`DELETE FROM jobs WHERE id > 1`)
	}
}

// A run of many jobs that was run again and again costs a look at few rows for each job
// that is written, and not at all of the run.
func TestCarriedOverCostsLittle(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(1, "queued"))
	const matrix, attempts = 256, 10
	f.exec(`
		INSERT INTO jobs (id, run_id, run_attempt, repository_id, name, status, conclusion, runner_id, runner_name, started_at, completed_at)
		SELECT 1000 * a + m, 2, a, 1, 'test', 'completed', 'success', m, 'runner ' || m, $1, $1::timestamptz + interval '5 minutes'
		FROM generate_series(1, $2::integer) a, generate_series(1, $3::integer) m`, day, attempts, matrix)
	f.exec(`INSERT INTO jobs (id, run_id, repository_id, name, status) SELECT i, 2, 1, 'test', 'queued' FROM generate_series(100001, 120000) i`)
	f.exec(`ANALYZE jobs`)
	if n := len(f.origins()); n != matrix*(attempts-1) {
		t.Fatalf("%d are carried over", n)
	}
	// The first attempt's job ended otherwise: ten jobs are looked at again.
	var before, read int
	const rowsRead = `SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'jobs'`
	f.check(pgx.BeginFunc(t.Context(), f.pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(t.Context(), rowsRead).Scan(&before); err != nil { // of this connection, not only of this transaction
			return err
		}
		if _, err := tx.Exec(t.Context(), `UPDATE jobs SET completed_at = completed_at + interval '1 second' WHERE id = 1001`); err != nil {
			return err
		}
		return tx.QueryRow(t.Context(), rowsRead).Scan(&read)
	}))
	read -= before
	if diff := gocmp.Diff(int64(2001), f.origins()[3001]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if maxRead := 3 * attempts * attempts; read > maxRead {
		t.Errorf("%d rows of jobs read to write one, want %d at most", read, maxRead)
	}
	t.Logf("%d rows of jobs read to write one", read)
}

// The copy of a failure is no second failure, and its log tells of the errors once more
// only where the log of the job that ran tells of none.
func TestCopiesAreNoSecondOutcome(t *testing.T) {
	f := newFixture(t)
	failed := func(j *store.Job) { j.Conclusion = new("failure") }
	for _, facts := range []store.Facts{
		ran(1, 1, failed), ran(2, 2, failed), // another job was run again alone
		ran(3, 3, func(j *store.Job) { j.StartedAt, j.CompletedAt = new(day.Add(time.Hour)), new(day.Add(2*time.Hour)) }), ran(4, 4, func(j *store.Job) {
			j.StartedAt, j.CompletedAt = new(day.Add(time.Hour)), new(day.Add(2*time.Hour))
		}),
	} {
		facts.Run.HeadSHA, facts.Run.WorkflowName = new("d6fde92930d4715a2b49857d24b940956b26d2d3"), new("ci")
		f.fetch(facts)
	}
	if diff := gocmp.Diff(map[int64]int64{2: 1, 4: 3}, f.origins()); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	flaky := column[[]int64](f, `SELECT ARRAY[failures, failed_job_id, passed_job_id] FROM flaky_jobs`)
	if diff := gocmp.Diff([][]int64{{1, 1, 3}}, flaky); diff != "" {
		t.Errorf("failures, the first, and what passed (-want +got):\n%s", diff)
	}
	run := column[[]int64](f, `SELECT ARRAY[attempts, jobs, succeeded, failed, job_seconds::bigint] FROM run_facts`)
	if diff := gocmp.Diff([][]int64{{4, 2, 1, 1, 4*60 + 3600}}, run); diff != "" {
		t.Errorf("attempts, jobs, succeeded, failed, seconds (-want +got):\n%s", diff)
	}
	signatures := func() []int64 { return column[int64](f, `SELECT sum(jobs)::bigint FROM failure_signatures`) }
	f.exec(`INSERT INTO job_annotations (job_id, log_line, level, message) VALUES (2, 1, 'error', 'boom')`)
	if n := signatures(); !slices.Equal(n, []int64{1}) {
		t.Errorf("the log of the job that ran is lost: %d jobs", n)
	}
	f.exec(`INSERT INTO job_annotations (job_id, log_line, level, message) VALUES (1, 1, 'error', 'boom')`)
	if n := signatures(); !slices.Equal(n, []int64{1}) {
		t.Errorf("both logs are there: %d jobs", n)
	}
}
