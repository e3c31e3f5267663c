package ingest_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
)

// A whole day, on both buckets: every delivery twice or in any order, and at
// the end each job is in the state that GitHub's answers mean, and each log is
// what was served.
func TestDay(t *testing.T) {
	for name, bucket := range map[string]func(testing.TB) string{
		"file": func(t testing.TB) string { return "file://" + t.TempDir() },
		"s3":   testenv.S3BucketURL,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{bucketURL: bucket(t)})
			day := r.github.PlayableDay(7, 150, 20<<20)
			r.work()
			r.send(day.Deliveries, githubsim.SendOptions{Duplicates: .2, Shuffle: true, Seed: 1, Concurrency: 16})
			r.await(time.Minute, settled)
			r.compareDay(day)
			r.checkRequests(day)
		})
	}
}

// compareDay compares ledger and bucket with what the simulator served.
func (r *rig) compareDay(day githubsim.Day) {
	r.t.Helper()
	for _, row := range r.rows(`SELECT job_id, state, reason FROM job_logs`) {
		if want := day.Expected[row["job_id"].(int64)]; row["state"] != want {
			r.t.Errorf("job %d is %s (%v), want %s", row["job_id"], row["state"], row["reason"], want)
		}
	}
	if n := scalar[int](r, `SELECT count(*) FROM job_logs`); n != len(day.Expected) {
		r.t.Errorf("%d jobs in the ledger, want %d", n, len(day.Expected))
	}
	for _, j := range day.Jobs {
		if day.Expected[j.ID] == "archived" {
			r.compareLog(j)
		}
	}
}

// compareLog compares a job's ledger line and object with the log served.
func (r *rig) compareLog(j githubsim.Job) {
	r.t.Helper()
	entry, err := r.db.JobLog(r.t.Context(), j.ID)
	r.check(err)
	want := j.Log.SHA256()
	if !bytes.Equal(entry.SHA256, want[:]) || *entry.RawBytes != j.Log.Size() {
		r.t.Errorf("job %d: ledger has %x, %d bytes; served %x, %d bytes", j.ID, entry.SHA256, *entry.RawBytes, want, j.Log.Size())
		return
	}
	body, err := r.archive.OpenLog(r.t.Context(), *entry.ObjectKey)
	r.check(err)
	defer body.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, body)
	r.check(err)
	if !bytes.Equal(sum.Sum(nil), want[:]) {
		r.t.Errorf("job %d: the object is not the log that was served", j.ID)
	}
}

// checkRequests holds the number of REST requests against what a job may cost.
func (r *rig) checkRequests(day githubsim.Day) {
	r.t.Helper()
	for _, j := range day.Jobs {
		n := r.github.RequestsFor(j.ID)
		if day.Expected[j.ID] == "none" && j.Conclusion != nil && *j.Conclusion == "skipped" && n[githubsim.EndpointLog] > 0 {
			r.t.Errorf("job %d was skipped, and its log asked for %d times", j.ID, n[githubsim.EndpointLog])
		}
		if n[githubsim.EndpointJob] > 2 {
			r.t.Errorf("job %d was fetched %d times", j.ID, n[githubsim.EndpointJob])
		}
	}
	if n := r.github.TokenSentToBlob(); n > 0 {
		r.t.Errorf("the token was sent to the storage host %d times", n)
	}
}
