package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// Within a minute a clock is right enough, either way; beyond, both times are named.
func TestSkew(t *testing.T) {
	db := testenv.DB(t)
	for by, wrong := range map[time.Duration]bool{
		0: false, 58 * time.Second: false, -58 * time.Second: false, 65 * time.Second: true, -65 * time.Second: true, 2 * time.Hour: true, -365 * 24 * time.Hour: true,
	} {
		c, err := db.NewClock(t.Context(), func() time.Time { return time.Now().Add(by) })
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Now(); time.Since(got).Abs() > 2*time.Second {
			t.Errorf("with a clock that is off by %s it is %s", by, got)
		}
		if (c.Skew() - by).Abs() > 2*time.Second {
			t.Errorf("off by %s is taken for %s", by, c.Skew())
		}
		err = c.Check(t.Context())
		var skew *store.SkewError
		if errors.As(err, &skew) != wrong || (c.Err() != nil) != wrong {
			t.Errorf("off by %s: %v", by, err)
		}
		if !wrong {
			continue
		}
		for _, at := range []time.Time{time.Now().Add(by), time.Now()} {
			if day := at.UTC().Format("2006-01-02T15:"); !strings.Contains(err.Error(), day) {
				t.Errorf("%q does not tell of %s", err, day)
			}
		}
	}
}

// A slow answer of Postgres makes no clock wrong: the skew is known only within half of
// the time that the question took.
func TestSlowQuestionsProveNothing(t *testing.T) {
	db := testenv.DB(t)
	asked := -1
	slow := func() time.Time {
		asked++
		return time.Now().Add(time.Duration(asked%2) * 2 * time.Minute)
	}
	c, err := db.NewClock(t.Context(), slow)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Err(); err != nil {
		t.Error(err)
	}
}

// What removes, or is evidence, is decided by Postgres' time, and not at all by a process
// whose clock is wrong.
func TestDecisionsAreByPostgresTime(t *testing.T) {
	f := newFixture(t)
	_, err := f.db.AddRetentionRule(t.Context(), store.RetentionRule{KeepDays: new(30), CreatedBy: "ada"})
	f.check(err)
	young, old := time.Now().AddDate(0, 0, -30).Add(time.Hour), time.Now().AddDate(0, 0, -30).Add(-time.Hour)
	for id, at := range map[int64]time.Time{1: young, 2: old} {
		f.tell(factsOf(id, "completed", func(f *store.Facts) { f.Job.CompletedAt, f.Job.CreatedAt = &at, &at }))
		f.settle(settledAs(id, store.LogArchived))
	}
	listed := func(id int64) store.RetentionJob {
		known, err := f.db.JobToArchive(t.Context(), id)
		f.check(err)
		r := known.Repository
		return store.RetentionJob{JobID: id, RepositoryID: r.ID, Repository: r.FullName(), HasName: r.HasName}
	}
	ids := func() (ids []int64) {
		t.Helper()
		expiring, _, err := f.db.ExpiringLogs(t.Context(), time.Time{}, 0, 10)
		f.check(err)
		for _, e := range expiring {
			ids = append(ids, e.JobID)
		}
		return ids
	}
	if got := ids(); len(got) != 1 || got[0] != 2 {
		t.Errorf("%v end", got)
	}
	for _, by := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		store.SetWall(f.db, func() time.Time { return time.Now().Add(by) })
		for name, do := range map[string]func() error{
			"RemoveByRule": func() error { _, err := f.db.RemoveByRule(t.Context(), listed(2), "ada", time.Time{}); return err },
			"RemoveByHand": func() error { return f.db.RemoveByHand(t.Context(), 2, "ada", "why", time.Time{}) },
			"Redact": func() error {
				return f.db.Redact(t.Context(), store.Redaction{JobID: 2, Number: 1}, nil, nil, nil, nil)
			},
			"DecidingTime":  func() error { _, err := f.db.DecidingTime(t.Context()); return err },
			"FinishRemoval": func() error { return f.db.FinishRemoval(t.Context(), 2, nil, nil, nil) },
		} {
			var skew *store.SkewError
			if err := do(); !errors.As(err, &skew) || (skew.Skew()-by).Abs() > 2*time.Second {
				t.Errorf("%s with a clock that is off by %s: %v", name, by, err)
			}
		}
	}
	store.SetWall(f.db, time.Now)
	if rule, err := f.db.RemoveByRule(t.Context(), listed(1), "ada", time.Time{}); err != nil || rule != nil {
		t.Errorf("%v, %v", rule, err)
	}
	if rule, err := f.db.RemoveByRule(t.Context(), listed(2), "ada", time.Time{}); err != nil || rule == nil {
		t.Errorf("%v, %v", rule, err)
	}
	if n := column[bool](f, `SELECT decided_at BETWEEN now() - interval '1 minute' AND now() FROM log_removals`); len(n) != 1 || !n[0] {
		t.Errorf("decided: %v", n)
	}
}

