package upkeep_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// A job.json that is of no use, of a job that no row was made of, gives way to what GitHub
// says, or else to what a webhook told.
func TestDamagedDetailsOfAPendingJobAreReplaced(t *testing.T) {
	t.Parallel()
	for name, damaged := range map[string]string{
		"empty": "", "cut": `{"id":1,"run_id":10`, "no JSON": "\x00\x01", "another job's": `{"id":2,"run_id":102,"status":"completed"}`,
		"too long": strings.Repeat(" ", 33<<20),
	} {
		for _, described := range []bool{true, false} {
			if !described {
				name += ", GitHub does not know the job"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				url := testenv.FileBucketURL(t)
				r := newRig(t, ingesttest.Options{BucketURL: url})
				j := ingesttest.Completed(1, time.Now(), githubsim.TextLog([]byte("x\n")))
				r.Know(j)
				key := r.Object(1, "job.json")
				_, err := r.Archive.Bucket().Put(t.Context(), key, strings.NewReader(damaged))
				r.Check(err)
				want := store.LogArchived
				if !described {
					want = store.LogMissing
					r.GitHub.Inject(githubsim.Fault{Endpoint: githubsim.EndpointJob, Kind: githubsim.NotFoundJSON})
				}
				for range 3 {
					r.Try(1)
				}
				if state := ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs`); state != want {
					t.Errorf("the ledger says %s\n%s", state, r.Dump())
				}
				if faults, _ := r.verify(upkeep.VerifyOptions{Deep: true}); faults != nil {
					t.Errorf("verify: %q", faults)
				}
				if rebuilt := newRig(t, ingesttest.Options{BucketURL: url}); rebuilt.rebuild(0).Faults > 0 {
					t.Error("a rebuild finds faults")
				}
			})
		}
	}
}

// A settled.json that cannot be read may say that the log was removed. The job is not pending
// for ever, and nothing is fetched until verify has looked into the log of removals.
func TestADamagedRecordOfAPendingJob(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damaged string
		removed bool
	}{
		"no JSON":                       {"\x00", false},
		"it says removed, and not what": {`{"state":"removed"}`, false},
		"no JSON, removed":              {"\x00", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, url := ingesttest.NewClock(), testenv.FileBucketURL(t)
			r := newRig(t, ingesttest.Options{Now: now.Now, BucketURL: url})
			j := ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("x\n")))
			if c.removed {
				before := newRig(t, ingesttest.Options{Now: now.Now, BucketURL: url})
				before.Archived(1)
				(&evidenceWorld{rig: before}).redact(1)
				before.Check(before.Archive.Bucket().Remove(t.Context(), before.Object(1, "settled.json")))
			}
			r.Know(j)
			_, err := r.Archive.Bucket().Put(t.Context(), r.Object(1, "settled.json"), strings.NewReader(c.damaged))
			r.Check(err)
			days := 0
			for ; days < 20 && ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs`) == store.LogPending; days++ {
				r.Try(1)
				now.Advance(24 * time.Hour)
			}
			said := ingesttest.Scalar[string](r.Rig, `SELECT state || ': ' || reason FROM job_logs`)
			if !strings.HasPrefix(said, "missing: given up after 8 days of a damaged settled.json") || !strings.Contains(said, "verify --repair") || days != 8 {
				t.Errorf("after %d days the ledger says %s", days, said)
			}
			again := func() {
				if says, _ := r.TryArgs(store.ArchiveArgs{JobID: 1, Again: true}); says != "done" {
					t.Errorf("asked once more, the worker says %s", says)
				}
			}
			again()
			if n := r.GitHub.RequestsFor(1)[githubsim.EndpointLog]; n > 0 {
				t.Errorf("the log was asked for %d times", n)
			}
			if got := string(r.Get(r.Object(1, "settled.json"))); got != c.damaged {
				t.Errorf("settled.json is %q", got)
			}
			faults, _ := r.verify(upkeep.VerifyOptions{Repair: true})
			want, state := []string{"1 settled repaired"}, store.LogArchived
			if c.removed {
				want, state = []string{"1 settled"}, store.LogRemoved
			}
			if diff := cmp.Diff(want, faults, cmpopts.IgnoreSliceElements(func(f string) bool { return strings.Contains(f, "removals") })); diff != "" {
				t.Errorf("verify --repair (-want +got):\n%s", diff)
			}
			again()
			if got := ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs`); got != state {
				t.Errorf("in the end the ledger says %s, want %s", got, state)
			}
		})
	}
}
