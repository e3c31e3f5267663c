package testenv

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/store"
)

// Vault is a database, and a bucket in a folder, for tests of code that reads them.
type Vault struct {
	T       testing.TB
	DB      *store.DB
	Archive *archive.Archive
	At      time.Time // of everything that is written
}

// NewVault makes an empty database and an empty bucket.
func NewVault(t testing.TB) *Vault {
	t.Helper()
	b, err := bucket.Open(FileBucketURL(t))
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.New(b, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	return &Vault{T: t, DB: DB(t), Archive: a, At: time.Date(2024, 7, 8, 16, 48, 9, 0, time.UTC)}
}

// Check ends the test on an error.
func (v *Vault) Check(err error) {
	v.T.Helper()
	if err != nil {
		v.T.Fatal(err)
	}
}

// Facts returns the facts of an ordinary completed job of acme/rocket, with steps 1, 2,
// ... of these names.
func (v *Vault) Facts(id int64, steps ...string) store.Facts {
	at := func(seconds int64) *time.Time { return new(v.At.Add(time.Duration(seconds) * time.Second)) }
	f := store.Facts{
		Repository: store.Repository{ID: 1, Owner: "acme", Name: "rocket", Private: new(true), SeenAt: v.At},
		Run:        store.WorkflowRun{ID: 2, RepositoryID: 1, WorkflowName: new("CI"), HeadBranch: new("main"), HeadSHA: new(fmt.Sprintf("%040x", 2))},
		Job: store.Job{
			ID: id, RunID: 2, RunAttempt: new(int64(1)), RepositoryID: 1, Name: fmt.Sprintf("build (%d)", id), Status: store.StatusCompleted,
			Conclusion: new("success"), NodeID: new(fmt.Sprintf("CR_%d", id)), HTMLURL: new(fmt.Sprintf("https://github.com/acme/rocket/actions/runs/2/job/%d", id)),
			CheckRunURL: new(fmt.Sprintf("https://api.github.com/repos/acme/rocket/check-runs/%d", id)),
			CreatedAt:   at(0), StartedAt: at(5), CompletedAt: at(65),
			RunnerID: new(int64(7)), RunnerName: new("runner-7"), RunnerGroupID: new(int64(1)), RunnerGroupName: new("Default"),
		},
		Labels: []string{"ubuntu-latest"},
	}
	for i, name := range steps {
		f.Steps = append(f.Steps, store.Step{
			JobID: id, Number: int64(i + 1), Name: name, Status: store.StatusCompleted, Conclusion: new("success"),
			StartedAt: at(5 + int64(i)), CompletedAt: at(6 + int64(i)),
		})
	}
	return f
}

// Record writes a job.
func (v *Vault) Record(f store.Facts) {
	v.T.Helper()
	v.Check(v.DB.RecordFetched(v.T.Context(), f, v.At))
}

// Settle writes a job's outcome into the ledger.
func (v *Vault) Settle(s store.Settlement) {
	v.T.Helper()
	changed, err := v.DB.Settle(v.T.Context(), s, v.At)
	v.Check(err)
	if !changed {
		v.T.Fatalf("job %d was not settled as %s", s.JobID, s.State)
	}
}

// Log puts the log of a job of Facts into the bucket and then into the ledger.
func (v *Vault) Log(id int64, raw []byte, lines ...store.StepLines) archive.Log {
	v.T.Helper()
	key := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: id}
	log, err := v.Archive.PutLog(v.T.Context(), key, bytes.NewReader(raw))
	v.Check(err)
	v.Settle(store.Settlement{
		JobID: id, State: store.LogArchived, HTTPStatus: 200, Asked: true, Steps: func([]store.Step) []store.StepLines { return lines },
		Object: &store.Object{
			Key: log.Key, RawBytes: log.RawBytes, StoredBytes: log.StoredBytes, Lines: log.Lines, SHA256: log.SHA256, StoredSHA256: log.StoredSHA256,
			FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets, ArchivedAt: v.At, FilterBytes: log.FilterBytes,
		},
	})
	return log
}