// Whatever this process's clock says, what goes into the queue is due at Postgres' now().
func TestQueueIsDueByPostgresTime(t *testing.T) {
	f := newFixture(t)
	f.check(pgx.BeginFunc(t.Context(), f.db.Pool(), func(tx pgx.Tx) error {
		// Other than River's own clock by more than the two can be apart by chance.
		if _, err := tx.Exec(t.Context(), `SELECT pg_sleep(0.2)`); err != nil {
			return err
		}
		return f.db.EnqueueArchive(t.Context(), tx, []int64{1}, store.PriorityLive)
	}))
	if n := column[bool](f, `SELECT scheduled_at = created_at AND scheduled_at < now() - interval '0.19 seconds' FROM queue.river_job`); len(n) != 1 || !n[0] {
		t.Errorf("due at the begin of the transaction, by Postgres: %v", n)
	}
}

// Rows that are due later than anything waits are due now; those that may wait do.
func TestPullBack(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(1, "completed"), factsOf(2, "in_progress"), factsOf(3, "completed"))
	f.exec(`UPDATE job_logs SET trying_since = now() WHERE job_id = 3`)
	latest := store.LatestDue{Completed: time.Hour, Troubled: 6 * time.Hour, Open: 24 * time.Hour, Periodic: time.Hour, Immediate: time.Minute}
	f.exec(`DELETE FROM queue.river_job`)
	for _, c := range []struct {
		kind, queue, state string
		job                int64
		due                string
		late               bool
	}{
		{"archive", "archive", "scheduled", 1, "59 minutes", false},
		{"archive", "archive", "scheduled", 1, "61 minutes", true},
		{"archive", "history", "retryable", 1, "61 minutes", true},
		{"archive", "archive", "scheduled", 2, "23 hours", false},
		{"archive", "archive", "scheduled", 2, "25 hours", true},
		{"archive", "archive", "scheduled", 3, "5 hours", false},
		{"archive", "archive", "scheduled", 3, "7 hours", true},
		{"recheck", "recheck", "retryable", 1, "5 hours", false},
		{"recheck", "recheck", "retryable", 1, "7 hours", true},
		{"archive", "archive", "scheduled", 99, "61 minutes", true}, // of a job that nobody knows
		{"reconcile", "reconcile", "scheduled", 0, "59 minutes", false},
		{"reconcile", "reconcile", "available", 0, "2 hours", true},
		{"manifest", "manifest", "available", 0, "2 minutes", true},
		{"removal", "removal", "available", 0, "2 minutes", true},
		{"requeue", "default", "available", 0, "50 seconds", false},
		{"requeue", "default", "available", 0, "100 years", true},
		{"rollup", "default", "available", 0, "2 minutes", true},
		{"archive", "archive", "running", 1, "2 hours", false},
	} {
		f.exec(`DELETE FROM queue.river_job`)
		f.exec(`INSERT INTO queue.river_job (kind, queue, state, args, scheduled_at, max_attempts)
			VALUES ($1, $2, $3::text::queue.river_job_state, jsonb_build_object('job_id', $4::bigint), now() + $5::text::interval, 1)`, c.kind, c.queue, c.state, c.job, c.due)
		n, err := f.db.PullBack(t.Context(), latest)
		f.check(err)
		due := column[bool](f, `SELECT scheduled_at <= now() AND state = 'available' FROM queue.river_job`)[0]
		if (n == 1) != c.late || due != c.late {
			t.Errorf("%s of job %d, %s, due in %s: %d pulled back, due %t", c.kind, c.job, c.state, c.due, n, due)
		}
	}
	f.exec(`INSERT INTO queue.river_leader (elected_at, expires_at, leader_id) VALUES (now(), now() + interval '15 seconds', 'lives')`)
	for _, want := range []int{1, 0} {
		_, err := f.db.PullBack(t.Context(), latest)
		f.check(err)
		if n := len(column[string](f, `SELECT leader_id FROM queue.river_leader`)); n != want {
			t.Errorf("%d leaders, want %d", n, want)
		}
		f.exec(`UPDATE queue.river_leader SET expires_at = now() + interval '2 hours'`)
	}
}
