package upkeep_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
)

// The ledger does not call a job archived, and there is an object in the place of
// its log: what is damaged gives way to GitHub's log, when that is there whole.
func TestDamagedLogOfAPendingJobIsReplaced(t *testing.T) {
	t.Parallel()
	raw := bytes.Repeat([]byte("2026-03-01T12:00:00.0000000Z what the job said\n"), 30_000)
	for bucketName, bucket := range map[string]func(testing.TB) string{
		"file": testenv.FileBucketURL,
		"s3":   testenv.S3BucketURL,
	} {
		for name, damage := range map[string]func(whole []byte) []byte{
			"cut short":          func(whole []byte) []byte { return whole[:len(whole)-10] },
			"cut in half":        func(whole []byte) []byte { return whole[:len(whole)/2] },
			"empty":              func([]byte) []byte { return nil },
			"a bit flipped":      func(whole []byte) []byte { b := bytes.Clone(whole); b[len(b)/2] ^= 1; return b },
			"twice":              func(whole []byte) []byte { return append(bytes.Clone(whole), whole...) },
			"an error page":      func([]byte) []byte { return []byte("<html>503</html>") },
			"not compressed":     func([]byte) []byte { return raw },
			"without seek table": func(whole []byte) []byte { return whole[:len(whole)-9-8*2-8] },
		} {
			t.Run(bucketName+", "+name, func(t *testing.T) {
				t.Parallel()
				r, key, whole := pendingWithLog(t, bucket(t), raw)
				damaged := damage(whole)
				r.Overwrite(key.Log(), damaged)
				untouched := func(when, says string) {
					t.Helper()
					if !bytes.Equal(r.Get(key.Log()), damaged) {
						t.Errorf("%s: what was there is no more", when)
					}
					if state := ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs`); state != "pending" || says == "done" {
						t.Errorf("%s: the worker says %s, the job is %s", when, says, state)
					}
				}
				// GitHub's log breaks off, or is none: nothing becomes of it.
				for _, kind := range []githubsim.FaultKind{githubsim.CutBody, githubsim.CutChunked, githubsim.WrongMD5, githubsim.HTML200, githubsim.NotFoundXML} {
					remove := r.GitHub.Inject(githubsim.Fault{Endpoint: githubsim.EndpointBlob, Kind: kind})
					says, _ := r.Try(1)
					untouched(fmt.Sprintf("fault %d", kind), says)
					remove()
				}
				if says, _ := r.Try(1); says != "done" {
					t.Fatalf("with the whole log the worker says %s\n%s", says, r.Dump())
				}
				r.CompareObject(1, archive.LogName, raw)
				if faults, sum := r.verify(upkeep.VerifyOptions{Deep: true}); len(faults) > 0 || sum.Jobs != 1 {
					t.Errorf("afterwards %v in %d jobs", faults, sum.Jobs)
				}
			})
		}
	}
}

// A whole log is taken as it is, also where GitHub has none, or another.
func TestWholeLogOfAPendingJobIsTaken(t *testing.T) {
	t.Parallel()
	raw := []byte("what the job said\n")
	r, key, whole := pendingWithLog(t, testenv.FileBucketURL(t), raw)
	r.GitHub.AddJob(ingesttest.Completed(1, r.Now(), githubsim.TextLog([]byte("something else\n"))))
	if says, _ := r.Try(1); says != "done" {
		t.Fatalf("the worker says %s\n%s", says, r.Dump())
	}
	if n := r.GitHub.RequestsFor(1)[githubsim.EndpointLog]; n != 0 {
		t.Errorf("the log was asked for %d times", n)
	}
	if !bytes.Equal(r.Get(key.Log()), whole) {
		t.Error("it is another object now")
	}
	if faults, sum := r.verify(upkeep.VerifyOptions{Deep: true}); len(faults) > 0 || sum.Jobs != 1 {
		t.Errorf("afterwards %v in %d jobs", faults, sum.Jobs)
	}
}

// pendingWithLog is a rig with job 1, pending, whose log a killed worker left in
// the bucket.
func pendingWithLog(t *testing.T, bucketURL string, raw []byte) (r *rig, key archive.JobKey, object []byte) {
	t.Helper()
	r = newRig(t, ingesttest.Options{BucketURL: bucketURL})
	j := ingesttest.Completed(1, time.Now(), githubsim.TextLog(raw))
	r.Know(j)
	key = archive.JobKey{RepositoryID: j.RepositoryID, RunID: j.RunID, RunAttempt: j.RunAttempt, JobID: j.ID}
	_, err := r.Archive.PutLog(t.Context(), key, bytes.NewReader(raw))
	r.Check(err)
	return r, key, r.Get(key.Log())
}
