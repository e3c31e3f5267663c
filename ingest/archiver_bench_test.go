package ingest_test

import (
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// BenchmarkArchiver is the archive worker's work on one job with a 20 KB log,
// beside the simulator and into a Postgres without fsync.
func BenchmarkArchiver(b *testing.B) {
	r := newRig(b, ingesttest.Options{})
	r.GitHub.AddRepository(ingesttest.Repository)
	var ds []githubsim.Delivery
	for id := range int64(b.N) {
		j := ingesttest.Completed(id+1, time.Now(), githubsim.GeneratedLog(uint64(id), 20<<10, githubsim.LogStyle{}))
		r.GitHub.AddJob(j)
		ds = append(ds, r.GitHub.Deliveries(j)...)
	}
	r.Send(ds, githubsim.SendOptions{Concurrency: 16})
	r.Drain()
	b.ResetTimer()
	for id := range int64(b.N) {
		if says, _ := r.Try(id + 1); says != "done" {
			b.Fatal(says)
		}
	}
}
