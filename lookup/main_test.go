package lookup_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var day = time.Date(2024, 7, 8, 16, 48, 9, 0, time.UTC)

// fixture is a store and an archive in a folder, with jobs in both.
type fixture struct {
	t    testing.TB
	db   *store.DB
	logs lookup.Logs
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	bucket, err := archive.Open("file://" + t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.New(bucket, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	db := testenv.DB(t)
	return &fixture{t: t, db: db, logs: lookup.Logs{DB: db, Archive: a}}
}

func (f *fixture) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// job writes a completed job with steps 1, 2, ... of these names.
func (f *fixture) job(id int64, steps ...string) {
	f.t.Helper()
	facts := store.Facts{
		Repository: store.Repository{ID: 1, Owner: "acme", Name: "rocket", SeenAt: day},
		Run:        store.WorkflowRun{ID: 2, RepositoryID: 1},
		Job:        store.Job{ID: id, RunID: 2, RepositoryID: 1, Name: "build", Status: store.StatusCompleted},
	}
	for i, name := range steps {
		facts.Steps = append(facts.Steps, store.Step{JobID: id, Number: int64(i + 1), Name: name, Status: store.StatusCompleted})
	}
	f.check(f.db.RecordFetched(f.t.Context(), facts, day))
}

func (f *fixture) settle(s store.Settlement) {
	f.t.Helper()
	changed, err := f.db.Settle(f.t.Context(), s, day)
	f.check(err)
	if !changed {
		f.t.Fatalf("job %d was not settled as %s", s.JobID, s.State)
	}
}

// archive puts a log into the bucket and then into the ledger.
func (f *fixture) archive(id int64, raw []byte, lines ...store.StepLines) archive.Log {
	f.t.Helper()
	log, err := f.logs.Archive.PutLog(f.t.Context(), archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: id}, bytes.NewReader(raw))
	f.check(err)
	f.settle(store.Settlement{
		JobID: id, State: store.LogArchived, HTTPStatus: 200, Asked: true, Steps: lines,
		Object: &store.Object{
			Key: log.Key, RawBytes: log.RawBytes, StoredBytes: log.StoredBytes, Lines: log.Lines, SHA256: log.SHA256,
			FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets, ArchivedAt: day,
		},
	})
	return log
}

// manyLines is a log that takes several frames.
func manyLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "2024-07-08T16:48:09.3750041Z line %d of many, with some text to fill the frames\n", i+1)
	}
	return b.Bytes()
}

// cut is lines first to last, from 1 and inclusive.
func cut(raw []byte, first, last int) string {
	lines := strings.SplitAfter(string(raw), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	first, last = max(first, 1), min(last, len(lines))
	if first > last {
		return ""
	}
	return strings.Join(lines[first-1:last], "")
}
