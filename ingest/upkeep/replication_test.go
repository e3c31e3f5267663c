package upkeep_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/migrations"
)

// replica is a server that subscribes to all tables of another one.
type replica struct {
	t        testing.TB
	from, to *pgxpool.Pool
}

// A day is archived while all tables are replicated to a second server, as for an upgrade
// of Postgres: every row arrives, with what is updated and deleted. Then the second server
// takes over, as docs/compatibility.md says.
func TestLogicalReplication(t *testing.T) {
	t.Parallel()
	r := newReplica(t)
	rig, _ := settledDay(t, ingesttest.Options{DatabaseURL: r.from.Config().ConnString()}, 43, 60)
	rig.Check(rig.DB.RollUpAllActions(t.Context()))
	archived := numbers(rig, `SELECT job_id FROM job_logs WHERE state = 'archived' ORDER BY job_id LIMIT 3`)
	rig.Check(rig.DB.NoteReads(t.Context(), "somebody", archived, "log"))
	rig.Check(rig.DB.RemoveByHand(t.Context(), archived[0], "somebody", "a test", time.Time{}))
	r.await()
	if jobs := len(r.rows(r.to, "public.jobs")); jobs < 60 {
		t.Errorf("%d jobs have arrived", jobs)
	}

	r.each(`UPDATE %[1]s SET %[3]s = %[3]s`)
	r.await()
	r.each(`CREATE TEMPORARY TABLE again AS SELECT * FROM %[1]s; DELETE FROM %[1]s; INSERT INTO %[1]s (%[2]s) OVERRIDING SYSTEM VALUE SELECT %[2]s FROM again; DROP TABLE again`)
	r.await()
	r.takeOver()
}

func numbers(r *rig, query string) []int64 {
	rows, err := r.Pool.Query(r.T.Context(), query)
	r.Check(err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	r.Check(err)
	return list
}

func newReplica(t testing.TB) *replica {
	open := func(settings map[string]string) *pgxpool.Pool {
		pool := testenv.PoolAt(t, testenv.Cluster(t, settings).URL())
		m, err := migrations.New(pool)
		if err == nil {
			_, err = m.Up(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		return pool
	}
	r := &replica{t: t, from: open(map[string]string{"wal_level": "logical"}), to: open(nil)}
	r.exec(r.to, "TRUNCATE "+strings.Join(r.tables(), ", "))
	r.exec(r.from, `CREATE PUBLICATION everything FOR ALL TABLES`)
	r.exec(r.to, fmt.Sprintf(`CREATE SUBSCRIPTION everything CONNECTION '%s' PUBLICATION everything`, r.from.Config().ConnString()))
	return r
}

func (r *replica) exec(pool *pgxpool.Pool, statement string) {
	r.t.Helper()
	if _, err := pool.Exec(r.t.Context(), statement); err != nil {
		r.t.Fatalf("%s: %v", statement, err)
	}
}

func (r *replica) column(pool *pgxpool.Pool, query string) []string {
	r.t.Helper()
	rows, err := pool.Query(r.t.Context(), query)
	if err != nil {
		r.t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func (r *replica) rows(pool *pgxpool.Pool, table string) []string {
	return r.column(pool, `SELECT t::text FROM `+table+` t ORDER BY 1`)
}

// tables are all that a publication of all tables has.
func (r *replica) tables() []string {
	return r.column(r.from, `
		SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`)
}

// each runs statements on the first server for every table: %[1]s is its name, %[2]s its
// columns, %[3]s the first that may be set. No trigger adds to it.
func (r *replica) each(format string) {
	conn, err := r.from.Acquire(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Hijack().Close(r.t.Context()) }()
	for _, table := range r.tables() {
		columns := r.column(r.from, `
			SELECT quote_ident(attname) FROM pg_attribute
			WHERE attrelid = '`+table+`'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attidentity = 'a', attnum`)
		statements := fmt.Sprintf(format, table, strings.Join(columns, ", "), columns[0])
		if _, err := conn.Conn().PgConn().Exec(r.t.Context(), "SET session_replication_role = replica; "+statements).ReadAll(); err != nil {
			r.t.Fatalf("%s: %v", statements, err)
		}
	}
}

// await waits until all that the first server has written has arrived, and compares.
func (r *replica) await() {
	r.t.Helper()
	written := r.column(r.from, `SELECT pg_current_wal_lsn()::text`)[0]
	giveUp := time.Now().Add(2 * time.Minute)
	for r.column(r.from, `SELECT coalesce(bool_and(confirmed_flush_lsn >= '`+written+`'), false)::text FROM pg_replication_slots WHERE slot_name = 'everything'`)[0] != "true" {
		if time.Now().After(giveUp) {
			r.t.Fatalf("not all has arrived: %v", r.column(r.to, `SELECT s::text FROM pg_stat_subscription s`))
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-r.t.Context().Done():
			r.t.Fatal(r.t.Context().Err())
		}
	}
	for _, table := range r.tables() {
		if diff := cmp.Diff(r.rows(r.from, table), r.rows(r.to, table)); diff != "" {
			r.t.Errorf("%s (-first server +second):\n%.2000s", table, diff)
		}
	}
}

// takeOver has the second server be jobvault's database: numbers that are counted up, which
// are not replicated, go on where they were.
func (r *replica) takeOver() {
	r.exec(r.to, `DROP SUBSCRIPTION everything`)
	for _, statement := range r.column(r.from, `SELECT format('SELECT setval(%L, %s)', format('%I.%I', schemaname, sequencename), last_value) FROM pg_sequences WHERE last_value IS NOT NULL`) {
		r.exec(r.to, statement)
	}
	m, err := migrations.New(r.to)
	if err == nil {
		err = m.Check(r.t.Context())
	}
	if err != nil {
		r.t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		r.t.Fatal(err)
	}
	rig := newRig(r.t, ingesttest.Options{DatabaseURL: r.to.Config().ConnString()})
	day := rig.GitHub.PlayableDay(44, 20, 1<<16)
	rig.Work()
	rig.Send(day.Deliveries, githubsim.SendOptions{})
	rig.Await(time.Minute, ingesttest.Settled+` AND EXISTS (SELECT FROM jobs WHERE id = $1)`, day.Jobs[len(day.Jobs)-1].ID)
	rig.StopWork()
}
