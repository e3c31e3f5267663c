package ingest_test

import (
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// After a whole day whose deliveries come twice or in any order, each job is in the state
// that GitHub's answers mean, and each log is what was served, in each kind of bucket.
func TestDay(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		r := newRig(t, ingesttest.Options{BucketURL: b.String()})
		day := r.GitHub.PlayableDay(7, 150, 5<<20)
		r.Work()
		r.Send(day.Deliveries, githubsim.SendOptions{Duplicates: .2, Shuffle: true, Seed: 1, Concurrency: 16})
		r.Await(time.Minute, ingesttest.Settled)
		r.CompareDay(day)
		r.checkRequests(day)
	})
}

// checkRequests compares the number of REST requests with what a job may cost.
func (r *rig) checkRequests(day githubsim.Day) {
	r.T.Helper()
	for _, j := range day.Jobs {
		n := r.GitHub.RequestsFor(j.ID)
		if day.Expected[j.ID] == "none" && j.Conclusion != nil && *j.Conclusion == "skipped" && n[githubsim.EndpointLog] > 0 {
			r.T.Errorf("job %d was skipped, and its log asked for %d times", j.ID, n[githubsim.EndpointLog])
		}
		if n[githubsim.EndpointJob] > 2 {
			r.T.Errorf("job %d was fetched %d times", j.ID, n[githubsim.EndpointJob])
		}
	}
	if n := r.GitHub.TokenSentToBlob(); n > 0 {
		r.T.Errorf("the token was sent to the storage host %d times", n)
	}
}
