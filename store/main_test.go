package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// day is when everything happens in these tests.
var day = time.Date(2024, 7, 8, 16, 48, 9, 0, time.UTC)

// fixture is a store on a fresh database.
type fixture struct {
	t    testing.TB
	pool *pgxpool.Pool
	db   *store.DB
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	pool := testenv.Pool(t)
	db, err := store.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{t: t, pool: pool, db: db}
}

func (f *fixture) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) exec(sql string, args ...any) {
	f.t.Helper()
	_, err := f.pool.Exec(f.t.Context(), sql, args...)
	f.check(err)
}

// column reads the one column of a query.
func column[T any](f *fixture, query string, args ...any) []T {
	f.t.Helper()
	rows, err := f.pool.Query(f.t.Context(), query, args...)
	f.check(err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[T])
	f.check(err)
	return values
}

// scalar reads the one value of a query.
func scalar[T any](f *fixture, query string, args ...any) T {
	f.t.Helper()
	values := column[T](f, query, args...)
	if len(values) != 1 {
		f.t.Fatalf("%s: %d rows", query, len(values))
	}
	return values[0]
}

// factsOf is the least that may be known of a job, of run 2 of repository 1.
func factsOf(job int64, status string, edits ...func(*store.Facts)) store.Facts {
	f := store.Facts{
		Repository: store.Repository{ID: 1, Owner: "acme", Name: "rocket", SeenAt: day},
		Run:        store.WorkflowRun{ID: 2, RepositoryID: 1},
		Job:        store.Job{ID: job, RunID: 2, RepositoryID: 1, Name: "build", Status: status},
	}
	for _, edit := range edits {
		edit(&f)
	}
	return f
}

func steps(job int64, names ...string) []store.Step {
	var out []store.Step
	for i, name := range names {
		out = append(out, store.Step{JobID: job, Number: int64(i + 1), Name: name, Status: "queued"})
	}
	return out
}

// deliveryOf is a delivery that waits; its payload tells the facts, in JSON.
func deliveryOf(facts store.Facts) store.Delivery {
	payload, err := json.Marshal(facts)
	if err != nil {
		panic(err)
	}
	return store.Delivery{
		GUID: uuid.New(), Event: "workflow_job", Action: &facts.Job.Status, RepositoryID: &facts.Repository.ID, JobID: &facts.Job.ID,
		Payload: payload, State: store.DeliveryReceived,
	}
}

func (f *fixture) insert(ds ...store.Delivery) {
	f.t.Helper()
	f.check(f.db.InsertDeliveries(f.t.Context(), ds))
}

// believeLast understands deliveries made by deliveryOf: the newest of each job
// counts.
func believeLast(ds []store.Delivery) store.Interpretation {
	var u store.Interpretation
	last := make(map[int64]store.Facts)
	for _, d := range ds {
		var facts store.Facts
		if err := json.Unmarshal(d.Payload, &facts); err != nil {
			panic(err)
		}
		last[*d.JobID] = facts
		u.Verdicts = append(u.Verdicts, store.Verdict{GUID: d.GUID})
	}
	for _, facts := range last {
		u.Facts = append(u.Facts, facts)
	}
	return u
}

// drain works on all deliveries that wait.
func (f *fixture) drain() {
	f.t.Helper()
	for {
		verdicts, err := f.db.DrainDeliveries(f.t.Context(), 100, believeLast)
		f.check(err)
		if len(verdicts) == 0 {
			return
		}
	}
}

// tell delivers facts, one after the other, and turns each into rows.
func (f *fixture) tell(facts ...store.Facts) {
	f.t.Helper()
	for _, fact := range facts {
		f.insert(deliveryOf(fact))
		f.drain()
	}
}

// fetch writes facts as the REST API's.
func (f *fixture) fetch(facts store.Facts) {
	f.t.Helper()
	f.check(f.db.RecordFetched(f.t.Context(), facts, day.Add(time.Hour)))
}

func (f *fixture) job(id int64) store.Job {
	f.t.Helper()
	j, err := f.db.JobToArchive(f.t.Context(), id)
	f.check(err)
	return j.Job
}

func (f *fixture) log(jobID int64) store.JobLog {
	f.t.Helper()
	l, err := f.db.JobLog(f.t.Context(), jobID)
	f.check(err)
	return l
}

// waiting are the deliveries that wait, oldest first.
func (f *fixture) waiting() []uuid.UUID {
	f.t.Helper()
	return column[uuid.UUID](f, `SELECT guid FROM deliveries WHERE state = 'received' ORDER BY received_at`)
}

func guids(ds []store.Delivery) []uuid.UUID {
	var out []uuid.UUID
	for _, d := range ds {
		out = append(out, d.GUID)
	}
	return out
}
